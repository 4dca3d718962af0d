"""Sorting, and searching in what is sorted.

The order is NumPy's: NaN comes last. Sorting is served by a library, not by a generated kernel; its
derivative goes through the permutation, which is a gather.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import DType, int64, is_inexact
from fxla.core.primitive import Primitive, Zero, is_zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import BOOL, INDEX, Assign, Buffer, Expr, For, If, Let, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Opaque,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.index import take_along_axis
from fxla.ops.shape import iota
from fxla.ops.structure import batch_move, move_axis

__all__ = [
    "argsort",
    "searchsorted",
    "searchsorted_p",
    "sort",
    "sort_p",
    "top_k",
    "top_k_p",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]


class Sort(Primitive):
    """Operands sorted together along `dimension`, ascending, by the first `num_keys` of them.

    The first key decides; the others decide between equals. NaN is larger than all else.
    """

    name = "sort"

    def abstract_eval(
        self, *xs: Aval, dimension: int, num_keys: int, is_stable: bool
    ) -> tuple[Aval, ...]:
        if any(x.shape != xs[0].shape for x in xs) or not 0 <= dimension < xs[0].ndim:
            raise ShapeError(
                f"sort along axis {dimension}: operands do not fit: {', '.join(map(str, xs))}"
            )
        if not 1 <= num_keys <= len(xs):
            raise ShapeError(f"sort: {num_keys} keys of {len(xs)} operands")
        return xs

    def impl(self, *xs: Any, dimension: int, num_keys: int, is_stable: bool) -> tuple[Any, ...]:
        if len(xs) == 1:
            # equal keys look alike, so NumPy's fastest sort will do: this is what np.sort gives
            return (np.sort(xs[0], axis=dimension),)
        if num_keys == 1:
            order = np.argsort(xs[0], axis=dimension, kind="stable" if is_stable else None)
        else:
            order = np.lexsort(xs[num_keys - 1 :: -1], axis=dimension)
        return tuple(np.take_along_axis(np.asarray(x), order, axis=dimension) for x in xs)

    def jvp(
        self, primals: Any, tangents: Any, *, dimension: int, num_keys: int, is_stable: bool
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """The tangents are permuted as the operands are."""
        place = iota(int64, typeof(primals[0]).shape, dimension)
        *outs, order = self.bind(
            *primals, place, dimension=dimension, num_keys=num_keys, is_stable=is_stable
        )
        permuted = tuple(
            t if is_zero(t) else take_along_axis(t, order, dimension, "promise_in_bounds", True)
            for t in tangents
        )
        return tuple(outs), permuted

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, dimension: int, **params: Any
    ) -> Out:
        moved = batch_move(axis, operands, axes)
        return self.bind(*moved, dimension=dimension + 1, **params), (0,) * len(moved)

    def lower(self, *views: View, **params: Any) -> Opaque:
        return Opaque()


class TopK(Primitive):
    """The k largest along the last axis, largest first, and where they are.

    x: T[..., n] -> T[..., k], index_dtype[..., k]. Of equals the first comes first. NaN is larger
    than all else.
    """

    name = "top_k"

    def abstract_eval(self, x: Aval, *, k: int, index_dtype: DType) -> tuple[Aval, ...]:
        if x.ndim == 0 or not 0 <= k <= x.shape[-1]:
            raise ShapeError(f"top_k: k={k} does not fit the last axis of {x}")
        shape = (*x.shape[:-1], k)
        return Aval(shape, x.dtype), Aval(shape, index_dtype)

    def impl(self, x: Any, *, k: int, index_dtype: DType) -> tuple[Any, ...]:
        x = np.asarray(x)
        if 0 < k <= x.shape[-1] // 8 and x.dtype.kind in "iuf" and not np.isnan(x).any():
            some = chosen(x, k)
            order = np.take_along_axis(
                some, descending(np.take_along_axis(x, some, axis=-1)), axis=-1
            )
        else:
            order = descending(x)[..., :k]
        return np.take_along_axis(x, order, axis=-1), order.astype(index_dtype)

    def jvp(
        self, primals: Any, tangents: Any, *, k: int, index_dtype: DType
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        out, order = self.bind(x, k=k, index_dtype=index_dtype)
        last = typeof(x).ndim - 1
        taken = take_along_axis(t, order, last, "promise_in_bounds", True)
        return (out, order), (taken, Zero(typeof(order).tangent()))

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, k: int, index_dtype: DType
    ) -> Out:
        (x,), (at,) = operands, axes
        return self.bind(move_axis(x, at, 0), k=k, index_dtype=index_dtype), (0, 0)

    def lower(self, *views: View, k: int, index_dtype: DType) -> Opaque:
        return Opaque()


def descending(x: Any) -> Any:
    """The permutation that sorts the last axis, largest first, equals in order of appearance."""
    # sorted backwards, so that among equals the first is last, and then read backwards
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")
    return order[..., ::-1]


def chosen(x: Any, k: int) -> Any:
    """Where the k largest along the last axis are, in order of position; no NaN in x.

    Of those equal to the smallest of them the first ones are taken: a partition alone would take
    any.
    """
    n = x.shape[-1]
    least = np.partition(x, n - k, axis=-1)[..., n - k, None]
    above, equal = x > least, x == least
    room = k - np.sum(above, axis=-1, keepdims=True)
    taken = above | (equal & (np.cumsum(equal, axis=-1) <= room))
    return np.nonzero(taken)[-1].reshape(*x.shape[:-1], k)


class SearchSorted(Primitive):
    """Where to insert each value so that the sorted array stays sorted.

    sorted: T[*b, n], values: T[*b, *s] -> index_dtype[*b, *s], with `batch_dims` axes b.
    side "left": before equals; "right": after them.
    """

    name = "searchsorted"

    def abstract_eval(
        self, ordered: Aval, values: Aval, *, side: str, batch_dims: int, index_dtype: DType
    ) -> tuple[Aval, ...]:
        if ordered.dtype != values.dtype:
            raise DtypeError(f"searchsorted: dtypes differ: {ordered}, {values}")
        b = batch_dims
        if ordered.ndim != b + 1 or ordered.shape[:b] != values.shape[:b]:
            raise ShapeError(f"searchsorted: {ordered} and {values} do not fit")
        if side not in ("left", "right"):
            raise ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
        return (Aval(values.shape, index_dtype),)

    def impl(
        self, ordered: Any, values: Any, *, side: Any, batch_dims: int, index_dtype: DType
    ) -> tuple[Any, ...]:
        ordered, values = np.asarray(ordered), np.asarray(values)
        if batch_dims == 0:
            return (np.asarray(np.searchsorted(ordered, values, side)).astype(index_dtype),)
        n, columns = math.prod(values.shape[:batch_dims]), math.prod(values.shape[batch_dims:])
        rows = ordered.reshape(n, ordered.shape[-1])
        out = np.empty((n, columns), index_dtype)
        for k, (a, v) in enumerate(zip(rows, values.reshape(n, columns), strict=True)):
            out[k] = np.searchsorted(a, v, side)
        return (out.reshape(values.shape),)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, **params)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, batch_dims: int, **params: Any
    ) -> Out:
        ordered, values = operands
        if axes[0] is None:
            values = move_axis(values, axes[1], batch_dims)
            return self.bind(ordered, values, batch_dims=batch_dims, **params), (batch_dims,)
        moved = batch_move(axis, operands, axes)
        return self.bind(*moved, batch_dims=batch_dims + 1, **params), (0,)

    def lower(self, *views: View, side: str, batch_dims: int, index_dtype: DType) -> Nest:
        """Bisection with as many steps as an interval of n can need: the same for all values.

        With branches: a processor guesses them and loads ahead, which here is twice as fast as
        conditional moves.
        """
        ordered, values = views
        n = ordered.shape[-1]

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            low, high = fresh_local(INDEX, "low"), fresh_local(INDEX, "high")
            middle, v = fresh_local(INDEX, "middle"), fresh_local(values.dtype, "v")
            found = ordered[(*outer[:batch_dims], middle)]
            right = less(found, v) if side == "left" else not_(less(v, found))
            halve = If(
                right,
                (Assign(low, binary("add", middle, int_const(1))),),
                (Assign(high, middle),),
            )
            half = scalar.op("shr", INDEX, binary("add", low, high), int_const(1))
            step = If(compare("lt", low, high), (Let(middle, half), halve))
            return [
                Let(v, values[outer]),
                Let(low, int_const(0), mutable=True),
                Let(high, extent(n), mutable=True),
                For(fresh_index("step"), extent(n.bit_length()), (step,)),
                Store(outs[0], outer, scalar.cast(low, index_dtype)),
            ]

        return Nest(((values.shape, index_dtype),), values.shape, body)


def less(a: Expr, b: Expr) -> Expr:
    """``a < b`` where NaN is larger than all else."""
    smaller = compare("lt", a, b)
    if not is_inexact(a.dtype):
        return smaller
    before_nan = scalar.op("and", BOOL, compare("ne", b, b), compare("eq", a, a))
    return scalar.op("or", BOOL, smaller, before_nan)


def not_(e: Expr) -> Expr:
    """Negation of a scalar condition."""
    return scalar.op("not", BOOL, e)


sort_p = Sort()
top_k_p = TopK()
searchsorted_p = SearchSorted()


def sort(
    xs: Sequence[Value], axis: int, num_keys: int = 1, is_stable: bool = True
) -> tuple[Value, ...]:
    """Arrays of one shape sorted together along `axis` by the first `num_keys` of them."""
    return sort_p.bind(*xs, dimension=axis, num_keys=num_keys, is_stable=is_stable)


def argsort(x: Value, axis: int, is_stable: bool = True, index_dtype: DType = int64) -> Value:
    """The permutation that sorts `x` along `axis`."""
    place = iota(index_dtype, typeof(x).shape, axis)
    return sort((x, place), axis, 1, is_stable)[1]


def top_k(x: Value, k: int, index_dtype: DType = int64) -> tuple[Value, Value]:
    """The k largest along the last axis, largest first, and their positions."""
    values, places = top_k_p.bind(x, k=k, index_dtype=index_dtype)
    return values, places


def searchsorted(
    ordered: Value, values: Value, side: str = "left", index_dtype: DType = int64
) -> Value:
    """Where in the sorted 1-d array to insert each of `values`; NumPy's `searchsorted`."""
    return searchsorted_p.bind1(ordered, values, side=side, batch_dims=0, index_dtype=index_dtype)
