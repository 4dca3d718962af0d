"""Contractions: loop nests that add up products of two arrays, and how they are cut into chunks.

A contraction is a nest of ordinary loops. For every result it adds up products of an element of the
*left* array, which does not depend on the column, and one of the *right* array, which is contiguous
along it; what follows the sum, up to the stores, is the *epilogue*:

    for i < rows [tile]:
        for j < columns [tile]:
            var sum = 0.0
            for k < depth [serial]:          # any number of such levels
                sum = sum + left[i, k] * right[k, j]
            out[i, j] = tanh(sum + bias[j])  # any lets and stores

Narrow integers are widened: ``int32(left[i, k]) * int32(right[k, j])``.

A matrix product in any layout is one, and so is a convolution, whose left array is read through a
shifted view: ``left[n, i + k, c]``. The two loops of kind ``tile`` say that a printer may compute a
block of results at a time (`fxla.loops.native.contraction`); otherwise they are serial loops.

`block_contraction` makes such a nest from plain loops: every iteration of its parallel loop is a
chunk of results that one thread computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Assign,
    Cast,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    walk_exprs,
)
from fxla.loops.rewrite import Rewriter
from fxla.loops.size import least, whole
from fxla.loops.tile_kinds import BLOCK_DEPTH, tile_kind
from fxla.loops.view import binary, extent, int_const

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_ROWS",
    "STEP_WORK",
    "Contraction",
    "block_contraction",
    "contraction_of",
]

CHUNK_ROWS = 700
"""Rows of a chunk, at most: a multiple of the rows of the tallest tile. What a chunk packs of the
right operand serves all of them..."""
SHALLOW_ROWS = 350
"""... or this many, if the sums have one block of terms: they are still near when they are used."""
CHUNK_BYTES = 2048
"""Bytes of a row of a chunk, at most, for which what it lays of the left operand serves..."""
PANEL_BYTES = 128
"""... and what they are a multiple of, unless there are fewer: columns of the widest tile."""
SLENDER = 5
"""Rows of a chunk are halved before its columns, if there are more than so many for each: what it
moves of the left operand would serve few."""
TILE_ROWS = 14
"""Rows of the tallest tile."""
FEW_ROWS = 42
"""Rows of a chunk whose right operand is small: its results stay in the first cache."""
SMALL_RIGHT = 1 << 19
"""Bytes of a right operand that stays in the second cache however its rows are cut."""
FEWEST_ROWS = 16
"""Rows of an only chunk, at least, that are halved: fewer would wait for each sum of theirs."""
RUN = 8
"""Iterations of a sum's innermost loop that are enough for a tile."""
CHUNK_WORK = 1 << 19
"""Multiplications of a chunk, at least: some ten microseconds..."""
STEP_WORK = 1 << 18
"""... and in a loop's body, where threads that shared the step before are still awake."""
CHUNKS = 8
"""Chunks that a contraction with work enough is cut into, at least; twice as many if two threads
could not share them evenly."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """The parts of a contraction.

    Attributes:
        rows, columns: its two loops of kind ``tile``.
        total: the local that is summed into.
        levels: the loops of the sum, outermost first.
        left, right: the elements that are multiplied.
        epilogue: what is done with each sum.
    """

    rows: For
    columns: For
    total: Local
    levels: tuple[For, ...]
    left: Load
    right: Load
    epilogue: tuple[Stmt, ...]


def contraction_of(rows: Stmt) -> Contraction | None:
    """The contraction that a loop of kind ``tile`` is; None if it is anything else."""
    if not (isinstance(rows, For) and rows.kind == "tile" and len(rows.body) == 1):
        return None
    columns = rows.body[0]
    if not (isinstance(columns, For) and columns.kind == "tile"):
        return None
    return _parts(rows, columns)


def _parts(rows: For, columns: For) -> Contraction | None:
    match columns.body:
        case (
            Let(local=total, value=Const(value=0), mutable=True),
            For() as outermost,
            *epilogue,
        ) if all(isinstance(s, Let | Store) for s in epilogue):
            pass
        case _:
            return None
    levels = [outermost]
    while len(levels[-1].body) == 1 and isinstance(levels[-1].body[0], For):
        levels.append(levels[-1].body[0])
    match levels[-1].body:
        case (
            Assign(
                local=into,
                value=Op(name="add", args=(Local(name=again), Op(name="mul", args=(x, y)))),
            ),
        ) if into.name == total.name == again:
            first, second = _operand(x, total), _operand(y, total)
        case _:
            return None
    if first is None or second is None or first.dtype != second.dtype:
        return None
    x, y = first, second
    i, j = rows.index.name, columns.index.name
    left, right = (y, x) if j in _indices(x) else (x, y)
    if j in _indices(left) or i in _indices(right):
        return None
    names = {i, j, *(level.index.name for level in levels)}
    if not (right.index and _counts(right.index[-1], j)):
        return None
    if any(j in _indices(e) for e in right.index[:-1]):
        return None
    if not all(_is_affine(e, names) for e in (*left.index, *right.index)):
        return None
    if not all(names.isdisjoint(_indices(level.extent)) for level in levels):
        return None
    return Contraction(rows, columns, total, tuple(levels), left, right, tuple(epilogue))


def _operand(e: Expr, total: Local) -> Load | None:
    """The element that is multiplied: of the dtype of the sum, or a narrow integer's, widened."""
    if isinstance(e, Cast) and e.dtype == total.dtype and isinstance(e.arg, Load):
        return e.arg if tile_kind(total.dtype, e.arg.dtype) is not None else None
    return e if isinstance(e, Load) and e.dtype == total.dtype else None


