"""Windows that index vectors name, and their kin, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import lax

X = np.random.default_rng(4).standard_normal((5, 6, 3))
ROWS = lax.ScatterDimensionNumbers((1, 2), (0,), (0,))
UPDATES = np.random.default_rng(5).standard_normal((3, 6, 3))
AT = np.array([[4], [1], [4]])

WRITES = {
    "scatter_add": np.add,
    "scatter_sub": np.subtract,
    "scatter_mul": np.multiply,
    "scatter_min": np.minimum,
    "scatter_max": np.maximum,
}


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", WRITES)
def test_scatters_combine_what_meets_in_a_place(name, wrap):
    want = X.copy()
    WRITES[name].at(want, AT[:, 0], UPDATES)
    f = wrap(lambda x, i, u: getattr(lax, name)(x, i, u, ROWS))
    np.testing.assert_allclose(f(X, AT, UPDATES), want, rtol=1e-14)


def test_a_function_of_the_windows():
    want = X.copy()
    want[[3, 0]] = np.tanh(want[[3, 0]])
    f = fxla.jit(
        lambda x, i: lax.scatter_apply(x, i, fxla.numpy.tanh, ROWS, update_shape=(2, 6, 3))
    )
    np.testing.assert_allclose(f(X, np.array([[3], [0]])), want, rtol=1e-14)


def test_positions_along_some_axes():
    i, j = np.array([4, 0, 2]), np.array([1, 1, 0])
    np.testing.assert_array_equal(lax.index_take(X, [i, j], (0, 1)), X[i, j])
    np.testing.assert_array_equal(
        fxla.jit(lambda x, i: lax.index_take(x, [i], (1,)))(X, i), X[:, i]
    )


def test_a_slice_is_replaced_along_one_axis():
    want = X.copy()
    want[:, 2:4] = 0.5
    patch = np.full((5, 2, 3), 0.5)
    f = fxla.jit(lambda x, u, at: lax.dynamic_update_slice_in_dim(x, u, at, 1))
    np.testing.assert_array_equal(f(X, patch, 2), want)
    # A start beyond the last place where the update fits is that place.
    want = X.copy()
    want[:, 4:] = 0.5
    np.testing.assert_array_equal(f(X, patch, 17), want)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_largest_and_smallest_are_exact(axis):
    order = np.sort(X, axis)
    most, where = lax.approx_max_k(X, 2, axis)
    np.testing.assert_array_equal(most, np.flip(order, axis).take([0, 1], axis))
    np.testing.assert_array_equal(np.take_along_axis(X, np.asarray(where), axis), most)
    least, where = fxla.jit(lambda x: lax.approx_min_k(x, 2, axis))(X)
    np.testing.assert_array_equal(least, order.take([0, 1], axis))
    np.testing.assert_array_equal(np.take_along_axis(X, np.asarray(where), axis), least)


def test_ranges_and_ranks():
    np.testing.assert_array_equal(
        lax.broadcasted_iota(np.int32, (2, 3), 1), np.broadcast_to(np.arange(3), (2, 3))
    )
    assert lax.broadcast_to_rank(np.ones((2, 3)), 4).shape == (1, 1, 2, 3)
