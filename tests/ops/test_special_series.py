"""What compiled programs compute instead of calling SciPy: worst errors, special values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest
import scipy.special

import fxla
from fxla.scipy import special
from tests.loops.native.test_math import worst_error


def _normal(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _quantile(p: Any) -> Any:
    """By Newton's method, for a p of at most a half."""
    start = float(scipy.special.ndtri(float(p)))
    return mp.findroot(lambda x: _normal(x) / p - 1, start)


def _ndtri(p: Any) -> Any:
    return _quantile(p) if p <= 0.5 else -_quantile(1 - p)


def _log_ndtr(x: Any) -> Any:
    return mp.log(_normal(x)) if x < 0 else mp.log1p(-_normal(-x))


def _uniform(*ranges: tuple[float, float]) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.concatenate([rng.uniform(low, high, 60) for low, high in ranges])


_ORDERS = _uniform((-30, 30), (-9, 9), (7.9, 8.1), (-1e-3, 1e-3))
_TAILS = 10 ** _uniform((-30, -0.31))
_SHARES = np.concatenate([_uniform((0.01, 0.49), (0.51, 0.99)), _TAILS, 1 - 1e-3 * _TAILS])

# function, arguments, the function in high precision, worst errors in ulps: float32, float64
CASES: dict[str, tuple[np.ndarray, Callable[[Any], Any], tuple[float, float]]] = {
    "i0": (_ORDERS, lambda x: mp.besseli(0, x), (5, 5)),
    "i0e": (_ORDERS, lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), (5, 5)),
    "i1": (_ORDERS, lambda x: mp.besseli(1, x), (5, 5)),
    "i1e": (_ORDERS, lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), (5, 5)),
    "ndtri": (_SHARES, _ndtri, (6, 6)),
    "erfcinv": (2 * _SHARES, lambda p: -_ndtri(p / 2) / mp.sqrt(2), (6, 6)),
    "log_ndtr": (_uniform((-40, 0), (-9.1, -8.9), (-18.1, -17.9), (0, 1)), _log_ndtr, (6, 8)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_worst_error(name: str, dtype: Any) -> None:
    arguments, precise, promised = CASES[name]
    x = arguments.astype(dtype)
    x = x[x != {"ndtri": 1, "erfcinv": 2}.get(name)]  # infinite there, see below
    with mp.workprec(200):
        exact = np.array([np.longdouble(mp.nstr(precise(mp.mpf(float(v))), 25)) for v in x])
    error = worst_error(np.asarray(fxla.jit(getattr(special, name))(x)), exact)
    assert error <= promised[dtype == np.float64], error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_special_values(name: str, dtype: Any) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 2.0, -1.0], dtype)
    with np.errstate(all="ignore"):
        expected = getattr(scipy.special, name)(x)
    got = np.asarray(fxla.jit(getattr(special, name))(x))
    np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("x", [0.5, 3.0, 20.0, 37.0])
def test_tails_above_are_as_accurate_as_a_rounded_argument(x: float) -> None:
    with mp.workprec(200):
        exact = float(_log_ndtr(mp.mpf(x)))
    got = float(fxla.jit(special.log_ndtr)(x))
    assert abs(got - exact) <= (8 + x * x) * np.spacing(abs(exact))
