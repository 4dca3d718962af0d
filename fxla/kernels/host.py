"""Kernels that fxla cannot read: numba's function, called from the compiled program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.primitive import Primitive, is_zero, not_linear
from fxla.core.trace import AxisFrame, Value, where_am_i
from fxla.errors import NotDifferentiableError
from fxla.loops.view import Opaque, View
from fxla.ops.structure import batch_move

__all__ = ["host_kernel_p"]


class HostKernel(Primitive):
    """The results of a function on arrays.

    Params: function, of the operands; outs, types of its results for one example; why, what of it
    cannot be differentiated; batch, the size of a batch in front of every operand, or None.
    """

    name = "host_kernel"

    def abstract_eval(
        self, *avals: Aval, function: Callable[..., Any], outs: tuple[Aval, ...], why: str,
        batch: tuple[int, ...] = (),
    ) -> tuple[Aval, ...]:  # fmt: skip
        return tuple([Aval((*batch, *o.shape), o.dtype) for o in outs])

    def impl(
        self, *args: Any, function: Callable[..., Any], outs: tuple[Aval, ...], why: str,
        batch: tuple[int, ...] = (),
    ) -> tuple[Any, ...]:  # fmt: skip
        results = [np.empty((*batch, *o.shape), o.dtype) for o in outs]
        for at in np.ndindex(*batch):
            found = function(*[np.asarray(x)[at] for x in args])
            for r, value in zip(results, found, strict=True):
                r[at] = value
        return tuple(results)

    def jvp(
        self, primals: Any, tangents: Any, *, why: str, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        assert not all(is_zero(t) for t in tangents)
        raise NotDifferentiableError(
            f"a kernel has no derivative: it has {why}{where_am_i()}. Write that part "
            "differently, or give the derivative with `.defjvp`."
        )

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, /, *, batch: tuple[int, ...] = (),
        **params: Any,
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:  # fmt: skip
        found = self.bind(*batch_move(axis, operands, axes), batch=(axis.size, *batch), **params)
        return found, (0,) * len(found)

    def lower(self, *views: View, **params: Any) -> Opaque:
        return Opaque()


host_kernel_p = HostKernel()
