"""Questions about dtypes and shapes, whose answers are never traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, finfo_of, is_complex
from fxla.core.trace import Tracer, typeof
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, promoted_dtype

__all__ = [
    "common_type",
    "finfo",
    "iinfo",
    "iscomplexobj",
    "isrealobj",
    "isscalar",
    "ndim",
    "result_type",
    "shape",
    "size",
]


@public(np.shape)
def shape(a: Any) -> Any:
    """Sizes of the axes, as Python integers. See `numpy.shape`.

    Example:
        >>> import fxla.numpy as np
        >>> np.shape([[1, 2, 3]])
        (1, 3)
    """
    return typeof(as_value(a, "np.shape")).shape


@public(np.ndim)
def ndim(a: Any) -> Any:
    """Number of axes. See `numpy.ndim`.

    Example:
        >>> import fxla.numpy as np
        >>> np.ndim([[1, 2, 3]])
        2
    """
    return typeof(as_value(a, "np.ndim")).ndim


@public(np.size)
def size(a: Any, axis: Any = None) -> Any:
    """Number of elements, or size of an axis. See `numpy.size`.

    Example:
        >>> import fxla.numpy as np
        >>> np.size([[1, 2, 3]]), np.size([[1, 2, 3]], 0)
        (3, 1)
    """
    aval = typeof(as_value(a, "np.size"))
    if axis is None:
        return aval.size
    axes = axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([aval.shape[k] for k in axes]))


@public(np.iscomplexobj)
def iscomplexobj(x: Any) -> Any:
    """Whether the dtype is complex. See `numpy.iscomplexobj`.

    Example:
        >>> import fxla.numpy as np
        >>> np.iscomplexobj([1j])
        True
    """
    return is_complex(typeof(as_value(x, "np.iscomplexobj")).dtype)


@public(np.isrealobj)
def isrealobj(x: Any) -> Any:
    """Whether the dtype is not complex. See `numpy.isrealobj`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isrealobj([1j])
        False
    """
    return not is_complex(typeof(as_value(x, "np.isrealobj")).dtype)


@public(np.isscalar)
def isscalar(element: Any) -> Any:
    """Whether a Python or NumPy scalar was given; an array of no axes is none.

    See `numpy.isscalar`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isscalar(3.0), np.isscalar(np.array(3.0))
        (True, False)
    """
    return element.weak_type if isinstance(element, Tracer) else np.isscalar(element)


@public(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that operands are promoted to. See `numpy.result_type`.

    Example:
        >>> import fxla.numpy as np
        >>> np.result_type(np.float32, 1.0)
        dtype('float32')
    """
    given = [
        np.zeros((), canonical_dtype(x))[()] if isinstance(x, (type, np.dtype, str)) else x
        for x in arrays_and_dtypes
    ]
    return promoted_dtype("np.result_type", *[as_value(x, "np.result_type") for x in given])


@public(np.common_type)
def common_type(*arrays: Any) -> Any:
    """The inexact scalar type that operands have in common. See `numpy.common_type`.

    Example:
        >>> import fxla.numpy as np
        >>> np.common_type(np.ones(2, np.float32), np.ones(2, int))
        <class 'numpy.float64'>
    """
    avals = [typeof(as_value(x, "np.common_type")) for x in arrays]
    return np.common_type(*[np.zeros((), a.dtype) for a in avals])


def finfo(dtype: Any) -> Any:
    """Limits of a floating dtype, bfloat16 included, or of an array's. See `numpy.finfo`.

    Example:
        >>> import fxla.numpy as np
        >>> float(np.finfo(np.float32).eps)
        1.1920928955078125e-07
    """
    return finfo_of(np.dtype(_dtype_or_that_of_an_array(dtype)))


def iinfo(dtype: Any) -> Any:
    """Limits of an integer dtype, or of an array's. See `numpy.iinfo`.

    Example:
        >>> import fxla.numpy as np
        >>> np.iinfo(np.int8).max
        127
    """
    return np.iinfo(_dtype_or_that_of_an_array(dtype))


def _dtype_or_that_of_an_array(x: Any) -> Any:
    """As the array API standard has it; NumPy takes arrays in `finfo` only, and not all."""
    return x.dtype if isinstance(x, Tracer | np.ndarray | np.generic) else x
