"""Step sizes satisfy the conditions that they are searched for."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim

X = np.array([2.0, -1.5, 0.3])


def quartic(x, shift=0.0):
    return ((x - shift) ** 4).sum() + 0.1 * (x**2).sum()


@pytest.mark.parametrize("rate", [1e-4, 1.0, 100.0])
@pytest.mark.parametrize("compiled", [False, True])
def test_wolfe_conditions(rate, compiled):
    tx = optim.chain(optim.sgd(rate), optim.scale_by_zoom_linesearch(40, curv_rtol=0.1))
    value, grad = fxla.value_and_grad(quartic)(X)

    def run(grad, state, x):
        return tx.update(grad, state, x, value=value, grad=grad, value_fn=quartic)

    updates, state = (fxla.jit(run) if compiled else run)(grad, tx.init(X), X)
    new_value, new_grad = fxla.value_and_grad(quartic)(X + updates)
    slope, new_slope = grad @ updates, new_grad @ updates
    assert new_value <= value + 1e-4 * slope
    assert abs(new_slope) <= 0.1 * abs(slope)
    np.testing.assert_allclose(state[1].value, new_value, rtol=1e-12)
    np.testing.assert_allclose(state[1].grad, new_grad, rtol=1e-12)
    np.testing.assert_allclose(updates, -rate * state[1].learning_rate * grad, rtol=1e-12)


@pytest.mark.parametrize("keep", [False, True])
def test_armijo_condition(keep):
    search = optim.scale_by_backtracking_linesearch(40, store_grad=keep)
    tx = optim.chain(optim.sgd(1.0), search)
    value, grad = fxla.value_and_grad(quartic)(X)
    updates, state = tx.update(grad, tx.init(X), X, value=value, grad=grad, value_fn=quartic)
    assert 0 < state[1].learning_rate < 1
    assert quartic(X + updates) <= value + 1e-4 * (grad @ updates)
    before = updates / 0.8  # the last step that was tried was too long
    assert quartic(X + before) > value + 1e-4 * (grad @ before)
    if keep:
        at = optim.value_and_grad_from_state(quartic)(X + updates, state=state)
        np.testing.assert_allclose(at[1], fxla.grad(quartic)(X + updates), rtol=1e-12)
    else:
        with pytest.raises(ValueError, match="store_grad=True"):
            optim.value_and_grad_from_state(quartic)(X, state=state)


def test_the_largest_step_is_kept():
    tx = optim.scale_by_zoom_linesearch(20, max_learning_rate=0.01)
    value, grad = fxla.value_and_grad(quartic)(X)
    _, state = tx.update(-grad, tx.init(X), X, value=value, grad=grad, value_fn=quartic)
    assert state.learning_rate == 0.01


def test_arguments_of_the_objective():
    tx = optim.lbfgs()
    value, grad = fxla.value_and_grad(quartic)(X, 0.5)
    updates, _ = tx.update(grad, tx.init(X), X, value=value, grad=grad, value_fn=quartic, shift=0.5)
    assert quartic(X + updates, 0.5) < value
    with pytest.raises(TypeError, match=r"\['shfit'\], which value_fn does not take"):
        tx.update(grad, tx.init(X), X, value=value, grad=grad, value_fn=quartic, shfit=0.5)
    with pytest.raises(ValueError, match="initial_guess_strategy must be 'one' or 'keep'"):
        optim.scale_by_zoom_linesearch(3, initial_guess_strategy="two")
