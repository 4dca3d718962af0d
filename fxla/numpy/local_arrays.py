"""Arrays that a traced function makes with NumPy's own functions are arrays of the trace.

``a = np.zeros(3)`` with ``import numpy as np`` gives an array in C, into which no traced value can
be written. So while a user's function is traced, the functions of NumPy that make arrays from
nothing are replaced, in the module ``numpy`` and under the names by which the user's modules have
imported them, by functions that look who calls: on a thread that traces, in code that is no
library's, the result is an array of the current trace, with the values and the type that NumPy
gives. On every other thread, and for every library, they are NumPy's own. When the last trace
ends NumPy is as it was. `docs/adr` says what else was thought of.
"""

from __future__ import annotations

import dis
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fxla.core.aliasing import CAPTURED, freeze
from fxla.core.dtypes import default_float, float64
from fxla.core.source import is_library
from fxla.core.staging import JaxprTrace
from fxla.core.trace import Trace, Tracer, Value, eval_trace, state
from fxla.numpy.backends import register_backends
from fxla.numpy.operands import _has_tracer
from fxla.numpy.views import SHARING
from fxla.transforms.api import local_arrays

__all__ = ["LocalArrays", "install", "lifted"]

_BY_SHAPE = "zeros ones empty full arange eye identity".split()
"""Functions whose result is computed by the program, not kept in it as a constant."""

_OF_OPERANDS = (
    "array asarray asanyarray ascontiguousarray asfortranarray asarray_chkfinite copy "
    "zeros_like ones_like empty_like full_like linspace logspace geomspace"
).split()
"""Functions of operands, which may be traced."""

_OTHERS = (
    "tri fromfunction fromiter meshgrid indices diag diagflat vander hanning hamming blackman "
    "bartlett kaiser"
).split()
"""Functions whose result becomes a traced array if no operand is one."""


@functools.lru_cache(maxsize=4096)
def _called_names(code: CodeType) -> dict[int, str]:
    """For each instruction that calls something by a name, or an attribute's name, that name.

    A call's place in the source begins where that of what it calls does.
    """
    loads: dict[tuple[Any, Any], list[tuple[tuple[int, int], str]]] = {}
    calls: list[tuple[int, tuple[Any, Any], tuple[int, int]]] = []
    for i in dis.get_instructions(code):
        at = i.positions
        if at is None or at.end_lineno is None or at.end_col_offset is None:
            continue
        start, end = (at.lineno, at.col_offset), (at.end_lineno, at.end_col_offset)
        if "CALL" in i.opname:
            calls.append((i.offset, start, end))
        elif i.opname.startswith("LOAD_") and isinstance(i.argval, str):
            loads.setdefault(start, []).append((end, i.argval))
    found = {}
    for offset, start, end in calls:
        before = [load for load in loads.get(start, ()) if load[0] < end]
        if before:
            found[offset] = max(before)[1]
    return found


def _is_recording(trace: Trace | None) -> bool:
    """Whether a trace, or one around it, writes a program."""
    while trace is not None:
        if isinstance(trace, JaxprTrace):
            return True
        trace = trace.parent
    return False


def lifted(made: Any) -> Any:
    """Arrays of numbers as arrays of the current trace."""
    if isinstance(made, np.ndarray):
        return state.trace.lift(made) if made.dtype.kind in "biufc" else made
    if type(made) in (list, tuple):
        return type(made)([lifted(x) for x in made])
    return made


