"""What the rules of matrix factorisations are written in: triangles, diagonals, row permutations.

All work on the last two axes of stacks of matrices, and all but `identity` are linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import DType, complex64, complex128, float32, float64, is_complex, real_dtype
from fxla.core.primitive import Primitive, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.view import Nest, Opaque, View
from fxla.ops.arithmetic import complex_, conj, real
from fxla.ops.casts import convert
from fxla.ops.dot import matrix_transpose
from fxla.ops.elementwise import add
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import gather
from fxla.ops.logic import eq, ge, select
from fxla.ops.shape import iota
from fxla.ops.structure import batch_move, broadcast_in_dim, expand_dims, full, reduce_sum

__all__ = [
    "MatrixError",
    "MatrixPrimitive",
    "adjoint",
    "check_matrices",
    "diagonal",
    "from_triangle",
    "identity",
    "lower_triangle",
    "on_diagonal",
    "permute_rows",
    "real_as",
    "stacked",
    "upper_triangle",
]

_int32 = np.dtype(np.int32)


class MatrixPrimitive(Primitive):
    """Base of primitives that LAPACK computes for each matrix of a stack, not linear in any.

    Leading axes are stacks, so the batching rule puts the new axis in front of them.
    """

    fails = True
    uses_blas = True
    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        outs = self.bind(*batch_move(axis, operands, axes), **params)
        return outs, (0,) * len(outs)

    def lower(self, *views: View, **params: Any) -> Nest | Opaque:
        return Opaque()


def check_matrices(name: str, a: Aval, *, square: bool = False) -> None:
    """Check that `a` is a stack of matrices of a dtype LAPACK has.

    Raises:
        LinAlgError: if it is not, as NumPy does.
    """
    if a.dtype not in (float32, float64, complex64, complex128):
        raise DtypeError(f"{name}: not defined for {a}; convert it to float32 or float64")
    if a.ndim < 2:
        raise MatrixError(f"{name}: expected a matrix or a stack of matrices, got {a}")
    if square and a.shape[-1] != a.shape[-2]:
        raise MatrixError(f"{name}: the last two axes must be square, got {a}")


class MatrixError(ShapeError, np.linalg.LinAlgError):
    """An operand that is not a matrix, or not square: NumPy raises LinAlgError for these."""


def stacked(f: Callable[..., Any], *arrays: Any) -> Any:
    """Apply `f`, a function of one matrix each, over the leading axes; it gives a tuple."""
    lead = arrays[0].shape[:-2]
    if not lead:
        return f(*arrays)
    flat = [x.reshape((math.prod(lead), *x.shape[-2:])) for x in arrays]
    results = [f(*group) for group in zip(*flat, strict=True)]
    if not results:  # an empty stack: only the shapes are wanted
        samples = f(*[np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape[-2:])
                      for x in arrays])  # fmt: skip
        return tuple([np.zeros((*lead, *s.shape), s.dtype) for s in samples])
    return tuple([np.stack(r).reshape((*lead, *r[0].shape)) for r in zip(*results, strict=True)])


def _row_minus_column_at_least(x: Value, k: int) -> Value:
    """Where row - column >= k."""
    shape = typeof(x).shape
    pair = shape[-2:]
    rows, columns = iota(_int32, pair, 0), iota(_int32, pair, 1)
    mask = ge(rows, add(columns, k)) if k else ge(rows, columns)
    return broadcast_in_dim(mask, shape, (len(shape) - 2, len(shape) - 1))


def lower_triangle(x: Value, k: int = 0) -> Value:
    """`x` on and below the k-th diagonal, zero above; k > 0 is above the main diagonal."""
    return select(_row_minus_column_at_least(x, -k), x, 0)


def upper_triangle(x: Value, k: int = 0) -> Value:
    """`x` on and above the k-th diagonal, zero below."""
    return select(_row_minus_column_at_least(x, 1 - k), 0, x)


def identity(n: int, dtype: DType) -> Value:
    """The n x n identity matrix."""
    same = eq(iota(_int32, (n, n), 0), iota(_int32, (n, n), 1))
    return convert(same, dtype)


def on_diagonal(shape: tuple[int, ...]) -> Value:
    """A boolean stack of matrices of `shape`, true on the main diagonals."""
    pair = shape[-2:]
    same = eq(iota(_int32, pair, 0), iota(_int32, pair, 1))
    return broadcast_in_dim(same, shape, (len(shape) - 2, len(shape) - 1))


def diagonal(x: Value) -> Value:
    """Main diagonals of square matrices.  T[..., n, n] -> T[..., n]."""
    shape = typeof(x).shape
    return reduce_sum(select(on_diagonal(shape), x, 0), (len(shape) - 1,))


def adjoint(x: Value) -> Value:
    """Conjugate transpose."""
    x = matrix_transpose(x)
    return conj(x) if is_complex(typeof(x).dtype) else x


def real_as(x: Value) -> Value:
    """`x` without its imaginary part, in its own dtype."""
    dtype = typeof(x).dtype
    if not is_complex(dtype):
        return x
    part = real(x)
    return complex_(part, full(typeof(part).shape, 0, real_dtype(dtype)))


def from_triangle(x: Value, lower: bool) -> Value:
    """The Hermitian matrix that agrees with `x` on one triangle, as LAPACK reads it."""
    strict = lower_triangle(x, -1) if lower else upper_triangle(x, 1)
    middle = real_as(select(on_diagonal(typeof(x).shape), x, 0))
    return add(add(strict, adjoint(strict)), middle)


def permute_rows(x: Value, perm: Value) -> Value:
    """Row i of the result is row ``perm[i]``.  (T[..., m, n], i[..., m]) -> T[..., m, n]."""
    shape = typeof(x).shape
    n = len(shape)
    lead = tuple(range(n - 2))
    dims = GatherDims((n - 1,), (n - 2,), (n - 2,), lead, lead)
    sizes = (*(1,) * (n - 1), shape[-1])
    index = expand_dims(perm, (n - 1,))
    return gather(x, index, dims, sizes, "promise_in_bounds", unique_indices=True)
