# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""Sets: as NumPy's where the values are known, and with a size where they are not."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.agreement import agree, assert_same, grad, traced

X = np.array([3.0, 1.0, 2.0, 3.0, 1.0, np.nan, np.nan, -0.0, 0.0])
Y = np.array([2.0, 5.0, 3.0, 5.0])
M = np.array([[1, 2], [0, 1], [1, 2], [1, 0]])


def test_isin() -> None:
    for x, y in ((X, Y), (M, np.array([2, 7])), (M, np.array([], int)), (X + 1j, Y + 1j)):
        for invert in (False, True):
            agree(
                lambda a, b: fnp.isin(a, b, invert=invert),
                lambda a, b: np.isin(a, b, invert=invert),
                x,
                y,
            )


@pytest.mark.parametrize("name", ["intersect1d", "union1d", "setdiff1d", "setxor1d"])
def test_two_sets(name: str) -> None:
    x = X[:5]
    want = getattr(np, name)(x, Y)
    k = len(want)
    assert_same(getattr(fnp, name)(x, Y), want)
    assert_same(traced(lambda a, b: getattr(fnp, name)(a, b, size=k), x, Y), want)
    longer = traced(lambda a, b: getattr(fnp, name)(a, b, size=k + 1, fill_value=-1), x, Y)
    assert_same(longer, np.append(want, -1.0))
    found = grad(lambda a: getattr(fnp, name)(a, Y).sum())(x)
    assert found.sum() == np.isin(want, x).sum()  # each element of x that is in the result


def test_positions_of_an_intersection() -> None:
    x = X[:5]
    want = np.intersect1d(x, Y, return_indices=True)
    got = traced(lambda a, b: fnp.intersect1d(a, b, return_indices=True, size=2), x, Y)
    assert_same(got, want)
