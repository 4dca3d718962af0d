"""Reduce along the leading axes of an array while its rows stay whole.

A sum over rows, lane by lane, would walk down one strip of columns after another and touch a new
page for every row. Instead whole pieces of rows are added to a piece of the result that stays in
the first cache, several rows at a time. If there are too few such pieces for all cores, the rows
are cut into blocks of a size that follows from the shape alone, and a second kernel combines what
the blocks gave.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    AxisKind,
    Buffer,
    Expr,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.passes.tile import blocks, power_below, within
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import binary, extent, int_const

__all__ = ["COLUMNS", "SMALL_WORK", "Columns", "sum_columns"]

COLUMNS = 1024
"""Results that are computed together; they stay in the first cache."""
NARROW = 128
"""The same, where it takes more pieces of a row to occupy all cores."""
PIECES = 8
"""Pieces of independent work that are enough."""
BLOCKS = 32
"""Blocks that many rows are cut into where there are too few pieces."""
MIN_BLOCK = 32
"""Rows of a block, at least."""
SMALL_WORK = 80 * 1024
"""Elements that one core reads before others could help. Smaller shapes share one kernel."""
UNROLL = 8
"""Rows that are added at once, if adding one is cheap."""
CACHED = 24 << 20
"""Bytes of an array that comes from memory every time."""
WINDOW = 1024
"""Bytes of such an array that are read at once. Rows side by side are as many streams, each of
which ends with its row; more of them than fit here halve what the prefetchers bring."""

_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Columns:
    """The kernel of all blocks of rows, or of everything; and what combines the blocks, if any.

    Attributes:
        partial: results of the blocks, the outputs of `kernel` if there is `rest`.
        rows, row: how many rows there were before they were cut, and the index of the loop over
            them; None if they are of several axes, or of several arrays.
    """

    kernel: Kernel
    rest: Kernel | None = None
    partial: tuple[Buffer, ...] = ()
    rows: int = 0
    row: Index | None = None


@dataclass(frozen=True, slots=True)
class _Parts:
    """A kernel that reduces over rows in every lane, taken apart.

    Attributes:
        lead: loops outside the lanes.
        lanes: the loop over columns.
        before: statements of a lane before the rows, without the accumulators' declarations.
        accumulators: their declarations.
        rows: loops over rows, outermost first.
        steps: what is done for each row.
        after: statements of a lane after the rows.
    """

    lead: tuple[For, ...]
    lanes: For
    before: tuple[Stmt, ...]
    accumulators: tuple[Let, ...]
    rows: tuple[For, ...]
    steps: tuple[Assign, ...]
    after: tuple[Stmt, ...]


def sum_columns(kernel: Kernel, block: int | None = None) -> Columns | None:
    """Rearrange a kernel that reduces over rows in every lane; None if it is something else.

    Args:
        kernel: with literal extents (before `parametrise`).
        block: rows of a block, if somebody knows better than their number tells.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.view import const, fresh_index
        >>> f4 = np.dtype("f4")
        >>> x, out = Buffer("x", f4, (extent(5000), extent(60))), Buffer("out", f4, (extent(60),))
        >>> i, k, total = fresh_index(), fresh_index(), Local(f4, "total")
        >>> step = Assign(total, Op(f4, "add", (total, Load(f4, x, (i, k)))))
        >>> start = Let(total, const(0, f4), mutable=True)
        >>> lane = (start, For(i, extent(5000), (step,)), Store(out, (k,), total))
        >>> nest = For(k, extent(60), lane, "vector")
        >>> found = sum_columns(Kernel("sum", (x,), (out,), (), (nest,)))
        >>> [n.value for n in found.partial[0].shape]
        [32, 60]
    """
    parts = _parts(kernel)
    if parts is None:
        return None
    width = size_of_extent(parts.lanes.extent)
    lead = math.prod(size_of_extent(lp.extent) or 0 for lp in parts.lead)
    rows = math.prod(size_of_extent(lp.extent) or 0 for lp in parts.rows)
    if not width or not lead or rows <= UNROLL:
        return None
    first = size_of_extent(parts.rows[0].extent)
    assert first is not None
    several = _unrolled(parts.steps)
    row = width * max(s.local.dtype.itemsize for s in parts.accumulators)
    if width <= COLUMNS and lead * rows * row > CACHED:
        several = min(several, power_below(max(1, WINDOW // row)))
    if block is not None:
        return _in_blocks(kernel, parts, block, several)
    if lead * -(-width // COLUMNS) >= PIECES or lead * width * rows < SMALL_WORK:
        return Columns(_whole(kernel, parts, COLUMNS, several))
    if lead * -(-width // NARROW) >= PIECES and first < BLOCKS * MIN_BLOCK:
        return Columns(_whole(kernel, parts, NARROW, several))
    size = max(MIN_BLOCK, -(-first // BLOCKS))
    size = -(-size // UNROLL) * UNROLL
    if -(-first // size) < 2:
        return Columns(_whole(kernel, parts, NARROW, several))
    return _in_blocks(kernel, parts, size, several)


def _parts(kernel: Kernel) -> _Parts | None:
    lead: list[For] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind != "vector":
        lead.append(body[0])
        body = body[0].body
    if len(body) != 1 or not isinstance(body[0], For):
        return None
    lanes = body[0]
    loops = [k for k, s in enumerate(lanes.body) if isinstance(s, For)]
    if len(loops) != 1:
        return None
    before, after = lanes.body[: loops[0]], lanes.body[loops[0] + 1 :]
    if not all(isinstance(s, Let | Store) for s in (*before, *after)):
        return None
    accumulators = tuple([s for s in before if isinstance(s, Let) and s.mutable])
    rest = tuple([s for s in before if not (isinstance(s, Let) and s.mutable)])
    if any(isinstance(s, Let) and s.mutable for s in after):
        return None
    rows: list[For] = []
    inner: Sequence[Stmt] = (lanes.body[loops[0]],)
    while len(inner) == 1 and isinstance(inner[0], For):
        rows.append(inner[0])
        inner = inner[0].body
    steps = tuple([s for s in inner if isinstance(s, Assign)])
    literal = all(size_of_extent(lp.extent) is not None for lp in (*lead, lanes, *rows))
    plain = all(lp.kind in ("serial", "parallel", "vector") for lp in (*lead, lanes, *rows))
    if not literal or not plain or len(steps) != len(inner) or len(steps) != len(accumulators):
        return None
    names = {s.local.name for s in accumulators}
    if not all(_is_step(s) for s in steps) or {s.local.name for s in steps} != names:
        return None
    return _Parts(tuple(lead), lanes, rest, accumulators, tuple(rows), steps, after)


def _is_step(s: Assign) -> bool:
    match s.value:
        case Op(args=(Local(name=name), _)):
            return name == s.local.name
    return False


def _fresh(stem: str) -> Index:
    return Index(INDEX, f"{stem}{next(_names)}")


class _Places(Rewriter):
    """Puts expressions in place of indices and locals."""

    def __init__(self, places: dict[str, Expr]) -> None:
        super().__init__(lambda e: places.get(e.name, e) if isinstance(e, (Index, Local)) else e)


def _cost(steps: Sequence[Assign]) -> float:
    return sum(
        SCALAR_OPS[e.name].cost if isinstance(e, Op) else 1
        for e in postorder([s.value for s in steps])
        if isinstance(e, Op | Select) and e.dtype != INDEX
    )


def _unrolled(steps: Sequence[Assign]) -> int:
    cost = _cost(steps)
    return UNROLL if cost <= 2 * UNROLL else 4 if cost <= 40 else 1


def _row_loops(
    parts: _Parts, piece: For, places: dict[str, Expr], home: dict[str, Load], several: int
) -> tuple[Stmt, ...]:
    """All rows, several at once, into accumulators that live at `home`.

    Args:
        parts: of the kernel.
        piece: the loop over the lanes of a piece, without its body.
        places: what stands for the columns' index, and for locals from before the rows.
        home: where each accumulator lives.
        several: how many rows.
    """
    *outer, last = parts.rows

    def lanes(rows: Sequence[Expr]) -> For:
        """Adding some rows to the accumulators."""
        body: list[Stmt] = []
        now: dict[str, Expr] = dict(home)
        for row in rows:
            # one rewriter for each row: accumulators have new names after it
            put = _Places({**places, **now, last.index.name: row})
            for s in parts.steps:
                assert isinstance(s.value, Op)
                value = Op(
                    s.value.dtype, s.value.name, (now[s.local.name], put.expr(s.value.args[1]))
                )
                local = Local(s.local.dtype, f"s{next(_names)}")
                body.append(Let(local, value))
                now[s.local.name] = local
        for name, load in home.items():
            body.append(Store(load.buffer, load.index, now[name]))
        return replace(piece, body=tuple(body))

    def over(n: Expr) -> tuple[Stmt, ...]:
        if several == 1:
            return (For(last.index, n, (lanes([last.index]),)),)
        block, one = _fresh("r"), _fresh("r")
        start = binary("mul", block, int_const(several))
        whole = binary("floordiv", n, int_const(several))
        done = binary("mul", whole, int_const(several))
        return (
            For(
                block, whole, (lanes([binary("add", start, int_const(k)) for k in range(several)]),)
            ),
            For(one, binary("sub", n, done), (lanes([binary("add", done, one)]),)),
        )

    body = over(last.extent)
    for lp in reversed(outer):
        body = (replace(lp, body=body, kind="serial"),)
    return body


def _lane_body(
    parts: _Parts, block: Index, columns: int, rows: _Parts, several: int
) -> tuple[Stmt, ...]:
    """What is done for a piece of `columns` columns: declare, add `several` rows, use the sums."""
    lane = _fresh("k")
    position = binary("add", binary("mul", block, int_const(columns)), lane)
    piece = For(lane, within(parts.lanes.extent, block, columns), (), "vector")
    places: dict[str, Expr] = {parts.lanes.index.name: position}
    shape = (int_const(columns),)
    allocs: list[Stmt] = []
    home: dict[str, Load] = {}
    start: list[Stmt] = []
    put = _Places(dict(places))
    start += put.block(parts.before)
    for s in parts.before:
        if isinstance(s, Let):
            b = Buffer(f"column{len(allocs)}", s.local.dtype, shape)
            allocs.append(Alloc(b))
            start.append(Store(b, (lane,), s.local))
            places[s.local.name] = Load(s.local.dtype, b, (lane,))
    for s in parts.accumulators:
        b = Buffer(f"column{len(allocs)}", s.local.dtype, shape)
        allocs.append(Alloc(b))
        start.append(Store(b, (lane,), s.value))
        home[s.local.name] = Load(s.local.dtype, b, (lane,))
    end = _Places({**places, **home}).block(parts.after)
    return (
        *allocs,
        replace(piece, body=tuple(start)),
        *_row_loops(rows, piece, places, home, several),
        replace(piece, body=end),
    )


def _whole(kernel: Kernel, parts: _Parts, columns: int, several: int) -> Kernel:
    """One kernel, whose pieces of rows are independent of each other."""
    block = _fresh("b")
    body = _lane_body(parts, block, columns, parts, several)
    loops = [*parts.lead, For(block, blocks(parts.lanes.extent, columns), ())]
    return replace(kernel, body=_nested(loops, body))


def _nested(loops: Sequence[For], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    for k, lp in reversed(list(enumerate(loops))):
        kind: AxisKind = "serial" if k else "parallel"
        body = (replace(lp, body=body, kind=kind),)
    return body


def _in_blocks(kernel: Kernel, parts: _Parts, size: int, several: int) -> Columns:
    """A kernel for blocks of `size` rows, and one that combines their results."""
    first, *others = parts.rows
    n = size_of_extent(first.extent)
    assert n is not None
    count = -(-n // size)
    index = [lp.index for lp in (*parts.lead, parts.lanes)]
    shape = [lp.extent for lp in (*parts.lead, parts.lanes)]
    number, inside = _fresh("p"), _fresh("r")
    partial = tuple(
        [
            Buffer(f"partial{k}", s.local.dtype, (extent(count), *shape))
            for k, s in enumerate(parts.accumulators)
        ]
    )
    start = binary("mul", number, extent(size))
    length = Op(INDEX, "minimum", (extent(size), binary("sub", first.extent, start)))
    moved = _Places({first.index.name: binary("add", start, inside)})
    steps = tuple([s for s in moved.block(parts.steps) if isinstance(s, Assign)])
    rows = replace(parts, rows=(For(inside, length, ()), *others), steps=steps)
    kept = tuple(
        [
            Store(b, (number, *index), s.local)
            for b, s in zip(partial, parts.accumulators, strict=True)
        ]
    )
    lets = tuple([s for s in parts.before if isinstance(s, Let)])
    part = replace(parts, before=lets, after=kept)
    block = _fresh("b")
    body = _lane_body(part, block, COLUMNS, rows, several)
    loops = [
        For(number, extent(count), ()),
        *parts.lead,
        For(block, blocks(parts.lanes.extent, COLUMNS), ()),
    ]
    nest = _nested(loops, body)
    read = _read(nest)
    inputs = tuple([b for b in kernel.inputs if b.name in read])
    blocks_kernel = Kernel(f"{kernel.name}_blocks", inputs, partial, (), nest)
    rest = _rest(kernel, parts, partial, count)
    row = None if others or parts.lead else first.index
    return Columns(blocks_kernel, rest, partial, n, row)


def _rest(kernel: Kernel, parts: _Parts, partial: tuple[Buffer, ...], count: int) -> Kernel:
    """What combines the results of blocks and does what follows."""
    number = _fresh("p")
    index = tuple([lp.index for lp in (*parts.lead, parts.lanes)])
    steps = []
    for b, let in zip(partial, parts.accumulators, strict=True):
        (step,) = [s for s in parts.steps if s.local.name == let.local.name]
        assert isinstance(step.value, Op)
        load = Load(b.dtype, b, (number, *index))
        steps.append(Assign(let.local, Op(b.dtype, step.value.name, (let.local, load))))
    rows = For(number, extent(count), tuple(steps))
    lane = replace(parts.lanes, body=(*parts.before, *parts.accumulators, rows, *parts.after))
    body = _nested([*parts.lead], (lane,))
    read = _read(body)
    inputs = tuple([b for b in kernel.inputs if b.name in read])
    return Kernel(kernel.name, (*partial, *inputs), kernel.outputs, (), body)


def _read(body: tuple[Stmt, ...]) -> set[str]:
    """Names of the buffers that a block reads."""
    return {
        e.buffer.name
        for s in walk_stmts(body)
        for root in stmt_exprs(s)
        for e in walk_exprs(root)
        if isinstance(e, Load)
    }
