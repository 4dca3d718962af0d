# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Reductions that ignore NaN: as NumPy's, and without a trace of NaN in the derivative."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.numpy import nan_reductions as N
from tests.numpy.agreement import agree, check_gradient, grad

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

X = np.array([[1.0, np.nan, 3.0, -2.0], [np.nan] * 4, [0.5, 2.0, -np.inf, 4.0]])
NAMES = "nansum nanprod nanmax nanmin nanmean nanvar nanstd".split()


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(N, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("name", NAMES)
def test_values(name: str) -> None:
    for dtype, axis, keepdims in itertools.product(
        ("float16", "float32", "float64", "int32"), (None, 0, 1, (0, 1)), (False, True)
    ):
        x = np.where(np.isnan(X) | np.isinf(X), 3, X) if dtype == "int32" else X
        both(name, x.astype(dtype), axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("name", NAMES)
def test_where(name: str) -> None:
    mask = np.array([True, False, True, True])
    if name in ("nanmax", "nanmin"):
        both(name, X, axis=1, where=mask, initial=0.5)
    else:
        both(name, X, axis=1, where=mask)


@pytest.mark.parametrize("name", ["nansum", "nanprod", "nanmean", "nanvar", "nanstd"])
def test_complex(name: str) -> None:
    z = X[::2] + 1j
    z[1, 2] = 2j
    both(name, z, axis=0)


def test_degrees_of_freedom() -> None:
    for ddof in (1, 3, 4):
        both("nanvar", X, axis=1, ddof=ddof)
        both("nanstd", X, axis=1, ddof=ddof)


def test_positions() -> None:
    x = X[::2]
    for name in ("nanargmax", "nanargmin"):
        for axis in (None, 0, 1):
            both(name, x, axis=axis)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_zero_at_nan_and_right_elsewhere(name: str) -> None:
    f = getattr(N, name)
    x = np.array([[1.0, np.nan, 3.0, -2.0], [np.nan, 1.5, 0.5, 7.0]])
    known = ~np.isnan(x)

    def of_known(v: Any) -> Any:
        filled = np.array(x)
        filled[known] = v
        return f(filled, axis=1).sum()

    got = grad(lambda v: f(v, axis=1).sum())(x)
    assert np.all(got[~known] == 0)
    step = 1e-6
    for k in range(known.sum()):
        e = np.zeros(known.sum())
        e[k] = step
        slope = (of_known(x[known] + e) - of_known(x[known] - e)) / (2 * step)
        np.testing.assert_allclose(got[known][k], slope, rtol=1e-5, atol=1e-6)


def test_gradient_without_nan() -> None:
    for name in NAMES:
        check_gradient(lambda v: getattr(N, name)(v, axis=0), np.array([[1.0, 4.0], [2.0, -3.0]]))


def test_gradient_of_nothing_but_nan_is_not_nan() -> None:
    x = np.full(3, np.nan)
    for name in ("nansum", "nanprod", "nanmax", "nanmin"):
        np.testing.assert_array_equal(grad(getattr(N, name))(x), np.zeros(3))
