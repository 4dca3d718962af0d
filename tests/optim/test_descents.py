"""Gradient descent and its relatives, beside their equations in NumPy; L-BFGS beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

import fxla
from fxla import optim, random
from tests.optim.walk import GRADS, START, agrees, walk


def remembering(f):
    """`f` takes what it remembers; it begins anew when the count does."""
    memory = {}

    def step(t, p, g):
        if t == 0:
            memory.clear()
        return f(memory, t, p, g)

    return step


def test_sgd():
    agrees(optim.sgd(0.1), lambda t, p, g: -0.1 * g)
    agrees(optim.sgd(lambda count: 0.1 / (count + 1)), lambda t, p, g: -0.1 / (t + 1) * g)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    @remembering
    def step(memory, t, p, g):
        memory["t"] = g + 0.9 * memory.get("t", 0)
        return -0.1 * (g + 0.9 * memory["t"] if nesterov else memory["t"])

    agrees(optim.sgd(0.1, momentum=0.9, nesterov=nesterov), step)


def test_adagrad():
    @remembering
    def step(memory, t, p, g):
        memory["s"] = memory.get("s", 0.1) + g**2
        return -0.1 * g / np.sqrt(memory["s"] + 1e-7)

    agrees(optim.adagrad(0.1), step)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("centered", [False, True])
def test_rmsprop(centered, corrected):
    @remembering
    def step(memory, t, p, g):
        memory["v"] = 0.9 * memory.get("v", 0.2) + 0.1 * g**2
        memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
        weight = 1 - 0.9 ** (t + 1) if corrected else 1
        v = memory["v"] / weight - (memory["m"] / weight) ** 2 * centered
        return -0.1 * g / np.sqrt(v + 1e-2)

    agrees(
        optim.rmsprop(
            0.1, eps=1e-2, centered=centered, initial_scale=0.2, bias_correction=corrected
        ),
        step,
    )


def test_rmsprop_as_pytorch_has_it():
    @remembering
    def step(memory, t, p, g):
        memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g**2
        memory["b"] = 0.5 * memory.get("b", 0) - 0.1 * g / (np.sqrt(memory["v"]) + 1e-8)
        return memory["b"]

    agrees(optim.rmsprop(0.1, eps_in_sqrt=False, momentum=0.5), step)


def test_adadelta():
    @remembering
    def step(memory, t, p, g):
        memory["g"] = 0.9 * memory.get("g", 0) + 0.1 * g**2
        u = g * np.sqrt(memory.get("x", 0) + 1e-6) / np.sqrt(memory["g"] + 1e-6)
        memory["x"] = 0.9 * memory.get("x", 0) + 0.1 * u**2
        return -0.5 * u

    agrees(optim.adadelta(0.5), step)


def test_rprop():
    @remembering
    def step(memory, t, p, g):
        turn = np.sign(g * memory.get("g", 0 * g))
        factor = np.where(turn > 0, 1.2, np.where(turn < 0, 0.5, 1.0))
        memory["size"] = np.clip(memory.get("size", 0.1 + 0 * g) * factor, 1e-6, 50)
        memory["g"] = np.where(turn < 0, 0, g)
        return -memory["size"] * np.sign(memory["g"])

    agrees(optim.rprop(0.1), step)


def test_signs():
    agrees(optim.sign_sgd(0.1), lambda t, p, g: -0.1 * np.sign(g))

    @remembering
    def step(memory, t, p, g):
        memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
        return -0.1 * np.sign(memory["m"])

    agrees(optim.signum(0.1), step)


def test_lars():
    @remembering
    def step(memory, t, p, g):
        g = g + 0.2 * p
        u = -0.1 * g * 0.001 * np.linalg.norm(p) / np.linalg.norm(g)
        memory["t"] = u + 0.9 * memory.get("t", 0)
        return memory["t"]

    agrees(optim.lars(0.1, weight_decay=0.2), step)


def test_optimism():
    @remembering
    def step(memory, t, p, g):
        before = memory.get("g", g)
        memory["g"] = g
        return -0.1 * (2.0 * g - 0.8 * before)

    agrees(optim.optimistic_gradient_descent(0.1, alpha=1.2, beta=0.8), step)


def test_adafactor():
    def rms(x):
        return np.sqrt(np.mean(x**2))

    @remembering
    def step(memory, t, p, g):
        decay, squared = 1 - (t + 1.0) ** -0.8, g**2 + 1e-30
        memory["r"] = decay * memory.get("r", 0) + (1 - decay) * squared.mean(1)
        memory["c"] = decay * memory.get("c", 0) + (1 - decay) * squared.mean(0)
        v = np.outer(memory["r"], memory["c"]) / memory["r"].mean()
        u = g / np.sqrt(v)
        return -0.1 * u / max(1, rms(u)) * max(1e-3, rms(p))

    agrees(optim.adafactor(0.1, min_dim_size_to_factor=2), step)


def test_polyak_steps():
    tx = optim.polyak_sgd(0.05)
    places, p = [], START
    for g in GRADS:
        # Each leaf is there twice, see walk.
        p = p - min(0.7 / (2 * (g**2).sum()), 0.05) * g
        places.append(p)
    np.testing.assert_allclose(walk(tx, value=0.7), places, rtol=1e-12)
    with pytest.raises(ValueError, match="variant must be"):
        optim.polyak_sgd(variant="sps++")


def test_noise_has_its_variance_and_is_new_each_time():
    tx = optim.noisy_sgd(1.0, eta=0.5, gamma=1.0, key=random.key(3))
    zeros = np.zeros(4000)
    first, state = tx.update(zeros, tx.init(zeros))
    second, _ = tx.update(zeros, state)
    np.testing.assert_allclose([np.var(first), np.var(second)], [0.5, 0.25], rtol=0.1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def banana(x):
    return ((1 - x[:-1]) ** 2).sum() + 100 * ((x[1:] - x[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize("compiled", [False, True])
def test_lbfgs_goes_where_scipy_goes(compiled):
    tx = optim.lbfgs()

    def step(x, state):
        value, grad = optim.value_and_grad_from_state(banana)(x, state=state)
        updates, state = tx.update(grad, state, x, value=value, grad=grad, value_fn=banana)
        return optim.apply_updates(x, updates), state

    step = fxla.jit(step) if compiled else step
    x = np.array([-1.2, 1.0, 0.5])
    state = tx.init(x)
    for _ in range(80 if compiled else 4):
        x, state = step(x, state)
    if compiled:
        np.testing.assert_allclose(x, scipy.optimize.minimize(banana, x + 0.1).x, atol=1e-4)
        np.testing.assert_allclose(x, 1, atol=1e-7)
    assert banana(x) < banana(np.array([-1.2, 1.0, 0.5]))


def test_lbfgs_on_a_tree_in_float32():
    params = {"w": np.float32([[3.0, -2.0]]), "b": np.float32(1.0)}
    tx = optim.lbfgs()

    def loss(p):
        return ((p["w"] - 1) ** 2).sum() * 10 + (p["b"] + 2) ** 4

    @fxla.jit
    def step(p, state):
        value, grad = fxla.value_and_grad(loss)(p)
        updates, state = tx.update(grad, state, p, value=value, grad=grad, value_fn=loss)
        return optim.apply_updates(p, updates), state

    state = tx.init(params)
    dtypes = [x.dtype for x in fxla.tree.leaves(state)]
    for _ in range(25):
        params, state = step(params, state)
    assert [x.dtype for x in fxla.tree.leaves(state)] == dtypes
    np.testing.assert_allclose(params["w"], 1, atol=1e-3)
    np.testing.assert_allclose(params["b"], -2, atol=0.05)
