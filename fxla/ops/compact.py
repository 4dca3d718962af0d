"""The elements of a vector at which a mask is true, brought together in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import int64, is_bool
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import INDEX, Assign, Buffer, For, If, Let, Stmt, Store
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
from fxla.ops.cumulative import cumsum
from fxla.ops.elementwise import and_, convert, lt, select, sub
from fxla.ops.index import take_along_axis
from fxla.ops.shape import iota
from fxla.ops.structure import (
    batch_move,
    broadcast_in_dim,
    instantiate,
    reduce_sum,
    zeros_of,
)

__all__ = ["compact", "compact_p"]


class Compact(Primitive):
    """``out = rest``, then ``out[:k] = x[mask]`` for as many elements k as there are and fit.

    rest: T[*b, m], mask: bool[*b, n], x: T[*b, n] -> T[*b, m].  Linear in rest and x together.
    """

    name = "compact"

    def abstract_eval(self, rest: Aval, mask: Aval, x: Aval) -> tuple[Aval, ...]:
        if rest.dtype != x.dtype or not is_bool(mask.dtype):
            raise DtypeError(f"compact: dtypes do not fit: {rest}, {mask}, {x}")
        if not x.ndim or mask.shape != x.shape or rest.shape[:-1] != x.shape[:-1]:
            raise ShapeError(f"compact: shapes do not fit: {rest}, {mask}, {x}")
        return (rest.strong(),)

    def impl(self, rest: Any, mask: Any, x: Any) -> tuple[Any, ...]:
        rest, mask, x = (np.asarray(a) for a in (rest, mask, x))
        out = rest.copy()
        for at in np.ndindex(*x.shape[:-1]):
            found = x[at][mask[at]][: rest.shape[-1]]
            out[at][: found.size] = found
        return (out,)

    def jvp(self, primals: Any, tangents: Any) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        rest, mask, x = primals
        out = compact(rest, mask, x)
        t_rest, _, t_x = tangents
        if is_zero(t_rest) and is_zero(t_x):
            return (out,), (Zero(typeof(out).tangent()),)
        return (out,), (compact(instantiate(t_rest), mask, instantiate(t_x)),)

    def transpose(self, cts: Any, *operands: Any) -> tuple[Any, ...]:
        """What x gave goes back to where it was; rest gets what was not written over."""
        rest, mask, x = operands
        (ct,) = cts
        shape = typeof(ct).shape
        last = len(shape) - 1
        ones = convert(mask, int64)
        n, m = typeof(mask).shape[last], shape[last]
        back: list[Any] = [None, None, None]
        if is_linear(x):
            rank = sub(cumsum(ones, last), ones)
            size = broadcast_in_dim(np.int64(m), typeof(mask).shape, ())
            fits = and_(mask, lt(rank, size))
            nothing = zeros_of(x.aval)
            if m and n:
                rank = select(fits, rank, zeros_of(typeof(rank)))
                taken = take_along_axis(ct, rank, last, "promise_in_bounds")
                nothing = select(fits, taken, nothing)
            back[2] = nothing
        if is_linear(rest):
            count = broadcast_in_dim(reduce_sum(ones, (last,)), shape, tuple(range(last)))
            back[0] = select(lt(iota(int64, shape, last), count), zeros_of(typeof(ct)), ct)
        return tuple(back)

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*batch_move(axis, operands, axes)), (0,)

    def lower(self, *views: View) -> Nest:
        """Every element is written to the next free place, which moves on if it was wanted.

        So there is no branch to guess, and only the last one written may be wrong: the rest is
        written over it.
        """
        rest, mask, x = views
        m, n = rest.shape[-1], x.shape[-1]

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            (out,) = outs
            k, j = fresh_index("k"), fresh_index("j")
            place = fresh_local(INDEX, "place")
            write: Stmt = Store(out, (*outer, place), x[(*outer, k)])
            if m < n:
                write = If(compare("lt", place, extent(m)), (write,))
            wanted = scalar.cast(mask[(*outer, k)], INDEX)
            one = (write, Assign(place, binary("add", place, wanted)))
            begin = binary("minimum", place, extent(m))
            at = (*outer, binary("add", begin, j))
            return [
                Let(place, int_const(0), mutable=True),
                For(k, extent(n), one),
                For(j, binary("sub", extent(m), begin), (Store(out, at, rest[at]),), "vector"),
            ]

        return Nest(((rest.shape, rest.dtype),), x.shape[:-1], body)


compact_p = Compact()


def compact(rest: Value, mask: Value, x: Value) -> Value:
    """`rest` with the elements of `x` at which `mask` is true in its first places."""
    return compact_p.bind1(rest, mask, x)
