"""Extremes and their places, eager and traced, as NumPy finds them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.agreement import agree, both, grad
from tests.numpy.reducing import AXES, DTYPES, sample


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
        both(name, x, axis=axis, keepdims=keepdims)


def test_gradient_of_equal_extremes_is_shared() -> None:
    np.testing.assert_array_equal(grad(fnp.max)(np.array([1.0, 3.0, 3.0])), [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(grad(fnp.min)(np.array([1.0, 1.0, 3.0])), [0.5, 0.5, 0.0])


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "ptp"])
def test_extremes_of_complex_numbers(name):
    x = np.array([[1 + 2j, 1 - 3j, -2 + 5j], [3 - 1j, 3 - 1j, 0 + 0j]])
    for axis in (None, 0, 1):
        agree(
            lambda z, a=axis: getattr(fnp, name)(z, axis=a),
            lambda z, a=axis: getattr(np, name)(z, axis=a),
            x,
        )
    if name.startswith("arg"):
        x[1, 1] = complex(np.nan, 1)
        agree(getattr(fnp, name), getattr(np, name), x)
    elif name != "ptp":
        options = {"axis": 1, "where": np.array([True, False, True]), "initial": 1 + 1j}
        agree(
            lambda z: getattr(fnp, name)(z, **options), lambda z: getattr(np, name)(z, **options), x
        )
