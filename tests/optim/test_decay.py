from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim, random


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_noise_has_a_variance_that_falls(wrap) -> None:
    zeros = {"w": np.zeros((300, 100)), "b": np.zeros(20_000)}
    tx = optim.add_noise(0.5, 0.9, key=3)
    state, update = tx.init(zeros), wrap(tx.update)
    seen = []
    for count in range(1, 4):
        noise, state = update(zeros, state)
        for leaf in noise.values():
            # The standard error of a deviation is 1 / sqrt(2 n) of it: here less than 0.5%.
            np.testing.assert_allclose(leaf.std(), np.sqrt(0.5 / count**0.9), rtol=0.03)
            assert abs(float(leaf.mean())) < 0.03
        seen.append(noise["b"])
    assert np.corrcoef(np.stack(seen))[np.triu_indices(3, 1)].max() < 0.05


def test_noise_is_that_of_its_key() -> None:
    first, same, other = (
        tx.update([np.zeros(4)], tx.init([np.zeros(4)]))[0][0]
        for tx in (optim.add_noise(1.0, 0.5, key=k) for k in (random.key(1), 1, 2))
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_updates_stay_where_noise_is_added() -> None:
    tx = optim.add_noise(0.0, 0.5, key=0)
    updates, _ = tx.update([np.arange(3.0)], tx.init([np.arange(3.0)]))
    np.testing.assert_array_equal(updates[0], np.arange(3.0))
