"""Elements repeated, inserted or left out: as NumPy does, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import repeating as J
from tests.numpy.agreement import agree, check_gradient, same_error, traced

X = np.arange(12.0).reshape(3, 4)


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(J, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


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
        lambda x: J.tile(x, (2, 3)),
        lambda x: J.repeat(x, [1, 0, 2], 0),
        lambda x: J.repeat(x, 2, 1),
        lambda x: J.insert(x, 1, x[0] * 2, 0),
        lambda x: J.delete(x, [0, 2], 1),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X / 7)
