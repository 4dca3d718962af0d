"""Reductions: every one for every dtype and option is NumPy's, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

import itertools

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.agreement import agree, both, check_gradient, grad, same_error, traced
from tests.numpy.reducing import AXES, DTYPES, sample


@pytest.mark.parametrize("dtype", DTYPES.split())
@pytest.mark.parametrize("name", "sum prod mean var std all any count_nonzero".split())
def test_sums_and_moments(name: str, dtype: str) -> None:
    x = sample(dtype)
    for axis, keepdims in itertools.product(AXES, (False, True)):
        both(name, x, axis=axis, keepdims=keepdims)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", "bool int32 uint8 float16 float32 float64 complex128".split())
@pytest.mark.parametrize("name", "sum prod mean var std all any".split())
def test_where(name: str, dtype: str) -> None:
    x = sample(dtype)
    mask = sample("bool", (2, 4), seed=1) | np.array([True, False, False, False])
    for axis in (None, 0, 2):
        both(name, x, axis=axis, where=mask)
        agree(
            lambda a, m: getattr(fnp, name)(a, axis=axis, where=m),
            lambda a, m: getattr(np, name)(a, axis=axis, where=m),
            x,
            mask,
        )


@pytest.mark.parametrize("dtype", "int32 uint8 float32 float64".split())
def test_initial(dtype: str) -> None:
    x = sample(dtype)
    mask = sample("bool", (2, 4), seed=1)
    for name in ("sum", "prod", "max", "min"):
        both(name, x, axis=1, initial=2)
        both(name, x, axis=(0, 1), initial=1, where=mask, keepdims=True)
        both(name, x[:0], initial=3)
        both(name, x[:0], axis=0, initial=3)


@pytest.mark.parametrize("dtype", "float32 float64 int64".split())
def test_dtype_argument(dtype: str) -> None:
    x = sample("int32")
    for name in ("sum", "prod", "mean", "var", "std"):
        if name in ("sum", "prod") or dtype != "int64":
            both(name, x, axis=1, dtype=dtype)
    both("mean", sample("float32"), dtype=dtype)


def test_scalars_and_axis_of_a_scalar() -> None:
    for name in ("sum", "max", "mean", "any", "argmax", "std"):
        both(name, np.float64(3.0))
        both(name, np.array(3.0), axis=None if name in ("std", "mean") else 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_empty() -> None:
    for name in ("sum", "prod", "mean", "var", "all", "any"):
        both(name, np.zeros((0, 3)))
        both(name, np.zeros((0, 3)), axis=0)
        both(name, np.zeros((0, 3)), axis=1)
    both("max", np.zeros((0, 3)), axis=1)
    same_error(fnp.max, np.max, np.zeros((0, 3)))
    same_error(lambda x: fnp.max(x, axis=0), lambda x: np.max(x, axis=0), np.zeros((0, 3)))
    same_error(fnp.argmax, np.argmax, np.zeros(0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity() -> None:
    x = np.array([[1.0, np.nan, 2.0], [np.inf, 0.0, -np.inf], [-0.0, 0.0, 1.0]])
    for name in ("sum", "prod", "max", "min", "argmax", "argmin", "all", "any", "mean"):
        both(name, x, axis=1)


def test_errors() -> None:
    x = np.zeros((2, 3))
    for axis in (2, -3, (0, 0), (0, 5)):
        same_error(lambda a: fnp.sum(a, axis=axis), lambda a: np.sum(a, axis=axis), x)
    same_error(lambda a: fnp.max(a, where=a > 0), lambda a: np.max(a, where=a > 0), x)
    same_error(
        lambda a: fnp.sum(a, where=np.ones(2, bool)), lambda a: np.sum(a, where=np.ones(2, bool)), x
    )


@pytest.mark.parametrize("name", "sum prod mean var std max min ptp".split())
def test_gradients(name: str) -> None:
    f = getattr(fnp, name)
    x = sample("float64", (3, 4))
    check_gradient(f, x)
    check_gradient(lambda a: f(a, axis=1), x)
    check_gradient(lambda a: f(a, axis=(0, 1), keepdims=True), x)


def test_gradient_of_where_does_not_see_what_is_masked() -> None:
    x = np.array([1.0, np.nan, 2.0, np.inf])
    mask = np.array([True, False, True, False])
    np.testing.assert_array_equal(grad(lambda a: fnp.sum(a, where=mask))(x), [1, 0, 1, 0])
    np.testing.assert_array_equal(grad(lambda a: fnp.mean(a, where=mask))(x), [0.5, 0, 0.5, 0])
    for f in (fnp.var, fnp.std):
        assert np.all(np.isfinite(grad(lambda a, f=f: f(a, where=mask))(x)))


def test_gradient_of_products_with_zeros() -> None:
    np.testing.assert_array_equal(grad(fnp.prod)(np.array([0.0, 2.0, 3.0])), [6.0, 0.0, 0.0])
    np.testing.assert_array_equal(grad(fnp.prod)(np.array([0.0, 0.0, 3.0])), [0.0, 0.0, 0.0])


def test_float16_is_accumulated_in_float32() -> None:
    x = np.ones(5000, np.float16)
    assert float(traced(fnp.sum, x)) == 5000.0
    assert float(traced(fnp.mean, np.full(5000, 100, np.float16))) == 100.0
