"""Factorisations with SciPy's conventions, and what solves systems by them."""

from __future__ import annotations

from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.matrix_operands import check_matrices, check_system, floating, matrices

__all__ = [
    "adjoint",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "det",
    "identity_like",
    "inv",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "pinv",
    "solve",
    "solve_triangular",
]


def adjoint(x: Value) -> Any:
    """The conjugate transpose of matrices."""
    x = fnp.matrix_transpose(x)
    return fnp.conj(x) if is_complex(typeof(x).dtype) else x


def identity_like(x: Value) -> Any:
    """The identity of the size and dtype of square matrices."""
    return fnp.eye(typeof(x).shape[-1], dtype=typeof(x).dtype)


def _columns(call: str, a: Value, b: Value) -> tuple[Value, bool]:
    """Right-hand sides as columns, and whether there was one without an axis for it."""
    vector = typeof(b).ndim == 1
    check_system(call, a, b)
    if vector:
        b = b[:, None]
    lead = fnp.broadcast_shapes(typeof(a).shape[:-2], typeof(b).shape[:-2])
    return fnp.broadcast_to(b, (*lead, *typeof(b).shape[-2:])), vector


def _stacked(a: Value, b: Value) -> Any:
    """`a` with the leading axes of `b`."""
    return fnp.broadcast_to(a, (*typeof(b).shape[:-2], *typeof(a).shape[-2:]))


# --- Cholesky -------------------------------------------------------------------------------


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """The triangular factor of Hermitian positive definite matrices. See `scipy.linalg.cholesky`.

    Args:
        a: the matrices; one triangle is read.
        lower: whether to return L with ``a = L L^H``; else U with ``a = U^H U``.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import linalg
        >>> linalg.cholesky(fnp.array([[4.0, 2.0], [2.0, 5.0]]))
        Array([[2., 1.],
               [0., 2.]])
    """
    del overwrite_a, check_finite
    return fnp.linalg.cholesky(matrices("linalg.cholesky", a), upper=not lower)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """The factor that `cho_solve` takes. See `scipy.linalg.cho_factor`.

    Args:
        a: Hermitian positive definite matrices.
        lower: which factor.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import linalg
        >>> linalg.cho_solve(linalg.cho_factor(fnp.array([[4.0, 0.0], [0.0, 2.0]])), [4.0, 4.0])
        Array([1., 2.])
    """
    return cholesky(a, lower, overwrite_a, check_finite), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """The solution x of ``a x = b`` from the factor of a. See `scipy.linalg.cho_solve`.

    Args:
        c_and_lower: what `cho_factor` gives.
        b: a vector, or right-hand sides in columns.
        overwrite_b: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.cho_solve(([[2.0]], True), [8.0])
        Array([2.])
    """
    del overwrite_b, check_finite
    call = "linalg.cho_solve"
    factor, lower = c_and_lower
    c, y = floating(call, factor, b)
    check_matrices(call, c)
    y, vector = _columns(call, c, y)
    c = _stacked(c, y)
    y = lax.linalg.triangular_solve(c, y, left_side=True, lower=lower, transpose_a=not lower,
                                    conjugate_a=not lower)  # fmt: skip
    x = lax.linalg.triangular_solve(c, y, left_side=True, lower=lower, transpose_a=lower,
                                    conjugate_a=lower)  # fmt: skip
    return x[..., 0] if vector else x


# --- LU -------------------------------------------------------------------------------------


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """LU factors in one array, and pivots. See `scipy.linalg.lu_factor`.

    Args:
        a: matrices.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.lu_factor([[0.0, 2.0], [1.0, 1.0]])[1]
        Array([1, 1], dtype=int32)
    """
    del overwrite_a, check_finite
    factors, pivots, _ = lax.linalg.lu(matrices("linalg.lu_factor", a, False))
    return factors, pivots


