"""Functions that make arrays by a shape, filled with a number or with ones on a diagonal."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import DType, canonical_dtype, default_float, int64
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.creation import to_array
from fxla.numpy.dispatch import only_plain, public
from fxla.numpy.operands import as_value, shape_of
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import elementwise, logic
from fxla.ops.casts import convert
from fxla.ops.shape import iota
from fxla.ops.structure import broadcast_to
from fxla.ops.structure import full as filled

__all__ = [
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "identity",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


# --- by shape -------------------------------------------------------------------------------


def new_shape(shape: Any, call: str) -> tuple[int, ...]:
    """The shape of an array to be made.

    Raises:
        ValueError: if a size is negative.
    """
    given = shape_of(shape, call)
    if any(n < 0 for n in given):
        raise ShapeError(
            f"{call}: negative dimensions are not allowed, got {given}{where_am_i()}. A size "
            "counts elements; -1 stands for what is left over in `reshape` alone."
        )
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