def _indices(e: Expr) -> set[str]:
    """The loop indices that an expression depends on."""
    return {x.name for x in walk_exprs(e) if isinstance(x, Index)}


def _counts(e: Expr, name: str) -> bool:
    """Whether an index grows by one with a loop's index."""
    match e:
        case Index():
            return e.name == name
        case Op(name="add", args=(a, b)):
            return (_counts(a, name) and name not in _indices(b)) or (
                _counts(b, name) and name not in _indices(a)
            )
    return False


def _is_affine(e: Expr, names: set[str]) -> bool:
    """Whether an index grows by a fixed step with each of the loop indices `names`."""
    match e:
        case Index() | Const() | Extent() | Local():
            return True
        case Op(name="add" | "sub", args=(a, b)):
            return _is_affine(a, names) and _is_affine(b, names)
        case Op(name="mul", args=(a, b)):
            fixed = any(names.isdisjoint(_indices(x)) for x in (a, b))
            return fixed and _is_affine(a, names) and _is_affine(b, names)
    return not isinstance(e, Load) and names.isdisjoint(_indices(e))


# ---------------------------------------------------------------------------- blocks


def block_contraction(kernel: Kernel, work: int = CHUNK_WORK) -> Kernel | None:
    r"""Cut a plain nest into chunks of results; None if it is not a contraction.

    Args:
        kernel: one nest of loops around a sum of products, with literal extents.
        work: multiplications of a chunk, at least.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Buffer
        >>> from fxla.loops.view import const, fresh_index, fresh_local
        >>> f4 = np.dtype("f4")
        >>> def array(name, *shape):
        ...     return Buffer(name, f4, tuple(extent(n) for n in shape))
        >>> a, b, out = array("a", 300, 40), array("b", 40, 100), array("out", 300, 100)
        >>> i, j, k, total = *(Index(INDEX, n) for n in "ijk"), Local(f4, "sum")
        >>> product = Op(f4, "mul", (Load(f4, a, (i, k)), Load(f4, b, (k, j))))
        >>> add = For(k, extent(40), (Assign(total, Op(f4, "add", (total, product))),))
        >>> body = (Let(total, const(0, f4), True), add, Store(out, (i, j), total))
        >>> nest = For(i, extent(300), (For(j, extent(100), body),))
        >>> blocked = block_contraction(Kernel("product", (a, b), (out,), (), (nest,)))
        >>> print("\n".join(str(blocked).splitlines()[:6]))
        kernel product(a: float32[300, 40], b: float32[40, 100]) -> out: float32[300, 100]:
            for chunk < (((300 + (38 + -1)) // 38) * ((100 + (100 + -1)) // 100)) [parallel]:
                let chunk0: int64 = (chunk % ((300 + (38 + -1)) // 38))
                let chunk1: int64 = (chunk // ((300 + (38 + -1)) // 38))
                for i < minimum(38, (300 - (chunk0 * 38))) [tile]:
                    for j < minimum(100, (100 - (chunk1 * 100))) [tile]:
    """
    loops: list[For] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], For):
        loops.append(body[0])
        body = loops[-1].body
    if len(loops) < 2 or not all(_literal(loop.extent) for loop in loops):
        return None
    columns = replace(loops[-1], kind="tile")
    found: Contraction | None = None
    for at in _row_candidates(loops):
        found = _parts(replace(loops[at], kind="tile", body=(columns,)), columns)
        if found is not None and all(_literal(level.extent) for level in found.levels):
            others = [loop for k, loop in enumerate(loops[:-1]) if k != at]
            return replace(kernel, body=_chunked(found, others, work))
    return None


