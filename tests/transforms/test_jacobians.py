"""Jacobians and Hessians, of arrays and trees, against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.ops.arithmetic import mul, sub
from fxla.ops.elementwise import add
from fxla.ops.structure import broadcast_in_dim, reduce_sum
from fxla.ops.transcendental import integer_pow, sin
from fxla.transforms.jacobians import hessian, jacfwd, jacobian, jacrev
from tests.laws.differences import difference, gradient
from tests.laws.sample import assert_close

RNG = np.random.default_rng(0)
X = RNG.standard_normal(4)
M = RNG.standard_normal((3, 4))


def total(x: Any) -> Any:
    return reduce_sum(x, tuple(range(len(x.shape))))


# --- jacobians --------------------------------------------------------------------------------


def matrix_of(f: Any, x: Any) -> Any:
    columns = [
        difference(lambda y: (f(y),), (x,), (0,), (e.reshape(x.shape),))[0] for e in np.eye(x.size)
    ]
    stacked = np.stack(columns, -1)
    return stacked.reshape((*stacked.shape[:-1], *x.shape))


@pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_jacobian_is_that_of_differences(jac: Any, shape: tuple[int, ...]) -> None:
    x = np.asarray(RNG.standard_normal(shape))

    def f(x: Any) -> Any:
        return mul(sin(x), broadcast_in_dim(total(x), shape, ()))

    got = jac(f)(x)
    assert got.shape == shape * 2
    assert_close(got, matrix_of(lambda y: np.sin(y) * y.sum(), x), 1e-10)


@pytest.mark.parametrize("jac", [jacfwd, jacrev])
def test_jacobian_of_trees(jac: Any) -> None:
    def f(p: Any, y: Any) -> Any:
        return {"m": mul(p["a"], total(y)), "c": np.ones(2)}, total(p["b"])

    found = jac(f, (0, 1))({"a": X, "b": M}, X)
    (tree, last) = found
    to_p, to_y = tree["m"]
    np.testing.assert_allclose(to_p["a"], np.eye(4) * X.sum(), atol=1e-15)
    np.testing.assert_array_equal(to_p["b"], np.zeros((4, 3, 4)))
    np.testing.assert_allclose(to_y, np.outer(X, np.ones(4)))
    assert tree["c"][0]["b"].shape == (2, 3, 4)
    np.testing.assert_array_equal(last[0]["b"], np.ones((3, 4)))
    np.testing.assert_array_equal(last[1], np.zeros(4))


@pytest.mark.parametrize("jac", [jacfwd, jacrev])
def test_jacobian_has_aux(jac: Any) -> None:
    j, aux = jac(lambda x: (sin(x), {"x": x}), has_aux=True)(X)
    np.testing.assert_allclose(j, np.diag(np.cos(X)))
    np.testing.assert_array_equal(aux["x"], X)


def rosenbrock(x: Any) -> Any:
    a, b = x
    return add(integer_pow(sub(1.0, a), 2), mul(integer_pow(sub(b, mul(a, a)), 2), 100.0))


def test_hessian_of_rosenbrock() -> None:
    a, b = 0.3, -0.4
    found = hessian(rosenbrock)((a, b))
    expected = [[1200 * a**2 - 400 * b + 2, -400 * a], [-400 * a, 200.0]]
    np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-13)


@pytest.mark.parametrize("outer, inner", [(jacfwd, jacfwd), (jacrev, jacfwd), (jacrev, jacrev)])
def test_every_order_of_modes_gives_the_hessian(outer: Any, inner: Any) -> None:
    def f(x: Any) -> Any:
        return mul(total(sin(x)), total(mul(x, x)))

    expected = matrix_of(lambda y: gradient(lambda z: np.sin(z).sum() * (z * z).sum(), y), X)
    assert_close(hessian(f)(X), expected, 1e-8)
    assert_close(outer(inner(f))(X), expected, 1e-8)
    h = np.asarray(hessian(f)(X))
    np.testing.assert_allclose(h, h.T, rtol=1e-12)
