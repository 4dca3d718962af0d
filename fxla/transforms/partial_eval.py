"""Partial evaluation: compute what is known, record what is not.

partial_eval_jaxpr : (known, unknown -> out) -> (known -> out_known, residuals),
                                                (residuals, unknown -> out_unknown)

Applied to a jvp whose primals are known and whose tangents are not, what is recorded is the linear
function from tangents to tangents: that is `linearize`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fxla.core.check import checked
from fxla.core.jaxpr import ClosedJaxpr, Jaxpr
from fxla.core.primitive import Primitive
from fxla.core.records import dataclass
from fxla.core.staging import JaxprTrace, JaxprTracer, eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import Trace, Value, current_trace, running
from fxla.transforms.dce import dce_jaxpr

__all__ = ["PartialTrace", "SplitJaxpr", "partial_eval_flat", "partial_eval_jaxpr"]


class PartialTrace(JaxprTrace):
    """Evaluates in the parent what depends on known values only, and records the rest."""

    def unknown(self, x: Value) -> bool:
        """Whether a value depends on an unknown input."""
        return isinstance(x, JaxprTracer) and x.owner is self

    def lift(self, x: Value) -> Value:
        return x

    def process(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        if not any(self.unknown(x) for x in args):
            assert self.parent is not None
            return self.parent.process(primitive, args, params)
        result: tuple[Value, ...] = primitive.partial_eval(self, args, params)
        return result

    def run(self, program: Jaxpr, args: Sequence[Value]) -> tuple[Value, ...]:
        if not any(self.unknown(x) for x in args):
            assert self.parent is not None
            return self.parent.run(program, args)
        return Trace.run(self, program, args)

    def process_known(
        self, primitive: Primitive, args: Sequence[Value], params: dict[str, Any]
    ) -> tuple[Value, ...]:
        """Evaluate in the parent."""
        assert self.parent is not None
        with running(self.parent):
            return primitive.bind(*args, **params)


def partial_eval_flat(
    f: Callable[..., Sequence[Value]], args: Sequence[Value | None], avals: Sequence[Any]
) -> tuple[list[Value | None], ClosedJaxpr]:
    """Run `f` where some arguments (None) are unknown.

    Returns:
        For each output its value, or None if it is unknown; and the program from the unknown
        arguments to the unknown outputs, with what it needs of the known part as consts.
    """
    trace = PartialTrace(current_trace(), "linearize")
    unknowns: list[JaxprTracer] = []
    inputs: list[Value] = []
    for x, aval in zip(args, avals, strict=True):
        if x is None:
            unknowns.append(trace.argument(aval))
            inputs.append(unknowns[-1])
        else:
            inputs.append(x)
    with running(trace, ends=True):
        outs = f(*inputs)
        known = [None if trace.unknown(o) else o for o in outs]
        closed = trace.close(unknowns, [o for o in outs if trace.unknown(o)])
    return known, dce_closed(closed)


def dce_closed(closed: ClosedJaxpr) -> ClosedJaxpr:
    """Drop equations and consts that no output needs; the other inputs stay."""
    n = len(closed.consts)
    keep = [False] * n + [True] * (len(closed.jaxpr.invars) - n)
    jaxpr, used = dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outs), keep)
    consts = tuple(c for c, u in zip(closed.consts, used, strict=False) if u)
    return ClosedJaxpr(checked(jaxpr, "partial evaluation"), consts)


@dataclass(frozen=True)
class SplitJaxpr:
    """A program cut in two.

    Attributes:
        known: from the known inputs to (*known outputs, *residuals).
        unknown: from (*residuals, *unknown inputs) to the unknown outputs.
        out_unknown: for each output, whether it is unknown.
        n_residuals: how many values pass from the one to the other.
    """

    known: Jaxpr
    unknown: Jaxpr
    out_unknown: tuple[bool, ...]
    n_residuals: int


def partial_eval_jaxpr(
    jaxpr: Jaxpr, unknown: Sequence[bool], force_unknown: Sequence[bool] | None = None
) -> SplitJaxpr:
    """Cut a program in what can be computed from its known inputs, and the rest.

    Args:
        jaxpr: the program.
        unknown: for each input, whether it is unknown.
        force_unknown: outputs to count as unknown although they are not.
    """
    force = force_unknown or [False] * len(jaxpr.outs)
    split: list[Any] = []

    def run_known(*known_args: Value) -> list[Value]:
        trace = PartialTrace(current_trace(), "partial_eval")
        given = iter(known_args)
        inputs: list[Value] = []
        unknowns: list[JaxprTracer] = []
        for u, v in zip(unknown, jaxpr.invars, strict=True):
            if u:
                unknowns.append(trace.argument(v.aval))
            inputs.append(unknowns[-1] if u else next(given))
        with running(trace, ends=True):
            outs = eval_jaxpr(jaxpr, *inputs)
            out_unknown = tuple(trace.unknown(o) or f for o, f in zip(outs, force, strict=True))
            kept = [o for o, u in zip(outs, out_unknown, strict=True) if u]
            closed = dce_closed(trace.close(unknowns, kept))
        split.append((closed, out_unknown))
        return [o for o, u in zip(outs, out_unknown, strict=True) if not u] + list(closed.consts)

    avals = [v.aval for v, u in zip(jaxpr.invars, unknown, strict=True) if not u]
    known = trace_to_jaxpr(run_known, avals, "partial_eval")
    assert not known.consts
    closed, out_unknown = split[-1]
    return SplitJaxpr(
        checked(known.jaxpr, "partial evaluation"), closed.jaxpr, out_unknown, len(closed.consts)
    )
