"""An infinite slope where nothing was selected does not reach the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.primitive import Linear
from fxla.core.staging import trace_to_jaxpr
from fxla.ops.arithmetic import div, mul
from fxla.ops.logic import select
from fxla.ops.structure import reduce_sum
from fxla.transforms.transpose import backward, transpose_jaxpr

X = np.array([0.0, 2.0, 4.0])
MASKED: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "one select": (lambda x: fnp.where(x > 0, fnp.log(x), 0.0), [0.0, 0.5, 0.25]),
    "the other case": (lambda x: fnp.where(x == 0, 0.0, fnp.log(x)), [0.0, 0.5, 0.25]),
    "after more arithmetic": (
        lambda x: fnp.where(x > 0, 3.0 * -(2.0 + fnp.log(x)), x),
        [1.0, -1.5, -0.75],
    ),
    "a value with two readers": (
        lambda x: fnp.where(x > 0, fnp.log(x) * x + fnp.log(x), 0.0),
        [0.0, np.log(2.0) + 1.5, np.log(4.0) + 1.25],
    ),
    "one select in another": (
        lambda x: fnp.where(x > 0, fnp.where(x < 3, fnp.log(x), 1 / x), 5.0),
        [0.0, 0.5, -1 / 16],
    ),
    "moved": (
        lambda x: fnp.where(x[::-1, None] > 0, fnp.log(x[::-1])[:, None], 0.0).reshape(3).T,
        [0.0, 0.5, 0.25],
    ),
    "reduced before it is selected": (
        lambda x: fnp.where(x > 0, fnp.sum(fnp.log(fnp.stack([x, x])), axis=0), 0.0),
        [0.0, 1.0, 0.5],
    ),
    "one condition for all": (lambda x: fnp.where(x[0] > 0, fnp.log(x), 2 * x), [2.0] * 3),
}


@pytest.mark.parametrize("name", MASKED)
def test_gradients(name: str) -> None:
    f, meant = MASKED[name]
    slope = fxla.grad(lambda x: fnp.sum(f(x)))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(slope(X), meant, rtol=1e-15)
        np.testing.assert_allclose(fxla.jit(slope)(X), meant, rtol=1e-15)
        batch = fxla.jit(fxla.vmap(slope))(np.stack([X, X]))
        np.testing.assert_allclose(batch, [meant, meant], rtol=1e-15)


def test_a_number_that_is_spread_out_and_masked() -> None:
    """The coefficient is infinite for one element only, and all are summed into one cotangent."""

    def f(s: Any) -> Any:
        return fnp.sum(fnp.where(X > 0, s / X, 0.0))

    for slope in (fxla.grad(f), fxla.jit(fxla.grad(f))):
        assert float(slope(1.0)) == 0.75


def test_what_is_selected_stays_nan_where_it_is() -> None:
    """The mask hides no slope that is really infinite."""
    slope = fxla.grad(lambda x: fnp.sum(fnp.where(x >= 0, fnp.log(x), 0.0)))
    with np.errstate(all="ignore"):
        assert slope(X).tolist() == [np.inf, 0.5, 0.25]


VECTOR = Aval((3,), np.dtype("float64"))


def test_a_program_without_select_is_transposed_as_before() -> None:
    jaxpr = trace_to_jaxpr(lambda t, x: [reduce_sum(div(t, x), (0,))], [VECTOR, VECTOR]).jaxpr
    names = [e.primitive.name for e in transpose_jaxpr(jaxpr, [True, False]).eqns]
    assert names == ["broadcast_in_dim", "div"]
    ct, _ = backward(jaxpr, [Linear(VECTOR), X], [1.0])
    assert ct.tolist() == [np.inf, 0.5, 0.25]


def test_backward_takes_one_where_the_cotangent_is_zero() -> None:
    mask = Aval((3,), np.dtype("bool"))
    jaxpr = trace_to_jaxpr(
        lambda t, x, m: [select(m, div(t, x), mul(t, 2.0))], [VECTOR, VECTOR, mask]
    ).jaxpr
    ct, _, _ = backward(jaxpr, [Linear(VECTOR), X, X > 0], [np.ones(3)])
    assert ct.tolist() == [2.0, 0.5, 0.25]