def _literal(e: Expr) -> bool:
    return isinstance(e, Extent | Const) and getattr(e, "name", None) is None


def _number(e: Expr) -> int:
    assert isinstance(e, Extent | Const)
    return whole(e.value)


def _row_candidates(loops: Sequence[For]) -> list[int]:
    """Which outer loop could be the rows, the best first: the innermost that is long enough."""
    order = sorted(range(len(loops) - 1), key=lambda k: (-min(_number(loops[k].extent), 12), -k))
    return order


def _chunked(c: Contraction, others: list[For], work: int) -> tuple[Stmt, ...]:
    """The nest in which each iteration of the outermost loop is a chunk."""
    m, n = _number(c.rows.extent), _number(c.columns.extent)
    depth = math.prod(_number(level.extent) for level in c.levels)
    count = math.prod(_number(loop.extent) for loop in others)
    sizes_of_chunk = chunk_shape(m, n, depth, count, c.total.dtype.itemsize, work)
    row_step, column_step = (
        Extent(INDEX, size, role=role)
        for size, role in zip(sizes_of_chunk, ("rows", "columns"), strict=True)
    )
    row_chunks, column_chunks = _parts_of(extent(m), row_step), _parts_of(extent(n), column_step)
    # Chunks that read the same of the right operand follow each other.
    alike = [loop for loop in reversed(others) if not _reads(c.right, loop)]
    apart = [loop for loop in reversed(others) if _reads(c.right, loop)]
    sizes = [
        row_chunks, *(loop.extent for loop in alike),
        column_chunks, *(loop.extent for loop in apart),
    ]  # fmt: skip
    chunk = Index(INDEX, "chunk")
    lets: list[Stmt] = []
    places: list[Expr] = []
    rest: Expr = chunk
    for k, size in enumerate(sizes):
        last = k == len(sizes) - 1
        if _number(size) == 1 if _literal(size) else False:
            places.append(int_const(0))
            continue
        local = Local(INDEX, f"chunk{k}")
        lets.append(Let(local, rest if last else binary("mod", rest, size)))
        places.append(local)
        if not last:
            rest = binary("floordiv", rest, size)
    row_place, column_place = places[0], places[len(alike) + 1]
    row_start, column_start = (
        binary("mul", row_place, row_step),
        binary("mul", column_place, column_step),
    )
    i, j = c.rows.index, c.columns.index
    position: dict[str, Expr] = {
        i.name: binary("add", row_start, i),
        j.name: binary("add", column_start, j),
    }
    position |= {loop.index.name: p for loop, p in zip(alike, places[1:], strict=False)}
    position |= {
        loop.index.name: p for loop, p in zip(apart, places[len(alike) + 2 :], strict=True)
    }
    body = (Let(c.total, Const(c.total.dtype, c.total.dtype.type(0)), True), _ordered(c))
    moved = Rewriter(lambda e: position.get(e.name, e) if isinstance(e, Index) else e)
    inside = tuple([_moved(s, moved) for s in (*body, *c.epilogue)])
    few = Op(INDEX, "minimum", (row_step, binary("sub", extent(m), row_start)))
    narrow = Op(INDEX, "minimum", (column_step, binary("sub", extent(n), column_start)))
    columns = For(j, narrow, inside, "tile")
    rows = For(i, few, (columns,), "tile")
    total: Expr = sizes[0]
    for size in sizes[1:]:
        total = binary("mul", total, size)
    return (For(chunk, total, (*lets, rows), "parallel"),)


def _reads(load: Load, loop: For) -> bool:
    """Whether what a load reads depends on a loop."""
    return loop.index.name in _indices(load)


