# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Convolution, correlation, covariance: as NumPy's, with their derivatives."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.numpy import correlations as C
from tests.numpy.agreement import agree, check_gradient, same_error

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 6))


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(C, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
        tolerance=1e-9 if args[0].dtype.itemsize > 4 else 1e-5,
    )


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_vectors(name: str, mode: str) -> None:
    for n, m in itertools.product((1, 2, 5, 6), (1, 2, 3, 6)):
        x, y = RNG.standard_normal(n), RNG.standard_normal(m)
        both(name, x, y, mode=mode)
    x, y = RNG.standard_normal(5), RNG.standard_normal(3)
    both(name, x + 1j * x[::-1], y - 2j * y, mode=mode)
    both(name, y - 2j * y, x + 1j * x[::-1], mode=mode)
    both(name, (3 * x).astype("int32"), (3 * y).astype("int32"), mode=mode)
    both(name, x.astype("float32"), y.astype("float32"), mode=mode)
    both(name, x > 0, y > 0, mode=mode)
    check_gradient(lambda a, b: getattr(C, name)(a, b, mode), x, y)
    check_gradient(lambda a, b: getattr(C, name)(b, a, mode), x, y)


def test_vector_errors() -> None:
    for name in ("convolve", "correlate"):
        f, g = getattr(C, name), getattr(np, name)
        same_error(f, g, np.ones(0), np.ones(2))
        same_error(f, g, np.ones((2, 2)), np.ones(2))
        same_error(lambda a: f(a, a, "x"), lambda a: g(a, a, "x"), np.ones(2))


def test_covariance() -> None:
    both("cov", X)
    both("cov", X, rowvar=False)
    both("cov", X[0])
    both("cov", X, X[::-1])
    both("cov", X[0], X[1])
    both("cov", X, bias=True)
    both("cov", X, ddof=2)
    both("cov", X.astype("float32"))
    both("cov", (X * 9).astype("int32"))
    both("cov", X + 1j * X[::-1])
    frequency, importance = np.array([1, 2, 0, 1, 3, 1]), np.abs(X[0])
    for ddof in (None, 0, 1):
        both("cov", X, fweights=frequency, ddof=ddof)
        both("cov", X, aweights=importance, ddof=ddof)
        both("cov", X, fweights=frequency, aweights=importance, ddof=ddof)
    both("corrcoef", X)
    both("corrcoef", X, X[::-1] ** 2)
    both("corrcoef", X + 1j * X[::-1])
    both("corrcoef", X, rowvar=False)
    check_gradient(C.cov, X, tolerance=1e-5)
    check_gradient(lambda x: C.cov(x, aweights=importance), X, tolerance=1e-5)
    check_gradient(C.corrcoef, X, tolerance=1e-5)


def test_covariance_errors() -> None:
    for options in (
        {"fweights": np.array([1, 2])},
        {"fweights": np.ones(6) * 1.5},
        {"aweights": -np.ones(6)},
        {"ddof": 1.5},
    ):
        same_error(lambda x: C.cov(x, **options), lambda x: np.cov(x, **options), X)
    same_error(C.cov, np.cov, np.ones((2, 2, 2)))
