"""Short rows side by side: a kernel over rows takes several at a time.

A row whose passes depend on each other, as those of softmax do (maximum, sum, division), is a chain
of instructions that wait for each other. In a short row the waiting takes most of the time. Rows
do not wait for each other, so the passes of `ROWS` of them are interleaved, loop by loop:

    for i < n:                        for p < (n + 1) // 2:
        for j < m: a = max(a, x[i])       for j < m: a0 = max(a0, x[2p]); a1 = max(a1, x[i1])
        for j < m: out[i] = x[i] / a      for j < m: out[2p] = x[2p] / a0; out[i1] = x[i1] / a1

Rows that are summed beside one vector, as in ``x @ w``, are taken several at a time, too, be they
long: then the vector is read once for all of them.

This is unroll-and-jam (Callahan, Cocke, Kennedy, 1988). Where there is no row left, i1 is the last
one again: it is read before it is written, so both copies write the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Expr,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    walk_stmts,
)
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import Rewriter, all_exprs, postorder
from fxla.loops.view import binary, int_const

__all__ = ["ROWS", "SHORT_BYTES", "rows_abreast"]

ROWS = 2
"""Rows taken at a time."""
SHARING_ROWS = 4
"""Rows taken at a time that are read beside one vector."""
SHORT_BYTES = 1024
"""Bytes of a row, at most, that is short."""


def rows_abreast(kernel: Kernel) -> Kernel:
    """Take several rows at a time, if they are short and have several passes, or share a vector."""
    match kernel.body:
        case (For(kind="parallel", index=i, extent=n, body=body) as outer,):
            pass
        case _:
            return kernel
    if not _is_simple(body):
        return kernel
    loops = [s for s in walk_stmts(body) if isinstance(s, For) and s.kind == "vector"]
    if len(loops) > 1 and all(_is_short(s) for s in loops):
        together = ROWS
    elif len(loops) == 1 and _reads_one_vector(loops[0], i):
        together = SHARING_ROWS
    else:
        return kernel
    count = size_of_extent(n)
    if count is None or count < 2 * together:
        return kernel
    pair = Index(INDEX, f"{i.name}p")
    first = binary("mul", pair, int_const(together))
    last = binary("sub", n, int_const(1))
    scratch = frozenset(s.buffer.name for s in walk_stmts(body) if isinstance(s, Alloc))
    starts: list[Stmt] = []
    rows: list[Rewriter] = []
    for k in range(together):
        row = Local(INDEX, f"{i.name}_{k}")
        place = Op(INDEX, "minimum", (binary("add", first, int_const(k)), last)) if k else first
        starts.append(Let(row, place))
        rows.append(_row(i, row, k, scratch))
    inside = [new for s in body for new in _together(s, rows)]
    pairs = binary("floordiv", binary("add", n, int_const(together - 1)), int_const(together))
    loop = replace(outer, index=pair, extent=pairs, body=(*starts, *inside))
    return replace(kernel, body=(loop,))


def _reads_one_vector(s: For, row: Index) -> bool:
    """Whether every row is summed with the same vector, which then is read once for several."""
    if not all(isinstance(t, Assign) for t in s.body):
        return False
    reads = [set(postorder(e.index)) for e in all_exprs(s.body) if isinstance(e, Load)]
    along = [row in indices for indices in reads if s.index in indices]
    return any(along) and not all(along)


def _is_short(s: For) -> bool:
    """Whether a loop is one pass over a short row."""
    size = size_of_extent(s.extent)
    if s.kind != "vector" or size is None:
        return False
    sizes = [t.value.dtype.itemsize for t in s.body if isinstance(t, Let | Assign | Store)]
    return bool(size * max(sizes, default=1) <= SHORT_BYTES)


def _is_simple(body: Iterable[Stmt]) -> bool:
    """Whether copies of the statements can be interleaved."""
    for s in body:
        match s:
            case For(body=inner, kind="vector"):
                if not all(isinstance(t, Let | Assign | Store) for t in inner):
                    return False
                written = [t.buffer.name for t in inner if isinstance(t, Store)]
                if len(set(written)) < len(written):
                    return False
            case For(body=inner, kind="serial", extent=n) if size_of_extent(n) is not None:
                if not _is_simple(inner):
                    return False
            case Let() | Assign() | Alloc() | Store():
                pass
            case _:
                return False
    return True


def _row(i: Index, row: Local, k: int, own: frozenset[str]) -> Rewriter:
    """What makes a statement one of the k-th row, which has scratch memory of its own."""

    def change(e: Expr) -> Expr:
        if type(e) is Local:
            return Local(e.dtype, f"{e.name}_{k}")
        return row if e == i else e

    def change_buffer(b: Buffer) -> Buffer:
        return replace(b, name=f"{b.name}_{k}") if b.name in own else b

    return Rewriter(change, change_buffer)


def _together(s: Stmt, rows: list[Rewriter]) -> list[Stmt]:
    """A statement for all rows; of loops one, in which all is read before anything is written."""
    if not isinstance(s, For):
        return [row.stmt(s) for row in rows]
    if s.kind == "serial":
        return [replace(s, body=tuple([new for t in s.body for new in _together(t, rows)]))]
    copies = [row.block(s.body) for row in rows]
    computed = [t for copy in copies for t in copy if not isinstance(t, Store)]
    stored = [t for copy in copies for t in copy if isinstance(t, Store)]
    return [replace(s, body=(*computed, *stored))]
