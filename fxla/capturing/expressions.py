"""Expressions whose value Python asks for: logic, choices, comparisons, calls."""

from __future__ import annotations

import ast
from collections.abc import Callable

from fxla.capturing.jumps import RUNTIME, at, load
from fxla.capturing.names import FUNCTIONS

__all__ = ["Expressions", "fx_call"]

_SIMPLE = (
    ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Compare, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Slice, ast.Tuple, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context,
)  # fmt: skip
_NO_THUNK = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


def fx_call(function: str, arguments: list[ast.expr], place: ast.AST) -> ast.Call:
    """``fx.function(*arguments)``."""
    return at(ast.Call(ast.Attribute(load(RUNTIME), function, ast.Load()), arguments, []), place)


def thunk(body: ast.expr) -> ast.Lambda:
    """``lambda: body``."""
    none = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return at(ast.Lambda(none, body), body)


def _may_wait(nodes: list[ast.expr]) -> bool:
    """Whether expressions may become functions: they bind no names and do not yield."""
    return not any(isinstance(n, _NO_THUNK) for e in nodes for n in ast.walk(e))


class Expressions(ast.NodeTransformer):
    """Rewrites the expressions of a statement; functions in it are left to the caller.

    Attributes:
        keeps: whether the function of a call needs no look when it is called, as a library's.
        first: the function's first argument, which `super()` means.
    """

    def __init__(self, keeps: Callable[[ast.expr], bool], first: str) -> None:
        self.keeps = keeps
        self.first = first

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        waits = _may_wait(node.values[1:])
        self.generic_visit(node)
        if not waits:
            return node
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        found = node.values[-1]
        for value in reversed(node.values[:-1]):
            if all(isinstance(n, _SIMPLE) for n in ast.walk(found)):
                found = fx_call(name, [value, thunk(found)], node)
            else:
                found = fx_call(name + "lazy", [value, thunk(found)], node)
        return found

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return fx_call("not_", [node.operand], node) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        waits = _may_wait([node.body, node.orelse])
        self.generic_visit(node)
        if not waits:
            return node
        return fx_call("choose", [node.test, thunk(node.body), thunk(node.orelse)], node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        waits = _may_wait(node.comparators)
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            found: ast.expr = fx_call("contains", [node.comparators[0], node.left], node)
            is_in = isinstance(node.ops[0], ast.In)
            return found if is_in else fx_call("not_", [found], node)
        if len(node.ops) == 1 or not waits:
            return node
        steps: list[ast.expr] = []
        for op, right in zip(node.ops, node.comparators, strict=True):
            pair = ast.arguments(
                posonlyargs=[], args=[ast.arg("fx_left"), ast.arg("fx_right")],
                kwonlyargs=[], kw_defaults=[], defaults=[],
            )  # fmt: skip
            compare = ast.Compare(load("fx_left"), [op], [load("fx_right")])
            steps += [at(ast.Lambda(pair, compare), node), thunk(right)]
        return fx_call("chain", [node.left, *steps], node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        ours = isinstance(node.func, ast.Attribute) and node.func.value
        if isinstance(ours, ast.Name) and ours.id == RUNTIME:
            return self.generic_visit(node)
        keeps = self.keeps(node.func)
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            node.args = [at(load("__class__"), node), at(load(self.first), node)]
            return node
        if keeps or isinstance(node.func, FUNCTIONS):
            return node
        # without extent in the source, so that the call is known by the name that it calls
        place = ast.copy_location(ast.Pass(), node.func)
        place.end_lineno, place.end_col_offset = node.func.lineno, node.func.col_offset
        function = ast.Attribute(ast.copy_location(load(RUNTIME), place), "call", ast.Load())
        called = ast.Call(ast.copy_location(function, place), [node.func], [])
        node.func = ast.copy_location(called, place)
        return node
