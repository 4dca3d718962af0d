"""Primitives that move elements by their position: slice, pad, concatenate, reverse, iota.

All but `iota` are linear in their operands and none does arithmetic, so a kernel reads through them
as index arithmetic. `split`, `stack` and `tile` are plain functions of them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, bool_, short_name
from fxla.core.primitive import Primitive, Zero, is_linear, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, View, binary, compare, extent, int_const
from fxla.ops.arithmetic import sub
from fxla.ops.logic import select
from fxla.ops.structure import (
    LinearPrimitive,
    batch_move,
    broadcast_in_dim,
    expand_dims,
    full,
    instantiate,
    reduce_sum,
    reshape,
)

__all__ = [
    "concatenate",
    "concatenate_p",
    "iota",
    "iota_p",
    "pad",
    "pad_p",
    "rev",
    "rev_p",
    "slice_",
    "slice_in_dim",
    "slice_p",
    "split",
    "stack",
    "tile",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]


class Slice(LinearPrimitive):
    """``out[i] = x[start + i * strides]`` for start <= position < limit, on every axis.  Linear."""

    name = "slice"

    def abstract_eval(
        self, x: Aval, *, start: Shape, limit: Shape, strides: Shape
    ) -> tuple[Aval, ...]:
        fits = len(start) == len(limit) == len(strides) == x.ndim and all(
            0 <= a <= b <= n and s > 0
            for a, b, s, n in zip(start, limit, strides, x.shape, strict=True)
        )
        if not fits:
            raise ShapeError(f"slice: {start} to {limit} by {strides} does not fit {x}")
        shape = tuple(-(-(b - a) // s) for a, b, s in zip(start, limit, strides, strict=True))
        return (Aval(shape, x.dtype, x.weak_type),)

    def impl(self, x: Any, *, start: Shape, limit: Shape, strides: Shape) -> tuple[Any, ...]:
        return (np.asarray(x)[tuple(map(slice, start, limit, strides))],)

    def transpose(
        self, cts: Any, *operands: Any, start: Shape, limit: Shape, strides: Shape
    ) -> tuple[Any, ...]:
        (x,), (ct,) = operands, cts
        kept = typeof(ct).shape
        high = [
            n - a - (m - 1) * s - 1 if m else n - a
            for n, a, m, s in zip(x.shape, start, kept, strides, strict=True)
        ]
        return (pad(ct, 0, start, high, [s - 1 for s in strides]),)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        start: Shape,
        limit: Shape,
        strides: Shape,
    ) -> Out:
        (x,), (at,) = operands, axes
        up = [(*p[:at], n, *p[at:]) for p, n in ((start, 0), (limit, axis.size), (strides, 1))]
        return self.bind(x, start=up[0], limit=up[1], strides=up[2]), (at,)

    def lower(self, *views: View, start: Shape, limit: Shape, strides: Shape) -> tuple[View, ...]:
        (x,) = views
        (out,) = self.abstract_eval(
            Aval(x.shape, x.dtype), start=start, limit=limit, strides=strides
        )

        def at(i: IndexTuple) -> Expr:
            return x[tuple(_affine(k, a, s) for k, a, s in zip(i, start, strides, strict=True))]

        return (View(out.shape, x.dtype, at),)


def _affine(i: Expr, start: int, stride: int) -> Expr:
    """``start + i * stride``; both may follow from sizes."""
    scaled = i if stride == 1 else binary("mul", i, extent(stride))
    return scaled if start == 0 else binary("add", scaled, extent(start))


class Pad(Primitive):
    """`x` with `value` around and between its elements, as XLA's Pad.

    ``out[low + i * (interior + 1)] = x[i]``, and `value` elsewhere. A negative `low` or `high`
    takes elements away. x: T[...], value: T[] -> T[...].  Linear in both operands.
    """

    name = "pad"

    def abstract_eval(
        self, x: Aval, value: Aval, *, low: Shape, high: Shape, interior: Shape
    ) -> tuple[Aval, ...]:
        if x.dtype != value.dtype or value.shape:
            raise DtypeError(f"pad: {value} cannot pad {x}: it must be a scalar of the same dtype")
        fits = len(low) == len(high) == len(interior) == x.ndim and all(k >= 0 for k in interior)
        shape = padded_shape(x.shape, low, high, interior) if fits else (-1,)
        if any(n < 0 for n in shape):
            raise ShapeError(f"pad: low={low}, high={high}, interior={interior} do not fit {x}")
        return (Aval(shape, x.dtype, x.weak_type and value.weak_type),)

    def impl(
        self, x: Any, value: Any, *, low: Shape, high: Shape, interior: Shape
    ) -> tuple[Any, ...]:
        x = np.asarray(x)
        shape = padded_shape(x.shape, low, high, interior)
        out = np.full(shape, value, x.dtype)
        source, target = [], []
        for n, m, a, k in zip(x.shape, shape, low, interior, strict=True):
            step = k + 1
            first = max(0, -(a // step))
            last = min(n, -((a - m) // step))
            count = max(0, last - first)
            begin = a + first * step
            source.append(slice(first, first + count))
            target.append(slice(begin, begin + count * step, step) if count else slice(0, 0))
        out[tuple(target)] = x[tuple(source)]
        return (out,)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, **params)
        return out, self.bind(*[instantiate(t) for t in tangents], **params)

    def transpose(
        self, cts: Any, *operands: Any, low: Shape, high: Shape, interior: Shape
    ) -> tuple[Any, ...]:
        (x, value), (ct,) = operands, cts
        shape = typeof(x).shape
        around = pad(ct, 0, [-k for k in low], [-k for k in high])
        inside = slice_(around, [0] * len(shape), typeof(around).shape, [k + 1 for k in interior])
        rest = None
        if is_linear(value):
            every = range(len(shape))
            rest = sub(reduce_sum(ct, every), reduce_sum(inside, every))
        return (inside if is_linear(x) else None, rest)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        low: Shape,
        high: Shape,
        interior: Shape,
    ) -> Out:
        (x, value), (at, value_at) = operands, axes
        if value_at is None:
            up = [(*p[:at], 0, *p[at:]) for p in (low, high, interior)]
            return self.bind(x, value, low=up[0], high=up[1], interior=up[2]), (at,)
        x, _ = batch_move(axis, operands, axes)
        up = [(0, *p) for p in (low, high, interior)]
        shape = typeof(x).shape
        placed = pad(x, 0, *up)
        inside = pad(full(shape, True, bool_), False, *up)
        around = broadcast_in_dim(value, typeof(placed).shape, (0,))
        return (select(inside, placed, around),), (0,)

    def lower(self, *views: View, low: Shape, high: Shape, interior: Shape) -> tuple[View, ...]:
        x, value = views
        shape = padded_shape(x.shape, low, high, interior)

        def at(i: IndexTuple) -> Expr:
            index: list[Expr] = []
            inside: list[Expr] = []
            for d, n in enumerate(x.shape):
                j = _minus(i[d], low[d])
                if interior[d]:
                    step = extent(interior[d] + 1)
                    inside.append(compare("eq", binary("mod", j, step), int_const(0)))
                    j = binary("floordiv", j, step)
                if low[d] > 0:
                    inside.append(compare("ge", j, int_const(0)))
                if high[d] > 0:
                    inside.append(compare("lt", j, extent(n)))
                index.append(j)
            if not inside:
                return x[tuple(index)]
            return scalar.select(all_of(inside), x[tuple(index)], value[()])

        return (View(shape, x.dtype, at),)


def _minus(i: Expr, n: int) -> Expr:
    """``i - n``; only a positive extent becomes a run-time value."""
    if n == 0:
        return i
    return binary("sub", i, extent(n)) if n > 0 else binary("add", i, extent(-n))


def padded_shape(shape: Shape, low: Shape, high: Shape, interior: Shape) -> Shape:
    """Shape of a padded array; negative where more is taken away than there is."""
    return tuple(
        a + n + max(n - 1, 0) * k + b for n, a, b, k in zip(shape, low, high, interior, strict=True)
    )


def all_of(conditions: Sequence[Expr]) -> Expr:
    """The conjunction of scalar conditions; at least one."""
    result = conditions[0]
    for c in conditions[1:]:
        result = scalar.op("and", c.dtype, result, c)
    return result


class Concatenate(Primitive):
    """Operands one after the other along `dimension`.  Linear in each."""

    name = "concatenate"

    def abstract_eval(self, *xs: Aval, dimension: int) -> tuple[Aval, ...]:
        first, d = xs[0], dimension
        for x in xs:
            if x.dtype != first.dtype:
                raise DtypeError(f"concatenate: dtypes differ: {', '.join(map(str, xs))}")
            if x.ndim != first.ndim or any(
                a != b for k, (a, b) in enumerate(zip(x.shape, first.shape)) if k != d
            ):
                raise ShapeError(
                    f"concatenate along axis {d}: shapes differ: {', '.join(map(str, xs))}"
                )
        shape = list(first.shape)
        shape[d] = sum(x.shape[d] for x in xs)
        return (Aval(tuple(shape), first.dtype, all(x.weak_type for x in xs)),)

    def impl(self, *xs: Any, dimension: int) -> tuple[Any, ...]:
        return (np.concatenate(xs, axis=dimension),)

    def jvp(
        self, primals: Any, tangents: Any, *, dimension: int
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, dimension=dimension)
        return out, self.bind(*[instantiate(t) for t in tangents], dimension=dimension)

    def transpose(self, cts: Any, *operands: Any, dimension: int) -> tuple[Any, ...]:
        (ct,) = cts
        sizes = [typeof(x).shape[dimension] for x in operands]
        ends = np.cumsum(sizes).tolist()
        return tuple(
            slice_in_dim(ct, end - n, end, axis=dimension) if is_linear(x) else None
            for x, n, end in zip(operands, sizes, ends, strict=True)
        )

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, dimension: int) -> Out:
        return self.bind(*batch_move(axis, operands, axes), dimension=dimension + 1), (0,)

    def lower(self, *views: View, dimension: int) -> tuple[View, ...]:
        avals = [Aval(v.shape, v.dtype) for v in views]
        (out,) = self.abstract_eval(*avals, dimension=dimension)
        starts = [0, *np.cumsum([v.shape[dimension] for v in views]).tolist()]

        def element(i: IndexTuple, first: int, last: int) -> Expr:
            # a balanced tree of tests: log2 of the number of operands for an element
            if last - first == 1:
                k = i[dimension]
                k = binary("sub", k, extent(starts[first])) if starts[first] else k
                return views[first][(*i[:dimension], k, *i[dimension + 1 :])]
            middle = (first + last) // 2
            before = compare("lt", i[dimension], extent(starts[middle]))
            return scalar.select(before, element(i, first, middle), element(i, middle, last))

        return (View(out.shape, out.dtype, lambda i: element(i, 0, len(views))),)


class Rev(LinearPrimitive):
    """`x` with the order of elements reversed along `dimensions`.  Linear; its own transpose."""

    name = "rev"

    def abstract_eval(self, x: Aval, *, dimensions: Shape) -> tuple[Aval, ...]:
        if len(set(dimensions)) != len(dimensions) or not all(0 <= d < x.ndim for d in dimensions):
            raise ShapeError(f"rev: axes {dimensions} do not fit {x}")
        return (x,)

    def impl(self, x: Any, *, dimensions: Shape) -> tuple[Any, ...]:
        return (np.flip(x, dimensions),)

    def transpose(self, cts: Any, *operands: Any, dimensions: Shape) -> tuple[Any, ...]:
        return (rev(cts[0], dimensions),)

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, dimensions: Shape) -> Out:
        (x,), (at,) = operands, axes
        return (rev(x, [d + (d >= at) for d in dimensions]),), (at,)

    def lower(self, *views: View, dimensions: Shape) -> tuple[View, ...]:
        (x,) = views

        def at(i: IndexTuple) -> Expr:
            return x[
                tuple(
                    binary("sub", extent(x.shape[d] - 1), k) if d in dimensions else k
                    for d, k in enumerate(i)
                )
            ]

        return (View(x.shape, x.dtype, at),)


class Iota(Primitive):
    """``out[i] = i[dimension]``, converted to `dtype`. Has no operands."""

    name = "iota"

    def abstract_eval(self, *, dtype: DType, shape: Shape, dimension: int) -> tuple[Aval, ...]:
        if not 0 <= dimension < len(shape):
            raise ShapeError(f"iota: axis {dimension} is out of bounds for shape {shape}")
        if dtype.kind == "b":
            raise DtypeError(f"iota: not defined for {short_name(dtype)}")
        return (Aval(shape, dtype),)

    def impl(self, *, dtype: DType, shape: Shape, dimension: int) -> tuple[Any, ...]:
        line = np.arange(shape[dimension]).astype(dtype)
        if len(shape) == 1:
            return (line,)
        column = line.reshape([-1 if d == dimension else 1 for d in range(len(shape))])
        return (np.array(np.broadcast_to(column, shape)),)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(**params)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, **params: Any) -> Out:
        return self.bind(**params), (None,)

    def lower(self, *views: View, dtype: DType, shape: Shape, dimension: int) -> tuple[View, ...]:
        return (View(shape, dtype, lambda i: scalar.cast(i[dimension], dtype)),)


slice_p = Slice()
pad_p = Pad()
concatenate_p = Concatenate()
rev_p = Rev()
iota_p = Iota()


def _ints(xs: Sequence[Any]) -> Shape:
    return tuple(map(operator.index, xs))


def slice_(
    x: Value, start: Sequence[int], limit: Sequence[int], strides: Sequence[int] | None = None
) -> Value:
    """The elements of `x` at start, start + stride, ... below limit, on every axis."""
    shape = typeof(x).shape
    start, limit = _ints(start), _ints(limit)
    strides = (1,) * len(shape) if strides is None else _ints(strides)
    if limit == shape and not any(start) and all(s == 1 for s in strides):
        return x
    return slice_p.bind1(x, start=start, limit=limit, strides=strides)


def slice_in_dim(x: Value, start: int, limit: int, stride: int = 1, axis: int = 0) -> Value:
    """`slice_` along one axis."""
    shape = typeof(x).shape
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], limits[axis], strides[axis] = start, limit, stride
    return slice_(x, starts, limits, strides)


def pad(
    x: Value,
    value: Value,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int] | None = None,
) -> Value:
    """`x` with `value` around (`low`, `high`) and between (`interior`) its elements.

    Negative `low` and `high` take elements away.
    """
    aval = typeof(x)
    low, high = _ints(low), _ints(high)
    interior = (0,) * aval.ndim if interior is None else _ints(interior)
    if not any(interior) and all(k <= 0 for k in (*low, *high)):
        limit = [n + k for n, k in zip(aval.shape, high, strict=True)]
        return slice_(x, [-k for k in low], limit)
    if isinstance(value, (bool, int, float, complex)):
        value = np.asarray(value, aval.dtype)[()]
    return pad_p.bind1(x, value, low=low, high=high, interior=interior)


def concatenate(xs: Sequence[Value], axis: int) -> Value:
    """Arrays of one dtype, one after the other along `axis`."""
    return xs[0] if len(xs) == 1 else concatenate_p.bind1(*xs, dimension=axis)


def stack(xs: Sequence[Value], axis: int = 0) -> Value:
    """Arrays of one shape and dtype side by side along a new axis."""
    return concatenate([expand_dims(x, (axis,)) for x in xs], axis)


def split(x: Value, sizes: Sequence[int], axis: int = 0) -> list[Value]:
    """Consecutive parts of `x` of the given sizes along `axis`."""
    parts, start = [], 0
    for n in sizes:
        parts.append(slice_in_dim(x, start, start + n, axis=axis))
        start += n
    return parts


def tile(x: Value, reps: Sequence[int]) -> Value:
    """`x` repeated ``reps[k]`` times along axis k; as many reps as axes."""
    shape = typeof(x).shape
    if all(r == 1 for r in reps):
        return x
    wide = [m for r, n in zip(reps, shape, strict=True) for m in (r, n)]
    repeated = broadcast_in_dim(x, wide, range(1, len(wide), 2))
    return reshape(repeated, [r * n for r, n in zip(reps, shape, strict=True)])


def rev(x: Value, dimensions: Sequence[int]) -> Value:
    """`x` reversed along `dimensions`."""
    return rev_p.bind1(x, dimensions=tuple(dimensions)) if len(dimensions) else x


def iota(dtype: DType, shape: Sequence[int], dimension: int = 0) -> Value:
    """The position along `dimension`, as an array of `shape`."""
    return iota_p.bind1(dtype=dtype, shape=tuple(shape), dimension=dimension)
