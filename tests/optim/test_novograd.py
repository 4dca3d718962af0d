from __future__ import annotations

import numpy as np
import pytest

from fxla import optim
from tests.optim.walk import START, agrees


def test_novograd() -> None:
    m, v = np.zeros_like(START), 0.0

    def step(t, p, g):
        nonlocal m, v
        squared = (g**2).sum()
        m, v = (0.0 * m, squared) if t == 0 else (m, 0.25 * v + 0.75 * squared)
        m = 0.9 * m + g / (np.sqrt(v + 1e-3) + 1e-2) + 0.2 * p
        return -0.1 * m

    agrees(optim.novograd(0.1, eps=1e-2, eps_root=1e-3, weight_decay=0.2), step)


def test_each_leaf_has_one_number_of_its_own() -> None:
    params = {"a": np.ones((2, 3)), "b": np.ones(4)}
    tx = optim.scale_by_novograd(eps=0.0)
    updates, state = tx.update(
        {"a": np.full((2, 3), 9.0), "b": -params["b"]}, tx.init(params), params
    )
    assert state.nu["a"].shape == state.nu["b"].shape == ()
    np.testing.assert_allclose(updates["a"], np.full((2, 3), 6**-0.5))
    np.testing.assert_allclose(updates["b"], np.full(4, -0.5))


def test_complex_gradients_have_a_real_norm() -> None:
    tx = optim.scale_by_novograd(eps=0.0)
    grads = [np.array([3 + 4j, 12.0])]
    updates, state = tx.update(grads, tx.init(grads), grads)
    assert state.nu[0].dtype == np.float64
    np.testing.assert_allclose(updates[0], grads[0] / 13)


def test_parameters_are_asked_for() -> None:
    tx = optim.novograd(0.1)
    with pytest.raises(ValueError, match=r"update\(grads, state, params\)"):
        tx.update([1.0], tx.init([1.0]))
