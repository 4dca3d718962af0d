"""A tree as one vector, and back."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla.flatten_util import ravel_pytree

TREE = {"w": np.arange(6.0).reshape(2, 3), "b": np.array([1, 2], np.int32), "s": np.float64(7.0)}


def test_there_and_back():
    vector, unravel = ravel_pytree(TREE)
    np.testing.assert_array_equal(vector, [1, 2, 7, 0, 1, 2, 3, 4, 5])
    back = unravel(2 * vector)
    for key, x in TREE.items():
        assert (back[key].shape, back[key].dtype) == (np.shape(x), x.dtype)
        np.testing.assert_array_equal(back[key], 2 * x)


def test_traced():
    def f(tree):
        vector, unravel = ravel_pytree(tree)
        return (unravel(vector**2)["w"] * 3).sum() + vector[-1]

    tree = {"w": TREE["w"], "s": 2.0}
    want = {"w": 6 * TREE["w"], "s": 0.0}
    want["w"][-1, -1] += 1
    for g in (fxla.grad(f), fxla.jit(fxla.grad(f))):
        got = g(tree)
        np.testing.assert_allclose(got["w"], want["w"])
        assert float(got["s"]) == want["s"]


def test_empty_trees_and_wrong_sizes():
    vector, unravel = ravel_pytree({})
    assert vector.shape == (0,) and unravel(vector) == {}
    with pytest.raises(ValueError, match="expected a vector of 9 elements"):
        ravel_pytree(TREE)[1](np.zeros(3))
