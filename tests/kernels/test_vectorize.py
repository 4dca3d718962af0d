"""Scalar functions as elementwise functions."""

import math
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.errors import ShapeError

X = np.linspace(-2.0, 2.0, 12).reshape(3, 4)


@fxla.vectorize
def soft(x: Any, limit: Any) -> Any:
    if x > limit:
        return x - limit
    if x < -limit:
        return x + limit
    return 0.0


@fxla.vectorize
def safe_log(x: Any) -> Any:
    return math.log(x) if x > 0 else 0.0


@fxla.vectorize
def cube_root(x: Any) -> Any:
    y = x
    for _ in range(60):
        y = y - (y * y * y - x) / (3 * y * y)
    return y


def soft_in_numpy(x: Any, limit: Any) -> Any:
    return np.sign(x) * np.maximum(np.abs(x) - limit, 0.0)


@pytest.mark.parametrize("run", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_values_broadcast(run: Any) -> None:
    limit = np.array([[0.1], [0.5], [3.0]])
    np.testing.assert_allclose(run(soft)(X, limit), soft_in_numpy(X, limit), rtol=1e-15)
    np.testing.assert_allclose(run(soft)(X, 0.5), soft_in_numpy(X, 0.5), rtol=1e-15)


def test_it_fuses_into_one_kernel() -> None:
    seen = fxla.jit(lambda x: fnp.sum(fnp.sin(soft(x, 0.5)))).inspect(X)
    assert seen.loops.count("for i0") == 1
    slope = fxla.jit(fxla.grad(lambda x: fnp.sum(fnp.sin(soft(x, 0.5)))))
    assert slope.inspect(X).loops.count("for i0") == 1
    want = np.cos(soft_in_numpy(X, 0.5)) * (np.abs(X) > 0.5)
    np.testing.assert_allclose(slope(X), want, rtol=1e-14)


def test_the_branch_not_taken_has_no_say() -> None:
    found = fxla.jit(fxla.grad(lambda x: safe_log(x).sum()))(np.array([-1.0, 0.0, 4.0]))
    np.testing.assert_array_equal(found, [0.0, 0.0, 0.25])


def test_loops_run_as_a_kernel() -> None:
    x = np.linspace(0.5, 8.0, 6)
    np.testing.assert_allclose(fxla.jit(cube_root)(x), np.cbrt(x), rtol=1e-14)
    found = fxla.jit(fxla.grad(lambda x: cube_root(x).sum()))(x)
    np.testing.assert_allclose(found, 1 / (3 * np.cbrt(x) ** 2), rtol=1e-10)


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(ShapeError, match="do not broadcast"):
        soft(X, np.ones(3))
