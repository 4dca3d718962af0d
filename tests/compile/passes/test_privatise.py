"""Large sums by index in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.backend import pool
from fxla.compile.passes.privatise import CACHED, MIN_UPDATES, PARTS, SHARE, sums_in_parts
from fxla.compile.passes.simplify import inline_calls, simplify
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
    few = MIN_UPDATES // (SHARE * min(PARTS))
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


@pytest.mark.parametrize(
    ("targets", "updates", "parts"),
    [(8, MIN_UPDATES, 8), (MIN_UPDATES // 16, MIN_UPDATES, 4), (CACHED // 8, 4 * CACHED, 2)],
)
def test_there_are_as_many_parts_as_the_updates_are_worth(
    targets: int, updates: int, parts: int
) -> None:
    i, x = np.zeros(updates, "i4"), np.zeros(updates, "f4")
    (sums,) = [
        e for e in rewritten(added((targets,)), i, x).eqns if e.primitive.name == "reduce_sum"
    ]
    assert sums.inputs[0].aval.shape == (parts, targets)


def test_wide_rows_that_stay_in_a_cache_are_shared_out_instead() -> None:
    i, x = np.zeros(MIN_UPDATES // 32, int), np.zeros((MIN_UPDATES // 16, 64))
    assert "reduce_sum" not in names(rewritten(added((9, 64)), np.tile(i, 2), x))


@pytest.mark.parametrize("target", ["native", "numba"])
@pytest.mark.parametrize("width", [2, 3, 4, 5, 7, 8, 9])
def test_rows_read_by_one_index_are_added_to_rows_by_another(
    width: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indices count from the end, too: each lane of a row has the same one."""
    monkeypatch.setenv("FXLA_TARGET", target)
    n = 1000
    at, to = RNG.integers(-50, 50, (2, n))
    x, w = RNG.standard_normal((50, width)), RNG.standard_normal(n)
    expected = np.zeros((50, width))
    np.add.at(expected, to, x[at] * w[:, None])
    f = lambda x, w, at, to: fnp.zeros((50, width)).at[to].add(x[at] * w[:, None])  # noqa: E731
    np.testing.assert_allclose(fxla.jit(f)(x, w, at, to), expected, rtol=1e-12, atol=1e-13)
