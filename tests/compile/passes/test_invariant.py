"""What a loop computes once."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.passes.invariant import invariant_part, weights_by_column

W = np.random.default_rng(0).standard_normal((12, 12))
X = np.random.default_rng(1).standard_normal(12)


def primitives(jaxpr: Any) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


def test_what_depends_on_consts_alone_comes_first() -> None:
    body = fxla.make_jaxpr(lambda w, c: (fnp.exp(w) @ c, w.sum() * c))(W, X).jaxpr
    first, rest = invariant_part(body, 1)
    assert first is not None
    assert primitives(first) == ["exp", "reduce_sum"]
    assert primitives(rest) == ["dot_general", "mul"]
    assert len(rest.invars) == 4


def test_what_is_larger_than_its_operands_stays() -> None:
    body = fxla.make_jaxpr(lambda w, c: fnp.broadcast_to(w, (5, 12)) * c)(X, X).jaxpr
    assert invariant_part(body, 1) == (None, body)


def test_products_read_the_columns_of_constant_weights() -> None:
    def step(w: Any, c: Any) -> Any:
        return fnp.tanh(w @ c), w.T @ c

    body = weights_by_column(fxla.make_jaxpr(step)(W, X).jaxpr, 1)
    products = [e for e in body.eqns if e.primitive.name == "dot_general"]
    assert [e.params["dims"].lhs_contract for e in products] == [(0,), (1,)]

    def loop(w: Any, c: Any) -> Any:
        return lax.fori_loop(0, 5, lambda i, c: fnp.tanh(w @ c) + w.T @ c, c)

    got = fxla.jit(loop)(W, X)
    c = X
    for _ in range(5):
        c = np.tanh(W @ c) + W.T @ c
    np.testing.assert_allclose(got, c, rtol=1e-9)


def test_what_may_raise_runs_only_if_the_loop_does() -> None:
    def f(a: Any, x: Any) -> Any:
        return lax.while_loop(lambda c: c[0] > 0, lambda c: c + fnp.linalg.solve(a, x), x)

    singular, x = np.zeros((2, 2)), np.array([-1.0, 2.0])
    np.testing.assert_array_equal(fxla.jit(f)(singular, x), x)
    never = fxla.jit(lambda a, x: lax.fori_loop(3, 3, lambda i, c: fnp.linalg.solve(a, c), x))
    np.testing.assert_array_equal(never(singular, x), x)
