"""When the trace of a loop's body made for an earlier call serves this one.

A jitted function is traced once by promise of its decorator. A body given to an eager `scan` made
no such promise, so its trace is used again only if the function would do the same again: it has
the same code, and all that it reads from outside (closure, globals, defaults) has the same value.
That holds for a body that is defined anew in each call, too. A body that reads something whose
value cannot be compared (a tracer, a list, an object, a large array) is traced anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np

from fxla.core.dtypes import default_float
from fxla.core.patience import make_room
from fxla.core.primitive import Primitive
from fxla.core.trace import Tracer, scope_key

__all__ = ["behaviour", "reused"]

T = TypeVar("T")

_CAPACITY = 256
"""Traces kept, the latest ones: each may hold a compiled program."""

_LARGE = 1 << 15
"""Bytes of an array whose elements are compared; to compare more costs as much as to trace."""

_LIBRARIES = ("fxla", "numpy", "scipy", "math", "operator", "functools", "builtins")
_UNSEEN, _SEEN = object(), object()
_known: dict[Hashable, Any] = {}
"""What was made for a call that came twice; one that never comes again, such as a body that reads a
number that changes, leaves no program behind."""


class _Incomparable(Exception):  # noqa: N818 - never leaves this file
    """A value of which nobody can tell whether it is as it was."""


def reused(
    functions: Sequence[Callable[..., Any]],
    signature: Hashable,
    make: Callable[[], T],
    consts: Callable[[T], Sequence[Any]],
) -> T:
    """What `make` gave for functions that do the same and for the same signature, or gives now.

    Args:
        functions: the user's functions that `make` traces.
        signature: types of the arguments, and whatever else decides the result.
        make: traces.
        consts: values that a result of `make` captured; with a tracer among them it is not kept.
    """
    behaviours = [behaviour(f) for f in functions]
    if None in behaviours:
        return make()
    key = (*behaviours, signature, scope_key(), default_float())
    found = _known.get(key, _UNSEEN)
    if found is _UNSEEN or found is _SEEN:
        made = make()
        if not any(isinstance(c, Tracer) for c in consts(made)):
            make_room(_known, _CAPACITY)
            _known[key] = _SEEN if found is _UNSEEN else made
        return made
    return found  # type: ignore[no-any-return]


def behaviour(f: Callable[..., Any]) -> Hashable | None:
    """A key that is equal for functions that do the same; None if that cannot be known.

    Example:
        >>> times = lambda n: lambda x: x * n
        >>> made = [behaviour(times(n)) for n in (2, 2, 3)]
        >>> made[0] == made[1], made[0] == made[2]
        (True, False)
    """
    try:
        return _key(f, set())
    except _Incomparable:
        return None


def _key(x: Any, inside: set[int]) -> Hashable:
    kind = type(x)
    if (
        x is None
        or kind in (bool, int, str, bytes, np.dtype)
        or (kind is type and x.__module__.partition(".")[0] in _LIBRARIES)
    ):
        return (kind, x)
    if kind in (float, complex):
        return (kind, repr(x))
    if isinstance(x, np.generic):
        return (kind, x.tobytes())
    if isinstance(x, (tuple, frozenset, slice)) and kind in (tuple, frozenset, slice):
        items = (x.start, x.stop, x.step) if isinstance(x, slice) else x
        return (kind, tuple([_key(item, inside) for item in items]))
    if isinstance(x, np.ndarray) and x.dtype.kind in "biufc" and x.nbytes <= _LARGE:
        return (kind, x.dtype, x.shape, x.tobytes())
    library = _of_a_library(x)
    if isinstance(x, (BuiltinFunctionType, np.ufunc, Primitive)) or (
        library and not getattr(x, "__closure__", None)
    ):
        return _Same(x)
    if kind is functools.partial:
        named = tuple([(n, _key(v, inside)) for n, v in x.keywords.items()])
        return (kind, _key(x.func, inside), tuple([_key(a, inside) for a in x.args]), named)
    if kind is FunctionType:
        return _function_key(x, inside, library)
    raise _Incomparable


class _Same:
    """A key of a value that never changes; equal for the same object only, and keeps it alive."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _of_a_library(x: Any) -> bool:
    """Whether x is a function or a module of a library, which nobody redefines."""
    if isinstance(x, ModuleType):
        name: Any = x.__name__
    elif isinstance(x, FunctionType) or hasattr(x, "__wrapped__"):
        name = getattr(x, "__module__", None)
    else:
        return False
    return isinstance(name, str) and name.partition(".")[0] in _LIBRARIES


def _function_key(f: FunctionType, inside: set[int], library: bool) -> Hashable:
    if id(f) in inside:
        return "recursive"
    inside = {*inside, id(f)}
    seen: list[Any] = [f.__code__]
    try:
        seen += [_key(cell.cell_contents, inside) for cell in f.__closure__ or ()]
    except ValueError:  # a cell that is not filled yet
        raise _Incomparable from None
    seen += [_key(x, inside) for x in f.__defaults__ or ()]
    seen += [(n, _key(x, inside)) for n, x in (f.__kwdefaults__ or {}).items()]
    names = () if library else _names(f.__code__)
    for name in names:
        if name in f.__globals__:
            value = f.__globals__[name]
            if isinstance(value, ModuleType) and not _of_a_library(value):
                read = [n for n in names if n in vars(value)]
                seen.append((name, *[(n, _key(vars(value)[n], inside)) for n in read]))
            else:
                seen.append((name, _key(value, inside)))
    return tuple(seen)


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType) -> tuple[str, ...]:
    """Names that a function's code reads, those of functions inside it too."""
    found = list(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found += _names(inner)
    return tuple(dict.fromkeys(found))
