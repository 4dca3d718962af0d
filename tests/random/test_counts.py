from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st

from fxla import random
from fxla.errors import ShapeError
from fxla.transforms.vmap import vmap

KEY = np.array([0, 7], np.uint32)
N = 20000


def test_poisson_counts() -> None:
    x = random.poisson(KEY, np.array([0.0, 3.0, 40.0, -1.0, np.nan]), (N, 5))
    assert x.dtype == np.int64
    np.testing.assert_allclose(x[:, :3].mean(0), [0, 3, 40], rtol=0.03)
    np.testing.assert_allclose(x[:, :3].var(0), [0, 3, 40], rtol=0.05)
    assert (x[:, 3:] == -1).all()
    assert random.poisson(KEY, 3, dtype="int32").dtype == np.int32


def test_binomial_counts() -> None:
    x = random.binomial(KEY, np.array([10, 100]), np.array([0.3, 0.8]), (N, 2))
    assert x.dtype == np.float64
    np.testing.assert_allclose(x.mean(0), [3, 80], rtol=0.02)
    np.testing.assert_allclose(x.var(0), [2.1, 16], rtol=0.05)


def test_geometric_counts() -> None:
    """Recorded: jax 0.10.2 with x64 enabled, ``jax.random.PRNGKey(7)``."""
    assert random.geometric(KEY, 0.2, (5,)).tolist() == [1, 14, 7, 13, 20]
    x = np.asarray(random.geometric(KEY, 0.4, (N,)))
    seen = np.bincount(np.minimum(x, 8), minlength=9)[1:]
    odds = [*st.geom(0.4).pmf(range(1, 8)), st.geom(0.4).sf(7)]
    assert st.chisquare(seen, N * np.array(odds)).pvalue > 1e-3


def test_multinomial_counts() -> None:
    p = np.array([0.2, 0.3, 0.5])
    x = random.multinomial(KEY, 50, p, shape=(5000, 3))
    assert (x.sum(-1) == 50).all()
    np.testing.assert_allclose(x.mean(0), 50 * p, rtol=0.02)
    assert random.multinomial(KEY, np.array([[4], [7]])[:, 0], np.stack([p, p])).sum(
        -1
    ).tolist() == [4, 7]
    assert random.multinomial(KEY, 5, np.array([0.0, 0.0, 1.0])).tolist() == [0, 0, 5]
    with pytest.raises(ShapeError, match="axis of categories"):
        random.multinomial(KEY, 5, 0.5)


def test_mapping_over_keys_is_a_loop() -> None:
    keys = random.split(KEY, 3)
    mean = np.array([0.5, 20.0])
    for draw in (
        lambda k: random.poisson(k, mean, (4, 2)),
        lambda k: random.binomial(k, 30, mean / 40),
        lambda k: random.geometric(k, 0.2, (4,)),
        lambda k: random.multinomial(k, 9, np.array([0.5, 0.5])),
    ):
        np.testing.assert_array_equal(vmap(draw)(keys), [draw(k) for k in keys])
