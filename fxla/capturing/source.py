"""From a function to its syntax, and from rewritten syntax to a function that is like it.

The rewritten function keeps the file and the line numbers of the original, so that errors and
tracebacks name the user's own lines; it shares its globals, its closure and its defaults.
"""

from __future__ import annotations

import ast
import functools
import linecache
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fxla.capturing.jumps import RUNTIME

__all__ = ["FunctionSource", "NoSource", "find_source", "rebuilt"]


class NoSource(Exception):  # noqa: N818 - the caller makes an error of it
    """The source of a function is not there, or not what was compiled."""


@dataclass(frozen=True)
class FunctionSource:
    """A function's syntax, as a function definition, and the class that it stands in."""

    node: ast.FunctionDef
    class_name: str


def find_source(f: types.FunctionType) -> FunctionSource:
    """The syntax of a function, a fresh copy.

    Raises:
        NoSource: if its file cannot be read, as for a function typed into ``python`` itself.
    """
    code = f.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, f.__globals__))
    if not text:
        raise NoSource(f"the source of {code.co_filename} is not there")
    name = "<lambda>" if code.co_name == "<lambda>" else code.co_name
    fitting = [
        (node, inside) for node, inside in _functions(_parsed(text)) if _fits(node, code, name)
    ]
    if not fitting:
        raise NoSource(f"{code.co_filename} has changed since {name} was compiled")
    node, inside = fitting[0] if len(fitting) == 1 else _nearest(fitting, code)
    node = _copy(node)
    if isinstance(node, ast.Lambda):
        body = ast.copy_location(ast.Return(node.body), node.body)
        made = ast.FunctionDef("fx_lambda", node.args, [body], [])
        node = ast.fix_missing_locations(ast.copy_location(made, node))
    return FunctionSource(node, inside)


def _copy(node: Any) -> Any:
    """A copy of syntax, which is rewritten in place."""
    if isinstance(node, list):
        return [_copy(n) for n in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
        return node
    made = type(node)(**{name: _copy(value) for name, value in ast.iter_fields(node)})
    return ast.copy_location(made, node)


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise NoSource(f"the source cannot be read: {error}") from None


def _functions(module: ast.Module) -> Iterator[tuple[Any, str]]:
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield node, inside
        inner = node.name if isinstance(node, ast.ClassDef) else inside
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]


def _fits(node: ast.FunctionDef | ast.Lambda, code: types.CodeType, name: str) -> bool:
    if isinstance(node, ast.Lambda):
        return name == "<lambda>" and node.lineno == code.co_firstlineno
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return node.name == name and code.co_firstlineno in (first, node.lineno)


def _nearest(fitting: list[tuple[Any, str]], code: types.CodeType) -> tuple[Any, str]:
    """Of the lambdas of a line, the one whose body holds all that was compiled."""
    spans = [p for p in code.co_positions() if None not in p and p[3] != 0]
    for node, inside in sorted(fitting, key=lambda f: _size(f[0])):
        body = node.body if isinstance(node, ast.Lambda) else node
        begin, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
        if all(begin <= (line, col) and (last, last_col) <= end
               for line, last, col, last_col in spans):  # fmt: skip
            return node, inside
    raise NoSource("several functions of that name stand in one line")


def _size(node: Any) -> tuple[int, int]:
    body: Any = node.body if isinstance(node, ast.Lambda) else node
    return (body.end_lineno - body.lineno, body.end_col_offset - body.col_offset)


def rebuilt(f: types.FunctionType, node: ast.FunctionDef, fx: Any) -> tuple[Any, str]:
    """A function with the given syntax and the surroundings of `f`, and its text.

    Args:
        f: the original.
        node: the rewritten syntax; its defaults, decorators and annotations are not looked at.
        fx: what the rewritten code calls.
    """
    free = f.__code__.co_freevars
    name = _name_runtime(node)
    shown = ast.unparse(ast.fix_missing_locations(node))
    node.name = "fx_function"  # the name of the user's may mean something else to its code
    node.decorator_list = []
    node.returns = None
    for a in ast.walk(node.args):
        if isinstance(a, ast.arg):
            a.annotation = None
    node.args.defaults = [ast.copy_location(ast.Constant(None), node) for _ in node.args.defaults]
    node.args.kw_defaults = [
        None if d is None else ast.copy_location(ast.Constant(None), node)
        for d in node.args.kw_defaults
    ]
    given = ast.arguments(
        posonlyargs=[], args=[ast.arg(n) for n in (name, *free)], kwonlyargs=[], kw_defaults=[],
        defaults=[],
    )  # fmt: skip
    back = ast.Return(ast.Name(node.name, ast.Load()))
    around = ast.FunctionDef("fx_around", given, [node, back], [])
    module = ast.Module([ast.fix_missing_locations(ast.copy_location(around, node))], [])
    compiled = compile(module, f.__code__.co_filename, "exec", dont_inherit=True)
    code = _code_named(_code_named(compiled, "fx_around"), node.name)
    cells = dict(zip(free, f.__closure__ or (), strict=True))
    cells[name] = types.CellType(fx)
    code = code.replace(co_name=f.__code__.co_name, co_qualname=f.__code__.co_qualname)
    closure = tuple(cells[n] for n in code.co_freevars)
    made = types.FunctionType(code, f.__globals__, f.__name__, f.__defaults__, closure)
    made.__kwdefaults__ = f.__kwdefaults__
    functools.update_wrapper(made, f)
    return made, shown


def _name_runtime(node: ast.FunctionDef) -> str:
    """Call what rewritten code calls ``fx``, or if the user does so something, ``fx_runtime``."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    used = {n.id for n in names} | {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
    name = "fx_runtime" if "fx" in used else "fx"
    for n in names:
        if n.id == RUNTIME:
            n.id = name
    return name


def _code_named(code: types.CodeType, name: str) -> types.CodeType:
    return next(c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == name)
