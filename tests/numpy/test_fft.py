# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Fourier transforms: as NumPy's for every size, axis and normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.numpy import fft as F
from tests.numpy.agreement import agree, check_gradient, same_error

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 6, 5))
NORMS = [None, "backward", "ortho", "forward"]


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(F, name)(*a, **options),
        lambda *a: getattr(np.fft, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("name", "fft ifft rfft irfft hfft ihfft".split())
def test_one_axis(name: str) -> None:
    for norm in NORMS:
        for axis in (0, 1, -1):
            for n in (None, 3, 8, 1):
                both(name, X, n=n, axis=axis, norm=norm)
    for dtype in ("float32", "int32", "bool"):
        both(name, (X * 3).astype(dtype))
    # NumPy rounds the factor 1 / n to 16 bits, we do not
    half = X.astype("float16")
    agree(getattr(F, name), getattr(np.fft, name), half, tolerance=1e-3)
    if name not in ("rfft", "ihfft"):
        both(name, X + 1j * X[::-1])
        both(name, (X + 1j * X[::-1]).astype("complex64"))


@pytest.mark.parametrize("name", "fftn ifftn rfftn irfftn fft2 ifft2 rfft2 irfft2".split())
def test_several_axes(name: str) -> None:
    for norm in NORMS:
        both(name, X, norm=norm)
        both(name, X, axes=(0, 2), norm=norm)
        both(name, X, s=(3, 8), axes=(2, 1), norm=norm)
    both(name, X, s=(4, -1), axes=(0, 1))
    both(name, X, axes=(1,))
    if name in ("fftn", "ifftn"):
        both(name, X, axes=(0, 0))
    same_error(
        lambda x: getattr(F, name)(x, s=(3,), axes=(0, 1)),
        lambda x: getattr(np.fft, name)(x, s=(3,), axes=(0, 1)),
        X,
    )


def test_frequencies_and_shifts() -> None:
    for n in (1, 4, 5):
        for name in ("fftfreq", "rfftfreq"):
            agree(lambda d: getattr(F, name)(n, d), lambda d: getattr(np.fft, name)(n, d), 0.5)
    for name in ("fftshift", "ifftshift"):
        for axes in (None, 0, (0, 2), -1):
            both(name, X, axes=axes)


def test_errors() -> None:
    same_error(lambda x: F.fft(x, 0), lambda x: np.fft.fft(x, 0), X)
    same_error(lambda x: F.fft(x, axis=3), lambda x: np.fft.fft(x, axis=3), X)
    same_error(lambda x: F.fft(x, norm="x"), lambda x: np.fft.fft(x, norm="x"), X)
    same_error(lambda x: F.hfft(x, norm="x"), lambda x: np.fft.hfft(x, norm="x"), X)
    same_error(lambda x: F.rfft(x), lambda x: np.fft.rfft(x), X + 1j)


@pytest.mark.parametrize(
    "name", "fft ifft rfft irfft hfft ihfft fftn ifftn rfftn irfftn fft2 rfft2".split()
)
def test_gradients(name: str) -> None:
    f, x = getattr(F, name), X[:2, :4, :3]
    check_gradient(f, x)
    check_gradient(lambda a: f(a, norm="ortho"), x, batched=False)
    if not name.endswith(("n", "2")):
        check_gradient(lambda a: f(a, 6, 1), x, batched=False)
        check_gradient(lambda a: f(a, 3, 0), x, batched=False)
    check_gradient(lambda a: f(a + 1j * a[::-1]) if name in ("fft", "irfft", "hfft") else f(a), x)


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_dtypes_of_frequencies(name):
    f, numpys = getattr(fnp.fft, name), getattr(np.fft, name)
    assert f(5, dtype="float32").dtype == np.float32 and f(5).dtype == np.float64
    np.testing.assert_array_equal(f(5, d=0.5, dtype=np.float32), numpys(5, d=0.5).astype("f4"))
