"""Substitution in a triangular block, eight rows at a time: what blocked algorithms stand on.

A *triangle* is a block of up to `BLOCK` rows of an upper triangular matrix U, small enough for the
first cache, and the inverses of its diagonal's elements. `eliminate` finds eight rows of the x with
``U^T x = b``: it adds up their products with all rows before them, in registers, then solves for
one after the other, and writes each once. Lanes run along the right-hand sides.
"""

from __future__ import annotations

from collections.abc import Callable

from fxla.core.dtypes import DType
from fxla.core.records import dataclass
from fxla.loops.ir import INDEX, Assign, Buffer, Expr, For, Let, Load, Local, Op, Stmt, Store
from fxla.loops.size import least
from fxla.loops.view import (
    IndexTuple,
    binary,
    const,
    fresh_index,
    fresh_local,
    int_const,
    op,
)

__all__ = [
    "BLOCK",
    "ROWS",
    "Triangle",
    "X",
    "at_most",
    "block_side",
    "blocks_of",
    "eliminate",
    "less_products",
    "plus",
    "product",
    "reduced",
    "rounded",
    "times",
]

BLOCK = 64
"""Rows of a block: its triangle of float64 takes half of the first cache."""
ROWS = 8
"""Rows that are eliminated at once: their sums, and what they are multiplied by, fit registers."""

X = Callable[[Expr, Expr], tuple[Buffer, IndexTuple]]
"""Where the element at a row of a block and a column is."""


@dataclass(frozen=True, slots=True)
class Triangle:
    """A triangle in memory: `factors` [..., rows, rows] and `inverses` [..., rows]."""

    factors: Buffer
    inverses: Buffer
    outer: IndexTuple

    def at(self, k: Expr, i: Expr) -> Expr:
        """U's element at row k and column i, k <= i."""
        return Load(self.factors.dtype, self.factors, (*self.outer, k, i))

    def inverse(self, i: Expr) -> Expr:
        """The inverse of an element of its diagonal."""
        return Load(self.inverses.dtype, self.inverses, (*self.outer, i))


def plus(a: Expr, b: Expr | int) -> Expr:
    """``a + b`` of indices."""
    return binary("add", a, int_const(b) if isinstance(b, int) else b)


def times(a: Expr, b: int) -> Expr:
    """``a b`` of indices."""
    return binary("mul", a, int_const(b))


def at_most(most: int, n: Expr) -> Expr:
    """`n`, but not less than 0 and not more than `most`."""
    return Op(INDEX, "minimum", (int_const(most), Op(INDEX, "maximum", (int_const(0), n))))


def rounded(n: Expr) -> Expr:
    """The next multiple of `ROWS`."""
    up = binary("add", n, int_const(ROWS - 1))
    return times(binary("floordiv", up, int_const(ROWS)), ROWS)


def blocks_of(n: int, size: int = BLOCK) -> int:
    """How many blocks cover `n`."""
    return -(-n // size)


def block_side(n: int) -> int:
    """Rows of the largest block of a matrix, up to a multiple of `ROWS`."""
    return least(BLOCK, -(-n // ROWS) * ROWS)


def product(dtype: DType, a: Expr, b: Expr) -> Expr:
    """``a b`` of numbers."""
    return op("mul", dtype, a, b)


def reduced(dtype: DType, a: Expr, b: Expr, c: Expr) -> Expr:
    """``a - b c`` of numbers."""
    return op("sub", dtype, a, product(dtype, b, c))


def less_products(
    target: Callable[[Expr, Expr], tuple[Buffer, IndexTuple]],
    left: Callable[[Expr, Expr], Expr],
    right: Callable[[Expr, Expr], Expr],
    sizes: tuple[Expr, Expr, Expr],
) -> For:
    """Take a product of matrices from another: tiles, which `fxla.loops.contraction` describes.

    Args:
        target: where the result at a row and a column is.
        left: elements of the left one by row and term.
        right: elements of the right one by term and column.
        sizes: rows, columns and terms; rows and columns not more than those of a chunk, as
            `CHUNK_ROWS` and `CHUNK_BYTES` of `fxla.loops.contraction` say.
    """
    i, j, k = fresh_index("i"), fresh_index("j"), fresh_index("k")
    rows, columns, depth = sizes
    buffer, at = target(i, j)
    dtype = buffer.dtype
    total = fresh_local(dtype, "total")
    more = op("add", dtype, total, product(dtype, left(i, k), right(k, j)))
    body = (
        Let(total, const(0, dtype), mutable=True),
        For(k, depth, (Assign(total, more),)),
        Store(buffer, at, op("sub", dtype, Load(dtype, buffer, at), total)),
    )
    return For(i, rows, (For(j, columns, body, "tile"),), "tile")


def eliminate(
    triangle: Triangle, x: X, first: Expr, begin: Expr, width: Expr, solved: bool = True
) -> list[Stmt]:
    """Rows first, ..., first + 7 of the x with ``U^T x = b``, in place of b.

    Args:
        triangle: of U.
        x: b, whose rows before `first` hold x already.
        first: a multiple of `ROWS`.
        begin: the first column.
        width: how many columns.
        solved: whether to solve for the rows, not only to take the products from them.
    """
    dtype = triangle.factors.dtype
    c, k = fresh_index("c"), fresh_index("k")
    rows = [plus(first, q) for q in range(ROWS)]
    column = plus(begin, c)
    sums = [fresh_local(dtype, "sum") for _ in rows]
    value = fresh_local(dtype, "value")
    before: list[Stmt] = []
    body: list[Stmt] = [Let(t, const(0, dtype), mutable=True) for t in sums]
    more = [
        Assign(t, op("add", dtype, t, product(dtype, triangle.at(k, row), value)))
        for t, row in zip(sums, rows, strict=True)
    ]
    body.append(For(k, first, (Let(value, _load(x(k, column))), *more)))
    done: list[Local] = []
    for q, row in enumerate(rows):
        total: Expr = sums[q]  # apart from b, which may be much larger, until all is added up
        for p in range(q if solved else 0):
            factor = _kept(before, triangle.at(rows[p], row))
            total = op("add", dtype, total, product(dtype, factor, done[p]))
        rest = op("sub", dtype, _load(x(row, column)), total)
        if solved:
            rest = product(dtype, rest, _kept(before, triangle.inverse(row)))
        done.append(fresh_local(dtype, "x"))
        body.append(Let(done[q], rest))
    for row, e in zip(rows, done, strict=True):
        buffer, at = x(row, column)
        body.append(Store(buffer, at, e))
    return [*before, For(c, width, tuple(body), "vector")]


def _load(place: tuple[Buffer, IndexTuple]) -> Expr:
    buffer, at = place
    return Load(buffer.dtype, buffer, at)


def _kept(statements: list[Stmt], e: Expr) -> Local:
    """A local that holds a value for a whole loop."""
    kept = fresh_local(e.dtype, "u")
    statements.append(Let(kept, e))
    return kept
