"""Triangular systems in blocks, by what is left of the right-hand sides, in more digits."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import scipy.linalg

import fxla
from fxla.ops.linalg import triangular_solve
from tests.compile.routines.test_sorting import names

RNG = np.random.default_rng(0)
CASES = list(itertools.product((True, False), repeat=4))


def matrix(dtype: str, *shape: int) -> np.ndarray:
    n = shape[-1]
    return (RNG.standard_normal(shape) / np.sqrt(n) + 3 * np.eye(n)).astype(dtype)


@pytest.mark.parametrize("left_side, lower, transpose_a, unit_diagonal", CASES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_all_sides_and_triangles(
    dtype: str, left_side: bool, lower: bool, transpose_a: bool, unit_diagonal: bool
) -> None:
    solve = functools.partial(
        triangular_solve,
        left_side=left_side, lower=lower, transpose_a=transpose_a, unit_diagonal=unit_diagonal,
    )  # fmt: skip
    eps = np.finfo(dtype).eps
    jitted = fxla.jit(solve)
    for n, count, lead in ((13, 3, ()), (64, 64, ()), (130, 70, ()), (150, 1, ()), (70, 20, (2,))):
        a = matrix(dtype, *lead, n, n)
        b = RNG.standard_normal((*lead, *((n, count) if left_side else (count, n)))).astype(dtype)
        triangle = np.tril(a, -1) if lower else np.triu(a, 1)
        diagonal = np.ones((*lead, n), dtype) if unit_diagonal else np.diagonal(a, 0, -2, -1)
        square = triangle.astype(np.longdouble) + diagonal[..., None] * np.eye(n)
        square = square.mT if transpose_a else square
        other = np.triu(np.ones((n, n)), 1) if lower else np.tril(np.ones((n, n)), -1)
        a = np.where(other, np.nan, a)  # nobody reads the other triangle
        x = np.asarray(jitted(a, b), np.longdouble)
        left = square @ x - b if left_side else x @ square - b
        assert np.abs(left).max() < 100 * eps * max(np.abs(x).max(), 1.0)
        assert "HostCall" not in names(solve, a, b)


def test_as_accurate_as_substitution_where_inverses_are_not() -> None:
    """Kahan's matrix, whose condition grows with every row."""
    n, sine, cosine = 90, np.sin(1.2), np.cos(1.2)
    a = np.diag(sine ** np.arange(n)) @ (np.eye(n) - cosine * np.triu(np.ones((n, n)), 1))
    b = RNG.standard_normal((n, 5))
    solve = functools.partial(triangular_solve, left_side=True, lower=False)
    x = np.asarray(fxla.jit(solve)(a, b))
    want = scipy.linalg.solve_triangular(a, b)

    def backward(x: np.ndarray) -> float:
        wide = x.astype(np.longdouble)
        return float((np.abs(a @ wide - b) / (np.abs(a) @ np.abs(wide) + np.abs(b))).max())

    assert backward(x) < 4 * backward(want) + 1e-16


def test_zeros_on_the_diagonal_are_no_error() -> None:
    a = np.tril(np.ones((70, 70)))
    a[65, 65] = 0.0
    x = fxla.jit(functools.partial(triangular_solve, left_side=True, lower=True))(
        a, np.ones((70, 2))
    )
    assert np.isfinite(x[:65]).all()
    assert not np.isfinite(x[65:]).any()


def test_large_systems_with_few_right_hand_sides_stay_with_blas() -> None:
    solve = functools.partial(triangular_solve, left_side=True, lower=True)
    a, b = np.eye(1024, dtype="f4"), np.ones((1024, 1), "f4")
    assert "HostCall" in names(solve, a, b)
    assert "HostCall" not in names(solve, a.astype("f8"), b.astype("f8"))
    np.testing.assert_array_equal(fxla.jit(solve)(a, b), b)


def test_stacks_are_loops() -> None:
    a, b = matrix("f8", 20, 16, 16), RNG.standard_normal((20, 16, 4))
    solve = functools.partial(triangular_solve, left_side=True, lower=True)
    assert "HostCall" not in names(solve, a, b)
    want = np.stack(
        [scipy.linalg.solve_triangular(m, y, lower=True) for m, y in zip(a, b, strict=True)]
    )
    np.testing.assert_allclose(fxla.jit(solve)(a, b), want, atol=1e-13)
