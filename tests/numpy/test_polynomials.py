# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Polynomials: as NumPy's, with their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import polynomials as P
from tests.numpy.agreement import agree, assert_same, check_gradient, same_error, traced

RNG = np.random.default_rng(0)
A, B = np.array([2.0, -1.0, 0.5, 3.0]), np.array([1.5, 2.0])


def both(name: str, *args: Any, tolerance: float | None = None, **options: Any) -> None:
    agree(
        lambda *a: getattr(P, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
        tolerance=tolerance,
    )


def test_arithmetic() -> None:
    for name in ("polyadd", "polysub", "polymul"):
        both(name, A, B)
        both(name, B, A)
        both(name, A.astype("int64"), B.astype("int64"))
        check_gradient(getattr(P, name), A, B)
    both("polydiv", A, B)
    both("polydiv", B, A)
    both("polydiv", A.astype("int64"), np.array([2, 1]))
    check_gradient(P.polydiv, A, B)


def test_values() -> None:
    both("polyval", A, RNG.standard_normal((2, 3)))
    both("polyval", A.astype("int64"), np.arange(4))
    both("polyval", A, 2.0)
    check_gradient(P.polyval, A, B)


def test_calculus() -> None:
    for m in (0, 1, 2, 5):
        both("polyder", A, m=m)
        both("polyint", A, m=m)
    both("polyint", A, m=2, k=[1.0, 2.0])
    both("polyint", A, m=2, k=3.0)
    same_error(lambda p: P.polyder(p, -1), lambda p: np.polyder(p, -1), A)
    same_error(lambda p: P.polyint(p, 3, [1.0, 2.0]), lambda p: np.polyint(p, 3, [1.0, 2.0]), A)
    check_gradient(lambda p: P.polyint(p, 2, p[:2]), A)


def test_roots() -> None:
    for p in (A, B, np.array([1.0, 0.0, 1.0])):
        got = traced(P.roots, p)
        np.testing.assert_allclose(
            np.sort_complex(got), np.sort_complex(np.roots(p)), rtol=1e-9, atol=1e-12
        )
    assert_same(P.roots(np.array([0.0, 1.0, -1.0, 0.0])), np.roots([0.0, 1.0, -1.0, 0.0]))
    both("poly", A)
    both("poly", np.arange(4))
    got = traced(P.poly, np.array([[2.0, 1.0], [1.0, 3.0]]))
    np.testing.assert_allclose(got, [1, -5, 5])
    same_error(P.poly, np.poly, np.ones((2, 3)))
    check_gradient(P.poly, A)
    check_gradient(lambda p: abs(P.roots(p)), A, tolerance=1e-5)


def test_fit() -> None:
    x, y = np.linspace(-1, 2, 8), RNG.standard_normal((8, 2))
    t = 1e-8
    both("polyfit", x, y[:, 0], deg=3, tolerance=t)
    both("polyfit", x, y, deg=2, tolerance=t)
    both("polyfit", np.arange(5), np.arange(5) ** 2, deg=2, tolerance=t)
    both("polyfit", x, y[:, 0], deg=2, w=np.arange(1.0, 9.0), tolerance=t)
    both("polyfit", x, y[:, 0], deg=2, cov=True, tolerance=t)
    both("polyfit", x, y, deg=2, cov="unscaled", tolerance=t)
    both("polyfit", x, y, deg=2, cov=True, tolerance=t)
    got = traced(lambda a, b: P.polyfit(a, b, 2, full=True)[:4], x, y[:, 0])
    assert_same(got, np.polyfit(x, y[:, 0], 2, full=True)[:4], tolerance=t)
    check_gradient(lambda a, b: P.polyfit(a, b, 2), x, y[:, 0], tolerance=1e-5)
    for args in ((x[:3], y[:, 0], 1), (x, y[:, 0], -1), (y, y, 1), (x[:0], y[:0, 0], 1)):
        with pytest.raises((TypeError, ValueError)):
            traced(lambda a, b: P.polyfit(a, b, args[2]), *args[:2])
