"""Eager calls with 16-bit floats: of the dtype that compiled ones have, with NumPy's values.

NumPy refuses some functions of bfloat16, which is not its own, and gives float64 for others; of
float16 it has no linear algebra.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

BFLOAT16, FLOAT16 = np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16)
RNG = np.random.default_rng(0)
VECTOR = RNG.uniform(0.25, 0.9, 6)
RISING = np.cumsum(RNG.uniform(0.2, 0.5, 6))
MATRIX = np.diag(RNG.uniform(1, 2, 4)) + RNG.uniform(0, 0.3, (4, 4))

Function = Callable[..., Any]
CASES: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "einsum of two": (lambda n, x, y: n.einsum("ij,jk->ik", x, y), (MATRIX, MATRIX)),
    "einsum of one": (lambda n, x: n.einsum("ij->j", x), (MATRIX,)),
    "einsum of three": (lambda n, x: n.einsum("ij,jk,kl", x, x, x, optimize=True), (MATRIX,)),
    "clip": (lambda n, x: n.clip(x, 0.5, 0.75), (VECTOR,)),
    "gradient": (lambda n, x: n.gradient(x), (VECTOR,)),
    "gradient, spaced": (lambda n, x, y: n.gradient(x, y), (VECTOR, RISING)),
    "i0": (lambda n, x: n.i0(x), (VECTOR,)),
    "unwrap": (lambda n, x: n.unwrap(x), (RISING,)),
    "median": (lambda n, x: n.median(x), (VECTOR,)),
    "nanmedian": (lambda n, x: n.nanmedian(x, axis=0), (MATRIX,)),
    "linspace": (lambda n, x, y: n.linspace(x, y, 5), (VECTOR, RISING)),
    "norm": (lambda n, x: n.linalg.norm(x), (MATRIX,)),
    "norm, rows": (lambda n, x: n.linalg.norm(x, 1, axis=1), (MATRIX,)),
    "norm, singular": (lambda n, x: n.linalg.norm(x, 2), (MATRIX,)),
    "matrix_norm": (lambda n, x: n.linalg.matrix_norm(x), (MATRIX,)),
    "vector_norm": (lambda n, x: n.linalg.vector_norm(x, ord=3), (VECTOR,)),
    "linalg.matmul": (lambda n, x: n.linalg.matmul(x, x), (MATRIX,)),
    "linalg.vecdot": (lambda n, x: n.linalg.vecdot(x, x), (MATRIX,)),
    "matrix_power": (lambda n, x: n.linalg.matrix_power(x, 3), (MATRIX,)),
    "dot": (lambda n, x: n.dot(x, x), (MATRIX,)),
    "tensordot": (lambda n, x: n.tensordot(x, x, 1), (MATRIX,)),
    "irfft": (lambda n, x: n.fft.irfft(x), (VECTOR,)),
    "hfft": (lambda n, x: n.fft.hfft(x), (VECTOR,)),
    "edges of histogram2d": (lambda n, x: n.histogram2d(x, x, 4)[1], (VECTOR,)),
    "edges of histogramdd": (lambda n, x: n.histogramdd(x, 4)[1][0], (MATRIX[:, :2],)),
    "polydiv": (lambda n, x, y: n.polydiv(x, y[:2])[0], (VECTOR, RISING)),
}
"""Functions of a namespace and operands, whose results are of the operands' dtype."""
OTHERS: dict[str, tuple[Function, tuple[Any, ...], Any, Any]] = {
    "fft": (lambda n, x: n.fft.fft(x), (VECTOR,), np.complex64, np.complex64),
    "irfft2": (lambda n, x: n.fft.irfft2(x), (MATRIX,), np.float32, np.float32),
    "irfftn": (lambda n, x: n.fft.irfftn(x), (MATRIX,), np.float32, np.float32),
    "quantile": (lambda n, x: n.quantile(x, 0.3), (VECTOR,), np.float32, FLOAT16),
    "percentile": (lambda n, x: n.percentile(x, 30), (VECTOR,), np.float32, FLOAT16),
    "nanquantile": (lambda n, x: n.nanquantile(x, 0.3), (VECTOR,), np.float32, FLOAT16),
    "quantiles of rows": (lambda n, x: n.quantile(x, 0.3, axis=1), (MATRIX,), np.float32, FLOAT16),
    "nanquantiles of rows": (
        lambda n, x: n.nanquantile(x, 0.3, axis=1),
        (MATRIX,),
        np.float32,
        FLOAT16,
    ),
    "geomspace": (lambda n, x, y: n.geomspace(x, y, 5), (VECTOR, RISING), np.float64, np.float64),
    "poly": (lambda n, x: n.poly(x), (VECTOR,), np.float64, np.float64),
}
"""Likewise, with the dtypes of results for bfloat16 and float16, which are NumPy's."""


