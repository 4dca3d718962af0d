# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Counting: as NumPy's, with a length where the values are not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import histograms as H
from tests.numpy.agreement import agree, assert_same, check_gradient, same_error, traced, vmap

RNG = np.random.default_rng(0)
X = RNG.standard_normal(200)
W = RNG.random(200)
N = RNG.integers(0, 7, 50)


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(H, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


def test_bincount() -> None:
    for n in (N, N.astype("uint8"), np.zeros(0, int)):
        want = np.bincount(n)
        assert_same(traced(lambda x: H.bincount(x, length=len(want)), n), want)
        assert_same(H.bincount(n, length=len(want) + 2), np.bincount(n, minlength=len(want) + 2))
    assert_same(traced(lambda x: H.bincount(x, length=3), N), np.bincount(N)[:3])
    weights = W[:50]
    assert_same(
        traced(lambda x, w: H.bincount(x, w, length=7), N, weights), np.bincount(N, weights)
    )
    agree(lambda w: H.bincount(N, w), lambda w: np.bincount(N, w), weights)
    with pytest.raises(TypeError, match="length="):
        traced(H.bincount, N)
    same_error(
        lambda w: H.bincount(np.array([-1]), w), lambda w: np.bincount(np.array([-1]), w), W[:1]
    )
    same_error(H.bincount, np.bincount, X)
    assert traced(lambda x: H.bincount(x, length=3), np.array([-1, 1])).tolist() == [0, 1, 0]
    rows = vmap(lambda n: H.bincount(n, length=7))(N.reshape(5, 10))
    np.testing.assert_array_equal(rows, [np.bincount(r, minlength=7) for r in N.reshape(5, 10)])
    check_gradient(lambda w: H.bincount(N, w, length=7), weights)


def test_edges() -> None:
    for x in (X, X.astype("float32"), N, np.ones(3), np.zeros(0)):
        both("histogram_bin_edges", x)
        both("histogram_bin_edges", x, bins=4, range=(-1, 2))
        both("histogram_bin_edges", x, bins=[0.0, 1.0, 4.0])
    with pytest.raises(TypeError, match="auto"):
        traced(lambda x: H.histogram_bin_edges(x, "auto"), X)
    for options in ({"bins": 0}, {"bins": [2, 1]}, {"range": (2, 1)}):
        same_error(
            lambda x: H.histogram_bin_edges(x, **options),
            lambda x: np.histogram_bin_edges(x, **options),
            X,
        )
    check_gradient(lambda x: H.histogram_bin_edges(x, 4), X[:6])


def test_histogram() -> None:
    for x in (X, X.reshape(20, 10), N, X.astype("float32")):
        for options in (
            {},
            {"bins": 3},
            {"bins": 5, "range": (-1.0, 1.0)},
            {"bins": [-1.0, 0.0, 0.0, 2.0]},
            {"bins": [0, 1, 2, 3]},
        ):
            both("histogram", x, **options)
            if options.get("bins") != [-1.0, 0.0, 0.0, 2.0]:
                both("histogram", x, density=True, **options)
    agree(
        lambda x, w: H.histogram(x, 4, weights=w), lambda x, w: np.histogram(x, 4, weights=w), X, W
    )
    same_error(lambda x: H.histogram(x, weights=W[:3]), lambda x: np.histogram(x, weights=W[:3]), X)
    check_gradient(lambda w: H.histogram(X, 4, weights=w)[0], W)


def test_several_dimensions() -> None:
    points = X.reshape(50, 4)[:, :3]
    both("histogramdd", points, bins=3)
    both("histogramdd", points, bins=(2, 3, 4), density=True)
    both("histogramdd", points, bins=[[-1, 0, 1], 2, 3], range=[None, (-1, 1), None])
    agree(
        lambda p, w: H.histogramdd(p, 3, weights=w),
        lambda p, w: np.histogramdd(p, 3, weights=w),
        points,
        W[:50],
    )
    both("histogram2d", X, W)
    both("histogram2d", X, W, bins=[3, 4], range=[(-1, 1), (0, 0.5)])
    both("histogram2d", X, W, bins=np.array([0.0, 0.5, 1.0]))
    same_error(H.histogram2d, np.histogram2d, X, W[:3])
    same_error(
        lambda p: H.histogramdd(p, bins=(2, 3)), lambda p: np.histogramdd(p, bins=(2, 3)), points
    )