def _parts_of(n: Expr, step: Expr) -> Expr:
    """How many parts of a size cover an extent."""
    return binary("floordiv", binary("add", n, binary("add", step, int_const(-1))), step)


def _moved(s: Stmt, moved: Rewriter) -> Stmt:
    """A statement with other positions, its own loop indices as they are."""
    if isinstance(s, For):
        return replace(s, body=tuple([_moved(inner, moved) for inner in s.body]))
    return moved.stmt(s)


def _ordered(c: Contraction) -> For:
    """The loops of the sum: a tile runs over the innermost without interruption.

    That is the longest, if all are short. Else it is the one of at least `RUN` iterations along
    which memory is nearest, and the nearest are around it: the sum of a kernel's derivative, over
    images and places, runs along places, for elements of two images lie in different pages.
    """
    levels = sorted(c.levels, key=lambda level: _number(level.extent))
    if _number(levels[-1].extent) >= RUN:
        levels.sort(key=lambda level: -_step(c, level.index.name))
        inner = [level for level in levels if _number(level.extent) >= RUN][-1]
        levels = [*[level for level in levels if level is not inner], inner]
    body = c.levels[-1].body
    for level in reversed(levels):
        body = (replace(level, body=body),)
    (outermost,) = body
    assert isinstance(outermost, For)
    return outermost


def _step(c: Contraction, name: str) -> int:
    """By how many elements both operands' places grow with a loop's index, about."""
    total = 0
    for load in (c.left, c.right):
        stride = 1
        for e, n in zip(reversed(load.index), reversed(load.buffer.shape), strict=True):
            total += _coefficient(e, name) * stride
            stride *= _number(n)
    return total


def _coefficient(e: Expr, name: str) -> int:
    """By how much an affine index grows with a loop's index, without its sign."""
    match e:
        case Index():
            return int(e.name == name)
        case Op(name="add" | "sub", args=(x, y)):
            return _coefficient(x, name) + _coefficient(y, name)
        case Op(name="mul", args=(x, y)):
            p, q = _coefficient(x, name), _coefficient(y, name)
            factor = y if p else x
            return (p + q) * (_number(factor) if _literal(factor) else 1)
    return 0


def chunk_shape(
    m: int, n: int, depth: int, count: int, itemsize: int, work: int = CHUNK_WORK
) -> tuple[int, int]:
    """Rows and columns of each chunk of a contraction, by its sizes alone.

    Example:
        >>> chunk_shape(1024, 1024, 1024, 1, 4), chunk_shape(32, 128, 784, 1, 4)
        ((518, 256), (16, 64))
    """
    panel = PANEL_BYTES // itemsize
    most = CHUNK_ROWS if depth > BLOCK_DEPTH else SHALLOW_ROWS
    if depth * n * itemsize <= SMALL_RIGHT:
        most = FEW_ROWS
    rows = _whole_tiles(m, -(-m // most))
    columns = _whole_panels(n, -(-n * itemsize // CHUNK_BYTES), panel)
    while True:
        chunks = -(-m // rows) * -(-n // columns) * count
        if chunks >= CHUNKS * (1 + chunks % 2):
            break
        # an odd number of chunks leaves one of two threads without any for the time of one
        if rows * columns * depth < (work if chunks % 2 and chunks > 1 else 2 * work):
            break
        if rows > SLENDER * columns and rows >= FEW_ROWS:
            rows = _whole_tiles(rows, 2)
        elif columns > 2 * panel or (rows < 28 and columns > panel):
            columns = _whole_panels(columns, 2, panel)
        elif rows >= 28:
            rows = _whole_tiles(rows, 2)
        elif columns > panel // 2:
            columns = panel // 2
        elif rows >= FEWEST_ROWS and chunks == 1:
            rows = _whole_tiles(rows, 2)
        else:
            break
    return rows, columns


def _whole_panels(n: int, parts: int, panel: int) -> int:
    """Columns of each of so many parts: whole panels, if they have more than one."""
    return least(-(-n // (parts * panel)) * panel, n)


def _whole_tiles(m: int, parts: int) -> int:
    """Rows of each of so many parts: many tiles, if they are many; an even number else."""
    rows = -(-m // parts)
    unit = TILE_ROWS if rows >= 4 * TILE_ROWS else 2
    return least(-(-rows // unit) * unit, m)
