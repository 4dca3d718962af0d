"""Functions that make arrays from numbers, lists and other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import canonical_dtype
from fxla.core.trace import Tracer, Value, typeof
from fxla.numpy.dispatch import only_plain, public
from fxla.numpy.operands import as_value
from fxla.numpy.views import layout_in_memory
from fxla.ops.casts import convert
from fxla.ops.structure import expand_dims

__all__ = [
    "array",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "astype",
    "copy",
    "isfortran",
    "require",
]


def to_array(x: Any, dtype: Any, call: str) -> Value:
    """An argument as a strong array: concrete data stays concrete."""
    value = as_value(x, call)
    aval = typeof(value)
    wanted = aval.dtype if dtype is None else canonical_dtype(dtype)
    if isinstance(value, Tracer):
        return convert(value, wanted)
    if isinstance(value, (np.ndarray, np.generic, bool, int, float, complex)):
        return as_array(np.asarray(value, wanted))
    return value


@public(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: Any = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Any:
    """Make an array of a number, an array, or nested lists of them. See `numpy.array`.

    Args:
        object: the data; lists may hold traced values.
        dtype: of the result; by default that of the data.
        copy: a traced array is never written to, so it is not copied.
        ndmin: axes of size 1 are put in front until there are so many.
        ndmax: as in NumPy, of concrete data.
        order: of the memory, which a traced array has not.
        subok: traced arrays have no subclasses.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.array([[1, 2], [3, 4]], dtype=float)
        Array([[1., 2.],
               [3., 4.]])
    """
    only_plain("np.array", order=order, like=like)
    made = to_array(object, dtype, "np.array")
    if copy and isinstance(made, np.ndarray) and np.may_share_memory(made, object):
        made = as_array(np.array(made))
    missing = ndmin - typeof(made).ndim
    return expand_dims(made, range(missing)) if missing > 0 else made


def is_as_asked(a: Any, dtype: Any) -> bool:
    """Whether an argument is a traced array of a dtype: then it is its own ``asarray``."""
    if not isinstance(a, Tracer) or a.weak_type:
        return False
    return dtype is None or canonical_dtype(dtype) == a.dtype


@public(np.asarray)
def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    like: Any = None,
) -> Any:
    """An array of a number, an array, or nested lists, without a copy if it can be.

    See `numpy.asarray`.

    Example:
        >>> import fxla.numpy as np
        >>> np.asarray([1.0, 2.0])
        Array([1., 2.])
    """
    only_plain("np.asarray", order=order, device=device, like=like)
    if not copy and is_as_asked(a, dtype):
        return a
    return array.traced(a, dtype, copy=bool(copy))  # type: ignore[attr-defined]


@public(np.asanyarray)
def asanyarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    like: Any = None,
) -> Any:
    """The same as `asarray`. See `numpy.asanyarray`.

    Example:
        >>> import fxla.numpy as np
        >>> np.asanyarray([1.0, 2.0])
        Array([1., 2.])
    """
    only_plain("np.asanyarray", order=order, device=device, like=like)
    if not copy and is_as_asked(a, dtype):
        return a
    return array.traced(a, dtype, copy=bool(copy))  # type: ignore[attr-defined]


@public(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """An array of at least one axis, in C order. See `numpy.ascontiguousarray`.

    Example:
        >>> import fxla.numpy as np
        >>> np.ascontiguousarray(3.0)
        Array([3.])
    """
    only_plain("np.ascontiguousarray", like=like)
    if is_as_asked(a, dtype) and a.ndim and layout_in_memory(a).flags.c_contiguous:
        return a
    return array.traced(a, dtype, copy=False, ndmin=1)  # type: ignore[attr-defined]


@public(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """An array of at least one axis; a concrete one in Fortran order. See `numpy.asfortranarray`.

    Example:
        >>> import fxla.numpy as np
        >>> np.asfortranarray([[1, 2], [3, 4]]).flags.f_contiguous
        True
    """
    only_plain("np.asfortranarray", like=like)
    return array.traced(a, dtype, copy=False, ndmin=1)  # type: ignore[attr-defined]


@public(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """`asarray` that refuses infinities and NaN; traced values are not looked at.

    See `numpy.asarray_chkfinite`.

    Raises:
        ValueError: if a concrete array has an infinity or a NaN.

    Example:
        >>> import fxla.numpy as np
        >>> np.asarray_chkfinite([1.0, 2.0])
        Array([1., 2.])
    """
    made = array.traced(a, dtype, copy=False, order=order)  # type: ignore[attr-defined]
    return made if isinstance(made, Tracer) else as_array(np.asarray_chkfinite(made))


@public(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """An array with properties of its memory, which a traced array has not. See `numpy.require`.

    Example:
        >>> import fxla.numpy as np
        >>> np.require([1, 2], float, "C")
        Array([1., 2.])
    """
    only_plain("np.require", like=like)
    made = array.traced(a, dtype, copy=False)  # type: ignore[attr-defined]
    return made if isinstance(made, Tracer) else as_array(np.require(made, dtype, requirements))


@public(np.isfortran)
def isfortran(a: Any) -> Any:
    """Whether the memory is in Fortran order, not in C order; a traced array is in C order.

    See `numpy.isfortran`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isfortran(np.zeros((2, 3), order="F"))
        True
    """
    made = array.traced(a, copy=False)  # type: ignore[attr-defined]
    return False if isinstance(made, Tracer) else bool(np.isfortran(made))


@public(np.copy)
def copy(a: Any, order: Any = "K", subok: Any = False) -> Any:
    """A copy of an array. See `numpy.copy`.

    Example:
        >>> import fxla.numpy as np
        >>> np.copy([1, 2])
        Array([1, 2])
    """
    only_plain("np.copy", order=order)
    return array.traced(a)  # type: ignore[attr-defined]


@public(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Any:
    """`x` in another dtype; to a real dtype a complex number loses its imaginary part.

    See `numpy.astype`.

    Example:
        >>> import fxla.numpy as np
        >>> np.astype(np.array([1.7, -1.7]), int)
        Array([ 1, -1])
    """
    only_plain("np.astype", device=device)
    return convert(as_value(x, "np.astype"), canonical_dtype(dtype))
