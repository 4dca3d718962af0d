"""Triangular systems in blocks, on all cores: tiles, and substitution in blocks of the diagonal.

Right-hand sides are cut into chunks of columns, each of which one core copies to memory of its
own, solves block by block, and writes where it belongs: what is left of a block after those before
it, by tiles, then the block by `elimination`. The triangles of the diagonal are
put side by side first, turned so that all cases are one, with the inverses of their diagonals.
A system whose unknown is on the left side of its matrix is the transposed system.

Substitution in the order of LAPACK's, so it is as accurate; no block is inverted (Higham:
"Accuracy and Stability of Numerical Algorithms", 2002, section 8).
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
    rounded,
    times,
)
from fxla.core.dtypes import DType
from fxla.core.records import dataclass
from fxla.loops.ir import INDEX, Buffer, Expr, Extent, For, If, Index, Let, Load, Op, Stmt, Store
from fxla.loops.size import least
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
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
)

__all__ = ["System", "blocked_solve_nest"]

CHUNK_BYTES = 256
"""Bytes of a row of a chunk of right-hand sides..."""
WIDE_BYTES = 512
"""... and where the matrix is so large that it is read from far away for each of them."""
FEW = 4
"""Chunks, at least, before they become wider."""
_ZERO = int_const(0)


def blocked_solve_nest(
    a: View,
    b: View,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    unit_diagonal: bool,
) -> Nest:
    """``op(a) x = b`` or ``x op(a) = b``; see `fxla.ops.linalg.TriangularSolve`."""
    turned = transpose_a == left_side  # of a column's system
    system = System(a, b, left_side, turned, lower != turned, unit_diagonal)
    pack, solve = system.phases()
    return Nest(
        ((b.shape, b.dtype),),
        solve.parallel,
        solve.body,
        scratch=system.scratch,
        before=(pack,),
        work=solve.work,
        operands=(0,),
    )


@dataclass(frozen=True, slots=True)
class System:
    """The system of a column of right-hand sides.

    Attributes:
        a, b: operands.
        columns: whether right-hand sides are columns of b, not rows.
        turned: whether its matrix is a's transpose.
        forward: whether its first unknown is solved for first.
        unit: whether the diagonal is 1.
    """

    a: View
    b: View
    columns: bool
    turned: bool
    forward: bool
    unit: bool

    @property
    def count(self) -> int:
        """Right-hand sides."""
        return self.b.shape[-1 if self.columns else -2]

    @property
    def chunk(self) -> int:
        """Right-hand sides of a chunk."""
        size = self.a.dtype.itemsize
        n, nbytes = self.a.shape[-1], CHUNK_BYTES
        if n * size > 4 * CHUNK_BYTES and self.count * size >= FEW * WIDE_BYTES:
            nbytes = WIDE_BYTES
        return least(self.count, nbytes // size)

    @property
    def step(self) -> Expr:
        """The same, as an argument of the kernel."""
        return Extent(INDEX, self.chunk, role="columns")

    @property
    def scratch(self) -> tuple[tuple[tuple[int, ...], DType], ...]:
        """Shapes and dtypes of the arrays that its phases get after the result."""
        *lead, n, _ = self.a.shape
        blocks, side, chunk = blocks_of(n), block_side(n), self.chunk
        return (
            ((*lead, blocks, side, side), self.a.dtype),
            ((*lead, blocks, side), self.a.dtype),
            ((*lead, blocks_of(self.count, chunk), n + 2 * ROWS, chunk), self.a.dtype),
        )

    def phases(self) -> tuple[Phase, Phase]:
        """What packs the blocks of the diagonal, and what solves."""
        *lead, n, _ = self.a.shape
        blocks, chunks, many = blocks_of(n), blocks_of(self.count, self.chunk), math.prod(lead)
        return (
            Phase((*lead, blocks), self.pack, many * blocks * BLOCK * BLOCK),
            Phase((*lead, chunks), self.solve, many * self.count * n * n),
        )

    def matrix(self, outer: IndexTuple, i: Expr, k: Expr) -> Expr:
        """An element of its matrix."""
        return self.a[(*outer, k, i) if self.turned else (*outer, i, k)]

    def place(self, outer: IndexTuple, i: Expr, c: Expr) -> IndexTuple:
        """Where an unknown is in b and in the result."""
        return (*outer, i, c) if self.columns else (*outer, c, i)

    def row(self, start: Expr, r: Expr) -> Expr:
        """The row of the matrix that is row r, in the order of solving, of a block."""
        if self.forward:
            return binary("add", start, r)
        last = binary("sub", extent(self.a.shape[-1]), int_const(1))
        return binary("sub", last, binary("add", start, r))

    def pack(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """The triangle of a block, and the inverses of its diagonal."""
        _, factors, inverses, _ = buffers
        *lead, block = outer
        dtype = self.a.dtype
        start = times(block, BLOCK)
        height = at_most(BLOCK, binary("sub", extent(self.a.shape[-1]), start))
        i, k = fresh_index("i"), fresh_index("k")
        row = self.row(start, i)
        one = const(1, dtype)
        diagonal = one if self.unit else op("div", dtype, one, self.matrix(tuple(lead), row, row))
        e = self.matrix(tuple(lead), row, self.row(start, k))
        body = (
            For(k, i, (Store(factors, (*outer, k, i), e),)),
            Store(inverses, (*outer, i), diagonal),
        )
        return [For(i, height, body)]

    def solve(self, outer: IndexTuple, buffers: tuple[Buffer, ...]) -> Sequence[Stmt]:
        """All unknowns of a chunk."""
        out, factors, inverses, x = buffers
        *lead, chunk = outer
        n = extent(self.a.shape[-1])
        left = binary("sub", extent(self.count), binary("mul", chunk, self.step))
        width = fresh_local(INDEX, "width")
        block = fresh_index("block")
        here = _Here(self, tuple(lead), chunk, width, x)
        triangle = Triangle(factors, inverses, (*lead, block))
        return [
            Let(width, Op(INDEX, "minimum", (self.step, left))),
            here.copied(lambda i, c: Store(x, here.at(i, c), self.b[here.place(i, c)])),
            For(block, extent(blocks_of(self.a.shape[-1])), tuple(here.block(block, triangle, n))),
            here.copied(
                lambda i, c: Store(
                    out, here.place(i, c), cast(Load(x.dtype, x, here.at(i, c)), out.dtype)
                ),
                True,
            ),
        ]


@dataclass(frozen=True, slots=True)
class _Here:
    """A chunk of right-hand sides: `x` holds it as [rows, columns] after `ROWS` rows for tails."""

    system: System
    lead: IndexTuple
    chunk: Expr
    width: Expr
    x: Buffer

    def at(self, i: Expr, c: Expr) -> IndexTuple:
        """Where row i is in `x`."""
        return (*self.lead, self.chunk, plus(i, ROWS), c)

    def place(self, i: Expr, c: Expr) -> IndexTuple:
        """Where it is in the result."""
        column = plus(binary("mul", self.chunk, self.system.step), c)
        return self.system.place(self.lead, i, column)

    def copied(self, copy: object, back: bool = False) -> For:
        """All elements copied."""
        assert callable(copy)
        n = extent(self.system.a.shape[-1])
        i, c = fresh_index("i"), fresh_index("c")
        if back and not self.system.columns:  # lanes run along what is written
            return For(c, self.width, (For(i, n, (copy(i, c),), "vector"),))
        return For(i, n, (For(c, self.width, (copy(i, c),), "vector"),))

    def block(self, block: Index, triangle: Triangle, n: Expr) -> list[Stmt]:
        """Solve for the unknowns of a block."""
        system, x = self.system, self.x
        start, height = fresh_local(INDEX, "start"), fresh_local(INDEX, "height")
        low = start if system.forward else binary("sub", binary("sub", n, start), height)
        known = _ZERO if system.forward else binary("sub", n, start)
        top, begin = fresh_local(INDEX, "top"), fresh_local(INDEX, "begin")
        tiles = less_products(
            lambda i, c: (x, self.at(binary("add", top, i), c)),
            lambda i, k: system.matrix(self.lead, binary("add", top, i), binary("add", begin, k)),
            lambda k, c: Load(x.dtype, x, self.at(binary("add", begin, k), c)),
            (height, self.width, start),
        )
        some = fresh_index("some")
        rows = eliminate(
            triangle,
            lambda r, c: (x, self.at(system.row(start, r), c)),
            times(some, ROWS),
            _ZERO,
            self.width,
        )
        eights = binary("floordiv", rounded(height), int_const(ROWS))
        return [
            Let(start, times(block, BLOCK)),
            Let(height, at_most(BLOCK, binary("sub", n, start))),
            Let(top, low),
            Let(begin, known),
            If(compare("gt", block, _ZERO), (tiles,)),
            For(some, eights, tuple(rows)),
        ]
