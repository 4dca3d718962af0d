"""Axes and elements in another order, eager and traced, as in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.agreement import both, same_error, traced

X = np.arange(24.0).reshape(2, 3, 4)


def test_axes() -> None:
    both("transpose", X)
    both("transpose", X, axes=(1, 2, 0))
    both("transpose", X, axes=(-1, 0, 1))
    both("permute_dims", X, axes=(2, 0, 1))
    both("matrix_transpose", X)
    both("swapaxes", X, axis1=0, axis2=-1)
    both("moveaxis", X, source=0, destination=-1)
    both("moveaxis", X, source=(0, 1), destination=(-1, 0))
    both("ravel", X)
    both("ravel", X, order="F")
    for axis in range(-3, 3):
        for start in range(-3, 4):
            both("rollaxis", X, axis=axis, start=start)
    same_error(lambda x: fnp.transpose(x, (0, 0, 1)), lambda x: np.transpose(x, (0, 0, 1)), X)
    same_error(lambda x: fnp.transpose(x, (0, 1)), lambda x: np.transpose(x, (0, 1)), X)
    same_error(lambda x: fnp.moveaxis(x, (0, 1), 2), lambda x: np.moveaxis(x, (0, 1), 2), X)
    same_error(fnp.matrix_transpose, np.matrix_transpose, np.ones(3))
    same_error(lambda x: fnp.swapaxes(x, 0, 3), lambda x: np.swapaxes(x, 0, 3), X)


def test_order() -> None:
    for axis in (None, 0, -1, (0, 2)):
        both("flip", X, axis=axis)
    both("fliplr", X)
    both("flipud", X)
    same_error(fnp.fliplr, np.fliplr, np.ones(3))
    for k in range(-3, 6):
        both("rot90", X, k=k)
        both("rot90", X, k=k, axes=(2, 0))
    same_error(lambda x: fnp.rot90(x, axes=(1, 1)), lambda x: np.rot90(x, axes=(1, 1)), X)
    same_error(lambda x: fnp.rot90(x, axes=(1, 7)), lambda x: np.rot90(x, axes=(1, 7)), X)


@pytest.mark.parametrize("shift", [0, 1, -1, 5, 100, -7])
def test_roll(shift: int) -> None:
    for axis in (None, 0, 2, -2, (0, 1), (1, 1)):
        both("roll", X, shift=shift, axis=axis)
    both("roll", X, shift=(shift, 1), axis=(0, 2))
    both("roll", X, shift=(shift, 1), axis=2)


def test_roll_by_a_traced_amount() -> None:
    for shift in (-5, 0, 3, 30):
        got = traced(lambda x, s: fnp.roll(x, s, 1), X, np.int64(shift))
        np.testing.assert_array_equal(got, np.roll(X, shift, 1))
    got = traced(lambda x, s: fnp.roll(x, s, (0, 1)), X, np.array([1, 2]))
    np.testing.assert_array_equal(got, np.roll(X, (1, 2), (0, 1)))
