"""Factorisations and solves of small matrices as straight-line statements.

A call of LAPACK for a matrix of three by three costs a hundred times its arithmetic. So matrices of
up to `MOST` rows are factored by statements without loops, whose values a compiler keeps in
registers: within a loop over many matrices, or in the body of a filter. The algorithms are LAPACK's
unblocked ones, pivoting included.

What NumPy raises an exception for is noted in an output of its own, see `Nest.failure`.
"""

from __future__ import annotations

from collections.abc import Sequence

from fxla.core.dtypes import DType, float32, float64, int32
from fxla.loops.ir import BOOL, Buffer, Expr, For, If, Let, Select, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    View,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
    select,
)

__all__ = [
    "MOST",
    "MOST_IN_LOOP",
    "cholesky_nest",
    "is_small",
    "lu_nest",
    "solve_nest",
    "triangular_most",
    "triangular_nest",
]

MOST = 6
"""Rows of a matrix, at most; statements grow with the cube; see `compile.routines.written_out`."""
MOST_IN_LOOP = 12
"""Likewise of a triangular system with many right-hand sides; see `triangular_most`."""
NOT_POSITIVE = "Matrix is not positive definite"
SINGULAR = "Singular matrix"
_COLUMNS = 8
"""Right-hand sides up to this many are written out."""
_status = ((), int32)

Matrix = list[list[Expr]]


def triangular_most(columns: int) -> int:
    """Rows of a triangular matrix, at most, that is solved by these statements.

    Where a loop goes over the columns, statements grow with the square of the rows only.
    """
    return MOST if columns <= _COLUMNS else MOST_IN_LOOP


def is_small(x: View, most: int = MOST) -> bool:
    """Whether a stack of matrices is better computed by these statements."""
    m, n = x.shape[-2:]
    return 1 <= m == n <= most and x.dtype in (float32, float64) and 0 not in x.shape


