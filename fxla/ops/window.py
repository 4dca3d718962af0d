"""Reductions over sliding windows: sums, maxima and minima.

The sum is linear and closed under transposition. The tangent of a maximum is the tangent of the
element that wins, see `fxla.ops.window_arg`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import is_bool, is_complex, short_name
from fxla.core.primitive import Primitive, not_linear
from fxla.core.trace import AxisFrame, Value
from fxla.errors import DtypeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, Reduce, View
from fxla.ops.shape import all_of
from fxla.ops.structure import LinearPrimitive, batch_move
from fxla.ops.window_arg import window_arg_p, window_pick_p
from fxla.ops.window_dims import (
    Containing,
    Extreme,
    Window,
    lowered_source,
    source_along,
    spread,
    worst,
)

__all__ = [
    "Window",
    "reduce_window_max",
    "reduce_window_max_p",
    "reduce_window_min",
    "reduce_window_min_p",
    "reduce_window_sum",
    "reduce_window_sum_p",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]
Finder = Callable[[Expr, Expr], tuple[Expr, list[Expr]]]
"""From a place along an axis and a term's number to an element's place, and when there is one."""


def _sweep(x: Any, window: Window, combine: Callable[..., Any], identity: Any) -> Any:
    """Reduce one axis after the other: the work is the sum of the sizes, not their product."""
    out = window.output_shape(x.shape)
    x = spread(x, window, identity)
    if 0 in out or 0 in x.shape:
        return np.full(out, identity, x.dtype)
    for axis, (k, s, d, n) in enumerate(
        zip(window.sizes, window.strides, window.window_dilation, out, strict=True)
    ):
        if k == 1 and s == 1 and x.shape[axis] == n:
            continue
        total = None
        for i in range(k):
            index = [slice(None)] * x.ndim
            index[axis] = slice(i * d, i * d + (n - 1) * s + 1, s)
            part = x[tuple(index)]
            if total is None:
                total = part.copy()
            else:
                combine(total, part, out=total)
        x = total
    return x


def _element(x: View, window: Window, out: IndexTuple, k: IndexTuple, fill: Any) -> Expr:
    index, conditions = lowered_source(window, x.shape, out, k)
    if not conditions:
        return x[index]
    return scalar.select(all_of(conditions), x[index], scalar.const(fill, x.dtype))


class ReduceWindowSum(LinearPrimitive):
    """``out[i] = sum over k of x[i * strides + k * window_dilation - low]``.  Linear."""

    name = "reduce_window_sum"

    def abstract_eval(self, x: Aval, *, window: Window) -> tuple[Aval, ...]:
        window.check(self.name, x)
        return (Aval(window.output_shape(x.shape), x.dtype),)

    def impl(self, x: Any, *, window: Window) -> tuple[Any, ...]:
        return (_sweep(np.asarray(x), window, np.add, 0),)

    def transpose(self, cts: Any, *operands: Any, window: Window) -> tuple[Any, ...]:
        shape = operands[0].shape
        return (self.bind1(cts[0], window=window.transposed(shape)),)

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, window: Window) -> Out:
        (x,) = batch_move(axis, operands, axes)
        return self.bind(x, window=window.batched()), (0,)

    def lower(self, *views: View, window: Window) -> tuple[Reduce, ...]:
        (x,) = views
        op = "or" if is_bool(x.dtype) else "add"
        out = window.output_shape(x.shape)
        axes = [_along(window, k, n, m) for k, (n, m) in enumerate(zip(x.shape, out, strict=True))]

        def element(out: IndexTuple, terms: IndexTuple) -> Expr:
            places = [find(o, k) for (_, find), o, k in zip(axes, out, terms, strict=True)]
            inside = x[tuple([at for at, _ in places])]
            conditions = [c for _, there in places for c in there]
            if not conditions:
                return inside
            return scalar.select(all_of(conditions), inside, scalar.const(0, x.dtype))

        return (Reduce(out, x.dtype, tuple([n for n, _ in axes]), op, 0, element),)


def _along(window: Window, axis: int, n: int, out: int) -> tuple[int, Finder]:
    """Terms of a sum along an axis of n elements, and what finds the element of each and when.

    A window over an operand with holes, the derivative of windows with a stride, has at most one
    element for each of these holes; its elements are the windows that contain a place.
    """
    size, base, (low, _) = window.sizes[axis], window.base_dilation[axis], window.padding[axis]
    if base == 1 or window.strides[axis] > 1 or window.window_dilation[axis] > 1:
        return size, functools.partial(source_along, window, axis, n)
    dense = Containing(size, base, size - 1 - low, n, out)

    def find(place: Expr, term: Expr) -> tuple[Expr, list[Expr]]:
        at, _, conditions = dense.window(place, term)
        return at, conditions

    return dense.terms, find


class ReduceWindowExtreme(Primitive):
    """The largest (smallest) element of each window; NaN if there is one."""

    def __init__(self, kind: Extreme) -> None:
        self.kind: Extreme = kind
        self.name = f"reduce_window_{kind}"
        super().__init__()

    def abstract_eval(self, x: Aval, *, window: Window) -> tuple[Aval, ...]:
        window.check(self.name, x)
        if is_complex(x.dtype):
            raise DtypeError(f"{self.name}: not defined for {short_name(x.dtype)}: {x}")
        return (Aval(window.output_shape(x.shape), x.dtype),)

    def impl(self, x: Any, *, window: Window) -> tuple[Any, ...]:
        x = np.asarray(x)
        combine = np.maximum if self.kind == "max" else np.minimum
        return (_sweep(x, window, combine, worst(self.kind, x.dtype)),)

    def jvp(
        self, primals: Any, tangents: Any, *, window: Window
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        winner = window_arg_p.bind1(x, window=window, kind=self.kind)
        picked = window_pick_p.bind1(t, winner, window=window)
        return self.bind(x, window=window), (picked,)

    transpose = not_linear

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, window: Window) -> Out:
        (x,) = batch_move(axis, operands, axes)
        return self.bind(x, window=window.batched()), (0,)

    def lower(self, *views: View, window: Window) -> tuple[Reduce, ...]:
        (x,) = views
        identity = worst(self.kind, x.dtype)
        op = "maximum" if self.kind == "max" else "minimum"
        return (
            Reduce(
                window.output_shape(x.shape), x.dtype, window.sizes, op, identity,
                lambda out, k: _element(x, window, out, k, identity),
            ),
        )  # fmt: skip


reduce_window_sum_p = ReduceWindowSum()
reduce_window_max_p = ReduceWindowExtreme("max")
reduce_window_min_p = ReduceWindowExtreme("min")


def reduce_window_sum(x: Value, window: Window) -> Value:
    """The sum of each window of `x`.

    Example:
        >>> pairs = Window((2,), (1,), ((0, 0),), (1,), (1,))
        >>> reduce_window_sum(np.arange(4.0), pairs).tolist()
        [1.0, 3.0, 5.0]
    """
    return reduce_window_sum_p.bind1(x, window=window)


def reduce_window_max(x: Value, window: Window) -> Value:
    """The largest element of each window of `x`; its tangent is that of the first such element."""
    return reduce_window_max_p.bind1(x, window=window)


def reduce_window_min(x: Value, window: Window) -> Value:
    """The smallest element of each window of `x`; its tangent is that of the first such one."""
    return reduce_window_min_p.bind1(x, window=window)
