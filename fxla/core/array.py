"""`fxla.Array`: a NumPy array with three more attributes.

fxla does not invent an array. On the CPU a result is this thin subclass of `numpy.ndarray`: every
library that takes an ndarray takes it, without a copy, writable and picklable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from fxla.core.uncollected import uncollected
from fxla.errors import ConcretizationError

__all__ = ["Array", "applying", "as_array", "in_bfloat16"]

_updater: list[Callable[[Any], Any]] = []
"""Makes the object behind ``x.at``; the NumPy floor puts it here when it is imported."""

_namespace: list[Callable[..., Any]] = []
"""Gives an array's array API namespace; from the NumPy floor, too."""

applying: list[Callable[..., Any]] = []
"""Calls a ufunc, its first argument, of the others; from the NumPy floor, too, and in time a native
one, see `fxla.compile.calls.eager`."""


_read = np.ndarray.__getitem__
_product = np.ndarray.__matmul__
_product_from_right = np.ndarray.__rmatmul__
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def in_bfloat16(out: Any, *operands: Any) -> Any:
    """A product that NumPy left in float32, rounded if it is one of bfloat16s, and of bytes.

    NumPy has no products of bfloat16 and takes those of float32. The result is of the operands'
    dtype, as compiled products are: summed in float32 and rounded once.
    """
    if not isinstance(out, (np.ndarray, np.generic)):  # a tracer's, or NotImplemented
        return out
    dtypes = [getattr(x, "dtype", None) for x in operands]
    if _BFLOAT16 in dtypes and all(
        d == _BFLOAT16 or getattr(d, "itemsize", 0) == 1 for d in dtypes
    ):
        return out.astype(_BFLOAT16)
    return out


@uncollected
class Array(np.ndarray[Any, Any]):
    """A NumPy array as fxla returns it.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> x = fnp.arange(3.0)
        >>> isinstance(x, fxla.Array), x.at[1].set(7.0).tolist()
        (True, [0.0, 7.0, 2.0])
    """

    __slots__ = ()

    @property
    def at(self) -> Any:
        """Indexed updates that return a changed copy: ``x.at[i].set(v)``, ``x.at[i].add(v)``."""
        return _updater[0](self)

    def block_until_ready(self) -> Array:
        """Return the array. On the CPU a result is always ready."""
        return self

    def __getitem__(self, index: Any) -> Any:
        try:
            return _read(self, index)
        except ConcretizationError:  # a traced index: NumPy asked for its value
            return _updater[0](self)[index].get()

    def __matmul__(self, other: Any) -> Any:
        out = _product(self, other)
        return out if self.dtype != _BFLOAT16 else in_bfloat16(out, other)

    def __rmatmul__(self, other: Any) -> Any:
        out = _product_from_right(self, other)
        return out if self.dtype != _BFLOAT16 else in_bfloat16(out, other)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The namespace of the array API standard: `fxla.numpy`."""
        return _namespace[0](self, api_version=api_version)

    @property
    def weak_type(self) -> bool:
        """Always False: only Python scalars are weak."""
        return False

    def __format__(self, spec: str) -> str:
        if self.ndim == 0:
            return format(self[()], spec)
        return super().__format__(spec)


def as_array(x: Any) -> Any:
    """View a NumPy array or scalar as an `Array`; anything else is returned as it is."""
    if type(x) is Array:
        return x
    if isinstance(x, np.ndarray):
        return x.view(Array)
    if isinstance(x, (np.generic, bool, int, float, complex)):
        return np.asarray(x).view(Array)
    return x
