"""Loops that change places so that all cores have something to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

RNG = np.random.default_rng(0)


def chunks(f: Any, *args: Any) -> dict[str, int]:
    """Into how many chunks each kernel is cut."""
    found = {}
    for line in fxla.jit(f).inspect(*args).threads.splitlines():
        name, _, rest = line.partition(": ")
        many = re.match(r"(\d+) chunks", rest)
        found[name] = int(many[1]) if many else 1
    return found


@pytest.mark.parametrize("shape", [(20000, 48), (48, 20000), (20000, 130)])
def test_a_narrow_matrix_is_transposed_by_all_cores(shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape)
    f = lambda x: x.T * 2.0  # noqa: E731
    np.testing.assert_array_equal(fxla.jit(f)(x), x.T * 2.0)
    (several,) = chunks(f, x).values()
    assert several >= 4


def test_colours_of_an_image() -> None:
    x, shift, slope = RNG.standard_normal((3, 300, 400)), np.arange(3.0), np.linspace(1, 2, 400)
    f = lambda x, c, s: (x - c[:, None, None]) * s  # noqa: E731
    got = fxla.jit(f)(x, shift, slope)
    np.testing.assert_array_equal(got, (x - shift[:, None, None]) * slope)
    assert min(chunks(f, x, shift, slope).values()) >= 4


def test_rows_that_are_summed() -> None:
    x, w = RNG.standard_normal((2, 500, 300)), RNG.standard_normal((2, 300))
    f = lambda x, w: fnp.sum(x * w[:, None, :], axis=2)  # noqa: E731
    np.testing.assert_allclose(fxla.jit(f)(x, w), np.einsum("bij,bj->bi", x, w), rtol=1e-10)
    assert min(chunks(f, x, w).values()) >= 4


def test_windows_of_one_image() -> None:
    x = RNG.standard_normal((1, 96, 96, 32)).astype("f4")

    def f(x: Any) -> Any:
        window = (1, 2, 2, 1)
        return fnp.sum(lax.reduce_window(x, -fnp.inf, lax.max, window, window, "VALID") ** 2)

    blocks = x.reshape(48, 2, 48, 2, 32)
    largest = blocks.max(axis=(1, 3), keepdims=True)
    np.testing.assert_allclose(
        fxla.jit(fxla.grad(f))(x)[0],
        np.where(blocks == largest, 2 * blocks, 0).reshape(96, 96, 32),
        rtol=1e-6,
    )
    assert chunks(fxla.grad(f), x)["window_arg"] >= 4


def test_little_work_is_left_as_it_is() -> None:
    f = lambda x, c: (x - c[:, None, None]) * 2.0  # noqa: E731
    loops = fxla.jit(f).inspect(np.ones((3, 20, 30)), np.ones(3)).loops
    assert re.search(r"for i0 < 3 \[parallel\]", loops) or "n0 [parallel]" in loops
