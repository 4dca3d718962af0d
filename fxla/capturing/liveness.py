"""Which variables a later statement may still read: the only ones that a branch has to give back.

Runs on statements without jumps (see `fxla.capturing.jumps`); where jumps are left, everything that
the piece reads counts as live.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from fxla.capturing.names import bound, has_jump, reads

__all__ = ["live_before", "live_before_block"]


def live_before_block(block: Sequence[ast.stmt], after: set[str]) -> set[str]:
    """Variables that are live before a block, given those that are live after it."""
    for statement in reversed(block):
        after = live_before(statement, after)
    return after


def live_before(statement: ast.stmt, after: set[str]) -> set[str]:
    """Variables that are live before a statement, given those that are live after it."""
    if has_jump(statement):
        return after | reads(statement)
    match statement:
        case ast.If():
            branches = live_before_block(statement.body, after)
            branches |= live_before_block(statement.orelse, after)
            return branches | reads(statement.test)
        case ast.While():
            head = after | reads(statement.test) | live_before_block(statement.orelse, after)
            head |= live_before_block(statement.body, head)
            return head | live_before_block(statement.body, head)
        case ast.For():
            target = bound(statement.target)
            head = after | live_before_block(statement.orelse, after)
            head |= live_before_block(statement.body, head) - target
            head |= live_before_block(statement.body, head) - target
            return head | reads(statement.iter) | reads(statement.target)
        case ast.With():
            inside = live_before_block(statement.body, after)
            for item in reversed(statement.items):
                inside = inside - (bound(item.optional_vars) if item.optional_vars else set())
                inside |= reads(item)
            return inside
        case ast.Assign() | ast.AnnAssign() | ast.Expr() | ast.AugAssign() | ast.Import():
            return (after - bound(statement)) | reads(statement)
        case ast.FunctionDef():
            return (after - {statement.name}) | reads(statement)
        case _:
            return after | reads(statement)
