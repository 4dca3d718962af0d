# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Sorting, searching and selecting: as NumPy's; sizes that depend on values are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.numpy import sorting as S
from tests.numpy.agreement import agree, assert_same, check_gradient, grad, same_error, traced, vmap

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5))


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(S, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("dtype", "bool int32 uint8 float16 float32 float64 complex128".split())
def test_sort(dtype: str) -> None:
    x = (X * 3).astype(dtype)
    for axis in (None, 0, -1):
        both("sort", x, axis=axis)
        agree(
            lambda a: S.argsort(a, axis=axis, stable=True),
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
    agree(lambda x, y: S.lexsort((x, y)), lambda x, y: np.lexsort((x, y)), a, b)
    both("lexsort", np.stack([a, b, a]))
    both("lexsort", np.stack([a, b]).reshape(2, 4, 5), axis=0)
    agree(lambda x: S.lexsort((x, X[:, ::-1])), lambda x: np.lexsort((x, X[:, ::-1])), X)


def test_partition() -> None:
    for kth in (0, 2, -1):
        got = traced(lambda a: S.partition(a, kth, axis=1), X)
        np.testing.assert_array_equal(got[:, kth], np.partition(X, kth, axis=1)[:, kth])
        got = traced(lambda a: S.argpartition(a, kth, axis=0), X)
        np.testing.assert_array_equal(
            np.take_along_axis(X, np.asarray(got), 0)[kth], np.partition(X, kth, axis=0)[kth]
        )
    same_error(lambda a: S.partition(a, 9), lambda a: np.partition(a, 9), X)


def test_searchsorted() -> None:
    edges = np.array([0.0, 1.0, 1.0, 2.0, np.nan])
    values = np.array([[-1.0, 0.0, 1.0], [1.5, 2.0, np.nan]])
    for side in ("left", "right"):
        both("searchsorted", edges, values, side=side)
        both("searchsorted", np.arange(4), 1.5, side=side)
    shuffled = np.array([2.0, 0.0, 1.0])
    agree(
        lambda a, v: S.searchsorted(a, v, sorter=np.array([1, 2, 0])),
        lambda a, v: np.searchsorted(a, v, sorter=np.array([1, 2, 0])),
        shuffled,
        values[0],
    )
    same_error(S.searchsorted, np.searchsorted, X, 1.0)
    same_error(lambda a: S.searchsorted(a, 1.0, "x"), lambda a: np.searchsorted(a, 1.0, "x"), edges)


def test_digitize() -> None:
    edges, x = np.array([0.0, 1.0, 1.0, 2.5]), np.array([-1.0, 0.0, 0.5, 1.0, 2.5, 3.0])
    for right in (False, True):
        for bins in (edges, edges[::-1], edges[:1]):
            both("digitize", x, bins, right=right)
            agree(lambda v: S.digitize(v, bins, right), lambda v: np.digitize(v, bins, right), x)
    bad = np.array([0.0, 2.0, 1.0])
    agree(lambda v: S.digitize(v, edges), lambda v: np.digitize(v, edges), x)
    with pytest.raises(ValueError, match="monotonic"):
        traced(lambda v: S.digitize(v, bad), x)


Z = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]])


def test_positions_with_a_size() -> None:
    for size in (1, 3, 5):
        rows, columns = traced(lambda a: S.nonzero(a, size=size, fill_value=(-1, -2)), Z)
        want = np.nonzero(Z)
        k = min(size, 3)
        np.testing.assert_array_equal(rows[:k], want[0][:k])
        np.testing.assert_array_equal(columns[:k], want[1][:k])
        assert np.all(np.asarray(rows[k:]) == -1) and np.all(np.asarray(columns[k:]) == -2)
    assert_same(traced(lambda a: S.nonzero(a, size=3), Z), np.nonzero(Z))
    assert_same(traced(lambda a: S.flatnonzero(a, size=3), Z), np.flatnonzero(Z))
    assert_same(traced(lambda a: S.argwhere(a, size=3), Z), np.argwhere(Z))
    assert_same(S.argwhere(Z, size=3), np.argwhere(Z))
    for name in ("nonzero", "flatnonzero", "argwhere"):
        assert_same(fxla.jit(getattr(S, name))(Z), getattr(np, name)(Z))
    assert_same(S.nonzero(Z), np.nonzero(Z))
    assert_same(S.argwhere(np.float64(2.0)), np.argwhere(np.float64(2.0)))
    same_error(lambda a: S.nonzero(a), lambda a: np.nonzero(a), np.float64(1.0))


def test_positions_under_vmap_and_grad() -> None:
    batch = np.stack([Z[0], Z[1]])
    got = vmap(lambda a: S.flatnonzero(a, size=2, fill_value=9))(batch)
    np.testing.assert_array_equal(got, [[1, 9], [0, 2]])
    # under grad the values are known, so no size is needed
    found = grad(lambda a: (a.ravel()[S.flatnonzero(a)] ** 2).sum())(Z)
    np.testing.assert_array_equal(found, 2 * Z)


def test_extract_and_compress() -> None:
    mask = Z > 0
    assert_same(S.extract(mask, Z), np.extract(mask, Z))
    assert_same(traced(lambda m, a: S.extract(m, a, size=3), mask, Z), np.extract(mask, Z))
    assert_same(
        traced(lambda m, a: S.extract(m, a, size=4, fill_value=-1), mask, Z),
        np.append(np.extract(mask, Z), -1.0),
    )
    keep = np.array([True, False, True])
    agree(lambda a: S.compress(keep, a, 1), lambda a: np.compress(keep, a, 1), Z)
    agree(lambda a: S.compress(keep[:2], a, 1), lambda a: np.compress(keep[:2], a, 1), Z)
    assert_same(traced(lambda m, a: S.compress(m, a, 1, size=2), keep, Z), Z[:, keep])
    assert_same(fxla.jit(lambda m, a: S.compress(m, a, 1))(keep, Z), Z[:, keep])
    assert_same(fxla.jit(S.extract)(mask, Z), Z[mask])
    check_gradient(lambda a: S.compress(keep, a, 1), Z)
    check_gradient(lambda a: S.extract(mask, a, size=4), Z, batched=False)


def test_select() -> None:
    def f(xp: Any) -> Any:
        return lambda x: xp.select([x < 0, x > 1], [x * x, x + 1], default=7)

    agree(f(S), f(np), X)
    agree(
        lambda x: S.select([x < 0], [np.arange(5)], -1.5),
        lambda x: np.select([x < 0], [np.arange(5)], -1.5),
        X,
    )
    for case in (([], []), ([X > 0], [X, X]), ([X], [X])):
        same_error(lambda x: S.select(*case, x), lambda x: np.select(*case, x), X)
    check_gradient(f(S), X)


def test_derivatives() -> None:
    check_gradient(lambda a: S.sort(a, axis=0), X)
    check_gradient(lambda a: S.sort(a, axis=None), X)
    check_gradient(lambda a: S.partition(a, 2), np.sort(X), batched=False)


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
