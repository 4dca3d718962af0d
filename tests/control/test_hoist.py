"""Weight gradients are taken out of loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

RNG = np.random.default_rng(0)
XS, W, U = RNG.normal(size=(9, 5, 4)), 0.3 * RNG.normal(size=(6, 6)), RNG.normal(size=(4, 6))


def nonlinear(w: Any, u: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        c = fnp.tanh(c @ w + x @ u)
        return c, (c * c).sum()

    c, ys = lax.scan(step, np.zeros((5, 6)), XS)
    return ys.sum() + c.sum()


def linear(w: Any, u: Any) -> Any:
    """The cotangent of the carry is itself a factor of the gradient of `w`."""
    c, _ = lax.scan(lambda c, x: (c @ w + x @ u, None), np.ones((5, 6)), XS)
    return (c**2).sum()


def vectors(w: Any, u: Any) -> Any:
    """Outer products without a contracted axis."""
    c, ys = lax.scan(lambda c, x: (fnp.sin(w @ c) + x @ u, c), np.ones(6), XS[:, 0])
    return c.sum() + (ys**2).sum()


@pytest.mark.parametrize("loss", [nonlinear, linear, vectors])
@pytest.mark.parametrize("wrap", [lambda g: g, fxla.jit])
def test_gradient_equals_differences(loss: Any, wrap: Any) -> None:
    gw, gu = wrap(fxla.grad(loss, (0, 1)))(W, U)
    dw, du = RNG.normal(size=W.shape), RNG.normal(size=U.shape)
    eps = 1e-6
    want = (loss(W + eps * dw, U + eps * du) - loss(W - eps * dw, U - eps * du)) / (2 * eps)
    np.testing.assert_allclose((gw * dw).sum() + (gu * du).sum(), want, rtol=1e-6)


def test_the_backward_loop_carries_no_weight_gradient() -> None:
    closed = fxla.make_jaxpr(fxla.grad(nonlinear, (0, 1)))(W, U)
    loops = [e for e in closed.eqns if e.primitive.name == "scan"]
    assert [e.params["n_carry"] for e in loops] == [1, 1]


def test_a_factor_of_two_sums_is_stacked_once_as_it_is() -> None:
    """The cotangent is a factor of the gradients by `w` and `u`, transposed in both."""
    closed = fxla.make_jaxpr(fxla.grad(nonlinear, (0, 1)))(W, U)
    backward = [e for e in closed.eqns if e.primitive.name == "scan"][-1]
    stacked = [v.aval.shape for v in backward.outputs[backward.params["n_carry"] :]]
    assert stacked == [(9, 5, 6)]


@pytest.mark.parametrize("loss", [nonlinear, linear])
def test_batched_and_second_order(loss: Any) -> None:
    ws = np.stack([W, 0.5 * W])
    each = np.stack([fxla.grad(loss)(w, U) for w in ws])
    np.testing.assert_allclose(fxla.vmap(fxla.grad(loss), (0, None))(ws, U), each, rtol=1e-9)
    d = RNG.normal(size=W.shape)
    eps = 1e-6
    along = fxla.jvp(lambda w: fxla.grad(loss)(w, U), (W,), (d,))[1]
    want = (fxla.grad(loss)(W + eps * d, U) - fxla.grad(loss)(W - eps * d, U)) / (2 * eps)
    np.testing.assert_allclose(along, want, rtol=1e-5, atol=1e-6)
