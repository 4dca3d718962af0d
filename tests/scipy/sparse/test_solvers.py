"""Krylov solvers beside dense solutions, and implicit derivatives beside theirs."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.scipy import sparse
from fxla.scipy.sparse.linalg import bicgstab, cg, gmres

RNG = np.random.default_rng(0)
N = 12
A = RNG.standard_normal((N, N))
POSITIVE, GENERAL = A @ A.T + N * np.eye(N), A + 5 * np.eye(N)
B = RNG.standard_normal(N)
CASES = [(cg, POSITIVE), (bicgstab, GENERAL), (gmres, GENERAL)]


@pytest.mark.parametrize(("solve", "a"), CASES)
def test_solutions(solve, a):
    expected = np.linalg.solve(a, B)
    for f in (solve, fxla.jit(solve)):
        np.testing.assert_allclose(f(a, B, tol=1e-12)[0], expected, atol=1e-10)
    for given in (lambda x: a @ x, sparse.csr_array(a)):
        np.testing.assert_allclose(solve(given, B, tol=1e-12)[0], expected, atol=1e-10)
    jacobi = lambda x: x / np.diag(a)  # noqa: E731
    for options in ({"x0": expected + 0.1}, {"M": jacobi}, {"M": np.diag(1 / np.diag(a))}):
        np.testing.assert_allclose(solve(a, B, tol=1e-12, **options)[0], expected, atol=1e-10)
    both = fxla.vmap(lambda b: solve(a, b, tol=1e-12)[0])(np.stack([B, 2 * B]))
    np.testing.assert_allclose(both, [expected, 2 * expected], atol=1e-10)
    np.testing.assert_array_equal(solve(a, 0 * B)[0], 0.0)
    early = solve(a, B, maxiter=0)[0]
    np.testing.assert_array_equal(early, 0.0)


@pytest.mark.parametrize(("solve", "a"), CASES)
def test_derivatives(solve, a):
    loss = lambda a, b: fnp.sum(fnp.sin(solve(a, b, tol=1e-13)[0]))  # noqa: E731
    dense = lambda a, b: fnp.sum(fnp.sin(fnp.linalg.solve(a, b)))  # noqa: E731
    for k in (0, 1):
        want = fxla.grad(dense, k)(a, B)
        for wrap in (lambda f: f, fxla.jit):
            np.testing.assert_allclose(wrap(fxla.grad(loss, k))(a, B), want, atol=1e-11)
    step = RNG.standard_normal(N)
    got = fxla.jvp(lambda b: loss(a, b), (B,), (step,))[1]
    np.testing.assert_allclose(got, fxla.jvp(lambda b: dense(a, b), (B,), (step,))[1], rtol=1e-9)


def test_trees_complex_numbers_and_restarts():
    tree = {"a": B[:4], "b": B[4:].reshape(2, 4)}

    def matvec(x):
        flat = GENERAL @ fnp.concatenate([x["a"], fnp.reshape(x["b"], -1)])
        return {"a": flat[:4], "b": fnp.reshape(flat[4:], (2, 4))}

    expected = np.linalg.solve(GENERAL, B)
    for solve in (bicgstab, gmres):
        found = solve(matvec, tree, tol=1e-12)[0]
        np.testing.assert_allclose(found["b"].reshape(-1), expected[4:], atol=1e-10)
        c = GENERAL + 1j * A.T
        np.testing.assert_allclose(solve(c, B + 0j, tol=1e-12)[0], np.linalg.solve(c, B), atol=1e-9)
    np.testing.assert_allclose(gmres(GENERAL, B, tol=1e-12, restart=4)[0], expected, atol=1e-9)
    with pytest.raises(ValueError, match="shapes"):
        cg(POSITIVE, B, np.zeros(3))
    with pytest.raises(TypeError, match="square"):
        cg(POSITIVE[:3], B)
