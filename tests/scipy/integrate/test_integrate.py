"""Integrals and differential equations beside SciPy's, and derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate as si

import fxla
import fxla.numpy as fnp
from fxla.scipy import integrate
from tests.lax.checks import agree, gradients_agree

RNG = np.random.default_rng(9)
Y, AT = RNG.standard_normal((3, 8)), np.sort(RNG.uniform(size=8))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
def test_samples(n):
    y, x = Y[:, :n], AT[:n]
    for name in ("simpson", "trapezoid", "cumulative_trapezoid"):
        f, oracle = getattr(integrate, name), getattr(si, name)
        for options in ({}, {"dx": 0.3}, {"x": x}):
            agree(lambda y, o=options, f=f: f(y, **o), lambda y, o=options, f=oracle: f(y, **o), y)
        agree(lambda y, x, f=f: f(y, x, axis=0), lambda y, x, f=oracle: f(y, x, axis=0), y.T, x)
        gradients_agree(lambda y, x, f=f: f(y, x), y, x, rtol=1e-5)
    agree(lambda y: integrate.cumulative_trapezoid(y, initial=0),
          lambda y: si.cumulative_trapezoid(y, initial=0), y)  # fmt: skip


def test_functions():
    cases = [
        (lambda x: fnp.exp(-x * x), -np.inf, np.inf), (lambda x: 1 / (1 + x * x), 2.0, np.inf),
        (fnp.exp, -np.inf, 1.0), (fnp.exp, 1.0, -np.inf), (fnp.sin, 0.0, 2.0),
        (lambda x: fnp.exp(-x * x), np.inf, -np.inf),
    ]  # fmt: skip
    for f, a, b in cases:
        value, error = integrate.quad(f, a, b)
        expected, _ = si.quad(lambda x, f=f: float(f(x)), a, b)
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        assert error < 1e-6
        np.testing.assert_allclose(fxla.jit(lambda f=f, a=a, b=b: integrate.quad(f, a, b)[0])(),
                                   expected, rtol=1e-10)  # fmt: skip
    gradients_agree(
        lambda a, b, k: integrate.quad(lambda x: fnp.sin(k * x), a, b)[0], 0.2, 1.5, 2.0
    )
    value, none = integrate.fixed_quad(lambda x: x**5, 0.0, 2.0)
    assert none is None
    np.testing.assert_allclose(value, si.fixed_quad(lambda x: x**5, 0.0, 2.0)[0])


def oscillator(y, t, a):
    return fnp.stack([y[1], a * (1 - y[0] ** 2) * y[1] - y[0] + fnp.sin(t)])


T, START = np.linspace(0.0, 4.0, 6), np.array([2.0, 0.0])


def test_differential_equations():
    expected = si.odeint(lambda y, t: np.asarray(oscillator(y, t, 1.5)), START, T,
                         rtol=1e-11, atol=1e-11)  # fmt: skip
    f = lambda y, t: integrate.odeint(oscillator, y, t, 1.5, rtol=1e-9, atol=1e-9)  # noqa: E731
    for g in (f, fxla.jit(f)):
        np.testing.assert_allclose(g(START, T), expected, atol=1e-6)
    both = fxla.vmap(f, (0, None))(np.stack([START, START + 0.1]), T)
    np.testing.assert_allclose(both[0], expected, atol=1e-6)


def test_adjoint():
    def loss(y0, t, a):
        states = integrate.odeint(oscillator, y0, t, a, rtol=1e-10, atol=1e-10)
        return (states**2).sum()

    h = 1e-5
    args = (START, T, np.array(1.5))
    for compiled in (False, True):
        g = fxla.grad(loss, (0, 1, 2))
        found = (fxla.jit(g) if compiled else g)(*args)
        for k, got in enumerate(found):
            x = args[k]
            for i in np.ndindex(x.shape):
                values = []
                for sign in (1, -1):
                    moved = x.copy()
                    moved[i] += sign * h
                    values.append(float(loss(*args[:k], moved, *args[k + 1 :])))
                np.testing.assert_allclose(got[i], (values[0] - values[1]) / (2 * h), rtol=1e-5)


def test_trees_and_closures():
    decay = np.array([1.0, 2.0])

    def f(y, t):
        return {"a": -y["a"] * decay, "b": -0.5 * y["b"]}

    start = {"a": np.ones(2), "b": np.array(3.0)}
    out = integrate.odeint(f, start, np.array([0.0, 1.0]))
    np.testing.assert_allclose(out["a"][1], np.exp(-decay), rtol=1e-6)
    np.testing.assert_allclose(out["b"], [3.0, 3 * np.exp(-0.5)], rtol=1e-6)

    def final(rate):
        return integrate.odeint(lambda y, t: -rate * y, 1.0, np.array([0.0, 1.0]))[-1]

    np.testing.assert_allclose(fxla.grad(final)(2.0), -np.exp(-2.0), rtol=1e-6)
    with pytest.raises(ValueError, match="vector"):
        integrate.odeint(f, start, 1.0)
