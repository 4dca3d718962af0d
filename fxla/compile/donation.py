"""Which results of a program may be written over which of its inputs.

A result may take the memory of a donated input of its type if the input is read for the last time
before the result is first written, or by the same kernel, element by element: where every read of
the input is at the index that the result is written at, and comes before that write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fxla.compile.memory import pointers
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
from fxla.loops.ir import Buffer as KernelBuffer
from fxla.loops.ir import Expr, For, Index, Load, Stmt, Store, walk_exprs, walk_stmts
from fxla.loops.rewrite import stmt_exprs

__all__ = ["in_place"]


def in_place(program: Program, donated: Iterable[int]) -> dict[int, int]:
    """For each result that may be written over a donated input the position of that input."""
    touched: dict[Buffer, tuple[int, int]] = {}
    for k, i in enumerate(program.body):
        buffers = list(_buffers(i))
        if None in buffers:
            return {}
        for b in buffers:
            assert b is not None
            touched[b] = (touched.get(b, (k, k))[0], k)
    found: dict[int, int] = {}
    left = list(donated)
    for k, output in enumerate(program.outputs):
        if not output.shape or output not in touched:
            continue
        for position in left:
            given = program.inputs[position]
            if (given.shape, given.dtype) == (output.shape, output.dtype) and _may_take(
                program, given, output, touched
            ):
                found[k] = position
                left.remove(position)
                break
    return found


def _buffers(i: Instruction) -> Iterator[Buffer | None]:
    """Every buffer that an instruction touches; None if it is of a kind that is not known here."""
    match i:
        case Launch() | Gemm() | Fourier() | HostCall() | Copy():
            yield from [p.buffer for p in pointers(i)]
        case Loop(body=body, swapped=swapped):
            yield from [b for pair in swapped for b in pair]
            yield from _buffers_of(body)
        case WhileLoop(condition=condition, predicate=p, body=body, swapped=swapped):
            yield from [p.buffer, *[b for pair in swapped for b in pair]]
            yield from _buffers_of([*condition, *body])
        case Branch(index=index, branches=branches):
            yield index.buffer
            for b in branches:
                yield from _buffers_of(b)
        case _:
            yield None


def _buffers_of(body: Iterable[Instruction]) -> Iterator[Buffer | None]:
    for i in body:
        yield from _buffers(i)


def _may_take(
    program: Program, given: Buffer, output: Buffer, touched: dict[Buffer, tuple[int, int]]
) -> bool:
    if given not in touched:
        return True
    last, first = touched[given][1], touched[output][0]
    if last != first:
        return last < first
    match program.body[last]:
        case Launch() as launch:
            return _element_by_element(launch, given, output)
        case Copy(destination=d, source=s, nbytes=n):
            whole = n == given.nbytes and not d.terms and not s.terms
            return whole and d.buffer is output and s.buffer is given
    return False


def _element_by_element(launch: Launch, given: Buffer, output: Buffer) -> bool:
    """Whether a kernel reads `given` only where it then writes `output`."""
    n = len(launch.args) - launch.n_outputs
    kernel = launch.kernel
    reads = _parameters(launch.args[:n], kernel.inputs, given)
    writes = _parameters(launch.args[n:], kernel.outputs, output)
    if reads is None or writes is None or len(writes) != 1:
        return False
    (write,) = writes
    if any(b.shape != write.shape for b in reads):
        return False
    return _stores(kernel.body, (), {b.name for b in reads}, write.name) == 1


def _parameters(
    args: Iterable[Pointer], parameters: Iterable[KernelBuffer], buffer: Buffer
) -> list[KernelBuffer] | None:
    """What a kernel knows a buffer as; None if one of them is a part of it."""
    found = []
    for p, b in zip(args, parameters, strict=True):
        if p.buffer is buffer:
            if p.terms:
                return None
            found.append(b)
    return found


_WRONG = 2


def _stores(body: tuple[Stmt, ...], loops: tuple[str, ...], reads: set[str], write: str) -> int:
    """How often a block stores `write`: once as it must be, not at all, or `_WRONG`.

    Wrong is a read that is not at the index of all loops around it, one after the write, a write
    under a condition, another write.
    """
    stored = 0
    for s in body:
        if isinstance(s, For):
            inner = _stores(s.body, (*loops, s.index.name), reads, write)
            after = stored and (inner or any(True for _ in _loads(s, reads)))
            stored = _WRONG if after else max(stored, inner)
        else:
            if any(stored or not _is_place(x.index, loops) for x in _loads(s, reads)):
                return _WRONG
            if any(isinstance(x, Store) and x.buffer.name == write for x in walk_stmts((s,))):
                right = isinstance(s, Store) and _is_place(s.index, loops) and not stored
                stored = 1 if right else _WRONG
        if stored == _WRONG:
            return _WRONG
    return stored


def _is_place(index: tuple[Expr, ...], loops: tuple[str, ...]) -> bool:
    """Whether an index is that of the loops around it, each once and in their order."""
    return tuple([x.name if isinstance(x, Index) else None for x in index]) == loops


def _loads(s: Stmt, names: set[str]) -> Iterator[Load]:
    for inner in walk_stmts((s,)):
        for root in stmt_exprs(inner):
            for e in walk_exprs(root):
                if isinstance(e, Load) and e.buffer.name in names:
                    yield e
