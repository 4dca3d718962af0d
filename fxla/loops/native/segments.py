"""Loops cut where a select changes sides.

``for i < n: y[i] = a[i] if i < m else b[i - m]`` is what a concatenation lowers to, and shifts,
rotations, pads and one-sided differences lower to alike. The condition holds for all iterations
before one place and for none after it, so the printer prints the loop twice, and each part reads
whole vectors from one operand without a mask.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxla.core.records import dataclass
from fxla.loops.ir import (
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Let,
    Load,
    Op,
    Select,
    Store,
    children,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.view import binary, int_const

__all__ = ["Boundary", "Decided", "boundary_of", "decided_value"]

Decided = dict[tuple[str, str, Expr], bool]
"""Conditions that are known in a part of a loop: comparison, index and bound."""

MOST = 4
"""Boundaries of one loop; each adds a copy of it."""
_TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a condition on a loop's index changes.

    Attributes:
        key: the comparison, the name of the index, and what it is compared with.
        place: the first iteration after the change.
        holds_before: whether it holds before it, not after.
    """

    key: tuple[str, str, Expr]
    place: Expr
    holds_before: bool


def boundary_of(loop: For, decided: Decided) -> Boundary | None:
    """The first boundary of a loop that is not decided yet; None if there is none left.

    Only selects that read memory are worth a copy of the loop.
    """
    if len(decided) >= MOST or any(isinstance(s, For | If) for s in walk_stmts(loop.body)):
        return None
    for s in walk_stmts(loop.body):
        if isinstance(s, Let | Store):
            for e in _selects(s.value, decided):
                found = _in_condition(e.condition, loop.index, decided)
                if found is not None:
                    return found
    return None


def decided_value(e: Expr, decided: Decided) -> bool | None:
    """The value of a comparison that is decided."""
    key = _key(e)
    return None if key is None else decided.get(key)


def _key(e: Expr) -> tuple[str, str, Expr] | None:
    if not (isinstance(e, Op) and e.name in _TURNED):
        return None
    left, right = e.args
    if isinstance(left, Index):
        return e.name, left.name, right
    if isinstance(right, Index):
        return _TURNED[e.name], right.name, left
    return None


def _selects(e: Expr, decided: Decided) -> Iterator[Select]:
    """The selects of an expression that are still open and of which an arm reads memory."""
    stack, seen = [e], set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Select):
            known = decided_value(node.condition, decided)
            if known is not None:
                stack.append(node.then if known else node.otherwise)
                continue
            arms = (node.then, node.otherwise)
            if any(isinstance(x, Load) for arm in arms for x in walk_exprs(arm)):
                yield node
        stack.extend(reversed(children(node)))


def _in_condition(e: Expr, index: Index, decided: Decided) -> Boundary | None:
    """A boundary among the comparisons that a condition joins."""
    if isinstance(e, Op) and e.name in ("and", "or", "not"):
        return next(
            (b for a in e.args if (b := _in_condition(a, index, decided)) is not None), None
        )
    key = _key(e)
    if key is None or key in decided or key[1] != index.name or not _is_fixed(key[2], index):
        return None
    name, _, bound = key
    place = bound if name in ("lt", "ge") else binary("add", bound, int_const(1))
    return Boundary(key, place, name in ("lt", "le"))


def _is_fixed(e: Expr, index: Index) -> bool:
    """Whether an expression is one of sizes and outer indices."""
    return all(
        isinstance(x, Const | Extent | Op) or (isinstance(x, Index) and x.name != index.name)
        for x in walk_exprs(e)
    )
