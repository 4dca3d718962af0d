"""Reductions of large arrays in two kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.fusion.partial import BLOCK, LARGE, in_two
from fxla.compile.program import Launch, walk_instructions
from fxla.control.programs import executable_of


def launches(function: Callable[..., Any], *args: Any) -> list[Launch]:
    program = executable_of(fxla.make_jaxpr(function)(*args).jaxpr).program
    return [i for i in walk_instructions(program.body) if isinstance(i, Launch)]


@pytest.mark.parametrize("n", [LARGE - 1, LARGE, LARGE + 1, 10 * BLOCK, 10 * BLOCK + 1])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "c16", "?"])
def test_sums_and_extremes(n: int, dtype: str) -> None:
    x = np.random.default_rng(n).normal(size=n) * 3
    x = (x + 1j * x[::-1] if dtype == "c16" else x).astype(dtype)
    wide = {"f2": "f8", "f4": "f8"}.get(dtype)
    tolerance = {"f2": 1e-3, "f4": 1e-5}.get(dtype, 1e-12)
    total = fxla.jit(fnp.sum)(x)
    scale = float(np.abs(x.astype(wide or x.dtype)).sum())
    assert abs(total - np.sum(x, dtype=wide)) <= tolerance * scale
    if dtype != "c16":
        assert fxla.jit(fnp.max)(x) == np.max(x)
        assert fxla.jit(fnp.min)(x) == np.min(x)
    assert fxla.jit(fnp.any)(x) == np.any(x)
    assert fxla.jit(fnp.all)(x) == np.all(x)


def test_nan_infinity_and_signs_survive() -> None:
    x = np.zeros(LARGE + 77)
    x[LARGE + 70] = np.inf
    assert fxla.jit(fnp.sum)(x) == np.inf
    x[5] = np.nan
    assert np.isnan(fxla.jit(fnp.sum)(x))
    assert np.isnan(fxla.jit(fnp.max)(x))
    assert fxla.jit(fnp.max)(np.full(LARGE + 1, -np.inf)) == -np.inf


def test_a_small_step_after_the_sum_is_in_its_second_kernel() -> None:
    def mean(x: Any) -> Any:
        return fnp.sqrt(fnp.mean(x * x))

    x = np.random.default_rng(0).normal(size=3 * LARGE)
    blocks, rest = launches(mean, x)
    assert blocks.grain > 0
    assert blocks.count == -(-x.size // BLOCK)
    assert rest.grain == 0
    assert len(launches(mean, x[:1000])) == 1
    np.testing.assert_allclose(fxla.jit(mean)(x), np.sqrt(np.mean(x * x)), rtol=1e-14)


def test_a_sum_that_needs_another_comes_after_it() -> None:
    x = np.random.default_rng(1).normal(size=(300, 400)) + 5
    assert len(launches(fnp.var, x)) == 4
    np.testing.assert_allclose(fxla.jit(fnp.var)(x), np.var(x), rtol=1e-13)


def test_reductions_of_one_array_share_its_loop() -> None:
    def both(x: Any) -> Any:
        return fnp.sum(x), fnp.max(x)

    x = np.random.default_rng(2).normal(size=2 * LARGE)
    assert len(launches(both, x)) == 2
    total, top = fxla.jit(both)(x)
    np.testing.assert_allclose(total, x.sum(), atol=1e-9)
    assert top == x.max()


def test_a_value_and_its_gradient_are_one_pass() -> None:
    def loss(w: Any, x: Any) -> Any:
        return fnp.sum(fnp.log1p(fnp.exp(-w * x)))

    w, x = np.random.default_rng(5).normal(size=(2, 2 * LARGE))
    found = launches(fxla.value_and_grad(loss), w, x)
    assert len(found) == 2
    assert str(found[0].kernel).count("log1p(") == 1
    value, slope = fxla.jit(fxla.value_and_grad(loss))(w, x)
    e = np.exp(-w * x)
    np.testing.assert_allclose(value, np.log1p(e).sum(), rtol=1e-12)
    np.testing.assert_allclose(slope, -x * e / (1 + e), rtol=1e-12)


def test_maps_beside_sums_of_what_they_compute() -> None:
    def f(np: Any, x: Any, b: Any) -> Any:
        t = np.tanh(x + b)
        return t, np.mean(t * t), t - np.max(t), np.sum(x) + np.sum(b)

    rng = np.random.default_rng(6)
    x, b = rng.normal(size=(700, 333)), rng.normal(size=333)
    got = fxla.jit(lambda x, b: f(fnp, x, b))(x, b)
    for a, want in zip(got, f(np, x, b), strict=True):
        np.testing.assert_allclose(a, want, rtol=1e-10, atol=1e-12)


def test_a_scalar_that_the_map_needs_comes_before_it() -> None:
    def f(np: Any, x: Any, s: Any) -> Any:
        y = x * np.exp(s)
        return y, np.sum(y), np.sum(y / np.sum(y))

    x = np.random.default_rng(7).normal(size=LARGE + 5) + 3
    got = fxla.jit(lambda x, s: f(fnp, x, s))(x, 0.5)
    for a, want in zip(got, f(np, x, 0.5), strict=True):
        np.testing.assert_allclose(a, want, rtol=1e-12)


def test_rows_that_cannot_be_merged_are_taken_in_blocks() -> None:
    x = np.random.default_rng(3).normal(size=(501, 333))
    inner = fxla.jit(lambda x: fnp.sum(x[:, 1:]))
    np.testing.assert_allclose(inner(x), x[:, 1:].sum(), atol=1e-9)
    np.testing.assert_allclose(fxla.jit(lambda x: fnp.sum(x[:, ::-2] * x[:1, 0]))(x),
                               (x[:, ::-2] * x[:1, 0]).sum(), atol=1e-9)  # fmt: skip
    assert len(launches(lambda x: fnp.sum(x[:, 1:]), x)) == 2


def test_another_large_size_is_the_same_kernel() -> None:
    kernels = [
        {k.kernel for k in launches(fnp.sum, np.zeros(n, np.float32))} for n in (LARGE, 10**6)
    ]
    assert kernels[0] == kernels[1]


def test_a_sum_in_blocks_is_more_exact() -> None:
    x = np.full(1 << 24, 0.1, np.float32)
    exact = float(x[0]) * x.size
    assert abs(float(fxla.jit(fnp.sum)(x)) - exact) < 1e-5 * exact


def test_only_one_loop_of_reductions_is_split() -> None:
    (maps,) = launches(lambda x: x + 1, np.zeros(2 * LARGE))
    assert in_two(maps.kernel) is None
