"""Solvers by the user's own algorithm: their derivatives are those of the solution."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from tests.lax.checks import agree, forms_agree, gradients_agree

RNG = np.random.default_rng(4)
A = RNG.standard_normal((4, 4)) + 5 * np.eye(4)
S = A + A.T + 5 * np.eye(4)
B = RNG.standard_normal(4)


def conjugate_gradients(matvec, b):
    """A loop with a traced end: it has no reverse mode of its own."""

    def going(state):
        return fnp.vdot(state[1], state[1]) > 1e-28

    def step(state):
        x, r, p = state
        ap = matvec(p)
        alpha = fnp.vdot(r, r) / fnp.vdot(p, ap)
        after = r - alpha * ap
        beta = fnp.vdot(after, after) / fnp.vdot(r, r)
        return x + alpha * p, after, after + beta * p

    return lax.while_loop(going, step, (fnp.zeros_like(b), b, b))[0]


def symmetric(s, b):
    return lax.custom_linear_solve(lambda x: s @ x, b, conjugate_gradients, symmetric=True)


def jacobi(matvec, b):
    """Richardson's iteration: a linear solve that needs no inner products."""
    return lax.fori_loop(0, 200, lambda i, x: x + 0.12 * (b - matvec(x)), fnp.zeros_like(b))


def general(a, b):
    return lax.custom_linear_solve(lambda x: a @ x, b, jacobi, jacobi)


def test_symmetric_solve():
    agree(symmetric, np.linalg.solve, S, B, rtol=1e-11)
    # of all entries, though only a symmetric matrix is meant: the formula holds for each
    gradients_agree(lambda b: symmetric(S, b), B, rtol=1e-6)
    f = lambda t: symmetric(S + t * np.diag(B), B)  # noqa: E731
    gradients_agree(f, np.array(0.1), rtol=1e-6)


def test_general_solve():
    agree(general, np.linalg.solve, A, B, rtol=1e-9)
    gradients_agree(general, A, B, rtol=1e-6)
    columns = fxla.jacrev(lambda b: general(A, b))(B)
    np.testing.assert_allclose(columns, np.linalg.inv(A), rtol=1e-8)


def test_second_derivatives():
    f = lambda t: general(A * t, B).sum()  # noqa: E731
    total = np.linalg.solve(A, B).sum()  # f(t) = total / t
    assert np.isclose(fxla.grad(fxla.grad(f))(1.1), 2 * total / 1.1**3)
    assert np.isclose(fxla.jit(fxla.jacfwd(fxla.grad(f)))(1.1), 2 * total / 1.1**3)


def test_forward_mode_only_without_a_transposed_solver():
    f = lambda b: lax.custom_linear_solve(lambda x: A @ x, b, jacobi)  # noqa: E731
    np.testing.assert_allclose(fxla.jvp(f, (B,), (B,))[1], np.linalg.solve(A, B), rtol=1e-9)
    with pytest.raises(TypeError, match="transpose_solve"):
        fxla.grad(lambda b: f(b).sum())(B)


def test_trees_and_auxiliary_results():
    def solve(matvec, b):
        return {"x": b["x"] / 2, "y": b["y"] / 3}, fnp.int32(7)

    def f(b):
        matvec = lambda v: {"x": 2.0 * v["x"], "y": 3.0 * v["y"]}  # noqa: E731
        return lax.custom_linear_solve(matvec, b, solve, solve, has_aux=True)

    b = {"x": np.ones(2), "y": np.array(3.0)}
    out, aux = fxla.jit(f)(b)
    assert aux == 7 and out["y"] == 1
    slope = fxla.grad(lambda b: f(b)[0]["x"].sum() + f(b)[0]["y"])(b)
    np.testing.assert_allclose(slope["x"], [0.5, 0.5])
    np.testing.assert_allclose(slope["y"], 1 / 3)
    with pytest.raises(TypeError, match="structure and types"):
        lax.custom_linear_solve(lambda x: x[:2], B, jacobi)


def newton(f, x):
    slope = fxla.grad(f)
    return lax.while_loop(lambda x: abs(f(x)) > 1e-14, lambda x: x - f(x) / slope(x), x)


def root(a):
    return lax.custom_root(lambda x: x**3 - a, 2.0, newton, lambda g, y: y / g(1.0))


def test_scalar_root():
    agree(root, np.cbrt, np.array(5.0), rtol=1e-13)
    gradients_agree(root, np.array(5.0))
    second = fxla.grad(fxla.grad(root))(5.0)
    np.testing.assert_allclose(second, -2 / 9 * 5.0 ** (-5 / 3), rtol=1e-10)


def test_vector_root_with_auxiliary_result():
    def solve(f, x):
        jac = fxla.jacfwd(f)
        step = lambda i, x: x - fnp.linalg.solve(jac(x), f(x))  # noqa: E731
        return lax.fori_loop(0, 12, step, x), fnp.int32(12)

    def f(p):
        g = lambda x: x + 0.3 * fnp.sin(A @ x) - p  # noqa: E731
        solve_linear = lambda g, y: fnp.linalg.solve(fxla.jacobian(g)(fnp.zeros(4)), y)  # noqa: E731
        return lax.custom_root(g, fnp.zeros(4), solve, solve_linear, has_aux=True)

    p = 0.1 * B
    x, steps = f(p)
    assert steps == 12
    np.testing.assert_allclose(x + 0.3 * np.sin(A @ x), p, atol=1e-12)
    forms_agree(lambda p: f(p)[0], p, rtol=1e-10)
    gradients_agree(lambda p: f(p)[0], p, rtol=1e-6)


def test_nothing_to_differentiate():
    value, tangent = fxla.jvp(
        lambda t: t + lax.custom_root(lambda x: x - 2.0, 0.0, lambda f, x: x - f(x),
                                      lambda g, y: y / g(1.0)), (1.0,), (1.0,)
    )  # fmt: skip
    assert value == 3 and tangent == 1
