"""Put a loop of many iterations outermost, so that all cores share it.

Cores share the iterations of a kernel's outermost loop. One over a batch of one, the colours of an
image, or blocks across a narrow matrix has few: another loop of the nest, whose iterations are
independent too, changes places with those around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fxla.compile.fusion.grain import count_of
from fxla.loops.ir import Expr, For, Index, Kernel, Stmt
from fxla.loops.rewrite import postorder

__all__ = ["FEW", "many_first"]

FEW = 8
"""Iterations of an outermost loop that are too few for all cores to have about as many each."""
LARGE = 1 << 14
"""Iterations of a nest in all, about, from which on it is worth sharing."""


def many_first(kernel: Kernel, independent: Callable[[For], bool]) -> Kernel:
    """Move the first loop of at least `FEW` iterations outermost, if the outermost has fewer.

    Args:
        kernel: with literal extents (before `parametrise`).
        independent: whether no iteration of a loop needs another one's results.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Buffer, Load, Store
        >>> from fxla.loops.view import extent, fresh_index
        >>> sizes = tuple(extent(n) for n in (3, 200, 300))
        >>> x, out = (Buffer(n, np.dtype("f4"), sizes) for n in ("x", "out"))
        >>> i, j, k = (fresh_index() for _ in sizes)
        >>> row = For(k, sizes[2], (Store(out, (i, j, k), Load(x.dtype, x, (i, j, k))),), "vector")
        >>> nest = For(i, sizes[0], (For(j, sizes[1], (row,)),), "parallel")
        >>> moved = many_first(Kernel("copy", (x,), (out,), (), (nest,)), lambda loop: True)
        >>> moved.body[0].extent.value, moved.body[0].body[0].extent.value
        (200, 3)
    """
    loops: list[For] = []
    body: tuple[Stmt, ...] = kernel.body
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind in ("parallel", "serial"):
        loops.append(body[0])
        body = body[0].body
    if len(loops) < 2 or loops[0].kind != "parallel":
        return kernel
    counts = [count_of(lp.extent) for lp in loops]
    if counts[0] is None or counts[0] >= FEW or _iterations(loops, counts, body) < LARGE:
        return kernel
    for at in range(1, len(loops)):
        n = counts[at]
        if n is None or _depends(loops[at].extent) or not independent(loops[at]):
            return kernel
        if n >= FEW:
            return replace(kernel, body=_moved(loops, at, body))
    return kernel


def _moved(loops: list[For], at: int, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The nest with the loop at a position outermost, and parallel."""
    order = [loops[at], *loops[:at], *loops[at + 1 :]]
    for lp in reversed(order):
        kind = lp.kind if lp.kind != "parallel" else "serial"
        body = (replace(lp, body=body, kind="parallel" if lp is loops[at] else kind),)
    return body


def _iterations(loops: list[For], counts: list[int | None], body: tuple[Stmt, ...]) -> int:
    """Iterations of a nest and of the loops in its body, about."""
    total = 1
    for n in counts:
        total *= 1 if n is None else max(n, 1)
    inner = [count_of(s.extent) or 1 for s in body if isinstance(s, For)]
    return total * max(inner, default=1)


def _depends(extent: Expr) -> bool:
    return any(isinstance(e, Index) for e in postorder([extent]))
