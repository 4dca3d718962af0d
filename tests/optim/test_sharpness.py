from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import optim

RHO, RATE, DECAY = 0.05, 0.1, 0.9


def value(p: Any) -> Any:
    return fnp.sum(p["w"] ** 4) + fnp.sum(fnp.sin(p["b"]) * p["w"][0])


def slope(w: Any, b: Any) -> tuple[Any, Any]:
    """The gradient of `value`, by hand."""
    by_w = 4 * w**3
    by_w[0] += np.sin(b).sum()
    return by_w, np.cos(b) * w[0]


W, B = np.array([0.5, -1.0, 0.8]), np.array([0.3, 2.0])


def by_hand(rounds: int) -> tuple[Any, Any]:
    """SAM with momentum, written out for its two arrays."""
    w, b, mw, mb = W, B, 0.0 * W, 0.0 * B
    for _ in range(rounds):
        gw, gb = slope(w, b)
        norm = np.sqrt((gw**2).sum() + (gb**2).sum())
        gw, gb = slope(w + RHO * gw / norm, b + RHO * gb / norm)
        mw, mb = DECAY * mw + gw, DECAY * mb + gb
        w, b = w - RATE * mw, b - RATE * mb
    return w, b


def made(**options: Any) -> Any:
    uphill = optim.chain(optim.normalize_by_update_norm(eps=0.0), optim.sgd(RHO))
    return optim.sam(optim.sgd(RATE, momentum=DECAY), uphill, **options)


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_two_updates_are_one_step_from_where_they_began(wrap: Any) -> None:
    tx = made()
    params = {"w": W.copy(), "b": B.copy()}
    state, update, gradient = tx.init(params), wrap(tx.update), fxla.grad(value)
    for _ in range(6):
        updates, state = update(gradient(params), state, params)
        params = optim.apply_updates(params, updates)
    w, b = by_hand(3)
    np.testing.assert_allclose(params["w"], w, rtol=1e-12)
    np.testing.assert_allclose(params["b"], b, rtol=1e-12)


def test_opaque_steps_ask_for_the_gradient_up_there() -> None:
    tx = made(opaque_mode=True)
    params = {"w": W, "b": B}
    asked = []

    def gradient(p: Any, step: int) -> Any:
        asked.append(step)
        return fxla.grad(value)(p)

    state = tx.init(params)
    for _ in range(3):
        grads = fxla.grad(value)(params)
        updates, state = tx.update(grads, state, params, grad_fn=gradient)
        params = optim.apply_updates(params, updates)
    np.testing.assert_allclose(params["w"], by_hand(3)[0], rtol=1e-12)
    assert asked == [0, 0, 0]


def test_a_period_of_one_is_the_outer_optimiser() -> None:
    ours, plain = made(sync_period=1), optim.sgd(RATE, momentum=DECAY)
    params, states = [{"w": W}, {"w": W}], [ours.init({"w": W}), plain.init({"w": W})]
    for k in range(3):
        for i, tx in enumerate((ours, plain)):
            updates, states[i] = tx.update({"w": (k + 1) * W}, states[i], params[i])
            params[i] = optim.apply_updates(params[i], updates)
    momentum = W * (1.0 + (2.0 + DECAY) + (3.0 + DECAY * (2.0 + DECAY)))
    np.testing.assert_allclose(params[0]["w"], W - RATE * momentum, rtol=1e-12)
    np.testing.assert_allclose(params[1]["w"], W - RATE * momentum, rtol=1e-12)


def test_the_state_does_not_share_the_parameters_memory() -> None:
    params = {"w": W.copy()}
    state = made().init(params)
    params["w"][:] = 0.0
    np.testing.assert_array_equal(state.cache["w"], W)


def test_errors_say_what_to_give() -> None:
    with pytest.raises(ValueError, match="sync_period must be at least 1, not 0"):
        made(sync_period=0)
    tx = made(opaque_mode=True)
    with pytest.raises(ValueError, match="grad_fn=lambda params, step"):
        tx.update([1.0], tx.init([1.0]), [1.0])
    with pytest.raises(ValueError, match=r"update\(grads, state, params\)"):
        made().update([1.0], made().init([1.0]))
