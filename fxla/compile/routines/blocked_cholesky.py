"""Cholesky's factor in blocks, on all cores: tiles, and substitution in blocks of the diagonal.

``a = U^T U`` is computed row of blocks by row of blocks, from the left: what is left of a row's
blocks after the products of those above them, by tiles; then its first, which is on the diagonal,
by one core; then the others, by substitution (`elimination`). So every block is
written once but for its own substitution, and read from memory in which columns of blocks lie side
by side, where their rows do not fight for one place in the cache. The result is L = U^T.

The left-looking algorithm of Golub and Van Loan: "Matrix Computations" (2013), section 4.2.
Everything depends on the size alone, and so do the bits.
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
    rounded,
    times,
)
from fxla.core.dtypes import int32
from fxla.core.records import dataclass
from fxla.loops.ir import BOOL, INDEX, Buffer, Expr, For, If, Let, Load, Local, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    Repeat,
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
from fxla.ops.small_matrix import NOT_POSITIVE

__all__ = ["blocked_cholesky_nest"]

HALF = BLOCK // 2
"""Columns of what one core takes at a time."""
_ZERO, _ONE, _TWO = int_const(0), int_const(1), int_const(2)


def blocked_cholesky_nest(a: View) -> Nest:
    """``a = L L^T``, and whether some a is not positive definite; reads the lower triangle."""
    n, dtype, lead = a.shape[-1], a.dtype, a.shape[:-2]
    blocks = blocks_of(n)
    factor = _Factor(a)
    side = block_side(n)
    scratch = (
        ((*lead, blocks, blocks * side, side), dtype),
        ((*lead, side, side), dtype),
        ((*lead, side), dtype),
        ((*lead, 2), INDEX),
    )

    # of a step; what `fill` and `finish` do is as much as to multiply with eight columns
    work = math.prod(lead) * n * side * dtype.itemsize // 4
    step = (
        Phase((*lead, 2 * blocks), factor.update, work * n // 2),
        Phase(lead, factor.diagonal, math.prod(lead) * side**3),
        Phase((*lead, 2 * blocks), factor.substitute, work * side),
    )
    before = (
        Phase((*lead, blocks), factor.fill, work * ROWS * blocks),
        Repeat(blocks, step if blocks > 1 else step[1:2]),
    )
    outputs = ((a.shape, dtype), ((), int32))
    return Nest(
        outputs,
        (*lead, blocks),
        factor.finish,
        failure=NOT_POSITIVE,
        scratch=scratch,
        before=before,
        work=work * ROWS * blocks,
    )


@dataclass(frozen=True, slots=True)
class _Memory:
    """The arrays of the phases.

    Attributes:
        out, status: the results.
        panels: U in columns of blocks, [block, row, column of the block], filled up to a multiple
            of `ROWS` rows with the identity's.
        square, inverses: the block on the diagonal while it is factored, and the inverses of its
            diagonal.
        state: the row of blocks that is computed next, and the one whose diagonal is factored.
    """

    out: Buffer
    status: Buffer
    panels: Buffer
    square: Buffer
    inverses: Buffer
    state: Buffer


@dataclass(frozen=True, slots=True)
class _Factor:
    """The phases; an outermost index is of a stack of matrices, the last of columns of blocks."""

    a: View

    @property
    def n(self) -> Expr:
        """Rows."""
        return extent(self.a.shape[-1])

    def left(self, start: Expr) -> Expr:
        """Rows from `start` on."""
        return binary("sub", self.n, start)

    def element(self, m: _Memory, lead: IndexTuple, block: Expr, i: Expr, c: Expr) -> Load:
        """U's element at row i and column c of a block."""
        return Load(self.a.dtype, m.panels, (*lead, block, i, c))

    # -------------------------------------------------------------------- phases

    def fill(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """The upper triangle of the transposed matrix."""
        m, (*lead, block) = _Memory(*buffers), outer
        start, width = fresh_local(INDEX, "start"), fresh_local(INDEX, "width")
        i, c = fresh_index("i"), fresh_index("c")
        here = (*lead, block)
        value = self.a[(*lead, binary("add", start, c), i)]
        copy = For(c, width, (Store(m.panels, (*here, i, c), value),), "vector")
        reset = Store(m.state, (*lead, _ZERO), _ZERO)
        return [
            Let(start, times(block, BLOCK)),
            Let(width, at_most(BLOCK, self.left(start))),
            For(i, binary("add", start, width), (copy,)),
            *self._filled_up(m, here, start, width),
            If(compare("eq", block, _ZERO), (reset,)),
        ]

    def _filled_up(
        self, m: _Memory, here: IndexTuple, start: Expr, width: Expr
    ) -> tuple[Stmt, ...]:
        """Rows and columns of the identity after the last of the matrix."""
        dtype = self.a.dtype
        p, i, c = fresh_index("p"), fresh_index("i"), fresh_index("c")
        column, whole = binary("add", width, p), fresh_local(INDEX, "whole")
        zero = const(0, dtype)
        row = binary("add", start, column)
        body = (
            For(i, binary("add", start, whole), (Store(m.panels, (*here, i, column), zero),)),
            For(c, whole, (Store(m.panels, (*here, row, c), zero),)),
        )
        one = Store(
            m.panels,
            (*here, binary("add", start, binary("add", width, c)), binary("add", width, c)),
            const(1, dtype),
        )
        missing = binary("sub", whole, width)
        return (Let(whole, rounded(width)), For(p, missing, body), For(c, missing, (one,)))

    def _columns(self, outer: IndexTuple, row: Expr) -> tuple[list[Stmt], Local, Expr, Local]:
        """Which half of a block, of the row of blocks `row` and those right of it, an index is."""
        half = outer[-1]
        block, width = fresh_local(INDEX, "block"), fresh_local(INDEX, "width")
        begin = times(binary("mod", half, _TWO), HALF)
        start = binary("add", times(block, BLOCK), begin)
        lets: list[Stmt] = [
            Let(block, binary("add", row, binary("floordiv", half, _TWO))),
            Let(width, at_most(HALF, binary("sub", rounded(self.n), start))),
        ]
        return lets, block, begin, width

    def update(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """What is left of half a block of the row."""
        m, lead = _Memory(*buffers), outer[:-1]
        row, start = fresh_local(INDEX, "row"), fresh_local(INDEX, "start")
        lets, block, begin, width = self._columns(outer, row)
        tiles = less_products(
            lambda i, c: (
                m.panels, (*lead, block, binary("add", start, i), binary("add", begin, c))
            ),
            lambda i, k: self.element(m, lead, row, k, i),
            lambda k, c: self.element(m, lead, block, k, binary("add", begin, c)),
            (at_most(BLOCK, binary("sub", rounded(self.n), start)), width, start),
        )  # fmt: skip
        some = op("and", BOOL, compare("gt", width, _ZERO), compare("gt", row, _ZERO))
        return [
            Let(row, Load(INDEX, m.state, (*lead, _ZERO))),
            Let(start, times(row, BLOCK)),
            *lets,
            If(some, (tiles,)),
        ]

    def diagonal(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Factor the block on the diagonal of the row."""
        m = _Memory(*buffers)
        row, start, size = (fresh_local(INDEX, name) for name in ("row", "start", "size"))
        i, c, j, d, eight = (fresh_index(name) for name in "icjde")
        triangle = Triangle(m.square, m.inverses, outer)
        into = Store(
            m.square, (*outer, i, c), self.element(m, outer, row, binary("add", start, i), c)
        )
        back = Store(
            m.panels, (*outer, row, binary("add", start, j), d),
            Load(self.a.dtype, m.square, (*outer, j, d)),
        )  # fmt: skip
        first = fresh_local(INDEX, "first")
        after = plus(first, ROWS)

        def x(r: Expr, column: Expr) -> tuple[Buffer, IndexTuple]:
            return m.square, (*outer, r, column)

        eights = (
            Let(first, times(eight, ROWS)),
            *eliminate(triangle, x, first, first, int_const(ROWS), solved=False),
            *_factored(triangle, m.status, first),
            *eliminate(triangle, x, first, after, binary("sub", size, after)),
        )
        return [
            Let(row, Load(INDEX, m.state, (*outer, _ZERO))),
            Let(start, times(row, BLOCK)),
            Let(size, at_most(BLOCK, binary("sub", rounded(self.n), start))),
            For(i, size, (For(c, size, (into,), "vector"),)),
            For(eight, binary("floordiv", size, int_const(ROWS)), eights),
            For(j, size, (For(d, size, (back,), "vector"),)),
            Store(m.state, (*outer, _ZERO), binary("add", row, _ONE)),
            Store(m.state, (*outer, _ONE), row),
        ]

    def substitute(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """Half a block right of the diagonal."""
        m, lead = _Memory(*buffers), outer[:-1]
        row, start = fresh_local(INDEX, "row"), fresh_local(INDEX, "start")
        lets, block, begin, width = self._columns(outer, binary("add", row, _ONE))
        eight = fresh_index("e")
        rows = eliminate(
            Triangle(m.square, m.inverses, lead),
            lambda r, c: (m.panels, (*lead, block, binary("add", start, r), c)),
            times(eight, ROWS),
            begin,
            width,
        )
        # blocks right of the diagonal have whole ones on it
        every = For(eight, int_const(BLOCK // ROWS), tuple(rows))
        return [
            Let(row, Load(INDEX, m.state, (*lead, _ONE))),
            Let(start, times(row, BLOCK)),
            *lets,
            If(compare("gt", width, _ZERO), (every,)),
        ]

    def finish(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """The rows of L that are a column of blocks of U."""
        m, (*lead, block) = _Memory(*buffers), outer
        dtype = self.a.dtype
        start, width = fresh_local(INDEX, "start"), fresh_local(INDEX, "width")
        r, s, c, d, z = (fresh_index(name) for name in "rscdz")

        def to(r: Expr, column: Expr, value: Expr) -> Store:
            return Store(m.out, (*lead, binary("add", start, r), column), value)

        def u(i: Expr, c: Expr) -> Expr:
            return self.element(m, tuple(lead), block, i, c)

        diagonal = select(compare("le", d, s), u(binary("add", start, d), s), const(0, dtype))
        end = binary("add", start, width)
        body = (
            For(d, width, (to(s, binary("add", start, d), diagonal),), "vector"),
            For(z, self.left(end), (to(s, binary("add", end, z), const(0, dtype)),), "vector"),
        )
        return [
            Let(start, times(block, BLOCK)),
            Let(width, at_most(BLOCK, self.left(start))),
            For(r, width, (For(c, start, (to(r, c, u(c, r)),), "vector"),)),
            For(s, width, body),
        ]


def _factored(triangle: Triangle, status: Buffer, first: Expr) -> list[Stmt]:
    """Factor `ROWS` rows and columns of the diagonal, written out."""
    dtype = triangle.factors.dtype
    rows = [plus(first, q) for q in range(ROWS)]
    statements: list[Stmt] = []

    def let(e: Expr) -> Expr:
        x = fresh_local(e.dtype, "f")
        statements.append(Let(x, e))
        return x

    u: dict[tuple[int, int], Expr] = {}
    good: Expr | None = None
    for i in range(ROWS):
        for j in range(i, ROWS):
            u[i, j] = let(triangle.at(rows[i], rows[j]))
    for i in range(ROWS):
        positive = let(compare("gt", u[i, i], const(0, dtype)))
        good = positive if good is None else op("and", BOOL, good, positive)
        root = let(op("sqrt", dtype, u[i, i]))
        inverse = let(op("div", dtype, const(1, dtype), root))
        u[i, i] = root
        statements.append(Store(triangle.inverses, (*triangle.outer, rows[i]), inverse))
        for j in range(i + 1, ROWS):
            u[i, j] = let(op("mul", dtype, u[i, j], inverse))
        for p in range(i + 1, ROWS):
            for j in range(p, ROWS):
                u[p, j] = let(reduced(dtype, u[p, j], u[i, p], u[i, j]))
    for (i, j), e in u.items():
        statements.append(Store(triangle.factors, (*triangle.outer, rows[i], rows[j]), e))
    assert good is not None
    statements.append(If(op("not", BOOL, good), (Store(status, (), const(1, int32)),)))
    return statements
