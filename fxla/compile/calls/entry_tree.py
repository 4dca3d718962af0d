"""Trees as the code that `entry_text` walks and builds them by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxla.compile.calls.entry_layout import OP
from fxla.core.pytree import (
    TreeDef,
    is_named_tuple,
    node_functions,
    tree_flatten,
    tree_structure,
    tree_unflatten,
)
from fxla.core.stateful import Stateful

__all__ = ["Code", "NotServedError", "Static", "code_of_arguments", "code_of_result"]

_DEPTH = 60
"""Deeper trees are not served: the native walk recurs."""


class NotServedError(Exception):
    """Calls of this kind stay in Python."""


class Static:
    """Stands in a tree for an object that must be this very one."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Leaf:
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Code:
    """A tree's code.

    Attributes:
        words: operations and addresses of objects.
        objects: these objects, which must live as long as the words.
        distinct: whether it has objects whose attributes may come to share arrays.
    """

    __slots__ = ("distinct", "objects", "words")

    def __init__(self) -> None:
        self.words: list[int] = []
        self.objects: list[Any] = []
        self.distinct = False


def code_of_arguments(
    tree: TreeDef,
    n: int,
    fixed: Mapping[int, Any] | None = None,
    named: Mapping[str, Any] | None = None,
) -> Code:
    """The code of the arguments of a call: those of the tuple, then those of the dict of keywords.

    Args:
        tree: of ``(args, kwargs)`` without static arguments.
        n: how many leaves it has.
        fixed: static arguments by position.
        named: static arguments by keyword.

    Raises:
        NotServedError: if the tree has a part that native code does not know.
    """
    dynamic, keywords = _example(tree, n)
    fixed = fixed or {}
    rest = iter(dynamic)
    full = [
        Static(fixed[k]) if k in fixed else next(rest) for k in range(len(dynamic) + len(fixed))
    ]
    code = Code()
    _write(tuple(full), code, False, 0)
    _write({**keywords, **{k: Static(v) for k, v in (named or {}).items()}}, code, False, 0)
    return code


def code_of_result(tree: TreeDef, n: int) -> Code:
    """The code of a result.

    Raises:
        NotServedError: if the tree has a part that native code does not know.
    """
    code = Code()
    _write(_example(tree, n), code, True, 0)
    return code


def _example(tree: TreeDef, n: int) -> Any:
    """A tree of that structure; of dicts that are equal as structures it has the order of keys."""
    try:
        return tree_unflatten(tree, [_Leaf(k) for k in range(n)])
    except Exception as error:  # a registered class that looks at its children
        raise NotServedError(str(error)) from error


def _write(x: Any, code: Code, result: bool, depth: int) -> None:
    """Append the code of `x`."""
    if depth > _DEPTH:
        raise NotServedError("the tree is deep")
    kind = type(x)
    if kind is _Leaf:
        code.words.extend([OP["LEAF"], x.number])
        return
    if x is None or kind is Static:
        _emit(code, "SAME", None, x.value if kind is Static else None)
        return
    functions = node_functions(kind)
    if functions is not None and isinstance(x, Stateful) and x.is_plain():
        _write_object(x, code, result, depth)
        return
    if functions is not None:
        _write_node(x, functions, code, result, depth)
        return
    if kind is dict:
        if not all(type(key) in (str, int) for key in x):
            raise NotServedError("keys whose comparison may run Python code")
        _emit(code, "DICT", len(x), dict.fromkeys(x) if result else dict)
        for key, value in x.items():
            code.words.append(id(key))
            code.objects.append(key)
            _write(value, code, result, depth + 1)
        return
    if kind is list or kind is tuple:
        _emit(code, "LIST" if kind is list else "TUPLE", len(x), kind)
    elif is_named_tuple(kind):
        _emit(code, "NAMED" if result else "TUPLE", len(x), kind._make if result else kind)
    else:
        raise NotServedError(f"a {kind.__qualname__} in the tree")
    for child in x:
        _write(child, code, result, depth + 1)


def _write_object(x: Stateful, code: Code, result: bool, depth: int) -> None:
    """Append the code of an object that is known by its attributes."""
    attributes = vars(x)
    if result:
        name, value = x.mark()
        example = dict.fromkeys(attributes)
        _emit(code, "OBJECT", len(attributes), object.__new__, type(x), name, value, example)
    else:
        _emit(code, "OBJECT", len(attributes), type(x))
        code.distinct = True
    for name, value in attributes.items():
        code.words.append(id(name))
        code.objects.append(name)
        _write_attribute(value, code, result, depth + 1)


def _write_attribute(x: Any, code: Code, result: bool, depth: int) -> None:
    """Append the code of what may hold leaves and objects among values that stay as they are."""
    kind = type(x)
    if kind is _Leaf or isinstance(x, Stateful):
        _write(x, code, result, depth)
    elif kind in (list, tuple) and (x or kind is list):
        _emit(code, "LIST" if kind is list else "TUPLE", len(x), kind)
        for child in x:
            _write_attribute(child, code, result, depth + 1)
    elif kind is dict:
        if not all(type(key) in (str, int) for key in x):
            raise NotServedError("keys whose comparison may run Python code")
        _emit(code, "DICT", len(x), dict.fromkeys(x) if result else dict)
        for key, value in x.items():
            code.words.append(id(key))
            code.objects.append(key)
            _write_attribute(value, code, result, depth + 1)
    elif tree_structure(x).num_leaves and tree_flatten(x)[0][0] is not x:
        _write(x, code, result, depth)
    elif not result and (kind in (str, bool, int) or (kind is float and x)):
        _emit(code, "EQUAL", None, x)
    else:
        _emit(code, "SAME", None, x)


def _write_node(x: Any, functions: Any, code: Code, result: bool, depth: int) -> None:
    flatten, unflatten = functions
    try:
        children, aux, *_ = flatten(x)
        children = tuple(children)
    except Exception as error:
        raise NotServedError(str(error)) from error
    if result:
        _emit(code, "NODE", len(children), unflatten, aux)
    else:
        _emit(code, "NODE", len(children), type(x), flatten, aux)
    for child in children:
        _write(child, code, result, depth + 1)


def _emit(code: Code, op: str, n: int | None, *objects: Any) -> None:
    code.words.extend([OP[op], *([] if n is None else [n]), *[id(x) for x in objects]])
    code.objects.extend(objects)
