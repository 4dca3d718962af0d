"""Factorisations of stacks of middle-sized matrices as loops.

A call of LAPACK for each matrix of a stack goes through Python. Matrices of some dozen rows are
factored by loops instead, the stack in parallel: LAPACK's unblocked algorithms, row by row, so that
vectors run along rows. Smaller ones are written out (`fxla.ops.small_matrix`), larger ones and
single ones stay with LAPACK.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxla.core.dtypes import float32, float64, int32
from fxla.loops.ir import BOOL, INDEX, Assign, Buffer, Expr, For, If, Let, Load, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
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
from fxla.ops.small_matrix import NOT_POSITIVE

__all__ = ["MOST", "is_stack", "stacked_cholesky_nest", "stacked_lu_nest"]

MOST = 48
"""Rows of a matrix, at most; above, LAPACK's blocks gain more than its calls cost."""
FEWEST = 4
"""Matrices of a stack, at least."""

_ONE = int_const(1)


def is_stack(x: View) -> bool:
    """Whether a stack of matrices is better factored by loops than by LAPACK."""
    *lead, m, n = x.shape
    return x.dtype in (float32, float64) and 1 <= m == n <= MOST and math.prod(lead) >= FEWEST


def stacked_lu_nest(a: View) -> Nest:
    """LU factors, pivots and permutation, as `fxla.ops.linalg.Lu` gives them."""
    n, dtype = a.shape[-1], a.dtype
    size = extent(n)

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, pivots, perm = outs
        k, chosen = fresh_index("k"), fresh_local(INDEX, "chosen")
        best, length = fresh_local(dtype, "best"), fresh_local(dtype, "length")
        first = fresh_index("i")

        def at(i: Expr, j: Expr) -> Expr:
            return Load(dtype, out, (*outer, i, j))

        below = binary("sub", binary("sub", size, k), _ONE)
        i, row = fresh_index("i"), fresh_local(INDEX, "row")
        seek = For(
            i,
            below,
            (
                Let(row, binary("add", binary("add", k, _ONE), i)),
                Let(length, op("abs", dtype, at(row, k))),
                If(compare("gt", length, best), (Assign(best, length), Assign(chosen, row))),
            ),
        )
        pivot = fresh_local(dtype, "pivot")
        scale = fresh_local(dtype, "scale")
        # of a column of zeros nothing is to be taken away
        safe = select(compare("eq", pivot, const(0, dtype)), const(1, dtype), pivot)
        step = (
            Let(best, op("abs", dtype, at(k, k)), mutable=True),
            Let(chosen, k, mutable=True),
            seek,
            Store(pivots, (*outer, k), cast(chosen, int32)),
            If(compare("ne", chosen, k), tuple(_exchange(out, perm, outer, k, chosen, size))),
            Let(pivot, at(k, k)),
            Let(scale, op("div", dtype, const(1, dtype), safe)),
            _eliminate(out, outer, k, below, scale),
        )
        return [
            _copy(a, out, outer, size),
            For(first, size, (Store(perm, (*outer, first), cast(first, int32)),), "vector"),
            For(k, size, step),
        ]

    short = (*a.shape[:-2], n)
    return Nest(((a.shape, dtype), (short, int32), (short, int32)), a.shape[:-2], body)


def _copy(a: View, out: Buffer, outer: IndexTuple, size: Expr) -> For:
    i, j = fresh_index("i"), fresh_index("j")
    here = (*outer, i, j)
    return For(i, size, (For(j, size, (Store(out, here, a[here]),), "vector"),))


def _exchange(
    out: Buffer, perm: Buffer, outer: IndexTuple, k: Expr, other: Expr, size: Expr
) -> list[Stmt]:
    """Exchange row k with another, and their places in the permutation."""
    j, kept, place = fresh_index("j"), fresh_local(out.dtype, "kept"), fresh_local(int32, "place")
    here, there = (*outer, k, j), (*outer, other, j)
    swap = (
        Let(kept, Load(out.dtype, out, here)),
        Store(out, here, Load(out.dtype, out, there)),
        Store(out, there, kept),
    )
    return [
        For(j, size, swap, "vector"),
        Let(place, Load(int32, perm, (*outer, k))),
        Store(perm, (*outer, k), Load(int32, perm, (*outer, other))),
        Store(perm, (*outer, other), place),
    ]


def _eliminate(out: Buffer, outer: IndexTuple, k: Expr, below: Expr, scale: Expr) -> For:
    """Take multiples of row k from the rows below it."""
    dtype = out.dtype
    i, j = fresh_index("i"), fresh_index("j")
    row, factor = fresh_local(INDEX, "row"), fresh_local(dtype, "factor")
    column = binary("add", binary("add", k, _ONE), j)
    here = (*outer, row, column)
    product = op("mul", dtype, factor, Load(dtype, out, (*outer, k, column)))
    left = op("sub", dtype, Load(dtype, out, here), product)
    return For(
        i,
        below,
        (
            Let(row, binary("add", binary("add", k, _ONE), i)),
            Let(factor, op("mul", dtype, Load(dtype, out, (*outer, row, k)), scale)),
            Store(out, (*outer, row, k), factor),
            For(j, below, (Store(out, here, left),), "vector"),
        ),
    )


def stacked_cholesky_nest(a: View) -> Nest:
    """``a = L L^T``, and whether some a is not positive definite; reads the lower triangle."""
    n, dtype = a.shape[-1], a.dtype
    size = extent(n)

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        out, status = outs
        i, j, k, rest = (fresh_index(stem) for stem in ("i", "j", "k", "r"))
        total, diagonal = fresh_local(dtype, "total"), fresh_local(dtype, "diagonal")

        def at(p: Expr, q: Expr) -> Expr:
            return Load(dtype, out, (*outer, p, q))

        def dot(p: Expr, q: Expr) -> tuple[Stmt, ...]:
            both = op("mul", dtype, at(p, k), at(q, k))
            return (
                Let(total, const(0, dtype), mutable=True),
                For(k, q, (Assign(total, op("add", dtype, total, both)),), "vector"),
            )

        def left(p: Expr, q: Expr) -> Expr:
            return op("sub", dtype, a[(*outer, p, q)], total)

        good = compare("gt", diagonal, const(0, dtype))
        above = binary("sub", binary("sub", size, i), _ONE)
        column = binary("add", binary("add", i, _ONE), rest)
        row = (
            For(
                j,
                i,
                (
                    *dot(i, j),
                    Store(out, (*outer, i, j), op("div", dtype, left(i, j), at(j, j))),
                ),
            ),
            *dot(i, i),
            Let(diagonal, left(i, i)),
            If(op("not", BOOL, good), (Store(status, (), const(1, int32)),)),
            Store(out, (*outer, i, i), op("sqrt", dtype, diagonal)),
            For(rest, above, (Store(out, (*outer, i, column), const(0, dtype)),), "vector"),
        )
        return [For(i, size, row)]

    outputs = ((a.shape, dtype), ((), int32))
    return Nest(outputs, a.shape[:-2], body, failure=NOT_POSITIVE)
