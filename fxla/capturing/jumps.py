"""``return``, ``break`` and ``continue`` in the middle, rewritten to branches and flags.

What follows a branch that always jumps moves into its other branch. Where a piece jumps on some of
its paths only, and in loops, a flag says that it did, and what follows runs if it did not.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fxla.capturing.names import JUMPS, LOOPS, has_jump, own_nodes

__all__ = ["PREFIX", "RUNTIME", "assign", "at", "load", "lower_jumps", "none_of"]

T = TypeVar("T", bound=ast.AST)

RUNTIME = "__fx__"
"""Stands for the name of what the rewritten code calls, until it is known which one is free."""

PREFIX = "fx_"
RESULT, RETURNED = "fx_result", "fx_returned"
_OPAQUE = (ast.Try, ast.TryStar, ast.Match)


@dataclass(frozen=True)
class _Loop:
    """The flags of a loop; a loop that keeps its jumps has none."""

    broke: str = ""
    skipped: str = ""


def lower_jumps(body: list[ast.stmt]) -> list[ast.stmt]:
    """A function's body without jumps, but a ``return`` at its end.

    A jump within ``try`` or ``match`` stays, and with it those around it that it needs.
    """
    lowering = _Lowering(body)
    if not lowering.returns:
        return _without_idle_flags(lowering.block(body, _Loop()))
    if not _ends(body):
        body = [*body, at(ast.Return(ast.Constant(None)), body[-1])]
    lowered = lowering.block(body, _Loop())
    first = _without_idle_flags(lowered)
    returned = RETURNED in _flags_read(first)
    start = [assign(RETURNED, ast.Constant(False), body[0])] if returned else []
    return [*start, *first, at(ast.Return(load(RESULT)), body[-1])]


def at(node: T, place: ast.AST) -> T:
    """A new node at the place in the source of another; of a long one, at its first line."""
    node = ast.copy_location(node, place)
    new: Any = node
    if getattr(node, "end_lineno", 0) != getattr(node, "lineno", 0):
        new.end_lineno, new.end_col_offset = new.lineno, new.col_offset + 1
    return ast.fix_missing_locations(node)


def load(name: str) -> ast.Name:
    """The value of a variable."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: ast.expr, place: ast.AST) -> ast.stmt:
    """``name = value``."""
    return at(ast.Assign([ast.Name(name, ast.Store())], value), place)


def none_of(flags: Sequence[str], place: ast.AST) -> ast.expr:
    """``fx.none_of(flag, ...)``: whether no flag is set."""
    function = ast.Attribute(load(RUNTIME), "none_of", ast.Load())
    return at(ast.Call(function, [load(f) for f in flags], []), place)


def _ends(block: Sequence[ast.stmt]) -> bool:
    """Whether a block never goes on to what follows it."""
    for statement in block:
        if isinstance(statement, (*JUMPS, ast.Raise)):
            return True
        if isinstance(statement, ast.If) and _ends(statement.body) and _ends(statement.orelse):
            return True
        if isinstance(statement, ast.With) and _ends(statement.body):
            return True
        if _is_endless(statement):
            return True
    return False


def _is_endless(statement: ast.stmt) -> bool:
    """Whether a statement is ``while True`` without a ``break``."""
    if not isinstance(statement, ast.While) or not isinstance(statement.test, ast.Constant):
        return False
    return bool(statement.test.value) and not has_jump(statement.body, (ast.Break,))


def _in_the_way(block: Sequence[ast.stmt], kinds: tuple[type[ast.AST], ...]) -> bool:
    """Whether such a jump stands within ``try`` or ``match``."""
    return any(isinstance(n, _OPAQUE) and has_jump(n, kinds) for n in own_nodes(block))


def _flags_read(block: Sequence[ast.stmt]) -> set[str]:
    found = {RESULT}
    for statement in block:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            found.update(getattr(node, "fx_flags", ()))
    return found


def _without_idle_flags(block: list[ast.stmt]) -> list[ast.stmt]:
    """The block without assignments to flags that nobody reads."""
    used = _flags_read(block)

    class Clean(ast.NodeTransformer):
        def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
            target = node.targets[0]
            name = target.id if isinstance(target, ast.Name) else ""
            return None if name.startswith(PREFIX) and name not in used else node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return node

    cleaned = [Clean().visit(s) for s in block]
    for statement in cleaned:
        for node in ast.walk(statement) if statement else ():
            if isinstance(node, (ast.If, ast.While, ast.For, ast.With)) and not node.body:
                node.body = [at(ast.Pass(), node)]
    return [s for s in cleaned if s is not None]


