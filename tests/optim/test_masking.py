"""Parts of the parameters: masks, labels, paths."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim

PARAMS = {"layers": [{"w": np.ones((2, 2)), "b": np.ones(2)}, {"w": np.ones(2), "b": np.ones(1)}]}


def by_path(tree):
    return fxla.tree.map_with_path(lambda path, _: fxla.tree.keystr(path).endswith("['w']"), tree)


@pytest.mark.parametrize("mask", [by_path, by_path(PARAMS)], ids=["function", "tree"])
def test_masked_by_path(mask):
    tx = optim.masked(optim.adam(0.5), mask)
    state = tx.init(PARAMS)
    assert len(fxla.tree.leaves(state)) == 1 + 2 * 2  # a count, and moments of the weights only
    updates, _ = fxla.jit(tx.update)(PARAMS, state, PARAMS)
    np.testing.assert_allclose(updates["layers"][0]["w"], -0.5, rtol=1e-6)
    np.testing.assert_array_equal(updates["layers"][0]["b"], 1)


def test_a_mask_may_be_a_prefix():
    tx = optim.masked(optim.scale(3.0), {"layers": [True, False]})
    updates, _ = tx.update(PARAMS, tx.init(PARAMS))
    np.testing.assert_array_equal(updates["layers"][0]["b"], 3)
    np.testing.assert_array_equal(updates["layers"][1]["b"], 1)


def test_labels():
    labels = fxla.tree.map(lambda w: "weights" if w else "rest", by_path(PARAMS))
    transforms = {"weights": optim.sgd(1.0), "rest": optim.sgd(0.1, momentum=0.9)}
    for given in (labels, lambda tree: labels):
        tx = optim.multi_transform(transforms, given)
        state = tx.init(PARAMS)
        assert len(fxla.tree.leaves(state)) == 2  # two biases have a momentum
        updates, state = tx.update(PARAMS, state)
        updates, _ = tx.update(PARAMS, state)
        np.testing.assert_allclose(updates["layers"][1]["w"], -1.0)
        np.testing.assert_allclose(updates["layers"][1]["b"], -0.19)
    with pytest.raises(ValueError, match=r"labels \['rest'\] have no transformation"):
        optim.partition({"weights": optim.sgd(1.0)}, labels).init(PARAMS)


def test_frozen_parameters_stay():
    tx = optim.selective_transform(optim.adam(0.1), freeze_mask=by_path)
    state = tx.init(PARAMS)
    updates, _ = tx.update(PARAMS, state, PARAMS)
    moved = optim.apply_updates(PARAMS, updates)
    np.testing.assert_array_equal(moved["layers"][0]["w"], PARAMS["layers"][0]["w"])
    assert (moved["layers"][0]["b"] != PARAMS["layers"][0]["b"]).all()
    frozen, _ = optim.freeze(by_path).update(PARAMS, optim.freeze(by_path).init(PARAMS))
    np.testing.assert_array_equal(frozen["layers"][0]["w"], 0)


def test_keyword_arguments_are_masked_if_asked():
    seen = {}

    def update(updates, state, params=None, *, other, **extra):
        seen["other"] = other
        return updates, state

    inner = optim.GradientTransformationExtraArgs(lambda p: (), update)
    tx = optim.masked(inner, {"layers": [True, False]}, mask_compatible_extra_args=True)
    tx.update(PARAMS, tx.init(PARAMS), other=PARAMS)
    assert seen["other"]["layers"][1] == optim.MaskedNode()
