"""Sorts and selections as loops: radix sorts of integer keys, and lists of the k largest.

A number becomes an unsigned integer of its width whose order is NumPy's order of the numbers, NaN
last. Rows are sorted by their digits from the lowest up, which is stable; a digit that all keys
share is passed over. So the cost grows with n, not n log n, and rows run in parallel; one long row
is sorted by all threads (`sorting_parts`). Short rows of one array of wide numbers
stay with NumPy, whose quicksort is as fast.

Example:
    >>> import fxla, numpy as np
    >>> fxla.jit(fxla.numpy.argsort)(np.array([3.0, np.nan, -0.0, 0.0, 1.0])).tolist()
    [2, 3, 4, 0, 1]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from fxla.compile.routines import sorting_parts
from fxla.compile.routines.sorting_parts import sort_in_parts
from fxla.core.jaxpr import Eqn
from fxla.loops import view as scalar
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
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
    While,
)
from fxla.loops.view import (
    IndexTuple,
    Nest,
    View,
    binary,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
    select,
)
from fxla.ops.sort import sort_p, top_k_p

__all__ = ["sorting_nest"]

LONG = 1 << 10
"""Rows from which a radix sort of one array of 32 bits is faster than NumPy's quicksort; of 64 bits
four times as many."""
WIDE_DIGITS = 1 << 13
"""Rows from which digits of 11 bits are better than digits of 8."""
LIST = 64
"""The most elements that are selected by keeping a list of the largest so far."""

_COUNT = np.dtype(np.int32)
_PLACE = np.dtype(np.uint32)
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def sorting_nest(eqn: Eqn, views: Sequence[View]) -> Nest | None:
    """The loops of a sort or selection; None if NumPy should do it."""
    if eqn.primitive not in (sort_p, top_k_p):
        return None
    x = views[0]
    if x.dtype.kind not in "biuf" and x.dtype != _BFLOAT16:
        return None
    if x.ndim == 0 or 0 in x.shape or max(x.shape) >= 2**31:
        return None
    if eqn.primitive is sort_p:
        n = x.shape[eqn.params["dimension"]]
        quick = len(views) == 1 and x.dtype.itemsize > 2 and n < LONG * (x.dtype.itemsize // 4) ** 2
        if eqn.params["num_keys"] != 1 or quick:
            return None
        return _sort(views, eqn.params["dimension"])
    return _top_k(x, **eqn.params)


# ------------------------------------------------------------------------ keys


def key_dtype(dtype: DType) -> DType:
    """The unsigned integers of a dtype's width."""
    return np.dtype(f"u{dtype.itemsize}")


def key_of(e: Expr, zeros_equal: bool) -> Expr:
    """An unsigned integer in the order of the numbers, NaN largest."""
    dtype, u = e.dtype, key_dtype(e.dtype)
    if dtype.kind in "bu":
        return scalar.cast(e, u)
    top = const(1 << (8 * dtype.itemsize - 1), u)
    if dtype.kind == "i":
        return op("xor", u, op("bitcast", u, e), top)
    bits = op("bitcast", u, e)
    if zeros_equal:
        bits = select(compare("eq", bits, top), const(0, u), bits)
    negative = compare("ge", bits, top)
    key = select(negative, op("not", u, bits), op("xor", u, bits, top))
    return select(op("isnan", BOOL, e), const(~np.zeros((), u), u), key)


def number_of(key: Expr, dtype: DType) -> Expr:
    """The number that has this key."""
    if dtype.kind in "bu":
        return scalar.cast(key, dtype)
    u = key.dtype
    top = const(1 << (8 * dtype.itemsize - 1), u)
    flipped = op("xor", u, key, top)
    if dtype.kind == "i":
        return op("bitcast", dtype, flipped)
    bits = select(compare("ge", key, top), flipped, op("not", u, key))
    return op("bitcast", dtype, bits)


# ------------------------------------------------------------------ radix sort


