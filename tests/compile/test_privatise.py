"""Large sums by index in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile import pool
from fxla.compile.privatise import MIN_UPDATES, PARTS, sums_in_parts
from fxla.compile.simplify import inline_calls, simplify
from fxla.core.jaxpr import Jaxpr

RNG = np.random.default_rng(0)


def added(shape: tuple[int, ...]) -> Any:
    return lambda i, x: fnp.zeros(shape, x.dtype).at[i].add(x)


def rewritten(f: Any, *args: Any) -> Jaxpr:
    return sums_in_parts(simplify(inline_calls(fxla.make_jaxpr(f)(*args).jaxpr)))


def names(jaxpr: Jaxpr) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


@pytest.mark.parametrize("n", [MIN_UPDATES, MIN_UPDATES + 3])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "c8"])
def test_sums_of_numbers(n: int, dtype: str) -> None:
    i = RNG.integers(-1000, 1000, n)
    x = RNG.integers(-3, 4, n).astype(dtype)  # whose sums are exact in any order
    expected = np.zeros(1000, dtype)
    np.add.at(expected, i, x)
    got = fxla.jit(added((1000,)))(i, x)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected)
    assert names(rewritten(added((1000,)), i, x)).count("reduce_sum") == 1


def test_rows_and_pairs_of_indices() -> None:
    n = MIN_UPDATES // 4 + 5
    i, j = RNG.integers(0, 30, (2, n))
    x = RNG.integers(0, 9, (n, 4)).astype("f4")
    expected = np.zeros((30, 30, 4), "f4")
    np.add.at(expected, (i, j), x)
    pairs = lambda i, j, x: fnp.zeros((30, 30, 4), "f4").at[i, j].add(x)  # noqa: E731
    np.testing.assert_array_equal(fxla.jit(pairs)(i, j, x), expected)
    assert "reduce_sum" in names(rewritten(pairs, i, j, x))


def test_what_is_out_of_bounds_is_dropped() -> None:
    i = RNG.integers(-300, 300, MIN_UPDATES)
    got = fxla.jit(lambda i: fnp.zeros(100).at[i].add(1.0))(i)
    expected = np.bincount(np.where(i < 0, i + 100, i)[(i >= -100) & (i < 100)], minlength=100)
    np.testing.assert_array_equal(got, expected)


def test_the_gradient_of_reading_rows() -> None:
    i = RNG.integers(0, 200, 20_000)
    w = RNG.standard_normal((200, 16))
    got = fxla.jit(fxla.grad(lambda w: (w[i] ** 2).sum()))(w)
    np.testing.assert_allclose(got, 2 * w * np.bincount(i, minlength=200)[:, None], rtol=1e-12)


def test_what_does_not_pay_stays() -> None:
    i = np.zeros(MIN_UPDATES, int)
    x = np.ones(MIN_UPDATES)
    few = MIN_UPDATES // (8 * PARTS)
    assert "reduce_sum" in names(rewritten(added((few,)), i, x))
    assert "reduce_sum" not in names(rewritten(added((few + 1,)), i, x))
    assert "reduce_sum" not in names(rewritten(added((10,)), i[1:], x[1:]))
    onto = lambda i, x, y: y.at[i].add(x)  # noqa: E731
    assert "reduce_sum" not in names(rewritten(onto, i, x, np.ones(10)))


def test_bits_do_not_depend_on_threads() -> None:
    i = RNG.integers(0, 50, MIN_UPDATES)
    x = RNG.standard_normal(MIN_UPDATES)
    f = fxla.jit(added((50,)))
    results = []
    for n in (1, 2):
        with pool.threads(n):
            results.append(f(i, x))
    np.testing.assert_array_equal(*results)
    assert "[parallel]" in f.inspect(i, x).loops
