"""How many iterations of a kernel's parallel loop run as one chunk, from an estimate of their work.

The unit of work is about 0.02 ns: an addition of two vectors, for each lane of 4 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from fxla.loops.contraction import contraction_of
from fxla.loops.ir import (
    Assign,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    While,
    children,
)
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.size import least, whole

__all__ = ["CHUNK_WORK", "chunk_size", "count_of"]

CHUNK_WORK = 150_000
"""Work of a chunk, at least: some microseconds, so that sharing it costs little."""
CHUNKS = 128
"""Chunks of a launch, at most."""
ALIGNED = 64
"""Chunks of single elements are multiples of this many: vectors, and no shared cache lines."""

_MEMORY = 3.0
"""Work of a load or store."""
_UNKNOWN = 16
"""A guess at how often a loop runs whose extent is computed."""


def chunk_size(kernel: Kernel, work: int = 0) -> int:
    """Iterations of the outermost loop for one chunk; 0 if the kernel cannot be split.

    Args:
        kernel: with literal extents (before `parametrise`).
        work: of all iterations, if somebody knows it better than the statements tell.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Buffer
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("f4"), (extent(10**6),)) for n in ("x", "out"))
        >>> i = fresh_index()
        >>> body = For(i, extent(10**6), (Store(out, (i,), Load(x.dtype, x, (i,))),), "parallel")
        >>> chunk_size(Kernel("copy", (x,), (out,), (), (body,)))
        25024
    """
    first = kernel.body[0] if len(kernel.body) == 1 else None
    if not isinstance(first, For) or first.kind != "parallel":
        return 0
    count = count_of(first.extent)
    if count is None or count < 2:
        return max(count or 0, 1)
    wanted = math.floor((work or count * _block_work(first.body)) / CHUNK_WORK)
    chunks = least(wanted, CHUNKS, count)
    if chunks < 2:
        return count
    size = -(-count // chunks)
    straight = not any(isinstance(s, For | While) for s in first.body)
    return -(-size // ALIGNED) * ALIGNED if straight else size


def _block_work(body: Iterable[Stmt], seen: set[int] | None = None) -> float:
    """Work of one run of a block; what is `seen` is computed already."""
    work = 0.0
    seen = set() if seen is None else seen
    for s in body:
        match s:
            case For(kind="tile", extent=extent):
                work += _tile_work(s)
            case For(extent=extent, body=inner):
                n = count_of(extent)
                work += 8 + (_UNKNOWN if n is None else n) * _block_work(inner, seen)
            case While(condition=condition, body=inner):
                work += _UNKNOWN * (_expr_work(condition, seen) + _block_work(inner, seen))
            case If(condition=condition, then=then, otherwise=otherwise):
                work += (
                    _expr_work(condition, seen)
                    + _block_work(then, seen)
                    + _block_work(otherwise, seen)
                )
            case Let(value=value) | Assign(value=value):
                work += _expr_work(value, seen)
            case Store(value=value):
                work += _MEMORY * _lanes(value) + _expr_work(value, seen)
    return work


def _tile_work(rows: For) -> float:
    """Work of a contraction by tiles: its multiplications, and its epilogue for each result."""
    c = contraction_of(rows)
    if c is None:
        return float(_UNKNOWN)
    results = depth = 1
    for loop in (c.rows, c.columns):
        results *= count_of(loop.extent) or _UNKNOWN
    for loop in c.levels:
        depth *= count_of(loop.extent) or _UNKNOWN
    return results * (depth * c.total.dtype.itemsize / 4 + _block_work(c.epilogue))


def _expr_work(root: Expr, seen: set[int]) -> float:
    """Work of an expression, index arithmetic aside."""
    work = 0.0
    stack = [root]
    while stack:
        e = stack.pop()
        if id(e) in seen:
            continue
        seen.add(id(e))
        kind = type(e)
        if kind is Load:
            work += _MEMORY * _lanes(e)
        elif kind is Op:
            row = SCALAR_OPS.get(e.name)  # type: ignore[attr-defined]
            work += (row.cost if row is not None else 1) * _lanes(e)
            stack += children(e)
        else:
            stack += children(e)
    return work


def _lanes(e: Expr) -> float:
    """How many lanes of 4 bytes an element takes."""
    return max(e.dtype.itemsize / 4, 0.5)


def count_of(e: Expr) -> int | None:
    """An extent's value where enclosing blocks are the first; None if it is not arithmetic."""
    match e:
        case Const(value=value) | Extent(value=value):
            return whole(value)
        case Index() | Local():
            return 0
        case Op(name=name, args=(a, b)):
            x, y = count_of(a), count_of(b)
            if x is None or y is None:
                return None
            match name:
                case "add":
                    return x + y
                case "sub":
                    return x - y
                case "mul":
                    return x * y
                case "floordiv" if y:
                    return x // y
                case "minimum":
                    return least(x, y)
                case "maximum":
                    return -least(-x, -y)
    return None
