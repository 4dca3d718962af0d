# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Sorting, searching and selecting: as NumPy's; sizes that depend on values are asked for."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.numpy.agreement import (
    agree,
    both,
    check_gradient,
    same_error,
    traced,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5))


@pytest.mark.parametrize("dtype", "bool int32 uint8 float16 float32 float64 complex128".split())
def test_sort(dtype: str) -> None:
    x = (X * 3).astype(dtype)
    for axis in (None, 0, -1):
        both("sort", x, axis=axis)
        agree(
            lambda a: fnp.argsort(a, axis=axis, stable=True),
            lambda a: np.argsort(a, axis=axis, stable=True),
            x,
        )
    both("sort_complex", x[0])


def test_nan_comes_last() -> None:
    x = X.copy()
    x[0, 1] = x[2, 2] = np.nan
    both("sort", x)
    both("argsort", x, axis=0)


def test_lexsort() -> None:
    a, b = RNG.integers(0, 3, 20), RNG.integers(0, 3, 20)
    agree(lambda x, y: fnp.lexsort((x, y)), lambda x, y: np.lexsort((x, y)), a, b)
    both("lexsort", np.stack([a, b, a]))
    both("lexsort", np.stack([a, b]).reshape(2, 4, 5), axis=0)
    agree(lambda x: fnp.lexsort((x, X[:, ::-1])), lambda x: np.lexsort((x, X[:, ::-1])), X)


def test_partition() -> None:
    for kth in (0, 2, -1):
        got = traced(lambda a: fnp.partition(a, kth, axis=1), X)
        np.testing.assert_array_equal(got[:, kth], np.partition(X, kth, axis=1)[:, kth])
        got = traced(lambda a: fnp.argpartition(a, kth, axis=0), X)
        np.testing.assert_array_equal(
            np.take_along_axis(X, np.asarray(got), 0)[kth], np.partition(X, kth, axis=0)[kth]
        )
    same_error(lambda a: fnp.partition(a, 9), lambda a: np.partition(a, 9), X)


def test_derivatives() -> None:
    check_gradient(lambda a: fnp.sort(a, axis=0), X)
    check_gradient(lambda a: fnp.sort(a, axis=None), X)
    check_gradient(lambda a: fnp.partition(a, 2), np.sort(X), batched=False)


@pytest.mark.parametrize("dtype", ["f8", "i4", "?"])
def test_descending(dtype):
    x = np.random.default_rng(0).integers(0, 4, (5, 6)).astype(dtype)
    for axis in (0, -1):
        want = np.flip(np.sort(x, axis), axis)
        at = np.argsort(-x.astype("f8"), axis, stable=True)
        for wrap in (lambda f: f, fxla.jit):
            np.testing.assert_array_equal(
                wrap(lambda a, k=axis: fnp.sort(a, k, descending=True))(x), want
            )
            got = wrap(lambda a, k=axis: fnp.argsort(a, k, descending=True, stable=True))(x)
            np.testing.assert_array_equal(got, at)
            np.testing.assert_array_equal(
                wrap(lambda a, k=axis: fnp.sort(a, k, descending=False))(x), np.sort(x, axis)
            )
