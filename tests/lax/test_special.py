"""Special functions against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.errors import DtypeError

A = np.array([0.5, 1.0, 2.5, 7.0])
X = np.array([0.3, 1.0, 4.0, 6.0])


def expected(f, *xs):
    return np.array([float(f(*row)) for row in zip(*(x.tolist() for x in xs), strict=True)])


def gamma_p(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


CASES = {
    "igamma": (gamma_p, (A, X)),
    "igammac": (lambda a, x: 1 - gamma_p(a, x), (A, X)),
    "betainc": (
        lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True),
        (A, X, np.array([0.1, 0.5, 0.7, 0.9])),
    ),
    "bessel_i0e": (lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), (X - 2,)),
    "bessel_i1e": (lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), (X - 2,)),
    "zeta": (mpmath.zeta, (A + 1, X)),
    "polygamma": (lambda m, x: mpmath.polygamma(int(m), x), (np.array([0.0, 1.0, 2.0, 5.0]), X)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_values(name: str, dtype: str) -> None:
    f, xs = CASES[name]
    xs = tuple(x.astype(dtype) for x in xs)
    got = np.asarray(fxla.jit(getattr(lax, name))(*xs))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected(f, *xs), rtol=1e-12 if dtype == "f8" else 2e-6)


def test_the_derivative_of_igamma_by_its_parameter() -> None:
    want = [float(mpmath.diff(lambda t, x=x: gamma_p(t, x), a)) for a, x in zip(A, X, strict=True)]
    np.testing.assert_allclose(lax.igamma_grad_a(A, X), want, rtol=1e-4)


def test_integers_are_refused() -> None:
    with pytest.raises(DtypeError, match=r"lax.igamma: takes floating operands, got i64\[4\]"):
        lax.igamma(np.arange(4), np.arange(4))
