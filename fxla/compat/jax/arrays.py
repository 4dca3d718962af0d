"""What an array is to code for JAX, and the functions of ``jax.numpy`` and its relatives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.compat.jax.precision import narrow
from fxla.core import array as core_array
from fxla.core.trace import Tracer

__all__ = ["Array", "adapted", "members"]


class _ArrayMeta(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, (core_array.Array, Tracer, np.generic))

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, (core_array.Array, Tracer, np.generic))


class Array(metaclass=_ArrayMeta):
    """``jax.Array``: fxla's arrays, tracers, and NumPy's numbers, which arithmetic gives."""


_IGNORED = frozenset(
    "precision preferred_element_type out_sharding device sharding wrap_negative_indices "
    "indices_are_sorted unique_indices inline".split()
)
"""Keywords that say how JAX is to compute: they are left out where fxla has no such keyword."""


def adapted(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of fxla as JAX's: keywords that mean nothing here left out, results narrow."""
    try:
        parameters = inspect.signature(f).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    any_keyword = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    ignored = frozenset() if any_keyword else _IGNORED.difference(parameters)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {
                k: v
                for k, v in kwargs.items()
                if k not in ignored and not (k == "where" and v is None)
            }
        return narrow(f(*args, **kwargs))

    return call


def members(module: ModuleType, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The public names of a module of fxla, its functions adapted."""
    listed: Iterable[str] = module.__all__ if names is None else names
    found = {}
    for name in listed:
        x = getattr(module, name)
        if isinstance(x, ModuleType):
            continue
        plain = callable(x) and not isinstance(x, type)
        found[name] = adapted(x) if plain else x
    return found


def array(object: Any, dtype: Any = None, copy: bool = True, order: Any = "K", ndmin: int = 0,
          **ignored: Any) -> Any:  # fmt: skip
    """``jax.numpy.array``: never an alias of its argument."""
    made = fnp.array(object, dtype=dtype, ndmin=ndmin)
    return narrow(made)


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, **_: Any) -> Any:
    """``jax.numpy.asarray``."""
    return narrow(fnp.asarray(a, dtype=dtype))


def clip(arr: Any, /, min: Any = None, max: Any = None, **old: Any) -> Any:
    """``jax.numpy.clip``, which has NumPy's other names, too."""
    low, high = old.get("a_min", min), old.get("a_max", max)
    if low is None and high is None:
        return narrow(fnp.asarray(arr))
    return narrow(fnp.clip(arr, low, high))


_LISTS = "meshgrid broadcast_arrays atleast_1d atleast_2d atleast_3d gradient"
"""Functions whose several results are a list in JAX, and a tuple in NumPy."""


def _as_list(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        out = f(*args, **kwargs)
        return list(out) if isinstance(out, tuple) else out

    return call


def numpy_names() -> dict[str, Any]:
    """The names of ``jax.numpy``."""
    names = [n for n in fnp.__all__ if n not in ("linalg", "fft")]
    found = members(fnp, names)
    found |= {name: _as_list(found[name]) for name in _LISTS.split()}
    return found | {"Array": Array, "ndarray": Array, "array": array, "asarray": asarray,
                    "clip": clip}  # fmt: skip
