"""Programs as kernels that the compiler takes: the text of a module, with what it needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from fxla.kernels.ir import Loop, Program, Repeat, walk
from fxla.kernels.python_text import entry_text, parameters, program_text, stacks_of
from fxla.loops.ir import Buffer
from fxla.loops.written import Written

__all__ = ["GROWN", "grain_of", "module_text", "written"]

GROWN = '''def grown(stack, room):
    """A stack with room for so many numbers."""
    larger = np.empty(max(room, 2 * stack.size), stack.dtype)
    larger[: stack.size] = stack
    return larger
'''

CHUNK = 16384
"""Elements, or about as many operations, that are worth a thread."""
LOOP_WORK = 64
"""Operations on an element that a program with loops is taken to do."""


def module_text(program: Program) -> str:
    """The functions of a program, without the entry."""
    parts = [GROWN] if stacks_of(program) else []
    return "\n\n".join([*parts, program_text(program)])


@functools.lru_cache(maxsize=1024)
def written(program: Program, batched: tuple[bool, ...]) -> Written:
    """The kernel that runs a program for each example of a batch.

    Args:
        program: for one example.
        batched: which inputs differ between examples.
    """
    ins, outs = parameters(program)
    entry = f"{program.name}_entry"
    source = f"{module_text(program)}\n\n{entry_text(program, batched, entry)}"
    sizes = sum(len(x.shape) for x in (*program.inputs, *program.outputs) if isinstance(x, Buffer))
    buffers = [
        Buffer(f"p_{name}", x.dtype, ())
        for name, x in zip((*ins, *outs), (*program.inputs, *program.outputs), strict=True)
    ]
    n = len(ins)
    return Written(entry, tuple(buffers[:n]), tuple(buffers[n:]), (), (), source, sizes)


def grain_of(program: Program, shapes: Sequence[tuple[int, ...]], count: int) -> int:
    """How many examples run as one chunk; 0 if there is one example, which cannot be split."""
    if count <= 1:
        return 0
    elements = sum(math.prod(s) for s in shapes)
    if any(isinstance(s, (Loop, Repeat)) for s in walk(program.body)):
        elements *= LOOP_WORK if elements <= len(shapes) else 1
    return max(1, CHUNK // max(elements, 1))
