"""Slices whose start is computed: read one, or replace one.

The start is clamped so that the slice lies inside the operand, as in XLA. The size is static.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import int64, is_integer
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import INDEX, AxisKind, Buffer, Expr, For, Let, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.casts import convert
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import gather_p, scatter_p
from fxla.ops.shape import all_of, stack
from fxla.ops.structure import batch_move, full, instantiate, move_axis

__all__ = [
    "dynamic_slice",
    "dynamic_slice_p",
    "dynamic_update_slice",
    "dynamic_update_slice_p",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]


class DynamicSlice(Primitive):
    """``out[i] = x[start + i]``.  x: T[n...], start: int[] for each axis -> T[sizes].  Linear in x.

    A start is moved into 0 <= start <= n - size.
    """

    name = "dynamic_slice"

    def abstract_eval(self, x: Aval, *starts: Aval, sizes: Shape) -> tuple[Aval, ...]:
        check_starts(self.name, x, starts, sizes)
        return (Aval(sizes, x.dtype, x.weak_type),)

    def impl(self, x: Any, *starts: Any, sizes: Shape) -> tuple[Any, ...]:
        x = np.asarray(x)
        if not len(starts) == len(sizes) == x.ndim or any(map(operator.gt, sizes, x.shape)):
            check_starts(self.name, typeof(x), [typeof(s) for s in starts], sizes)
        return (x[window(x.shape, starts, sizes)],)

    def jvp(
        self, primals: Any, tangents: Any, *, sizes: Shape
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, sizes=sizes)
        if is_zero(tangents[0]):
            return out, (Zero(typeof(out[0]).tangent()),)
        return out, self.bind(tangents[0], *primals[1:], sizes=sizes)

    def transpose(self, cts: Any, *operands: Any, sizes: Shape) -> tuple[Any, ...]:
        (x, *starts), (ct,) = operands, cts
        zeros = full(x.shape, 0, typeof(ct).dtype)
        return (dynamic_update_slice(zeros, ct, starts), *[None] * len(starts))

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, sizes: Shape) -> Out:
        (x, *starts), (at, *start_axes) = operands, axes
        if all(a is None for a in start_axes):
            x = move_axis(x, at, 0)
            return self.bind(x, zero_like(starts), *starts, sizes=(axis.size, *sizes)), (0,)
        shape = _without(typeof(x).shape, at)
        dims, indices = _as_indices(axis, shape, starts, start_axes, sizes)
        params = {"mode": "clip", "unique_indices": True, "fill_value": None}
        return gather_p.batch(axis, (x, indices), (at, 0), dims=dims, sizes=sizes, **params)

    def lower(self, *views: View, sizes: Shape) -> tuple[View, ...]:
        x, *starts = views

        def at(i: IndexTuple) -> Expr:
            begin = lowered_start(x.shape, starts, sizes)
            return x[tuple(binary("add", s, k) for s, k in zip(begin, i, strict=True))]

        return (View(sizes, x.dtype, at),)


class DynamicUpdateSlice(Primitive):
    """`x` with the slice that begins at `start` replaced.  x: T[n...], update: T[sizes] -> T[n...].

    Operands: x, update, a start for each axis. Linear in x and update together.
    """

    name = "dynamic_update_slice"
    updates = True

    def abstract_eval(self, x: Aval, update: Aval, *starts: Aval) -> tuple[Aval, ...]:
        check_starts(self.name, x, starts, update.shape)
        if x.dtype != update.dtype:
            raise DtypeError(f"{self.name}: dtypes differ: {x}, update {update}")
        return (Aval(x.shape, x.dtype, x.weak_type and update.weak_type),)

    def impl(self, x: Any, update: Any, *starts: Any) -> tuple[Any, ...]:
        out = np.array(x)
        out[window(out.shape, starts, np.shape(update))] = update
        return (out,)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x, update, *starts), (t, t_update, *_) = primals, tangents
        out = self.bind(x, update, *starts)
        if is_zero(t) and is_zero(t_update):
            return out, (Zero(typeof(out[0]).tangent()),)
        return out, self.bind(instantiate(t), instantiate(t_update), *starts)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        (x, update, *starts), (ct,) = operands, cts
        shape = typeof(update).shape
        hole = full(shape, 0, typeof(ct).dtype)
        return (
            dynamic_update_slice(ct, hole, starts) if is_linear(x) else None,
            dynamic_slice(ct, starts, shape) if is_linear(update) else None,
            *[None] * len(starts),
        )

    def batch(self, axis: AxisFrame, operands: Any, axes: Any) -> Out:
        (x, update, *starts), (at, update_at, *start_axes) = operands, axes
        if all(a is None for a in start_axes):
            x, update = batch_move(axis, (x, update), (at, update_at))
            return self.bind(x, update, zero_like(starts), *starts), (0,)
        shape = _without(typeof(x).shape, at)
        sizes = _without(typeof(update).shape, update_at)
        dims, indices = _as_indices(axis, shape, starts, start_axes, sizes)
        pair = (x, indices, update), (at, 0, update_at)
        return scatter_p.batch(
            axis, *pair, dims=dims, sizes=sizes, mode="clip", unique_indices=True
        )

    def lower(self, *views: View) -> tuple[View, ...]:
        x, update, *starts = views

        def at(i: IndexTuple) -> Expr:
            begin = lowered_start(x.shape, starts, update.shape)
            inside: list[Expr] = []
            index: list[Expr] = []
            for d, (s, k) in enumerate(zip(begin, i, strict=True)):
                index.append(binary("sub", k, s))
                if x.shape[d] != update.shape[d]:
                    size = extent(update.shape[d])
                    inside += [compare("ge", k, s), compare("lt", index[-1], size)]
            if not inside:
                return update[tuple(index)]
            return scalar.select(all_of(inside), update[tuple(index)], x[i])

        return (View(x.shape, x.dtype, at),)

    def lower_in_place(self, *views: View) -> Nest:
        x, update, *starts = views

        def body(_: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            found = lowered_start(x.shape, starts, update.shape)
            begin = [fresh_local(INDEX, "s") for _ in found]
            lets = [Let(s, e) for s, e in zip(begin, found, strict=True)]
            k = [fresh_index() for _ in begin]
            place = tuple(binary("add", s, i) for s, i in zip(begin, k, strict=True))
            written: tuple[Stmt, ...] = (Store(outs[0], place, update[tuple(k)]),)
            for d in reversed(range(x.ndim)):
                kind: AxisKind = "vector" if d == x.ndim - 1 else "serial"
                written = (For(k[d], extent(update.shape[d]), written, kind),)
            return [*lets, *written]

        return Nest(((x.shape, x.dtype),), (), body)


def check_starts(call: str, x: Aval, starts: Sequence[Aval], sizes: Shape) -> None:
    """Check that there is an integer start for each axis, and that the slice fits."""
    if any(s.shape or not is_integer(s.dtype) for s in starts):
        raise DtypeError(f"{call}: starts must be integer scalars: {', '.join(map(str, starts))}")
    fits = len(starts) == len(sizes) == x.ndim
    if not fits or any(not 0 <= size <= n for size, n in zip(sizes, x.shape, strict=True)):
        raise ShapeError(
            f"{call}: a slice of {sizes} at {len(starts)} starts does not fit {x}. "
            "It takes a start and a size for each axis, and no size may be larger than the axis."
        )


def window(shape: Shape, starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    """The slice for NumPy, clamped."""
    begin = [min(max(int(s), 0), n - k) for s, n, k in zip(starts, shape, sizes, strict=True)]
    return tuple(slice(s, s + k) for s, k in zip(begin, sizes, strict=True))


def lowered_start(shape: Shape, starts: Sequence[View], sizes: Shape) -> list[Expr]:
    """The clamped start along each axis; 0 where the slice spans the axis."""
    begin: list[Expr] = []
    for start, n, size in zip(starts, shape, sizes, strict=True):
        if n == size:
            begin.append(int_const(0))
            continue
        s = scalar.cast(start[()], INDEX)
        s = scalar.op("minimum", INDEX, s, extent(n - size))
        begin.append(scalar.op("maximum", INDEX, s, int_const(0)))
    return begin


def zero_like(starts: Sequence[Value]) -> Value:
    """A start of 0 for a new axis."""
    dtype = typeof(starts[0]).dtype if starts else int64
    return dtype.type(0)


def _without(shape: Shape, at: int | None) -> Shape:
    return shape if at is None else (*shape[:at], *shape[at + 1 :])


def _as_indices(
    axis: AxisFrame, shape: Shape, starts: Sequence[Value], axes: Sequence[int | None], sizes: Shape
) -> tuple[GatherDims, Value]:
    """The gather that reads one slice, and the batch of its index vectors: int[batch, k].

    Axes that the slice spans always start at 0, so they need no index.
    """
    mapped = tuple(d for d, (n, size) in enumerate(zip(shape, sizes, strict=True)) if n != size)
    dims = GatherDims(tuple(range(len(shape))), (), mapped)
    if not mapped:
        return dims, full((axis.size, 0), 0, int64)
    columns = batch_move(axis, [starts[d] for d in mapped], [axes[d] for d in mapped])
    return dims, stack([convert(c, int64) for c in columns], 1)


dynamic_slice_p = DynamicSlice()
dynamic_update_slice_p = DynamicUpdateSlice()


def dynamic_slice(x: Value, starts: Sequence[Value], sizes: Sequence[int]) -> Value:
    """The part of `x` of the given sizes that begins at `starts`, clamped into `x`.

    A negative start is clamped to 0: counting from the end is the caller's affair.
    """
    return dynamic_slice_p.bind1(x, *starts, sizes=tuple(sizes))


def dynamic_update_slice(x: Value, update: Value, starts: Sequence[Value]) -> Value:
    """`x` with `update` written at `starts`, clamped into `x`."""
    return dynamic_update_slice_p.bind1(x, update, *starts)
