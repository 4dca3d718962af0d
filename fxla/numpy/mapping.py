"""Python functions applied along axes: by a loop of NumPy's eagerly, by vmap when traced."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import is_eager, public, result
from fxla.numpy.operands import as_value, canonical_axes, normalise_axis
from fxla.ops.structure import broadcast_to, expand_dims, move_axis
from fxla.transforms.vmap import vmap

__all__ = ["apply_along_axis", "apply_over_axes", "vectorize"]


@public(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: Any, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Apply a function of a vector to every vector along an axis. See `numpy.apply_along_axis`.

    Args:
        func1d: takes a vector, and returns a number or an array.
        axis: along which vectors are taken.
        arr: array.
        *args: passed to the function.
        **kwargs: passed to the function.

    Returns:
        The results; their axes are in place of `axis`.

    Example:
        >>> import fxla.numpy as np
        >>> np.apply_along_axis(np.sum, 0, [[1, 2], [3, 4]])
        Array([4, 6])
    """
    call = "np.apply_along_axis"
    x = as_value(arr, call)
    at = normalise_axis(axis, typeof(x).ndim, call)
    rest = typeof(x).ndim - 1
    x = move_axis(x, at, rest)
    function: Callable[[Any], Any] = functools.partial(_called, func1d, args, kwargs)
    for _ in range(rest):
        function = vmap(function)
    out = function(x)
    rank = typeof(out).ndim
    for k in range(rank - rest):
        out = move_axis(out, rest + k, at + k)
    return out


def _called(f: Callable[..., Any], args: Any, kwargs: Any, x: Value) -> Any:
    return as_value(f(x, *args, **kwargs), "np.apply_along_axis")


@public(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Apply ``func(a, axis)`` for one axis after the other, keeping the axes.

    See `numpy.apply_over_axes`.

    Args:
        func: takes an array and an axis.
        a: array.
        axes: an axis, or several.

    Example:
        >>> import fxla.numpy as np
        >>> np.apply_over_axes(np.sum, np.ones((2, 3)), [0, 1])
        Array([[6.]])
    """
    call = "np.apply_over_axes"
    x = as_value(a, call)
    rank = typeof(x).ndim
    for axis in canonical_axes(axes, rank, call):
        out = as_value(func(x, axis), call)
        if typeof(out).ndim == rank - 1:
            out = expand_dims(out, (axis,))
        if typeof(out).ndim != rank:
            raise ShapeError(
                f"{call}: function is not returning an array of the correct shape: {typeof(out)} "
                f"for {typeof(x)} and axis {axis}{where_am_i()}"
            )
        x = out
    return x


_DIMS = re.compile(r"\(([^()]*)\)")


def _parsed(signature: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The names of the core axes of arguments and of results: ``(m,n),(n)->(m)``."""
    inputs, arrow, outputs = signature.replace(" ", "").partition("->")
    sides = [
        [tuple(filter(None, group.split(","))) for group in _DIMS.findall(side)]
        for side in (inputs, outputs)
    ]
    if not arrow or not sides[1]:
        raise ValueError(f"not a valid gufunc signature: {signature!r}")
    return sides[0], sides[1]


class vectorize:
    """A function of numbers as a function of arrays that broadcast. See `numpy.vectorize`.

    Args:
        pyfunc: takes and returns numbers, or arrays of the axes that `signature` names.
        otypes: dtypes of the results; for concrete arrays, as in NumPy.
        doc: docstring of the result.
        excluded: positions and names of arguments that are passed as they are.
        cache: as in NumPy.
        signature: names the core axes, e.g. ``"(m,n),(n)->(m)"``.

    Example:
        >>> import fxla.numpy as np
        >>> np.vectorize(lambda a, b: a + b)([1, 2], [[10], [20]])
        Array([[11, 12],
               [21, 22]])
    """

    def __init__(
        self,
        pyfunc: Callable[..., Any],
        otypes: Any = None,
        doc: str | None = None,
        excluded: Iterable[Any] | None = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        self.pyfunc = pyfunc
        self.excluded = frozenset(excluded or ())
        self.signature = signature
        self.core = None if signature is None else _parsed(signature)[0]
        self.eager = np.vectorize(pyfunc, otypes, doc, set(self.excluded), cache, signature)
        self.__doc__ = doc if doc is not None else pyfunc.__doc__
        self.__name__ = getattr(pyfunc, "__name__", "vectorized")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function to every combination of elements."""
        if is_eager():
            return result(self.eager(*args, **kwargs))
        call = f"np.vectorize({self.__name__})"
        mapped = [k for k in range(len(args)) if k not in self.excluded]
        values = [as_value(args[k], call, k) for k in mapped]
        core = [()] * len(values) if self.core is None else self.core
        if len(core) != len(values):
            raise TypeError(
                f"{call}: the signature {self.signature!r} has {len(core)} arguments, the call "
                f"{len(values)}{where_am_i()}"
            )
        self._check(call, values, core)
        loops = [
            typeof(v).shape[: typeof(v).ndim - len(c)] for v, c in zip(values, core, strict=True)
        ]
        shape = np.broadcast_shapes(*loops)
        lifted = [
            broadcast_to(v, (*shape, *typeof(v).shape[typeof(v).ndim - len(c) :]))
            for v, c in zip(values, core, strict=True)
        ]

        def function(*xs: Any) -> Any:
            given = list(args)
            for k, x in zip(mapped, xs, strict=True):
                given[k] = x
            return self.pyfunc(*given, **kwargs)

        for _ in shape:
            function = vmap(function)
        return function(*lifted)

    def _check(self, call: str, values: list[Value], core: list[Any]) -> None:
        """Core axes of one name have one size."""
        sizes: dict[str, int] = {}
        for v, names in zip(values, core, strict=True):
            aval = typeof(v)
            if aval.ndim < len(names):
                raise ShapeError(
                    f"{call}: {aval} does not have the core axes ({','.join(names)}) of the "
                    f"signature {self.signature!r}{where_am_i()}"
                )
            for name, n in zip(names, aval.shape[aval.ndim - len(names) :], strict=True):
                if sizes.setdefault(name, n) != n:
                    raise ShapeError(
                        f"{call}: core axis {name!r} has sizes {sizes[name]} and {n}{where_am_i()}"
                    )
