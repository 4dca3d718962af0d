"""The array API namespace of traced arrays.

A library written against the array API asks an array for its namespace, and mixes what that makes,
``xp.asarray(0.5)``, with the array. `array_api_compat.array_namespace` wants all of one namespace,
and an array that is not traced is NumPy's to it. So the namespace of a tracer is `fxla.numpy` with
one difference: what its functions return is traced too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from fxla.core.trace import eval_trace, state
from fxla.numpy.local_arrays import lifted

__all__ = ["TracedNamespace", "checked_version"]

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")

_EXTENSIONS = {"special": "fxla.scipy.special"}
"""Namespaces that stand elsewhere in fxla. SciPy looks for special functions in ``xp.special``."""


def checked_version(api_version: str | None) -> None:
    """Raise ValueError, as NumPy does, for a version of the standard that is not known.

    Example:
        >>> checked_version("2024.12")
        >>> checked_version("1999.12")
        Traceback (most recent call last):
            ...
        ValueError: __array_namespace__: the array API standard's version '1999.12' is not ...
    """
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(
            f"__array_namespace__: the array API standard's version {api_version!r} is not known: "
            f"it is one of {', '.join(_VERSIONS)}."
        )


class _Lifting:
    """A function whose results are arrays of the current trace, if one is current."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self.function(*args, **kwargs)
        return made if state.trace is eval_trace else lifted(made)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return repr(self.function)


class TracedNamespace(ModuleType):
    """A namespace whose functions return traced arrays inside a transformation.

    Args:
        functions: the namespace whose functions they are.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> def kind(x):
        ...     xp = x.__array_namespace__()
        ...     print(xp.__name__, type(xp.ones(2)).__name__)
        ...     return x
        >>> _ = fxla.jit(kind)(fnp.ones(2))
        fxla.numpy JaxprTracer
    """

    def __init__(self, functions: ModuleType) -> None:
        super().__init__(functions.__name__, functions.__doc__)
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in (
            "__array_namespace_info__",
            "__array_api_version__",
        ):
            raise AttributeError(name)
        elsewhere = _EXTENSIONS.get(name)
        value = importlib.import_module(elsewhere) if elsewhere else getattr(self._functions, name)
        if isinstance(value, ModuleType):
            value = TracedNamespace(value)
        elif callable(value) and not isinstance(value, type):
            value = _Lifting(value)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return dir(self._functions)
