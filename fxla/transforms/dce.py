"""Dead code elimination: drop the equations that no wanted output depends on."""

from __future__ import annotations

from collections.abc import Sequence

from fxla.core.jaxpr import Jaxpr, Literal, Var, is_effectful

__all__ = ["dce_jaxpr"]


def dce_jaxpr(
    jaxpr: Jaxpr, wanted: Sequence[bool], keep_inputs: Sequence[bool] | bool = False
) -> tuple[Jaxpr, list[bool]]:
    """Keep what the wanted outputs need.

    Args:
        jaxpr: the program.
        wanted: for each output, whether to keep it.
        keep_inputs: inputs to keep even if unused.

    Returns:
        The smaller program, and for each input of the original whether it is still there.
    """
    live: set[Var] = {
        a for a, w in zip(jaxpr.outs, wanted, strict=True) if w and not isinstance(a, Literal)
    }
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if any(v in live for v in eqn.outputs) or is_effectful(eqn):
            eqn = eqn.primitive.dce(eqn, [v in live for v in eqn.outputs])
            kept.append(eqn)
            live.update(a for a in eqn.inputs if not isinstance(a, Literal))
    stays = [keep_inputs] * len(jaxpr.invars) if isinstance(keep_inputs, bool) else keep_inputs
    used = [v in live or k for v, k in zip(jaxpr.invars, stays, strict=True)]
    outs = tuple(a for a, w in zip(jaxpr.outs, wanted, strict=True) if w)
    invars = tuple(v for v, u in zip(jaxpr.invars, used, strict=True) if u)
    return Jaxpr(invars, tuple(reversed(kept)), outs), used
