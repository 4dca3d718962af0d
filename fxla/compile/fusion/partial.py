"""Reductions of a whole array in two kernels, so that all cores work on it.

The first reduces blocks of a fixed size, in parallel, to one partial result each; the second
reduces the partial results and does what follows. Blocks depend on the size alone, so the result
does not depend on the number of threads. A sum in blocks is also more exact than one long sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.extents import SMALL
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    walk_stmts,
)
from fxla.loops.native.vectorize import stored_buffers
from fxla.loops.passes.tile import power_below
from fxla.loops.rewrite import Rewriter, postorder, stmt_exprs
from fxla.loops.view import binary, extent, fresh_index, int_const

__all__ = ["BLOCK", "LARGE", "TwoKernels", "cuts_into_blocks", "in_two", "loaded_buffers"]

BLOCK = 8192
"""Elements of a block."""
LARGE = 10 * BLOCK
"""Reductions of fewer elements run in one kernel."""


def cuts_into_blocks(sizes: Sequence[int]) -> bool:
    """Whether a reduction over axes of these sizes is two kernels."""
    if math.prod(sizes) < LARGE:
        return False
    return -(-sizes[0] // _rows(sizes)) > SMALL  # few would be constants, and kernels of their own


def _rows(sizes: Sequence[int]) -> int:
    """How many of the outermost axis make a block."""
    return power_below(max(1, BLOCK // math.prod(sizes[1:])))


@dataclass(frozen=True, slots=True)
class TwoKernels:
    """A reduction of blocks, the reduction of its results, and the arrays between the two.

    What the loop computes and stores beside the reduction, the kernel of the blocks stores.
    """

    blocks: Kernel
    rest: Kernel
    partial: tuple[Buffer, ...]


@dataclass(frozen=True, slots=True)
class _Reduction:
    """A kernel's one loop nest, and the statements around it."""

    before: tuple[Let, ...]
    loop: For
    after: tuple[Stmt, ...]
    steps: tuple[tuple[Local, str], ...]


def in_two(kernel: Kernel) -> TwoKernels | None:
    """Split a kernel that is one large reduction of all there is; None if it is not.

    Args:
        kernel: with literal extents (before `parametrise`).

    Example:
        >>> import numpy as np
        >>> f4 = np.dtype("f4")
        >>> x, out = Buffer("x", f4, (extent(10**5),)), Buffer("out", f4, ())
        >>> i, total = fresh_index(), Local(f4, "total")
        >>> step = Assign(total, Op(f4, "add", (total, Load(f4, x, (i,)))))
        >>> start = Let(total, Const(f4, 0.0), mutable=True)
        >>> loop = For(i, extent(10**5), (step,), "vector")
        >>> two = in_two(Kernel("sum", (x,), (out,), (), (start, loop, Store(out, (), total))))
        >>> [str(b.shape[0].value) for b in two.partial]
        ['13']
    """
    found = _reduction(kernel)
    if found is None:
        return None
    loop = found.loop
    sizes = _sizes(loop)
    if sizes is None or not cuts_into_blocks(sizes):
        return None
    rows = _rows(sizes)
    n_blocks = -(-sizes[0] // rows)
    partial = tuple(
        [
            Buffer(f"partial{k}", x.dtype, (extent(n_blocks),))
            for k, (x, _) in enumerate(found.steps)
        ]
    )
    blocks = _blocks_kernel(kernel, found, partial, rows)
    rest = _rest_kernel(kernel, found, partial)
    return TwoKernels(blocks, rest, partial)


def _blocks_kernel(
    kernel: Kernel, found: _Reduction, partial: tuple[Buffer, ...], rows: int
) -> Kernel:
    block, inside = fresh_index("b"), fresh_index("r")
    # the size of a block is a constant, but rows of a block follow from the size of a row
    size = int_const(rows) if rows == BLOCK else extent(rows)
    start = binary("mul", block, size)
    position = binary("add", start, inside)
    n = Op(INDEX, "minimum", (size, binary("sub", found.loop.extent, start)))
    name = found.loop.index.name
    moved = Rewriter(lambda e: position if isinstance(e, Index) and e.name == name else e)
    body = moved.block(found.loop.body)
    loop = replace(found.loop, index=inside, extent=n, body=body)
    stores = [Store(b, (block,), local) for b, (local, _) in zip(partial, found.steps, strict=True)]
    whole = For(block, partial[0].shape[0], (*found.before, loop, *stores), "parallel")
    read = loaded_buffers((whole,))
    inputs = tuple([b for b in kernel.inputs if b.name in read])
    written = stored_buffers((whole,))
    maps = tuple([b for b in kernel.outputs if b.name in written])
    return Kernel(f"{kernel.name}_blocks", inputs, (*partial, *maps), (), (whole,))


def _rest_kernel(kernel: Kernel, found: _Reduction, partial: tuple[Buffer, ...]) -> Kernel:
    block = fresh_index("b")
    steps = [
        Assign(x, Op(x.dtype, name, (x, Load(x.dtype, b, (block,)))))
        for b, (x, name) in zip(partial, found.steps, strict=True)
    ]
    loop = For(block, partial[0].shape[0], tuple(steps), "vector")
    body = (*found.before, loop, *found.after)
    read = loaded_buffers(body)
    inputs = tuple([b for b in kernel.inputs if b.name in read])
    written = stored_buffers(body)
    outputs = tuple([b for b in kernel.outputs if b.name in written])
    return Kernel(kernel.name, (*partial, *inputs), outputs, (), body)


def _reduction(kernel: Kernel) -> _Reduction | None:
    """The parts of a kernel that is: set accumulators, loop, use them."""
    loops = [k for k, s in enumerate(kernel.body) if isinstance(s, For)]
    if len(loops) != 1:
        return None
    at = loops[0]
    loop = kernel.body[at]
    assert isinstance(loop, For)
    before: list[Let] = []
    for s in kernel.body[:at]:
        if not (isinstance(s, Let) and s.mutable and isinstance(s.value, Const)):
            return None
        before.append(s)
    after = kernel.body[at + 1 :]
    if not all(isinstance(s, Let | Store) for s in after):
        return None
    inner: tuple[Stmt, ...] = (loop,)
    while len(inner) == 1 and isinstance(inner[0], For):
        inner = inner[0].body
    steps: list[tuple[Local, str]] = []
    for s in inner:
        match s:
            case Assign(local=x, value=Op(name=name, args=(Local(name=same), _))) if same == x.name:
                steps.append((x, name))
            case Store() | Let(mutable=False):
                pass
            case _:
                return None
    if [x.name for x, _ in steps] != [s.local.name for s in before]:
        return None
    return _Reduction(tuple(before), loop, after, tuple(steps))


def _sizes(loop: For) -> list[int] | None:
    """The literal extents of a perfect nest."""
    sizes: list[int] = []
    body: tuple[Stmt, ...] = (loop,)
    while len(body) == 1 and isinstance(body[0], For):
        n: Expr = body[0].extent
        if not (isinstance(n, Extent) and n.name is None):
            return None
        sizes.append(n.value)
        body = body[0].body
    return sizes


def loaded_buffers(body: Iterable[Stmt]) -> set[str]:
    """Names of the buffers that a block reads."""
    return {
        e.buffer.name
        for s in walk_stmts(tuple(body))
        for e in postorder(stmt_exprs(s))
        if isinstance(e, Load)
    }
