"""Functions that make arrays: from numbers and lists, and by a shape.

While tracing, what is made from concrete data stays concrete, and what is made from a shape alone
(`zeros`, `eye`) is recorded as operations, so that no program carries a large constant
that it could compute.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import (
    DType,
    canonical_dtype,
    default_float,
    int64,
)
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import only_plain, public
from fxla.numpy.operands import as_value, shape_of
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.numpy.views import layout_in_memory
from fxla.ops import elementwise, logic
from fxla.ops.casts import convert
from fxla.ops.shape import iota
from fxla.ops.structure import (
    broadcast_to,
    expand_dims,
)
from fxla.ops.structure import full as filled

__all__ = [
    "array",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "astype",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "identity",
    "isfortran",
    "ones",
    "ones_like",
    "require",
    "zeros",
    "zeros_like",
]

# --- from data ------------------------------------------------------------------------------


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


# --- by shape -------------------------------------------------------------------------------


def new_shape(shape: Any, call: str) -> tuple[int, ...]:
    """The shape of an array to be made.

    Raises:
        ValueError: if a size is negative.
    """
    given = shape_of(shape, call)
    if any(n < 0 for n in given):
        raise ShapeError(f"{call}: negative dimensions are not allowed: {given}{where_am_i()}")
    return given


def filled_with(shape: Any, value: Any, dtype: Any, call: str) -> Value:
    """An array of a shape, full of one number."""
    wanted = default_float() if dtype is None else canonical_dtype(dtype)
    return as_array(filled(new_shape(shape, call), value, wanted))


@public(np.zeros)
def zeros(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """An array of zeros. See `numpy.zeros`.

    Args:
        shape: a size or a tuple of sizes.
        dtype: of the result; by default the default precision, float64.
        order: of the memory, which a traced array has not.
        device: None or ``"cpu"``.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.zeros((2, 3))
        Array([[0., 0., 0.],
               [0., 0., 0.]])
    """
    only_plain("np.zeros", order=order, device=device, like=like)
    return filled_with(shape, 0, dtype, "np.zeros")


@public(np.ones)
def ones(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """An array of ones. See `numpy.ones`.

    Example:
        >>> import fxla.numpy as np
        >>> np.ones(3)
        Array([1., 1., 1.])
    """
    only_plain("np.ones", order=order, device=device, like=like)
    return filled_with(shape, 1, dtype, "np.ones")


@public(np.empty)
def empty(
    shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None
) -> Any:
    """An array of any values; traced code gives zeros. See `numpy.empty`.

    Example:
        >>> import fxla.numpy as np
        >>> np.empty((2, 3)).shape
        (2, 3)
    """
    only_plain("np.empty", order=order, device=device, like=like)
    return filled_with(shape, 0, dtype, "np.empty")


@public(np.full)
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """An array full of one value, which may be traced. See `numpy.full`.

    Args:
        shape: a size or a tuple of sizes.
        fill_value: a number, or an array that broadcasts to `shape`.
        dtype: of the result; by default that of `fill_value`.
        order: of the memory, which a traced array has not.
        device: None or ``"cpu"``.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.full(3, 7.0)
        Array([7., 7., 7.])
    """
    only_plain("np.full", order=order, device=device, like=like)
    value = to_array(fill_value, dtype, "np.full")
    return as_array(broadcast_to(value, new_shape(shape, "np.full")))


def _like(a: Any, dtype: Any, shape: Any, call: str) -> tuple[Any, DType]:
    """Shape and dtype of a ``*_like`` result."""
    aval = typeof(as_value(a, call))
    wanted = aval.dtype if dtype is None else canonical_dtype(dtype)
    return (aval.shape if shape is None else shape), wanted


@public(np.zeros_like, by_type=REAL_AND_COMPLEX)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Zeros of the shape and dtype of an array. See `numpy.zeros_like`.

    Example:
        >>> import fxla.numpy as np
        >>> np.zeros_like([1, 2, 3])
        Array([0, 0, 0])
    """
    only_plain("np.zeros_like", order=order, device=device)
    return filled_with(*_filling(a, dtype, shape, 0, "np.zeros_like"))


@public(np.ones_like, by_type=REAL_AND_COMPLEX)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Ones of the shape and dtype of an array. See `numpy.ones_like`.

    Example:
        >>> import fxla.numpy as np
        >>> np.ones_like([1, 2, 3])
        Array([1, 1, 1])
    """
    only_plain("np.ones_like", order=order, device=device)
    return filled_with(*_filling(a, dtype, shape, 1, "np.ones_like"))


@public(np.empty_like)
def empty_like(
    prototype: Any,
    /,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """An array of any values with another's shape and dtype. See `numpy.empty_like`.

    Example:
        >>> import fxla.numpy as np
        >>> np.empty_like([1, 2, 3]).dtype
        dtype('int64')
    """
    only_plain("np.empty_like", order=order, device=device)
    return filled_with(*_filling(prototype, dtype, shape, 0, "np.empty_like"))


@public(np.full_like, by_type=REAL_AND_COMPLEX)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """One value in the shape and dtype of an array. See `numpy.full_like`.

    Example:
        >>> import fxla.numpy as np
        >>> np.full_like([1, 2, 3], 7)
        Array([7, 7, 7])
    """
    only_plain("np.full_like", order=order, device=device)
    shape, wanted = _like(a, dtype, shape, "np.full_like")
    value = to_array(fill_value, wanted, "np.full_like")
    return as_array(broadcast_to(value, new_shape(shape, "np.full_like")))


def _filling(a: Any, dtype: Any, shape: Any, value: int, call: str) -> tuple[Any, ...]:
    found, wanted = _like(a, dtype, shape, call)
    return found, value, wanted, call


# --- by formula -----------------------------------------------------------------------------


@public(np.eye)
def eye(
    N: Any,
    M: Any = None,
    k: int = 0,
    dtype: Any = float,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """A matrix with ones on a diagonal. See `numpy.eye`.

    Args:
        N: number of rows.
        M: number of columns; by default as many.
        k: which diagonal: 0 the main one, positive above it.
        dtype: of the result.
        order: of the memory, which a traced array has not.
        device: None or ``"cpu"``.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.eye(2, 3, k=1)
        Array([[0., 1., 0.],
               [0., 0., 1.]])
    """
    only_plain("np.eye", order=order, device=device, like=like)
    rows = operator.index(N)
    shape = (rows, rows if M is None else operator.index(M))
    row, column = iota(int64, shape, 0), iota(int64, shape, 1)
    return convert(
        logic.eq(elementwise.add(row, operator.index(k)), column), canonical_dtype(dtype)
    )


@public(np.identity)
def identity(n: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """The square identity matrix. See `numpy.identity`.

    Example:
        >>> import fxla.numpy as np
        >>> np.identity(2)
        Array([[1., 0.],
               [0., 1.]])
    """
    only_plain("np.identity", like=like)
    return eye.traced(n, dtype=float if dtype is None else dtype)  # type: ignore[attr-defined]
