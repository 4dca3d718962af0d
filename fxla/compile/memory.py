"""Where temporaries live: one arena, shared by buffers that are not alive at the same time.

A buffer is alive from the first instruction that touches it to the last. A loop repeats, so a
buffer that is touched both inside and outside of it, or whose halves trade places, is alive for all
of it, and the halves of a pair live as long as either.
"""

from __future__ import annotations

import bisect
from dataclasses import field

from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Fourier,
    Gemm,
    HostCall,
    Instruction,
    Launch,
    Loop,
    Pointer,
    Program,
    WhileLoop,
)
from fxla.core.records import dataclass

__all__ = ["ALIGNMENT", "assign_offsets"]

ALIGNMENT = 64


@dataclass(eq=False)
class _Life:
    """When a buffer is touched, and inside which loops."""

    first: int
    last: int
    loops: list[tuple[int, ...]] = field(default_factory=list)
    spans: set[int] = field(default_factory=set)


class _Liveness:
    """Walks a program in order and notes every touch of every temporary."""

    def __init__(self) -> None:
        self.clock = 0
        self.lives: dict[Buffer, _Life] = {}
        self.span: dict[int, tuple[int, int]] = {}
        self.enclosing: tuple[int, ...] = ()
        self.pairs: list[tuple[Buffer, Buffer]] = []

    def touch(self, pointer: Pointer) -> None:
        self.touch_buffer(pointer.buffer)
        if pointer.terms:
            self.lives_of(pointer.buffer).spans.update(self.enclosing)

    def touch_buffer(self, buffer: Buffer) -> None:
        life = self.lives_of(buffer)
        life.last = self.clock
        life.loops.append(self.enclosing)

    def lives_of(self, buffer: Buffer) -> _Life:
        if buffer not in self.lives:
            self.lives[buffer] = _Life(self.clock, self.clock)
        return self.lives[buffer]

    def walk(self, body: list[Instruction]) -> None:
        for i in body:
            self.clock += 1
            match i:
                case Loop(body=inner, swapped=swapped):
                    self.loop([inner], swapped, [])
                case WhileLoop(condition=condition, predicate=p, body=inner, swapped=swapped):
                    self.loop([condition, inner], swapped, [p])
                case Branch(index=index, branches=branches):
                    self.touch(index)
                    for b in branches:
                        self.walk(b)
                case _:
                    for p in pointers(i):
                        self.touch(p)

    def loop(
        self,
        blocks: list[list[Instruction]],
        swapped: tuple[tuple[Buffer, Buffer], ...],
        touched: list[Pointer],
    ) -> None:
        start = self.clock
        before = self.enclosing
        number = len(self.span)
        self.span[number] = (start, start)
        self.enclosing = (*before, number)
        self.pairs += swapped
        for pair in swapped:
            for b in pair:
                self.touch_buffer(b)
                self.lives[b].spans.add(number)
        for block in blocks:
            self.walk(block)
            for p in touched:
                self.touch(p)
                self.lives[p.buffer].spans.add(number)
        self.clock += 1
        self.enclosing = before
        self.span[number] = (start, self.clock)

    def interval(self, life: _Life) -> tuple[int, int]:
        first, last = life.first, life.last
        common = set(life.loops[0]).intersection(*life.loops)
        for number in {n for inside in life.loops for n in inside}:
            if number not in common or number in life.spans:
                start, end = self.span[number]
                first, last = min(first, start), max(last, end)
        return first, last


def pointers(i: Instruction) -> list[Pointer]:
    """Every place an instruction without inner blocks touches."""
    match i:
        case Launch(args=args):
            return list(args)
        case Gemm(a=a, b=b, c=c):
            return [a, b, c]
        case Fourier(source=source, target=target, scratch=scratch):
            return [source, target, *([] if scratch is None else [scratch])]
        case HostCall(inputs=inputs, outputs=outputs):
            return [*inputs, *outputs]
        case Copy(destination=d, source=s):
            return [d, s]
    return []


def assign_offsets(program: Program) -> int:
    """Give every temporary its offset, largest first, lowest gap that fits.

    Returns:
        Bytes of the arena.
    """
    liveness = _Liveness()
    liveness.walk(program.body)
    intervals = {
        b: liveness.interval(life) for b, life in liveness.lives.items() if b.role == "temporary"
    }
    for a, b in liveness.pairs:
        # after an odd number of iterations what is read as `a` lies where `b` was
        if a in intervals and b in intervals:
            (i, j), (k, n) = intervals[a], intervals[b]
            intervals[a] = intervals[b] = min(i, k), max(j, n)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last; by offset
    size = 0
    for b in sorted(intervals, key=lambda b: -b.nbytes):
        first, last = intervals[b]
        nbytes = b.nbytes
        offset = 0
        for start, end, born, dies in placed:
            if born > last or first > dies:
                continue
            if offset + nbytes <= start:
                break
            offset = max(offset, -(-end // ALIGNMENT) * ALIGNMENT)
        b.offset = offset
        bisect.insort(placed, (offset, offset + nbytes, first, last))
        size = max(size, offset + nbytes)
    return size