class _Radix:
    """The sort of one row.

    Attributes:
        keys: scratch [*outer, 2, n], of which one half holds the keys so far.
        places: scratch of the same shape: where each key came from; None if nobody asks.
        half: which half it is.
    """

    def __init__(self, n: int, outer: IndexTuple, keys: Buffer, places: Buffer | None) -> None:
        self.n, self.outer, self.keys, self.places = n, outer, keys, places
        width = 8 * keys.dtype.itemsize
        self.bits = 11 if n >= WIDE_DIGITS and width > 16 else 8
        self.passes = -(-width // self.bits)
        self.counts = Buffer("counts", _COUNT, (int_const(self.passes << self.bits),))
        self.half = fresh_local(INDEX, "half")

    def statements(self, key: Any) -> list[Stmt]:
        """Sort by the keys that `key` gives for a position."""
        k, z = fresh_index("k"), fresh_index("z")
        this = fresh_local(self.keys.dtype, "key")
        fill: list[Stmt] = [Let(this, key(k)), Store(self.keys, self.at(int_const(0), k), this)]
        if self.places is not None:
            fill.append(Store(self.places, self.at(int_const(0), k), scalar.cast(k, _PLACE)))
        for p in range(self.passes):
            at = (self.digit(this, p),)
            more = op("add", _COUNT, Load(_COUNT, self.counts, at), const(1, _COUNT))
            fill.append(Store(self.counts, at, more))
        size = int_const(self.passes << self.bits)
        zero = For(z, size, (Store(self.counts, (z,), const(0, _COUNT)),), "vector")
        body: list[Stmt] = [
            Alloc(self.counts),
            zero,
            For(k, extent(self.n), tuple(fill)),
            Let(self.half, int_const(0), mutable=True),
        ]
        for p in range(self.passes):
            body += self.one_pass(p)
        return body

    def at(self, half: Expr, k: Expr) -> IndexTuple:
        return (*self.outer, half, k)

    def key(self, k: Expr) -> Expr:
        """The k-th key so far."""
        return Load(self.keys.dtype, self.keys, self.at(self.half, k))

    def place(self, k: Expr) -> Expr:
        """Where the k-th key came from."""
        assert self.places is not None
        return scalar.cast(Load(_PLACE, self.places, self.at(self.half, k)), INDEX)

    def digit(self, key: Expr, p: int) -> Expr:
        """Where the p-th digit of a key is counted."""
        u = key.dtype
        if p:
            key = op("shr_logical", u, key, const(p * self.bits, u))
        mask = (1 << min(self.bits, 8 * u.itemsize)) - 1
        found = scalar.cast(op("and", u, key, const(mask, u)), INDEX)
        return binary("add", found, int_const(p << self.bits)) if p else found

    def one_pass(self, p: int) -> list[Stmt]:
        """Move all keys to the other half, in the order of one digit."""
        d, k = fresh_index("d"), fresh_index("k")
        total, this = fresh_local(_COUNT, "total"), fresh_local(self.keys.dtype, "key")
        to = fresh_local(_COUNT, "to")
        counted = binary("add", d, int_const(p << self.bits)) if p else d
        count = Load(_COUNT, self.counts, (counted,))
        number = fresh_local(_COUNT, "count")
        before = op("sub", _COUNT, total, number)
        starts = For(
            d,
            int_const(1 << self.bits),
            (
                Let(number, count),
                Assign(total, op("add", _COUNT, total, number)),
                Store(self.counts, (counted,), before),
            ),
            "vector",
        )
        place = (self.digit(this, p),)
        other = binary("sub", int_const(1), self.half)
        target = scalar.cast(to, INDEX)
        move: list[Stmt] = [
            Let(this, self.key(k)),
            Let(to, Load(_COUNT, self.counts, place)),
            Store(self.counts, place, op("add", _COUNT, to, const(1, _COUNT))),
            Store(self.keys, self.at(other, target), this),
        ]
        if self.places is not None:
            found = Load(_PLACE, self.places, self.at(self.half, k))
            move.append(Store(self.places, self.at(other, target), found))
        first = Load(_COUNT, self.counts, (self.digit(self.key(int_const(0)), p),))
        differ = compare("ne", scalar.cast(first, INDEX), extent(self.n))
        run = (
            Let(total, const(0, _COUNT), mutable=True),
            starts,
            For(k, extent(self.n), tuple(move)),
            Assign(self.half, other),
        )
        return [If(differ, run)]


def _sort(views: Sequence[View], axis: int) -> Nest:
    """Operands sorted along an axis by the first of them."""
    x = views[0]
    n = x.shape[axis]
    lead = (*x.shape[:axis], *x.shape[axis + 1 :])
    several = len(views) > 1
    outputs = tuple((v.shape, v.dtype) for v in views)
    if math.prod(lead) == 1 and n >= sorting_parts.LONG:
        return _sort_long_row(views, axis)

    def body(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        outs, (keys, *places) = buffers[: len(views)], buffers[len(views) :]
        radix = _Radix(n, outer, keys, places[0] if several else None)

        def at(k: Expr) -> IndexTuple:
            return (*outer[:axis], k, *outer[axis:])

        sort = radix.statements(lambda k: key_of(x[at(k)], several))
        k = fresh_index("k")
        if several:
            place = fresh_local(INDEX, "place")
            last: tuple[Stmt, ...] = (
                Let(place, radix.place(k)),
                *(Store(out, at(k), v[at(place)]) for out, v in zip(outs, views, strict=True)),
            )
        else:
            last = (Store(outs[0], at(k), number_of(radix.key(k), x.dtype)),)
        return [*sort, For(k, extent(n), last, "vector")]

    scratch = [((*lead, 2, n), key_dtype(x.dtype))]
    scratch += [((*lead, 2, n), _PLACE)] if several else []
    return Nest(outputs, lead, body, scratch=tuple(scratch))


def _sort_long_row(views: Sequence[View], axis: int) -> Nest:
    """The same, where there is one long row, which all threads sort."""
    x, several = views[0], len(views) > 1
    before, after = (int_const(0),) * axis, (int_const(0),) * (x.ndim - axis - 1)

    def last(outs: tuple[Buffer, ...], k: Expr, key: Expr, place: Expr | None) -> tuple[Stmt, ...]:
        at = (*before, k, *after)
        if place is None:
            return (Store(outs[0], at, number_of(key, x.dtype)),)
        found = fresh_local(INDEX, "place")
        source = (*before, found, *after)
        stores = [Store(out, at, v[source]) for out, v in zip(outs, views, strict=True)]
        return (Let(found, place), *stores)

    return sort_in_parts(
        tuple((v.shape, v.dtype) for v in views), x.shape[axis], key_dtype(x.dtype),
        lambda k: key_of(x[(*before, k, *after)], several), last, several,
    )  # fmt: skip


# ------------------------------------------------------------------- selection


def _top_k(x: View, k: int, index_dtype: DType) -> Nest | None:
    """The k largest along the last axis, largest first, and where they are."""
    if k == 0:
        return None
    lead, n = x.shape[:-1], x.shape[-1]
    u = key_dtype(x.dtype)
    outputs = (((*lead, k), x.dtype), ((*lead, k), index_dtype))

    def finish(outer: IndexTuple, outs: Sequence[Buffer], place: Any) -> For:
        j, found = fresh_index("j"), fresh_local(INDEX, "place")
        taken = (
            Let(found, place(j)),
            Store(outs[0], (*outer, j), x[(*outer, found)]),
            Store(outs[1], (*outer, j), scalar.cast(found, index_dtype)),
        )
        return For(j, extent(k), taken, "vector")

    def by_radix(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        radix = _Radix(n, outer, buffers[2], buffers[3])
        sort = radix.statements(lambda i: op("not", u, key_of(x[(*outer, i)], True)))
        return [*sort, finish(outer, buffers, radix.place)]

    def by_list(outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        keys = Buffer("keys", u, (int_const(k),))
        places = Buffer("places", INDEX, (int_const(k),))
        i = fresh_index("i")
        key = fresh_local(u, "key")
        full = compare("ge", i, int_const(k))
        no_better = compare("le", key, Load(u, keys, (int_const(k - 1),)))
        wanted = op("not", BOOL, op("and", BOOL, full, no_better))
        start = op("minimum", INDEX, i, int_const(k - 1))
        insert = If(wanted, tuple(_inserted(keys, places, key, i, start)))
        scan = For(i, extent(n), (Let(key, key_of(x[(*outer, i)], True)), insert))
        clear = fresh_index("c")
        zero = For(clear, int_const(k), (Store(keys, (clear,), const(0, u)),), "vector")
        last = finish(outer, buffers, lambda j: Load(INDEX, places, (j,)))
        return [Alloc(keys), Alloc(places), zero, scan, last]

    if k <= LIST and 8 * k <= n:
        return Nest(outputs, lead, by_list)
    if math.prod(lead) == 1 and n >= sorting_parts.LONG:
        return _top_of_long_row(x, k, outputs)
    scratch = (((*lead, 2, n), u), ((*lead, 2, n), _PLACE))
    return Nest(outputs, lead, by_radix, scratch=scratch)


def _top_of_long_row(x: View, k: int, outputs: tuple[tuple[tuple[int, ...], DType], ...]) -> Nest:
    """The same, where there is one long row, which all threads sort."""
    lead, u = (int_const(0),) * (x.ndim - 1), key_dtype(x.dtype)

    def last(outs: tuple[Buffer, ...], j: Expr, key: Expr, place: Expr | None) -> tuple[Stmt, ...]:
        assert place is not None
        found = fresh_local(INDEX, "place")
        return (
            Let(found, place),
            Store(outs[0], (*lead, j), x[(*lead, found)]),
            Store(outs[1], (*lead, j), scalar.cast(found, outs[1].dtype)),
        )

    return sort_in_parts(
        outputs, x.shape[-1], u,
        lambda i: op("not", u, key_of(x[(*lead, i)], True)), last, placed=True, wanted=k,
    )  # fmt: skip


def _inserted(keys: Buffer, places: Buffer, key: Local, i: Expr, start: Expr) -> list[Stmt]:
    """Put a key before all smaller ones of a list that is sorted, largest first."""
    j, moving = fresh_local(INDEX, "j"), fresh_local(BOOL, "moving")
    before = binary("sub", j, int_const(1))
    above = select(
        compare("gt", j, int_const(0)),
        compare("lt", Load(key.dtype, keys, (before,)), key),
        const(False, BOOL),
    )
    shift = (
        Store(keys, (j,), Load(key.dtype, keys, (before,))),
        Store(places, (j,), Load(INDEX, places, (before,))),
        Assign(j, before),
        Assign(moving, above),
    )
    return [
        Let(j, start, mutable=True),
        Let(moving, above, mutable=True),
        While(moving, shift),
        Store(keys, (j,), key),
        Store(places, (j,), i),
    ]
