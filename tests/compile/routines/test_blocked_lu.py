"""LU factors in blocks: LAPACK's pivots, and what is left of the matrix in more digits."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import fxla
import fxla.numpy as fnp
from fxla.ops.linalg import lu
from tests.compile.routines.test_sorting import names

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "shape",
    [(7, 7), (9, 8), (64, 64), (65, 65), (100, 64), (129, 129), (200, 130), (400, 70), (3, 70, 70)],
)
def test_factors_are_lapack_s(shape: tuple[int, ...], dtype: str) -> None:
    a = RNG.standard_normal(shape).astype(dtype)
    factors, pivots, perm = (np.asarray(x) for x in fxla.jit(lu)(a))
    assert "HostCall" not in names(lambda a: lu(a)[0], a)
    assert (factors.dtype, pivots.dtype, perm.dtype) == (dtype, np.int32, np.int32)
    m, n = shape[-2:]
    for at in np.ndindex(shape[:-2]):
        want, swaps = scipy.linalg.lu_factor(a[at])
        np.testing.assert_array_equal(pivots[at], swaps)
        rows = np.arange(m)
        for i, j in enumerate(swaps):
            rows[[i, j]] = rows[[j, i]]
        np.testing.assert_array_equal(perm[at], rows)
        wide = factors[at].astype(np.longdouble)
        lower, upper = np.tril(wide, -1) + np.eye(m, n), np.triu(wide[:n])
        left = np.abs(lower @ upper - a[at][rows]) / (np.abs(lower) @ np.abs(upper))
        assert left.max() < 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(factors[at], want, atol=2e-2 if dtype == "f4" else 1e-10)


def test_ties_are_the_first_s_and_zeros_are_kept() -> None:
    a = np.ones((70, 70))
    a[:, 66] = 0.0
    factors, pivots, _ = fxla.jit(lu)(a)
    want, swaps = scipy.linalg.lapack.dgetrf(a)[:2]
    np.testing.assert_array_equal(factors, want)
    np.testing.assert_array_equal(pivots, swaps)


def test_sizes_share_kernels_and_wide_matrices_are_lapack_s() -> None:
    f = fxla.jit(fnp.linalg.det)
    for n in (65, 80, 100, 130, 190):
        a = RNG.standard_normal((n, n)) / np.sqrt(n)
        np.testing.assert_allclose(f(a), np.linalg.det(a), rtol=1e-10)
    wide = RNG.standard_normal((30, 90))
    assert "HostCall" in names(lambda a: lu(a)[0], wide)
    factors, pivots, _ = fxla.jit(lu)(wide)
    want, swaps = scipy.linalg.lapack.dgetrf(wide)[:2]
    np.testing.assert_allclose(factors, want, rtol=1e-9)
    np.testing.assert_array_equal(pivots, swaps)


def test_the_gradient_is_that_of_differences() -> None:
    a = RNG.standard_normal((66, 66)) / 8 + np.eye(66)
    got = fxla.jit(fxla.grad(lambda a: fnp.linalg.slogdet(a)[1]))(a)
    np.testing.assert_allclose(got, np.linalg.inv(a).T, atol=1e-9)
