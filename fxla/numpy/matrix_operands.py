"""What functions of matrices check and prepare: dtypes of LAPACK, square matrices, stacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import (
    default_float,
    float16,
    is_inexact,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.operands import as_values, convert_all, promote
from fxla.ops.matrix import MatrixError, identity
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
)

__all__ = [
    "check_matrices",
    "check_system",
    "floating",
    "identity_like",
    "matrices",
    "rows_of",
    "same_stacks",
]


def floating(call: str, *xs: Any) -> list[Value]:
    """Operands in the dtype LAPACK computes in: float32, float64 or their complex forms."""
    values = promote(call, *as_values(call, *xs))
    dtype = typeof(values[0]).dtype
    if dtype == float16 or (is_inexact(dtype) and dtype.itemsize < 4):
        raise DtypeError(f"{call}: array type {dtype.name} is unsupported in linalg{where_am_i()}. "
                         "Convert it with .astype(\"float32\").")  # fmt: skip
    return values if is_inexact(dtype) else convert_all(values, default_float())


def matrices(call: str, a: Any, square: bool = True) -> Value:
    """An operand that is a matrix or a stack of them, in a dtype LAPACK has."""
    (x,) = floating(call, a)
    check_matrices(call, x, square)
    return x


def check_matrices(call: str, x: Value, square: bool = True) -> None:
    """Check the number of axes and, if asked, that the last two have one size.

    Raises:
        LinAlgError: as NumPy does.
    """
    aval = typeof(x)
    if aval.ndim < 2:
        raise MatrixError(
            f"{call}: {aval.ndim}-dimensional array given. Array must be at least two-dimensional: "
            f"{aval}{where_am_i()}"
        )
    if square and aval.shape[-1] != aval.shape[-2]:
        raise MatrixError(
            f"{call}: Last 2 dimensions of the array must be square: {aval}{where_am_i()}"
        )


def check_system(call: str, a: Value, b: Value) -> None:
    """Check that right-hand sides, one vector or stacked matrices, have a row for each unknown.

    Raises:
        ShapeError: as operands were given: one vector is not shown as a column.
    """
    rows = typeof(b).shape[-2:][:1]
    if rows != typeof(a).shape[-1:]:
        raise ShapeError(
            f"{call}: the sizes of the system do not fit: {typeof(a)} and {typeof(b)}"
            f"{where_am_i()}. The right-hand side is a vector of as many elements as the matrix "
            "has rows, or a matrix of as many rows."
        )


def same_stacks(call: str, *xs: Value) -> list[Value]:
    """Matrices with their leading axes broadcast."""
    avals = [typeof(x) for x in xs]
    try:
        lead = np.broadcast_shapes(*[a.shape[:-2] for a in avals])
    except ValueError:
        raise ShapeError(
            f"{call}: the leading axes do not broadcast: {', '.join(map(str, avals))}{where_am_i()}"
        ) from None
    return [broadcast_to(x, (*lead, *a.shape[-2:])) for x, a in zip(xs, avals, strict=True)]


def identity_like(x: Value) -> Value:
    """Identity matrices of the shape and dtype of `x`."""
    shape = typeof(x).shape
    eye = identity(shape[-1], typeof(x).dtype)
    return broadcast_in_dim(eye, shape, (len(shape) - 2, len(shape) - 1))


def rows_of(x: Value, shape: tuple[int, ...]) -> Value:
    """A number for each row, repeated along the row."""
    return broadcast_in_dim(x, shape, range(len(shape) - 1))
