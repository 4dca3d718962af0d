"""Adam and its relatives, beside the equations of their papers in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import optim
from tests.optim.walk import START, agrees


class Adam:
    """Kingma and Ba's algorithm 1, and what others made of it."""

    def __init__(self, b1=0.9, b2=0.999, eps=1e-8, *, decay=0.0, nesterov=False, largest=False):
        self.m = self.v = self.top = np.zeros_like(START)
        self.b1, self.b2, self.eps, self.decay = b1, b2, eps, decay
        self.nesterov, self.largest = nesterov, largest

    def direction(self, t, p, g):
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        m, v = self.m / (1 - self.b1 ** (t + 1)), self.v / (1 - self.b2 ** (t + 1))
        if self.nesterov:
            ahead = self.m / (1 - self.b1 ** (t + 2))
            m = self.b1 * ahead + (1 - self.b1) * g / (1 - self.b1 ** (t + 1))
        if self.largest:
            v = self.top = np.maximum(self.top, v)
        return m / (np.sqrt(v) + self.eps) + self.decay * p

    def __call__(self, t, p, g):
        return -0.1 * self.direction(t, p, g)


def test_adam():
    agrees(optim.adam(0.1), Adam())
    agrees(optim.adam(0.1, b1=0.8, b2=0.9, eps=1e-2), Adam(0.8, 0.9, 1e-2))


def test_nadam():
    agrees(optim.nadam(0.1), Adam(nesterov=True))


def test_adamw():
    agrees(optim.adamw(0.1, weight_decay=0.2), Adam(decay=0.2))
    agrees(optim.nadamw(0.1, weight_decay=0.2), Adam(decay=0.2, nesterov=True))
    agrees(optim.adamw(0.1, weight_decay=0.2, mask=False), Adam())


def test_amsgrad():
    agrees(optim.amsgrad(0.1), Adam(largest=True))


def test_adamax():
    m, u = np.zeros_like(START), np.zeros_like(START)

    def step(t, p, g):
        nonlocal m, u
        if t == 0:
            m, u = np.zeros_like(m), np.zeros_like(u)
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.999 * u, np.abs(g) + 1e-8)
        return -0.1 * m / (1 - 0.9 ** (t + 1)) / u

    agrees(optim.adamax(0.1), step)


def test_lion():
    m = np.zeros_like(START)

    def step(t, p, g):
        nonlocal m
        m = np.zeros_like(m) if t == 0 else m
        direction = np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
        return -0.1 * (direction + 0.2 * p)

    agrees(optim.lion(0.1, weight_decay=0.2), step)


def test_lamb():
    adam = Adam(eps=1e-6, decay=0.2)

    def step(t, p, g):
        d = adam.direction(t, p, g)
        return -0.1 * d * np.linalg.norm(p) / np.linalg.norm(d)

    agrees(optim.lamb(0.1, weight_decay=0.2), step)


def test_radam_is_rectified_from_when_the_variance_is_tractable():
    adam, b2 = Adam(b2=0.9), 0.9
    longest = 2 / (1 - b2) - 1
    used = []

    def step(t, p, g):
        t += 1
        direction = adam.direction(t - 1, p, g)
        length = longest - 2 * t * b2**t / (1 - b2**t)
        used.append(length >= 4.1)
        if not used[-1]:
            return -0.1 * adam.m / (1 - 0.9**t)
        over = (longest - 4) * (longest - 2) * length
        return -0.1 * direction * np.sqrt((length - 4) * (length - 2) * longest / over)

    agrees(optim.radam(0.1, b2=0.9, threshold=4.1), step)
    assert set(used) == {False, True}


def test_adabelief():
    m, s = np.zeros_like(START), np.zeros_like(START)

    def step(t, p, g):
        nonlocal m, s
        if t == 0:
            m, s = np.zeros_like(m), np.zeros_like(s)
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * (g - m) ** 2 + 1e-16
        over = np.sqrt(s / (1 - 0.999 ** (t + 1))) + 1e-16
        return -0.1 * m / (1 - 0.9 ** (t + 1)) / over

    agrees(optim.adabelief(0.1), step)


def test_yogi():
    m, v = np.zeros_like(START), np.full_like(START, 1e-6)

    def step(t, p, g):
        nonlocal m, v
        if t == 0:
            m, v = np.full_like(m, 1e-6), np.full_like(v, 1e-6)
        m = 0.9 * m + 0.1 * g
        v = v - 0.001 * np.sign(v - g**2) * g**2
        over = np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-3
        return -0.1 * m / (1 - 0.9 ** (t + 1)) / over

    agrees(optim.yogi(0.1), step)


def test_adan():
    m = v = n = before = np.zeros_like(START)

    def step(t, p, g):
        nonlocal m, v, n, before
        if t == 0:
            m = v = n = np.zeros_like(START)
            before = g
        m = 0.98 * m + 0.02 * g
        v = 0.92 * v + 0.08 * (g - before)
        n = 0.99 * n + 0.01 * (g + 0.08 * (g - before)) ** 2
        before = g
        k = t + 1
        over = np.sqrt(n / (1 - 0.99**k) + 1e-8) + 1e-8
        return -0.1 * (m / (1 - 0.98**k) + 0.08 * v / (1 - 0.92**k)) / over

    agrees(optim.adan(0.1), step)


@pytest.mark.parametrize("mode", ["smooth", "refined"])
def test_other_shapes_of_lion(mode):
    x = 0.1 * START
    wanted = np.tanh(x) if mode == "smooth" else np.clip(x, -1, 1)
    tx = optim.scale_by_lion(mode=mode)
    np.testing.assert_allclose(tx.update(START, tx.init(START))[0], wanted, rtol=1e-12)
    with pytest.raises(ValueError, match="mode must be one of"):
        optim.scale_by_lion(mode="soft")


def test_states_keep_their_dtypes():
    params = {"w": START.astype(np.float32)}
    tx = optim.adam(0.1, mu_dtype="float16")
    state = tx.init(params)
    for _ in range(2):
        _, state = fxla.jit(tx.update)(params, state)
        assert state[0].mu["w"].dtype == np.float16
        assert state[0].nu["w"].dtype == np.float32
        assert state[0].count.dtype == np.int32
    assert int(state[0].count) == 2


def test_a_step_over_many_leaves_is_few_kernels():
    """Each leaf is one pass, by one kernel: moments, direction, decay and the parameter."""
    params = [np.ones((9, 7 + k), np.float32) for k in range(6)]
    tx = optim.adamw(1e-3)

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optim.apply_updates(params, updates), state

    seen = fxla.jit(step).inspect(params, tx.init(params), params)
    heads = [line for line in seen.loops.splitlines() if line.startswith("kernel")]
    assert len(heads) <= 3
    assert max(head.count("-> ") and head.partition("-> ")[2].count("out") for head in heads) == 3


def test_derivatives_through_updates():
    """A learning rate is learned: the derivative of the loss after three updates."""

    def after(rate):
        tx = optim.adam(rate, eps_root=1e-8)
        p, state = np.array([1.0, -2.0]), tx.init(np.zeros(2))
        for _ in range(3):
            updates, state = tx.update(2 * p, state, p)
            p = optim.apply_updates(p, updates)
        return (p**2).sum()

    h = 1e-6
    slope = (float(after(0.1 + h)) - float(after(0.1 - h))) / (2 * h)
    np.testing.assert_allclose(fxla.grad(after)(0.1), slope, rtol=1e-6)
