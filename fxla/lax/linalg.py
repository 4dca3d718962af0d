"""Linear algebra on stacks of matrices, with the names and conventions of ``jax.lax.linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.control.scan import scan
from fxla.core.deferred import public_names as _public_names
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops import linalg as ops
from fxla.ops import spectral
from fxla.ops.arithmetic import abs_, conj, div, mul, sub
from fxla.ops.casts import convert
from fxla.ops.dot import matmul, matrix_transpose
from fxla.ops.elementwise import add
from fxla.ops.index import take_along_axis
from fxla.ops.logic import eq, select
from fxla.ops.matrix import adjoint, identity, lower_triangle
from fxla.ops.reduce import argmax
from fxla.ops.shape import iota, pad, slice_in_dim
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    full,
    move_axis,
    reduce_sum,
    squeeze,
)
from fxla.ops.transcendental import sqrt

__all__ = [
    "cholesky",
    "eig",
    "eigh",
    "householder_product",
    "lu",
    "lu_pivots_to_permutation",
    "qr",
    "svd",
    "symmetric_product",
    "triangular_solve",
    "tridiagonal_solve",
]


def _symmetrised(a: Value) -> Value:
    return mul(add(a, adjoint(a)), 0.5)


def cholesky(a: Any, *, symmetrize_input: bool = True) -> Any:
    """The lower triangular L with ``a = L L^H``.

    Args:
        a: Hermitian positive definite, [..., n, n].
        symmetrize_input: take the mean of `a` and its adjoint first; else only its lower triangle
            is read.

    Raises:
        LinAlgError: in eager code, if `a` is not positive definite.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.cholesky(fnp.array([[4.0, 2.0], [2.0, 5.0]]))
        Array([[2., 0.],
               [1., 2.]])
    """
    return ops.cholesky(_symmetrised(a) if symmetrize_input else a)


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
) -> list[Any]:
    """Eigenvalues and eigenvectors of square matrices.

    Args:
        x: [..., n, n].
        compute_left_eigenvectors: whether to return u with ``u^H x = w u^H``, in columns.
        compute_right_eigenvectors: whether to return v with ``x v = v w``, in columns.

    Returns:
        ``[w, u, v]``, complex, without what was not asked for. Columns have norm 1 and a real
        largest component.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> w, u, v = lax.linalg.eig(fnp.array([[2.0, 0.0], [0.0, 3.0]]))
        >>> w
        Array([2.+0.j, 3.+0.j])
    """
    if not (compute_left_eigenvectors or compute_right_eigenvectors):
        return [spectral.eig_p.bind1(x, compute_v=False)]
    w, v = spectral.eig(x)
    found = [w]
    if compute_left_eigenvectors:
        aval = typeof(v)
        eye = broadcast_to(identity(aval.shape[-1], aval.dtype), aval.shape)
        found.append(_normalised(adjoint(ops.linear_solve(v, eye))))
    if compute_right_eigenvectors:
        found.append(v)
    return found


def _normalised(v: Value) -> Value:
    """Complex columns scaled to norm 1 and a real largest component."""
    n = typeof(v).ndim
    size = abs_(v)
    place = expand_dims(argmax(size, n - 2), (n - 2,))
    largest = take_along_axis(v, place, n - 2)
    norm = sqrt(expand_dims(reduce_sum(mul(size, size), (n - 2,)), (n - 2,)))
    scale = mul(conj(largest), convert(div(1.0, mul(abs_(largest), norm)), typeof(v).dtype))
    return mul(v, broadcast_to(scale, typeof(v).shape))


def eigh(
    x: Any, *, lower: bool = True, symmetrize_input: bool = True, sort_eigenvalues: bool = True
) -> tuple[Any, Any]:
    """Eigenvectors and eigenvalues of Hermitian matrices.

    Args:
        x: [..., n, n].
        lower: which triangle is read, if not `symmetrize_input`.
        symmetrize_input: take the mean of `x` and its adjoint first.
        sort_eigenvalues: accepted for compatibility with JAX; they always ascend.

    Returns:
        ``(v, w)``: eigenvectors in columns, and eigenvalues (in this order, as in JAX).

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.eigh(fnp.array([[3.0, 0.0], [0.0, 2.0]]))[1]
        Array([2., 3.])
    """
    del sort_eigenvalues
    w, v = spectral.eigh(_symmetrised(x) if symmetrize_input else x, lower)
    return v, w


def lu(x: Any) -> tuple[Any, Any, Any]:
    """LU factors with partial pivoting, ``x[..., perm, :] = L U``.

    Returns:
        ``(lu, pivots, perm)``: U and below it L, whose diagonal is 1; the row that each row was
        exchanged with, in turn; the permutation that results.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> factors, pivots, perm = lax.linalg.lu(fnp.array([[1.0, 2.0], [4.0, 4.0]]))
        >>> factors.tolist(), perm.tolist()
        ([[4.0, 4.0], [0.25, 1.0]], [1, 0])
    """
    return ops.lu(x)


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The permutation that exchanging row i with row ``pivots[i]``, in turn, results in.

    Args:
        pivots: int[..., k].
        permutation_size: number of rows.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.lu_pivots_to_permutation(fnp.array([2, 2, 2]), 3)
        Array([2, 0, 1], dtype=int32)
    """
    aval = typeof(pivots)
    *lead, k = aval.shape
    if permutation_size < k:
        raise ShapeError(
            f"lax.linalg.lu_pivots_to_permutation: {k} pivots do not fit {permutation_size} rows"
            f"{where_am_i()}"
        )
    rows = iota(np.dtype(np.int32), (*lead, permutation_size), len(lead))
    last = len(lead)
    pivots = convert(pivots, np.dtype(np.int32))

    def exchange(perm: Value, xs: tuple[Value, Value]) -> tuple[Value, None]:
        i, j = xs
        i = broadcast_in_dim(i, typeof(rows).shape, ())
        j = broadcast_in_dim(j, typeof(rows).shape, range(last))
        at_i, at_j = (take_along_axis(perm, p, last) for p in (i, j))
        return select(eq(rows, i), at_j, select(eq(rows, j), at_i, perm)), None

    steps = iota(np.dtype(np.int32), (k,), 0)
    perm, _ = scan(exchange, rows, (steps, move_axis(pivots, last, 0)))
    return perm


