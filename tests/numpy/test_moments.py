"""Means, variances, averages and integrals: degrees of freedom, weights, precision."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.dtypes import default_dtype
from tests.numpy.agreement import both, check_gradient, grad, same_error
from tests.numpy.reducing import sample


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_degrees_of_freedom() -> None:
    x = sample("float64")
    for ddof in (1, 1.5, 4, 30):
        both("var", x, axis=2, ddof=ddof)
    both("std", x, axis=0, correction=1)
    centre = x.mean(axis=1, keepdims=True)
    both("var", x, axis=1, mean=centre)
    same_error(
        lambda a: fnp.var(a, ddof=1, correction=1), lambda a: np.var(a, ddof=1, correction=1), x
    )


def test_average() -> None:
    x = sample("float64", (3, 4))
    both("average", x)
    both("average", x, axis=0, weights=np.array([1.0, 2.0, 3.0]))
    both("average", x, weights=np.abs(x), returned=True)
    both("average", x, axis=1, returned=True, keepdims=True)
    both("average", sample("int32"), axis=(0, 1), weights=np.ones((3, 2)))
    same_error(
        lambda a: fnp.average(a, weights=np.ones(3)),
        lambda a: np.average(a, weights=np.ones(3)),
        x,
    )


def test_trapezoid() -> None:
    y, x = sample("float64", (3, 5)), np.array([0.0, 1.0, 1.5, 2.0, 4.0])
    both("trapezoid", y)
    both("trapezoid", y, x)
    both("trapezoid", y, dx=0.1, axis=0)
    both("trapezoid", y, np.cumsum(np.abs(y), 1))
    check_gradient(fnp.trapezoid, y, x)


def test_gradient_of_std_of_equal_elements_is_zero() -> None:
    np.testing.assert_array_equal(grad(fnp.std)(np.ones(3)), np.zeros(3))


def test_default_precision() -> None:
    with default_dtype("float32"):
        assert fnp.mean(np.arange(3)).dtype == np.float32
        assert fnp.std(np.arange(3)).dtype == np.float32
