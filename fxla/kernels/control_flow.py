"""Blocks, branches and loops of a kernel's function, and ways out of them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from fxla.core.records import dataclass
from fxla.kernels.assignments import Assignments
from fxla.kernels.calls import same
from fxla.kernels.expressions import AMBIGUOUS
from fxla.kernels.ir import Loop, Repeat, integer
from fxla.kernels.syntax import (
    always_exits,
    contains,
    function_tree,
    is_store,
    leaves_loop,
    read_outside_of_loops,
    with_continue_as_if,
)
from fxla.kernels.values import ArrayView, Meaning, Pull, UntranslatableError
from fxla.loops.ir import BOOL, INDEX, Const, Expr, If, Local, Op, Select, Stmt

__all__ = ["ControlFlow", "Exit"]

_MISSING = object()


@dataclass
class Exit:
    """How statements are left before their end: variables that are set then."""

    returned: str | None = None
    broken: str | None = None


class ControlFlow(Assignments):
    """Translates statements that hold others.

    Attributes:
        exits: for the function and each loop around the current block, how it is left early.
    """

    exits: list[Exit]

    def statements(self, body: Sequence[ast.stmt]) -> None:
        """Translate statements; those behind a possible exit run only if it was not taken."""
        for k, node in enumerate(body):
            rest = body[k + 1 :]
            if isinstance(node, ast.If) and rest and not isinstance(node, ast.While):
                if always_exits(node.body) and not node.orelse:
                    joined = ast.If(test=node.test, body=node.body, orelse=list(rest))
                    self.statement(ast.copy_location(joined, node))
                    return
                if node.orelse and always_exits(node.orelse):
                    joined = ast.If(test=node.test, body=[*node.body, *rest], orelse=node.orelse)
                    self.statement(ast.copy_location(joined, node))
                    return
            own = self.exits[-1]
            if rest and own.returned is None and contains(node, ast.Return):
                own.returned = self.flag(self.frame.prefix + "returned")
            self.statement(node)
            if isinstance(node, (ast.Return, ast.Break, ast.Continue)):
                return
            left = self.may_be_left(node)
            if left and rest:
                with self.block() as inner:
                    self.nested(lambda rest=rest: self.statements(rest))
                going: Expr = Op(BOOL, "not", (Local(BOOL, left[0]),))
                for name in left[1:]:
                    going = Select(
                        BOOL, going, Op(BOOL, "not", (Local(BOOL, name),)), Const(BOOL, False)
                    )
                self.emit(If(going, tuple(inner)))
                return

    def may_be_left(self, node: ast.stmt) -> list[str]:
        """The variables that tell whether a statement ended in an exit out of this block."""
        if not isinstance(node, (ast.If, ast.For, ast.While)):
            return []
        found = []
        own = self.exits[-1]
        if own.returned is not None and contains(node, ast.Return):
            found.append(own.returned)
        inside_loop = isinstance(node, ast.If)
        if inside_loop and own.broken is not None and leaves_loop(node):
            found.append(own.broken)
        return found

    def nested(self, translate: Any) -> None:
        """Translate what may not run: arrays bound to names before must be the same after."""
        before = dict(self.frame.env)
        self.level += 1
        translate()
        self.level -= 1
        for name, value in self.frame.env.items():
            if value is before.get(name, _MISSING) or isinstance(value, Local):
                continue
            if name in before and value == before[name]:
                continue
            self.frame.env[name] = (
                AMBIGUOUS if name in before or isinstance(value, (ArrayView, tuple)) else value
            )

    def statement(self, node: ast.stmt) -> None:
        """Translate one statement."""
        rule = getattr(self, f"do_{type(node).__name__.lower()}", None)
        if rule is None:
            raise UntranslatableError(f"`{type(node).__name__.lower()}` statements", node)
        try:
            rule(node)
        except UntranslatableError as error:
            if error.line is None:
                error.line = node.lineno
            raise

    def do_if(self, node: ast.If) -> None:
        condition = self.meaning(node.test)
        if not isinstance(condition, (Expr, ArrayView, Pull)):
            self.statements(node.body if condition else node.orelse)
            return
        test = self.truth(self.as_scalar(condition, node))
        with self.block() as then:
            self.nested(lambda: self.statements(node.body))
        with self.block() as otherwise:
            self.nested(lambda: self.statements(node.orelse))
        self.emit(If(test, tuple(then), tuple(otherwise)))

    def flag(self, stem: str) -> str:
        """A variable that is false until something is left."""
        name = self.fresh(stem)
        self.assign(name, Const(BOOL, False))
        return name

    def in_loop(self, node: ast.For | ast.While, body: Any) -> tuple[tuple[Stmt, ...], Any]:
        """The body of a loop, and the variable that ends it."""
        if node.orelse:
            raise UntranslatableError("`else` of a loop", node)
        outer = self.exits[-1]
        returns = any(contains(s, ast.Return) for s in node.body)
        breaks = any(leaves_loop(s, (ast.Break,)) for s in node.body)
        continues = any(leaves_loop(s, (ast.Continue,)) for s in node.body)
        if returns and outer.returned is None:
            outer.returned = self.flag(self.frame.prefix + "returned")
        left = self.flag("left") if breaks or continues or returns else None
        own = Exit(outer.returned, left)
        self.exits.append(own)
        with self.block() as inner:
            if continues and left is not None:
                self.assign(left, Const(BOOL, False))
            self.nested(body)
        self.exits.pop()
        until = Local(BOOL, left) if left is not None and (breaks or returns) else None
        if until is not None and continues:  # a flag of its own for what only ends an iteration
            raise _BothExitsError
        return tuple(inner), until

    def do_while(self, node: ast.While) -> None:
        node = with_continue_as_if(node)
        with self.block() as added:
            condition = self.meaning(node.test)
        if added:
            going = self.fresh("going")
            self.body += added
            self.assign(going, self.truth(self.as_scalar(condition, node)))

            def again() -> None:
                self.statements(node.body)
                self.assign(going, self.truth(self.scalar(node.test)))

            body, until = self.in_loop(node, again)
            self.emit(Repeat(Local(BOOL, going), body, until))
            return
        test = self.truth(self.as_scalar(condition, node))
        body, until = self.in_loop(node, lambda: self.statements(node.body))
        self.emit(Repeat(test, body, until))

    def do_for(self, node: ast.For) -> None:
        node = with_continue_as_if(node)
        it = node.iter
        if isinstance(it, ast.Call):
            f = self.meaning(it.func)
            if same(f, range) or getattr(f, "__name__", "") == "prange":
                self.over_range([self.scalar(a) for a in it.args], node, None)
                return
            if same(f, enumerate, zip, reversed):
                self.over_zip(f, [self.meaning(a) for a in it.args], node)
                return
        items = self.meaning(it)
        if isinstance(items, (tuple, range)):
            for x in items:
                if any(leaves_loop(s) for s in node.body):
                    raise UntranslatableError("`break` in a loop over a tuple", node)
                self.bind(node.target, x, node)
                self.statements(node.body)
            return
        self.over_zip(None, [items], node)

    def over_range(self, bounds: list[Expr], node: ast.For, items: Any) -> None:
        """A counted loop. `items` gives what the target is bound to, if not the index."""
        start = bounds[0] if len(bounds) > 1 else integer(0)
        stop = bounds[1] if len(bounds) > 1 else bounds[0]
        step = bounds[2] if len(bounds) > 2 else integer(1)
        start, stop = self.temporary(start, "start"), self.temporary(stop, "stop")
        step = self.temporary(step, "by")
        if items is None and isinstance(node.target, ast.Name):
            name = node.target.id
        else:
            name = "k"
        index = Local(INDEX, self.fresh(self.frame.prefix + name))
        self.types[index.name] = INDEX
        kept = items is None and self.needs_variable(name, node)
        if not kept:
            self.stable.add(index.name)

        def body() -> None:
            if items is not None:
                self.bind(node.target, items(index), node)
            elif kept:
                self.bind_name(name, index, node)
            else:
                self.frame.env[name] = index
            self.statements(node.body)

        if kept and not isinstance(self.frame.env.get(name), Local):
            self.bind_name(name, start, node)  # so that the variable exists if no iteration
        inner, until = self.in_loop(node, body)
        self.emit(Loop(index, start, stop, step, inner, until))

    def needs_variable(self, name: str, node: ast.For) -> bool:
        """Whether the target of a loop is used outside of it, or assigned in it."""
        if any(isinstance(n, ast.Name) and n.id == name and is_store(n)
               for s in node.body for n in ast.walk(s)):  # fmt: skip
            return True
        tree = function_tree(self.frame.function)
        return read_outside_of_loops(tree, name)

    def over_zip(self, f: Any, args: list[Meaning], node: ast.For) -> None:
        """A loop over arrays, side by side or counted."""
        if same(f, enumerate) and len(args) == 1:
            items = [self.iterable(args[0], node)]

            def both(i: Expr) -> Meaning:
                return i, items[0][1](i)

            self.over_range([items[0][0]], node, both)
            return
        if same(f, reversed):
            raise UntranslatableError("`reversed`", node)
        several = [self.iterable(a, node) for a in args]
        n = several[0][0]
        for other, _ in several[1:]:
            n = Op(INDEX, "minimum", (n, other))
        if f is None:
            self.over_range([n], node, several[0][1])
            return
        self.over_range([n], node, lambda i: tuple([at(i) for _, at in several]))

    def iterable(self, x: Meaning, node: ast.AST) -> tuple[Expr, Any]:
        if not isinstance(x, (ArrayView, Pull)) or not x.shape:
            raise UntranslatableError(f"a loop over {type(x).__name__}", node)
        view = x if isinstance(x, ArrayView) else self.stored(x, "items")

        def at(i: Expr) -> Meaning:
            found = self.select_axes(view, [i], node)
            return found if found.shape else found.at(())

        return view.shape[0], at

    def do_break(self, node: ast.Break) -> None:
        left = self.exits[-1].broken
        assert left is not None
        self.assign(left, Const(BOOL, True))


class _BothExitsError(UntranslatableError):
    """A loop with both `continue` in the middle of something and `break`."""

    def __init__(self) -> None:
        super().__init__("a loop with `break` and a nested `continue`")
