"""Walk transposed operands in tiles.

A map whose lanes run along j while an operand is stored along i touches a new cache line for every
lane. Cut into tiles, the lines of a tile stay in the first cache until all of their elements are
used. The native printer transposes squares of a tile in registers (`fxla.loops.native.squares`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
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
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.view import binary, int_const

__all__ = ["TILE", "blocks", "power_below", "tile_transposed", "within"]

TILE = 64
"""Elements of a tile's side."""
SHORT = 8
"""An axis of an operand of at most this many elements is read whole by every lane."""

_names = itertools.count()


def blocks(n: Expr, size: int) -> Expr:
    """How many blocks of `size` cover `n`."""
    return binary("floordiv", binary("add", n, int_const(size - 1)), int_const(size))


def within(n: Expr, block: Expr, size: int) -> Expr:
    """Elements of a block: `size`, or what is left for the last one."""
    rest = binary("sub", n, binary("mul", block, int_const(size)))
    return Op(INDEX, "minimum", (int_const(size), rest))


def power_below(n: int) -> int:
    """The largest power of two that is not above `n`, a positive number.

    Example:
        >>> power_below(1), power_below(7), power_below(8)
        (1, 4, 8)
    """
    return 1 << (n.bit_length() - 1)


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
    others = [lp for lp in nest.loops[:-1] if lp is not along]
    if (size_of_extent(n) or SHORT + 1) <= SHORT:
        body: tuple[Stmt, ...] = (For(i, n, nest.body, "unroll"),)
        body = (For(j, m, body, "vector"),)
    else:
        body = _tiles(nest.body, along, vector)
    for lp in reversed(others):
        body = (replace(lp, body=body, kind="serial"),)
    (outermost,) = body
    assert isinstance(outermost, For)
    return replace(kernel, body=(replace(outermost, kind="parallel"),))


def _tiles(body: tuple[Stmt, ...], along: For, vector: For) -> tuple[Stmt, ...]:
    """Two loops as loops over tiles, and inside a tile."""
    (i, n), (j, m) = (along.index, along.extent), (vector.index, vector.extent)
    ib, jb = (Index(INDEX, f"b{next(_names)}") for _ in range(2))
    ii, jj = (Index(INDEX, f"k{next(_names)}") for _ in range(2))
    position = {
        i.name: binary("add", binary("mul", ib, int_const(TILE)), ii),
        j.name: binary("add", binary("mul", jb, int_const(TILE)), jj),
    }
    mover = Rewriter(lambda e: position.get(e.name, e) if isinstance(e, Index) else e)
    body = (For(jj, within(m, jb, TILE), mover.block(body), "vector"),)
    body = (For(ii, within(n, ib, TILE), body),)
    body = (For(jb, blocks(m, TILE), body),)
    return (For(ib, blocks(n, TILE), body),)


def _is_transposed(e: Load, i: str, j: str) -> bool:
    """Whether a load is contiguous along i and strided along j.

    Its other indices must be plain too: a computed one, as of a padded axis, may lie inside the
    buffer only where a `Select` lets it be read, and a square is read whole.
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
