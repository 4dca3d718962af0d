"""Stacks of middle-sized matrices, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import fxla
import fxla.numpy as fnp
from fxla.ops.linalg import cholesky, lu
from tests.compile.routines.test_sorting import names

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [7, 8, 17, 33])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_factors_are_lapacks(n: int, dtype: str) -> None:
    a = RNG.normal(size=(2, 3, n, n)).astype(dtype)
    factors, pivots, perm = fxla.jit(lu)(a)
    assert "HostCall" not in names(lambda a: lu(a)[0], a)
    for at in np.ndindex(2, 3):
        want, swaps = scipy.linalg.lu_factor(a[at])
        np.testing.assert_array_equal(pivots[at], swaps)
        np.testing.assert_allclose(factors[at], want, atol=2e-4 if dtype == "f4" else 1e-11)
        lower, upper = np.tril(factors[at], -1) + np.eye(n), np.triu(factors[at])
        np.testing.assert_allclose(
            lower @ upper, a[at][perm[at]], atol=1e-4 if dtype == "f4" else 1e-12
        )


@pytest.mark.parametrize("n", [7, 16, 31])
def test_roots_are_numpys(n: int) -> None:
    a = RNG.normal(size=(5, n, n))
    a = a @ a.mT + np.eye(n)
    assert "HostCall" not in names(cholesky, a)
    np.testing.assert_allclose(fxla.jit(cholesky)(a), np.linalg.cholesky(a), atol=1e-12)


def test_one_matrix_that_is_not_positive_is_an_error() -> None:
    a = np.stack([np.eye(8)] * 5)
    a[3, 4, 4] = -1.0
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        fxla.jit(fnp.linalg.cholesky)(a)


def test_determinants_of_singular_and_regular_matrices() -> None:
    a = RNG.normal(size=(6, 9, 9))
    a[1], a[2, :, 3] = 0.0, 0.0
    got = fxla.jit(fnp.linalg.det)(a)
    np.testing.assert_allclose(got, np.linalg.det(a), rtol=1e-10)
    assert (got[1], got[2]) == (0.0, 0.0)
