"""Calls of compiled programs inside others, and the scope without compilation."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp


def test_disable_jit_runs_python() -> None:
    with fxla.disable_jit():
        assert fxla.jit(lambda x: "yes" if x > 0 else "no")(3.0) == "yes"


def test_nested_calls_are_one_call_each() -> None:
    inner = fxla.jit(lambda x: fnp.sin(x) * 2)
    outer = lambda x: inner(x) + inner(x + 1)  # noqa: E731
    assert str(fxla.make_jaxpr(outer)(1.0)).count("jit[") == 2
    flat = fxla.jit(lambda x: fnp.sin(x) * 2, inline=True)
    assert "jit[" not in str(fxla.make_jaxpr(lambda x: flat(x))(1.0))
    np.testing.assert_allclose(fxla.hessian(outer)(0.5), fxla.jit(fxla.hessian(outer))(0.5))
    np.testing.assert_allclose(
        fxla.hessian(outer)(0.5), -2 * np.sin(0.5) - 2 * np.sin(1.5), rtol=1e-14
    )


def test_residuals_that_are_arguments_are_passed_on() -> None:
    """The backward program of ``sin(w @ x)`` takes w itself, not a copy made by the forward one."""
    f = fxla.jit(lambda w, x: fnp.sin(w @ x).sum())
    closed = fxla.make_jaxpr(fxla.grad(f, (0, 1)))(np.ones((3, 4)), np.ones(4))
    forward = next(e for e in closed.eqns if e.primitive.name == "jit")
    assert all(a.shape != (3, 4) for a in (v.aval for v in forward.outputs))


def test_without_compilation() -> None:
    concrete: list[Any] = []
    f = fxla.jit(lambda x: concrete.append(isinstance(x, np.ndarray)) or x * 2)
    with fxla.disable_jit():
        np.testing.assert_array_equal(f(np.ones(2)), [2, 2])
        with fxla.disable_jit(False):
            f(np.ones(2))
        np.testing.assert_array_equal(fxla.grad(lambda x: f(x).sum())(np.ones(2)), [2, 2])
    assert concrete == [True, False, False]
