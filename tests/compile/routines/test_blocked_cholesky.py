"""Cholesky's factor in blocks, against NumPy's, mpmath's, and by what is left of the matrix."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.ops.linalg import cholesky
from tests.compile.routines.test_sorting import names

RNG = np.random.default_rng(0)


def positive(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return x @ x.mT / shape[-1] + 0.1 * np.eye(shape[-1])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "shape", [(7, 7), (8, 8), (63, 63), (65, 65), (129, 129), (200, 200), (3, 70, 70), (2, 3, 9, 9)]
)
def test_the_factor_is_lapack_s(shape: tuple[int, ...], dtype: str) -> None:
    a = positive(*shape).astype(dtype)
    lower = np.tril(a) + np.triu(np.full_like(a, np.nan), 1)  # nobody reads the upper triangle
    got = fxla.jit(cholesky)(lower)
    assert "HostCall" not in names(cholesky, lower)
    assert got.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_array_equal(np.triu(got, 1), 0)
    wide = np.asarray(got, np.longdouble)
    left = np.abs(wide @ wide.mT - a).max()
    assert left < 8 * eps * np.abs(a).max()
    exact = np.linalg.cholesky(a.astype("f8"))
    np.testing.assert_allclose(got, exact, atol=200 * eps)


def test_digits_beside_mpmath() -> None:
    """A matrix of squared exponentials, which is nearly singular."""
    n = 40
    x = np.linspace(0, 1, n)
    a = np.exp(-0.5 * ((x[:, None] - x) / 0.3) ** 2) + 1e-8 * np.eye(n)
    got = np.asarray(fxla.jit(cholesky)(a))
    with mpmath.workdps(40):
        exact = mpmath.cholesky(mpmath.matrix(a.tolist()))
        error = max(abs(exact[i, j] - got[i, j]) for i in range(n) for j in range(n))
        numpys = np.linalg.cholesky(a)
        theirs = max(abs(exact[i, j] - numpys[i, j]) for i in range(n) for j in range(n))
    assert error < 4 * theirs


@pytest.mark.parametrize("at", [0, 70, 99])
@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan])
def test_a_matrix_that_is_not_positive_is_numpy_s_error(at: int, value: float) -> None:
    a = np.eye(100)
    a[at, at] = value
    with pytest.raises(np.linalg.LinAlgError, match="Matrix is not positive definite"):
        fxla.jit(fnp.linalg.cholesky)(a)


def test_producers_join_and_sizes_share_kernels() -> None:
    def covariance(x: np.ndarray) -> np.ndarray:
        return cholesky(fnp.exp(-((x[:, None] - x) ** 2)) + fnp.eye(len(x)))

    f = fxla.jit(covariance)
    for n in (65, 90, 130, 200, 260):
        x = RNG.standard_normal(n)
        want = np.linalg.cholesky(np.exp(-((x[:, None] - x) ** 2)) + np.eye(n))
        np.testing.assert_allclose(f(x), want, atol=1e-13)
    assert "computed in blocks, by tiles (260 x 260)" in str(f.inspect(x).plan)


def test_in_a_loop() -> None:
    a = positive(5, 80, 80)

    def step(total: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lower = cholesky(x)
        return total + lower, fnp.sum(lower)

    got, sums = fxla.jit(lambda a: fxla.lax.scan(step, fnp.zeros((80, 80)), a))(a)
    want = np.linalg.cholesky(a)
    np.testing.assert_allclose(got, want.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(sums, want.sum(axis=(1, 2)), rtol=1e-12)
