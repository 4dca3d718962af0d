"""Loops of one iteration: what they run stands alone, and the loop around takes over their kind."""

from __future__ import annotations

from dataclasses import replace

from fxla.loops.ir import AxisKind, Expr, For, If, Index, Kernel, Stmt, While
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import Rewriter
from fxla.loops.view import int_const

__all__ = ["without_single_loops"]


def without_single_loops(kernel: Kernel) -> Kernel:
    """Replace loops of one iteration by what they run.

    Args:
        kernel: with literal extents (before `parametrise`), its loops merged already: axes of size
            1 help there.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import Assign, Buffer, Load, Local, Op, Store
        >>> from fxla.loops.view import extent, fresh_index
        >>> f4 = np.dtype("f4")
        >>> x, out = (Buffer(n, f4, (extent(20), extent(1))) for n in ("x", "out"))
        >>> i, j = fresh_index(), fresh_index()
        >>> copy = Store(out, (i, j), Load(f4, x, (i, j)))
        >>> nest = For(i, extent(20), (For(j, extent(1), (copy,), "vector"),))
        >>> loop = without_single_loops(Kernel("copy", (x,), (out,), (), (nest,))).body[0]
        >>> loop.kind, loop.body[0].index[1].value
        ('vector', 0)
    """
    names: set[str] = set()
    body = _block(kernel.body, names)
    zero = int_const(0)

    def change(e: Expr) -> Expr:
        return zero if isinstance(e, Index) and e.name in names else e

    return Rewriter(change).kernel(replace(kernel, body=body)) if names else kernel


def _block(body: tuple[Stmt, ...], names: set[str]) -> tuple[Stmt, ...]:
    return tuple([new for s in body for new in _stmt(s, names)])


def _stmt(s: Stmt, names: set[str]) -> tuple[Stmt, ...]:
    match s:
        case For(index=i, extent=n, body=body, kind=kind):
            inner = _block(body, names)
            if size_of_extent(n) == 1:
                names.add(i.name)
                if len(inner) == 1 and isinstance(inner[0], For) and kind == "parallel":
                    inner = (_asked(inner[0], "parallel"),)
                return inner
            loop = replace(s, body=inner)
            match body:
                case (For(kind="vector", extent=one),) if size_of_extent(one) == 1:
                    loop = _asked(loop, "vector")
            return (loop,)
        case If(then=then, otherwise=otherwise):
            return (replace(s, then=_block(then, names), otherwise=_block(otherwise, names)),)
        case While(body=body):
            return (replace(s, body=_block(body, names)),)
    return (s,)


def _asked(loop: For, kind: AxisKind) -> For:
    """A serial loop with the kind that was asked of the one inside or around it."""
    return replace(loop, kind=kind) if loop.kind == "serial" else loop
