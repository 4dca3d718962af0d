"""Triangular systems, factors of Cholesky and LU by address; by SciPy where there is none."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fxla.ops import lapack

DTYPES = ["float32", "float64", "complex64", "complex128"]


@pytest.fixture(params=["loaded", "scipy"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "scipy":
        monkeypatch.setattr(lapack, "_routine", lambda name, dtype: None)
    return str(request.param)


def drawn(dtype: str, *shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if "complex" in dtype else x).astype(dtype)


def tolerance(dtype: str) -> float:
    return 2e-4 if dtype in ("float32", "complex64") else 1e-11


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky_reads_the_lower_triangle(dtype: str, source: str) -> None:
    m = drawn(dtype, 7, 7)
    a = m @ m.conj().T + 7 * np.eye(7, dtype=dtype)
    given = np.where(np.tri(7, dtype=bool), a, np.nan).astype(dtype)
    before = given.copy()
    for laid in (given, np.asfortranarray(given)):
        factor = lapack.cholesky_factor(laid)
        assert factor.dtype == dtype and factor.flags.c_contiguous
        np.testing.assert_array_equal(factor, np.tril(factor))
        np.testing.assert_allclose(factor @ factor.conj().T, a, rtol=0, atol=tolerance(dtype) * 50)
    np.testing.assert_array_equal(given, before)


def test_a_matrix_that_has_no_factor(source: str) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        lapack.cholesky_factor(np.diag([1.0, -1.0, 1.0]))
    assert lapack.cholesky_factor(np.ones((0, 0))).shape == (0, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 6), (7, 4), (4, 7), (1, 1), (1, 3), (3, 1), (0, 2)])
def test_lu_with_exchanges(dtype: str, shape: tuple[int, int], source: str) -> None:
    a = drawn(dtype, *shape)
    m, k = shape[0], min(shape)
    kept = a.copy()
    for laid in (a, np.asfortranarray(a)):
        factors, swaps = lapack.lu_factor(laid)
        assert factors.dtype == dtype and factors.flags.c_contiguous
        assert swaps.dtype == np.int32 and swaps.shape == (k,)
        rows = np.arange(m)
        for i, j in enumerate(swaps):
            assert i <= j < m
            rows[[i, j]] = rows[[j, i]]
        lower = np.tril(factors[:, :k], -1) + np.eye(m, k, dtype=dtype)
        assert np.abs(lower).max(initial=0) <= 1 + 1e-6 or "complex" in dtype
        upper = np.triu(factors[:k])
        np.testing.assert_allclose(lower @ upper, a[rows], rtol=0, atol=tolerance(dtype))
    np.testing.assert_array_equal(a, kept)


def test_pivots_of_a_library_of_32_bit_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = lapack._routine

    def narrow(name: str, dtype: np.dtype[Any]) -> Any:
        routine = loaded(name, dtype)
        if routine is None:
            pytest.skip("NumPy's library has no such routine")

        def call(*args: Any) -> None:
            routine(*args)
            swaps = np.ctypeslib.as_array((ctypes.c_int64 * 3).from_address(args[4]))
            narrowed = swaps.astype(np.int32)
            swaps[:] = 0
            swaps.view(np.int32)[:3] = narrowed

        return call

    a = drawn("float64", 3, 3)
    want = lapack.lu_factor(a)[1]
    monkeypatch.setattr(lapack, "_routine", narrow)
    np.testing.assert_array_equal(lapack.lu_factor(a)[1], want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left_side", [True, False])
def test_every_triangular_system(dtype: str, left_side: bool, source: str) -> None:
    a = drawn(dtype, 5, 5) + 4 * np.eye(5, dtype=dtype)
    b = drawn(dtype, 5, 3, seed=1) if left_side else drawn(dtype, 3, 5, seed=1)
    kept = a.copy(), b.copy()
    for lower, transpose, conjugate, unit in itertools.product([False, True], repeat=4):
        x = lapack.solve_triangle(
            a, b, left_side=left_side, lower=lower, transpose_a=transpose, conjugate_a=conjugate,
            unit_diagonal=unit,
        )  # fmt: skip
        t = np.tril(a) if lower else np.triu(a)
        if unit:
            t = t - np.diag(np.diag(t)) + np.eye(5, dtype=dtype)
        t = t.T if transpose else t
        t = t.conj() if conjugate else t
        assert x.dtype == dtype
        found = t @ x if left_side else x @ t
        np.testing.assert_allclose(found, b, rtol=0, atol=tolerance(dtype) * 100)
    np.testing.assert_array_equal(a, kept[0])
    np.testing.assert_array_equal(b, kept[1])


def test_a_zero_on_the_diagonal_gives_infinity(source: str) -> None:
    ways = dict.fromkeys(("transpose_a", "conjugate_a", "unit_diagonal"), False)
    x = lapack.solve_triangle(np.zeros((1, 1)), np.ones((1, 2)), left_side=True, lower=True, **ways)
    assert np.isinf(x).all()


def test_scipy_is_not_imported() -> None:
    """Where NumPy's library has the routines, as its wheels do."""
    if lapack._routine("potrf", np.dtype(float)) is None:
        pytest.skip("NumPy's library cannot be called")
    program = (
        "import sys, numpy as np, fxla, fxla.lax\n"
        "f = lambda a, b: fxla.lax.linalg.triangular_solve(fxla.numpy.linalg.cholesky(a), b,"
        " left_side=True, lower=True)\n"
        "a = np.eye(40) * 4\n"
        "np.testing.assert_allclose(fxla.jit(f)(a, np.ones((40, 1))), 0.5)\n"
        "assert 'scipy.linalg' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
