"""Line buffers: chains of stencils keep the few rows of each other that they read.

A blur, and the edges of what is blurred, are kernels over the rows of an image, each of which reads
a few rows of the one before it. Apart, each writes its whole image, and the next one reads it from
a cache that is far away, or from memory. Together, in strips of rows, each is as many rows ahead of
the next as that one reads, and a few rows of memory, which are used in turn, are enough:

    for i < n: b[i] = f(x[i])              for each strip, in parallel:
    for i < n - 2: y[i] = g(b[i], b[i + 2])    for i in strip, and two rows before it:
                                                   b[(i + 2) mod 4] = f(x[i + 2])
                                                   y[i] = g(b[i mod 4], b[(i + 2) mod 4])

Hardware calls this line buffering, Halide a sliding window (Ragan-Kelley et al., Halide, PLDI 2013,
section 4.3). The rows before a strip are computed twice, as that strip and the one before it do not
wait for each other. How rows are cut follows from their number, and a row is computed in the same
way whoever does, so results do not depend on the number of threads, nor on whether this is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from fxla.compile.fusion.chains import Chain, Lines, chain_of
from fxla.compile.fusion.graph import Value, size_of
from fxla.compile.fusion.kernels import KernelStep
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Buffer,
    Expr,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Stmt,
    Store,
)
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import Rewriter, all_exprs
from fxla.loops.view import binary, compare, extent, fresh_index, fresh_local, int_const, op

__all__ = ["in_lines"]

SAVED = 1 << 20
"""Bytes of the arrays that need no memory, from which on it is worth it: part of a second cache."""
LINE_BYTES = 1 << 18
"""Memory for the rows of a kernel, at most: it is on the stack, and should stay near."""
LINE = 64
"""Elements of a row, at least: lanes run along it."""
LONG, STRIPS = 64, 16
"""Rows of a strip, from twice of which on there are more strips; and strips at least, if rows last,
so that all cores have some."""
OVERLAP = 8
"""A strip has so many times the rows that are computed before it."""
STAGES, EXPRESSIONS = 12, 1000
"""Kernels of a chain, and expressions in them, at most: the time to compile grows faster."""


def in_lines(
    steps: Sequence[KernelStep], has_memory: Callable[[Value], bool]
) -> tuple[list[KernelStep], list[str]]:
    """Steps with those in line buffers that are worth it, and a line about each such kernel.

    Args:
        steps: that follow each other.
        has_memory: whether something after these steps, or the caller, reads a value.
    """
    if not any(_large(step) for step in steps[:-1]):
        return list(steps), []
    readers: dict[Value, list[int]] = {}
    for k, step in enumerate(steps):
        for v in step.inputs:
            readers.setdefault(v, []).append(k)
    found: list[KernelStep] = []
    notes: list[str] = []
    at = len(steps)
    while at > 0:
        best: tuple[Chain, int] | None = None
        for first in range(at - 2, max(at - STAGES, 0) - 1, -1):
            if not _large(steps[first]):
                break
            inside = [
                v
                for s in steps[first:at]
                for v in s.outputs
                if v in readers and readers[v][-1] < at and not has_memory(v)
            ]
            for depth in (0, 1):
                chain = chain_of(steps[first:at], inside, depth)
                strips = 0 if chain is None else _strips(chain)
                if chain is not None and strips:
                    best = chain, strips
                    break
        if best is None:
            at -= 1
            found.append(steps[at])
            continue
        chain, strips = best
        found.append(_fused(chain, strips))
        names = ", ".join([s.step.kernel.name for s in chain.stages])
        saved = sum([_bytes(v) for v in chain.kept])
        notes.append(f"{names}: line by line, in {strips} strips of rows, saves {saved} bytes")
        at -= len(chain.stages)
    return found[::-1], notes[::-1]


def _bytes(v: Value) -> int:
    return size_of(v.aval.shape) * v.aval.dtype.itemsize


def _large(step: KernelStep) -> bool:
    """Whether results are so large that a chain with some of them may be worth it."""
    return sum([_bytes(v) for v in step.outputs]) * STAGES >= SAVED


def _strips(chain: Chain) -> int:
    """Strips that rows are divided into; 0 if the kernels are better apart."""
    if sum([_bytes(v) for v in chain.kept]) < SAVED:
        return 0
    if sum([len(all_exprs(s.step.kernel.body)) for s in chain.stages]) > EXPRESSIONS:
        return 0
    if any(lines.length < LINE for lines, _ in chain.kept.values()):
        return 0
    memory = [_line_bytes(v, *chain.kept[v]) for v in chain.kept]
    if any(m is None for m in memory) or sum([m or 0 for m in memory]) > LINE_BYTES:
        return 0
    around = math.prod([size_of_extent(loop.extent) or 1 for loop in chain.stages[0].around])
    strips = 1
    while strips * around < STRIPS or chain.count >= 2 * strips * LONG:
        strips *= 2
    while strips > 1 and chain.count < strips * max(OVERLAP * chain.before, 1):
        strips //= 2
    return strips if 2 * strips * around >= STRIPS else 0


def _line_bytes(value: Value, lines: Lines, kept: int) -> int | None:
    """Memory for the lines of a value, a power of two; None if it is too much."""
    need = lines.length * kept * value.aval.dtype.itemsize
    size = 1 << 12
    while size < need:
        size *= 2
        if size > LINE_BYTES:
            return None
    return size


def _fused(chain: Chain, strips: int) -> KernelStep:
    """One kernel over strips."""
    rows = -(-chain.count // strips)
    kept: dict[Value, Buffer] = {}
    for k, (v, (lines, turns)) in enumerate(chain.kept.items()):
        count = _line_bytes(v, lines, turns)
        assert count is not None
        dtype = v.aval.dtype
        kept[v] = Buffer(f"line{k}", dtype, (int_const(count // dtype.itemsize),))
    written = {v for s in chain.stages for v in s.step.outputs if v not in kept}
    buffers: dict[tuple[Value, tuple[Expr, ...]], Buffer] = {}
    for s in chain.stages:
        kernel = s.step.kernel
        parameters = (*kernel.inputs, *kernel.outputs)
        for b, v in zip(parameters, (*s.step.inputs, *s.step.outputs), strict=True):
            if v not in kept:
                stem = "out" if v in written else "x"
                buffers.setdefault((v, b.shape), replace(b, name=f"{stem}{len(buffers)}"))
    strip, turn, start = fresh_index(), fresh_index(), fresh_local(INDEX)
    outer, number = _outer(chain, rows, strip)
    body: list[Stmt] = []
    for k in range(len(chain.stages)):
        body += _stage_of_turn(chain, k, kept, buffers, outer, start, turn)
    nest = For(
        strip, number,
        (
            *[Alloc(b) for b in kept.values()],
            Let(start, binary("mul", outer[-1], extent(rows))),
            For(turn, extent(rows + chain.before), tuple(body), "serial"),
        ),
        "parallel",
    )  # fmt: skip
    inputs = {key: b for key, b in buffers.items() if key[0] not in written}
    outputs = {key: b for key, b in buffers.items() if key[0] in written}
    name = f"{chain.stages[-1].step.kernel.name}_in_lines"
    kernel = Kernel(name, tuple(inputs.values()), tuple(outputs.values()), (), (nest,))
    return KernelStep(kernel, tuple([v for v, _ in inputs]), tuple([v for v, _ in outputs]))


def _outer(chain: Chain, rows: int, strip: Index) -> tuple[tuple[Expr, ...], Expr]:
    """The indices of the loops around rows and that of the strip; and how many there are in all."""
    strips = -(-chain.count // rows)
    if not chain.stages[0].around:
        return (strip,), extent(strips)
    around = size_of_extent(chain.stages[0].around[0].extent)
    assert around is not None
    which = binary("floordiv", strip, extent(strips)), binary("mod", strip, extent(strips))
    return which, extent(around * strips)


def _stage_of_turn(
    chain: Chain,
    k: int,
    kept: Mapping[Value, Buffer],
    buffers: Mapping[tuple[Value, tuple[Expr, ...]], Buffer],
    outer: tuple[Expr, ...],
    start: Local,
    turn: Index,
) -> list[Stmt]:
    """One row of a stage, if it is one that is needed."""
    stage, (first, last) = chain.stages[k], chain.windows[k]
    lines = chain.rows[k]
    row = fresh_local(INDEX)
    ahead = binary("add", turn, int_const(last - chain.before))
    conditions = [compare("lt", row, extent(lines.count))]
    if first < 0:
        conditions.append(compare("ge", row, int_const(0)))
    if chain.before > last - first:
        conditions.append(compare("ge", turn, int_const(chain.before - (last - first))))
    condition = conditions[0]
    for c in conditions[1:]:
        condition = op("and", BOOL, condition, c)
    placing = _Placing(chain, k, kept, buffers, outer, row)
    body = placing.block(stage.rows.body)
    if placing.element is not None:
        body = (For(placing.element, extent(lines.length), body, "vector"),)
    return [Let(row, binary("add", start, ahead)), If(condition, body)]


class _Placing(Rewriter):
    """Puts a stage at a row: with the names of the fused kernel, and lines in place of arrays.

    Attributes:
        element: the index of a loop along the row, if the stage goes through all in turn.
    """

    def __init__(
        self,
        chain: Chain,
        k: int,
        kept: Mapping[Value, Buffer],
        buffers: Mapping[tuple[Value, tuple[Expr, ...]], Buffer],
        outer: tuple[Expr, ...],
        row: Local,
    ) -> None:
        super().__init__(self._expr, self._renamed)
        stage = chain.stages[k]
        step = stage.step
        kernel = step.kernel
        self._number = k
        self._row = row
        self._line = {b.name: b for b in kept.values()}
        self._rows_kept = {kept[v].name: n for v, (_, n) in chain.kept.items()}
        self._length = {kept[v].name: lines.length for v, (lines, _) in chain.kept.items()}
        self._axis = {kept[v].name: a.axis for v, a in chain.accesses[k].items() if v in kept}
        self._around = len(stage.around)
        parameters = (*kernel.inputs, *kernel.outputs)
        self._names = {
            b.name: kept[v].name if v in kept else buffers[v, b.shape].name
            for b, v in zip(parameters, (*step.inputs, *step.outputs), strict=True)
        }
        self.element = fresh_index() if stage.flat else None
        place: Expr = row
        if self.element is not None:
            place = binary("mul", row, extent(chain.rows[k].length))
            place = binary("add", place, self.element)
        self._moved: dict[Index, Expr] = {stage.rows.index: place}
        for loop, index in zip(stage.around, outer, strict=False):
            self._moved[loop.index] = index

    def _renamed(self, b: Buffer) -> Buffer:
        return replace(b, name=self._names.get(b.name, f"{b.name}_{self._number}"))

    def _expr(self, e: Expr) -> Expr:
        if isinstance(e, Index):
            return self._moved.get(e, e)
        if isinstance(e, Load) and e.buffer.name in self._line:
            return Load(e.dtype, self._line[e.buffer.name], (self._in_line(e.buffer, e.index),))
        return e

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store) and new.buffer.name in self._line:
            to = self._line[new.buffer.name]
            return Store(to, (self._in_line(new.buffer, new.index),), new.value)
        return new

    def _in_line(self, b: Buffer, index: tuple[Expr, ...]) -> Expr:
        """The place among the lines of an element of the array."""
        kept, axis = self._rows_kept[b.name], self._axis[b.name]
        row: Expr = self._row if self.element is not None else index[axis]
        inner: Expr = int_const(0) if self.element is None else self.element
        if self.element is None:
            for k, (e, n) in enumerate(zip(index, b.shape, strict=True)):
                if k >= self._around and k != axis:
                    inner = binary("add", binary("mul", inner, n), e)
        if kept == 1:
            return inner
        slot = op("and", INDEX, row, int_const(kept - 1))
        return binary("add", binary("mul", slot, extent(self._length[b.name])), inner)