class _Block:
    """Statements, and the arithmetic of one dtype that appends to them."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self.statements: list[Stmt] = []

    def let(self, e: Expr) -> Expr:
        """A local that holds an expression."""
        x = fresh_local(e.dtype)
        self.statements.append(Let(x, e))
        return x

    def minus_product(self, a: Expr, b: Expr, c: Expr) -> Expr:
        """``a - b c``."""
        return self.let(op("sub", self.dtype, a, op("mul", self.dtype, b, c)))

    def times(self, a: Expr, b: Expr) -> Expr:
        """``a b``."""
        return self.let(op("mul", self.dtype, a, b))

    def inverse(self, a: Expr) -> Expr:
        """``1 / a``."""
        return self.let(op("div", self.dtype, const(1, self.dtype), a))

    def load(self, x: View, outer: IndexTuple) -> Matrix:
        """A matrix of a stack."""
        m, n = x.shape[-2:]
        at = [[(*outer, int_const(i), int_const(j)) for j in range(n)] for i in range(m)]
        return [[self.let(x[index]) for index in row] for row in at]

    def fail_if(self, condition: Expr, status: Buffer) -> None:
        """Note a failure."""
        self.statements.append(If(condition, (Store(status, (), const(1, int32)),)))


def _any(conditions: Sequence[Expr]) -> Expr:
    found, *rest = conditions
    for c in rest:
        found = op("or", BOOL, found, c)
    return found


def _lu(block: _Block, a: Matrix) -> list[list[Expr]]:
    """Factor in place with partial pivoting.

    Returns:
        For each step k a condition for each row below: whether it was exchanged with row k.
    """
    n, dtype = len(a), block.dtype
    exchanges: list[list[Expr]] = []
    for k in range(n):
        best = block.let(op("abs", dtype, a[k][k]))
        chosen: Expr = block.let(const(k, int32))
        for i in range(k + 1, n):
            size = block.let(op("abs", dtype, a[i][k]))
            larger = block.let(op("gt", BOOL, size, best))
            best = block.let(select(larger, size, best))
            chosen = block.let(select(larger, const(i, int32), chosen))
        swapped = [block.let(op("eq", BOOL, chosen, const(i, int32))) for i in range(k + 1, n)]
        for j in range(n):
            _exchange(block, [row[j] for row in a], k, swapped, lambda i, e, j=j: _put(a, i, j, e))
        exchanges.append(swapped)
        scale = block.inverse(a[k][k])
        for i in range(k + 1, n):
            a[i][k] = block.times(a[i][k], scale)
            for j in range(k + 1, n):
                a[i][j] = block.minus_product(a[i][j], a[i][k], a[k][j])
    return exchanges


def _put(a: Matrix, i: int, j: int, e: Expr) -> None:
    a[i][j] = e


def _exchange(block: _Block, column: list[Expr], k: int, swapped: list[Expr], put: object) -> None:
    """Exchange element k of a column with the one below it that a condition names."""
    assert callable(put)
    first = column[k]
    for i, condition in enumerate(swapped, k + 1):
        first = Select(first.dtype, condition, column[i], first)
    for i, condition in enumerate(swapped, k + 1):
        put(i, block.let(Select(first.dtype, condition, column[k], column[i])))
    put(k, block.let(first) if swapped else first)


def _zero_pivot(a: Matrix, dtype: DType) -> Expr:
    return _any([op("eq", BOOL, a[k][k], const(0, dtype)) for k in range(len(a))])


def solve_nest(a: View, b: View) -> Nest:
    """``a x = b``, and whether some a is singular.  a: T[..., n, n], b: T[..., n, k]."""
    n, dtype = a.shape[-1], a.dtype

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, status = outs
        block = _Block(dtype)
        factors = block.load(a, outer)
        exchanges = _lu(block, factors)
        block.fail_if(_zero_pivot(factors, dtype), status)
        scale = [block.inverse(factors[k][k]) for k in range(n)]

        def column(c: Expr) -> list[Stmt]:
            inner = _Block(dtype)
            x = [inner.let(b[(*outer, int_const(i), c)]) for i in range(n)]
            for k in range(n):
                _exchange(inner, list(x), k, exchanges[k], x.__setitem__)
            for k in range(n):
                for i in range(k + 1, n):
                    x[i] = inner.minus_product(x[i], factors[i][k], x[k])
            for k in reversed(range(n)):
                x[k] = inner.times(x[k], scale[k])
                for i in range(k):
                    x[i] = inner.minus_product(x[i], factors[i][k], x[k])
            stores = [Store(out, (*outer, int_const(i), c), x[i]) for i in range(n)]
            return [*inner.statements, *stores]

        return [*block.statements, *_columns(b.shape[-1], column)]

    outputs = ((b.shape, dtype), _status)
    return Nest(outputs, a.shape[:-2], body, failure=SINGULAR, lanes=True)


def _columns(count: int, column: object) -> list[Stmt]:
    """The statements of every column: written out, or a loop."""
    assert callable(column)
    if count <= _COLUMNS:
        return [s for c in range(count) for s in column(int_const(c))]
    c = fresh_index("c")
    return [For(c, extent(count), tuple(column(c)), "vector")]


def lu_nest(a: View) -> Nest:
    """LU factors, pivots and permutation, as `fxla.ops.linalg.Lu` gives them."""
    n, dtype = a.shape[-1], a.dtype

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, pivots, perm = outs
        block = _Block(dtype)
        factors = block.load(a, outer)
        exchanges = _lu(block, factors)
        order: list[Expr] = [const(i, int32) for i in range(n)]
        stores: list[Stmt] = []
        for k, swapped in enumerate(exchanges):
            _exchange(block, list(order), k, swapped, order.__setitem__)
            pivot: Expr = const(k, int32)
            for i, condition in enumerate(swapped, k + 1):
                pivot = select(condition, const(i, int32), pivot)
            stores.append(Store(pivots, (*outer, int_const(k)), pivot))
        for i in range(n):
            stores.append(Store(perm, (*outer, int_const(i)), order[i]))
            for j in range(n):
                stores.append(Store(out, (*outer, int_const(i), int_const(j)), factors[i][j]))
        return [*block.statements, *stores]

    short = (*a.shape[:-2], n)
    outputs = ((a.shape, dtype), (short, int32), (short, int32))
    return Nest(outputs, a.shape[:-2], body, lanes=True)


def cholesky_nest(a: View) -> Nest:
    """``a = L L^T``, and whether some a is not positive definite; reads the lower triangle."""
    n, dtype = a.shape[-1], a.dtype

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, status = outs
        block = _Block(dtype)
        zero = const(0, dtype)
        lower: Matrix = [[zero] * n for _ in range(n)]
        good: list[Expr] = []
        for j in range(n):
            scale: Expr = zero
            for i in range(j, n):
                total = block.let(a[(*outer, int_const(i), int_const(j))])
                for k in range(j):
                    total = block.minus_product(total, lower[i][k], lower[j][k])
                if i == j:
                    good.append(block.let(op("gt", BOOL, total, zero)))
                    lower[j][j] = block.let(op("sqrt", dtype, total))
                    scale = block.inverse(lower[j][j])
                else:
                    lower[i][j] = block.times(total, scale)
        block.fail_if(_any([op("not", BOOL, g) for g in good]), status)
        stores = [
            Store(out, (*outer, int_const(i), int_const(j)), lower[i][j])
            for i in range(n)
            for j in range(n)
        ]
        return [*block.statements, *stores]

    outputs = ((a.shape, dtype), _status)
    return Nest(outputs, a.shape[:-2], body, failure=NOT_POSITIVE, lanes=True)


def triangular_nest(
    a: View,
    b: View,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    unit_diagonal: bool,
) -> Nest:
    """``op(a) x = b`` or ``x op(a) = b``; see `fxla.ops.linalg.TriangularSolve`."""
    n, dtype = a.shape[-1], a.dtype
    turned = transpose_a if left_side else not transpose_a  # a column's system has a transposed
    forward = lower != turned
    order = list(range(n)) if forward else list(reversed(range(n)))

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        (out,) = outs
        block = _Block(dtype)
        known: dict[tuple[int, int], Expr] = {}
        for at, i in enumerate(order):
            for j in order[: at + (not unit_diagonal)]:
                row, column = (j, i) if turned else (i, j)
                e = block.let(a[(*outer, int_const(row), int_const(column))])
                known[i, j] = block.inverse(e) if i == j else e

        def place(i: int, c: Expr) -> IndexTuple:
            return (*outer, int_const(i), c) if left_side else (*outer, c, int_const(i))

        def solved(c: Expr) -> list[Stmt]:
            inner = _Block(dtype)
            x: dict[int, Expr] = {}
            for at, i in enumerate(order):
                total = inner.let(b[place(i, c)])
                for j in order[:at]:
                    total = inner.minus_product(total, known[i, j], x[j])
                x[i] = total if unit_diagonal else inner.times(total, known[i, i])
            return [*inner.statements, *(Store(out, place(i, c), x[i]) for i in range(n))]

        return [*block.statements, *_columns(b.shape[-1 if left_side else -2], solved)]

    return Nest(((b.shape, dtype),), a.shape[:-2], body, lanes=True)
