"""Models are handed to optimisers as they are: buffers are none of their business."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import nn, optim

X = np.random.default_rng(0).standard_normal((16, 3))
Y = X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3


class Model(nn.Module):
    def __init__(self):
        self.first = nn.Linear(3, 8, key=fxla.random.key(1))
        self.norm = nn.BatchNorm(8)
        self.last = nn.Linear(8, 1, key=fxla.random.key(2))

    def __call__(self, x):
        return self.last(nn.tanh(self.norm(self.first(x))))


def loss(model, x, y):
    return optim.losses.l2_loss(model(x, training=True), y).mean()


MAKERS = {
    "adamw": lambda: optim.adamw(0.05),
    "chain": lambda: optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.3, momentum=0.5)),
    "multi_steps": lambda: optim.MultiSteps(optim.adam(0.05), 2),
    "injected": lambda: optim.inject_hyperparams(optim.rmsprop)(0.02),
    "finite": lambda: optim.apply_if_finite(optim.adam(0.05), 2),
}


@pytest.mark.parametrize("name", MAKERS)
def test_training_a_model_with_buffers(name):
    model, tx = Model(), MAKERS[name]()
    state = tx.init(model)
    assert all(np.issubdtype(x.dtype, np.number) or x.dtype == bool for x in leaves(state))

    @fxla.jit
    def step(model, state):
        value, grads = fxla.value_and_grad(loss)(model, X, Y)
        updates, state = tx.update(grads, state, model)
        return optim.apply_updates(model, updates), state, value

    values = []
    for _ in range(30):
        model, state, value = step(model, state)
        values.append(float(value))
    assert values[-1] < 0.4 * values[0]
    assert (model.norm.mean != 0).all()  # the statistics are those of the data


def leaves(tree):
    return fxla.tree.leaves(tree)


def test_moments_are_kept_of_parameters_only():
    model = Model()
    state = optim.adam(0.1).init(model)
    assert state[0].mu.norm.mean is None
    assert state[0].mu.first.weight.shape == (3, 8)
    assert len(leaves(state[0].mu)) == len(leaves(nn.parameters(model)))


def test_updates_are_those_of_plain_trees():
    model = Model()
    grads = fxla.grad(loss)(model, X, Y)
    tx = optim.adamw(0.05, weight_decay=0.1)
    updates, _ = tx.update(grads, tx.init(model), model)
    plain, _ = tx.update(leaves(grads), tx.init(leaves(grads)), leaves(nn.parameters(model)))
    for ours, theirs in zip(leaves(updates), plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_line_search_calls_the_whole_model():
    model, tx = Model(), optim.lbfgs()

    def objective(model):
        return optim.losses.l2_loss(model(X), Y).mean()

    @fxla.jit
    def step(model, state):
        value, grads = optim.value_and_grad_from_state(objective)(model, state=state)
        updates, state = tx.update(grads, state, model, value=value, grad=grads, value_fn=objective)
        return optim.apply_updates(model, updates), state

    state = tx.init(model)
    for _ in range(40):
        model, state = step(model, state)
    assert objective(model) < 1e-3


def test_masks_by_path_and_frozen_parameters():
    model = nn.freeze(Model(), "first")
    tx = optim.masked(
        optim.set_to_zero(),
        lambda tree: fxla.tree.map_with_path(lambda p, _: "last" in fxla.tree.keystr(p), tree),
    )
    grads = fxla.grad(loss)(model, X, Y)
    assert grads.first.weight is None
    updates, _ = tx.update(grads, tx.init(model), model)
    moved = optim.apply_updates(model, updates)
    np.testing.assert_array_equal(moved.first.weight, model.first.weight)
    np.testing.assert_array_equal(moved.last.weight, model.last.weight)
    assert (moved.norm.weight != model.norm.weight).all()