class _Lowering:
    def __init__(self, body: list[ast.stmt]) -> None:
        nested = any(has_jump(s, (ast.Return,)) for s in body if not isinstance(s, ast.Return))
        self.returns = nested and not _in_the_way(body, (ast.Return,))
        self.count = 0

    def block(self, block: list[ast.stmt], loop: _Loop) -> list[ast.stmt]:
        """A block without its jumps; what follows one is moved or guarded."""
        out: list[ast.stmt] = []
        for k, statement in enumerate(block):
            rest = block[k + 1 :]
            if isinstance(statement, JUMPS):
                return [*out, *self.jump(statement, loop)]
            if isinstance(statement, ast.If) and self.flags(statement, loop):
                return [*out, *self.branch(statement, rest, loop)]
            flags = self.flags(statement, loop)
            if isinstance(statement, LOOPS):
                out += self.loop(statement, loop)
            elif isinstance(statement, ast.With) and flags:
                statement.body = self.block(statement.body, loop)
                out.append(statement)
            else:
                if isinstance(statement, ast.If):
                    statement.body = self.block(statement.body, loop)
                    statement.orelse = self.block(statement.orelse, loop)
                elif isinstance(statement, ast.With):
                    statement.body = self.block(statement.body, loop)
                out.append(statement)
                continue
            if flags and rest:
                guarded = self.block(rest, loop)
                return [*out, at(ast.If(none_of(flags, rest[0]), guarded, []), rest[0])]
        return out

    def flags(self, statement: ast.stmt, loop: _Loop) -> list[str]:
        """The flags that a statement may set for what follows it."""
        found = []
        if self.returns and has_jump(statement, (ast.Return,)):
            found.append(RETURNED)
        if loop.broke and has_jump(statement, (ast.Break,)):
            found.append(loop.broke)
        if loop.skipped and has_jump(statement, (ast.Continue,)):
            found.append(loop.skipped)
        return found

    def jump(self, statement: ast.stmt, loop: _Loop) -> list[ast.stmt]:
        true = ast.Constant(True)
        if isinstance(statement, ast.Return) and self.returns:
            value = statement.value or ast.Constant(None)
            return [assign(RESULT, value, statement), assign(RETURNED, true, statement)]
        if isinstance(statement, ast.Break) and loop.broke:
            return [assign(loop.broke, true, statement)]
        if isinstance(statement, ast.Continue) and loop.skipped:
            return [assign(loop.skipped, true, statement)]
        return [statement]

    def branch(self, statement: ast.If, rest: list[ast.stmt], loop: _Loop) -> list[ast.stmt]:
        body, orelse = statement.body, statement.orelse
        if _ends(body):
            orelse, rest = [*orelse, *rest], []
        elif _ends(orelse) and orelse:
            body, rest = [*body, *rest], []
        flags = self.flags(statement, loop)
        out: list[ast.stmt] = [
            at(ast.If(statement.test, self.block(body, loop), self.block(orelse, loop)), statement)
        ]
        if rest:
            out.append(at(ast.If(none_of(flags, rest[0]), self.block(rest, loop), []), rest[0]))
        return out

    def loop(self, statement: ast.stmt, outer: _Loop) -> list[ast.stmt]:
        """A loop with flags for its jumps; its test asks them (see `fxla.capturing.statements`)."""
        assert isinstance(statement, LOOPS)
        body, orelse = statement.body, statement.orelse
        if isinstance(statement, ast.While) and any(
            isinstance(n, ast.NamedExpr) for n in ast.walk(statement.test)
        ):
            inner = at(ast.If(statement.test, body, [ast.Break()]), statement.test)
            statement.test, body = at(ast.Constant(True), statement.test), [inner]
        self.count += 1
        kept = _in_the_way(body, (ast.Break, ast.Continue)) or isinstance(statement, ast.AsyncFor)
        breaks, skips = has_jump(body, (ast.Break,)), has_jump(body, (ast.Continue,))
        own = _Loop() if kept else _Loop(
            f"fx_break{self.count}" if breaks else "", f"fx_continue{self.count}" if skips else ""
        )  # fmt: skip
        returns = self.returns and has_jump(body, (ast.Return,))
        statement.body = self.block(body, own)
        if own.skipped:
            statement.body.insert(0, assign(own.skipped, ast.Constant(False), statement))
        out: list[ast.stmt] = []
        flags = [own.broke] if own.broke else []
        if own.broke:
            out.append(assign(own.broke, ast.Constant(False), statement))
        if returns:
            flags.append(RETURNED)
        statement.orelse = []
        statement.fx_flags = flags  # type: ignore[union-attr]
        out.append(statement)
        if orelse:
            lowered = self.block(orelse, outer)
            if flags:
                lowered = [at(ast.If(none_of(flags, orelse[0]), lowered, []), orelse[0])]
            elif kept and breaks:
                statement.orelse, lowered = lowered, []
            out += lowered
        return out
