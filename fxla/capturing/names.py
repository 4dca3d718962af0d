"""Which variables a piece of syntax reads, binds and changes.

A variable is named by a string: ``x``, or with dots the attribute of a variable, ``self.count``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

__all__ = [
    "FUNCTIONS",
    "JUMPS",
    "LOOPS",
    "bound",
    "changed",
    "closure_reads",
    "declared",
    "has_jump",
    "own_nodes",
    "reads",
    "variable",
]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.For, ast.While, ast.AsyncFor)
JUMPS = (ast.Return, ast.Break, ast.Continue)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CHANGING = frozenset(
    (
        "append extend insert pop remove clear update setdefault popitem add discard sort reverse"
    ).split()
)

Syntax = ast.AST | Iterable[ast.AST]


def _nodes(syntax: Syntax) -> list[ast.AST]:
    return [syntax] if isinstance(syntax, ast.AST) else list(syntax)


def variable(node: ast.AST) -> str | None:
    """The name of a variable, with its attributes; None for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = variable(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


def own_nodes(syntax: Syntax) -> Iterator[ast.AST]:
    """Nodes of this function: not those of functions and classes that it defines."""
    waiting = _nodes(syntax)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            if not isinstance(node, ast.Lambda):
                waiting += node.decorator_list
            continue
        waiting += list(ast.iter_child_nodes(node))[::-1]


def reads(syntax: Syntax) -> set[str]:
    """Variables that are read, in functions that are defined there too."""
    found: set[str] = set()
    for root in _nodes(syntax):
        for node in ast.walk(root):
            if isinstance(node, ast.AugAssign):
                name = variable(node.target)
                found |= {name} if name else set()
            elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                name = variable(node)
                found |= {name} if name else set()
    return found


def bound(syntax: Syntax) -> set[str]:
    """Variables of this function that are given another value."""
    found: set[str] = set()
    inner: set[int] = set()
    for node in own_nodes(syntax):
        if isinstance(node, _COMPREHENSIONS):
            inner |= {id(n) for g in node.generators for n in ast.walk(g.target)}
        elif isinstance(node, (ast.Name, ast.Attribute)):
            name = variable(node)
            if not isinstance(node.ctx, ast.Load) and id(node) not in inner and name:
                found.add(name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            found.add(node.name)
    return found


def changed(syntax: Syntax) -> set[str]:
    """Variables whose items are assigned to, or that a method such as ``append`` changes."""
    found: set[str] = set()
    for node in own_nodes(syntax):
        target: ast.AST | None = None
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            target = node.value
            while isinstance(target, ast.Subscript):
                target = target.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value if node.func.attr in _CHANGING else None
        name = variable(target) if target is not None else None
        if name:
            found.add(name)
    return found


def closure_reads(syntax: Syntax) -> set[str]:
    """Variables that functions defined there read; they may run at any time."""
    found: set[str] = set()
    for node in own_nodes(syntax):
        if isinstance(node, FUNCTIONS):
            body = node.body
            found |= reads(body if isinstance(body, list) else [body])
            if isinstance(body, list):
                found |= {n for inner in body for n in declared(ast.walk(inner), ast.Nonlocal)}
    return found


def declared(nodes: Iterable[ast.AST], kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    """Names in ``global`` or ``nonlocal`` statements."""
    return {name for node in nodes if isinstance(node, kind) for name in node.names}


def has_jump(syntax: Syntax, kinds: tuple[type[ast.AST], ...] = JUMPS) -> bool:
    """Whether a ``return``, ``break`` or ``continue`` leads out of this piece."""
    for root in _nodes(syntax):
        if isinstance(root, kinds):
            return True
        if isinstance(root, (*FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(root, LOOPS):
            inside = tuple(k for k in kinds if k is ast.Return)
            if has_jump(root.body, inside) or has_jump(root.orelse, kinds):
                return True
        elif has_jump(ast.iter_child_nodes(root), kinds):
            return True
    return False
