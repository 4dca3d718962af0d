from __future__ import annotations

import numpy as np
import pytest

from fxla import optim
from tests.optim.walk import START, agrees


@pytest.mark.parametrize("b2", [1.0, 0.9])
def test_sums_by_rows_and_columns(b2: float) -> None:
    rows, columns = np.zeros(2), np.zeros(3)
    mean = np.zeros_like(START)

    def step(t, p, g):
        nonlocal rows, columns, mean
        if t == 0:
            rows, columns, mean = np.zeros(2), np.zeros(3), np.zeros_like(START)
        sums = np.empty_like(g)
        for i in range(2):
            for j in range(3):
                gain = 1.0 if b2 == 1.0 else 1 - b2
                sums[i, j] = b2 * min(rows[i], columns[j]) + gain * g[i, j] ** 2
        rows, columns = sums.max(1), sums.max(0)
        mean = 0.7 * mean + 0.3 * g / np.sqrt(sums + 1e-8)
        return -0.1 * mean

    agrees(optim.chain(optim.scale_by_sm3(0.7, b2), optim.scale(-0.1)), step)


def test_sm3_is_adagrad_for_vectors_and_numbers() -> None:
    rng = np.random.default_rng(2)
    params = {"v": rng.standard_normal(4), "x": np.float64(0.5)}
    tx = optim.sm3(0.1, momentum=0.0)
    state, sums = tx.init(params), {"v": 0.0, "x": 0.0}
    for _ in range(3):
        grads = {"v": rng.standard_normal(4), "x": np.float64(rng.standard_normal())}
        updates, state = tx.update(grads, state, params)
        for k, g in grads.items():
            sums[k] = sums[k] + g**2
            np.testing.assert_allclose(updates[k], -0.1 * g / np.sqrt(sums[k] + 1e-8))


def test_the_state_is_as_large_as_the_axes() -> None:
    state = optim.scale_by_sm3().init([np.ones((5, 6, 7))])
    assert [m.shape for m in state.mu[0]] == [(5,), (6,), (7,)]


def test_a_gradient_of_zero_moves_nothing() -> None:
    tx = optim.sm3(0.1)
    updates, _ = tx.update([np.zeros((2, 2))], tx.init([np.ones((2, 2))]))
    np.testing.assert_array_equal(updates[0], np.zeros((2, 2)))


def test_complex_parameters_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be real, got complex128; use optim\.adam"):
        optim.sm3(0.1).init([1j * np.ones(2)])
