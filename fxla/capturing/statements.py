"""A function's statements, rewritten: branches and loops become functions handed to `fx`.

``if test: y = 1.0`` becomes

    def fx_then1():
        nonlocal y
        y = 1.0

    def fx_set1(fx_values):
        nonlocal y
        (y,) = fx_values

    fx.if_(test, fx_then1, None, fx.State(("y",), lambda: (y,), fx_set1))

with the variables that the branches bind and that are read later.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from fxla.capturing.expressions import Expressions, fx_call, thunk
from fxla.capturing.jumps import PREFIX, assign, at, load, lower_jumps, none_of
from fxla.capturing.liveness import live_before, live_before_block
from fxla.capturing.names import (
    bound,
    changed,
    closure_reads,
    declared,
    has_jump,
    own_nodes,
    reads,
)

__all__ = ["rewrite_function"]

_YIELDS = (ast.Yield, ast.YieldFrom, ast.Await)


def rewrite_function(
    node: ast.FunctionDef, keeps: Callable[[ast.expr, set[str]], bool], class_name: str = ""
) -> ast.FunctionDef:
    """Rewrite a function in place; generators stay as they are.

    Args:
        node: its syntax.
        keeps: whether the function of a call, an expression, needs no look when it is called, given
            the names that are variables of functions here.
        class_name: of the class around it, or the empty string.
    """
    for n in ast.walk(node):
        if isinstance(n, ast.Attribute) and class_name and _is_private(n.attr):
            n.attr = f"_{class_name.lstrip('_')}{n.attr}"
    return _Function(node, keeps, set()).rewritten()


def _bound_at_first(body: list[ast.stmt]) -> set[str]:
    """Variables that the assignments at a function's beginning bind before anything else runs."""
    found: set[str] = set()
    for statement in body:
        if not isinstance(statement, ast.Assign):
            break
        found |= bound(statement)
    return found


def _stays(s: ast.If | ast.While | ast.For) -> bool:
    """Whether a statement keeps its jumps, and so cannot become functions."""
    if isinstance(s, ast.If):
        return has_jump(s)
    return has_jump(s) or bool(s.orelse) or has_jump(s.body, (ast.Break, ast.Continue))


def _is_private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


