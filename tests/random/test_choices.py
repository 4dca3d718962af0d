"""Recorded values are those of jax 0.10.2 with x64 enabled, for ``jax.random.PRNGKey(7)``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st

from fxla import random
from fxla.errors import AxisError, ShapeError
from fxla.transforms.vmap import vmap

KEY = np.array([0, 7], np.uint32)
P = np.array([0.2, 0.3, 0.5])


def test_permutations_are_jaxs() -> None:
    x = np.arange(6).reshape(3, 2)
    assert random.permutation(KEY, 8).tolist() == [4, 2, 3, 5, 0, 7, 6, 1]
    assert random.permutation(KEY, x).tolist() == [[4, 5], [0, 1], [2, 3]]
    assert random.permutation(KEY, x, independent=True).tolist() == [[4, 3], [2, 5], [0, 1]]
    assert sorted(random.permutation(KEY, x, axis=-1)[0].tolist()) == [0, 1]


def test_choices_are_jaxs() -> None:
    assert random.choice(KEY, 10, (5,)).tolist() == [7, 9, 6, 9, 1]
    assert random.choice(KEY, 10, (5,), replace=False).tolist() == [9, 4, 2, 3, 5]
    assert random.choice(KEY, 3, (8,), p=P).tolist() == [0, 2, 2, 2, 2, 0, 1, 1]
    p = np.array([0.2, 0.3, 0.2, 0.1, 0.2])
    assert random.choice(KEY, 5, (3,), replace=False, p=p).tolist() == [0, 2, 1]


def test_choices_along_an_axis() -> None:
    x = np.arange(12).reshape(3, 4)
    assert random.choice(KEY, x, (5, 2), axis=1).shape == (3, 5, 2)
    rows = random.choice(KEY, x, (3,), replace=False)
    assert sorted(rows.tolist()) == x.tolist()


def test_categories_are_jaxs() -> None:
    logits = np.log(P)
    assert random.categorical(KEY, logits, shape=(8,)).tolist() == [0, 2, 2, 2, 0, 2, 2, 1]
    two = np.log([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    got = random.categorical(KEY, two, shape=(2, 2), replace=False)
    assert got.tolist() == [[0, 2], [2, 1]]


@pytest.mark.parametrize("axis", [0, 1])
def test_categories_have_their_probabilities(axis: int) -> None:
    logits = np.log([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    logits = logits if axis == 1 else logits.T
    drawn = np.asarray(random.categorical(KEY, logits, axis, (20000, 2)))
    for column, p in zip(drawn.T, ([0.2, 0.3, 0.5], [0.1, 0.8, 0.1]), strict=True):
        seen = np.bincount(column, minlength=3)
        assert st.chisquare(seen, 20000 * np.array(p)).pvalue > 1e-3
    assert random.categorical(KEY, logits, axis).shape == (2,)


def test_every_order_comes_equally_often() -> None:
    keys = random.split(KEY, 6000)
    orders = np.asarray(vmap(lambda k: random.permutation(k, 3))(keys))
    seen = np.unique(orders @ [9, 3, 1], return_counts=True)[1]
    assert len(seen) == 6
    assert st.chisquare(seen).pvalue > 1e-3


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="cannot take 4 of 3 elements"):
        random.choice(KEY, 3, (4,), replace=False)
    with pytest.raises(ValueError, match="nothing to choose"):
        random.choice(KEY, 0, (5,))
    with pytest.raises(ShapeError, match=r"p must have shape \(4,\)"):
        random.choice(KEY, 4, p=P)
    with pytest.raises(AxisError, match="axis 2"):
        random.permutation(KEY, np.ones((2, 2)), axis=2)
    with pytest.raises(TypeError, match="integer or an array"):
        random.permutation(KEY, 2.5)
    with pytest.raises(ShapeError, match="must end with the batch shape"):
        random.categorical(KEY, np.zeros((2, 3)), shape=(5,))
    with pytest.raises(ValueError, match="cannot take 4 of 3 categories"):
        random.categorical(KEY, np.zeros(3), shape=(4,), replace=False)
