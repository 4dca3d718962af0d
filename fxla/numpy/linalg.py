"""Linear algebra: the module ``fxla.numpy.linalg``.

Every function takes stacks of matrices in the last two axes. Systems, inverses and determinants
have implicit derivatives, which do not go through a factorisation. A singular matrix raises
LinAlgError eagerly, and gives inf or NaN where values are not known.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from fxla.core.deferred import public_names as _public_names
from fxla.core.dtypes import (
    int64,
)
from fxla.core.trace import Value, typeof
from fxla.errors import ShapeError
from fxla.numpy import contraction
from fxla.numpy.arguments import refuse_out
from fxla.numpy.determinants import det, slogdet
from fxla.numpy.dispatch import public
from fxla.numpy.factorisations import cholesky, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from fxla.numpy.matrix_operands import (
    check_matrices,
    identity_like,
    matrices,
)
from fxla.numpy.norms import matrix_norm, norm, singular_values, vector_norm
from fxla.numpy.operands import as_value, as_values, convert_all, promote
from fxla.numpy.reductions import any as any_of
from fxla.numpy.reductions import truth
from fxla.numpy.systems import inv, lstsq, pinv, solve, tensorinv, tensorsolve
from fxla.ops.arithmetic import div, mul
from fxla.ops.casts import convert
from fxla.ops.dot import matmul as product
from fxla.ops.logic import gt
from fxla.ops.matrix import MatrixError
from fxla.ops.reduce import reduce_max
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    reduce_sum,
    reshape,
    transpose,
)

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]


# --- numbers that describe a matrix ---------------------------------------------------------


@public(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Value:
    """The number of singular values above a bound.

    Args:
        A: matrices, or a vector, whose rank is 1 unless it is zero.
        tol: the bound; default: ``rtol`` times the largest.
        hermitian: accepted; a traced matrix is treated as a general one.
        rtol: default ``max(m, n) * eps``.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.linalg.matrix_rank([[1.0, 1.0], [1.0, 1.0]]))
        1
    """
    call = "np.linalg.matrix_rank"
    if rtol is not None and tol is not None:
        raise ValueError(f"{call}: `tol` and `rtol` can't be both set.")
    x = as_value(A, call)
    if typeof(x).ndim < 2:
        return convert(any_of(truth(x)), int64)
    s = singular_values(matrices(call, x, square=False))
    last = typeof(s).ndim - 1
    if tol is None:
        relative = max(typeof(x).shape[-2:]) * float(np.finfo(typeof(s).dtype).eps)
        given = as_value(relative if rtol is None else rtol, call)
        (factor,) = convert_all([given], typeof(s).dtype)
        top = reduce_max(s, (last,))
        bound = mul(top, broadcast_to(factor, typeof(top).shape))
    else:
        (bound,) = convert_all([as_value(tol, call)], typeof(s).dtype)
    bound = broadcast_to(bound, typeof(s).shape[:-1])
    large = gt(s, broadcast_in_dim(bound, typeof(s).shape, range(last)))
    return reduce_sum(convert(large, int64), (last,))


@public(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Value:
    """The condition number: ``norm(x, p) * norm(inv(x), p)``.

    Args:
        x: matrices.
        p: which norm, as in `norm`; default: the ratio of the singular values.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.cond([[2.0, 0.0], [0.0, 1.0]]))
        2.0
    """
    call = "np.linalg.cond"
    a = matrices(call, x, square=p not in (None, 2, -2))
    if p not in (None, 2, -2):
        return mul(norm(a, p, (-2, -1)), norm(inv(a), p, (-2, -1)))
    s = singular_values(a)
    last = typeof(s).ndim - 1
    n = typeof(s).shape[last]
    top, low = slice_in_dim(s, 0, 1, axis=last), slice_in_dim(s, n - 1, n, axis=last)
    ratio = div(low, top) if p == -2 else div(top, low)
    return reshape(ratio, typeof(s).shape[:-1])


# --- products -------------------------------------------------------------------------------


@public(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Value:
    """Integer powers of square matrices, by repeated squaring; negative ones of the inverse.

    Raises:
        LinAlgError: if `a` is not square.
        TypeError: if n is not an integer.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.matrix_power([[1.0, 1.0], [0.0, 1.0]], 3)
        Array([[1., 3.],
               [0., 1.]])
    """
    call = "np.linalg.matrix_power"
    x = as_value(a, call)
    check_matrices(call, x)
    try:
        times = operator.index(n)
    except TypeError:
        raise TypeError(f"{call}: exponent must be an integer") from None
    if times < 0:
        x, times = inv(x), -times
    (x,) = convert_all([x], typeof(x).dtype)
    if times == 0:
        return identity_like(x)
    found: Value | None = None
    while times:
        if times & 1:
            found = x if found is None else product(found, x)
        times >>= 1
        if times:
            x = product(x, x)
    return found


@public(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Value:
    """The product of several matrices in the order that costs least.

    Args:
        arrays: matrices; the first and the last may be vectors.
        out: not supported for traced arrays.

    Raises:
        ValueError: if there are fewer than two.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.multi_dot([fnp.eye(2), fnp.eye(2), fnp.ones(2)])
        Array([1., 1.])
    """
    call = "np.linalg.multi_dot"
    refuse_out(out, call)
    if len(arrays) < 2:
        raise ValueError(f"{call}: Expecting at least two arrays.")
    values = promote(call, *as_values(call, *arrays))
    inner = [typeof(v).ndim for v in values[1:-1]]
    if any(rank != 2 for rank in inner) or any(
        typeof(v).ndim not in (1, 2) for v in (values[0], values[-1])
    ):
        raise MatrixError(f"{call}: all but the first and the last must be matrices")
    row, column = typeof(values[0]).ndim == 1, typeof(values[-1]).ndim == 1
    if row:
        values[0] = expand_dims(values[0], (0,))
    if column:
        values[-1] = expand_dims(values[-1], (1,))
    sizes = [typeof(v).shape[0] for v in values] + [typeof(values[-1]).shape[1]]
    found = _multiplied(values, _best_splits(sizes), 0, len(values) - 1)
    shape = typeof(found).shape
    return reshape(found, shape[1 if row else 0 : 1 if column else 2])


def _best_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of matrices; Cormen et al., "Introduction to Algorithms", 15.2."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], best[i, j] = min(options)
    return best


def _multiplied(values: list[Value], best: dict[tuple[int, int], int], i: int, j: int) -> Value:
    if i == j:
        return values[i]
    k = best[i, j]
    left, right = _multiplied(values, best, i, k), _multiplied(values, best, k + 1, j)
    return contraction.matmul(left, right)


@public(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Value:
    """Product of matrices; see `fxla.numpy.matmul`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.matmul([[2.0]], [[3.0]])
        Array([[6.]])
    """
    return contraction.matmul(x1, x2)


@public(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Value:
    """Sum of products over chosen axes; see `fxla.numpy.tensordot`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.tensordot([1.0, 2.0], [3.0, 4.0], axes=1))
        11.0
    """
    return contraction.tensordot(x1, x2, axes)


@public(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Value:
    """Dot products along an axis; see `fxla.numpy.vecdot`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.vecdot([1.0, 2.0], [3.0, 4.0]))
        11.0
    """
    return contraction.vecdot(x1, x2, axis=axis)


@public(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Value:
    """``out[i, j] = x1[i] * x2[j]`` for two vectors.

    Raises:
        ValueError: if an operand is not a vector.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.outer([1.0, 2.0], [3.0])
        Array([[3.],
               [6.]])
    """
    x, y = as_values("np.linalg.outer", x1, x2)
    if typeof(x).ndim != 1 or typeof(y).ndim != 1:
        raise ShapeError(
            f"np.linalg.outer: Input arrays must be one-dimensional: {typeof(x)}, {typeof(y)}"
        )
    return contraction.outer(x, y)


@public(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Value:
    """Cross products of vectors of size 3 along an axis.

    Raises:
        ValueError: if the vectors do not have size 3.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        Array([0., 0., 1.])
    """
    x, y = as_values("np.linalg.cross", x1, x2)
    if typeof(x).shape[axis] != 3 or typeof(y).shape[axis] != 3:
        raise ShapeError(
            f"np.linalg.cross: Both input arrays must be (arrays of) 3-dimensional vectors, but "
            f"they are {typeof(x)} and {typeof(y)}"
        )
    return contraction.cross(x, y, axis=axis)


@public(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Value:
    """Diagonals of the matrices in the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.diagonal([[1.0, 2.0], [3.0, 4.0]])
        Array([1., 4.])
    """
    return contraction.diagonal(x, offset, -2, -1)


@public(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Value:
    """Sums along diagonals of the matrices in the last two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.trace([[1.0, 2.0], [3.0, 4.0]]))
        5.0
    """
    return contraction.trace(x, offset, -2, -1, dtype)


@public(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Value:
    """The last two axes swapped.

    Raises:
        ValueError: if there are fewer than two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.matrix_transpose([[1.0, 2.0]])
        Array([[1.],
               [2.]])
    """
    x = as_value(x, "np.linalg.matrix_transpose")
    n = typeof(x).ndim
    if n < 2:
        raise ShapeError(f"np.linalg.matrix_transpose: at least two axes are needed: {typeof(x)}")
    return transpose(x, (*range(n - 2), n - 1, n - 2))


def __dir__() -> list[str]:
    return _public_names(globals())
