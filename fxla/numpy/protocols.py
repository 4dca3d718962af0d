"""Real NumPy called on tracers: ``numpy.sin(tracer)`` is ``fxla.numpy.sin(tracer)``.

NumPy asks a tracer's ``__array_ufunc__`` and ``__array_function__``; both look the function up in
the table that `fxla.numpy.dispatch.public` fills. So code written against plain ``import numpy``,
and libraries written against the array API, trace unchanged.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from fxla.core.array import _namespace
from fxla.core.trace import Tracer, array_methods, where_am_i
from fxla.numpy.dispatch import dispatched
from fxla.numpy.mutation import ufunc_at
from fxla.numpy.namespace import TracedNamespace, checked_version
from fxla.numpy.operands import describe
from fxla.numpy.ufunc_methods import attach_methods, method_of_traced
from fxla.numpy.writing import put_into, put_result

__all__ = ["install"]

_INSTEAD = {
    "asmatrix": "`np.atleast_2d`",
    "nditer": "`np.vectorize`, or whole-array operations",
    "save": "the value that the traced function returns",
    "histogramdd": "`np.histogram` of each coordinate, or `np.bincount`",
    "require": "`np.asarray`",
}
"""What to write in place of functions whose name finds nothing alike."""


def _name(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    short = str(module).replace("numpy", "np", 1) if str(module).startswith("numpy") else module
    return f"{short}.{getattr(function, '__name__', function)}"


def _unknown(name: str, operands: Any) -> NoReturn:
    """Raise the error for a function that traced code cannot use."""
    traced = ", ".join(describe(x) for x in operands if isinstance(x, Tracer)) or "array"
    plain = name.rpartition(".")[2]
    known = sorted({f.__name__ for f in dispatched.values()})
    alike = difflib.get_close_matches(plain, known, 1, 0.7)
    if plain in _INSTEAD:
        remedy = f"Write {_INSTEAD[plain]}."
    elif alike:
        remedy = f"The nearest in fxla.numpy is `np.{alike[0]}`."
    else:
        remedy = "Compute it outside the traced function, or from functions of `fxla.numpy`."
    raise TypeError(f"{name} is not supported for a traced {traced}{where_am_i()}. {remedy}")


def _tracers(args: Any) -> list[Tracer]:
    """The tracers among arguments, also inside lists."""
    found: list[Tracer] = []
    for x in args:
        if isinstance(x, Tracer):
            found.append(x)
        elif isinstance(x, (list, tuple)):
            found += _tracers(x)
    return found


def _array_function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """``__array_function__``: our function of the same meaning."""
    ours = dispatched.get(func)
    if ours is None:
        _unknown(_name(func), _tracers([*args, *kwargs.values()]))
    return ours(*args, **kwargs)


def _array_ufunc(
    functions: Mapping[str, Callable[..., Any]],
) -> Callable[..., Any]:
    """``__array_ufunc__``: our ufunc, or the reduction that a ufunc's method means."""

    def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = f"np.{ufunc.__name__}"
        ours = dispatched.get(ufunc)
        out = kwargs.get("out")
        kwargs.pop("out", None)
        if out is not None and any(o is not None for o in out):
            casting, where = kwargs.get("casting", "same_kind"), kwargs.pop("where", True)
            found = array_ufunc(self, ufunc, method, *inputs, **kwargs)
            if where is True:
                return put_result(out, found, f"{name}(out=...)", casting)
            return put_into(out[0], found, f"{name}(out=...)", casting, where)
        if method == "at":
            return ufunc_at(ufunc, *inputs)
        if ours is not None and method == "__call__":
            return ours(*inputs, **kwargs)
        known = method_of_traced(functions, ufunc, method)
        if known is not None:
            return known(*inputs, **kwargs)
        suffix = "" if method == "__call__" else f".{method}"
        _unknown(name + suffix, _tracers(inputs))

    return array_ufunc


def install(functions: Mapping[str, Callable[..., Any]], namespace: ModuleType) -> None:
    """Let tracers answer NumPy's protocols from the public functions, by name."""
    of_traced = TracedNamespace(namespace)

    def array_namespace(self: Any, *, api_version: str | None = None) -> ModuleType:
        checked_version(api_version)
        return of_traced if isinstance(self, Tracer) else namespace

    attach_methods(functions)
    array_methods["array_function"] = _array_function
    array_methods["array_ufunc"] = _array_ufunc(functions)
    array_methods["array_namespace"] = array_namespace
    _namespace[:] = [array_namespace]
