"""Small matrices factored by statements, beside LAPACK, alone and in stacks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.program import Branch, HostCall, Program
from fxla.ops.linalg import cholesky, linear_solve, lu, triangular_solve
from fxla.ops.small_matrix import MOST, MOST_IN_LOOP

RNG = np.random.default_rng(0)
SIZES = [1, 2, 3, MOST]
LEADS: list[tuple[int, ...]] = [(), (5,), (3, 20)]


def calls_a_library(f: Any, *args: Any) -> bool:
    program: Program = build_program(fxla.make_jaxpr(f)(*args).jaxpr)
    return any(isinstance(i, HostCall) for i in program.body)


def matrices(lead: tuple[int, ...], n: int, dtype: Any = float) -> Any:
    return RNG.standard_normal((*lead, n, n)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("n", SIZES)
def test_solutions(n: int, lead: tuple[int, ...], dtype: Any) -> None:
    a, b = matrices(lead, n, dtype), RNG.standard_normal((*lead, n, 2)).astype(dtype)
    assert not calls_a_library(linear_solve, a, b)
    got = fxla.jit(linear_solve)(a, b)
    assert got.dtype == dtype
    residual = np.abs(a @ got - b).max()
    assert residual < 200 * np.finfo(dtype).eps * max(np.abs(got).max(), 1)


def test_many_right_hand_sides() -> None:
    a, b = matrices((), 4), RNG.standard_normal((4, 30))
    np.testing.assert_allclose(fxla.jit(linear_solve)(a, b), np.linalg.solve(a, b), rtol=1e-9)


@pytest.mark.parametrize("n", [MOST + 1, MOST_IN_LOOP])
@pytest.mark.parametrize("left_side", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_triangles_with_many_right_hand_sides(n: int, left_side: bool, lower: bool) -> None:
    """Above `MOST`, too, and with few right-hand sides by a library."""
    a = np.tril(matrices((3,), n)) + 4 * np.eye(n)
    a = a if lower else a.mT
    b = RNG.standard_normal((3, n, 40) if left_side else (3, 40, n))
    solve = functools.partial(triangular_solve, left_side=left_side, lower=lower)
    assert not calls_a_library(solve, a, b)
    x = fxla.jit(solve)(a, b)
    np.testing.assert_allclose(a @ x if left_side else x @ a, b, atol=1e-12)
    few = b[..., :2] if left_side else b[:, :2]
    assert calls_a_library(solve, a, few)


def test_pivots_are_those_of_lapack() -> None:
    a = np.array([[0.0, 2.0, 1.0], [1.0, 1.0, 0.0], [-3.0, 0.5, 4.0]])
    factors, pivots, perm = fxla.jit(lu)(a)
    expected, expected_pivots = scipy.linalg.lu_factor(a)
    np.testing.assert_allclose(factors, expected, rtol=1e-14)
    assert pivots.tolist() == expected_pivots.tolist()
    assert perm.tolist() == [2, 0, 1]
    for _ in range(20):
        a = matrices((), MOST)
        factors, pivots, _ = fxla.jit(lu)(a)
        expected, expected_pivots = scipy.linalg.lu_factor(a)
        np.testing.assert_allclose(factors, expected, rtol=1e-7)
        assert pivots.tolist() == expected_pivots.tolist()


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky_factors(n: int, lead: tuple[int, ...]) -> None:
    a = matrices(lead, n)
    a = a @ np.swapaxes(a, -1, -2) + np.eye(n)
    read = np.tril(a) + np.triu(np.full((n, n), np.nan), 1)  # the upper triangle is not read
    assert not calls_a_library(cholesky, a)
    np.testing.assert_allclose(fxla.jit(cholesky)(read), np.linalg.cholesky(a), rtol=1e-10)


@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("left_side", [False, True])
def test_triangular_solutions(
    left_side: bool, lower: bool, transpose_a: bool, unit_diagonal: bool
) -> None:
    n, k = 4, 3
    a = matrices((7,), n) + 3 * np.eye(n)
    b = RNG.standard_normal((7, n, k) if left_side else (7, k, n))

    def f(a: Any, b: Any) -> Any:
        return triangular_solve(
            a, b, left_side=left_side, lower=lower,
            transpose_a=transpose_a, unit_diagonal=unit_diagonal,
        )  # fmt: skip

    assert not calls_a_library(f, a, b)
    got = fxla.jit(f)(a, b)
    t = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        t = t - t * np.eye(n) + np.eye(n)
    t = np.swapaxes(t, -1, -2) if transpose_a else t
    np.testing.assert_allclose(t @ got if left_side else got @ t, b, rtol=1e-9, atol=1e-10)


def test_large_and_complex_matrices_go_to_lapack() -> None:
    a = matrices((), MOST + 1)
    assert calls_a_library(linear_solve, a, a)
    assert calls_a_library(linear_solve, a[:3, :3] * 1j, a[:3, :3] * 1j)


@pytest.mark.parametrize("where", ["alone", "in a stack", "in a loop", "in a mapped loop"])
def test_what_numpy_refuses_is_refused(where: str) -> None:
    good, bad = np.eye(3), np.diag([1.0, 0.0, 2.0])
    f: Any = lambda a: fnp.linalg.solve(a, fnp.ones(3))  # noqa: E731
    if where == "in a stack":
        good, bad = np.stack([good] * 4), np.stack([np.eye(3), bad, np.eye(3), np.eye(3)])
        f = fxla.vmap(f)
    elif where == "in a loop":
        f = lambda a: lax.fori_loop(0, 3, lambda i, x: fnp.linalg.solve(a, x), fnp.ones(3))  # noqa: E731
    elif where == "in a mapped loop":
        good, bad = np.stack([good] * 4), np.stack([np.eye(3), bad, np.eye(3), np.eye(3)])

        def one(a: Any) -> Any:
            step = lambda c: (fnp.linalg.solve(a, c[0]), c[1] + 1)  # noqa: E731
            return lax.while_loop(lambda c: c[1] < a[0, 0] * 3, step, (fnp.ones(3), 0))[0]

        f = fxla.vmap(one)
    compiled = fxla.jit(f)
    np.testing.assert_array_equal(compiled(good), np.ones(good.shape[:-1]))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        compiled(bad)
    np.testing.assert_array_equal(compiled(good), np.ones(good.shape[:-1]))


def test_examples_that_are_done_cannot_fail() -> None:
    """The second example leaves the loop before its matrix would be singular."""

    def one(n: Any) -> Any:
        def step(c: Any) -> Any:
            x, k = c
            a = fnp.diag(fnp.stack([1.0, 3.0 - k + 0 * n]))
            return fnp.linalg.solve(a, x), k + 1

        return lax.while_loop(lambda c: c[1] < n, step, (fnp.ones(2), 0.0))[0]

    f = fxla.jit(fxla.vmap(one))
    np.testing.assert_allclose(f(np.array([1.0, 3.0])), [[1, 1 / 3], [1, 1 / 6]])
    with pytest.raises(np.linalg.LinAlgError):
        f(np.array([1.0, 4.0]))


def test_errors_are_raised_at_the_end_of_the_program() -> None:
    program: Program = build_program(fxla.make_jaxpr(cholesky)(np.eye(2)).jaxpr)
    assert isinstance(program.body[-1], Branch)


def test_gradient_of_a_filter() -> None:
    """Kalman's filter of two states: the slope of its likelihood by differences."""
    zs = RNG.standard_normal((20, 1))
    h = np.array([[1.0, 0.0]])

    def likelihood(np: Any, q: Any, loop: Any) -> Any:
        a = np.array([[1.0, 0.1], [0.0, 0.95]])

        def step(c: Any, z: Any) -> Any:
            x, p, total = c
            x, p = a @ x, a @ p @ a.T + q * np.eye(2)
            s = h @ p @ h.T + 0.3 * np.eye(1)
            r = z - h @ x
            total = total + r @ np.linalg.solve(s, r) + np.linalg.slogdet(s)[1]
            k = np.linalg.solve(s, h @ p).T
            return (x + k @ r, p - k @ h @ p, total), None

        return loop(step, (np.zeros(2), np.eye(2), 0.0))[2]

    def python_loop(step: Any, c: Any) -> Any:
        for z in zs:
            c, _ = step(c, z)
        return c

    def scan(step: Any, c: Any) -> Any:
        return lax.scan(step, c, zs)[0]

    got = fxla.jit(fxla.grad(lambda q: likelihood(fnp, q, scan)))(0.2)
    e = 1e-6
    high, low = (likelihood(np, 0.2 + d, python_loop) for d in (e, -e))
    np.testing.assert_allclose(got, (high - low) / (2 * e), rtol=1e-6)
