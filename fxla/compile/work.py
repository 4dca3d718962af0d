"""About how much a program does, in units of about half a nanosecond."""

from __future__ import annotations

import math

from fxla.compile.memory import pointers
from fxla.compile.program import (
    Branch,
    Copy,
    Fourier,
    Gemm,
    HostCall,
    Instruction,
    Launch,
    Loop,
    WhileLoop,
)
from fxla.loops.ir import While, walk_stmts
from fxla.loops.written import Written

__all__ = ["work_of"]


def work_of(body: list[Instruction]) -> float:
    """Elements read, written and multiplied; infinite if nobody can know.

    Sizes of a kernel are multiplied, so what is large is never taken for small.
    """
    return sum(_work_of_one(i) for i in body)


def _work_of_one(i: Instruction) -> float:
    match i:
        case Launch(kernel=Written()):
            return math.inf
        case Launch(kernel=kernel) if any(isinstance(s, While) for s in walk_stmts(kernel.body)):
            return math.inf
        case Launch(sizes=sizes):
            touched = sum(math.prod(p.buffer.shape) for p in pointers(i))
            return touched + math.prod(max(n, 1) for n in sizes)
        case Gemm(m=m, n=n, k=k, batch=batch):
            return m * n * k * batch
        case Fourier(length=n, outer=outer, inner=inner):
            return n * n.bit_length() * outer * inner
        case Copy(nbytes=nbytes):
            return nbytes / 8
        case Loop(length=length, body=body):
            return length * (work_of(body) + 1)
        case Branch(branches=branches):
            return max(work_of(b) for b in branches)
        case WhileLoop() | HostCall():
            return math.inf
    return math.inf
