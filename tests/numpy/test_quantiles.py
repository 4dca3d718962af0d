# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Quantiles: every method and option as NumPy's; derivatives go to the elements read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import quantiles as Q
from tests.numpy.agreement import agree, check_gradient, grad, same_error, traced

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

METHODS = (
    "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen "
    "weibull linear median_unbiased normal_unbiased lower higher midpoint nearest"
).split()
X = np.random.default_rng(0).standard_normal((4, 5, 3))
FRACTIONS = np.array([0.0, 0.1, 0.25, 0.5, 0.8, 1.0])


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(Q, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("method", METHODS)
def test_methods(method: str) -> None:
    for x in (X, X[:1, :2], np.arange(12).reshape(4, 3, 1), X.astype("float32")):
        both("quantile", x, FRACTIONS, axis=0, method=method)
        agree(
            lambda a: Q.quantile(a, FRACTIONS, axis=0, method=method),
            lambda a: np.quantile(a, FRACTIONS, axis=0, method=method),
            x,
        )
        agree(
            lambda a: Q.quantile(a, 0.3, method=method),
            lambda a: np.quantile(a, 0.3, method=method),
            x,
        )


def test_axes_and_shapes() -> None:
    for axis in (None, 0, -1, (0, 2)):
        for keepdims in (False, True):
            both("quantile", X, FRACTIONS, axis=axis, keepdims=keepdims)
            both("median", X, axis=axis, keepdims=keepdims)
    both("quantile", X, FRACTIONS.reshape(2, 3), axis=1)
    both("percentile", X, np.array([10.0, 50.0]), axis=0)
    agree(lambda a: Q.percentile(a, 35), lambda a: np.percentile(a, 35), X.astype("float32"))


@pytest.mark.parametrize("dtype", "float16 float32 float64 int8 int32 int64 bool".split())
def test_median(dtype: str) -> None:
    for x in (X, X[:, :4]):
        both("median", (x * 5).astype(dtype), axis=1)


def test_nan_spreads_or_is_ignored() -> None:
    x = X.copy()
    x[0, 1, 2] = x[3, 3, 0] = np.nan
    x[:, 0, 0] = np.nan
    x[1, 2] = np.inf
    for axis in (None, 0, 1):
        both("median", x, axis=axis)
        both("quantile", x, FRACTIONS, axis=axis)
        both("nanmedian", x, axis=axis)
        both("nanquantile", x, FRACTIONS, axis=axis)
        both("nanpercentile", x, np.array([20.0, 70.0]), axis=axis, keepdims=True)
    for method in METHODS:
        x[1, 2] = 1.0
        agree(
            lambda a: Q.nanquantile(a, FRACTIONS, axis=0, method=method),
            lambda a: np.nanquantile(a, FRACTIONS, axis=0, method=method),
            x,
        )


def test_weights() -> None:
    w = np.abs(X) + 0.1
    options: dict[str, Any] = {"method": "inverted_cdf"}
    both("quantile", X, FRACTIONS, axis=1, weights=w, **options)
    both("quantile", X, FRACTIONS, axis=1, weights=np.array([0, 1.0, 2, 1, 3]), **options)
    both("quantile", X, 0.4, weights=w, **options)
    same_error(lambda a: Q.quantile(a, 0.5, weights=w), lambda a: np.quantile(a, 0.5, weights=w), X)


def test_errors() -> None:
    for q in (1.5, -0.1, np.array([0.5, 2.0])):
        same_error(lambda a: Q.quantile(a, q), lambda a: np.quantile(a, q), X)
    same_error(lambda a: Q.percentile(a, 101), lambda a: np.percentile(a, 101), X)
    same_error(
        lambda a: Q.quantile(a, 0.5, method="x"), lambda a: np.quantile(a, 0.5, method="x"), X
    )
    same_error(lambda a: Q.quantile(a, 0.5), lambda a: np.quantile(a, 0.5), X + 1j)


def test_gradients() -> None:
    x = X[:, :, 0]
    for method in ("linear", "hazen", "midpoint", "lower"):
        check_gradient(lambda a: Q.quantile(a, np.array([0.1, 0.55]), axis=1, method=method), x)
    check_gradient(lambda a, q: Q.quantile(a, q, axis=0), x, np.array([0.13, 0.4]))
    check_gradient(lambda a: Q.median(a, axis=1), x)
    check_gradient(lambda a: Q.nanmedian(a, axis=1), x)


def test_gradient_of_the_median_of_an_even_number() -> None:
    np.testing.assert_array_equal(grad(Q.median)(np.array([4.0, 1.0, 2.0, 9.0])), [0.5, 0, 0.5, 0])


def test_empty() -> None:
    both("median", np.zeros((0, 3)), axis=0)
    assert np.isnan(traced(Q.median, np.zeros(0)))
