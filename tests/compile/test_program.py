"""Instructions and buffers."""

from __future__ import annotations

import numpy as np

from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Gemm,
    Launch,
    Loop,
    LoopIndex,
    Pointer,
    Program,
    WhileLoop,
    walk_instructions,
)  # fmt: skip
from tests.loops import nests

F8 = np.dtype("float64")


def test_buffers_and_places() -> None:
    buffer = Buffer((3, 4), F8)
    assert buffer.nbytes == 96
    assert Buffer((), np.dtype("complex64")).nbytes == 8
    assert Buffer((0, 5), F8).nbytes == 0
    i, j = LoopIndex(), LoopIndex()
    place = Pointer(buffer).slice(i, 32).slice(j, 8)
    assert place.terms == ((i, 32), (j, 8))
    assert place.buffer is buffer


def test_walking_goes_into_every_block() -> None:
    p = Pointer(Buffer((1,), F8))
    copies = [Copy(p, p, k) for k in range(6)]
    body = [
        Loop(LoopIndex(), 2, False, [copies[0]], ()),
        WhileLoop([copies[1]], p, [copies[2]], ()),
        Branch(p, [[copies[3]], [Loop(LoopIndex(), 2, True, [copies[4]], ())]]),
        copies[5],
    ]
    assert [i for i in walk_instructions(body) if isinstance(i, Copy)] == copies
    assert sum(isinstance(i, Gemm) for i in walk_instructions(body)) == 0


def test_a_kernel_launched_often_is_listed_once() -> None:
    a, b = nests.total(20).kernel, nests.shifted(20).kernel
    p = Pointer(Buffer((20,), F8))
    launches = [Launch(k, (p, p), 1, (), 20) for k in (b, a, b)]
    program = Program([], [], [launches[0], Loop(LoopIndex(), 2, False, launches[1:], ())])
    assert program.kernels() == [b, a]
