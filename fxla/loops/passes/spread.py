"""Give the iterations of outer loops to a GPU's grid.

A schedule for a CPU splits the outermost loop over a few threads and keeps the others for each
thread: serial ones in order, vector ones in lanes. A grid has thousands of threads, and neighbours
among them should touch neighbouring elements, so every loop of the outer nest whose iterations are
independent becomes parallel, the vector loop included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fxla.loops.ir import Alloc, Expr, For, Index, Kernel, Load, Stmt, Store, walk_stmts
from fxla.loops.rewrite import postorder, stmt_exprs

__all__ = ["is_independent", "spread"]


def spread(kernel: Kernel) -> Kernel:
    """Mark as parallel the loops around the body, outermost first, as far as they are independent.

    Two loops are merged into one range over the grid only if the extent of the inner one does not
    depend on the outer one.

    Args:
        kernel: before or after `fxla.loops.extents.parametrise`.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Buffer
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("f4"), (extent(20), extent(30))) for n in ("x", "out"))
        >>> i, j = fresh_index(), fresh_index()
        >>> copy = Store(out, (i, j), Load(x.dtype, x, (i, j)))
        >>> nest = For(i, extent(20), (For(j, extent(30), (copy,), "vector"),))
        >>> outer = spread(Kernel("copy", (x,), (out,), (), (nest,))).body[0]
        >>> outer.kind, outer.body[0].kind
        ('parallel', 'parallel')
    """
    return replace(kernel, body=_spread(kernel.body))


def _spread(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    if len(body) != 1 or not isinstance(body[0], For):
        return body
    loop = body[0]
    uniform = not any(isinstance(e, Index) for e in postorder([loop.extent]))
    if uniform and (loop.kind in ("parallel", "vector") or is_independent(loop)):
        return (replace(loop, kind="parallel", body=_spread(loop.body)),)
    if loop.kind == "parallel":  # a printer takes every loop of that kind in the nest for the grid
        return (replace(loop, kind="serial"),)
    return body


def is_independent(loop: For) -> bool:
    """Whether no iteration touches what another writes.

    So it is if each buffer written has an axis that every access indexes by the loop's own index.
    No local is carried, since there is none outside a loop of the outer nest.
    """
    private = {s.buffer.name for s in walk_stmts(loop.body) if isinstance(s, Alloc)}
    written = {s.buffer.name for s in walk_stmts(loop.body) if isinstance(s, Store)} - private
    common: dict[str, set[int]] = {}
    for name, index in _accesses(loop.body):
        if name in written:
            axes = {k for k, e in enumerate(index) if e == loop.index}
            common[name] = common.get(name, axes) & axes
    return all(common.values())


def _accesses(body: tuple[Stmt, ...]) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    """The buffer's name and the index of every load and store."""
    for s in walk_stmts(body):
        if isinstance(s, Store):
            yield s.buffer.name, s.index
        for e in postorder(stmt_exprs(s)):
            if isinstance(e, Load):
                yield e.buffer.name, e.index
