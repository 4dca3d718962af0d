"""Python functions as ufuncs, and the class that all ufuncs of this surface are instances of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.trace import typeof
from fxla.numpy.arguments import NoValue
from fxla.numpy.dispatch import is_eager, result
from fxla.numpy.mapping import vectorize
from fxla.numpy.operands import as_value, normalise_axis
from fxla.numpy.ufunc_methods import fold
from fxla.ops.casts import convert
from fxla.ops.structure import expand_dims, reshape

__all__ = ["frompyfunc", "ufunc"]


class _AnyUfunc(type):
    """Functions with a ufunc's methods, such as `fxla.numpy.add`, are instances too."""

    def __instancecheck__(cls, x: Any) -> bool:
        return super().__instancecheck__(x) or (callable(x) and hasattr(x, "reduceat"))


class ufunc(metaclass=_AnyUfunc):
    """A function of elements, with the methods of `numpy.ufunc`. Made by `frompyfunc`.

    Example:
        >>> import fxla.numpy as np
        >>> isinstance(np.add, np.ufunc), isinstance(np.sum, np.ufunc)
        (True, False)
    """

    def __init__(
        self, func: Callable[..., Any], nin: int, nout: int, *, identity: Any = NoValue
    ) -> None:
        given = {} if identity is NoValue else {"identity": identity}
        self._eager: Any = np.frompyfunc(func, nin, nout, **given)
        self._traced = vectorize(func)
        self.nin, self.nout, self.nargs = nin, nout, nin + nout
        self.identity = None if identity is NoValue else identity
        self.__name__ = getattr(func, "__name__", "ufunc")
        self.__doc__ = func.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function to every combination of elements."""
        if is_eager():
            return result(self._eager(*args, **kwargs))
        return self._traced(*args, **kwargs)

    def reduce(self, array: Any, axis: int = 0, keepdims: bool = False) -> Any:
        """Combine the elements along an axis, first to last."""
        if is_eager():
            return result(self._eager.reduce(array, axis, keepdims=keepdims))
        x, at = self._along(array, axis)
        out = fold(self._step, x, at, typeof(x).dtype, None, None)
        return expand_dims(out, (at,)) if keepdims else out

    def accumulate(self, array: Any, axis: int = 0) -> Any:
        """Combine the elements along an axis, and keep what is on the way."""
        if is_eager():
            return result(self._eager.accumulate(array, axis))
        x, at = self._along(array, axis)
        return fold(self._step, x, at, typeof(x).dtype, None, None, is_running=True)

    def outer(self, A: Any, B: Any, /) -> Any:
        """Apply the function to every pair of elements."""
        if is_eager():
            return result(self._eager.outer(A, B))
        x, y = [as_value(v, f"{self.__name__}.outer") for v in (A, B)]
        return self._traced(reshape(x, (*typeof(x).shape, *[1] * typeof(y).ndim)), y)

    def _along(self, array: Any, axis: int) -> tuple[Any, int]:
        call = f"{self.__name__}.reduce"
        x = as_value(array, call)
        return x, normalise_axis(axis, typeof(x).ndim, call)

    def _step(self, before: Any, x: Any, dtype: Any) -> Any:
        return convert(self._traced(before, x), dtype)


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, **kwargs: Any) -> ufunc:
    """A Python function of numbers as a ufunc. See `numpy.frompyfunc`.

    Eager results have dtype object, as NumPy's have. Traced, the function is mapped over the
    elements, and the results have the dtypes that it gives; a reduction keeps the array's dtype.

    Args:
        func: a function of `nin` numbers.
        nin: how many it takes.
        nout: how many it returns.
        **kwargs: ``identity``, of a reduction.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> steps = np.frompyfunc(lambda x, y: 2 * x + y, 2, 1)
        >>> fxla.jit(steps)(np.arange(3.0), 1.0)
        Array([1., 3., 5.])
    """
    return ufunc(func, nin, nout, **kwargs)