class _Function:
    def __init__(
        self, node: ast.FunctionDef, keeps: Callable[[ast.expr, set[str]], bool], outer: set[str]
    ) -> None:
        self.node = node
        self.keeps = keeps
        arguments = [a for a in ast.walk(node.args) if isinstance(a, ast.arg)]
        self.parameters = {a.arg for a in arguments}
        nodes = list(own_nodes(node.body))
        self.globals = declared(nodes, ast.Global)
        self.nonlocals = declared(nodes, ast.Nonlocal)
        self.variables = outer | self.parameters | (bound(node.body) - self.globals)
        own = bound(node.body) - self.globals - self.nonlocals - self.parameters
        self.own = {n for n in own if "." not in n}
        self.always = closure_reads(node.body) | self.globals | self.nonlocals
        self.everything = reads(node.body)
        self.handlers = {h.name for h in nodes if isinstance(h, ast.ExceptHandler) and h.name}
        first = arguments[0].arg if arguments else ""
        self.expressions = Expressions(lambda e: keeps(e, self.variables), first)
        self.starts: set[str] = set()
        self.count = 0

    def rewritten(self) -> ast.FunctionDef:
        node = self.node
        if any(isinstance(n, _YIELDS) for n in own_nodes(node.body)):
            return node
        body = [s for s in node.body if not isinstance(s, (ast.Global, ast.Nonlocal))]
        body = self.block(lower_jumps(body or [at(ast.Pass(), node)]), set())
        for n in own_nodes(body) if self.starts else ():
            if isinstance(n, ast.Return) and n.value is not None:
                n.value = fx_call("defined", [n.value], n.value)
        start: list[ast.stmt] = []
        if self.globals:
            start.append(ast.Global(sorted(self.globals)))
        if self.nonlocals:
            start.append(ast.Nonlocal(sorted(self.nonlocals)))
        for name in sorted(self.starts - _bound_at_first(body)):
            value = fx_call("Undefined", [ast.Constant(name)], node)
            start.append(assign(name, value, node))
        node.body = [*(at(s, node) for s in start), *body]
        return node

    def block(self, block: list[ast.stmt], live: set[str]) -> list[ast.stmt]:
        """A block rewritten, given the variables that are live after it."""
        out: list[ast.stmt] = []
        for statement in reversed(block):
            before = live_before(statement, live)
            out[:0] = self.statement(statement, live)
            live = before
        return out or [at(ast.Pass(), self.node)]

    def statement(self, s: ast.stmt, live: set[str]) -> list[ast.stmt]:
        if isinstance(s, (ast.If, ast.While, ast.For)):
            if _stays(s):
                live = live | self.everything
                self.headers(s)
                s.body, s.orelse = self.block(s.body, live), self.block(s.orelse, live)
                return [s]
            rewrite = {ast.If: self.branch, ast.While: self.while_, ast.For: self.for_}[type(s)]
            return rewrite(s, live)  # type: ignore[operator, no-any-return]
        if isinstance(s, ast.With):
            self.headers(s)
            s.body = self.block(s.body, live)
            return [s]
        if isinstance(s, (ast.Try, ast.TryStar)):
            live = live | self.everything
            blocks: list[Any] = [s, *s.handlers]
            for holder in blocks:
                holder.body = self.block(holder.body, live)
            s.orelse = self.block(s.orelse, live) if s.orelse else []
            s.finalbody = self.block(s.finalbody, live) if s.finalbody else []
            return [s]
        if isinstance(s, ast.FunctionDef):
            s.decorator_list = [self.expressions.visit(d) for d in s.decorator_list]
            return [_Function(s, self.keeps, self.variables).rewritten()]
        if isinstance(s, ast.Assert):
            self.headers(s)
            message = thunk(s.msg or at(ast.Constant(None), s))
            return [at(ast.Expr(fx_call("assert_", [s.test, message], s)), s)]
        if isinstance(s, ast.Raise) and s.exc is not None:
            self.headers(s)
            s.exc = fx_call("raised", [thunk(s.exc)], s)
            return [s]
        if isinstance(s, ast.Delete) and all(isinstance(t, ast.Name) for t in s.targets):
            names = [t.id for t in s.targets if isinstance(t, ast.Name)]
            return [
                assign(
                    n, fx_call("Undefined", [ast.Constant(n), ast.Constant("was deleted")], s), s
                )
                for n in names
            ]
        return [self.expressions.visit(s)]

    def headers(self, s: ast.stmt) -> None:
        """Rewrite the expressions of a compound statement, not its blocks."""
        for field, value in ast.iter_fields(s):
            if isinstance(value, ast.expr):
                setattr(s, field, self.expressions.visit(value))
            elif field == "items":
                for item in value:
                    item.context_expr = self.expressions.visit(item.context_expr)

    # --- compound statements as functions ---------------------------------------------------

    def branch(self, s: ast.If, live: set[str]) -> list[ast.stmt]:
        k = self.number()
        inside = live_before_block(s.body, live) | live_before_block(s.orelse, live)
        names = self.state([*s.body, *s.orelse], live | inside)
        s.test = self.expressions.visit(s.test)
        local = bound([*s.body, *s.orelse])
        then = self.function(f"fx_then{k}", [], self.block(s.body, live), names, local, s)
        functions: list[ast.stmt] = [then]
        orelse: ast.expr = ast.Constant(None)
        if s.orelse:
            block = self.block(s.orelse, live)
            functions.append(self.function(f"fx_else{k}", [], block, names, local, s.orelse[0]))
            orelse = load(f"fx_else{k}")
        setter, state = self.access(k, names, s)
        call = fx_call("if_", [s.test, load(then.name), orelse, state], s)
        return [*functions, *setter, at(ast.Expr(call), s)]

    def while_(self, s: ast.While, live: set[str]) -> list[ast.stmt]:
        k = self.number()
        flags: list[str] = getattr(s, "fx_flags", [])
        head = live_before(s, live) | set(flags)
        names = self.state(s.body, head)
        local = bound(s.body)
        test = self.expressions.visit(s.test)
        if flags:
            test = fx_call("and_", [none_of(flags, s.test), thunk(test)], s.test)
        body = self.function(f"fx_body{k}", [], self.block(s.body, head), names, local, s)
        setter, state = self.access(k, names, s)
        call = fx_call("while_", [thunk(test), load(body.name), state], s)
        return [body, *setter, at(ast.Expr(call), s)]

    def for_(self, s: ast.For, live: set[str]) -> list[ast.stmt]:
        k = self.number()
        flags: list[str] = getattr(s, "fx_flags", [])
        whole = [at(ast.Assign([s.target], load("fx_item")), s.target), *s.body]
        head = live | set(flags) | (live_before(s, live) - reads(s.iter))
        head |= live_before_block(whole, live | set(flags))
        names = self.state(whole, head)
        local = bound(whole)
        body = self.function(f"fx_body{k}", ["fx_item"], self.block(whole, head), names, local, s)
        more = thunk(none_of(flags, s)) if flags else ast.Constant(None)
        setter, state = self.access(k, names, s)
        iterable = self.expressions.visit(s.iter)
        call = fx_call("for_", [iterable, load(body.name), more, state], s)
        return [body, *setter, at(ast.Expr(call), s)]

    def number(self) -> int:
        self.count += 1
        return self.count

    def state(self, block: list[ast.stmt], live: set[str]) -> list[str]:
        """Variables that a block binds or changes and that something else reads or binds."""
        names = {
            n for n in bound(block)
            if n in live or n in self.always or "." in n or n == "fx_result"
        } | {n for n in changed(block) if n.partition(".")[0] in self.variables}  # fmt: skip
        names -= self.handlers
        self.starts |= {n for n in names if n in self.own or n.startswith(PREFIX)}
        return sorted(names)

    def function(
        self, name: str, arguments: list[str], body: list[ast.stmt], names: list[str],
        local: set[str], place: ast.AST,
    ) -> ast.FunctionDef:  # fmt: skip
        """A block as a function that binds the variables of the function around it."""
        given = ast.arguments(
            posonlyargs=[], args=[ast.arg(a) for a in arguments], kwonlyargs=[], kw_defaults=[],
            defaults=[],
        )  # fmt: skip
        outer = [n for n in names if "." not in n and n in local]
        made = ast.FunctionDef(name, given, [*self.scope(outer), *body], [])
        return at(made, place)

    def scope(self, names: list[str]) -> list[ast.stmt]:
        """The declarations that make names those of the function around."""
        far = [n for n in names if n in self.globals]
        near = [n for n in names if n not in self.globals]
        out: list[ast.stmt] = [ast.Global(far)] if far else []
        return [*out, ast.Nonlocal(near)] if near else out

    def access(self, k: int, names: list[str], place: ast.AST) -> tuple[list[ast.stmt], ast.expr]:
        """The function that sets the variables, and the record that reads and sets them."""
        if not names:
            return [], fx_call("State", [], place)

        def target(name: str) -> ast.expr:
            node = ast.parse(name, mode="eval").body
            node.ctx = ast.Store()  # type: ignore[attr-defined]
            return node

        plain = [n for n in names if "." not in n]
        unpack = ast.Assign([ast.Tuple([target(n) for n in names], ast.Store())], load("fx_values"))
        given = ast.arguments(
            posonlyargs=[], args=[ast.arg("fx_values")], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        setter = ast.FunctionDef(f"fx_set{k}", given, [*self.scope(plain), unpack], [])
        values: list[ast.expr] = []
        for name in names:
            read = ast.parse(name, mode="eval").body
            dotted = "." in name
            values.append(fx_call("attribute", [thunk(at(read, place)), ast.Constant(name)], place)
                          if dotted else read)  # fmt: skip
        titles = ast.Tuple([ast.Constant(n) for n in names], ast.Load())
        getter = thunk(at(ast.Tuple(values, ast.Load()), place))
        state = fx_call("State", [titles, getter, load(setter.name)], place)
        return [at(setter, place)], state
