"""The radix sort of one long row by all threads, in phases of a nest.

The row is cut into `PARTS`, whatever the number of threads. For each digit the parts are counted,
then every part knows where its keys of each value begin, and moves them there: stable, as the
serial sort is. The kernels of all digits are the same: which digit it is, and where the keys are,
stands in a small array. Satish, Harris, Garland: "Designing efficient sorting algorithms for
manycore GPUs" (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fxla.loops import view as scalar
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    DType,
    Expr,
    For,
    If,
    Let,
    Load,
    Local,
    Stmt,
    Store,
)
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    binary,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
)

__all__ = ["LONG", "PARTS", "sort_in_parts"]

PARTS = 16
"""Parts of a row that may be counted and moved at the same time."""
LONG = 1 << 17
"""Rows from which on it pays."""

_COUNT = np.dtype(np.int32)
_PLACE = np.dtype(np.uint32)
_ZERO, _ONE = int_const(0), int_const(1)
# what the array `state` holds: for the digit that is counted next, and for the one that is moved
_HALF, _SHIFT, _MOVED_HALF, _MOVED_SHIFT = map(int_const, range(4))
_STATES = 4

Last = Callable[[tuple[Buffer, ...], Expr, Expr, Expr | None], tuple[Stmt, ...]]


def sort_in_parts(
    outputs: tuple[tuple[tuple[int, ...], DType], ...],
    n: int,
    u: DType,
    key: Callable[[Expr], Expr],
    last: Last,
    placed: bool,
    wanted: int | None = None,
) -> Nest:
    """The nest that sorts one row.

    Args:
        outputs: shapes and dtypes of the results.
        n: elements of the row.
        u: the unsigned integers that keys are.
        key: the key of a position.
        last: what to do for each place of the order: from the results' buffers, the place, the key
            there, and where that key came from if `placed`.
        placed: whether somebody wants to know where keys came from.
        wanted: how many places from the first there are results for; all by default.
    """
    radix = _Parts(len(outputs), n, u, key, last, n if wanted is None else wanted)
    scratch = [
        ((2, n), u),
        ((PARTS,), u),
        ((_STATES,), INDEX),
        ((PARTS, 1 << radix.bits), _COUNT),
        ((1 << radix.bits,), _COUNT),
    ]
    if placed:
        scratch.append(((2, n), _PLACE))
    one = (
        Phase((PARTS,), radix.count),
        Phase((), radix.start),
        Phase((PARTS,), radix.move),
    )
    before = (Phase((PARTS,), radix.fill), *one * radix.passes)
    return Nest(outputs, (PARTS,), radix.finish, scratch=tuple(scratch), before=before)


class _Parts:
    """The phases of the sort of one row.

    Each gets the results' buffers and after them keys [2, n], of which one half holds the keys so
    far; for each part the bits in which its keys differ from the first; the state; counts
    [part, digit]; where each digit begins; and places [2, n], if anybody asks.
    """

    def __init__(
        self,
        outs: int,
        n: int,
        u: DType,
        key: Callable[[Expr], Expr],
        last: Last,
        wanted: int,
    ) -> None:
        self.outs, self.n, self.u = outs, n, u
        self.key, self.last, self.wanted = key, last, wanted
        width = 8 * u.itemsize
        self.bits = 11 if width > 16 else 8
        self.passes = -(-width // self.bits)

    def loop(
        self,
        part: Expr,
        body: Callable[[Expr], tuple[Stmt, ...]],
        vector: bool,
        n: int | None = None,
    ) -> For:
        """`body` for every position of a part of the row, or of `n` places."""
        n = self.n if n is None else n
        k, each = fresh_index("k"), extent(-(-n // PARTS))
        begin = binary("mul", part, each)
        left = binary("maximum", _ZERO, binary("sub", extent(n), begin))
        size = binary("minimum", each, left)
        return For(k, size, body(binary("add", begin, k)), "vector" if vector else "serial")

    def fill(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Compute all keys."""
        keys, differ, state, _, _, *places = buffers[self.outs :]
        (part,) = outer
        first, bits = fresh_local(self.u, "first"), fresh_local(self.u, "bits")

        def one(k: Expr) -> tuple[Stmt, ...]:
            this = fresh_local(self.u, "key")
            found: list[Stmt] = [Let(this, self.key(k)), Store(keys, (_ZERO, k), this)]
            if places:
                found.append(Store(places[0], (_ZERO, k), scalar.cast(k, _PLACE)))
            other = op("xor", self.u, this, first)
            return (*found, Assign(bits, op("or", self.u, bits, other)))

        reset = tuple([Store(state, (int_const(s),), _ZERO) for s in range(_STATES)])
        return [
            If(compare("eq", part, _ZERO), reset),
            Let(first, self.key(_ZERO)),
            Let(bits, const(0, self.u), mutable=True),
            self.loop(part, one, vector=True),
            Store(differ, outer, bits),
        ]

    def digit(self, key: Expr, shift: Expr) -> Expr:
        """A digit of a key, as a place among the counts."""
        low = op("shr_logical", self.u, key, shift)
        return scalar.cast(op("and", self.u, low, const((1 << self.bits) - 1, self.u)), INDEX)

    def whether(self, differ: Buffer, shift: Expr, body: tuple[Stmt, ...]) -> list[Stmt]:
        """`body` if not all keys have the same digit."""
        bits, part = fresh_local(self.u, "bits"), fresh_index("part")
        more = op("or", self.u, bits, Load(self.u, differ, (part,)))
        some = compare("ne", self.digit(bits, shift), _ZERO)
        return [
            Let(bits, const(0, self.u), mutable=True),
            For(part, int_const(PARTS), (Assign(bits, more),)),
            If(some, body),
        ]

    def now(self, state: Buffer, half: Expr, shift: Expr) -> tuple[list[Stmt], Local, Local]:
        """Locals for what the state says, and the statements that make them."""
        h, s = fresh_local(INDEX, "half"), fresh_local(self.u, "shift")
        lets: list[Stmt] = [
            Let(h, Load(INDEX, state, (half,))),
            Let(s, scalar.cast(Load(INDEX, state, (shift,)), self.u)),
        ]
        return lets, h, s

    def count(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """How many keys of a part have each digit."""
        keys, differ, state, counts, *_ = buffers[self.outs :]
        (part,) = outer
        lets, half, shift = self.now(state, _HALF, _SHIFT)
        z = fresh_index("z")
        zero = Store(counts, (part, z), const(0, _COUNT))
        clear = For(z, int_const(1 << self.bits), (zero,), "vector")

        def one(k: Expr) -> tuple[Stmt, ...]:
            place = fresh_local(INDEX, "place")
            at = (part, place)
            more = op("add", _COUNT, Load(_COUNT, counts, at), const(1, _COUNT))
            key = Load(self.u, keys, (half, k))
            return (Let(place, self.digit(key, shift)), Store(counts, at, more))

        return [*lets, *self.whether(differ, shift, (clear, self.loop(part, one, vector=False)))]

    def start(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Where each digit begins, and after how many of its keys each part's; the next state."""
        _, differ, state, counts, begins, *_ = buffers[self.outs :]
        lets, half, shift = self.now(state, _HALF, _SHIFT)
        z, part, d, e = (fresh_index(name) for name in "zpde")
        digits = int_const(1 << self.bits)
        this, total = fresh_local(_COUNT, "this"), fresh_local(_COUNT, "total")
        so_far = Load(_COUNT, begins, (d,))
        add_part = (
            Let(this, Load(_COUNT, counts, (part, d))),
            Store(counts, (part, d), so_far),
            Store(begins, (d,), op("add", _COUNT, so_far, this)),
        )
        number = fresh_local(_COUNT, "number")
        begin = (
            Let(number, Load(_COUNT, begins, (e,))),
            Assign(total, op("add", _COUNT, total, number)),
            Store(begins, (e,), op("sub", _COUNT, total, number)),
        )
        add_up: tuple[Stmt, ...] = (
            For(z, digits, (Store(begins, (z,), const(0, _COUNT)),), "vector"),
            For(part, int_const(PARTS), (For(d, digits, add_part, "vector"),)),
            Let(total, const(0, _COUNT), mutable=True),
            For(e, digits, begin, "vector"),
            Store(state, (_HALF,), binary("sub", _ONE, half)),
        )
        following = binary("add", scalar.cast(shift, INDEX), int_const(self.bits))
        return [
            *lets,
            Store(state, (_MOVED_HALF,), half),
            Store(state, (_MOVED_SHIFT,), scalar.cast(shift, INDEX)),
            Store(state, (_SHIFT,), following),
            *self.whether(differ, shift, add_up),
        ]

    def move(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Move the keys of a part to the other half."""
        keys, differ, state, counts, begins, *places = buffers[self.outs :]
        (part,) = outer
        lets, half, shift = self.now(state, _MOVED_HALF, _MOVED_SHIFT)
        d = fresh_index("d")
        begin = op("add", _COUNT, Load(_COUNT, counts, (part, d)), Load(_COUNT, begins, (d,)))
        begun = For(d, int_const(1 << self.bits), (Store(counts, (part, d), begin),), "vector")
        other = binary("sub", _ONE, half)

        def one(k: Expr) -> tuple[Stmt, ...]:
            this, to = fresh_local(self.u, "key"), fresh_local(_COUNT, "to")
            at = (part, self.digit(this, shift))
            target = scalar.cast(to, INDEX)
            moved: list[Stmt] = [
                Let(this, Load(self.u, keys, (half, k))),
                Let(to, Load(_COUNT, counts, at)),
                Store(counts, at, op("add", _COUNT, to, const(1, _COUNT))),
                Store(keys, (other, target), this),
            ]
            if places:
                found = Load(_PLACE, places[0], (half, k))
                moved.append(Store(places[0], (other, target), found))
            return tuple(moved)

        return [*lets, *self.whether(differ, shift, (begun, self.loop(part, one, vector=False)))]

    def finish(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Write the results."""
        outs = buffers[: self.outs]
        keys, _, state, _, _, *places = buffers[self.outs :]
        half = fresh_local(INDEX, "half")

        def one(k: Expr) -> tuple[Stmt, ...]:
            key = Load(self.u, keys, (half, k))
            place = None
            if places:
                place = scalar.cast(Load(_PLACE, places[0], (half, k)), INDEX)
            return self.last(outs, k, key, place)

        return [
            Let(half, Load(INDEX, state, (_HALF,))),
            self.loop(outer[0], one, True, self.wanted),
        ]
