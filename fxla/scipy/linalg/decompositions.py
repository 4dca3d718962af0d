"""QR, singular values and eigenvalues with SciPy's conventions."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import where_am_i
from fxla.numpy.matrix_operands import floating, matrices
from fxla.scipy.linalg.systems import adjoint, identity_like, solve_triangular

__all__ = [
    "eig",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvalsh",
    "qr",
    "qr_multiply",
    "svd",
    "svdvals",
]


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """Orthonormal q and upper triangular r with ``a = q r``. See `scipy.linalg.qr`.

    Args:
        a: matrices.
        overwrite_a: has no effect.
        lwork: has no effect.
        mode: ``"full"``, ``"economic"``, or ``"r"``, which gives ``(r,)``.
        pivoting: must be false.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> abs(linalg.qr([[3.0], [4.0]], mode="economic")[1])
        Array([[5.]])
    """
    del overwrite_a, lwork, check_finite
    if pivoting:
        raise NotImplementedError(f"linalg.qr: pivoting=True{where_am_i()}")
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"linalg.qr: unknown mode {mode!r}{where_am_i()}")
    q, r = lax.linalg.qr(matrices("linalg.qr", a, False), full_matrices=mode != "economic")
    return (r,) if mode == "r" else (q, r)


def qr_multiply(
    a: Any, c: Any, mode: str = "right", pivoting: bool = False, conjugate: bool = False
) -> tuple[Any, Any]:
    """``q c`` or ``c q``, and r, of ``a = q r``. See `scipy.linalg.qr_multiply`.

    Args:
        a: a matrix.
        c: a matrix or a vector.
        mode: ``"right"``: ``c q``; ``"left"``: ``q c``.
        pivoting: must be false.
        conjugate: use the conjugate of q.

    Example:
        >>> from fxla.scipy import linalg
        >>> abs(linalg.qr_multiply([[3.0], [4.0]], [3.0, 4.0])[0])
        Array([5.])
    """
    call = "linalg.qr_multiply"
    if mode not in ("left", "right"):
        raise ValueError(f"{call}: Mode argument should be one of ['left', 'right']{where_am_i()}")
    x, y = floating(call, a, c)
    q, r = qr(x, mode="economic", pivoting=pivoting)
    q = fnp.conj(q) if conjugate else q
    return (q @ y if mode == "left" else y @ q), r


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Singular value decomposition ``a = u diag(s) vh``. See `scipy.linalg.svd`.

    Args:
        a: matrices.
        full_matrices: whether u and vh are square.
        compute_uv: whether to return u and vh too.
        overwrite_a: has no effect.
        check_finite: has no effect.
        lapack_driver: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.svd([[3.0, 0.0], [0.0, 2.0]], compute_uv=False)
        Array([3., 2.])
    """
    del overwrite_a, check_finite, lapack_driver
    found = fnp.linalg.svd(a, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if compute_uv else found


def svdvals(a: Any) -> Any:
    """Singular values. See `scipy.linalg.svdvals`.

    Args:
        a: matrices.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.svdvals([[3.0, 0.0], [0.0, 2.0]])
        Array([3., 2.])
    """
    return svd(a, compute_uv=False)


def eigh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    type: int = 1,
) -> Any:
    """Eigenvalues and vectors of Hermitian matrices, also generalised. See `scipy.linalg.eigh`.

    Args:
        a: Hermitian matrices; one triangle is read.
        b: Hermitian positive definite matrices.
        lower: which triangle.
        eigvals_only: return the eigenvalues alone.
        type: 1: ``a v = w b v``; 2: ``a b v = w v``; 3: ``b a v = w v``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.eigh([[2.0, 0.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 2.0]], eigvals_only=True)
        Array([1.5, 2. ])
    """
    if type not in (1, 2, 3):
        raise ValueError(f"linalg.eigh: type must be 1, 2 or 3, got {type}{where_am_i()}")
    uplo = "L" if lower else "U"
    if b is None:
        w, v = fnp.linalg.eigh(a, uplo)
        return w if eigvals_only else (w, v)
    x, y = floating("linalg.eigh", a, b)
    half = fnp.tril(x, -1) if lower else fnp.triu(x, 1)
    x = half + adjoint(half) + fnp.real(x) * identity_like(x)
    factor = fnp.linalg.cholesky(y, upper=not lower)
    factor = factor if lower else adjoint(factor)  # y = factor factor^H
    if type == 1:
        inner = solve_triangular(factor, x, lower=True)
        inner = adjoint(solve_triangular(factor, adjoint(inner), lower=True))
    else:
        inner = adjoint(factor) @ x @ factor
    w, v = fnp.linalg.eigh((inner + adjoint(inner)) * 0.5)
    if eigvals_only:
        return w
    if type == 3:
        return w, factor @ v
    return w, solve_triangular(factor, v, 2, lower=True)


def eigvalsh(a: Any, b: Any = None, lower: bool = True, type: int = 1) -> Any:
    """Eigenvalues of Hermitian matrices. See `scipy.linalg.eigvalsh`.

    Args:
        a: Hermitian matrices; one triangle is read.
        b: Hermitian positive definite matrices.
        lower: which triangle.
        type: of the generalised problem, see `eigh`.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.eigvalsh([[2.0, 0.0], [0.0, 3.0]])
        Array([2., 3.])
    """
    return eigh(a, b, lower, True, type)


def eig(a: Any) -> tuple[Any, Any]:
    """Eigenvalues and vectors of square matrices, always complex. See `scipy.linalg.eig`.

    Args:
        a: the matrices.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.eig([[2.0, 0.0], [0.0, 3.0]])[0]
        Array([2.+0.j, 3.+0.j])
    """
    w, v = lax.linalg.eig(matrices("linalg.eig", a), compute_left_eigenvectors=False)
    return w, v


def eigvals(a: Any) -> Any:
    """Eigenvalues of square matrices, always complex. See `scipy.linalg.eigvals`.

    Args:
        a: the matrices.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.eigvals([[2.0, 0.0], [0.0, 3.0]])
        Array([2.+0.j, 3.+0.j])
    """
    return eig(a)[0]


def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: tuple[float, float] | None = None,
) -> Any:
    """Eigenvalues and vectors of real symmetric tridiagonal matrices.

    The matrix is made dense. See `scipy.linalg.eigh_tridiagonal`.

    Args:
        d: the diagonal.
        e: the diagonal beside it.
        eigvals_only: return the eigenvalues alone.
        select: ``"a"`` for all, ``"i"`` for those with indices in a range.
        select_range: the range, both ends included.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.eigh_tridiagonal([2.0, 2.0], [1.0], eigvals_only=True).round(6)
        array([1., 3.])
    """
    call = "linalg.eigh_tridiagonal"
    main, side = floating(call, d, e)
    w, v = fnp.linalg.eigh(fnp.diag(main) + fnp.diag(side, 1) + fnp.diag(side, -1))
    if select == "i" and select_range is not None:
        low, high = (int(k) for k in select_range)
        w, v = w[low : high + 1], v[:, low : high + 1]
    elif select != "a":
        raise NotImplementedError(f"{call}: select={select!r}{where_am_i()}")
    return w if eigvals_only else (w, v)