class Maker:
    """One of NumPy's functions, which gives traced arrays to code that is being traced.

    It equals NumPy's own and has its hash, so that tables of NumPy's functions find it. Tables with
    weak keys, as numba's, have the function itself where it takes no weak reference: a maker takes
    none, and equals a reference to the function too.
    """

    __slots__ = ("__dict__", "name", "original", "ours")

    def __init__(self, name: str, original: Callable[..., Any], ours: Callable[..., Any]) -> None:
        self.name = name
        self.original = original
        self.ours = ours
        functools.update_wrapper(self, original, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if state.trace is eval_trace or not self._called_by_user(sys._getframe(1)):
            return self.original(*args, **kwargs)
        return self.traced(args, kwargs)

    def _called_by_user(self, frame: FrameType) -> bool:
        """Whether a frame of a user's is in a call of this very function.

        Code in C that the user calls has no frame of its own, but the call is of another name.
        """
        if is_library(frame.f_code.co_filename):
            return False
        name = _called_names(frame.f_code).get(frame.f_lasti, self.name)
        if name == self.name:
            return True
        called = frame.f_locals.get(name, frame.f_globals.get(name))
        return called is self or getattr(called, "func", None) is self

    def traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result as an array of the current trace."""
        if _has_tracer(args) or _has_tracer(tuple(kwargs.values())):
            return self.ours(*args, **kwargs)
        if default_float() != float64 or (self.name in _BY_SHAPE and _is_recording(state.trace)):
            made = self._computed(args, kwargs)
            if made is not None:
                return made
        found = self.original(*args, **kwargs)
        out = lifted(found)
        if self.name in SHARING and isinstance(out, Tracer) and _shares(found, args):
            freeze(out, CAPTURED)
        return out

    def _computed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value | None:
        """The result as operations of the program, if it is an array of numbers."""
        if kwargs.get("like") is not None:
            return None
        try:
            made = self.ours(*args, **{k: v for k, v in kwargs.items() if k not in _LAYOUT})
        except (TypeError, ValueError):
            return None  # NumPy's function says what is wrong, or knows more dtypes
        return state.trace.lift(made)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __reduce__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if isinstance(other, weakref.ref):
            other = other()
        return other is self or other is self.original

    def __hash__(self) -> int:
        return hash(self.original)

    def __repr__(self) -> str:
        return repr(self.original)


_LAYOUT = frozenset({"order", "like", "device"})


def _shares(made: Any, args: tuple[Any, ...]) -> bool:
    return bool(args) and isinstance(args[0], np.ndarray) and np.may_share_memory(made, args[0])


_makers: dict[str, Maker] = {}
_originals: dict[str, Any] = {}
_by_original: dict[int, Maker] = {}


# --- names under which users' modules have imported these functions -------------------------

_scanned: dict[int, tuple[int, list[tuple[str, Maker]], list[dict[str, Any]]]] = {}
"""By a module's dictionary: its size then, names of NumPy's functions in it, modules it uses."""


_reached: dict[int, tuple[Any, list[tuple[dict[str, Any], str, Maker]]]] = {}
"""By a module's dictionary: the sizes it was looked through at, and what was found from there."""


def _imports(namespace: dict[str, Any]) -> list[tuple[dict[str, Any], str, Maker]]:
    """Where a user's modules hold functions of NumPy's that make arrays."""
    state = (len(namespace), len(sys.modules))
    known = _reached.get(id(namespace))
    if known is not None and known[0] == state:
        return known[1]
    found: list[tuple[dict[str, Any], str, Maker]] = []
    _reached[id(namespace)] = (state, found)
    waiting, seen = [namespace], {id(namespace)}
    while waiting:
        space = waiting.pop()
        entry = _scanned.get(id(space))
        if entry is None or entry[0] != len(space):
            entry = _scanned[id(space)] = (len(space), *_scan(space))
        found += [(space, name, maker) for name, maker in entry[1]]
        for other in entry[2]:
            if id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
    return found


def _scan(space: dict[str, Any]) -> tuple[list[tuple[str, Maker]], list[dict[str, Any]]]:
    names, others = [], {}
    for name, value in list(space.items()):
        maker = _by_original.get(id(value))
        if maker is not None:
            names.append((name, maker))
            continue
        kind = type(value)  # and not `isinstance`, which asks a stand-in what it stands for
        if issubclass(kind, ModuleType):
            other = vars(value)
        elif issubclass(kind, FunctionType):
            other = value.__globals__
        elif issubclass(kind, type):
            other = vars(sys.modules.get(value.__module__, np))
        else:
            continue
        file = other.get("__file__")
        if file and not is_library(file) and other is not space:
            others[id(other)] = other
    return names, list(others.values())


# --- the scope ------------------------------------------------------------------------------

_lock = threading.RLock()


class _Scope:
    """How many functions are being traced, on all threads, and what was replaced for them."""

    def __init__(self) -> None:
        self.open = 0
        self.replaced: list[tuple[dict[str, Any], str, Maker]] = []
        self.namespaces: set[int] = set()


_scope = _Scope()


def _globals_of(function: Any) -> dict[str, Any] | None:
    """The names of the module in which the user wrote a function, whatever it is wrapped in."""
    for _ in range(32):
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    if not hasattr(function, "__globals__"):
        function = vars(type(function)).get("__call__")
    found: dict[str, Any] | None = getattr(function, "__globals__", None)
    return found


class LocalArrays:
    """While a user's function is traced: NumPy's functions give it arrays of the trace."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __enter__(self) -> None:
        register_backends()
        space = _globals_of(self.function)
        with _lock:
            _scope.open += 1
            if _scope.open == 1:
                vars(np).update(_makers)
            if space is not None and id(space) not in _scope.namespaces:
                _scope.namespaces.add(id(space))
                for place, name, maker in _imports(space):
                    if place.get(name) is maker.original:
                        place[name] = maker
                        _scope.replaced.append((place, name, maker))

    def __exit__(self, *exc: object) -> None:
        with _lock:
            _scope.open -= 1
            if _scope.open == 0:
                vars(np).update(_originals)
                for place, name, replaced in _scope.replaced:
                    if place.get(name) is replaced:
                        place[name] = replaced.original
                _scope.replaced.clear()
                _scope.namespaces.clear()


def install(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Say which function of ours stands for each of NumPy's."""
    for name in (*_BY_SHAPE, *_OF_OPERANDS, *_OTHERS):
        original = getattr(np, name)
        ours: Any = functions.get(name)
        maker = Maker(name, original, getattr(ours, "traced", ours) or original)
        _makers[name], _originals[name], _by_original[id(original)] = maker, original, maker
    local_arrays[:] = [LocalArrays]