def check(f: Function, operands: tuple[Any, ...], dtype: Any, wanted: Any) -> None:
    """Eager and compiled results have a dtype, and NumPy's values for the same numbers."""
    given = [x.astype(dtype) for x in operands]
    want = f(np, *(x.astype(np.float64) for x in given))
    eager = f(fnp, *given)
    compiled = fxla.jit(lambda *xs: f(fnp, *xs))(*given)
    near = 0.04 if dtype == BFLOAT16 else 0.005
    for got in (eager, compiled):
        assert isinstance(got, fxla.Array)
        assert got.dtype == wanted
        wide = got.astype(np.complex128 if got.dtype.kind == "c" else np.float64)
        np.testing.assert_allclose(wide, want, near, near)


@pytest.mark.parametrize("dtype", [BFLOAT16, FLOAT16], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_results_are_of_the_dtype_of_operands(name: str, dtype: Any) -> None:
    f, operands = CASES[name]
    check(f, operands, dtype, dtype)


@pytest.mark.parametrize("dtype", [BFLOAT16, FLOAT16], ids=str)
@pytest.mark.parametrize("name", OTHERS)
def test_results_of_another_dtype(name: str, dtype: Any) -> None:
    f, operands, *wanted = OTHERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's of its fft without axes
        check(f, operands, dtype, wanted[dtype == FLOAT16])


@pytest.mark.parametrize("name", ["geomspace", "poly", "quantile", "irfft2"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_numpys_own_floats_give_numpys_dtypes(name: str, dtype: Any) -> None:
    f, operands, *_ = OTHERS[name]
    given = [x.astype(dtype) for x in operands]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        want = f(np, *given).dtype
    assert fxla.jit(lambda *xs: f(fnp, *xs))(*given).dtype == want


def test_out_is_written() -> None:
    x = MATRIX.astype(BFLOAT16)
    out = np.zeros((4, 4), BFLOAT16)
    assert fnp.einsum("ij,jk->ik", x, x, out=out) is out
    np.testing.assert_allclose(out.astype("f4"), MATRIX @ MATRIX, 0.04)


@pytest.mark.parametrize("dtype", [BFLOAT16, FLOAT16, np.dtype(np.float32)], ids=str)
def test_what_numpy_refuses_for_another_reason_is_its_error(dtype: Any) -> None:
    x = VECTOR.astype(dtype)
    for wrong in (lambda n: n.sort(x, nothing=3), lambda n: n.sum(x, dtype="nothing")):
        with pytest.raises(TypeError) as numpys:
            wrong(np)
        with pytest.raises(TypeError) as ours:
            wrong(fnp)
        assert str(ours.value) == str(numpys.value)
    with pytest.raises(TypeError, match=r"spacings|arguments"):
        fnp.gradient(x, x, x)


def test_what_neither_has_is_named() -> None:
    with pytest.raises(TypeError, match=r"np\.linalg\.inv: array type float16 is unsupported"):
        fnp.linalg.inv(MATRIX.astype(FLOAT16))


@pytest.mark.parametrize("other", [np.int8, np.bool_, np.int32, np.int64, np.float16, np.float32])
@pytest.mark.parametrize(
    "name", ["matmul", "vecdot", "dot", "inner", "vdot", "outer", "tensordot", "kron"]
)
def test_products_with_bfloat16_are_in_the_dtype_that_numpy_multiplies_in(
    name: str, other: Any
) -> None:
    def product(x: Any, y: Any) -> Any:
        f = getattr(fnp, name)
        return f(x, y, 1) if name == "tensordot" else f(x, y)

    x, y = fnp.asarray([1.5, 2.0, 0.25], BFLOAT16), fnp.asarray([1, 0, 1], other)
    expected = (np.outer if name in ("outer", "kron") else np.dot)([1.5, 2.0, 0.25], [1, 0, 1])
    for found in (product(x, y), product(y, x), fxla.jit(product)(x, y)):
        assert found.dtype == np.multiply(x, y).dtype
        assert isinstance(found, fxla.Array)
    np.testing.assert_array_equal(np.ravel(product(x, y)).astype(float), np.ravel(expected))
