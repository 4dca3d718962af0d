"""Linear systems, inverses and least squares; their derivatives are implicit.

References:
    Giles, "An extended collection of matrix derivative results" (2008);
    Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate" (1973).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.control.custom_jvp import custom_jvp
from fxla.core.dtypes import (
    real_dtype,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.arguments import NoValue
from fxla.numpy.dispatch import public
from fxla.numpy.matrix_operands import (
    check_matrices,
    check_system,
    floating,
    identity_like,
    matrices,
    rows_of,
    same_stacks,
)
from fxla.numpy.norms import singular_values
from fxla.numpy.operands import as_value, convert_all
from fxla.ops import linalg as ops
from fxla.ops import spectral
from fxla.ops.arithmetic import abs_, div, mul, neg, sub
from fxla.ops.casts import convert
from fxla.ops.dot import matmul as product
from fxla.ops.elementwise import add
from fxla.ops.logic import gt, select
from fxla.ops.matrix import MatrixError, adjoint
from fxla.ops.reduce import reduce_max
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    full,
    reduce_sum,
    reshape,
    transpose,
)

__all__ = [
    "inv",
    "lstsq",
    "pinv",
    "solve",
    "tensorinv",
    "tensorsolve",
]


@public(np.linalg.solve)
def solve(a: Any, b: Any) -> Value:
    """The solution x of ``a x = b``.

    Args:
        a: square matrices.
        b: a vector, if it has one axis, or matrices of right-hand sides; leading axes broadcast.

    Raises:
        LinAlgError: if `a` is not square, or, eagerly, if it is singular.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 4.0])
        Array([1., 1.])
    """
    call = "np.linalg.solve"
    x, y = floating(call, a, b)
    check_matrices(call, x)
    vector = typeof(y).ndim == 1
    check_system(call, x, y)
    if vector:
        y = expand_dims(y, (1,))
    found = ops.linear_solve(*same_stacks(call, x, y))
    return reshape(found, typeof(found).shape[:-1]) if vector else found


@public(np.linalg.inv)
def inv(a: Any) -> Value:
    """Inverses of square matrices.

    Raises:
        LinAlgError: if `a` is not square, or, eagerly, if it is singular.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
        Array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    x = matrices("np.linalg.inv", a)
    return ops.linear_solve(x, identity_like(x))


@custom_jvp
def _pseudo_inverse(a: Value, cutoff: Value) -> Value:
    """The inverse on singular values above ``cutoff`` times the largest, and zero on the others."""
    u, s, vh = spectral.svd(a)
    rank = typeof(s).ndim
    top = reduce_max(s, (rank - 1,)) if typeof(s).shape[-1] else s
    shape = typeof(s).shape
    bound = mul(broadcast_in_dim(top, shape, range(rank - 1)) if shape[-1] else s,
                broadcast_in_dim(cutoff, shape, range(typeof(cutoff).ndim)))  # fmt: skip
    large = gt(s, bound)
    ones, zeros = (full(shape, k, typeof(s).dtype) for k in (1, 0))
    inverse = select(large, div(ones, select(large, s, ones)), zeros)
    scaled = mul(adjoint(u), rows_of(convert(inverse, typeof(u).dtype), typeof(adjoint(u)).shape))
    return product(adjoint(vh), scaled)


@_pseudo_inverse.defjvp
def _pseudo_inverse_jvp(primals: Any, tangents: Any) -> tuple[Value, Value]:
    """dP = -P dA P + P P^H dA^H (1 - A P) + (1 - P A) dA^H P^H P, where the rank is constant."""
    (a, cutoff), (t, _) = primals, tangents
    p = _pseudo_inverse(a, cutoff)
    ph, th = adjoint(p), adjoint(t)
    inside = neg(product(p, product(t, p)))
    left = product(product(p, ph), th)
    right = product(th, product(ph, p))
    left = sub(left, product(left, product(a, p)))
    right = sub(right, product(product(p, a), right))
    return p, add(inside, add(left, right))


@public(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NoValue) -> Value:
    """Moore-Penrose inverses.

    Args:
        a: matrices.
        rcond: singular values below this times the largest count as zero; default 1e-15.
        hermitian: accepted; a traced matrix is treated as a general one.
        rtol: the array-API name of `rcond`; None means ``max(m, n) * eps``.

    Raises:
        LinAlgError: if there are fewer than two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.pinv([[2.0], [0.0]])
        Array([[0.5, 0. ]])
    """
    call = "np.linalg.pinv"
    x = matrices(call, a, square=False)
    if rcond is not None and rtol is not NoValue:
        raise ValueError(f"{call}: `rtol` and `rcond` can't be both set.")
    shape, dtype = typeof(x).shape, typeof(x).dtype
    if rcond is None:
        rcond = 1e-15 if rtol is NoValue else rtol
    if rcond is None:
        rcond = max(shape[-2:]) * float(np.finfo(dtype).eps)
    if 0 in shape:
        return full((*shape[:-2], shape[-1], shape[-2]), 0, dtype)
    (cutoff,) = convert_all([as_value(rcond, call)], real_dtype(dtype))
    cutoff = broadcast_to(cutoff, shape[:-2])
    return _pseudo_inverse(x, cutoff)


