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
from fxla.loops.ir import INDEX, Assign, Buffer, Expr, For, If, Let, Load, Local, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.index import take_along_axis
from fxla.ops.logic import and_, lt, select
from fxla.ops.shape import iota
from fxla.ops.structure import (
    batch_move,
    broadcast_in_dim,
    instantiate,
    reduce_sum,
    zeros_of,
)

__all__ = ["compact", "compact_p"]


BLOCK = 8192
"""Elements that are one task."""
LONG = 16 * BLOCK
"""Vectors from which on they are cut into blocks."""


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
        if n >= LONG and x.ndim == 1:
            return in_blocks(rest, mask, x)

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


def in_blocks(rest: View, mask: View, x: View) -> Nest:
    """A long vector by blocks that run in parallel, once how many each of them wants is known.

    A block writes no further than to its last place, as the next one is another block's.
    """
    m, n = rest.shape[-1], x.shape[-1]
    blocks = -(-n // BLOCK)

    def count(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        k, number = fresh_index("k"), fresh_local(INDEX, "number")
        wanted = scalar.cast(mask[_at(outer[0], k)], INDEX)
        one = Assign(number, binary("add", number, wanted))
        return [
            Let(number, int_const(0), mutable=True),
            For(k, _size(outer[0], n), (one,), "vector"),
            Store(buffers[1], outer, number),
        ]

    def take(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, counts = buffers
        k, place, end = fresh_index("k"), fresh_local(INDEX, "place"), fresh_local(INDEX, "end")
        here = _at(outer[0], k)
        write = If(compare("lt", place, end), (Store(out, (place,), x[here]),))
        onward = Assign(place, binary("add", place, scalar.cast(mask[here], INDEX)))
        start, before = _sum_of(counts, outer[0])
        last = binary("minimum", extent(m), binary("add", start, Load(INDEX, counts, outer)))
        return [
            *before,
            Let(place, start, mutable=True),
            Let(end, last),
            For(k, _size(outer[0], n), (write, onward)),
        ]

    def fill(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, counts = buffers
        j = fresh_index("j")
        number, taken = _sum_of(counts, extent(blocks))
        begin = binary("mul", outer[0], int_const(BLOCK))
        known = binary("maximum", int_const(0), binary("sub", number, begin))
        here = _size(outer[0], m)
        first = fresh_local(INDEX, "first")
        i = (binary("add", binary("add", begin, first), j),)
        return [
            *taken,
            Let(first, binary("minimum", known, here)),
            For(j, binary("sub", here, first), (Store(out, i, rest[i]),), "vector"),
        ]

    before = (Phase((blocks,), count), Phase((blocks,), take))
    filled = -(-m // BLOCK)
    scratch = (((blocks,), INDEX),)
    return Nest(((rest.shape, rest.dtype),), (filled,), fill, scratch=scratch, before=before)


def _size(block: Expr, whole: int) -> Expr:
    """How many of `whole` places are in a block."""
    left = binary("sub", extent(whole), binary("mul", block, int_const(BLOCK)))
    return binary("minimum", int_const(BLOCK), left)


def _at(block: Expr, k: Expr) -> IndexTuple:
    """The k-th place of a block."""
    return (binary("add", binary("mul", block, int_const(BLOCK)), k),)


def _sum_of(counts: Buffer, first: Expr) -> tuple[Local, list[Stmt]]:
    """A local, and what adds up all counts of blocks before `first` in it."""
    before, j = fresh_local(INDEX, "before"), fresh_index("j")
    more = binary("add", before, Load(INDEX, counts, (j,)))
    add_up = For(j, first, (Assign(before, more),))
    return before, [Let(before, int_const(0), mutable=True), add_up]


compact_p = Compact()


def compact(rest: Value, mask: Value, x: Value) -> Value:
    """`rest` with the elements of `x` at which `mask` is true in its first places."""
    return compact_p.bind1(rest, mask, x)
