"""LU factors with partial pivoting in blocks, on all cores.

Column of blocks by column of blocks, from the right: one core factors the panel, in memory of its
own where rows lie side by side; then every other column of blocks exchanges its rows, and those
right of the panel are eliminated (`elimination`) and get the panel's products taken
from them by tiles, all in one pass of one core. The pivots are those of LAPACK: of equal elements
the first.

Golub and Van Loan: "Matrix Computations" (2013), section 3.4. Everything depends on sizes alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxla.compile.routines.elimination import (
    BLOCK,
    ROWS,
    Triangle,
    at_most,
    block_side,
    blocks_of,
    eliminate,
    less_products,
    plus,
    reduced,
    times,
)
from fxla.core.dtypes import DType, int32
from fxla.core.records import dataclass
from fxla.loops.ir import INDEX, Assign, Buffer, Expr, For, If, Let, Load, Local, Stmt, Store
from fxla.loops.passes.tile import blocks
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    Repeat,
    View,
    binary,
    cast,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
    select,
)

__all__ = ["blocked_lu_nest", "lu_outputs", "lu_phases"]

TALL = 252
"""Rows that tiles compute before the next, at most; see `less_products`."""
_ZERO, _ONE = int_const(0), int_const(1)


def blocked_lu_nest(a: View) -> Nest:
    """LU factors, pivots and permutation of matrices with no more columns than rows."""
    phases, scratch = lu_phases(a)
    *before, last = phases
    assert isinstance(last, Phase)
    return Nest(lu_outputs(a), last.parallel, last.body, scratch=scratch, before=tuple(before))


def lu_outputs(a: View) -> tuple[tuple[tuple[int, ...], DType], ...]:
    """Shapes and dtypes of factors, pivots and permutation."""
    *lead, m, n = a.shape
    return (a.shape, a.dtype), ((*lead, n), int32), ((*lead, m), int32)


def lu_phases(
    a: View,
) -> tuple[list[Phase | Repeat], tuple[tuple[tuple[int, ...], DType], ...]]:
    """The phases of that nest, and the scratch arrays that they get after its results.

    After those they may get a scalar in which they note that a pivot is 0.
    """
    *lead, m, n = a.shape
    dtype, many = a.dtype, math.prod(lead)
    panels, side = blocks_of(n), block_side(n)
    factor = _Factor(a)
    step = (
        Phase(tuple(lead), factor.panel, many * m * BLOCK * BLOCK),
        Phase((*lead, panels), factor.columns, many * m * n * BLOCK * dtype.itemsize // 8),
    )
    phases: list[Phase | Repeat] = [
        Phase((*lead, m), factor.fill, many * m * n * ROWS),
        Repeat(panels, step if panels > 1 else step[:1]),
        Phase(tuple(lead), factor.permutation),
    ]
    scratch = (
        ((*lead, m, side), dtype),
        ((*lead, side, side), dtype),
        ((*lead, side), dtype),
        ((*lead, 2), INDEX),
    )
    return phases, scratch


@dataclass(frozen=True, slots=True)
class _Memory:
    """The arrays of the phases.

    Attributes:
        out, pivots, perm: the results.
        panel: the column of blocks that is factored, from the diagonal's row on.
        square, inverses: its unit triangle, transposed, and ones.
        state: the block that is factored next, and the one that has been.
        status: where a pivot that is 0 is noted, if somebody wants to know.
    """

    out: Buffer
    pivots: Buffer
    perm: Buffer
    panel: Buffer
    square: Buffer
    inverses: Buffer
    state: Buffer
    status: Buffer | None = None


@dataclass(frozen=True, slots=True)
class _Factor:
    """The phases; the last outer index is of rows, or of columns of blocks."""

    a: View

    @property
    def rows(self) -> Expr:
        """Rows of the matrix."""
        return extent(self.a.shape[-2])

    @property
    def count(self) -> Expr:
        """Columns."""
        return extent(self.a.shape[-1])

    def fill(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """A row of the matrix; the first one begins the count of blocks."""
        m, lead, c = _Memory(*buffers), outer[:-1], fresh_index("c")
        reset = Store(m.state, (*lead, _ZERO), _ZERO)
        return [
            For(c, self.count, (Store(m.out, (*outer, c), self.a[(*outer, c)]),), "vector"),
            If(compare("eq", outer[-1], _ZERO), (reset,)),
        ]

    def panel(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Factor a column of blocks, from the diagonal down."""
        m = _Memory(*buffers)
        block, start, width, height = (
            fresh_local(INDEX, name) for name in ("block", "start", "width", "height")
        )
        j = fresh_index("j")
        return [
            Let(block, Load(INDEX, m.state, (*outer, _ZERO))),
            Let(start, times(block, BLOCK)),
            Let(width, at_most(BLOCK, binary("sub", self.count, start))),
            Let(height, binary("sub", self.rows, start)),
            self._moved(m, outer, start, (height, width), False),
            For(j, width, tuple(self._column(m, outer, j, start, (height, width)))),
            self._moved(m, outer, start, (height, width), True),
            *self._triangle(m, outer, width),
            Store(m.state, (*outer, _ZERO), binary("add", block, _ONE)),
            Store(m.state, (*outer, _ONE), block),
        ]

    def _moved(
        self, m: _Memory, outer: IndexTuple, start: Expr, size: tuple[Expr, Expr], back: bool
    ) -> For:
        """The panel copied to its own memory, or back."""
        i, c = fresh_index("i"), fresh_index("c")
        there = (*outer, binary("add", start, i), binary("add", start, c))
        here = (*outer, i, c)
        store = (
            Store(m.out, there, Load(self.a.dtype, m.panel, here))
            if back
            else Store(m.panel, here, Load(self.a.dtype, m.out, there))
        )
        return For(i, size[0], (For(c, size[1], (store,), "vector"),))

    def _column(
        self, m: _Memory, outer: IndexTuple, j: Expr, start: Expr, size: tuple[Expr, Expr]
    ) -> list[Stmt]:
        """Eliminate a column of the panel."""
        dtype, (height, width) = self.a.dtype, size
        chosen, row = fresh_local(INDEX, "chosen"), fresh_local(INDEX, "row")
        best, length = fresh_local(dtype, "best"), fresh_local(dtype, "length")
        pivot, scale, factor = (fresh_local(dtype, name) for name in ("pivot", "scale", "factor"))
        i, k, c, d = (fresh_index(name) for name in "ikcd")
        below = binary("sub", binary("sub", height, j), _ONE)

        def at(r: Expr, column: Expr) -> Expr:
            return Load(dtype, m.panel, (*outer, r, column))

        seek = (
            Let(row, binary("add", plus(j, 1), i)),
            Let(length, op("abs", dtype, at(row, j))),
            If(compare("gt", length, best), (Assign(best, length), Assign(chosen, row))),
        )
        swap = _exchanged(m.panel, outer, (j, chosen), _ZERO, (c, width))
        # of a column of zeros nothing is to be taken away
        safe = select(compare("eq", pivot, const(0, dtype)), const(1, dtype), pivot)
        under = fresh_local(INDEX, "under")
        column = binary("add", plus(j, 1), d)
        left = reduced(dtype, at(under, column), factor, at(j, column))
        take = (
            Let(under, binary("add", plus(j, 1), k)),
            Let(factor, op("mul", dtype, at(under, j), scale)),
            Store(m.panel, (*outer, under, j), factor),
            For(
                d,
                binary("sub", binary("sub", width, j), _ONE),
                (Store(m.panel, (*outer, under, column), left),),
                "vector",
            ),
        )
        noted: tuple[Stmt, ...] = ()
        if m.status is not None:
            singular = Store(m.status, (), const(1, int32))
            noted = (If(compare("eq", pivot, const(0, dtype)), (singular,)),)
        return [
            Let(best, op("abs", dtype, at(j, j)), mutable=True),
            Let(chosen, j, mutable=True),
            For(i, below, seek),
            Store(
                m.pivots,
                (*outer, binary("add", start, j)),
                cast(binary("add", start, chosen), int32),
            ),
            If(compare("ne", chosen, j), (swap,)),
            Let(pivot, at(j, j)),
            *noted,
            Let(scale, op("div", dtype, const(1, dtype), safe)),
            For(k, below, take),
        ]

    def _triangle(self, m: _Memory, outer: IndexTuple, width: Expr) -> list[Stmt]:
        """The unit triangle on the diagonal as `Triangle` has it."""
        i, k, one = fresh_index("i"), fresh_index("k"), const(1, self.a.dtype)
        element = Load(self.a.dtype, m.panel, (*outer, i, k))
        body = (
            For(k, i, (Store(m.square, (*outer, k, i), element),)),
            Store(m.inverses, (*outer, i), one),
        )
        return [For(i, width, body)]

    def columns(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """What a panel means for another column of blocks."""
        m, (*lead, own) = _Memory(*buffers), outer
        block, start, width, begin = (
            fresh_local(INDEX, name) for name in ("block", "start", "width", "begin")
        )
        outside = tuple(self._of_columns(m, tuple(lead), (block, start, own, begin, width)))
        return [
            Let(block, Load(INDEX, m.state, (*lead, _ONE))),
            Let(start, times(block, BLOCK)),
            Let(begin, times(own, BLOCK)),
            Let(width, at_most(BLOCK, binary("sub", self.count, begin))),
            If(compare("ne", own, block), outside),
        ]

    def _of_columns(
        self, m: _Memory, lead: IndexTuple, at: tuple[Expr, Expr, Expr, Expr, Local]
    ) -> list[Stmt]:
        block, start, own, begin, width = at
        dtype = self.a.dtype
        j, c, eight = (fresh_index(name) for name in "jce")
        row, other = fresh_local(INDEX, "row"), fresh_local(INDEX, "other")
        swap = _exchanged(m.out, lead, (row, other), begin, (c, width))
        wide = at_most(BLOCK, binary("sub", self.count, start))
        exchanges = (
            Let(row, binary("add", start, j)),
            Let(other, cast(Load(int32, m.pivots, (*lead, row)), INDEX)),
            If(compare("ne", row, other), (swap,)),
        )
        rows = eliminate(
            Triangle(m.square, m.inverses, lead),
            lambda r, column: (m.out, (*lead, binary("add", start, r), column)),
            times(eight, ROWS),
            begin,
            width,
        )
        part, under = fresh_index("part"), fresh_local(INDEX, "under")
        below = plus(start, BLOCK)

        def place(i: Expr, column: Expr) -> IndexTuple:
            return (*lead, i, column)

        tiles = less_products(
            lambda i, c: (m.out, place(binary("add", under, i), binary("add", begin, c))),
            lambda i, k: Load(
                dtype, m.out, place(binary("add", under, i), binary("add", start, k))
            ),
            lambda k, c: Load(
                dtype, m.out, place(binary("add", start, k), binary("add", begin, c))
            ),
            (at_most(TALL, binary("sub", self.rows, under)), width, int_const(BLOCK)),
        )
        parts = blocks(binary("sub", self.rows, below), TALL)
        # right of a panel there are columns, so that it is a whole one
        right = (
            For(eight, int_const(BLOCK // ROWS), tuple(rows)),
            For(part, parts, (Let(under, binary("add", below, times(part, TALL))), tiles)),
        )
        return [For(j, wide, exchanges), If(compare("gt", own, block), right)]

    def permutation(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Which row each was."""
        m = _Memory(*buffers)
        i, j = fresh_index("i"), fresh_index("j")
        other, kept = fresh_local(INDEX, "other"), fresh_local(int32, "kept")
        exchange = (
            Let(other, cast(Load(int32, m.pivots, (*outer, j)), INDEX)),
            Let(kept, Load(int32, m.perm, (*outer, j))),
            Store(m.perm, (*outer, j), Load(int32, m.perm, (*outer, other))),
            Store(m.perm, (*outer, other), kept),
        )
        return [
            For(i, self.rows, (Store(m.perm, (*outer, i), cast(i, int32)),), "vector"),
            For(j, self.count, exchange),
        ]


def _exchanged(
    buffer: Buffer,
    outer: IndexTuple,
    rows: tuple[Expr, Expr],
    begin: Expr,
    columns: tuple[Expr, Expr],
) -> For:
    """Exchange two rows along some columns."""
    c, width = columns
    kept = fresh_local(buffer.dtype, "kept")
    here, there = ((*outer, row, binary("add", begin, c)) for row in rows)
    swap = (
        Let(kept, Load(buffer.dtype, buffer, here)),
        Store(buffer, here, Load(buffer.dtype, buffer, there)),
        Store(buffer, there, kept),
    )
    return For(c, width, swap, "vector")  # type: ignore[arg-type]
