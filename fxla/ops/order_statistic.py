"""The elements at given places of the sorted order, found without sorting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import int64, is_inexact
from fxla.core.primitive import Primitive, Zero, is_zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.view import Opaque, View
from fxla.ops.index import take_along_axis
from fxla.ops.logic import and_, isnan_p, lt, not_, or_, select
from fxla.ops.shape import iota
from fxla.ops.sort import argsort, sort
from fxla.ops.structure import batch_move, broadcast_to, full, move_axis

__all__ = ["LONG", "order_statistic", "order_statistic_p", "partitioning"]

LONG = 512
"""Elements from which selecting is faster than sorting."""


class OrderStatistic(Primitive):
    """``sort(x)[rank]`` along the last axis, NaN being the largest.

    x: T[*b, n], ranks: i64[*b, r] -> T[*b, r].  Ranks lie between 0 and n - 1; others are clipped.
    """

    name = "order_statistic"

    def abstract_eval(self, x: Aval, ranks: Aval) -> tuple[Aval, ...]:
        if ranks.dtype != int64:
            raise DtypeError(f"order_statistic: ranks must be i64, got {ranks}")
        if not x.ndim or x.shape[:-1] != ranks.shape[:-1] or not x.shape[-1]:
            raise ShapeError(f"order_statistic: shapes do not fit: {x}, {ranks}")
        return (Aval(ranks.shape, x.dtype),)

    def impl(self, x: Any, ranks: Any) -> tuple[Any, ...]:
        x, ranks = np.asarray(x), np.asarray(ranks)
        n, r = x.shape[-1], ranks.shape[-1]
        rows = math.prod(x.shape[:-1])
        out = np.empty((rows, r), x.dtype)
        wanted = np.clip(ranks.reshape(rows, r), 0, n - 1)
        for k, row in enumerate(x.reshape(rows, n)):
            out[k] = np.partition(row, np.unique(wanted[k]))[wanted[k]] if r else out[k]
        return (out.reshape(ranks.shape),)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        """The tangents of the elements found; where these stood, a sort tells."""
        (x, ranks), (t, _) = primals, tangents
        if is_zero(t):
            out = order_statistic(x, ranks)
            return (out,), (Zero(typeof(out).tangent()),)
        last = typeof(x).ndim - 1
        ordered, order = sort((x, iota(int64, typeof(x).shape, last)), last)
        at = take_along_axis(order, ranks, last, "clip")
        out = take_along_axis(ordered, ranks, last, "clip")
        return (out,), (take_along_axis(t, at, last, "promise_in_bounds"),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*batch_move(axis, operands, axes)), (0,)

    def lower(self, *views: View) -> Opaque:
        return Opaque()


order_statistic_p = OrderStatistic()


def order_statistic(x: Value, ranks: Value) -> Value:
    """The elements of `x` at places of its sorted order, along the last axis."""
    return order_statistic_p.bind1(x, ranks)


def partitioning(x: Value, k: int, axis: int) -> Value:
    """Positions along `axis` such that the kth is in its sorted place and no larger one before it.

    The smaller elements, the kth's equals and the larger ones follow each other, each kind in its
    order.
    """
    last = typeof(x).ndim - 1
    rows = move_axis(x, axis, last)
    shape = typeof(rows).shape
    found = order_statistic(rows, full((*shape[:-1], 1), k, int64))
    pivot = broadcast_to(found, shape)
    below, above = lt(rows, pivot), lt(pivot, rows)
    if is_inexact(typeof(x).dtype):  # NaN is the largest
        odd, odd_pivot = isnan_p.bind1(rows), isnan_p.bind1(pivot)
        below = or_(below, and_(odd_pivot, not_(odd)))
        above = or_(above, and_(odd, not_(odd_pivot)))
    kinds = [full(shape, kind, np.dtype(np.uint8)) for kind in range(3)]
    kind = select(below, kinds[0], select(above, kinds[2], kinds[1]))
    return move_axis(argsort(kind, last), last, axis)
