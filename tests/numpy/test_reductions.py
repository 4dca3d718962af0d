"""Reductions: every one for every dtype and option is NumPy's, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.core.dtypes import default_dtype
from fxla.numpy import reductions as R
from tests.numpy.agreement import agree, check_gradient, grad, same_error, traced

DTYPES = "bool int8 int32 int64 uint8 uint16 uint64 float16 float32 float64 complex64 complex128"
AXES: list[Any] = [None, 0, -1, (0, 2), (), (1,)]


def sample(dtype: str, shape: tuple[int, ...] = (3, 2, 4), seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.6
    if dtype.startswith("complex"):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    if "int" in dtype:
        return rng.integers(0 if dtype[0] == "u" else -3, 4, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def compare(name: str, x: Any, *rest: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(R, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        x,
        *rest,
    )


@pytest.mark.parametrize("dtype", DTYPES.split())
@pytest.mark.parametrize("name", "sum prod mean var std all any count_nonzero".split())
def test_sums_and_moments(name: str, dtype: str) -> None:
    x = sample(dtype)
    for axis, keepdims in itertools.product(AXES, (False, True)):
        compare(name, x, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("dtype", [d for d in DTYPES.split() if not d.startswith("complex")])
@pytest.mark.parametrize("name", "max min amax amin ptp argmax argmin".split())
def test_extremes(name: str, dtype: str) -> None:
    if name == "ptp" and dtype == "bool":
        pytest.skip("NumPy has no subtraction of booleans")
    x = sample(dtype)
    axes = [None, 0, 1, -1] if name.startswith("arg") else AXES
    if name == "ptp":
        axes = [None, 0, (0, 2)]
    for axis, keepdims in itertools.product(axes, (False, True)):
        compare(name, x, axis=axis, keepdims=keepdims)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", "bool int32 uint8 float16 float32 float64 complex128".split())
@pytest.mark.parametrize("name", "sum prod mean var std all any".split())
def test_where(name: str, dtype: str) -> None:
    x = sample(dtype)
    mask = sample("bool", (2, 4), seed=1) | np.array([True, False, False, False])
    for axis in (None, 0, 2):
        compare(name, x, axis=axis, where=mask)
        agree(
            lambda a, m: getattr(R, name)(a, axis=axis, where=m),
            lambda a, m: getattr(np, name)(a, axis=axis, where=m),
            x,
            mask,
        )


@pytest.mark.parametrize("dtype", "int32 uint8 float32 float64".split())
def test_initial(dtype: str) -> None:
    x = sample(dtype)
    mask = sample("bool", (2, 4), seed=1)
    for name in ("sum", "prod", "max", "min"):
        compare(name, x, axis=1, initial=2)
        compare(name, x, axis=(0, 1), initial=1, where=mask, keepdims=True)
        compare(name, x[:0], initial=3)
        compare(name, x[:0], axis=0, initial=3)


@pytest.mark.parametrize("dtype", "float32 float64 int64".split())
def test_dtype_argument(dtype: str) -> None:
    x = sample("int32")
    for name in ("sum", "prod", "mean", "var", "std"):
        if name in ("sum", "prod") or dtype != "int64":
            compare(name, x, axis=1, dtype=dtype)
    compare("mean", sample("float32"), dtype=dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_degrees_of_freedom() -> None:
    x = sample("float64")
    for ddof in (1, 1.5, 4, 30):
        compare("var", x, axis=2, ddof=ddof)
    compare("std", x, axis=0, correction=1)
    centre = x.mean(axis=1, keepdims=True)
    compare("var", x, axis=1, mean=centre)
    same_error(
        lambda a: R.var(a, ddof=1, correction=1), lambda a: np.var(a, ddof=1, correction=1), x
    )


def test_scalars_and_axis_of_a_scalar() -> None:
    for name in ("sum", "max", "mean", "any", "argmax", "std"):
        compare(name, np.float64(3.0))
        compare(name, np.array(3.0), axis=None if name in ("std", "mean") else 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_empty() -> None:
    for name in ("sum", "prod", "mean", "var", "all", "any"):
        compare(name, np.zeros((0, 3)))
        compare(name, np.zeros((0, 3)), axis=0)
        compare(name, np.zeros((0, 3)), axis=1)
    compare("max", np.zeros((0, 3)), axis=1)
    same_error(R.max, np.max, np.zeros((0, 3)))
    same_error(lambda x: R.max(x, axis=0), lambda x: np.max(x, axis=0), np.zeros((0, 3)))
    same_error(R.argmax, np.argmax, np.zeros(0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity() -> None:
    x = np.array([[1.0, np.nan, 2.0], [np.inf, 0.0, -np.inf], [-0.0, 0.0, 1.0]])
    for name in ("sum", "prod", "max", "min", "argmax", "argmin", "all", "any", "mean"):
        compare(name, x, axis=1)


def test_errors() -> None:
    x = np.zeros((2, 3))
    for axis in (2, -3, (0, 0), (0, 5)):
        same_error(lambda a: R.sum(a, axis=axis), lambda a: np.sum(a, axis=axis), x)
    same_error(lambda a: R.max(a, where=a > 0), lambda a: np.max(a, where=a > 0), x)
    same_error(
        lambda a: R.sum(a, where=np.ones(2, bool)), lambda a: np.sum(a, where=np.ones(2, bool)), x
    )


def test_average() -> None:
    x = sample("float64", (3, 4))
    compare("average", x)
    compare("average", x, axis=0, weights=np.array([1.0, 2.0, 3.0]))
    compare("average", x, weights=np.abs(x), returned=True)
    compare("average", x, axis=1, returned=True, keepdims=True)
    compare("average", sample("int32"), axis=(0, 1), weights=np.ones((3, 2)))
    same_error(
        lambda a: R.average(a, weights=np.ones(3)), lambda a: np.average(a, weights=np.ones(3)), x
    )


def test_trapezoid() -> None:
    y, x = sample("float64", (3, 5)), np.array([0.0, 1.0, 1.5, 2.0, 4.0])
    compare("trapezoid", y)
    compare("trapezoid", y, x)
    compare("trapezoid", y, dx=0.1, axis=0)
    compare("trapezoid", y, np.cumsum(np.abs(y), 1))
    check_gradient(R.trapezoid, y, x)


@pytest.mark.parametrize("name", "sum prod mean var std max min ptp".split())
def test_gradients(name: str) -> None:
    f = getattr(R, name)
    x = sample("float64", (3, 4))
    check_gradient(f, x)
    check_gradient(lambda a: f(a, axis=1), x)
    check_gradient(lambda a: f(a, axis=(0, 1), keepdims=True), x)


def test_gradient_of_where_does_not_see_what_is_masked() -> None:
    x = np.array([1.0, np.nan, 2.0, np.inf])
    mask = np.array([True, False, True, False])
    np.testing.assert_array_equal(grad(lambda a: R.sum(a, where=mask))(x), [1, 0, 1, 0])
    np.testing.assert_array_equal(grad(lambda a: R.mean(a, where=mask))(x), [0.5, 0, 0.5, 0])
    for f in (R.var, R.std):
        assert np.all(np.isfinite(grad(lambda a, f=f: f(a, where=mask))(x)))


def test_gradient_of_products_with_zeros() -> None:
    np.testing.assert_array_equal(grad(R.prod)(np.array([0.0, 2.0, 3.0])), [6.0, 0.0, 0.0])
    np.testing.assert_array_equal(grad(R.prod)(np.array([0.0, 0.0, 3.0])), [0.0, 0.0, 0.0])


def test_gradient_of_equal_extremes_is_shared() -> None:
    np.testing.assert_array_equal(grad(R.max)(np.array([1.0, 3.0, 3.0])), [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(grad(R.min)(np.array([1.0, 1.0, 3.0])), [0.5, 0.5, 0.0])


def test_gradient_of_std_of_equal_elements_is_zero() -> None:
    np.testing.assert_array_equal(grad(R.std)(np.ones(3)), np.zeros(3))


def test_float16_is_accumulated_in_float32() -> None:
    x = np.ones(5000, np.float16)
    assert float(traced(R.sum, x)) == 5000.0
    assert float(traced(R.mean, np.full(5000, 100, np.float16))) == 100.0


def test_default_precision() -> None:
    with default_dtype("float32"):
        assert R.mean(np.arange(3)).dtype == np.float32
        assert R.std(np.arange(3)).dtype == np.float32


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "ptp"])
def test_extremes_of_complex_numbers(name):
    x = np.array([[1 + 2j, 1 - 3j, -2 + 5j], [3 - 1j, 3 - 1j, 0 + 0j]])
    for axis in (None, 0, 1):
        agree(
            lambda z, a=axis: getattr(R, name)(z, axis=a),
            lambda z, a=axis: getattr(np, name)(z, axis=a),
            x,
        )
    if name.startswith("arg"):
        x[1, 1] = complex(np.nan, 1)
        agree(getattr(R, name), getattr(np, name), x)
    elif name != "ptp":
        options = {"axis": 1, "where": np.array([True, False, True]), "initial": 1 + 1j}
        agree(
            lambda z: getattr(R, name)(z, **options), lambda z: getattr(np, name)(z, **options), x
        )
