"""Running sums, differences and numerical gradients: as NumPy's, with their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import cumulative as C
from tests.numpy.agreement import agree, check_gradient, grad, same_error

X = np.random.default_rng(0).standard_normal((4, 5))


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(C, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize(
    "dtype", "bool int8 int32 int64 uint8 float16 float32 float64 complex64".split()
)
@pytest.mark.parametrize("name", "cumsum cumprod nancumsum nancumprod".split())
def test_running(name: str, dtype: str) -> None:
    x = (X * 2).astype(dtype)
    for axis in (None, 0, -1):
        both(name, x, axis=axis)
    both(name, x, axis=1, dtype="complex128" if dtype == "complex64" else "float64")


def test_nan_is_skipped() -> None:
    x = X.copy()
    x[1, 2] = x[3] = np.nan
    both("nancumsum", x, axis=1)
    both("nancumprod", x, axis=0)
    assert np.all(np.isfinite(grad(lambda v: C.nancumprod(v, 1).sum())(x)))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
def test_array_api(name: str) -> None:
    both(name, X[0])
    both(name, X, axis=1, include_initial=True)
    both(name, X.astype("int32"), axis=0, include_initial=True)
    same_error(getattr(C, name), getattr(np, name), X)
    both(name, np.float64(2.0))


def test_differences() -> None:
    for n in (0, 1, 2, 5, 6):
        both("diff", X, n=n)
        both("diff", X, n=n, axis=0)
    both("diff", X > 0, axis=1)
    both("diff", X, prepend=0.0)
    both("diff", X, append=1, prepend=X[:, :2])
    both("diff", (X * 9).astype("uint8"), axis=0)
    same_error(lambda x: C.diff(x, -1), lambda x: np.diff(x, -1), X)
    same_error(C.diff, np.diff, np.float64(1.0))
    both("ediff1d", X)
    both("ediff1d", X, to_end=1.0, to_begin=np.array([1.0, 2.0]))
    integers = np.arange(5)
    both("ediff1d", integers, to_end=3)
    same_error(
        lambda x: C.ediff1d(x, to_end=np.array([1.5])),
        lambda x: np.ediff1d(x, to_end=np.array([1.5])),
        integers,
    )


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient(edge_order: int) -> None:
    place, other = np.array([0.0, 1.0, 1.5, 4.0]), np.linspace(0, 1, 5) ** 2
    options = {"edge_order": edge_order}
    both("gradient", X, **options)
    both("gradient", X, axis=0, **options)
    both("gradient", X, 2.0, axis=(1,), **options)
    both("gradient", X, 2.0, 0.5, **options)
    both("gradient", X, place, other, **options)
    both("gradient", X, place, 0.5, **options)
    both("gradient", X[:, :3], **options)
    both("gradient", np.arange(6), **options)
    check_gradient(lambda f, x: C.gradient(f, x, axis=0, edge_order=edge_order), X, place)


def test_gradient_errors() -> None:
    same_error(lambda x: C.gradient(x, 1.0, 2.0, 3.0), lambda x: np.gradient(x, 1.0, 2.0, 3.0), X)
    same_error(lambda x: C.gradient(x, edge_order=3), lambda x: np.gradient(x, edge_order=3), X)
    same_error(C.gradient, np.gradient, X[:, :1])
    same_error(
        lambda x: C.gradient(x, [1.0, 2.0], axis=0), lambda x: np.gradient(x, [1.0, 2.0], axis=0), X
    )


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod", "ediff1d"])
def test_derivatives(name: str) -> None:
    f = getattr(C, name)
    check_gradient(f, X)
    if name != "ediff1d":
        check_gradient(lambda x: f(x, axis=0), X)


def test_derivative_of_running_products_with_zeros() -> None:
    x = np.array([2.0, 0.0, 3.0, 0.0, 4.0])
    check_gradient(C.cumprod, x)
    check_gradient(lambda v: C.diff(v, 2), x)
