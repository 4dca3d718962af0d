"""What arrays do otherwise while ``jax`` is installed, as code for JAX relies on it.

There ``x += y`` binds a new array and leaves the others that share memory alone, operators give no
dtype of 64 bits unless these are enabled, ``where=None`` of a method means all elements, and arrays
say where they are.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from fxla.compat.jax.internals import get_aval
from fxla.compat.jax.places import Sharding
from fxla.compat.jax.precision import narrow
from fxla.compile.cuda.devices import devices
from fxla.core.array import Array
from fxla.core.trace import Tracer

__all__ = ["restore", "substitute"]

_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
_REDUCTIONS = "all any max mean min prod std sum var"
_kept: list[tuple[type[Any], str, Any]] = []
_ABSENT = object()


def _binding(name: str) -> Callable[[Any, Any], Any]:
    operation = getattr(operator, name + "_" if name in ("and", "or") else name)

    def inplace(self: Any, other: Any) -> Any:
        return operation(self, other)

    return inplace


def _narrowing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def operation(self: Any, *others: Any) -> Any:
        out = method(self, *others)
        return out if out is NotImplemented else narrow(out)

    return operation


def _without_none(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "where" in kwargs and kwargs["where"] is None:
            del kwargs["where"]
        kwargs.pop("promote_integers", None)
        return narrow(method(*args, **kwargs))

    return call


def _put(cls: type[Any], name: str, value: Any) -> None:
    _kept.append((cls, name, vars(cls).get(name, _ABSENT)))
    setattr(cls, name, value)


def substitute() -> None:
    """Give fxla's arrays and tracers JAX's habits."""
    if _kept:
        return
    for cls in (Array, Tracer):
        for name in _BINARY.split():
            _put(cls, f"__i{name}__", _binding(name))
            for operation in (f"__{name}__", f"__r{name}__"):
                _put(cls, operation, _narrowing(getattr(cls, operation)))
        for name in _REDUCTIONS.split():
            _put(cls, name, _without_none(getattr(cls, name)))
        _put(cls, "sharding", property(lambda self: Sharding()))
        _put(cls, "devices", lambda self: set(devices()[:1]))
        _put(cls, "is_fully_addressable", True)
        _put(cls, "is_fully_replicated", True)
        _put(cls, "committed", True)
    _put(Array, "aval", property(get_aval))


def restore() -> None:
    """Undo `substitute`."""
    while _kept:
        cls, name, value = _kept.pop()
        if value is _ABSENT:
            delattr(cls, name)
        else:
            setattr(cls, name, value)
