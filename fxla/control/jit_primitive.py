"""The primitive `jit`, a call of a program that is compiled as one, and the scope without it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from fxla.control.programs import (
    executable_of,
    forwarded,
    jvp_of,
    rearranged,
    remembered,
    scope_key,
    split_of,
    vmap_of,
)
from fxla.core.aval import Aval
from fxla.core.jaxpr import Jaxpr
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.scopes import special
from fxla.core.staging import evaluate_jaxpr
from fxla.core.trace import AxisFrame, Value
from fxla.errors import InternalError
from fxla.ops.structure import batch_in_front
from fxla.transforms.partial_eval import PartialTrace
from fxla.transforms.transpose import transpose_jaxpr

__all__ = ["disable_jit", "jit_p", "mode"]


class Jit(Primitive):
    """A call of a program that is compiled as one.  params: jaxpr, and the function's name."""

    name = "jit"

    def abstract_eval(self, *avals: Aval, jaxpr: Jaxpr, name: str) -> tuple[Aval, ...]:
        return jaxpr.out_avals

    def impl(self, *args: Any, jaxpr: Jaxpr, name: str) -> tuple[Any, ...]:
        if mode.disabled:
            return evaluate_jaxpr(jaxpr, *args)
        return tuple(executable_of(jaxpr)(*args))

    def jvp(
        self, primals: Any, tangents: Any, *, jaxpr: Jaxpr, name: str
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        nonzero = [not is_zero(t) for t in tangents]
        both, out_nonzero = jvp_of(jaxpr, nonzero)
        given = [t for t in tangents if not is_zero(t)]
        found = self.bind(*primals, *given, jaxpr=both, name=f"jvp({name})")
        n = len(jaxpr.outs)
        rest = iter(found[n:])
        out_tangents = tuple(
            next(rest) if nz else Zero(a.aval.tangent())
            for nz, a in zip(out_nonzero, jaxpr.outs, strict=True)
        )
        return found[:n], out_tangents

    def partial_eval(self, trace: PartialTrace, args: Sequence[Value], params: Any) -> Any:
        jaxpr, name = params["jaxpr"], params["name"]
        unknown = [trace.unknown(x) for x in args]
        split = split_of(jaxpr, unknown)
        known_args = [x for x, u in zip(args, unknown, strict=True) if not u]
        n_out = len(split.known.outs) - split.n_residuals
        passed = forwarded(split.known, split.known.outs[n_out:])
        keep = [*range(n_out), *(n_out + k for k, p in enumerate(passed) if p is None)]
        small = remembered(split.known, "small", lambda: rearranged(split.known, outputs=keep))
        found = (
            trace.process_known(self, known_args, {"jaxpr": small, "name": name}) if keep else ()
        )
        computed = iter(found[n_out:])
        residuals = [next(computed) if p is None else known_args[p] for p in passed]
        rest = [x for x, u in zip(args, unknown, strict=True) if u]
        unknown_outs = iter(
            trace.record(self, [*residuals, *rest], {"jaxpr": split.unknown, "name": name})
        )
        known_outs = iter(found[:n_out])
        return tuple(next(unknown_outs) if u else next(known_outs) for u in split.out_unknown)

    def transpose(self, cts: Any, *operands: Any, jaxpr: Jaxpr, name: str) -> tuple[Any, ...]:
        linear = [is_linear(x) for x in operands]
        nonzero = [not is_zero(ct) for ct in cts]
        key = ("transpose", tuple(linear), tuple(nonzero), scope_key())
        turned = remembered(jaxpr, key, lambda: transpose_jaxpr(jaxpr, linear, nonzero))
        known = [x for x in operands if not is_linear(x)]
        given = [ct for ct in cts if not is_zero(ct)]
        found = iter(self.bind(*known, *given, jaxpr=turned, name=f"transpose({name})"))
        return tuple(next(found) if lin else None for lin in linear)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, jaxpr: Jaxpr, name: str
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        batched = [a is not None for a in axes]
        mapped, out_batched = vmap_of(jaxpr, axis, batched)
        moved = batch_in_front(operands, axes)
        outs = self.bind(*moved, jaxpr=mapped, name=f"vmap({name})")
        return outs, tuple(0 if b else None for b in out_batched)

    def lower(self, *views: Any, jaxpr: Jaxpr, name: str) -> Any:
        raise InternalError("jit is inlined before lowering")

    def inlined(self, params: dict[str, Any]) -> Jaxpr:
        jaxpr: Jaxpr = params["jaxpr"]
        return jaxpr


jit_p = Jit()


class Mode(threading.local):
    """Whether jitted functions run as plain Python on this thread."""

    disabled = False


mode = Mode()


@contextlib.contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Run jitted functions as plain Python for a scope, to step through them with a debugger.

    Example:
        >>> import fxla
        >>> with fxla.disable_jit():
        ...     fxla.jit(lambda x: print("concrete:", x > 0) or x)(1.0)
        concrete: True
        1.0
    """
    before = mode.disabled
    special.append(None)
    mode.disabled = disable
    try:
        yield
    finally:
        mode.disabled = before
        special.pop()
