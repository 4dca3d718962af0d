"""Short sums in the body of a loop with lanes, written out as lines without loops.

The windows of a pooling layer have four or nine elements, and lanes run over the windows. In a loop
over a window's elements nobody knows which of them is read, so every lane fetches its own; written
out, elements two apart are read as whole vectors and sorted in registers. What a local accumulates
becomes a local for each step, so that maps of windows are maps to the passes after this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from fxla.loops.ir import Assign, Expr, Let, Local, Stmt, Store
from fxla.loops.passes.unroll import unrolled, unrolled_size
from fxla.loops.rewrite import Rewriter
from fxla.loops.view import fresh_local

__all__ = ["straight"]

MOST = 256
"""Operations, loads and stores that are written out, at most."""


def straight(body: Iterable[Stmt]) -> tuple[Stmt, ...]:
    """Statements with small loops of known extents written out; as they are if they are too many.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import INDEX, Buffer, For, Index, Load, Op
        >>> from fxla.loops.view import binary, const, extent
        >>> f4 = np.dtype("f4")
        >>> x, out = (Buffer(name, f4, (extent(n),)) for name, n in (("x", 80), ("out", 40)))
        >>> i, k, total = Index(INDEX, "i"), Index(INDEX, "k"), Local(f4, "total")
        >>> there = Load(f4, x, (binary("add", binary("mul", i, extent(2)), k),))
        >>> add = Assign(total, Op(f4, "add", (total, there)))
        >>> begin = Let(total, const(0, f4), True)
        >>> sums = For(k, extent(2), (add,))
        >>> [type(s).__name__ for s in straight([begin, sums, Store(out, (i,), total)])]
        ['Let', 'Let', 'Let', 'Store']
    """
    body = tuple(body)
    if unrolled_size(body) > MOST:
        return body
    lines = unrolled(body)
    if not all(isinstance(s, Let | Assign | Store) for s in lines):
        return body
    now: dict[str, Expr] = {}
    out: list[Stmt] = []
    for s in lines:
        rewriter = Rewriter(lambda e: now.get(e.name, e) if isinstance(e, Local) else e)
        match s:
            case Let(local=x, value=v) | Assign(local=x, value=v):
                step = fresh_local(x.dtype)
                out.append(Let(step, rewriter.expr(v)))
                now[x.name] = step
            case _:
                out.append(rewriter.stmt(s))
    return tuple(out)
