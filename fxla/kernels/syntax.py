"""Questions about the syntax of a kernel's function."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Sequence
from types import FunctionType
from typing import Any

from fxla.kernels.values import UntranslatableError

__all__ = [
    "always_exits",
    "as_load",
    "assigned_once",
    "contains",
    "function_tree",
    "is_store",
    "leaves_loop",
    "parameters_of",
    "plain_function",
    "read_outside_of_loops",
    "with_continue_as_if",
]


def plain_function(f: Any) -> Any:
    """The Python function in numba's or fxla's wrapper."""
    for name in ("__kernel__", "py_func"):
        if hasattr(f, name):
            return getattr(f, name)
    return f


def function_tree(f: FunctionType) -> ast.FunctionDef:
    """The syntax of a function, with the line numbers of its file.

    Raises:
        UntranslatableError: if its source is not known.
    """
    try:
        lines, first = inspect.getsourcelines(f)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        raise UntranslatableError(f"`{f.__name__}`, whose source is not known") from None
    ast.increment_lineno(tree, first - 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == f.__name__:
            return node
    raise UntranslatableError(f"`{f.__name__}`, which is not written with `def`")


def is_store(n: ast.Name) -> bool:
    """Whether a name is assigned."""
    return isinstance(n.ctx, ast.Store)


def parameters_of(tree: ast.FunctionDef) -> list[str]:
    """Names of the parameters of a function."""
    a = tree.args
    if a.vararg or a.kwarg or a.kwonlyargs:
        raise UntranslatableError("`*args`, `**kwargs` or keyword-only arguments", tree)
    return [x.arg for x in (*a.posonlyargs, *a.args)]


def assigned_once(tree: ast.FunctionDef) -> set[str]:
    """Names that one statement assigns, and no loop."""
    counts: dict[str, int] = {}

    def count(node: ast.AST, times: int) -> None:
        if isinstance(node, ast.Name) and is_store(node):
            counts[node.id] = counts.get(node.id, 0) + times
        several = times * (2 if isinstance(node, (ast.For, ast.While)) else 1)
        for inner in ast.iter_child_nodes(node):
            count(inner, several)

    count(tree, 1)
    for x in tree.args.args:
        counts[x.arg] = counts.get(x.arg, 0) + 1
    return {name for name, n in counts.items() if n == 1}


def as_load(n: ast.expr) -> Any:
    """The target of an assignment as an expression."""
    return ast.parse(ast.unparse(n), mode="eval").body


def always_exits(body: Sequence[ast.stmt]) -> bool:
    """Whether statements never reach their end."""
    for s in body:
        if isinstance(s, (ast.Return, ast.Break, ast.Continue)):
            return True
        if isinstance(s, ast.If) and s.orelse and always_exits(s.body) and always_exits(s.orelse):
            return True
    return False


def contains(node: ast.AST, kind: type[ast.AST]) -> bool:
    """Whether there is a node of a kind in a tree."""
    return any(isinstance(n, kind) for n in ast.walk(node))


def leaves_loop(node: ast.AST, kinds: Any = (ast.Break, ast.Continue)) -> bool:
    """Whether a statement has an exit that belongs to the loop around it."""
    if isinstance(node, kinds):
        return True
    if isinstance(node, (ast.For, ast.While, ast.FunctionDef)):
        return False
    return any(leaves_loop(n, kinds) for n in ast.iter_child_nodes(node))


def with_continue_as_if(node: Any) -> Any:
    """The loop with what follows ``if c: ...; continue`` in the `else`, so nothing is skipped."""
    changed = type(node)(**{k: getattr(node, k) for k in node._fields})
    changed.body = _joined(list(node.body))
    return ast.copy_location(changed, node)


def _joined(body: list[ast.stmt]) -> list[ast.stmt]:
    for k, s in enumerate(body):
        if isinstance(s, ast.Continue):
            return body[:k] or [ast.copy_location(ast.Pass(), s)]
        if isinstance(s, ast.If) and leaves_loop(s, (ast.Continue,)):
            rest = body[k + 1 :]
            then = [*s.body] if always_exits(s.body) else [*s.body, *rest]
            other = [*s.orelse] if s.orelse and always_exits(s.orelse) else [*s.orelse, *rest]
            new = ast.If(test=s.test, body=_joined(then), orelse=_joined(other))
            return [*body[:k], ast.copy_location(new, s)]
    return body


def read_outside_of_loops(tree: ast.FunctionDef, name: str) -> bool:
    """Whether a loop's variable is read where no loop over it is around."""

    def search(node: ast.AST, inside: bool) -> bool:
        if isinstance(node, ast.Name) and node.id == name and not is_store(node):
            return not inside
        if isinstance(node, ast.For):
            over = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.target))
            return search(node.iter, inside) or any(
                search(s, inside or over) for s in (*node.body, *node.orelse)
            )
        return any(search(n, inside) for n in ast.iter_child_nodes(node))

    return search(tree, False)
