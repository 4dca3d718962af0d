"""Minima and roots beside SciPy's and exact ones, and their implicit derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize as so

import fxla
import fxla.numpy as fnp
from fxla.scipy import optimize
from tests.lax.checks import gradients_agree


def rosenbrock(x):
    return fnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def matyas(x):
    return 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1]


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS"])
@pytest.mark.parametrize("compiled", [False, True])
def test_minima(method, compiled):
    def run(f, x0):
        g = lambda x: optimize.minimize(f, x, method=method)  # noqa: E731
        return (fxla.jit(g) if compiled else g)(x0)

    for n in (2, 10):
        found = run(rosenbrock, np.full(n, -1.2))
        np.testing.assert_allclose(found.x, 1.0, atol=1e-4)
        assert found.success and found.status == 0 and found.fun < 1e-8
        peer = so.minimize(so.rosen, np.full(n, -1.2), jac=so.rosen_der, method="BFGS")
        assert found.nfev <= 2 * peer.nfev
    found = run(himmelblau, np.array([1.0, 1.0]))
    np.testing.assert_allclose(found.x, [3.0, 2.0], atol=1e-4)
    np.testing.assert_allclose(run(matyas, np.array([3.0, -4.0])).x, 0.0, atol=1e-3)
    if method == "BFGS":
        hessian = fxla.hessian(himmelblau)(np.array([3.0, 2.0]))
        np.testing.assert_allclose(found.hess_inv, np.linalg.inv(hessian), atol=5e-3)


def test_options_and_errors():
    few = optimize.minimize(rosenbrock, np.zeros(5), options={"maxiter": 3})
    assert not few.success and few.status == 1 and few.nit == 3
    flat = optimize.minimize(lambda x: fnp.sum(x) * 0, np.ones(2))
    assert flat.success and flat.nit == 0
    batch = fxla.vmap(lambda a: optimize.minimize(lambda x: fnp.sum((x - a) ** 4), a * 0).x)
    start = np.array([[1.0, 2.0], [3.0, -1.0]])
    np.testing.assert_allclose(batch(start), start, atol=0.05)
    with pytest.raises(ValueError, match="method"):
        optimize.minimize(rosenbrock, np.zeros(2), method="Powell")
    with pytest.raises(ValueError, match="vector"):
        optimize.minimize(rosenbrock, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="options"):
        optimize.minimize(rosenbrock, np.zeros(2), options={"step": 1})


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS"])
def test_minima_move_with_their_parameters(method):
    def objective(x, a):
        return fnp.sum((x - a) ** 4 + (x - a * a) ** 2)

    def found(a):
        got = optimize.minimize(objective, fnp.zeros(3), (a,), method=method, tol=1e-10)
        return got.x, got.fun

    gradients_agree(found, np.array([0.3, 0.5, 0.9]), rtol=1e-5, step=1e-4)

    def closed_over(a):
        return optimize.minimize(lambda x: objective(x, a), fnp.zeros(2), tol=1e-10).x

    gradients_agree(closed_over, np.array(0.7), rtol=1e-5, step=1e-4)


def cubic(x, c):
    return x**3 - c * x - 1


@pytest.mark.parametrize("name", ["brentq", "bisect"])
def test_brackets(name):
    f = getattr(optimize, name)
    expected = so.brentq(cubic, 0.0, 3.0, (1.0,))
    for g in (f, fxla.jit(f, static_argnums=0)):
        np.testing.assert_allclose(g(cubic, 0.0, 3.0, (1.0,)), expected, rtol=1e-11)
    gradients_agree(lambda c: f(cubic, 0.0, 3.0, (c,)), np.array(1.3), step=1e-4)
    found = f(cubic, 0.0, 3.0, (1.0,), full_output=True)[1]
    assert found.converged and found.nit < (12 if name == "brentq" else 50)
    assert abs(found.fun) < 1e-10
    assert f(lambda x: x, 0.0, 1.0) == 0.0
    assert np.isnan(f(cubic, 2.0, 3.0, (1.0,)))
    hard = [
        (lambda x: fnp.exp(x) - 1e5, 0.0, 100.0),
        (lambda x: fnp.tanh(50 * (x - 0.3)), -3.0, 9.0),
    ]
    for g, a, b in hard:
        want = so.brentq(lambda x, g=g: float(g(x)), a, b)
        np.testing.assert_allclose(f(g, a, b), want, atol=1e-9)
    assert abs(f(lambda x: x**9, -1.0, 4.0)) < 0.05  # SciPy's does not converge


def test_newton_and_root_scalar():
    expected = so.brentq(cubic, 0.0, 3.0, (1.0,))
    np.testing.assert_allclose(optimize.newton(cubic, 1.5, (1.0,)), expected)
    gradients_agree(lambda c: optimize.newton(cubic, 1.5, (c,)), np.array(1.3), step=1e-4)
    for options in (
        {"bracket": (0.0, 3.0)},
        {"x0": 1.5},
        {"bracket": (0.0, 3.0), "method": "bisect"},
    ):
        np.testing.assert_allclose(optimize.root_scalar(cubic, (1.0,), **options).root, expected)
    with pytest.raises(ValueError, match="method"):
        optimize.root_scalar(cubic, (1.0,), method="brentq")


def test_systems():
    def f(x, c):
        return fnp.stack([x[0] ** 2 + x[1] - c, x[0] - x[1] ** 3])

    for run in (optimize.root, fxla.jit(optimize.root, static_argnums=0)):
        found = run(f, np.array([1.5, 0.5]), (2.0,))
        np.testing.assert_allclose(found.x, [1.0, 1.0])
        assert found.success
    gradients_agree(lambda c: optimize.root(f, np.ones(2), (c,)).x, np.array(2.3), step=1e-4)
    far = optimize.root(lambda x: fnp.arctan(x), np.array([3.0]))  # plain Newton steps diverge
    np.testing.assert_allclose(far.x, 0.0, atol=1e-8)
    assert not optimize.root(lambda x: x**2 + 1, np.array([3.0])).success
