"""jaxopt: solvers beside the solution of a least-squares problem, and derivatives of solutions."""

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

RNG = np.random.default_rng(0)
A = RNG.standard_normal((40, 5)).astype(np.float32)
W = np.float32([1, -2, 0, 0, 3])
B = A @ W
START = jnp.zeros(5)


def loss(w):
    return 0.5 * jnp.mean((A @ w - B) ** 2)


def residuals(w):
    return A @ w - B


def solves(solver):
    found = solver.run(START).params
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, W, atol=5e-3)


def case_gradient_descent():
    solves(jaxopt.GradientDescent(loss, maxiter=500, tol=1e-5))


def case_lbfgs():
    solves(jaxopt.LBFGS(loss))
    solves(jaxopt.LBFGS(loss, linesearch="backtracking"))


def case_bfgs():
    solves(jaxopt.BFGS(loss))


def case_nonlinear_conjugate_gradients():
    solves(jaxopt.NonlinearCG(loss))


def case_least_squares():
    solves(jaxopt.GaussNewton(residuals))
    solves(jaxopt.LevenbergMarquardt(residuals))


def case_scipy():
    solves(jaxopt.ScipyMinimize(fun=loss, method="L-BFGS-B"))


def case_proximal_gradient():
    solver = jaxopt.ProximalGradient(loss, prox=jaxopt.prox.prox_lasso, maxiter=500)
    w = solver.run(START, hyperparams_prox=0.1).params
    # At a solution the gradient is -0.1 sign(w), or within it where w is zero.
    slope = A.T @ (A @ w - B) / 40
    np.testing.assert_allclose(slope[w != 0], -0.1 * np.sign(w[w != 0]), atol=1e-3)
    assert (np.abs(slope[w == 0]) <= 0.1).all() and (w == 0).any()


def case_projected_gradient():
    solver = jaxopt.ProjectedGradient(loss, projection=jaxopt.projection.projection_simplex)
    w = solver.run(jnp.ones(5) / 5).params
    np.testing.assert_allclose(w.sum(), 1, rtol=1e-5)
    assert (w >= 0).all()


def case_updates_are_compiled():
    solver = jaxopt.LBFGS(loss)
    w, state = START, solver.init_state(START)
    update = jax.jit(solver.update)
    for _ in range(15):
        w, state = update(w, state)
    np.testing.assert_allclose(w, W, atol=1e-3)


def case_derivatives_of_solutions():
    def solution(weight):
        def ridge(w, weight):
            return loss(w) + 0.5 * weight * jnp.sum(w**2)

        return jaxopt.GradientDescent(ridge, maxiter=500, tol=1e-6).run(START, weight).params.sum()

    h = A.T @ A / 40 + 0.5 * np.eye(5)
    slope = -np.linalg.solve(h, np.linalg.solve(h, A.T @ B / 40)).sum()
    np.testing.assert_allclose(jax.grad(solution)(0.5), slope, rtol=1e-3)


def case_fixed_points_and_roots():
    start = jnp.array(1.0)
    for solver in (jaxopt.FixedPointIteration(jnp.cos), jaxopt.AndersonAcceleration(jnp.cos)):
        np.testing.assert_allclose(solver.run(start).params, 0.7390851, rtol=1e-4)
    found = jaxopt.Bisection(lambda x: x**3 - 2, 0.0, 2.0).run().params
    np.testing.assert_allclose(found, 2 ** (1 / 3), rtol=1e-4)


def case_quadratic_programs():
    found = jaxopt.OSQP().run(
        params_obj=(jnp.eye(2), jnp.array([-1.0, -1.0])),
        params_ineq=(jnp.eye(2), jnp.array([0.5, 2.0])),
    )
    np.testing.assert_allclose(found.params.primal, [0.5, 1.0], atol=1e-2)
