"""Chains of kernels over rows, each of which reads a few rows of those before it.

A blur, and the edges of what is blurred, are such a chain. What its stages need of each other is
found here; `fxla.compile.fusion.lines` makes one kernel of them.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence

from fxla.compile.fusion.graph import Value
from fxla.compile.fusion.kernels import KernelStep
from fxla.core.records import dataclass
from fxla.loops.ir import (
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.passes.spread import is_independent
from fxla.loops.rewrite import all_exprs, postorder

__all__ = ["Access", "Chain", "Lines", "Stage", "chain_of"]

HALO = 16
"""Rows that a stage may be ahead of another."""


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """A kernel over rows.

    Attributes:
        step: the kernel with its values.
        around: loops around that over rows.
        rows: the loop over rows; over all elements, if the kernel is `flat`.
        flat: whether rows are one after the other in one loop.
        lets: what locals of the kernel stand for.
    """

    step: KernelStep
    around: tuple[For, ...]
    rows: For
    flat: bool
    lets: Mapping[str, Expr]

    def buffers(self, value: Value) -> list[Buffer]:
        """The parameters that are a value."""
        kernel = self.step.kernel
        parameters = (*kernel.inputs, *kernel.outputs)
        values = (*self.step.inputs, *self.step.outputs)
        return [b for b, v in zip(parameters, values, strict=True) if v is value]


@dataclass(frozen=True, slots=True)
class Lines:
    """The rows of an array.

    Attributes:
        count: how many there are.
        length: elements of one.
        step: elements from one to the next, in each of the blocks that all rows go through.
    """

    count: int
    length: int
    step: int


@dataclass(frozen=True, slots=True)
class Access:
    """How a stage reads or writes an array.

    Attributes:
        lines: the rows of the array; None if the stage goes through all its elements in turn.
        axis: which counts rows.
        first, last: of the rows, about that which the stage is at.
    """

    lines: Lines | None
    axis: int
    first: int
    last: int


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """Stages that can be one kernel.

    Attributes:
        stages: in order.
        rows: that each of them computes.
        windows: the first and the last row of each that is needed, about that of the results.
        accesses: by stage and value.
        kept: the values that need no array, with their rows, and how many of them are kept.
        count: rows of the results.
    """

    stages: tuple[Stage, ...]
    rows: tuple[Lines, ...]
    windows: tuple[tuple[int, int], ...]
    accesses: tuple[Mapping[Value, Access], ...]
    kept: Mapping[Value, tuple[Lines, int]]
    count: int

    @property
    def before(self) -> int:
        """Rows that are computed before those of a strip."""
        return max([last - first for first, last in self.windows])


def chain_of(steps: Sequence[KernelStep], inside: Sequence[Value], depth: int) -> Chain | None:
    """Steps as one chain; None if they are none.

    Args:
        steps: the first of them computes something that another one reads.
        inside: the values that these steps write, and nobody else reads.
        depth: loops around those over rows.
    """
    own = set(inside)
    if not own.issuperset(steps[0].outputs) or not _complete(steps, own):
        return None
    stages: list[Stage] = []
    for step in steps:
        stage = _stage(step, depth)
        if stage is None:
            return None
        stages.append(stage)
    if len({s.around[0].extent for s in stages if s.around}) > 1:
        return None
    accesses: list[Mapping[Value, Access]] = []
    for stage in stages:
        found = _accesses(stage, own)
        if found is None:
            return None
        accesses.append(found)
    lines = _lines(stages, accesses)
    if lines is None or any(v not in lines for found in accesses for v in found):
        return None
    windows = _windows(stages, accesses, own)
    kept: dict[Value, tuple[Lines, int]] = {}
    for v in inside:
        readers = [k for k, step in enumerate(steps) if v in step.inputs]
        newest = next(w[1] for step, w in zip(steps, windows, strict=True) if v in step.outputs)
        oldest = min([windows[k][1] + accesses[k][v].first for k in readers])
        kept[v] = lines[v], 1 << (newest - oldest).bit_length()
    count = max([lines[v].count for step in steps for v in step.outputs if v not in own])
    rows = tuple([lines[step.outputs[0]] for step in steps])
    return Chain(tuple(stages), rows, windows, tuple(accesses), kept, count)


def _complete(steps: Sequence[KernelStep], own: Container[Value]) -> bool:
    """Whether each step is for those after it alone, or not for any of them."""
    for k, step in enumerate(steps):
        internal = [v in own for v in step.outputs]
        read = {v for later in steps[k + 1 :] for v in later.inputs}
        if not all(internal) and (any(internal) or not read.isdisjoint(step.outputs)):
            return False
    return True


def _stage(step: KernelStep, depth: int) -> Stage | None:
    """A kernel with a loop over rows inside `depth` others."""
    body: tuple[Stmt, ...] = step.kernel.body
    loops: list[For] = []
    for _ in range(depth + 1):
        match body:
            case (For(kind="parallel" | "serial") as loop,):
                loops.append(loop)
                body = loop.body
            case _:
                return None
    *around, rows = loops
    if step.columns is not None or loops[0].kind != "parallel" or not step.outputs:
        return None
    if around and not is_independent(rows):
        return None
    if size_of_extent(rows.extent) is None or any(size_of_extent(a.extent) is None for a in around):
        return None
    flat = not around and not any(isinstance(s, For | While) for s in rows.body)
    lets = {s.local.name: s.value for s in walk_stmts(rows.body) if isinstance(s, Let)}
    return Stage(step, tuple(around), rows, flat, lets)


def _accesses(stage: Stage, own: Container[Value]) -> dict[Value, Access] | None:
    """How a stage reads and writes its results and a chain's `own` values; None if not by rows."""
    found: dict[Value, Access] = {}
    for v in dict.fromkeys((*stage.step.inputs, *stage.step.outputs)):
        written = v in stage.step.outputs
        if not (written or v in own):
            continue
        access = _access(stage, v)
        if access is None or (written and (access.first, access.last) != (0, 0)):
            return None
        found[v] = access
    return found


