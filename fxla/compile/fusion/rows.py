"""Values that live no longer than a row: kept beside the processor instead of in memory.

A kernel over rows passes over each row several times: softmax takes the maximum, then the sum of
exponentials, then divides. What one pass computes and a later one reads, and nothing else does,
needs no array of its own. It is written where the row of a result will stand that the later pass
writes, at the same place after it has read, or else to scratch memory of the length of a row, which
stays in the first cache.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from fxla.compile.fusion.graph import Value, index_key, size_of
from fxla.compile.fusion.group import Group, InnerLoop, full_index
from fxla.loops.ir import (
    Alloc,
    Buffer,
    Expr,
    For,
    Kernel,
    Load,
    Stmt,
    Store,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.rewrite import Rewriter
from fxla.loops.view import int_const

__all__ = ["ROW_BYTES", "keep_rows", "rows_of_one_size"]

ROW_BYTES = 16384
"""Scratch memory for a row. It is one size for all shorter rows, so that they share a kernel."""
MAX_ROWS = 4
"""Rows of scratch memory in a kernel; with its operands they should fit the first cache."""


def keep_rows(group: Group, outside: Collection[Value], kernel: Kernel) -> Kernel:
    """The kernel without the outputs that only it reads, as far as they fit a row.

    Args:
        group: whose kernel it is.
        outside: the values that something else reads.
        kernel: one loop around the body, with an output for every stored value.
    """
    own = [v for v in group.outputs if v not in outside]
    if not own or len(kernel.body) != 1 or not group.outer:
        return kernel
    places: dict[str, Buffer] = {}
    taken: set[str] = set()
    scratch: list[Buffer] = []
    for v in own:
        buffer = group.outputs[v]
        result = _result_in_place(group, v, outside, taken)
        if result is not None:
            taken.add(result.name)
            places[buffer.name] = result
        elif _row_bytes(group, v) <= ROW_BYTES and len(scratch) < MAX_ROWS:
            row = Buffer(f"row{len(scratch)}", buffer.dtype, buffer.shape[len(group.outer) :])
            scratch.append(row)
            places[buffer.name] = row
    if not places:
        return kernel
    moved = _Moving(places, len(group.outer)).kernel(kernel)
    outputs = tuple([b for b in moved.outputs if b.name not in places])
    return replace(moved, outputs=outputs, body=_allocated(moved.body, len(group.outer), scratch))


def _row_bytes(group: Group, value: Value) -> int:
    return size_of(value.aval.shape[len(group.outer) :]) * value.aval.dtype.itemsize


def _result_in_place(
    group: Group, value: Value, outside: Collection[Value], taken: Collection[str]
) -> Buffer | None:
    """A result written, element by element, where `value` is read for the last time."""
    buffer = group.outputs[value]
    first = group.place[value][0]
    readers = [
        (k, position)
        for k, loop in enumerate(group.loops)
        for position, m in enumerate(loop.members)
        if _reads(m.expr, buffer.name)
    ]
    last = max(readers, default=(first, 0))
    for result, (number, member) in group.place.items():
        to = group.outputs.get(result)
        if to is None or result not in outside or to.name in taken or member.reduces:
            continue
        if (result.aval.shape, result.aval.dtype) != (value.aval.shape, value.aval.dtype):
            continue
        loop = group.loops[number]
        if number <= first or (number, loop.members.index(member)) < last:
            continue
        if number > last[0] or _reads_in_step(group, loop, buffer.name):
            return to
    return None


def _reads(e: Expr, buffer: str) -> bool:
    return any(isinstance(x, Load) and x.buffer.name == buffer for x in walk_exprs(e))


def _reads_in_step(group: Group, loop: InnerLoop, buffer: str) -> bool:
    """Whether a loop reads a buffer only at the element that it is at."""
    loads = {
        index_key(x.index)
        for m in loop.members
        for x in walk_exprs(m.expr)
        if isinstance(x, Load) and x.buffer.name == buffer
    }
    rank = len(group.outer) + len(loop.index)
    here = index_key(full_index(group, loop, (1,) * rank))
    return all(key[:rank] == here for key in loads)


class _Moving(Rewriter):
    """Puts loads and stores of some buffers elsewhere, without the outer axes if it is a row."""

    def __init__(self, places: dict[str, Buffer], rank: int) -> None:
        super().__init__(self._load)
        self._places = places
        self._rank = rank

    def _index(self, to: Buffer, index: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return index[len(index) - len(to.shape) :]

    def _load(self, e: Expr) -> Expr:
        to = self._places.get(e.buffer.name) if isinstance(e, Load) else None
        if to is None:
            return e
        assert isinstance(e, Load)
        return Load(e.dtype, to, self._index(to, e.index))

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        to = self._places.get(new.buffer.name) if isinstance(new, Store) else None
        if to is None:
            return new
        assert isinstance(new, Store)
        return Store(to, self._index(to, new.index), new.value)


def _allocated(body: tuple[Stmt, ...], depth: int, rows: list[Buffer]) -> tuple[Stmt, ...]:
    """Scratch memory at the start of the block inside `depth` loops."""
    if not depth:
        return (*[Alloc(row) for row in rows], *body)
    (loop,) = body
    assert isinstance(loop, For)
    return (replace(loop, body=_allocated(loop.body, depth - 1, rows)),)


def rows_of_one_size(kernel: Kernel) -> Kernel:
    """Scratch rows with one axis get the size that serves all lengths up to it."""
    rows = {s.buffer.name for s in walk_stmts(kernel.body) if isinstance(s, Alloc)}
    if not rows:
        return kernel

    def widened(b: Buffer) -> Buffer:
        if b.name not in rows or len(b.shape) != 1:
            return b
        return replace(b, shape=(int_const(ROW_BYTES // b.dtype.itemsize),))

    return Rewriter(lambda e: e, widened).kernel(kernel)
