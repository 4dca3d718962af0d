"""Shapes and orders of elements: as NumPy's, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.agreement import both, check_gradient, same_error

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("shape", [24, (4, 6), (-1, 2), (2, -1, 3), (3, 2, 4, 1), -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reshape(shape: Any, order: str) -> None:
    both("reshape", X, shape=shape, order=order)
    check_gradient(lambda x: fnp.reshape(x, shape, order=order), X)


def test_reshape_errors() -> None:
    for shape in (5, (-1, -1), (5, -1), (0, -1)):
        same_error(lambda x: fnp.reshape(x, shape), lambda x: np.reshape(x, shape), X)
    both("reshape", X[:0], shape=(3, 0, 5))
    same_error(lambda x: fnp.reshape(x, (0, -1)), lambda x: np.reshape(x, (0, -1)), X[:0])


def test_sizes_of_one() -> None:
    y = X[:, None, :1]
    both("expand_dims", X, axis=0)
    both("expand_dims", X, axis=(0, -1))
    both("expand_dims", X, axis=(-2, 1))
    both("squeeze", y)
    both("squeeze", y, axis=1)
    both("squeeze", y, axis=(1, 2))
    same_error(lambda x: fnp.squeeze(x, 0), lambda x: np.squeeze(x, 0), y)
    same_error(lambda x: fnp.expand_dims(x, 5), lambda x: np.expand_dims(x, 5), X)
    same_error(lambda x: fnp.expand_dims(x, (0, 0)), lambda x: np.expand_dims(x, (0, 0)), X)


def test_broadcasting() -> None:
    both("broadcast_to", X[:, :1], shape=(5, 2, 3, 4))
    both("broadcast_arrays", X, X[0, :1], np.float32(2))
    same_error(lambda x: fnp.broadcast_to(x, (2, 3)), lambda x: np.broadcast_to(x, (2, 3)), X)
    same_error(lambda x: fnp.broadcast_to(x, (2, 3, 5)), lambda x: np.broadcast_to(x, (2, 3, 5)), X)
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        for x in (np.float64(2.0), np.ones(3), np.ones((2, 3)), X, np.ones((1, 1, 2, 2))):
            both(name, x)
        both(name, np.float64(2.0), np.ones(3))


def test_resize_and_trim() -> None:
    for shape in (5, (2, 2), (30,), (5, 7), (0, 3)):
        both("resize", X, new_shape=shape)
    x = np.array([0.0, 0.0, 1.0, 0.0, 2.0, 0.0])
    from fxla.transforms.autodiff import grad

    for trim in ("fb", "f", "b"):
        assert fnp.trim_zeros(x, trim).tolist() == np.trim_zeros(x, trim).tolist()
    found = grad(lambda v: (fnp.trim_zeros(v) * np.array([1.0, 2.0, 3.0])).sum())(x)
    np.testing.assert_array_equal(found, [0, 0, 1, 2, 3, 0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: fnp.transpose(x, (1, 2, 0)),
        lambda x: fnp.roll(x, 2, 1),
        lambda x: fnp.roll(x, 5),
        lambda x: fnp.rot90(x, 1),
        lambda x: fnp.broadcast_to(x[:, :1], (2, 2, 3, 4)),
        lambda x: fnp.flip(x, (0, 2)),
        lambda x: fnp.resize(x, (5, 7)),
        lambda x: fnp.squeeze(x[:, :1]),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X)
