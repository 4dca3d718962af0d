"""`fxla.numpy` as an array API namespace whose functions are all compiled; see README.md."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla.core.pytree import tree_flatten, tree_unflatten

__array_api_version__ = "2024.12"

_QUESTIONS = frozenset(
    "can_cast finfo iinfo isdtype result_type broadcast_shapes from_dlpack "
    "__array_namespace_info__ issubdtype".split()
)
"""They are asked about dtypes and shapes, and answer with Python objects."""

_SIZES = {"repeat": "repeats"}
"""Arguments that decide the size of the result, by position 1 or by name: known when compiling."""


def _is_traced(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "biufc"


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with every call compiled: arrays are traced, all else is as it was given."""

    known = _SIZES.get(getattr(function, "__name__", ""))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        sizes = [*args[1:2], kwargs.get(known)] if known else []
        leaves, tree = tree_flatten((args, kwargs))
        places = [
            k for k, x in enumerate(leaves) if _is_traced(x) and not any(x is s for s in sizes)
        ]

        def program(arrays: list[Any]) -> Any:
            given = list(leaves)
            for k, x in zip(places, arrays, strict=True):
                given[k] = x
            positional, named = tree_unflatten(tree, given)
            return function(*positional, **named)

        return fxla.jit(program)([leaves[k] for k in places])

    return call


class _Compiled(types.ModuleType):
    """A namespace whose functions are compiled."""

    def __init__(self, name: str, namespace: Any) -> None:
        super().__init__(name)
        self.namespace = namespace

    def __getattr__(self, name: str) -> Any:
        return _attribute(self.namespace, name)


def _attribute(namespace: Any, name: str) -> Any:
    value = getattr(namespace, name)
    if name in _QUESTIONS or isinstance(value, type) or not callable(value):
        return value
    return compiled(value)


linalg = _Compiled("linalg", fnp.linalg)
fft = _Compiled("fft", fnp.fft)


def __getattr__(name: str) -> Any:
    return _attribute(fnp, name)
