# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Sets: as NumPy's where the values are known, and with a size where they are not."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla.numpy import sets as S
from tests.numpy.agreement import agree, assert_same, grad, traced, vmap

X = np.array([3.0, 1.0, 2.0, 3.0, 1.0, np.nan, np.nan, -0.0, 0.0])
Y = np.array([2.0, 5.0, 3.0, 5.0])
M = np.array([[1, 2], [0, 1], [1, 2], [1, 0]])


def test_unique_with_a_size() -> None:
    for x in (X, X[:5], M, M.astype(bool)):
        want = np.unique(x, True, True, True)
        k = len(want[0])
        got = traced(lambda a: S.unique(a, True, True, True, size=k), x)
        assert_same(got, want)
        assert_same(traced(lambda a: S.unique(a, size=k), x), want[0])
        longer = traced(lambda a: S.unique(a, return_counts=True, size=k + 2), x)
        assert_same(longer[0][:k], want[0])
        np.testing.assert_array_equal(np.asarray(longer[1][k:]), 0)
        np.testing.assert_array_equal(longer[0][k:], np.repeat(want[0][:1], 2))
    got = traced(lambda a: S.unique(a, size=6, fill_value=-1), M)
    np.testing.assert_array_equal(got, [0, 1, 2, -1, -1, -1])
    got = traced(lambda a: S.unique(a, size=6, equal_nan=False), X)
    np.testing.assert_array_equal(got, np.unique(X, equal_nan=False))


def test_unique_rows() -> None:
    for axis in (0, 1):
        want = np.unique(M, True, True, True, axis=axis)
        k = want[0].shape[axis]
        got = traced(lambda a: S.unique(a, True, True, True, axis=axis, size=k), M)
        assert_same(got, want)
        assert_same(S.unique(M, True, True, True, axis=axis), want)


def test_unknown_values_make_a_size_of_their_own() -> None:
    y = M.astype(float)[:2]
    for name in ("unique", "unique_values", "union1d", "intersect1d", "setdiff1d", "setxor1d"):
        others = () if "unique" in name else (y + 1,)
        got = fxla.jit(getattr(S, name))(M.astype(float), *others)
        assert_same(got, np.sort(getattr(np, name)(M.astype(float), *others)))
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        got = fxla.jit(lambda a: tuple(getattr(S, name)(a)))(y)
        assert_same(got, tuple(getattr(np, name)(y)))
    with pytest.raises(TypeError, match="size="):
        traced(lambda x: S.intersect1d(x, x, return_indices=True), X)


def test_array_api_forms() -> None:
    x = M.astype(float)
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        want = getattr(np, name)(x)
        k = len(want[0])
        got = traced(lambda a: tuple(getattr(S, name)(a, size=k)), x)
        assert_same(got, tuple(want))
        assert type(getattr(S, name)(x)) is type(want)
        assert_same(getattr(S, name)(x, size=k).values, want.values)
    assert_same(traced(lambda a: S.unique_values(a, size=3), x), np.sort(np.unique_values(x)))


def test_unique_under_grad_and_vmap() -> None:
    x = np.array([3.0, 1.0, 3.0])
    got = grad(lambda a: (S.unique(a) * np.array([10.0, 1.0])).sum())(x)
    np.testing.assert_array_equal(got, [1.0, 10.0, 0.0])
    rows = vmap(lambda a: S.unique(a, size=3, fill_value=0))(np.array([[3.0, 1.0, 3.0], [1, 2, 3]]))
    np.testing.assert_array_equal(rows, [[1, 3, 0], [1, 2, 3]])


def test_isin() -> None:
    for x, y in ((X, Y), (M, np.array([2, 7])), (M, np.array([], int)), (X + 1j, Y + 1j)):
        for invert in (False, True):
            agree(
                lambda a, b: S.isin(a, b, invert=invert),
                lambda a, b: np.isin(a, b, invert=invert),
                x,
                y,
            )


@pytest.mark.parametrize("name", ["intersect1d", "union1d", "setdiff1d", "setxor1d"])
def test_two_sets(name: str) -> None:
    x = X[:5]
    want = getattr(np, name)(x, Y)
    k = len(want)
    assert_same(getattr(S, name)(x, Y), want)
    assert_same(traced(lambda a, b: getattr(S, name)(a, b, size=k), x, Y), want)
    longer = traced(lambda a, b: getattr(S, name)(a, b, size=k + 1, fill_value=-1), x, Y)
    assert_same(longer, np.append(want, -1.0))
    found = grad(lambda a: getattr(S, name)(a, Y).sum())(x)
    assert found.sum() == np.isin(want, x).sum()  # each element of x that is in the result


def test_positions_of_an_intersection() -> None:
    x = X[:5]
    want = np.intersect1d(x, Y, return_indices=True)
    got = traced(lambda a, b: S.intersect1d(a, b, return_indices=True, size=2), x, Y)
    assert_same(got, want)


@pytest.mark.parametrize("dtype", ["f8", "i4", "?", "c16"])
def test_unique_of_nothing(dtype):
    x = np.zeros((0, 3), dtype)
    for got, want in zip(fxla.jit(S.unique_all)(x), np.unique_all(x), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
