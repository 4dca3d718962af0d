"""Matrix factorisations with the names and results of `numpy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import _linalg as numpy_linalg

from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.dispatch import public
from fxla.numpy.matrix_operands import (
    matrices,
    rows_of,
)
from fxla.numpy.norms import singular_values
from fxla.ops import linalg as ops
from fxla.ops import spectral
from fxla.ops.arithmetic import abs_, mul, sign
from fxla.ops.casts import convert
from fxla.ops.index import take_along_axis
from fxla.ops.matrix import adjoint
from fxla.ops.shape import rev
from fxla.ops.sort import argsort
from fxla.ops.structure import (
    broadcast_in_dim,
)

__all__ = [
    "cholesky",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "qr",
    "svd",
    "svdvals",
]


@public(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Value:
    """The factor L of Hermitian positive definite matrices: ``a = L L^H``.

    Args:
        a: the matrices; only one triangle is read.
        upper: whether to read the upper triangle and return ``L^H``.

    Raises:
        LinAlgError: if `a` is not square, or, eagerly, if it is not positive definite.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.cholesky([[4.0, 2.0], [2.0, 5.0]])
        Array([[2., 0.],
               [1., 2.]])
    """
    x = matrices("np.linalg.cholesky", a)
    return adjoint(ops.cholesky(adjoint(x))) if upper else ops.cholesky(x)


@public(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal q and upper triangular r with ``a = q r``.

    Args:
        a: matrices of m rows and n columns.
        mode: ``"reduced"``: q has min(m, n) columns; ``"complete"``: m; ``"r"``: r only.

    Returns:
        A named tuple ``(Q, R)``, or r.

    Raises:
        ValueError: if the mode is unknown.

    Example:
        >>> import fxla.numpy as fnp
        >>> abs(fnp.linalg.qr([[3.0], [4.0]]).R)
        Array([[5.]])
    """
    if mode not in ("reduced", "complete", "r"):
        hint = " (not supported for traced arrays)" if mode == "raw" else ""
        raise ValueError(f"np.linalg.qr: Unrecognized mode '{mode}'{hint}{where_am_i()}")
    x = matrices("np.linalg.qr", a, square=False)
    q, r = ops.qr(x, full_matrices=mode == "complete")
    return r if mode == "r" else numpy_linalg.QRResult(q, r)


@public(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular value decomposition: ``a = u diag(s) vh``.

    Derivatives of the singular values always exist here; those of u and vh do not where singular
    values are equal, and are inf or NaN there.

    Args:
        a: matrices of m rows and n columns.
        full_matrices: whether u and vh are square; their derivative then exists for square `a`
            only.
        compute_uv: whether to return u and vh.
        hermitian: whether `a` is Hermitian, which is faster.

    Returns:
        A named tuple ``(U, S, Vh)``, or s.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False)
        Array([4., 3.])
    """
    x = matrices("np.linalg.svd", a, square=hermitian)
    if hermitian:
        return _hermitian_svd(x, compute_uv)
    if not compute_uv:
        return singular_values(x)
    return numpy_linalg.SVDResult(*spectral.svd(x, full_matrices))


def _hermitian_svd(x: Value, compute_uv: bool) -> Any:
    """From eigenvalues: their moduli in descending order, and their signs into vh."""
    w, v = spectral.eigh(x)
    last = typeof(w).ndim - 1
    size = abs_(w)
    order = rev(argsort(size, last), (last,))
    s = take_along_axis(size, order, last, unique_indices=True)
    if not compute_uv:
        return s
    columns = broadcast_in_dim(order, typeof(v).shape, (*range(last), last + 1))
    u = take_along_axis(v, columns, last + 1, unique_indices=True)
    signs = take_along_axis(sign(w), order, last, unique_indices=True)
    signs = convert(signs, typeof(u).dtype)
    vh = mul(adjoint(u), rows_of(signs, typeof(u).shape))
    return numpy_linalg.SVDResult(u, s, vh)


@public(np.linalg.svdvals)
def svdvals(x: Any, /) -> Value:
    """Singular values of matrices, in descending order.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.svdvals([[3.0, 0.0], [0.0, 4.0]])
        Array([4., 3.])
    """
    return singular_values(matrices("np.linalg.svdvals", x, square=False))


def _lower(call: str, UPLO: str) -> bool:
    triangle = UPLO.upper()
    if triangle not in ("L", "U"):
        raise ValueError(f"{call}: UPLO argument must be 'L' or 'U'")
    return triangle == "L"


@public(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues, ascending, and orthonormal eigenvectors of Hermitian matrices.

    Derivatives of the eigenvectors do not exist where eigenvalues are equal, and are inf or NaN.

    Args:
        a: matrices, of which one triangle is read.
        UPLO: which: ``"L"`` or ``"U"``.

    Returns:
        A named tuple ``(eigenvalues, eigenvectors)``; vectors are columns.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
        Array([1., 2.])
    """
    lower = _lower("np.linalg.eigh", UPLO)
    return numpy_linalg.EighResult(*spectral.eigh(matrices("np.linalg.eigh", a), lower))


@public(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Value:
    """Eigenvalues of Hermitian matrices, ascending; see `eigh`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.linalg.eigvalsh([[2.0, 0.0], [0.0, 1.0]])
        Array([1., 2.])
    """
    lower = _lower("np.linalg.eigvalsh", UPLO)
    a = matrices("np.linalg.eigvalsh", a)
    return spectral.eigh_p.bind1(a, lower_half=lower, compute_v=False)


@public(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors of square matrices.

    Traced results are complex even where NumPy returns real ones, because a dtype cannot depend on
    values.

    Returns:
        A named tuple ``(eigenvalues, eigenvectors)``; vectors are columns of norm 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort(fnp.linalg.eig([[2.0, 0.0], [0.0, 1.0]]).eigenvalues)
        Array([1., 2.])
    """
    return numpy_linalg.EigResult(*spectral.eig(matrices("np.linalg.eig", a)))


@public(np.linalg.eigvals)
def eigvals(a: Any) -> Value:
    """Eigenvalues of square matrices; traced ones are complex, see `eig`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort(fnp.linalg.eigvals([[2.0, 0.0], [0.0, 1.0]]))
        Array([1., 2.])
    """
    return spectral.eig_p.bind1(matrices("np.linalg.eigvals", a), compute_v=False)
