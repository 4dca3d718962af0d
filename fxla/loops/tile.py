"""Walk transposed operands in tiles.

A map whose lanes run along j while an operand is stored along i touches a new cache line for every
lane, and where the row length is a power of two all those lines fight for one place in the cache.
Cut into tiles of 16 by 64, each tile of the operand is first copied, row by row, to scratch memory
that stays in the first cache, and read across from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fxla.loops.ir import (
    INDEX,
    Alloc,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Op,
    Stmt,
    Store,
)
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.view import binary, int_const

__all__ = ["TILE", "blocks", "tile_transposed", "within"]

TILE = (16, 64)
"""Tile sizes along the axis an operand is contiguous in, and along the vector axis."""

_names = itertools.count()


def blocks(n: Expr, size: int) -> Expr:
    """How many blocks of `size` cover `n`."""
    return binary("floordiv", binary("add", n, int_const(size - 1)), int_const(size))


def within(n: Expr, block: Expr, size: int) -> Expr:
    """Elements of a block: `size`, or what is left for the last one."""
    rest = binary("sub", n, binary("mul", block, int_const(size)))
    return Op(INDEX, "minimum", (int_const(size), rest))


@dataclass(frozen=True, slots=True)
class _Nest:
    """Perfectly nested map loops around a straight block."""

    loops: tuple[For, ...]
    body: tuple[Stmt, ...]


def tile_transposed(kernel: Kernel) -> Kernel:
    """Tile a kernel that is one map with an operand transposed against its vector axis."""
    nest = _perfect(kernel.body)
    if nest is None or len(nest.loops) < 2 or nest.loops[-1].kind != "vector":
        return kernel
    vector = nest.loops[-1]
    along = _transposed_axis(nest)
    if along is None:
        return kernel
    (i, n), (j, m) = (along.index, along.extent), (vector.index, vector.extent)
    ib, jb = (Index(INDEX, f"b{next(_names)}") for _ in range(2))
    ii, jj = (Index(INDEX, f"k{next(_names)}") for _ in range(2))
    position = {
        i.name: binary("add", binary("mul", ib, int_const(TILE[0])), ii),
        j.name: binary("add", binary("mul", jb, int_const(TILE[1])), jj),
    }
    copies, staged = _staged(nest, i, j, (jj, ii))
    mover = _Substitution(position, staged)
    body: tuple[Stmt, ...] = mover.block(nest.body)
    body = (For(jj, within(m, jb, TILE[1]), body, "vector"),)
    body = (For(ii, within(n, ib, TILE[0]), body),)
    for scratch, source in copies:
        moved = Load(source.dtype, source.buffer, tuple(map(mover.expr, source.index)))
        fill: Stmt = Store(scratch, (jj, ii), moved)
        fill = For(ii, within(n, ib, TILE[0]), (fill,), "vector")
        body = (Alloc(scratch), For(jj, within(m, jb, TILE[1]), (fill,)), *body)
    body = (For(jb, blocks(m, TILE[1]), body),)
    body = (For(ib, blocks(n, TILE[0]), body),)
    others = [lp for lp in nest.loops[:-1] if lp is not along]
    for lp in reversed(others):
        body = (replace(lp, body=body, kind="serial"),)
    (outermost,) = body
    assert isinstance(outermost, For)
    return replace(kernel, body=(replace(outermost, kind="parallel"),))


class _Substitution(Rewriter):
    """Puts expressions in place of indices, and scratch elements in place of staged loads."""

    def __init__(self, position: dict[str, Expr], staged: dict[int, Expr]) -> None:
        super().__init__(lambda e: position.get(e.name, e) if isinstance(e, Index) else e)
        self.staged = staged

    def expr(self, e: Expr) -> Expr:
        for node in postorder([e]):
            if id(node) in self.staged:
                self._done.setdefault(id(node), self.staged[id(node)])
        return super().expr(e)


def _staged(
    nest: _Nest, i: Index, j: Index, place: tuple[Expr, Expr]
) -> tuple[list[tuple[Buffer, Load]], dict[int, Expr]]:
    """Scratch for each operand stored along i, and for each load of it (by id) what replaces it."""
    copies: dict[tuple[object, ...], tuple[Buffer, Load]] = {}
    staged: dict[int, Expr] = {}
    for s in nest.body:
        for e in postorder(stmt_exprs(s)):
            if not isinstance(e, Load) or not _is_transposed(e, i.name, j.name):
                continue
            key = (e.buffer.name, *(x.name if isinstance(x, Index) else id(x) for x in e.index))
            if key not in copies:
                shape = (int_const(TILE[1]), int_const(TILE[0]))
                copies[key] = (Buffer(f"tile{len(copies)}", e.dtype, shape), e)
            staged[id(e)] = Load(e.dtype, copies[key][0], place)
    return list(copies.values()), staged


def _is_transposed(e: Load, i: str, j: str) -> bool:
    """Whether a load is contiguous along i and strided along j.

    Its other indices must be plain too: a computed one, as of a padded axis, may lie inside the
    buffer only where a `Select` lets it be read, and a tile is copied whole.
    """
    names = [x.name if isinstance(x, Index) else None for x in e.index]
    plain = all(isinstance(x, (Index, Const, Extent)) for x in e.index)
    return plain and len(names) > 1 and names[-1] == i and names[:-1].count(j) == 1


def _perfect(body: Sequence[Stmt]) -> _Nest | None:
    """The loops, if a block is one perfect nest around Lets and Stores."""
    loops: list[For] = []
    while len(body) == 1 and isinstance(body[0], For):
        loops.append(body[0])
        body = body[0].body
    straight = all(isinstance(s, Store) or (isinstance(s, Let) and not s.mutable) for s in body)
    return _Nest(tuple(loops), tuple(body)) if loops and straight else None


def _transposed_axis(nest: _Nest) -> For | None:
    """The loop along which an operand is contiguous while lanes run along another of its axes."""
    vector = nest.loops[-1].index.name
    by_name = {lp.index.name: lp for lp in nest.loops[:-1]}
    for s in nest.body:
        for e in postorder(stmt_exprs(s)):
            if not isinstance(e, Load) or not e.index:
                continue
            last = e.index[-1]
            if isinstance(last, Index) and _is_transposed(e, last.name, vector):
                return by_name.get(last.name)
    return None
