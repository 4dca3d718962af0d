"""Order statistics as loops: a radix selection in each row (`selection`).

Rows run in parallel; one long row is cut into parts, of which all threads make the keys, count
their highest bits, and bring the keys of the wanted bucket together, in phases of a nest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fxla.compile.routines.selection import BITS, COUNT, Selection
from fxla.compile.routines.sorting import key_dtype
from fxla.compile.routines.sorting_parts import PARTS
from fxla.core.jaxpr import Eqn
from fxla.loops import view as scalar
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Expr,
    For,
    Index,
    Let,
    Load,
    Stmt,
    Store,
)
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    View,
    binary,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
)
from fxla.ops.order_statistic import order_statistic_p

__all__ = ["selecting_nest"]

LONG = 1 << 17
"""Rows from which on all threads look at one row."""
FEW = 4
"""Ranks for which they do."""

_ZERO, _ONE = int_const(0), int_const(1)


def selecting_nest(eqn: Eqn, views: Sequence[View]) -> Nest | None:
    """The loops of order statistics; None if NumPy should find them."""
    if eqn.primitive is not order_statistic_p:
        return None
    x, ranks = views
    if x.dtype.kind not in "biuf" or max(x.shape) >= 2**31 or 0 in (*x.shape, *ranks.shape):
        return None
    u = key_dtype(x.dtype)

    def body(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, keys, some = buffers
        return Selection(x, ranks, outer, out, keys, some).statements()

    if math.prod(x.shape[:-1]) == 1 and x.shape[-1] >= LONG and ranks.shape[-1] <= FEW:
        return _Parts(x, ranks).nest()
    scratch = ((x.shape, u), (x.shape, u))
    return Nest(((ranks.shape, x.dtype),), x.shape[:-1], body, scratch=scratch)


class _Parts:
    """The selection in one long row.

    Its phases get the buffer of the results, and after it keys; the candidates of each rank; for
    each part counts; the counts of all; and for each part its least and its largest key.
    """

    def __init__(self, x: View, ranks: View) -> None:
        self.x, self.ranks = x, ranks
        self.u, self.n = key_dtype(x.dtype), x.shape[-1]

    def nest(self) -> Nest:
        """The phases in order."""
        number, digits, parts = self.ranks.shape[-1], 1 << BITS, (PARTS,)
        scratch = (
            (self.x.shape, self.u),
            ((number, self.n), self.u),
            ((PARTS, digits), COUNT),
            ((digits,), COUNT),
            ((PARTS, 2), self.u),
        )
        before = (
            Phase(parts, self.make_keys),
            Phase(parts, self.count),
            Phase((), self.add_up),
            Phase(parts, self.keep),
        )
        output = (self.ranks.shape, self.x.dtype)
        return Nest((output,), (), self.finish, scratch=scratch, before=before)

    def selection(self, buffers: tuple[Buffer, ...]) -> Selection:
        """The state of a phase."""
        out, keys, some, _, totals, _ = buffers
        outer: IndexTuple = (_ZERO,) * (self.x.ndim - 1)
        found = Selection(self.x, self.ranks, outer, out, keys, some)
        found.all_counts = totals
        return found

    def part(self, p: Expr) -> tuple[Expr, Expr]:
        """Where a part begins, and its size."""
        each = extent(-(-self.n // PARTS))
        begin = binary("mul", p, each)
        left = binary("maximum", _ZERO, binary("sub", extent(self.n), begin))
        return begin, binary("minimum", each, left)

    def bounds(self, s: Selection, ends: Buffer) -> list[Stmt]:
        """The least key and the span of all parts."""
        u, q = self.u, fresh_index("q")
        least, most = fresh_local(u, "least"), fresh_local(u, "most")
        step = (
            Assign(least, op("minimum", u, least, Load(u, ends, (q, _ZERO)))),
            Assign(most, op("maximum", u, most, Load(u, ends, (q, _ONE)))),
        )
        none = np.zeros((), u)
        return [
            Let(least, const(~none, u), mutable=True),
            Let(most, const(none, u), mutable=True),
            For(q, int_const(PARTS), step),
            Let(s.low, least),
            Let(s.span, op("sub", u, most, least)),
            *s.first_shift(),
        ]

    def make_keys(self, index: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """The keys of a part, the least and the largest."""
        s, ends = self.selection(buffers), buffers[-1]
        begin, size = self.part(index[0])
        return [
            *s.make_keys(begin, size),
            Store(ends, (*index, _ZERO), s.low),
            Store(ends, (*index, _ONE), op("add", self.u, s.low, s.span)),
        ]

    def count(self, index: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """How many keys of a part are in each bucket."""
        s, counts = self.selection(buffers), buffers[3]
        begin, size = self.part(index[0])

        def key(k: Expr) -> Expr:
            return s.normal(binary("add", begin, k))

        counted = s.count(counts, size, key, s.first, None, index)
        return [*self.bounds(s, buffers[-1]), *counted]

    def add_up(self, index: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """How many keys of all parts are in each bucket."""
        counts, totals = buffers[3], buffers[4]
        z, q, d = fresh_index("z"), fresh_index("q"), fresh_index("d")
        more = op("add", COUNT, Load(COUNT, totals, (d,)), Load(COUNT, counts, (q, d)))
        digits = int_const(1 << BITS)
        return [
            For(z, digits, (Store(totals, (z,), const(0, COUNT)),), "vector"),
            For(q, int_const(PARTS), (For(d, digits, (Store(totals, (d,), more),), "vector"),)),
        ]

    def for_ranks(self, s: Selection, ends: Buffer, r: Index, body: list[Stmt]) -> list[Stmt]:
        """Statements for each rank, whose bucket was found."""
        one = (*s.want_rank(r), *s.find(s.all_counts), *body)
        start = Let(s.bucket, _ZERO, mutable=True)
        return [*self.bounds(s, ends), start, For(r, extent(self.ranks.shape[-1]), one)]

    def keep(self, index: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Bring a part's keys of each rank's bucket together, behind those of parts before it."""
        s, counts, ends = self.selection(buffers), buffers[3], buffers[-1]
        begin, size = self.part(index[0])
        r, q = fresh_index("r"), fresh_index("q")
        s.row = (r,)
        place, end = fresh_local(INDEX, "place"), fresh_local(INDEX, "end")
        before = scalar.cast(Load(COUNT, counts, (q, s.bucket)), INDEX)
        own = scalar.cast(Load(COUNT, counts, (*index, s.bucket)), INDEX)

        def key(k: Expr) -> Expr:
            return s.normal(binary("add", begin, k))

        body: list[Stmt] = [
            Let(place, _ZERO, mutable=True),
            For(q, index[0], (Assign(place, binary("add", place, before)),)),
            Let(end, binary("add", place, own)),
            *s.keep(size, key, s.first, None, place, end),
        ]
        return self.for_ranks(s, ends, r, body)

    def finish(self, index: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Find each rank among the keys of its bucket."""
        s, r = self.selection(buffers), fresh_index("r")
        s.row = (r,)
        size = scalar.cast(Load(COUNT, s.all_counts, (s.bucket,)), INDEX)
        body = [Let(s.size, size, mutable=True), *s.finish(r)]
        return [Alloc(s.counts), *self.for_ranks(s, buffers[-1], r, body)]
