"""Operations on jaxprs that the higher-order primitives share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fxla.core.deferred import deferred
from fxla.core.jaxpr import Atom, Jaxpr, Literal, Var
from fxla.core.trace import AxisFrame, Value, device_evaluation, is_on_device, scope_key
from fxla.transforms.jvp import jvp_jaxpr
from fxla.transforms.partial_eval import SplitJaxpr, partial_eval_jaxpr
from fxla.transforms.vmap import vmap_jaxpr

if TYPE_CHECKING:
    from fxla.compile.cuda.program import CudaExecutable
    from fxla.compile.executable import Executable

__all__ = [
    "executable_for",
    "executable_of",
    "forwarded",
    "jvp_of",
    "rearranged",
    "remembered",
    "scope_key",
    "split_of",
    "vmap_of",
    "with_unused_inputs",
]

T = TypeVar("T")

compiler, cuda = deferred("fxla.compile.executable"), deferred("fxla.compile.cuda.program")
# A program on a device imports the compiler, which `import fxla` leaves to who needs it.
device_evaluation[:] = [lambda primitive, args, params: cuda.evaluate(primitive, args, params)]


def remembered(jaxpr: Jaxpr, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives for a jaxpr and key; made once, kept as long as the jaxpr lives.

    It is kept on the jaxpr, not in a table of weak references: what is made often holds the jaxpr
    itself, and such a circle can be collected only if no table is part of it.
    """
    if key not in jaxpr.derived:
        jaxpr.derived[key] = make()
    found: T = jaxpr.derived[key]
    return found


def executable_of(jaxpr: Jaxpr) -> Executable:
    """The compiled program of a jaxpr."""
    found: Executable = remembered(jaxpr, "executable", lambda: compiler.compile_jaxpr(jaxpr))
    return found


def executable_for(jaxpr: Jaxpr, values: Sequence[Value]) -> Executable | CudaExecutable:
    """The compiled program of a jaxpr for where the values are: CUDA if one of them is there."""
    if any(is_on_device(x) for x in values):
        found: CudaExecutable = remembered(
            jaxpr, "cuda", lambda: cuda.compile_jaxpr_for_cuda(jaxpr)
        )
        return found
    return executable_of(jaxpr)


def jvp_of(
    jaxpr: Jaxpr, nonzero: Sequence[bool], instantiate_outs: Sequence[bool] | bool = False
) -> tuple[Jaxpr, list[bool]]:
    """`jvp_jaxpr`, remembered."""
    wanted = instantiate_outs if isinstance(instantiate_outs, bool) else tuple(instantiate_outs)
    key = ("jvp", tuple(nonzero), wanted, scope_key())
    return remembered(jaxpr, key, lambda: jvp_jaxpr(jaxpr, nonzero, instantiate_outs))


def split_of(
    jaxpr: Jaxpr, unknown: Sequence[bool], force: Sequence[bool] | None = None
) -> SplitJaxpr:
    """`partial_eval_jaxpr`, remembered."""
    key = ("split", tuple(unknown), tuple(force) if force else None, scope_key())
    return remembered(jaxpr, key, lambda: partial_eval_jaxpr(jaxpr, unknown, force))


def vmap_of(
    jaxpr: Jaxpr, frame: AxisFrame, batched: Sequence[bool], force: Sequence[bool] | bool = False
) -> tuple[Jaxpr, list[bool]]:
    """`vmap_jaxpr`, remembered."""
    forced = force if isinstance(force, bool) else tuple(force)
    key = ("vmap", frame.name, frame.size, tuple(batched), forced, scope_key())
    return remembered(jaxpr, key, lambda: vmap_jaxpr(jaxpr, frame, batched, force))


def rearranged(
    jaxpr: Jaxpr, inputs: Sequence[int] | None = None, outputs: Sequence[int] | None = None
) -> Jaxpr:
    """The program with its inputs and outputs in another order; an output may be left out."""
    invars = jaxpr.invars if inputs is None else tuple(jaxpr.invars[i] for i in inputs)
    outs = jaxpr.outs if outputs is None else tuple(jaxpr.outs[i] for i in outputs)
    return Jaxpr(invars, jaxpr.eqns, outs)


def with_unused_inputs(jaxpr: Jaxpr, positions: Sequence[int | None], avals: Any) -> Jaxpr:
    """The program with more inputs, which it ignores.

    Args:
        jaxpr: the program.
        positions: for each input of the result the input of `jaxpr` it is, or None for a new one.
        avals: types of the inputs of the result.
    """
    invars = tuple(
        Var(a) if p is None else jaxpr.invars[p] for p, a in zip(positions, avals, strict=True)
    )
    return Jaxpr(invars, jaxpr.eqns, jaxpr.outs)


def forwarded(jaxpr: Jaxpr, atoms: Sequence[Atom]) -> list[int | None]:
    """For each atom the position of the input that it is, or None."""
    position = {v: k for k, v in enumerate(jaxpr.invars)}
    return [None if isinstance(a, Literal) else position.get(a) for a in atoms]
