"""Adjoints of assignments, moved into the branch that alone uses what was assigned.

Outside of it an iteration that does not take the branch would add zeros to memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.kernels.ir import Block, Pop, Push, Size, assigned, reads, statement_exprs, walk
from fxla.loops.ir import Assign, Expr, If, Stmt

__all__ = ["read_by", "sink"]


def sink(
    body: Sequence[Stmt], parts: list[Block], local: set[str], bar: Callable[[str], str]
) -> None:
    """Move what can be moved.

    The adjoint of an assignment may run at the end of that of a later branch if nothing comes back
    in between, and if no other adjoint touches that of the variable.

    Args:
        body: statements of a block.
        parts: their adjoints, changed in place.
        local: variables that are assigned once and read in their block only.
        bar: the name of a variable's adjoint.
    """
    for k in reversed(range(len(body))):
        s = body[k]
        if not (isinstance(s, Assign) and s.local.name in local and parts[k]):
            continue
        if any(isinstance(t, (Pop, Push)) for t in walk(parts[k])):
            continue
        name = bar(s.local.name)
        m = next((m for m in range(k + 1, len(body)) if parts[m]), None)
        others = [p for j, p in enumerate(parts) if j not in (k, m)]
        if m is None or len(parts[m]) != 1 or any(_mentions(p, name) for p in others):
            continue
        branch = parts[m][0]
        if not isinstance(branch, If) or name in reads(branch.condition):
            continue
        then, otherwise = branch.then, branch.otherwise
        if not _mentions(otherwise, name):
            then = (*then, *parts[k])
        elif not _mentions(then, name):
            otherwise = (*otherwise, *parts[k])
        else:
            continue
        parts[m], parts[k] = (If(branch.condition, then, otherwise),), ()


def _mentions(body: Block, name: str) -> bool:
    """Whether statements read or change a variable."""
    return name in read_by(body) | assigned(body)


def read_by(body: Block) -> set[str]:
    """Names of the variables, and of the arrays or their sizes, that statements read."""
    found: set[str] = set()
    for s in walk(body):
        for e in statement_exprs(s):
            found |= reads(e)
            found.update(_sized(e))
    return found


def _sized(e: Expr) -> set[str]:
    return {e.array} if isinstance(e, Size) else set()
