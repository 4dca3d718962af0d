"""The selection of elements of one row by their ranks, as statements.

Keys are those of the sorts (`sorting`), less the smallest one. The highest bits in
which keys differ are counted; the count says in which bucket the wanted rank lies, and only the
elements of that bucket are kept for the next bits. So the cost is about two passes over a row,
whatever its order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fxla.compile.routines.sorting import key_of, number_of
from fxla.loops import view as scalar
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Expr,
    For,
    If,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    While,
)
from fxla.loops.view import (
    IndexTuple,
    View,
    binary,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
)

__all__ = ["BITS", "COUNT", "Key", "Selection"]

BITS = 11
"""Bits that are looked at together; their counts fit into the first cache."""
COUNT = np.dtype(np.int32)
"""Of counts of elements."""

_ONE = int_const(1)
Key = Callable[[Expr], Expr]


class Selection:
    """The selection in one row.

    Attributes:
        keys: scratch for all keys of the row.
        some: scratch for the keys that may still be the wanted one, less `low`.
        row: the index of a row of `some`.
        low, span: the least key, and how far the largest is from it.
        shift: below which bits no key of `some` has been looked at.
        want: which of `some` in order is wanted.
        size: how many these are.
    """

    def __init__(
        self, x: View, ranks: View, outer: IndexTuple, out: Buffer, keys: Buffer, some: Buffer
    ) -> None:
        self.x, self.ranks, self.outer = x, ranks, outer
        self.out, self.keys, self.some = out, keys, some
        self.row = outer
        self.u = keys.dtype
        self.n = extent(x.shape[-1])
        self.low, self.span = fresh_local(self.u, "low"), fresh_local(self.u, "span")
        self.first, self.shift = fresh_local(self.u, "first"), fresh_local(self.u, "shift")
        self.want, self.size = fresh_local(INDEX, "want"), fresh_local(INDEX, "size")
        self.bucket = fresh_local(INDEX, "bucket")
        self.all_counts, self.counts = (
            Buffer(name, COUNT, (int_const(1 << BITS),)) for name in ("all_counts", "counts")
        )

    def statements(self) -> list[Stmt]:
        r = fresh_index("r")
        one = (
            *self.want_rank(r),
            *self.find(self.all_counts),
            Let(self.size, int_const(0), mutable=True),
            *self.keep(self.n, self.normal, self.first, None, self.size),
            *self.finish(r),
        )
        return [
            Alloc(self.all_counts),
            Alloc(self.counts),
            *self.make_keys(int_const(0), self.n),
            *self.first_shift(),
            *self.count(self.all_counts, self.n, self.normal, self.first, None),
            Let(self.bucket, int_const(0), mutable=True),
            For(r, extent(self.ranks.shape[-1]), one),
        ]

    def want_rank(self, r: Expr) -> list[Stmt]:
        wanted = op("minimum", INDEX, self.ranks[(*self.outer, r)], binary("sub", self.n, _ONE))
        return [Let(self.want, op("maximum", INDEX, wanted, int_const(0)), mutable=True)]

    def finish(self, r: Expr) -> list[Stmt]:
        """Find the wanted one of `some`, which is the r-th result."""
        key = op("add", self.u, self.candidate(int_const(0)), self.low)
        return [
            Let(self.shift, self.first, mutable=True),
            *self.narrow(),
            Store(self.out, (*self.outer, r), number_of(key, self.x.dtype)),
        ]

    def normal(self, k: Expr) -> Expr:
        """The k-th key of the row, less the least one."""
        return op("sub", self.u, Load(self.u, self.keys, (*self.outer, k)), self.low)

    def candidate(self, k: Expr) -> Expr:
        return Load(self.u, self.some, (*self.row, k))

    def make_keys(self, begin: Expr, size: Expr) -> list[Stmt]:
        """Keys of a part of the row, the least and how far the largest is from it."""
        j, key = fresh_index("k"), fresh_local(self.u, "key")
        k = binary("add", begin, j)
        least, most = fresh_local(self.u, "least"), fresh_local(self.u, "most")
        none = np.zeros((), self.u)
        step = (
            Let(key, key_of(self.x[(*self.outer, k)], False)),
            Store(self.keys, (*self.outer, k), key),
            Assign(least, op("minimum", self.u, least, key)),
            Assign(most, op("maximum", self.u, most, key)),
        )
        return [
            Let(least, const(~none, self.u), mutable=True),
            Let(most, const(none, self.u), mutable=True),
            For(j, size, step, "vector"),
            Let(self.low, least),
            Let(self.span, op("sub", self.u, most, least)),
        ]

    def first_shift(self) -> list[Stmt]:
        """By how many bits to shift the span for its highest bits to be few enough."""
        going = fresh_local(BOOL, "going")
        above = compare(
            "ge", op("shr_logical", self.u, self.span, self.first), const(1 << BITS, self.u)
        )
        if 8 * self.u.itemsize <= BITS:
            return [Let(self.first, const(0, self.u), mutable=True)]
        more = op("add", self.u, self.first, const(1, self.u))
        return [
            Let(self.first, const(0, self.u), mutable=True),
            Let(going, above, mutable=True),
            While(going, (Assign(self.first, more), Assign(going, above))),
        ]

    def digit(self, key: Expr, shift: Expr, mask: Expr | None) -> Expr:
        bits = op("shr_logical", self.u, key, shift)
        if mask is not None:
            bits = op("and", self.u, bits, mask)
        return scalar.cast(bits, INDEX)

    def count(
        self,
        counts: Buffer,
        size: Expr,
        key: Key,
        shift: Expr,
        mask: Expr | None,
        row: IndexTuple = (),
    ) -> list[Stmt]:
        """How many keys have each value of the bits, in a row of `counts`."""
        z, k = fresh_index("z"), fresh_index("k")
        place = fresh_local(INDEX, "place")
        at = (*row, place)
        more = op("add", COUNT, Load(COUNT, counts, at), const(1, COUNT))
        return [
            For(z, int_const(1 << BITS), (Store(counts, (*row, z), const(0, COUNT)),), "vector"),
            For(
                k,
                size,
                (Let(place, self.digit(key(k), shift, mask)), Store(counts, at, more)),
            ),
        ]

    def find(self, counts: Buffer) -> list[Stmt]:
        """The bucket that holds the wanted rank; the rank is counted from its begin afterwards."""
        going = fresh_local(BOOL, "going")
        number = scalar.cast(Load(COUNT, counts, (self.bucket,)), INDEX)
        beyond = compare("ge", self.want, number)
        return [
            Assign(self.bucket, int_const(0)),
            Let(going, beyond, mutable=True),
            While(
                going,
                (
                    Assign(self.want, binary("sub", self.want, number)),
                    Assign(self.bucket, binary("add", self.bucket, _ONE)),
                    Assign(going, beyond),
                ),
            ),
        ]

    def keep(
        self,
        size: Expr,
        key: Key,
        shift: Expr,
        mask: Expr | None,
        kept: Local,
        end: Expr | None = None,
    ) -> list[Stmt]:
        """Bring the keys of the bucket together from `kept` on, which counts them.

        From `end` on nothing is written; without it any one may be written after the last.
        """
        k, this = fresh_index("k"), fresh_local(self.u, "key")
        same = compare("eq", self.digit(this, shift, mask), self.bucket)
        write: Stmt = Store(self.some, (*self.row, kept), this)
        if end is not None:
            write = If(compare("lt", kept, end), (write,))
        step = (
            Let(this, key(k)),
            write,
            Assign(kept, binary("add", kept, scalar.cast(same, INDEX))),
        )
        return [For(k, size, step)]

    def narrow(self) -> list[Stmt]:
        """Look at lower bits until one candidate is left, or several that are equal."""
        if 8 * self.u.itemsize <= BITS:
            return []
        going, below = fresh_local(BOOL, "going"), fresh_local(self.u, "below")
        mask, kept = fresh_local(self.u, "mask"), fresh_local(INDEX, "kept")
        some, bits, zero = const(1, self.u), const(BITS, self.u), const(0, self.u)
        open_ = op("and", BOOL, compare("gt", self.shift, zero), compare("gt", self.size, _ONE))
        less = scalar.select(
            compare("gt", self.shift, bits), op("sub", self.u, self.shift, bits), zero
        )
        width = op("sub", self.u, self.shift, below)
        step = (
            Let(below, less),
            Let(mask, op("sub", self.u, op("shl", self.u, some, width), some)),
            *self.count(self.counts, self.size, self.candidate, below, mask),
            *self.find(self.counts),
            Let(kept, int_const(0), mutable=True),
            *self.keep(self.size, self.candidate, below, mask, kept),
            Assign(self.size, kept),
            Assign(self.shift, below),
            Assign(going, open_),
        )
        return [Let(going, open_, mutable=True), While(going, step)]
