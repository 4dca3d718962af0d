"""What to write instead of a statement that asks for a traced value: that statement, rewritten."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from fxla.capturing.liveness import live_before, live_before_block
from fxla.capturing.names import bound, has_jump, reads
from fxla.core.source import Source

__all__ = ["rewritten_statement"]

_CAPTURE = 'Or have it rewritten: `jit(f, control_flow="capture")`, or `fxla.capture(f)`.'
_LONGEST = 24
"""Lines of a statement that is still shown."""


def rewritten_statement(source: Source, is_condition: bool) -> str:
    """The end of a message: the user's statement as it can be traced, and who rewrites it.

    Args:
        source: where Python asked for the value.
        is_condition: whether it asked for a truth value; otherwise for a number, as `range` does.
    """
    try:
        text = _rewritten(source, _asked if is_condition else _counted)
    except (SyntaxError, ValueError, IndexError, RecursionError):
        text = ""  # a message without its last part is better than another error
    if not text and not is_condition:
        return ""
    if not text or text.count("\n") >= _LONGEST:
        return f" {_CAPTURE}"
    return f" {_CAPTURE} Here that would be\n\n{textwrap.indent(text, '    ')}\n"


def _rewritten(source: Source, asks: Callable[[ast.AST], list[ast.expr]]) -> str:
    text = "".join(linecache.getlines(source.code.co_filename))
    if not text:
        return ""
    positions = list(source.code.co_positions())[source.instruction // 2]
    line, end_line, column, end_column = positions
    if line is None or end_line is None or column is None or end_column is None:
        return ""
    begin, end = (line, column), (end_line, end_column)
    function: Any = None
    block: list[ast.stmt] = []
    best: Any = None
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:  # from the outside in: the innermost statement that asks for the value
        node = waiting.pop()
        for _, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or not _around(child, begin, end):
                    continue
                waiting.append(child)
                if isinstance(child, (ast.FunctionDef, ast.Lambda)):
                    function, best = child, None
                if any(_around(a, begin, end) for a in asks(child)):
                    best = child
                    block = value if isinstance(value, list) and isinstance(child, ast.stmt) else []
    if best is None:
        return ""
    if isinstance(best, ast.stmt):
        return _statement(best, block, function)
    return _expression(best)


def _around(node: ast.AST, begin: tuple[int, int], end: tuple[int, int]) -> bool:
    """Whether a piece of syntax holds a place in the text; a list of arguments has no place."""
    if not hasattr(node, "end_col_offset"):
        return True
    n: Any = node
    start = min(
        [(n.lineno, n.col_offset), *((d.lineno, 0) for d in getattr(n, "decorator_list", ()))]
    )
    return start <= begin and end <= (n.end_lineno, n.end_col_offset)


def _asked(node: ast.AST) -> list[ast.expr]:
    """The expressions whose value Python asks a piece of syntax for."""
    match node:
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            return [node.test]
        case ast.BoolOp():
            return [node, *node.values]
        case ast.UnaryOp(op=ast.Not()):
            return [node]
        case ast.Compare() if len(node.ops) > 1:
            return [node]
    return []


def _counted(node: ast.AST) -> list[ast.expr]:
    """The range of a loop."""
    match node:
        case ast.For(iter=ast.Call(func=ast.Name(id="range"))):
            return [node.iter]
    return []


def _expression(node: ast.expr) -> str:
    match node:
        case ast.IfExp():
            test, a, b = (ast.unparse(n) for n in (node.test, node.body, node.orelse))
            return f"lax.cond({test}, lambda: {a}, lambda: {b})  # or np.where({test}, {a}, {b})"
        case ast.BoolOp():
            sign = " & " if isinstance(node.op, ast.And) else " | "
            return sign.join(
                _expression(v) if isinstance(v, ast.UnaryOp) else f"({ast.unparse(v)})"
                for v in node.values
            )
        case ast.UnaryOp(op=ast.Not()):
            return f"~({ast.unparse(node.operand)})"
        case ast.Compare():
            parts = [node.left, *node.comparators]
            pairs = zip(parts, node.ops, parts[1:], strict=False)
            return " & ".join(f"({ast.unparse(ast.Compare(a, [op], [b]))})" for a, op, b in pairs)
    return ast.unparse(node)


def _statement(node: ast.stmt, block: list[ast.stmt], function: Any) -> str:
    rest = block[block.index(node) + 1 :] if node in block else []
    body = getattr(function, "body", None)
    after = _live_after(body, node, set()) if isinstance(body, list) else None
    live = after if after is not None else reads(rest)
    match node:
        case ast.If() if has_jump(node):
            return _returning(node, rest)
        case ast.If():
            return _branch(node, live)
        case ast.While() if not has_jump(node.body) and not node.orelse and not _jumps(node):
            return _while(node, live)
        case ast.For() if not has_jump(node.body) and not node.orelse and not _jumps(node):
            return _for(node, live)
    return ""


def _jumps(node: ast.While | ast.For) -> bool:
    return has_jump(node.body, (ast.Return, ast.Break, ast.Continue))


def _live_after(block: Sequence[Any], node: ast.stmt, after: set[str]) -> set[str] | None:
    """Variables that are live after a statement somewhere in a block; None if it is not there."""
    for statement in reversed(block):
        if statement is node:
            return after
        inside = after
        if isinstance(statement, (ast.For, ast.While)):
            inside = live_before(statement, after)
        for field in ("body", "orelse", "finalbody"):
            blocks = getattr(statement, field, None)
            found = _live_after(blocks, node, inside) if isinstance(blocks, list) else None
            if found is not None:
                return found
        after = live_before(statement, after)
    return None


def _lines(block: Sequence[ast.stmt]) -> list[str]:
    return [line for s in block for line in ast.unparse(s).splitlines()] or ["pass"]


def _define(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"def {head}:", *[f"    {line}" for line in lines]])


def _tuple(names: Sequence[str]) -> str:
    return ", ".join(names)


def _returning(node: ast.If, rest: list[ast.stmt]) -> str:
    """A branch that returns, where the other one or what follows returns too."""
    other = node.orelse or rest
    if has_jump([node, *rest], (ast.Break, ast.Continue)) or not other:
        return ""
    if not isinstance(node.body[-1], ast.Return) or not isinstance(other[-1], ast.Return):
        return ""
    if any(has_jump(s) for s in (*node.body[:-1], *other[:-1])):
        return ""
    test = ast.unparse(node.test)
    first, second = node.body[-1].value, other[-1].value
    if len(node.body) == len(other) == 1 and first is not None and second is not None:
        a, b = ast.unparse(first), ast.unparse(second)
        return f"return lax.cond({test}, lambda: {a}, lambda: {b})  # or np.where({test}, {a}, {b})"
    then = _define("then()", _lines(node.body))
    otherwise = _define("otherwise()", _lines(other))
    return f"{then}\n\n{otherwise}\n\nreturn lax.cond({test}, then, otherwise)"


def _branch(node: ast.If, live: set[str]) -> str:
    both = [bound(node.body), bound(node.orelse)]
    names = sorted(n for n in both[0] | both[1] if n in live)
    if not names:
        return ""
    inside = live_before_block(node.body, set()) | live_before_block(node.orelse, set())
    given = [n for n in names if n in inside or n not in both[0] or n not in both[1]]
    back = f"return {_tuple(names)}"
    test = ast.unparse(node.test)
    then = _define(f"then({_tuple(given)})", [*_lines(node.body), back])
    orelse = [*_lines(node.orelse), back] if node.orelse else [back]
    otherwise = _define(f"otherwise({_tuple(given)})", orelse)
    call = _tuple([test, "then", "otherwise", *given])
    return f"{then}\n\n{otherwise}\n\n{_tuple(names)} = lax.cond({call})"


def _carried(node: ast.While | ast.For, live: set[str]) -> list[str]:
    head = live_before(node, live)
    return sorted(n for n in bound(node.body) if n in head)


def _while(node: ast.While, live: set[str]) -> str:
    names = _carried(node, live)
    if not names:
        return ""
    state = _tuple(names)
    take = [f"{state} = state"] if len(names) > 1 else []
    argument = "state" if take else state
    going = _define(f"going({argument})", [*take, f"return {ast.unparse(node.test)}"])
    step = _define(f"step({argument})", [*take, *_lines(node.body), f"return {state}"])
    init = f"({state})" if take else state
    return f"{going}\n\n{step}\n\n{state} = lax.while_loop(going, step, {init})"


def _for(node: ast.For, live: set[str]) -> str:
    names = _carried(node, live)
    bounds = node.iter.args if isinstance(node.iter, ast.Call) else []
    if not names or len(bounds) > 2 or not isinstance(node.target, ast.Name):
        return ""
    state = _tuple(names)
    take = [f"{state} = state"] if len(names) > 1 else []
    argument = "state" if take else state
    head = f"step({node.target.id}, {argument})"
    step = _define(head, [*take, *_lines(node.body), f"return {state}"])
    init = f"({state})" if take else state
    low = "0" if len(bounds) == 1 else ast.unparse(bounds[0])
    return f"{step}\n\n{state} = lax.fori_loop({low}, {ast.unparse(bounds[-1])}, step, {init})"
