"""Exchanges between examples, against NumPy on the whole batch."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.errors import ShapeError

X = np.random.default_rng(0).normal(size=(3, 6, 2))


def mapped(f):
    return fxla.jit(fxla.vmap(f, axis_name="i"))(X)


def test_values_move_along_pairs() -> None:
    want = np.stack([np.zeros((6, 2)), X[2], X[0]])
    np.testing.assert_array_equal(mapped(lambda x: lax.ppermute(x, "i", [(2, 1), (0, 2)])), want)
    np.testing.assert_array_equal(mapped(lambda x: lax.pshuffle(x, "i", [1, 2, 0])), X[[1, 2, 0]])


def test_the_derivative_goes_the_other_way() -> None:
    def loss(x):
        sent = fxla.vmap(lambda r: lax.ppermute(r, "i", [(0, 1), (1, 2)]), axis_name="i")(x)
        return (sent * np.arange(3.0)[:, None, None]).sum()

    want = np.broadcast_to(np.array([1.0, 2.0, 0.0])[:, None, None], X.shape)
    np.testing.assert_array_equal(fxla.grad(loss)(X), want)


def test_parts_for_everyone() -> None:
    got = mapped(lambda x: lax.all_to_all(x[:3], "i", 0, 1))
    np.testing.assert_array_equal(got, X[:, :3].transpose(1, 2, 0))
    tiled = mapped(lambda x: lax.all_to_all(x, "i", 0, 1, tiled=True))
    want = np.concatenate([X[j].reshape(3, 2, 2) for j in range(3)], axis=2)
    np.testing.assert_array_equal(tiled, want)


def test_sums_are_shared_out() -> None:
    total = X.sum(0)
    got = mapped(lambda x: lax.psum_scatter(x, "i", tiled=True))
    np.testing.assert_allclose(got, total.reshape(3, 2, 2), rtol=1e-14)
    got = mapped(lambda x: lax.psum_scatter(x[:3], "i"))
    np.testing.assert_allclose(got, total[:3], rtol=1e-14)


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(ShapeError, match="cannot be split among the 3"):
        mapped(lambda x: lax.all_to_all(x, "i", 1, 0))
    with pytest.raises(ShapeError, match="cannot be shared among the 3"):
        mapped(lambda x: lax.psum_scatter(x, "i", scatter_dimension=1))
    with pytest.raises(ValueError, match="sends or receives twice"):
        mapped(lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]))