def lu_solve(
    lu_and_piv: tuple[Any, Any],
    b: Any,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution x of ``a x = b`` from the factors of a. See `scipy.linalg.lu_solve`.

    Args:
        lu_and_piv: what `lu_factor` gives.
        b: a vector, or right-hand sides in columns.
        trans: 1 to solve with the transpose of a, 2 with its adjoint.
        overwrite_b: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.lu_solve(linalg.lu_factor([[0.0, 2.0], [1.0, 1.0]]), [4.0, 3.0])
        Array([1., 2.])
    """
    del overwrite_b, check_finite
    call = "linalg.lu_solve"
    factors, pivots = lu_and_piv
    c, y = floating(call, factors, b)
    check_matrices(call, c)
    y, vector = _columns(call, c, y)
    n = typeof(c).shape[-1]
    perm = lax.linalg.lu_pivots_to_permutation(fnp.asarray(pivots), n)
    perm = fnp.broadcast_to(perm, (*typeof(y).shape[:-2], n))
    c = _stacked(c, y)
    solve_ = lax.linalg.triangular_solve
    if trans == 0:
        y = fnp.take_along_axis(y, perm[..., None], axis=-2)
        y = solve_(c, y, left_side=True, lower=True, unit_diagonal=True)
        x = solve_(c, y, left_side=True, lower=False)
    elif trans in (1, 2):
        how = {"transpose_a": True, "conjugate_a": trans == 2, "left_side": True}
        y = solve_(c, y, lower=False, **how)
        y = solve_(c, y, lower=True, unit_diagonal=True, **how)
        x = fnp.take_along_axis(y, fnp.argsort(perm, axis=-1)[..., None], axis=-2)
    else:
        raise ValueError(f"{call}: trans must be 0, 1 or 2, got {trans}{where_am_i()}")
    return x[..., 0] if vector else x


def lu(
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> Any:
    """Factors of ``a = P L U``. See `scipy.linalg.lu`.

    Args:
        a: matrices.
        permute_l: return ``P L`` and U.
        overwrite_a: has no effect.
        check_finite: has no effect.
        p_indices: return P as row indices: ``a = L[p] U``.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.lu([[0.0, 2.0], [1.0, 1.0]])[2]
        Array([[1., 1.],
               [0., 2.]])
    """
    del overwrite_a, check_finite
    x = matrices("linalg.lu", a, False)
    factors, _, perm = lax.linalg.lu(x)
    m, n = typeof(x).shape[-2:]
    k = min(m, n)
    lower = fnp.tril(factors[..., :, :k], -1) + fnp.eye(m, k, dtype=typeof(x).dtype)
    upper = fnp.triu(factors[..., :k, :])
    places = fnp.argsort(perm, axis=-1).astype("int32")
    if permute_l:
        return fnp.take_along_axis(lower, places[..., None], axis=-2), upper
    if p_indices:
        return places, lower, upper
    real = fnp.real(x).dtype
    return fnp.equal(places[..., None], fnp.arange(m)).astype(real), lower, upper


# --- systems --------------------------------------------------------------------------------


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """The solution x of ``a x = b`` for triangular a. See `scipy.linalg.solve_triangular`.

    Args:
        a: triangular matrices; the other triangle is not read.
        b: a vector, or right-hand sides in columns.
        trans: 0 or "N", 1 or "T" for the transpose of a, 2 or "C" for its adjoint.
        lower: whether a is lower triangular.
        unit_diagonal: whether the diagonal is 1, whatever stands there.
        overwrite_b: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0], lower=True)
        Array([1., 2.])
    """
    del overwrite_b, check_finite
    call = "linalg.solve_triangular"
    kind = {"N": 0, "T": 1, "C": 2}.get(trans, trans) if isinstance(trans, str) else trans
    if kind not in (0, 1, 2):
        raise ValueError(f"{call}: trans must be 0, 1 or 2, got {trans!r}{where_am_i()}")
    x, y = floating(call, a, b)
    check_matrices(call, x)
    y, vector = _columns(call, x, y)
    out = lax.linalg.triangular_solve(
        _stacked(x, y), y, left_side=True, lower=lower, transpose_a=kind > 0,
        conjugate_a=kind == 2, unit_diagonal=unit_diagonal,
    )  # fmt: skip
    return out[..., 0] if vector else out


_KINDS = {
    None: "gen", "gen": "gen", "general": "gen", "sym": "sym", "symmetric": "sym", "her": "her",
    "hermitian": "her", "pos": "pos", "positive definite": "pos", "diagonal": "diagonal",
    "upper triangular": "upper", "lower triangular": "lower", "banded": "gen",
    "tridiagonal": "gen",
}  # fmt: skip


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """The solution x of ``a x = b``. See `scipy.linalg.solve`.

    Args:
        a: square matrices.
        b: a vector, or right-hand sides in columns.
        lower: which triangle is read, if `assume_a` is one of the symmetric kinds.
        overwrite_a: has no effect.
        overwrite_b: has no effect.
        check_finite: has no effect.
        assume_a: ``"gen"``, ``"sym"``, ``"her"``, ``"pos"`` (solved by Cholesky factors),
            ``"diagonal"``, ``"upper triangular"``, ``"lower triangular"``, and SciPy's long names.
        transposed: whether to solve with the transpose of a.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.solve([[4.0, 2.0], [2.0, 5.0]], [8.0, 12.0], assume_a="pos")
        Array([1., 2.])
    """
    del overwrite_a, overwrite_b, check_finite
    call = "linalg.solve"
    if assume_a not in _KINDS:
        raise ValueError(f"{call}: {assume_a} is not a recognized matrix structure{where_am_i()}")
    kind = _KINDS[assume_a]
    x, y = floating(call, a, b)
    check_matrices(call, x)
    if kind in ("upper", "lower"):
        return solve_triangular(x, y, 1 if transposed else 0, lower=kind == "lower")
    if kind == "diagonal":
        y, vector = _columns(call, x, y)
        out = y / fnp.diagonal(x, axis1=-2, axis2=-1)[..., None]
        return out[..., 0] if vector else out
    if kind != "gen":
        half = fnp.tril(x, -1) if lower else fnp.triu(x, 1)
        other = fnp.matrix_transpose(half) if kind == "sym" else adjoint(half)
        x = half + other + x * identity_like(x)
    if transposed:
        x = fnp.matrix_transpose(x)
    if kind == "pos":
        return cho_solve((cholesky(x, lower=True), True), y)
    y, vector = _columns(call, x, y)
    out = fnp.linalg.solve(x, y)
    return out[..., 0] if vector else out


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Inverses of square matrices. See `scipy.linalg.inv`.

    Args:
        a: the matrices.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.inv([[2.0, 0.0], [0.0, 4.0]])
        Array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    del overwrite_a, check_finite
    return fnp.linalg.inv(a)


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Determinants of square matrices. See `scipy.linalg.det`.

    Args:
        a: the matrices.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.det([[2.0, 0.0], [0.0, 4.0]])
        Array(8.)
    """
    del overwrite_a, check_finite
    return fnp.linalg.det(a)


