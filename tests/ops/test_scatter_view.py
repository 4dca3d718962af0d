"""Scatters of one window: which they are, what they give, and that they fuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.ops.gather_dims import GatherDims
from fxla.ops.scatter_view import has_one_window

RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 9))


def test_which_scatters_have_one_window() -> None:
    point = GatherDims((), (0,), (0,))
    assert has_one_window((1,), point)
    assert has_one_window((1, 1), point)
    assert not has_one_window((2, 1), point)
    rows = GatherDims((), (1,), (1,), (0,), (0,))
    assert has_one_window((7, 1), rows)
    assert not has_one_window((7, 2, 1), rows)


@pytest.mark.parametrize("i", [0, 3, 6, -1])
def test_one_element_and_one_row(i: int) -> None:
    want = X.copy()
    want[i] = np.arange(9)
    got = fxla.jit(lambda x, i: x.at[i].set(np.arange(9.0)))(X, i)
    np.testing.assert_array_equal(got, want)
    want = X.copy()
    want[i, 2] += 5
    np.testing.assert_array_equal(fxla.jit(lambda x, i: x.at[i, 2].add(5.0))(X, i), want)


def test_a_window_inside() -> None:
    update = RNG.standard_normal((5, 7))
    want = X.copy()
    want[1:-1, 1:-1] *= update
    got = fxla.jit(lambda x, u: x.at[1:-1, 1:-1].multiply(u))(X, update)
    np.testing.assert_allclose(got, want, rtol=1e-15)


@pytest.mark.parametrize("start", [(-3, 0), (1, 2), (5, 8), (100, -100)])
def test_a_window_that_is_moved_inside(start: tuple[int, int]) -> None:
    update = RNG.standard_normal((3, 4))
    want = X.copy()
    a, b = (
        int(np.clip(s + n * (s < 0), 0, n - k))
        for s, n, k in zip(start, X.shape, (3, 4), strict=True)
    )
    want[a : a + 3, b : b + 4] = update
    got = fxla.jit(lambda x, u, s: lax.dynamic_update_slice(x, u, s))(X, update, start)
    np.testing.assert_array_equal(got, want)


def test_an_index_outside_writes_nothing() -> None:
    got = fxla.jit(lambda x, i: x.at[i].set(0.0, mode="drop"))(X, 50)
    np.testing.assert_array_equal(got, X)


def test_a_window_for_each_example() -> None:
    i = RNG.integers(0, 9, 7)
    want = np.zeros_like(X)
    want[np.arange(7), i] = 1 / X[np.arange(7), i]
    got = fxla.jit(
        fxla.grad(lambda x: fnp.sum(fnp.log(fnp.abs(fnp.take_along_axis(x, i[:, None], 1)))))
    )(X)
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_the_gradient_of_a_cross_entropy_is_one_pass_over_rows() -> None:
    labels = RNG.integers(0, 9, 7)

    def loss(x: Any) -> Any:
        logp = fxla.nn.log_softmax(x, axis=-1)
        return -fnp.sum(fnp.take_along_axis(logp, labels[:, None], 1))

    names = [k.name for k in build_program(fxla.make_jaxpr(fxla.grad(loss))(X).jaxpr).kernels()]
    assert "scatter_add" not in names
    p = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    p[np.arange(7), labels] -= 1
    np.testing.assert_allclose(fxla.jit(fxla.grad(loss))(X), p, atol=1e-14)
