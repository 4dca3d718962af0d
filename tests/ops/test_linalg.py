from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from fxla.core.trace import typeof
from fxla.errors import DtypeError, NotDifferentiableError
from fxla.ops.linalg import (
    cholesky,
    cholesky_p,
    linear_solve,
    linear_solve_p,
    lu,
    lu_p,
    qr_p,
    triangular_solve,
    triangular_solve_p,
)
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose, normal

DTYPES = ["float64", "complex128"]
STACKS = [(), (2,), (2, 3)]


def positive(lead: tuple[int, ...], n: int, dtype: str) -> Any:
    x = normal(np.random.default_rng(2), (*lead, n, n), dtype)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n)


def general(shape: tuple[int, ...], dtype: str, seed: int = 3) -> Any:
    return normal(np.random.default_rng(seed), shape, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", STACKS)
def test_cholesky(lead: tuple[int, ...], dtype: str) -> None:
    a = positive(lead, 4, dtype)
    np.testing.assert_array_equal(cholesky(a), np.linalg.cholesky(a))
    check_shapes(cholesky_p, a)
    check_jvp(cholesky_p, a)
    check_batch(cholesky_p, a)


def test_cholesky_of_an_indefinite_matrix_raises_as_numpy_does() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        cholesky(-np.eye(3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "left_side, lower, transpose_a, unit_diagonal", list(itertools.product([False, True], repeat=4))
)
def test_triangular_solve(
    left_side: bool, lower: bool, transpose_a: bool, unit_diagonal: bool, dtype: str
) -> None:
    for conjugate_a in (False, True) if dtype == "complex128" else (False,):
        params = {
            "left_side": left_side,
            "lower": lower,
            "transpose_a": transpose_a,
            "conjugate_a": conjugate_a,
            "unit_diagonal": unit_diagonal,
        }
        a = general((2, 4, 4), dtype) + 3 * np.eye(4)
        b = general((2, 4, 3) if left_side else (2, 3, 4), dtype, 4)
        used = np.tril(a) if lower else np.triu(a)
        if unit_diagonal:
            used = used * (1 - np.eye(4)) + np.eye(4)
        used = np.swapaxes(used, -1, -2) if transpose_a else used
        used = used.conj() if conjugate_a else used
        x = triangular_solve_p.impl(a, b, **params)[0]
        product = used @ x if left_side else x @ used
        np.testing.assert_allclose(product, b, rtol=1e-11, atol=1e-11)
        check_shapes(triangular_solve_p, a, b, **params)
        check_jvp(triangular_solve_p, a, b, **params)
        check_transpose(triangular_solve_p, a, b, linear=(1,), **params)
        check_batch(triangular_solve_p, a, b, **params)


def test_triangular_solve_of_a_singular_matrix_is_not_finite() -> None:
    x = triangular_solve(np.zeros((2, 2)), np.ones((2, 1)), left_side=True, lower=True)
    assert not np.isfinite(x).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", STACKS)
def test_linear_solve(lead: tuple[int, ...], dtype: str) -> None:
    a, b = general((*lead, 4, 4), dtype), general((*lead, 4, 3), dtype, 4)
    np.testing.assert_array_equal(linear_solve(a, b), np.linalg.solve(a, b))
    check_shapes(linear_solve_p, a, b)
    check_jvp(linear_solve_p, a, b, rtol=1e-5, atol=1e-6)
    check_transpose(linear_solve_p, a, b, linear=(1,))
    check_batch(linear_solve_p, a, b)


def test_linear_solve_of_a_singular_matrix_raises_as_numpy_does() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        linear_solve(np.zeros((2, 2)), np.ones((2, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (2, 3, 5), (2, 2, 1, 4), (4, 1)])
def test_lu(shape: tuple[int, ...], dtype: str) -> None:
    a = general(shape, dtype)
    factors, pivots, perm = lu(a)
    m, n = shape[-2:]
    k = min(m, n)
    L = np.tril(factors[..., :k], -1) + np.eye(m, k)
    U = np.triu(factors[..., :k, :])
    permuted = np.take_along_axis(a, np.asarray(perm)[..., None], -2)
    np.testing.assert_allclose(L @ U, permuted, rtol=1e-12, atol=1e-12)
    if len(shape) == 2:
        np.testing.assert_array_equal(
            pivots, scipy.linalg.lapack.get_lapack_funcs("getrf", (a,))(a)[1]
        )
    check_shapes(lu_p, a)
    check_jvp(lu_p, a, rtol=1e-5)
    check_batch(lu_p, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (2, 3, 5), (4, 1), (1, 4)])
@pytest.mark.parametrize("full", [False, True])
def test_qr(shape: tuple[int, ...], full: bool, dtype: str) -> None:
    a = general(shape, dtype)
    q, r = qr_p.impl(a, full_matrices=full)
    np.testing.assert_allclose(q @ r, a, rtol=1e-12, atol=1e-12)
    check_shapes(qr_p, a, full_matrices=full)
    check_batch(qr_p, a, full_matrices=full)
    if full and shape[-2] > shape[-1]:
        with pytest.raises(NotDifferentiableError, match="reduced"):
            qr_p.jvp((a,), (a,), full_matrices=full)
    else:
        check_jvp(qr_p, a, rtol=1e-5, full_matrices=full)


def test_an_empty_stack_and_empty_matrices() -> None:
    for p, shapes in (
        (lu_p, [(0, 3, 3), (2, 0, 0), (0, 3)]),
        (cholesky_p, [(0, 3, 3), (2, 0, 0)]),
    ):
        for shape in shapes:
            check_shapes(p, np.zeros(shape))
    check_shapes(linear_solve_p, np.zeros((0, 3, 3)), np.zeros((0, 3, 2)))


def test_single_precision_stays_single() -> None:
    a = positive((), 3, "float64").astype(np.float32)
    for p in (cholesky_p, lu_p):
        check_shapes(p, a)
    check_shapes(qr_p, a, full_matrices=False)
    x = triangular_solve(a, a, left_side=True, lower=True)
    assert x.dtype == np.float32


def test_what_is_not_a_matrix_is_named() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="square, got f64\\[2,3\\]"):
        cholesky_p.abstract_eval(typeof(np.ones((2, 3))))
    with pytest.raises(np.linalg.LinAlgError, match="got f64\\[3\\]"):
        lu_p.abstract_eval(typeof(np.ones(3)))
    with pytest.raises(DtypeError, match="f16"):
        lu_p.abstract_eval(typeof(np.ones((2, 2), np.float16)))