def _access(stage: Stage, value: Value) -> Access | None:
    """How a stage reads and writes a value; None if not row by row."""
    buffers = stage.buffers(value)
    names = {b.name for b in buffers}
    body = stage.rows.body
    places = [e.index for e in all_exprs(body) if isinstance(e, Load) and e.buffer.name in names]
    places += [s.index for s in walk_stmts(body) if isinstance(s, Store) and s.buffer.name in names]
    axes = {k for p in places for k, e in enumerate(p) if _follows(e, stage)}
    if len(axes) != 1 or len({b.shape for b in buffers}) != 1:
        return None
    (axis,) = axes
    around = tuple([loop.index for loop in stage.around])
    if any(p[: len(around)] != around or len(p) <= axis for p in places):
        return None
    offsets = [_offset(p[axis], stage) for p in places]
    known = [o for o in offsets if o is not None]
    sizes = [n for n in map(size_of_extent, buffers[0].shape) if n is not None]
    if len(known) < len(offsets) or len(sizes) < len(buffers[0].shape):
        return None
    first, last = min(known), max(known)
    if stage.flat:
        in_turn = len(sizes) == 1 and (first, last) == (0, 0)
        return Access(None, 0, 0, 0) if in_turn else None
    length = math.prod([n for k, n in enumerate(sizes) if k != axis and k >= len(around)])
    return Access(Lines(sizes[axis], length, math.prod(sizes[axis + 1 :])), axis, first, last)


def _follows(e: Expr, stage: Stage) -> bool:
    """Whether an expression depends on the row that a stage is at."""
    for x in postorder([e]):
        if x == stage.rows.index:
            return True
        if isinstance(x, Local) and x.name in stage.lets and _follows(stage.lets[x.name], stage):
            return True
    return False


def _offset(e: Expr, stage: Stage) -> int | None:
    """How far an index is from the row that a stage is at; None if it is not a row nearby."""
    match e:
        case Index():
            return 0 if e == stage.rows.index else None
        case Local(name=name) if name in stage.lets:
            return _offset(stage.lets[name], stage)
        case Op(name="add", args=(Const() | Extent() as by, a)):
            return _moved(a, by.value, stage)
        case Op(name="add", args=(a, Const() | Extent() as by)):
            return _moved(a, by.value, stage)
        case Op(name="sub", args=(a, Const() | Extent() as by)):
            return _moved(a, -by.value, stage)
    return None


def _moved(e: Expr, by: int, stage: Stage) -> int | None:
    offset = _offset(e, stage)
    if offset is None or not -HALO <= offset + by <= HALO:
        return None
    return int(offset + by)  # which pins a size that it follows from


def _lines(
    stages: Sequence[Stage], accesses: Sequence[Mapping[Value, Access]]
) -> dict[Value, Lines] | None:
    """The rows of every value; None if stages do not agree.

    What goes through all elements in turn takes the rows that others see in what it reads or
    writes.
    """
    found: dict[Value, Lines] = {}
    for access in accesses:
        for v, a in access.items():
            if a.lines is not None and found.setdefault(v, a.lines) != a.lines:
                return None
    for stage, access in [*zip(stages, accesses, strict=True)] * 2:
        seen = [found[v] for v in access if v in found]
        for v, a in access.items():
            if a.lines is None and seen:
                n = size_of_extent(stage.rows.extent)
                whole_rows = seen[0].step == seen[0].length and seen[0].count * seen[0].length == n
                if not whole_rows or found.setdefault(v, seen[0]) != seen[0]:
                    return None
    return found


def _windows(
    stages: Sequence[Stage], accesses: Sequence[Mapping[Value, Access]], inside: Container[Value]
) -> tuple[tuple[int, int], ...]:
    """The first and the last row of each stage that are needed, about that of the results."""
    found: list[tuple[int, int]] = []  # of the later stages
    for k in range(len(stages) - 1, -1, -1):
        spans = [
            (window[0] + access[v].first, window[1] + access[v].last)
            for v in stages[k].step.outputs
            if v in inside
            for s, access, window in zip(stages[k + 1 :], accesses[k + 1 :], found, strict=True)
            if v in s.step.inputs
        ]
        first = min([span[0] for span in spans], default=0)
        found.insert(0, (first, max([span[1] for span in spans], default=0)))
    return tuple(found)
