"""The arena: buffers that live at the same time never share a byte."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.memory import ALIGNMENT, assign_offsets, pointers
from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Instruction,
    Loop,
    LoopIndex,
    Pointer,
    Program,
    WhileLoop,
    walk_instructions,
)

BYTE = np.dtype(np.uint8)


class Machine:
    """Runs a program of copies symbolically: every byte of the arena knows who wrote it.

    A buffer whose bytes were overwritten by another one since it was written may not be read. Loops
    run three times and both ways of a branch are taken, with pairs trading places as they do.
    """

    def __init__(self) -> None:
        self.owner: dict[int, tuple[Buffer, int]] = {}
        self.version: dict[Buffer, int] = {}
        self.at: dict[Buffer, Buffer] = {}

    def place(self, b: Buffer) -> Buffer:
        return self.at.get(b, b)

    def write(self, b: Buffer) -> None:
        b = self.place(b)
        if b.role != "temporary":
            return
        self.version[b] = self.version.get(b, 0) + 1
        for k in range(b.offset, b.offset + b.nbytes):
            self.owner[k] = (b, self.version[b])

    def read(self, b: Buffer) -> None:
        b = self.place(b)
        if b.role != "temporary" or b not in self.version:
            return
        for k in range(b.offset, b.offset + b.nbytes):
            assert self.owner[k] == (b, self.version[b]), "overwritten while it was alive"

    def run(self, body: list[Instruction]) -> None:
        for i in body:
            match i:
                case Copy(destination=d, source=s):
                    self.read(s.buffer)
                    self.write(d.buffer)
                    self.read(s.buffer)  # a kernel reads while it writes
                case Loop(body=inner, swapped=swapped):
                    for _ in range(3):
                        self.run(inner)
                        self.swap(swapped)
                case WhileLoop(condition=c, predicate=p, body=inner, swapped=swapped):
                    for _ in range(3):
                        self.run(c)
                        self.read(p.buffer)
                        self.run(inner)
                        self.swap(swapped)
                    self.run(c)
                case Branch(index=index, branches=branches):
                    self.read(index.buffer)
                    for b in branches:
                        self.run(b)

    def swap(self, swapped: tuple[tuple[Buffer, Buffer], ...]) -> None:
        for a, b in swapped:
            self.at[a], self.at[b] = self.place(b), self.place(a)


def draw_program(draw: Any) -> Program:
    """Random copies, each reading something written before, in random loops and branches."""
    program = Program([Buffer((8,), BYTE, "input")], [Buffer((8,), BYTE, "output")], [])

    def fresh() -> Buffer:
        return Buffer((draw(st.integers(0, 200)),), BYTE)

    def block(known: list[Buffer], depth: int) -> list[Instruction]:
        known = list(known)
        body: list[Instruction] = []
        for _ in range(draw(st.integers(1, 4))):
            kind = draw(st.sampled_from(["copy", "copy", "copy", "loop", "while", "branch"]))
            source = Pointer(draw(st.sampled_from(known)))
            if kind == "copy" or depth > 2:
                body.append(Copy(Pointer(fresh()), source, 1))
                known.append(body[-1].destination.buffer)
            elif kind == "branch":
                out = fresh()
                ways = [[*block(known, depth + 1), Copy(Pointer(out), source, 1)] for _ in range(2)]
                body.append(Branch(source, ways))
                known.append(out)
            else:
                size = draw(st.integers(0, 200))
                pair = (Buffer((size,), BYTE), Buffer((size,), BYTE))
                body.append(Copy(Pointer(pair[0]), source, 1))
                inner = block([*known, pair[0]], depth + 1)
                inner.append(Copy(Pointer(pair[1]), Pointer(pair[0]), 1))
                if kind == "loop":
                    body.append(Loop(LoopIndex(), 3, False, inner, (pair,)))
                else:
                    flag = Buffer((1,), BYTE)
                    condition = block([*known, pair[0]], depth + 1)
                    condition.append(Copy(Pointer(flag), Pointer(pair[0]), 1))
                    body.append(WhileLoop(condition, Pointer(flag), inner, (pair,)))
                known.append(pair[0])
        for b in draw(st.lists(st.sampled_from(known), max_size=2)):  # read late
            body.append(Copy(Pointer(program.outputs[0]), Pointer(b), 1))
        return body

    program.body = block(program.inputs, 0)
    return program


def temporaries(program: Program) -> set[Buffer]:
    found: set[Buffer] = set()
    for i in walk_instructions(program.body):
        touched = [p.buffer for p in pointers(i)]
        if isinstance(i, (Loop, WhileLoop)):
            touched += [b for pair in i.swapped for b in pair]
        if isinstance(i, WhileLoop):
            touched.append(i.predicate.buffer)
        if isinstance(i, Branch):
            touched.append(i.index.buffer)
        found.update(b for b in touched if b.role == "temporary")
    return found


@given(st.data())
@settings(max_examples=80)
def test_no_two_live_buffers_overlap(data: Any) -> None:
    program = draw_program(data.draw)
    size = assign_offsets(program)
    buffers = temporaries(program)
    padded = sum(-(-b.nbytes // ALIGNMENT) * ALIGNMENT for b in buffers)
    assert size <= padded
    for b in buffers:
        assert b.offset % ALIGNMENT == 0
        assert b.offset + b.nbytes <= size
    Machine().run(program.body)


def test_the_machine_sees_an_overlap() -> None:
    """The property can fail."""
    a, b, out = (Buffer((8,), BYTE) for _ in range(3))
    source = Pointer(Buffer((8,), BYTE, "input"))
    body: list[Instruction] = [
        Copy(Pointer(a), source, 8),
        Copy(Pointer(b), source, 8),
        Copy(Pointer(out), Pointer(a), 8),
    ]
    out.offset = 64
    try:
        Machine().run(body)
    except AssertionError:
        return
    raise RuntimeError("two buffers at one place were not noticed")


def test_memory_is_used_again() -> None:
    """A chain of n values needs two places, not n."""
    source = Pointer(Buffer((64,), BYTE, "input"))
    chain = [Buffer((64,), BYTE) for _ in range(10)]
    body: list[Instruction] = []
    for b in chain:
        body.append(Copy(Pointer(b), source, 64))
        source = Pointer(b)
    program = Program([], [], body)
    assert assign_offsets(program) == 128
    assert all(a.offset != b.offset for a, b in itertools.pairwise(chain))


def test_what_a_loop_writes_in_parts_is_alive_in_all_of_it() -> None:
    """A row may be read in a later iteration, though all are touched in the loop only."""
    number = LoopIndex()
    source = Pointer(Buffer((64,), BYTE, "input"))
    rows, other, out = Buffer((640,), BYTE), Buffer((64,), BYTE), Buffer((64,), BYTE, "output")
    row = Pointer(rows, ((number, 64),))
    inner: list[Instruction] = [
        Copy(row, source, 64),
        Copy(Pointer(out), row, 64),
        Copy(Pointer(other), source, 64),
        Copy(Pointer(out), Pointer(other), 64),
    ]
    assert assign_offsets(Program([], [out], [Loop(number, 10, False, inner, ())])) == 704
    assert not rows.offset <= other.offset < rows.offset + rows.nbytes


def test_the_arena_of_a_deep_network_is_a_few_layers() -> None:
    def f(x: Any, ws: Any) -> Any:
        for w in ws:
            x = fnp.tanh(x @ w)
        return x

    x, ws = np.ones((64, 64)), [np.ones((64, 64))] * 12
    program = build_program(fxla.make_jaxpr(f)(x, ws).jaxpr)
    assert program.arena <= 3 * 64 * 64 * 8


def test_loops_of_real_programs() -> None:
    """A value from outside that a loop reads lives until the loop's last iteration."""

    def f(x: Any, n: Any) -> Any:
        before = fnp.sort(x)  # in the arena, read in every iteration

        def step(c: Any, k: Any) -> Any:
            c = lax.while_loop(lambda d: d.sum() < k, lambda d: d + fnp.sort(d * 0.1) + before, c)
            return lax.cond(k > n, lambda c: fnp.sort(c) * 0.5, lambda c: c - before, c), c.sum()

        last, ys = lax.scan(step, before * 0, np.arange(6.0))
        return last + before, ys

    x = np.random.default_rng(0).uniform(0.1, 1, 7)
    a, b = fxla.jit(f)(x, 3.0)
    before, c, sums = np.sort(x), np.zeros(7), []
    for k in np.arange(6.0):
        while c.sum() < k:
            c = c + np.sort(c * 0.1) + before
        sums.append(c.sum())
        c = np.sort(c) * 0.5 if k > 3 else c - before
    np.testing.assert_allclose(a, c + before, rtol=1e-13)
    np.testing.assert_allclose(b, sums, rtol=1e-13)
