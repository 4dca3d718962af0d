"""Systems in blocks: as accurate as NumPy's, which solves float32 in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.ops.linalg import linear_solve
from tests.compile.routines.test_sorting import names

RNG = np.random.default_rng(0)


def backward(a: Any, b: Any, x: Any) -> float:
    """The componentwise backward error of a solution."""
    a, b, x = (np.asarray(v, np.longdouble) for v in (a, b, x))
    return float((np.abs(a @ x - b) / (np.abs(a) @ np.abs(x) + np.abs(b))).max())


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "n, count, lead", [(7, 1, ()), (9, 3, ()), (65, 70, ()), (130, 4, ()), (70, 9, (3,))]
)
def test_solutions(n: int, count: int, lead: tuple[int, ...], dtype: str) -> None:
    a = RNG.standard_normal((*lead, n, n)).astype(dtype)
    b = RNG.standard_normal((*lead, n, count)).astype(dtype)
    x = fxla.jit(linear_solve)(a, b)
    assert "HostCall" not in names(linear_solve, a, b)
    assert x.dtype == dtype
    assert backward(a, b, x) < 3 * backward(a, b, np.linalg.solve(a, b)) + np.finfo(dtype).eps


def test_singular_matrices_are_numpy_s_error() -> None:
    a = np.ones((70, 70))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        fxla.jit(fnp.linalg.solve)(a, np.ones(70))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        fxla.jit(fnp.linalg.inv)(np.stack([np.eye(20), np.zeros((20, 20))]))


def test_gradients_are_those_of_differences() -> None:
    a, b = RNG.standard_normal((66, 66)) / 8 + np.eye(66), RNG.standard_normal((66, 2))

    def loss(a: Any, b: Any) -> Any:
        return fnp.sum(linear_solve(a, b) ** 2)

    by_a, by_b = fxla.jit(fxla.grad(loss, (0, 1)))(a, b)
    x = np.linalg.solve(a, b)
    want = np.linalg.solve(a.T, 2 * x)
    np.testing.assert_allclose(by_b, want, atol=1e-9)
    np.testing.assert_allclose(by_a, -want @ x.T, atol=1e-9)
