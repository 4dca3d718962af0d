"""Programs as kernels for a GPU: each thread runs the program for examples of its own.

Arrays are pointers there, so elements are found by one position; an array that the program makes
for itself is a part of scratch memory. A program that puts numbers on stacks, whose size nobody
knows beforehand, or that makes arrays in loops has no such text.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import field, replace

from fxla.core.records import dataclass
from fxla.kernels.ir import Loop, Make, Program, Put, Repeat, Size, assigned, walk
from fxla.kernels.python_text import Printer, parameters, stacks_of
from fxla.kernels.shapes import result_shapes
from fxla.loops.ir import Buffer, Const, DType, Expr, Load, Local, Op, Stmt
from fxla.loops.written import Written

__all__ = ["grid_kernel", "scratch_of"]

Scratch = tuple[tuple[tuple[int, ...], DType], ...]


def _own_arrays(program: Program) -> list[Buffer]:
    """The arrays that a program makes and does not return."""
    outs = {o.name for o in program.outputs}
    made = [s.buffer for s in walk(program.body) if isinstance(s, Make)]
    return [b for b in made if b.name not in outs]


def scratch_of(program: Program, shapes: Sequence[tuple[int, ...]]) -> Scratch | None:
    """Shapes and dtypes of the arrays that one example makes for itself.

    Args:
        program: any.
        shapes: of its inputs.

    Returns:
        None if they follow from more than sizes, or if the program cannot run on a grid.
    """
    makes = [s for s in walk(program.body) if isinstance(s, Make)]
    halves = any(x.dtype.name == "float16" for x in (*program.inputs, *program.outputs))
    if stacks_of(program) or halves or any(s not in program.body for s in makes):
        return None
    own = _own_arrays(program)
    if len({b.name for b in own}) < len(own):
        return None
    asked = replace(program, outputs=tuple(own))
    found = result_shapes(asked, shapes, [None] * len(shapes))
    pairs = [(s, b.dtype) for s, b in zip(found, own, strict=True) if s is not None]
    return tuple(pairs) if len(pairs) == len(own) else None


@functools.lru_cache(maxsize=1024)
def grid_kernel(program: Program, batched: tuple[bool, ...]) -> Written:
    """The kernel of a program that has `scratch_of`.

    It takes pointers to inputs, results and scratch arrays, the sizes of all arrays of one
    example, and the number of examples.
    """
    ins, outs = parameters(program)
    own = _own_arrays(program)
    printer = GridPrinter(program, [], frozenset(b.name for b in own), rising=_rising(program))
    names = [*ins, *outs, *[printer.name(b.name) for b in own]]
    buffers = [*program.inputs, *program.outputs, *own]
    marks = [*batched, *[True] * (len(outs) + len(own))]
    sizes: list[str] = []
    for x, name, batch in zip(buffers, names, marks, strict=True):
        rank = len(x.shape) if isinstance(x, Buffer) else 0
        extents = [f"fxla_{name}_n{k}" for k in range(rank)]
        sizes += extents
        if rank:
            start = " * ".join(["example_of_fxla", *extents]) if batch else "0"
            printer.line(2, f"fxla_{name}_o = {start}")
        elif x in program.inputs:
            printer.line(2, f"{name} = fxla_{name}[{'example_of_fxla' if batch else '0'}]")
    printer.block(program.body, 2)
    for o, name in zip(program.outputs, outs, strict=True):
        if isinstance(o, Local):
            printer.line(2, f"fxla_{name}[example_of_fxla] = {printer.name(o.name)}")
    pointers = [f"fxla_{n}" for n in names]
    entry = f"{program.name}_grid"
    head = [
        "import math", "", "import numpy as np", "from numba import cuda", "", "",
        f"def {entry}({', '.join([*pointers, *sizes, 'count_of_fxla'])}):",
        "    for example_of_fxla in range(cuda.grid(1), count_of_fxla, cuda.gridsize(1)):",
    ]  # fmt: skip
    source = "\n".join([*head, *printer.lines]) + "\n"
    kinds = [Buffer(p, x.dtype, ()) for p, x in zip(pointers, buffers, strict=True)]
    ranks = tuple([(len(x.shape) if isinstance(x, Buffer) else 0, m)
                   for x, m in zip(buffers, marks, strict=True)])  # fmt: skip
    n = len(ins)
    return Written(entry, tuple(kinds[:n]), tuple(kinds[n:]), (), (), source, len(sizes) + 1, ranks)


def _rising(program: Program) -> frozenset[str]:
    """Indices of loops that are never negative."""
    found: set[str] = set()
    others: set[str] = set()
    for s in walk(program.body):
        if isinstance(s, Loop):
            up, down = _least(s.step, 1) and _least(s.start, 0), _least(s.stop, -1)
            (found if up or (down and not _least(s.step, 1)) else others).add(s.index.name)
        elif not isinstance(s, Repeat):
            others |= assigned((s,))
    return frozenset(found - others)


def _least(e: Expr, value: int) -> bool:
    return isinstance(e, Const) and bool(e.value >= value)


@dataclass
class GridPrinter(Printer):
    """Prints elements by their position in memory.

    Attributes:
        rising: variables that are never negative.
    """

    rising: frozenset[str] = field(default=frozenset(), kw_only=True)

    def expr(self, e: Expr) -> str:
        match e:
            case Size(array=name, axis=axis):
                return f"fxla_{self.name(name)}_n{axis}"
            case Load(buffer=b, index=index):
                return self.place(b, index)
        return super().expr(e)

    def place(self, b: Buffer, index: Sequence[Expr]) -> str:
        """An element of an array."""
        name = self.name(b.name)
        if not index:
            return f"fxla_{name}[fxla_{name}_o]"
        position = self.position(name, 0, index[0])
        for k, i in enumerate(index[1:], 1):
            inner = f"({position})" if k > 1 else position
            position = f"{inner} * fxla_{name}_n{k} + {self.position(name, k, i)}"
        return f"fxla_{name}[fxla_{name}_o + {position}]"

    def position(self, name: str, axis: int, i: Expr) -> str:
        """An index from the beginning: a negative one counts from the end."""
        text = self.expr(i)
        if self.is_rising(i):
            return text
        return f"({text} if {text} >= 0 else {text} + fxla_{name}_n{axis})"

    def is_rising(self, i: Expr) -> bool:
        """Whether an index is certainly not negative."""
        match i:
            case Const(value=value):
                return bool(value >= 0)
            case Local(name=name):
                return name in self.rising
            case Op(name="add" | "mul", args=args):
                return all(self.is_rising(a) for a in args)
        return False

    def statement(self, s: Stmt, depth: int) -> None:
        match s:
            case Put(buffer=b, index=index, value=v, add=add):
                sign = "+=" if add else "="
                self.line(depth, f"{self.place(b, index)} {sign} {self.plain(v)}")
            case _:
                super().statement(s, depth)

    def make(self, s: Make, depth: int) -> None:
        name = self.name(s.buffer.name)
        if s.fill is None:
            if s not in self.program.body:
                self.line(depth, "pass")
            return
        total = " * ".join([f"fxla_{name}_n{k}" for k in range(len(s.shape))]) or "1"
        self.line(depth, f"for k_of_fxla in range({total}):")
        self.line(depth + 1, f"fxla_{name}[fxla_{name}_o + k_of_fxla] = {self.plain(s.fill)}")
