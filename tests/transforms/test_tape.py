"""The tape: the same gradients the first time and every time after, at every order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.core.patience import Patience
from fxla.numpy import typed
from fxla.transforms.tape import record

RNG = np.random.default_rng(1)
W, X = RNG.standard_normal((4, 3)), RNG.standard_normal((5, 4))


def differences(f: Any, x: Any, h: float = 1e-6) -> Any:
    """The gradient by central differences."""
    out = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[i] = h
        out[i] = (f(x + e) - f(x - e)) / (2 * h)
    return out


def network(np: Any) -> Any:
    """A loss written once, for NumPy and for fxla."""

    def loss(w: Any) -> Any:
        h = np.tanh(X @ w + w[0])
        picked = np.where(h > 0, np.log(np.abs(h)), 0.0)
        return np.sum(np.concatenate([h[1:] ** 2, picked[:2]])) / np.max(np.abs(w)) + h[0, 1] * 2

    return loss


def test_every_call_gives_the_same_gradient() -> None:
    """Calls before, at and after the one that makes the rules."""
    wanted = differences(network(np), W)
    gradient = fxla.grad(network(fnp))
    for _ in range(8):
        np.testing.assert_allclose(gradient(W), wanted, rtol=1e-6, atol=1e-7)


def test_second_derivatives_every_time() -> None:
    f = lambda x: fnp.sum(fnp.tanh(x) * x**3)  # noqa: E731
    x = np.array([0.3, -0.7, 1.1])
    t = np.tanh(x)
    wanted = 6 * x * t + 6 * x**2 * (1 - t**2) + x**3 * (-2 * t) * (1 - t**2)
    for _ in range(6):
        np.testing.assert_allclose(np.diag(fxla.hessian(f)(x)), wanted, rtol=1e-10)
        twice = fxla.grad(lambda x: fnp.sum(fxla.grad(f)(x)))(x)
        np.testing.assert_allclose(twice, wanted, rtol=1e-10)


@pytest.mark.parametrize("scale", [0, 1])
def test_infinite_slopes_that_were_not_selected(scale: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(Patience, "scale", scale)
    x = np.array([-1.0, 0.0, 4.0])
    gradient = fxla.grad(lambda x: fnp.sum(fnp.where(x > 0, fnp.log(x) + fnp.sqrt(x), 0.0) * 3.0))
    for _ in range(6):
        np.testing.assert_allclose(gradient(x), [0.0, 0.0, 1.5])


@pytest.mark.parametrize("scale", [0, 1])
def test_python_scalars_stay_weak(scale: int, monkeypatch: Any) -> None:
    """NumPy: a Python float times a float32 array is float32, however many operations before."""
    monkeypatch.setattr(Patience, "scale", scale)
    monkeypatch.setattr(typed, "_known", {})  # as in a process that has made no programs
    x = np.ones(3, np.float32)
    seen = []

    def f(s: Any) -> Any:
        y = (s * 2.0) * x
        seen.append(y.dtype)
        return fnp.sum(y)

    assert float(fxla.grad(f)(3.0)) == 6.0
    assert seen == [np.float32]


def test_inner_and_outer_values_are_told_apart() -> None:
    """d/dx x (d/dy (x + y)) = 1: the inner derivative does not see the outer tangent."""
    f = lambda x: x * fxla.grad(lambda y: x + y)(1.0)  # noqa: E731
    for _ in range(6):
        assert float(fxla.grad(f)(5.0)) == 1.0


def test_a_pullback_can_be_called_again() -> None:
    _, pullback = fxla.vjp(lambda x, y: fnp.sin(x) * y, 0.5, 2.0)
    for ct in (1.0, 3.0):
        np.testing.assert_allclose(pullback(ct), [ct * np.cos(0.5) * 2.0, ct * np.sin(0.5)])


def test_values_that_do_not_vary_are_known() -> None:
    """They are arrays of the trace, which the function may write to, and known there and later."""
    seen = []
    for _ in range(5):
        fxla.grad(lambda x: seen.append(x > 0) or fnp.sum(x))(np.ones(2))
        fxla.grad(lambda x: seen.append(lax.gt(x, 0.0)) or fnp.sum(x))(np.ones(2))
    for s in seen:
        assert np.asarray(s).tolist() == [True, True] and bool(s.all())
        assert type(s + 1) is fxla.Array


def test_inputs_and_results_of_a_tape() -> None:
    values, tape = record(lambda x, n: [x * 2.0, n + 1, x], [np.ones(2), 3], "vjp", "f")
    assert tape.inputs == (0, None)
    assert tape.results[1] is None and tape.results[2] == 0
    assert values[1] == 4
    assert tape.pull([np.ones(2), None, np.ones(2)])[0].tolist() == [3.0, 3.0]
    pushed = tape.push([np.ones(2), None])
    assert pushed[0].tolist() == [2.0, 2.0] and pushed[1] is None


def test_linearize_skips_what_no_result_needs() -> None:
    _, tape = record(lambda x: [fnp.sin(x), fnp.exp(x)][:1], [np.float64(1)], "vjp", "f")
    assert len(tape.steps) == 2 and len(tape._needed()) == 1


@pytest.mark.parametrize("calls", range(6))
def test_numbers_at_singular_points(calls: int) -> None:
    """A step recorded once and a step with a rule, side by side: the mask passes both."""
    f = lambda x: fnp.where(x > 0, x * fnp.log(x), 0.0)  # noqa: E731
    assert [float(fxla.grad(f)(0.0)) for _ in range(calls)] == [0.0] * calls
