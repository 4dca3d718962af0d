"""Functions rewritten once, when they are first called, and the `fx` that rewritten code names."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from fxla.capturing import branches, iterables, loops
from fxla.capturing.regions import RegionTrace, State, is_traced
from fxla.capturing.source import NoSource, find_source, rebuilt
from fxla.capturing.statements import rewrite_function
from fxla.capturing.undefined import Undefined
from fxla.core.source import is_library
from fxla.core.trace import Trace, state, where_am_i
from fxla.errors import ControlFlowError

__all__ = ["convert", "text_of"]

_converted: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_texts: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_ours: weakref.WeakSet[Any] = weakref.WeakSet()


def convert(f: types.FunctionType) -> Any:
    """The function rewritten.

    Raises:
        NoSource: if its source is not there.
    """
    if _is_rewritten(f):
        return f
    known = _converted.get(f)
    if known is None:
        source = find_source(f)
        space = {**vars(builtins), **f.__globals__}
        free = set(f.__code__.co_freevars)
        node = rewrite_function(
            source.node, lambda e, names: _stays(e, names | free, space), source.class_name
        )
        known, text = rebuilt(f, node, Runtime)
        _converted[f] = known
        _texts[known] = text
        _ours.add(known)
    return known


def _is_rewritten(f: types.FunctionType) -> bool:
    """Whether a function is rewritten, or was defined in one that is."""
    return f in _ours or any(_holds(c, Runtime) for c in f.__closure__ or ())


def _holds(cell: types.CellType, value: Any) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:  # not filled yet
        return False


def text_of(f: Any) -> str:
    """The rewritten text of a function that `convert` gave."""
    return _texts[f]


def _stays(expression: ast.expr, variables: set[str], space: dict[str, Any]) -> bool:
    """Whether what a call calls is a library's function already when the code is rewritten."""
    path = []
    while isinstance(expression, ast.Attribute):
        path.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name) or expression.id in variables:
        return isinstance(expression, ast.Constant)
    if expression.id not in space:
        return False
    found = space[expression.id]
    for name in reversed(path):
        if not isinstance(found, (types.ModuleType, type)):
            return False
        found = getattr(found, name, None)
    try:
        if found in iterables.BUILTINS:
            return False
    except TypeError:
        return False
    return _is_plain(found)


def _is_plain(f: Any) -> bool:
    """Whether a callable is none that would be rewritten: a library's, or one without source."""
    if isinstance(f, types.FunctionType):
        return is_library(f.__code__.co_filename)
    if isinstance(f, (types.BuiltinFunctionType, type)):
        return True
    module = sys.modules.get(getattr(type(f), "__module__", ""))
    return is_library(getattr(module, "__file__", None) or "") and not hasattr(f, "__wrapped__")


def _raises_here(trace: Trace | None) -> bool:
    while trace is not None:
        if isinstance(trace, RegionTrace):
            return True
        trace = trace.parent
    return False


class Runtime:
    """What rewritten code calls, by the name ``fx``."""

    State = State
    Undefined = Undefined
    if_ = staticmethod(branches.if_)
    choose = staticmethod(branches.choose)
    and_ = staticmethod(branches.and_)
    or_ = staticmethod(branches.or_)
    and_lazy = staticmethod(branches.and_lazy)
    or_lazy = staticmethod(branches.or_lazy)
    not_ = staticmethod(branches.not_)
    none_of = staticmethod(branches.none_of)
    chain = staticmethod(branches.chain)
    contains = staticmethod(iterables.contains)
    while_ = staticmethod(loops.while_)
    for_ = staticmethod(loops.for_)

    @staticmethod
    def call(f: Any) -> Any:
        """What to call in place of `f`: the user's own functions are rewritten when called."""
        if isinstance(f, types.FunctionType):
            return _or_itself(f)
        if isinstance(f, types.MethodType) and isinstance(f.__func__, types.FunctionType):
            return types.MethodType(_or_itself(f.__func__), f.__self__)
        try:
            known = iterables.BUILTINS.get(f)
        except TypeError:
            known = None
        if known is not None or isinstance(f, type):
            return f if known is None else known
        method = inspect.getattr_static(type(f), "__call__", None)
        written = inspect.unwrap(method) if isinstance(method, types.FunctionType) else None
        if isinstance(written, types.FunctionType) and not _from_library(written):
            return types.MethodType(_converted_if_possible(method), f)
        return f

    @staticmethod
    def attribute(read: Callable[[], Any], name: str) -> Any:
        """An attribute of an object, which may not have it yet."""
        try:
            return read()
        except AttributeError:
            return Undefined(name)

    @staticmethod
    def defined(value: Any) -> Any:
        """A value that a function returns, if its variables have one."""
        for x in value if type(value) in (tuple, list) else (value,):
            if type(x) is Undefined:
                x.fail()
        return value

    @staticmethod
    def assert_(test: Any, message: Callable[[], Any]) -> None:
        """``assert test, message()``; a traced condition is not checked."""
        if not is_traced(test) and not test:
            text = message()
            raise AssertionError(*([] if text is None else [text]))

    @staticmethod
    def raised(error: Callable[[], Any]) -> Any:
        """The exception to raise; in a traced branch none can be."""
        if not _raises_here(state.trace):
            return error()
        found = error()
        name = found.__name__ if isinstance(found, type) else type(found).__name__
        return ControlFlowError(
            f"`raise {name}` in a branch or loop that depends on traced values: a compiled program "
            f"raises nothing{where_am_i()}. Check before the call, return np.nan where the value "
            "is bad, or write `assert`, which is checked for known values only."
        )


def _from_library(f: types.FunctionType) -> bool:
    return is_library(f.__code__.co_filename)


def _or_itself(f: types.FunctionType) -> Any:
    return f if _is_rewritten(f) or _from_library(f) else _converted_if_possible(f)


def _converted_if_possible(f: Any) -> Any:
    try:
        return convert(f)
    except NoSource:
        return f
