"""How the instructions of a program are shared among threads, as text."""

from __future__ import annotations

from collections.abc import Iterator

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
from fxla.compile.routines.fourier import fourier_plan
from fxla.compile.routines.gemm import split_product
from fxla.compile.routines.pocketfft import line_grain

__all__ = ["share_lines"]


def share_lines(body: list[Instruction], indent: str = "") -> Iterator[str]:
    """A line for each instruction: how many chunks of it may run at the same time.

    Example:
        >>> import fxla, fxla.numpy as fnp, numpy as np
        >>> print(fxla.jit(lambda x: fnp.cumsum(x)).inspect(np.ones(10**6)).threads)
        cumsum: 41 chunks (123 iterations, 3 each)
        cumsum: 62 chunks (123 iterations, 2 each)
    """
    for i in body:
        match i:
            case Launch(kernel=kernel, count=count, grain=grain):
                yield f"{indent}{kernel.name}: {_chunks(count, grain)}"
            case Gemm(m=m, n=n, k=k, batch=batch):
                split = split_product(m, n, k, batch)
                parts = split.row_parts * split.column_parts * batch
                yield f"{indent}product of matrices: {_chunks(parts, split.grain)}"
            case Fourier():
                plan = None if i.scratch is None else fourier_plan(i)
                units, grain = (
                    (i.outer * i.inner, line_grain(i)) if plan is None else (plan.units, plan.grain)
                )
                yield f"{indent}Fourier transform: {_chunks(units, grain)}"
            case HostCall(name=name):
                yield f"{indent}{name}: one thread (Python)"
            case Copy(nbytes=nbytes):
                yield f"{indent}copy of {nbytes} bytes: one thread"
            case Loop(length=length, body=inner):
                yield f"{indent}loop, {length} times:"
                yield from share_lines(inner, indent + "  ")
            case WhileLoop(condition=condition, body=inner):
                yield f"{indent}while:"
                yield from share_lines([*condition, *inner], indent + "  ")
            case Branch(branches=branches):
                for number, branch in enumerate(branches):
                    yield f"{indent}branch {number}:"
                    yield from share_lines(branch, indent + "  ")


def _chunks(count: int, grain: int) -> str:
    """How a count of independent iterations is cut."""
    if not grain:
        return "one thread (its iterations depend on each other)"
    chunks = -(-count // grain)
    if chunks < 2:
        return f"one thread (one chunk is enough for {count} iterations)"
    return f"{chunks} chunks ({count} iterations, {grain} each)"
