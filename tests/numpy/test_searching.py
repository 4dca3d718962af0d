"""Places in sorted arrays, and elements for which a condition holds, as NumPy finds them."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.numpy.agreement import (
    agree,
    assert_same,
    both,
    check_gradient,
    grad,
    same_error,
    traced,
    vmap,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5))
Z = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]])


def test_searchsorted() -> None:
    edges = np.array([0.0, 1.0, 1.0, 2.0, np.nan])
    values = np.array([[-1.0, 0.0, 1.0], [1.5, 2.0, np.nan]])
    for side in ("left", "right"):
        both("searchsorted", edges, values, side=side)
        both("searchsorted", np.arange(4), 1.5, side=side)
    shuffled = np.array([2.0, 0.0, 1.0])
    agree(
        lambda a, v: fnp.searchsorted(a, v, sorter=np.array([1, 2, 0])),
        lambda a, v: np.searchsorted(a, v, sorter=np.array([1, 2, 0])),
        shuffled,
        values[0],
    )
    same_error(fnp.searchsorted, np.searchsorted, X, 1.0)
    same_error(
        lambda a: fnp.searchsorted(a, 1.0, "x"), lambda a: np.searchsorted(a, 1.0, "x"), edges
    )


def test_digitize() -> None:
    edges, x = np.array([0.0, 1.0, 1.0, 2.5]), np.array([-1.0, 0.0, 0.5, 1.0, 2.5, 3.0])
    for right in (False, True):
        for bins in (edges, edges[::-1], edges[:1]):
            both("digitize", x, bins, right=right)
            agree(
                lambda v: fnp.digitize(v, bins, right),
                lambda v: np.digitize(v, bins, right),
                x,
            )
    bad = np.array([0.0, 2.0, 1.0])
    agree(lambda v: fnp.digitize(v, edges), lambda v: np.digitize(v, edges), x)
    with pytest.raises(ValueError, match="monotonic"):
        traced(lambda v: fnp.digitize(v, bad), x)


def test_positions_with_a_size() -> None:
    for size in (1, 3, 5):
        rows, columns = traced(lambda a: fnp.nonzero(a, size=size, fill_value=(-1, -2)), Z)
        want = np.nonzero(Z)
        k = min(size, 3)
        np.testing.assert_array_equal(rows[:k], want[0][:k])
        np.testing.assert_array_equal(columns[:k], want[1][:k])
        assert np.all(np.asarray(rows[k:]) == -1) and np.all(np.asarray(columns[k:]) == -2)
    assert_same(traced(lambda a: fnp.nonzero(a, size=3), Z), np.nonzero(Z))
    assert_same(traced(lambda a: fnp.flatnonzero(a, size=3), Z), np.flatnonzero(Z))
    assert_same(traced(lambda a: fnp.argwhere(a, size=3), Z), np.argwhere(Z))
    assert_same(fnp.argwhere(Z, size=3), np.argwhere(Z))
    for name in ("nonzero", "flatnonzero", "argwhere"):
        assert_same(fxla.jit(getattr(fnp, name))(Z), getattr(np, name)(Z))
    assert_same(fnp.nonzero(Z), np.nonzero(Z))
    assert_same(fnp.argwhere(np.float64(2.0)), np.argwhere(np.float64(2.0)))
    same_error(lambda a: fnp.nonzero(a), lambda a: np.nonzero(a), np.float64(1.0))


def test_positions_under_vmap_and_grad() -> None:
    batch = np.stack([Z[0], Z[1]])
    got = vmap(lambda a: fnp.flatnonzero(a, size=2, fill_value=9))(batch)
    np.testing.assert_array_equal(got, [[1, 9], [0, 2]])
    # under grad the values are known, so no size is needed
    found = grad(lambda a: (a.ravel()[fnp.flatnonzero(a)] ** 2).sum())(Z)
    np.testing.assert_array_equal(found, 2 * Z)


def test_extract_and_compress() -> None:
    mask = Z > 0
    assert_same(fnp.extract(mask, Z), np.extract(mask, Z))
    assert_same(traced(lambda m, a: fnp.extract(m, a, size=3), mask, Z), np.extract(mask, Z))
    assert_same(
        traced(lambda m, a: fnp.extract(m, a, size=4, fill_value=-1), mask, Z),
        np.append(np.extract(mask, Z), -1.0),
    )
    keep = np.array([True, False, True])
    agree(lambda a: fnp.compress(keep, a, 1), lambda a: np.compress(keep, a, 1), Z)
    agree(lambda a: fnp.compress(keep[:2], a, 1), lambda a: np.compress(keep[:2], a, 1), Z)
    assert_same(traced(lambda m, a: fnp.compress(m, a, 1, size=2), keep, Z), Z[:, keep])
    assert_same(fxla.jit(lambda m, a: fnp.compress(m, a, 1))(keep, Z), Z[:, keep])
    assert_same(fxla.jit(fnp.extract)(mask, Z), Z[mask])
    check_gradient(lambda a: fnp.compress(keep, a, 1), Z)
    check_gradient(lambda a: fnp.extract(mask, a, size=4), Z, batched=False)


def test_select() -> None:
    def f(xp: Any) -> Any:
        return lambda x: xp.select([x < 0, x > 1], [x * x, x + 1], default=7)

    agree(f(fnp), f(np), X)
    agree(
        lambda x: fnp.select([x < 0], [np.arange(5)], -1.5),
        lambda x: np.select([x < 0], [np.arange(5)], -1.5),
        X,
    )
    for case in (([], []), ([X > 0], [X, X]), ([X], [X])):
        same_error(lambda x: fnp.select(*case, x), lambda x: np.select(*case, x), X)
    check_gradient(f(fnp), X)
