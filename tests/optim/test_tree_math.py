"""Arithmetic with trees."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim, random

A = {"x": np.array([1.0, -2.0]), "y": [np.array([[3.0 + 4.0j]])]}
FLAT = np.array([1.0, -2.0, 3.0 + 4.0j])


def test_norms():
    for order, wanted in ((None, 2), (2, 2), (1, 1), (np.inf, np.inf), ("inf", np.inf)):
        norm = np.linalg.norm(FLAT, wanted)
        np.testing.assert_allclose(optim.tree_norm(A, order), norm, rtol=1e-12)
        np.testing.assert_allclose(optim.tree_norm(A, order, squared=True), norm**2, rtol=1e-12)
    with pytest.raises(ValueError, match="ord must be 1, 2 or inf, not 3"):
        optim.tree_norm(A, 3)


def test_sums():
    np.testing.assert_allclose(optim.tree_vdot(A, A), np.vdot(FLAT, FLAT))
    np.testing.assert_allclose(optim.tree_sum(A), FLAT.sum())
    assert optim.tree_size(A) == 3
    real = {"x": A["x"], "empty": np.zeros(0)}
    assert (optim.tree_max(real), optim.tree_min(real)) == (1.0, -2.0)


def test_leaf_by_leaf():
    total = optim.tree_add(A, optim.tree_scale(2.0, A))
    np.testing.assert_allclose(total["x"], 3 * A["x"])
    np.testing.assert_allclose(optim.tree_sub(total, A)["x"], 2 * A["x"])
    np.testing.assert_allclose(optim.tree_mul(A, A)["x"], A["x"] ** 2)
    np.testing.assert_allclose(optim.tree_div(A, A)["x"], 1)
    np.testing.assert_allclose(optim.tree_add_scale(A, 0.5, A)["x"], 1.5 * A["x"])
    np.testing.assert_allclose(optim.tree_real(A)["y"][0], [[3.0]])
    np.testing.assert_allclose(optim.tree_conj(A)["y"][0], [[3 - 4j]])
    np.testing.assert_allclose(optim.tree_clip([A["x"]], 0.0, 0.5)[0], [0.5, 0.0])
    assert bool(optim.tree_allclose(A, A)) and not optim.tree_allclose(A, total)
    np.testing.assert_array_equal(optim.tree_where(False, A, total)["x"], total["x"])


def test_single_precision_stays():
    x = [np.float32([1.0, 2.0])]
    for made in (
        optim.tree_scale(np.float64(2), x),
        optim.tree_add_scale(x, np.float64(2), x),
        optim.tree_bias_correction(x, 0.9, np.int32(3)),
        optim.tree_cast_like([np.ones(2)], x),
        optim.tree_random_like(random.key(0), x),
        optim.tree_ones_like(x),
    ):
        assert made[0].dtype == np.float32
    np.testing.assert_allclose(optim.tree_bias_correction(x, 0.9, np.int32(3))[0], x[0] / 0.271)


def test_the_norm_of_zero_has_a_derivative():
    np.testing.assert_array_equal(fxla.grad(lambda x: optim.global_norm([x]))(np.zeros(2)), 0)
