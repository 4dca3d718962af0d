"""Stacks of matrices of seven and eight rows, without a call of LAPACK, as NumPy has them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.program import HostCall
from fxla.compile.routines.written_out import FEWEST, MOST
from fxla.ops.linalg import cholesky, linear_solve, triangular_solve

RNG = np.random.default_rng(0)


def calls_lapack(f: Callable[..., Any], *operands: Any, tiles: bool = True) -> bool:
    program = build_program(fxla.make_jaxpr(f)(*operands).jaxpr, tiles=tiles)
    return any(isinstance(i, HostCall) for i in program.body)


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-8), ("float32", 1e-2)])
@pytest.mark.parametrize("n", [7, MOST])
def test_large_stacks_are_statements(n: int, dtype: str, rtol: float) -> None:
    a = RNG.standard_normal((FEWEST, n, n)).astype(dtype)
    b = RNG.standard_normal((FEWEST, n, 2)).astype(dtype)
    square = a @ a.swapaxes(1, 2) + np.eye(n, dtype=dtype)
    lower = np.tril(square)
    assert not calls_lapack(linear_solve, a, b)
    assert not calls_lapack(cholesky, square)
    below = functools.partial(triangular_solve, left_side=True, lower=True)
    assert not calls_lapack(below, lower, b)
    got = fxla.jit(below)(lower, b)
    np.testing.assert_allclose(lower @ got, b, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(
        fxla.jit(linear_solve)(square, b), np.linalg.solve(square, b), rtol=rtol
    )
    np.testing.assert_allclose(fxla.jit(cholesky)(square), np.linalg.cholesky(square), rtol=rtol)
    np.testing.assert_allclose(fxla.jit(fnp.linalg.det)(square), np.linalg.det(square), rtol=rtol)


def test_the_gradient_of_determinants_is_the_inverse() -> None:
    a = RNG.standard_normal((FEWEST, MOST, MOST))
    square = a @ a.swapaxes(1, 2) + np.eye(MOST)
    got = fxla.jit(fxla.grad(lambda a: fnp.log(fnp.linalg.det(a)).sum()))(square)
    np.testing.assert_allclose(got, np.linalg.inv(square), rtol=1e-6, atol=1e-9)


def test_few_matrices_are_loops_and_numba_s_stay_with_lapack() -> None:
    a = RNG.standard_normal((FEWEST, MOST, MOST))
    b = RNG.standard_normal((FEWEST, MOST, 1))
    assert not calls_lapack(linear_solve, a[1:], b[1:])
    assert calls_lapack(linear_solve, a, b, tiles=False)


def test_a_singular_matrix_of_a_stack_is_an_error() -> None:
    a = np.broadcast_to(np.eye(MOST), (FEWEST, MOST, MOST)).copy()
    a[5, 3] = 0
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        fxla.jit(linear_solve)(a, np.ones((FEWEST, MOST, 1)))
