"""Putting arrays together and taking them apart: as NumPy does, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import joining as J
from tests.numpy.agreement import agree, check_gradient, same_error, traced

X = np.arange(12.0).reshape(3, 4)
Y = X[:2] + 100


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(J, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


def listed(name: str, *arrays: Any, **options: Any) -> None:
    """Functions whose argument is a sequence of arrays."""
    agree(
        lambda *a: getattr(J, name)(a, **options),
        lambda *a: getattr(np, name)(a, **options),
        *arrays,
    )


def test_concatenate() -> None:
    listed("concatenate", X, Y)
    listed("concat", X, X, axis=1)
    listed("concatenate", X, X, axis=-1)
    listed("concatenate", X, Y, axis=None)
    listed("concatenate", X, Y.astype("float32"), dtype="float32")
    listed("concatenate", X.astype("int8"), Y.astype("float32"))
    both("concatenate", np.ones((2, 3, 4)), axis=1)
    for arrays, axis in (((X, Y), 1), ((X, Y[0]), 0), ((X,), 2), ((), 0), ((1.0, 2.0), 0)):
        same_error(
            lambda *a: J.concatenate(a, axis=axis), lambda *a: np.concatenate(a, axis=axis), *arrays
        )
    same_error(
        lambda *a: J.concatenate(a, dtype="int32"), lambda *a: np.concatenate(a, dtype="int32"), X
    )


def test_stacks() -> None:
    for axis in (0, 1, -1):
        listed("stack", X, X + 1, axis=axis)
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        listed(name, X, X)
        listed(name, X[0], X[1])
    listed("hstack", X[0], Y[0, :2])
    listed("vstack", X, Y)
    listed("vstack", np.float64(1.0), np.float64(2.0))
    listed("column_stack", X[:, 0], X)
    both("unstack", X)
    both("unstack", X, axis=1)
    same_error(lambda *a: J.stack(a), lambda *a: np.stack(a), X, Y)
    same_error(lambda *a: J.stack(a), lambda *a: np.stack(a))


def test_block() -> None:
    agree(lambda a, b: J.block([[a, a], [b, b]]), lambda a, b: np.block([[a, a], [b, b]]), X, Y)
    agree(lambda a, b: J.block([a, b]), lambda a, b: np.block([a, b]), X[0], Y[0])
    agree(lambda a, b: J.block([[a[0]], [b[0]]]), lambda a, b: np.block([[a[0]], [b[0]]]), X, Y)
    agree(lambda a: J.block(a), lambda a: np.block(a), X)
    agree(lambda a: J.block([[a[None]], [a[None]]]), lambda a: np.block([[a[None]], [a[None]]]), X)
    same_error(lambda a: J.block([[a], a]), lambda a: np.block([[a], a]), X)


def test_append() -> None:
    both("append", X, Y)
    both("append", X, Y, axis=0)
    both("append", X, 3)


@pytest.mark.parametrize("cuts", [1, 2, 3, [1], [1, 2], [2, 1], [-1], [5]])
def test_array_split(cuts: Any) -> None:
    both("array_split", X, indices_or_sections=cuts)
    both("array_split", X, indices_or_sections=cuts, axis=1)


def test_split() -> None:
    z = np.arange(48.0).reshape(2, 6, 4)
    for name in ("split", "vsplit", "hsplit", "dsplit"):
        both(name, z, indices_or_sections=2)
        both(name, z, indices_or_sections=[1])
    both("hsplit", z[0, :, 0], indices_or_sections=3)
    same_error(lambda x: J.split(x, 5), lambda x: np.split(x, 5), z)
    same_error(lambda x: J.dsplit(x, 2), lambda x: np.dsplit(x, 2), X)
    same_error(lambda x: J.array_split(x, 0), lambda x: np.array_split(x, 0), X)


def test_tile_and_repeat() -> None:
    for reps in (2, (2,), (1, 3), (2, 1, 2), 0):
        both("tile", X, reps=reps)
    for repeats, axis in (
        (2, None),
        (2, 0),
        ([1, 0, 3], 0),
        (np.array([2]), 1),
        ([1, 2, 0, 1], -1),
    ):
        both("repeat", X, repeats=repeats, axis=axis)
    both("repeat", 3.0, repeats=4)
    same_error(lambda x: J.repeat(x, [1, 2], 0), lambda x: np.repeat(x, [1, 2], 0), X)


def test_repeat_with_traced_counts_needs_a_length() -> None:
    counts = np.array([1, 0, 3])
    with pytest.raises(TypeError, match="total_repeat_length"):
        traced(lambda x, n: J.repeat(x, n, axis=0), X, counts)
    got = traced(lambda x, n: J.repeat(x, n, axis=0, total_repeat_length=4), X, counts)
    np.testing.assert_array_equal(got, np.repeat(X, counts, 0))
    np.testing.assert_array_equal(J.repeat(X, counts, 0, total_repeat_length=5)[-1], X[-1])
    often = np.random.default_rng(3).integers(0, 4, 100)  # with elements left out in a row
    for length in (int(often.sum()), 50, 0):
        got = traced(
            lambda x, n, size=length: J.repeat(x, n, total_repeat_length=size),
            np.arange(100.0),
            often,
        )
        np.testing.assert_array_equal(got, np.repeat(np.arange(100.0), often)[:length])


@pytest.mark.parametrize(
    ("obj", "values", "axis"),
    [
        (1, 5.0, None),
        (1, 5.0, 0),
        (-1, np.arange(4.0), 0),
        (1, np.arange(3.0), 1),
        ([1, 2], 7.0, 0),
        ([0, 0, 3], np.arange(12.0).reshape(3, 4), 0),
        ([2], np.arange(8.0).reshape(2, 4), 0),
        (slice(0, 2), 9.0, 1),
        (np.array([True, False, True]), -1.0, 0),
    ],
)
def test_insert(obj: Any, values: Any, axis: int | None) -> None:
    agree(
        lambda x, v: J.insert(x, obj, v, axis), lambda x, v: np.insert(x, obj, v, axis), X, values
    )


@pytest.mark.parametrize("obj", [0, -1, [0, 2], [-1, 0], slice(None, None, 2), []])
def test_delete(obj: Any) -> None:
    for axis in (0, None):
        agree(lambda x: J.delete(x, obj, axis), lambda x: np.delete(x, obj, axis), X)
    mask = np.array([True, False, True])
    agree(lambda x: J.delete(x, mask, 0), lambda x: np.delete(x, mask, 0), X)
    same_error(lambda x: J.delete(x, 7, 0), lambda x: np.delete(x, 7, 0), X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: J.concatenate([x, 2 * x, x[:1]]),
        lambda x: J.stack([x, x * x], 1),
        lambda x: J.block([[x, x], [2 * x, x]]),
        lambda x: J.split(x, [1, 2], 1),
        lambda x: J.tile(x, (2, 3)),
        lambda x: J.repeat(x, [1, 0, 2], 0),
        lambda x: J.repeat(x, 2, 1),
        lambda x: J.insert(x, 1, x[0] * 2, 0),
        lambda x: J.delete(x, [0, 2], 1),
        lambda x: J.unstack(x, axis=1),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X / 7)
