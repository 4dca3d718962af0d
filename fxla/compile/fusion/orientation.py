"""How loops walk through the arrays that expressions read: along rows, or down columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fxla.loops.ir import Const, Expr, Extent, Index, Load, walk_exprs

__all__ = ["FAR", "index_names", "is_outermost", "walks_down"]

FAR = 64
"""Elements from one to the next that are in different lines of the cache."""


def index_names(e: Expr) -> set[str]:
    """Names of the loop indices that an expression depends on."""
    return {n.name for n in walk_exprs(e) if isinstance(n, Index)}


def walks_down(expr: Expr, index: Index) -> bool:
    """Whether a step of an index is one from line to line of the cache, in some array."""
    for e in walk_exprs(expr):
        if not isinstance(e, Load):
            continue
        for axis, at in enumerate(e.index[:-1]):
            sizes = [n.value for n in e.buffer.shape[axis + 1 :] if isinstance(n, (Const, Extent))]
            if math.prod(sizes) >= FAR and index.name in index_names(at):
                return True
    return False


def is_outermost(exprs: Iterable[Expr], inner: set[str], outer: set[str]) -> bool:
    """Whether whatever is read has the indices `inner` before all of `outer`, and both of them."""
    for e in (e for expr in exprs for e in walk_exprs(expr)):
        if not isinstance(e, Load):
            continue
        names = [index_names(at) for at in e.index]
        walked = [k for k, some in enumerate(names) if some & inner]
        others = [k for k, some in enumerate(names) if some & outer]
        if not walked or not others or walked[-1] >= others[0]:
            return False
    return True