def qr(x: Any, *, full_matrices: bool = True) -> tuple[Any, Any]:
    """Q with orthonormal columns and upper triangular R, ``x = Q R``.

    Args:
        x: [..., m, n].
        full_matrices: complete Q to a square.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> q, r = lax.linalg.qr(fnp.ones((4, 2)), full_matrices=False)
        >>> q.shape, r.shape
        ((4, 2), (2, 2))
    """
    return ops.qr(x, full_matrices)


def svd(x: Any, *, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values and vectors, ``x = u diag(s) vh``.

    Args:
        x: [..., m, n].
        full_matrices: complete u and vh to squares.
        compute_uv: whether to return vectors.

    Returns:
        ``(u, s, vh)``, or s alone; s descends.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.svd(fnp.array([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False)
        Array([4., 3.])
    """
    found = spectral.svd_p.bind(x, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if compute_uv else found[0]


def symmetric_product(
    a_matrix: Any,
    c_matrix: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
) -> Any:
    """``alpha a a^T + beta c``.

    Args:
        a_matrix: [..., n, k].
        c_matrix: [..., n, n], symmetric.
        alpha: a number.
        beta: a number.
        symmetrize_output: accepted for compatibility with JAX; both triangles are always valid.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.symmetric_product(fnp.ones((1, 3)), fnp.ones((1, 1)), beta=2.0)
        Array([[5.]])
    """
    del symmetrize_output
    product = matmul(a_matrix, matrix_transpose(a_matrix))
    return add(mul(product, alpha), mul(c_matrix, beta))


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Solve ``op(a) x = b`` (left) or ``x op(a) = b`` for triangular a.

    Args:
        a: [..., n, n]; the other triangle is not read.
        b: [..., n, k] (left) or [..., k, n]; or a vector [..., n], on either side.
        left_side: whether a stands on the left.
        lower: which triangle.
        transpose_a: op transposes.
        conjugate_a: op conjugates.
        unit_diagonal: take the diagonal to be 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> a = fnp.array([[2.0, 0.0], [1.0, 4.0]])
        >>> lax.linalg.triangular_solve(a, fnp.array([2.0, 9.0]), left_side=True, lower=True)
        Array([1., 2.])
    """
    vector = typeof(b).ndim == typeof(a).ndim - 1
    n = typeof(b).ndim
    axis = n if left_side else n - 1
    x = ops.triangular_solve(
        a, expand_dims(b, (axis,)) if vector else b, left_side=left_side, lower=lower,
        transpose_a=transpose_a, conjugate_a=conjugate_a, unit_diagonal=unit_diagonal,
    )  # fmt: skip
    return squeeze(x, (axis,)) if vector else x


def householder_product(a: Any, taus: Any) -> Any:
    """The product of Householder reflections ``1 - tau_i v_i v_i^H``, its first columns.

    Args:
        a: [..., m, n]; below the diagonal of column i stands v_i, whose component i is 1.
        taus: [..., k], k <= n.

    Returns:
        [..., m, n] with orthonormal columns if the reflections are those of a QR decomposition.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.linalg.householder_product(fnp.zeros((2, 1)), fnp.array([2.0]))
        Array([[-1.],
               [ 0.]])
    """
    aval, k = typeof(a), typeof(taus).shape[-1]
    *lead, m, n = aval.shape
    last = len(lead) + 1
    below = lower_triangle(slice_in_dim(a, 0, k, axis=last), -1)
    vs = add(
        below, broadcast_to(slice_in_dim(identity(m, aval.dtype), 0, k, axis=1), (*lead, m, k))
    )
    columns = slice_in_dim(identity(m, aval.dtype), 0, n, axis=1)

    def reflect(q: Value, xs: tuple[Value, Value]) -> tuple[Value, None]:
        v, tau = xs  # [..., m], [...]
        v = expand_dims(v, (len(lead) + 1,))
        along = matmul(adjoint(v), q)  # [..., 1, n]
        scale = broadcast_in_dim(tau, typeof(along).shape, range(len(lead)))
        return sub(q, matmul(v, mul(along, scale))), None

    start = broadcast_to(columns, (*lead, m, n))
    steps = (move_axis(vs, last, 0), move_axis(taus, len(lead), 0))
    return scan(reflect, start, steps, reverse=True)[0]


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any) -> Any:
    """Solve ``a x = b`` for tridiagonal a, by Thomas' algorithm (elimination without pivoting).

    Stable for diagonally dominant and for symmetric positive definite matrices.

    Args:
        dl: the diagonal below the main one, [..., n]; ``dl[..., 0]`` is not read.
        d: the main diagonal, [..., n].
        du: the diagonal above the main one, [..., n]; ``du[..., -1]`` is not read.
        b: right-hand sides, [..., n, k].

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> one = fnp.ones(3)
        >>> lax.linalg.tridiagonal_solve(-one, 2.0 * one, -one, fnp.ones((3, 1))).ravel()
        Array([1.5, 2. , 1.5])
    """
    avals = [typeof(x) for x in (dl, d, du, b)]
    shape = avals[1].shape
    if any(x.shape != shape for x in avals[:3]) or avals[3].shape[:-1] != shape or not shape:
        raise ShapeError(
            "lax.linalg.tridiagonal_solve: takes three diagonals [..., n] and b [..., n, k], got "
            f"{', '.join(map(str, avals))}{where_am_i()}"
        )
    axis = len(shape) - 1
    columns = avals[3].shape[-1]

    def wide(x: Value) -> Value:
        """One row, repeated for each column of b."""
        return broadcast_in_dim(x, (*shape[:-1], columns), range(axis))

    lower, main, upper = (move_axis(x, axis, 0) for x in (dl, d, du))
    zero = full(shape[:-1], 0, avals[1].dtype)

    def eliminate(carry: Any, row: Any) -> Any:
        ratio, right = carry  # of the row above: du / pivot and b / pivot
        low, middle, high, own = row
        pivot = sub(middle, mul(low, ratio))
        right = div(sub(own, mul(wide(low), right)), wide(pivot))
        ratio = div(high, pivot)
        return (ratio, right), (ratio, right)

    def substitute(below: Any, row: Any) -> Any:
        ratio, right = row
        x = sub(right, mul(wide(ratio), below))
        return x, x

    rows = (_without_first(lower), main, _without_last(upper), move_axis(b, axis, 0))
    nothing = full((*shape[:-1], columns), 0, avals[3].dtype)
    _, reduced = scan(eliminate, (zero, nothing), rows)
    _, x = scan(substitute, nothing, reduced, reverse=True)
    return move_axis(x, 0, axis)


def _without_first(x: Value) -> Value:
    """The first row replaced by zeros: it is not part of the matrix."""
    n = typeof(x).ndim
    rest = [0] * (n - 1)
    return pad(slice_in_dim(x, 1, typeof(x).shape[0]), 0, [1, *rest], [0, *rest])


def _without_last(x: Value) -> Value:
    """The last row replaced by zeros: it is not part of the matrix."""
    n = typeof(x).ndim
    rest = [0] * (n - 1)
    return pad(slice_in_dim(x, 0, typeof(x).shape[0] - 1), 0, [0, *rest], [1, *rest])


def __dir__() -> list[str]:
    return _public_names(globals())
