"""Distinct elements: with a size, of rows, of values that are not known, and of nothing."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.numpy.agreement import assert_same, grad, traced, vmap

X = np.array([3.0, 1.0, 2.0, 3.0, 1.0, np.nan, np.nan, -0.0, 0.0])
Y = np.array([2.0, 5.0, 3.0, 5.0])
M = np.array([[1, 2], [0, 1], [1, 2], [1, 0]])


def test_unique_with_a_size() -> None:
    for x in (X, X[:5], M, M.astype(bool)):
        want = np.unique(x, True, True, True)
        k = len(want[0])
        got = traced(lambda a: fnp.unique(a, True, True, True, size=k), x)
        assert_same(got, want)
        assert_same(traced(lambda a: fnp.unique(a, size=k), x), want[0])
        longer = traced(lambda a: fnp.unique(a, return_counts=True, size=k + 2), x)
        assert_same(longer[0][:k], want[0])
        np.testing.assert_array_equal(np.asarray(longer[1][k:]), 0)
        np.testing.assert_array_equal(longer[0][k:], np.repeat(want[0][:1], 2))
    got = traced(lambda a: fnp.unique(a, size=6, fill_value=-1), M)
    np.testing.assert_array_equal(got, [0, 1, 2, -1, -1, -1])
    got = traced(lambda a: fnp.unique(a, size=6, equal_nan=False), X)
    np.testing.assert_array_equal(got, np.unique(X, equal_nan=False))


def test_unique_rows() -> None:
    for axis in (0, 1):
        want = np.unique(M, True, True, True, axis=axis)
        k = want[0].shape[axis]
        got = traced(lambda a: fnp.unique(a, True, True, True, axis=axis, size=k), M)
        assert_same(got, want)
        assert_same(fnp.unique(M, True, True, True, axis=axis), want)


def test_unknown_values_make_a_size_of_their_own() -> None:
    y = M.astype(float)[:2]
    for name in ("unique", "unique_values", "union1d", "intersect1d", "setdiff1d", "setxor1d"):
        others = () if "unique" in name else (y + 1,)
        got = fxla.jit(getattr(fnp, name))(M.astype(float), *others)
        assert_same(got, np.sort(getattr(np, name)(M.astype(float), *others)))
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        got = fxla.jit(lambda a: tuple(getattr(fnp, name)(a)))(y)
        assert_same(got, tuple(getattr(np, name)(y)))
    with pytest.raises(TypeError, match="size="):
        traced(lambda x: fnp.intersect1d(x, x, return_indices=True), X)


def test_array_api_forms() -> None:
    x = M.astype(float)
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        want = getattr(np, name)(x)
        k = len(want[0])
        got = traced(lambda a: tuple(getattr(fnp, name)(a, size=k)), x)
        assert_same(got, tuple(want))
        assert type(getattr(fnp, name)(x)) is type(want)
        assert_same(getattr(fnp, name)(x, size=k).values, want.values)
    assert_same(traced(lambda a: fnp.unique_values(a, size=3), x), np.sort(np.unique_values(x)))


def test_unique_under_grad_and_vmap() -> None:
    x = np.array([3.0, 1.0, 3.0])
    got = grad(lambda a: (fnp.unique(a) * np.array([10.0, 1.0])).sum())(x)
    np.testing.assert_array_equal(got, [1.0, 10.0, 0.0])
    rows = vmap(lambda a: fnp.unique(a, size=3, fill_value=0))(
        np.array([[3.0, 1.0, 3.0], [1, 2, 3]])
    )
    np.testing.assert_array_equal(rows, [[1, 3, 0], [1, 2, 3]])


@pytest.mark.parametrize("dtype", ["f8", "i4", "?", "c16"])
def test_unique_of_nothing(dtype):
    x = np.zeros((0, 3), dtype)
    for got, want in zip(fxla.jit(fnp.unique_all)(x), np.unique_all(x), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
