"""GPT-2: the cache changes nothing, and sampling does what it says."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import models, nn

CONFIG = models.GPT2Config(vocabulary=13, context=12, width=16, layers=2, heads=4, dropout=0.1)


@pytest.fixture(scope="module")
def model():
    nn.seed(3)
    made = models.GPT2(CONFIG)
    rng = np.random.default_rng(0)  # larger weights than at the start, so that draws differ
    return fxla.tree.map(
        lambda x: rng.normal(size=x.shape) * 0.4 if x.dtype.kind == "f" else x, made
    )


def test_a_later_token_changes_nothing_before_it(model):
    tokens = np.array([[1, 5, 2, 9]])
    changed = np.array([[1, 5, 2, 3]])
    np.testing.assert_array_equal(model(tokens)[:, :3], model(changed)[:, :3])
    assert not np.allclose(model(tokens)[:, 3], model(changed)[:, 3])


def test_tokens_one_by_one_with_a_cache_give_what_all_at_once_give(model):
    tokens = np.array([[1, 5, 2, 9, 0], [3, 3, 12, 1, 4]])
    cache = model.new_cache(2, 9)
    pieces = []
    for part in (tokens[:, :2], tokens[:, 2:3], tokens[:, 3:]):
        logits, cache = model.with_cache(part, cache)
        pieces.append(logits)
    np.testing.assert_allclose(np.concatenate(pieces, 1), model(tokens), atol=1e-10)


def test_the_likeliest_tokens_are_those_of_the_whole_model(model):
    prompt = np.array([[1, 2], [7, 0]])
    expected = prompt
    for _ in range(6):
        following = np.argmax(model(expected)[:, -1], -1)
        expected = np.concatenate([expected, following[:, None]], 1)
    got = models.generate(model, prompt, 6, temperature=0)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(models.generate(model, prompt[1], 6, temperature=0), expected[1])


def test_draws_have_the_probabilities_that_the_model_gives(model):
    prompt = np.tile([[4, 1]], (4000, 1))
    got = models.generate(model, prompt, 1, key=fxla.random.key(1), temperature=0.7)[:, 2]
    logits = np.asarray(model(prompt[:1])[0, -1]) / 0.7
    expected = np.exp(logits) / np.exp(logits).sum()
    share = np.bincount(got, minlength=13) / 4000
    np.testing.assert_allclose(share, expected, atol=4 * 0.5 / 4000**0.5)
    top = models.generate(model, prompt, 1, key=fxla.random.key(1), top_k=2)[:, 2]
    assert set(np.unique(top).tolist()) == set(np.argsort(logits)[-2:].tolist())
    again = models.generate(model, prompt, 1, key=fxla.random.key(1), temperature=0.7)[:, 2]
    np.testing.assert_array_equal(got, again)


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="a prompt of 4 tokens and 9 steps do not fit a context"):
        models.generate(model, np.zeros((1, 4), int), 9, temperature=0)
    with pytest.raises(ValueError, match="drawing needs a key"):
        models.generate(model, np.zeros(4, int), 2)
    with pytest.raises(ValueError, match="13 tokens were given to a model with a context of 12"):
        model(np.zeros((1, 13), int))
