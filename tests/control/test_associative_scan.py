"""Prefixes of an associative operation, against a Python loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.errors import ShapeError

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_matrices_are_prefixes(n: int, reverse: bool) -> None:
    """Not commutative: the order of operands is seen."""
    xs = RNG.standard_normal((n, 2, 2))
    got = lax.associative_scan(lambda a, b: b @ a if reverse else a @ b, xs, reverse=reverse)
    total, want = np.eye(2), np.empty_like(xs)
    for i in reversed(range(n)) if reverse else range(n):
        total = xs[i] @ total if reverse else total @ xs[i]
        want[i] = total
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_trees_along_another_axis() -> None:
    """A linear recurrence y = a y + b, as pairs."""
    a, b = RNG.standard_normal((2, 3, 7))

    def combine(p: Any, q: Any) -> Any:
        return {"a": p["a"] * q["a"], "b": p["b"] * q["a"] + q["b"]}

    def f(a: Any, b: Any) -> Any:
        return lax.associative_scan(combine, {"a": a, "b": b}, axis=-1)["b"]

    y, want = np.zeros(3), []
    for i in range(7):
        y = a[:, i] * y + b[:, i]
        want.append(y)
    for wrap in (lambda f: f, fxla.jit):
        np.testing.assert_allclose(wrap(f)(a, b), np.stack(want, 1), rtol=1e-11)
    np.testing.assert_allclose(fxla.vmap(lambda a, b: f(a[None], b[None])[0])(a, b), f(a, b))
    t = RNG.standard_normal((3, 7))
    ga = fxla.grad(lambda a: (f(a, b) * t).sum())(a)
    d = 1e-6 * RNG.standard_normal(a.shape)
    slope = ((f(a + d, b) - f(a - d, b)) * t).sum() / 2
    np.testing.assert_allclose((ga * d).sum(), slope, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float16", "complex128"])
def test_dtypes(dtype: str) -> None:
    xs = (RNG.integers(0, 2, 9) if dtype == "bool" else RNG.integers(0, 5, 9)).astype(dtype)
    fn = fnp.logical_or if dtype == "bool" else fnp.add
    got = lax.associative_scan(fn, xs)
    assert got.dtype == dtype
    want = np.logical_or.accumulate(xs) if dtype == "bool" else np.cumsum(xs, dtype=dtype)
    np.testing.assert_array_equal(got, want)


def test_signs_and_infinities_pass() -> None:
    """Elements are put between each other by adding -0, which changes nothing."""
    xs = np.array([-0.0, 0.0, -np.inf, np.inf, np.nan, -0.0])
    got = lax.associative_scan(lambda a, b: b, xs)
    np.testing.assert_array_equal(got, xs)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(xs))


def test_sizes_must_agree() -> None:
    with pytest.raises(ShapeError, match="differ"):
        lax.associative_scan(lambda a, b: a, (np.ones(3), np.ones(4)))
