"""Weight gradients are taken out of loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.control.hoist import hoist_sums
from fxla.core.jaxpr import Jaxpr

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


def body_of(step: Any, *shapes: tuple[int, ...]) -> Jaxpr:
    """An iteration whose first input and result are a carry, and whose other inputs are slices."""
    jaxpr: Jaxpr = fxla.make_jaxpr(step)(*[np.ones(s) for s in shapes]).jaxpr
    return jaxpr


def test_a_carry_that_only_adds_products_is_hoisted() -> None:
    body = body_of(lambda c, a, b: (c + a @ b,), (3, 4), (3, 5), (5, 4))
    smaller, (found,) = hoist_sums(body, 0, 1, 1)
    assert found.given == (1, 2)
    assert len(smaller.invars) == 2
    a, b = RNG.normal(size=(9, 3, 5)), RNG.normal(size=(9, 5, 4))
    np.testing.assert_allclose(found.total(a, b), np.einsum("nij,njk->ik", a, b), rtol=1e-12)


def test_a_carry_that_is_read_stays() -> None:
    body = body_of(lambda c, a, b: (c + a @ b, fnp.sin(c)), (3, 4), (3, 5), (5, 4))
    assert hoist_sums(body, 0, 1, 1) == (body, [])


def test_a_carry_whose_sum_is_read_stays() -> None:
    def step(c: Any, a: Any, b: Any) -> Any:
        c = c + a @ b
        return c, fnp.sin(c)

    body = body_of(step, (3, 4), (3, 5), (5, 4))
    assert hoist_sums(body, 0, 1, 1) == (body, [])


@pytest.mark.parametrize(
    ("perm", "as_it_is"), [((0, 2, 1), True), ((1, 0, 2), False)], ids=["summed last", "turned"]
)
def test_a_transposed_factor_is_read_in_place_where_its_rows_keep_their_order(
    perm: tuple[int, ...], as_it_is: bool
) -> None:
    shape = [(3, 2, 5)[perm.index(k)] for k in range(3)]

    def step(c: Any, a: Any, b: Any) -> Any:
        return (c + fnp.tensordot(fnp.transpose(a, perm), b, 1),)

    body = body_of(step, (3, 2, 4), tuple(shape), (5, 4))
    _, (found,) = hoist_sums(body, 0, 1, 1)
    assert (found.given[0] == 1) is as_it_is
    a, b = RNG.normal(size=(9, *shape)), RNG.normal(size=(9, 5, 4))
    turned = np.transpose(a, (0, *[k + 1 for k in perm]))
    wanted = np.einsum("nijk,nkl->ijl", turned, b)
    np.testing.assert_allclose(found.total(a if as_it_is else turned, b), wanted, rtol=1e-12)