def lstsq(a: Any, b: Any, cond: Any = None) -> Any:
    """Least squares. See `scipy.linalg.lstsq`.

    Args:
        a: a matrix.
        b: a vector, or right-hand sides in columns.
        cond: singular values below this share of the largest count as zero.

    Returns:
        Solution, residuals, rank and singular values.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.lstsq([[1.0], [1.0]], [1.0, 3.0])[0].round(6)
        array([2.])
    """
    return tuple(fnp.linalg.lstsq(a, b, rcond=cond))


def pinv(a: Any, *, rtol: Any = None, check_finite: bool = True) -> Any:
    """Pseudo-inverses. See `scipy.linalg.pinv`.

    Args:
        a: matrices.
        rtol: singular values below this share of the largest count as zero.
        check_finite: has no effect.

    Example:
        >>> from fxla.scipy import linalg
        >>> linalg.pinv([[2.0], [0.0]])
        Array([[0.5, 0. ]])
    """
    del check_finite
    m, n = typeof(matrices("linalg.pinv", a, False)).shape[-2:]
    dtype = typeof(matrices("linalg.pinv", a, False)).dtype
    rcond = max(m, n) * float(fnp.finfo(dtype).eps) if rtol is None else rtol
    return fnp.linalg.pinv(a, rcond)


# --- orthogonal factors and spectra ---------------------------------------------------------
