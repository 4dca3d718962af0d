"""Shapes and orders of elements: as NumPy's, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla.numpy as S
from tests.numpy.agreement import agree, check_gradient, same_error, traced

X = np.arange(24.0).reshape(2, 3, 4)


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(S, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("shape", [24, (4, 6), (-1, 2), (2, -1, 3), (3, 2, 4, 1), -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reshape(shape: Any, order: str) -> None:
    both("reshape", X, shape=shape, order=order)
    check_gradient(lambda x: S.reshape(x, shape, order=order), X)


def test_reshape_errors() -> None:
    for shape in (5, (-1, -1), (5, -1), (0, -1)):
        same_error(lambda x: S.reshape(x, shape), lambda x: np.reshape(x, shape), X)
    both("reshape", X[:0], shape=(3, 0, 5))
    same_error(lambda x: S.reshape(x, (0, -1)), lambda x: np.reshape(x, (0, -1)), X[:0])


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
    same_error(lambda x: S.transpose(x, (0, 0, 1)), lambda x: np.transpose(x, (0, 0, 1)), X)
    same_error(lambda x: S.transpose(x, (0, 1)), lambda x: np.transpose(x, (0, 1)), X)
    same_error(lambda x: S.moveaxis(x, (0, 1), 2), lambda x: np.moveaxis(x, (0, 1), 2), X)
    same_error(S.matrix_transpose, np.matrix_transpose, np.ones(3))
    same_error(lambda x: S.swapaxes(x, 0, 3), lambda x: np.swapaxes(x, 0, 3), X)


def test_sizes_of_one() -> None:
    y = X[:, None, :1]
    both("expand_dims", X, axis=0)
    both("expand_dims", X, axis=(0, -1))
    both("expand_dims", X, axis=(-2, 1))
    both("squeeze", y)
    both("squeeze", y, axis=1)
    both("squeeze", y, axis=(1, 2))
    same_error(lambda x: S.squeeze(x, 0), lambda x: np.squeeze(x, 0), y)
    same_error(lambda x: S.expand_dims(x, 5), lambda x: np.expand_dims(x, 5), X)
    same_error(lambda x: S.expand_dims(x, (0, 0)), lambda x: np.expand_dims(x, (0, 0)), X)


def test_broadcasting() -> None:
    both("broadcast_to", X[:, :1], shape=(5, 2, 3, 4))
    both("broadcast_arrays", X, X[0, :1], np.float32(2))
    same_error(lambda x: S.broadcast_to(x, (2, 3)), lambda x: np.broadcast_to(x, (2, 3)), X)
    same_error(lambda x: S.broadcast_to(x, (2, 3, 5)), lambda x: np.broadcast_to(x, (2, 3, 5)), X)
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        for x in (np.float64(2.0), np.ones(3), np.ones((2, 3)), X, np.ones((1, 1, 2, 2))):
            both(name, x)
        both(name, np.float64(2.0), np.ones(3))


def test_order() -> None:
    for axis in (None, 0, -1, (0, 2)):
        both("flip", X, axis=axis)
    both("fliplr", X)
    both("flipud", X)
    same_error(S.fliplr, np.fliplr, np.ones(3))
    for k in range(-3, 6):
        both("rot90", X, k=k)
        both("rot90", X, k=k, axes=(2, 0))
    same_error(lambda x: S.rot90(x, axes=(1, 1)), lambda x: np.rot90(x, axes=(1, 1)), X)
    same_error(lambda x: S.rot90(x, axes=(1, 7)), lambda x: np.rot90(x, axes=(1, 7)), X)


@pytest.mark.parametrize("shift", [0, 1, -1, 5, 100, -7])
def test_roll(shift: int) -> None:
    for axis in (None, 0, 2, -2, (0, 1), (1, 1)):
        both("roll", X, shift=shift, axis=axis)
    both("roll", X, shift=(shift, 1), axis=(0, 2))
    both("roll", X, shift=(shift, 1), axis=2)


def test_roll_by_a_traced_amount() -> None:
    for shift in (-5, 0, 3, 30):
        got = traced(lambda x, s: S.roll(x, s, 1), X, np.int64(shift))
        np.testing.assert_array_equal(got, np.roll(X, shift, 1))
    got = traced(lambda x, s: S.roll(x, s, (0, 1)), X, np.array([1, 2]))
    np.testing.assert_array_equal(got, np.roll(X, (1, 2), (0, 1)))


def test_resize_and_trim() -> None:
    for shape in (5, (2, 2), (30,), (5, 7), (0, 3)):
        both("resize", X, new_shape=shape)
    x = np.array([0.0, 0.0, 1.0, 0.0, 2.0, 0.0])
    from fxla.transforms.autodiff import grad

    for trim in ("fb", "f", "b"):
        assert S.trim_zeros(x, trim).tolist() == np.trim_zeros(x, trim).tolist()
    found = grad(lambda v: (S.trim_zeros(v) * np.array([1.0, 2.0, 3.0])).sum())(x)
    np.testing.assert_array_equal(found, [0, 0, 1, 2, 3, 0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: S.transpose(x, (1, 2, 0)),
        lambda x: S.roll(x, 2, 1),
        lambda x: S.roll(x, 5),
        lambda x: S.rot90(x, 1),
        lambda x: S.broadcast_to(x[:, :1], (2, 2, 3, 4)),
        lambda x: S.flip(x, (0, 2)),
        lambda x: S.resize(x, (5, 7)),
        lambda x: S.squeeze(x[:, :1]),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X)