@public(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Value, Value, Value, Value]:
    """The x of least norm that minimises ``norm(b - a x)``.

    Args:
        a: a matrix of m rows and n columns.
        b: a vector of m, or a matrix of right-hand sides.
        rcond: singular values below this times the largest count as zero; default
            ``max(m, n) * eps``.

    Returns:
        x; the sums of squared residuals; the rank of `a`; its singular values. NumPy returns no
        residuals if ``rank < n``; a traced result has them whenever ``m > n``.

    Raises:
        LinAlgError: if `a` is not a matrix or the sizes differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> x, residuals, rank, s = fnp.linalg.lstsq([[1.0], [1.0]], [1.0, 3.0])
        >>> fnp.round(x, 6)
        Array([2.])
    """
    call = "np.linalg.lstsq"
    x, y = floating(call, a, b)
    if typeof(x).ndim != 2 or typeof(y).ndim not in (1, 2):
        raise MatrixError(f"{call}: a must be a matrix and b have one or two axes: {typeof(x)}, "
                          f"{typeof(y)}{where_am_i()}")  # fmt: skip
    m, n = typeof(x).shape
    if typeof(y).shape[0] != m:
        raise MatrixError(f"{call}: Incompatible dimensions: {typeof(x)} and {typeof(y)}")
    dtype = typeof(x).dtype
    cutoff = max(m, n) * float(np.finfo(dtype).eps) if rcond is None else rcond
    vector = typeof(y).ndim == 1
    right = expand_dims(y, (1,)) if vector else y
    found = product(pinv(x, cutoff), right)
    s = singular_values(x)
    (bound,) = convert_all([as_value(cutoff, call)], typeof(s).dtype)
    top = slice_in_dim(s, 0, 1)
    large = gt(s, mul(broadcast_to(top, typeof(s).shape), bound))
    rank = reduce_sum(convert(large, np.dtype(np.int32)), (0,))
    if m > n:
        error = abs_(sub(right, product(x, found)))
        residuals = reduce_sum(mul(error, error), (0,))
    else:
        residuals = full((0,), 0, real_dtype(dtype))
    return (reshape(found, (n,)) if vector else found), residuals, rank, s


@public(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Value:
    """The x of ``tensordot(a, x, x.ndim) = b``.

    Args:
        a: an array of shape ``b.shape + q``, where the products of both shapes are equal.
        b: an array.
        axes: axes of `a` to move to the end first.

    Raises:
        LinAlgError: if the products differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.tensorsolve(fnp.eye(4).reshape(2, 2, 4), fnp.ones((2, 2)))
        Array([1., 1., 1., 1.])
    """
    call = "np.linalg.tensorsolve"
    x, y = floating(call, a, b)
    rank = typeof(x).ndim
    if axes is not None:
        order = [k for k in range(rank) if k not in axes] + [k % rank for k in axes]
        x = transpose(x, order)
    rest = typeof(x).shape[typeof(y).ndim :]
    size = math.prod(rest)
    if typeof(x).size != size**2 or typeof(y).size != size:
        raise MatrixError(
            f"{call}: Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == "
            f"prod(a.shape[:b.ndim]): {typeof(x)}, {typeof(y)}"
        )
    return reshape(solve(reshape(x, (size, size)), reshape(y, (size,))), rest)


@public(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Value:
    """The inverse of ``x -> tensordot(a, x, ind)``.

    Args:
        a: an array whose first `ind` sizes and the others have equal products.
        ind: number of axes of the result of the map.

    Raises:
        LinAlgError: if the products differ.
        ValueError: if `ind` is not positive.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.tensorinv(fnp.eye(4).reshape(4, 2, 2), ind=1).shape
        (2, 2, 4)
    """
    call = "np.linalg.tensorinv"
    if ind <= 0:
        raise ValueError(f"{call}: Invalid ind argument.")
    (x,) = floating(call, a)
    shape = typeof(x).shape
    front, back = shape[:ind], shape[ind:]
    n = math.prod(back)
    return reshape(inv(reshape(x, (n, typeof(x).size // n if n else 0))), (*back, *front))
