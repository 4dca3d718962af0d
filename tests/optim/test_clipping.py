"""Updates are held to their sizes."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim

RNG = np.random.default_rng(0)
TREE = {"w": RNG.standard_normal((3, 4)), "b": RNG.standard_normal(4) * 5}


def updated(tx, params=None):
    out = tx.update(TREE, tx.init(TREE), params)[0]
    compiled = fxla.jit(lambda t: tx.update(t, tx.init(TREE), params)[0])(TREE)
    for k in TREE:
        np.testing.assert_allclose(out[k], compiled[k], rtol=1e-12)
    return out


def test_by_element_and_by_leaf():
    out = updated(optim.clip(0.7))
    np.testing.assert_array_equal(out["w"], np.clip(TREE["w"], -0.7, 0.7))
    out = updated(optim.clip_by_block_rms(0.5))
    for k, x in TREE.items():
        np.testing.assert_allclose(out[k], x / max(1, np.sqrt((x**2).mean()) / 0.5), rtol=1e-12)


@pytest.mark.parametrize("most", [0.5, 1e3])
def test_by_global_norm(most):
    norm = np.sqrt(sum((x**2).sum() for x in TREE.values()))
    out = updated(optim.clip_by_global_norm(most))
    for k, x in TREE.items():
        np.testing.assert_allclose(out[k], x * min(1, most / norm), rtol=1e-12)
    np.testing.assert_allclose(optim.global_norm(TREE), norm, rtol=1e-12)


def test_by_unit():
    params = {"w": RNG.standard_normal((3, 4)), "b": np.zeros(4)}
    out = updated(optim.adaptive_grad_clip(0.1), params)
    for k, g in TREE.items():
        axis = 0 if g.ndim == 2 else None
        size = np.sqrt((g**2).sum(axis, keepdims=True))
        most = 0.1 * np.maximum(np.sqrt((params[k] ** 2).sum(axis, keepdims=True)), 1e-3)
        np.testing.assert_allclose(out[k], g * np.minimum(1, most / size), rtol=1e-12)
    with pytest.raises(ValueError, match="adaptive_grad_clip: this transformation needs"):
        updated(optim.adaptive_grad_clip(0.1))


def test_by_example():
    batch = {"w": RNG.standard_normal((5, 2, 3)), "b": RNG.standard_normal((5, 2))}
    norms = np.sqrt((batch["w"] ** 2).sum((1, 2)) + (batch["b"] ** 2).sum(1))
    most = np.median(norms)
    sums, count = optim.per_example_global_norm_clip(batch, most)
    factors = np.minimum(1, most / norms)
    np.testing.assert_allclose(sums["b"], factors @ batch["b"], rtol=1e-12)
    assert count == 2
    sums, _ = optim.per_example_layer_norm_clip(batch, most, uniform=False)
    share = most * np.sqrt(2 / 8)
    factors = np.minimum(1, share / np.sqrt((batch["b"] ** 2).sum(1)))
    np.testing.assert_allclose(sums["b"], factors @ batch["b"], rtol=1e-12)
    with pytest.raises(ValueError, match="one leading axis of examples"):
        optim.per_example_global_norm_clip(TREE, 1.0)
