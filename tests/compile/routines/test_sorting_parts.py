"""The sort of one long row by parts, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.executable import compile_jaxpr
from fxla.compile.program import Launch
from fxla.compile.routines import sorting, sorting_parts
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof

N = 4001  # not a multiple of the parts


@pytest.fixture(autouse=True)
def short_rows_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting_parts, "LONG", 10)


def launches(function: Any, *xs: Any) -> list[Launch]:
    avals = [typeof(x) for x in xs]
    program = compile_jaxpr(trace_to_jaxpr(lambda *a: [function(*a)], avals).jaxpr).program
    return [i for i in program.body if isinstance(i, Launch)]


def numbers(dtype: str, n: int) -> Any:
    rng = np.random.default_rng(3)
    if dtype == "?":
        return rng.integers(0, 2, n).astype(bool)
    x: Any = (rng.normal(size=n) * 50).astype(dtype)
    if dtype[0] == "f":
        x[rng.integers(0, n, 99)] = rng.choice([0.0, -0.0, np.inf, -np.inf, np.nan], 99)
    return x


def stable(x: Any) -> Any:
    return fnp.argsort(x, stable=True)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "i4", "u4", "i8", "f2", "f4", "f8"])
def test_the_order_is_stable_and_numpys(dtype: str) -> None:
    x = numbers(dtype, N)
    np.testing.assert_array_equal(fxla.jit(stable)(x), np.argsort(x, kind="stable"))
    np.testing.assert_array_equal(fxla.jit(fnp.sort)(np.tile(x, 2)), np.sort(np.tile(x, 2)))


@pytest.mark.parametrize("n", [10, 15, 16, 17, 33])
def test_parts_may_be_short_or_empty(n: int) -> None:
    x = numbers("i4", n)
    np.testing.assert_array_equal(fxla.jit(stable)(x), np.argsort(x, kind="stable"))


def test_digits_that_all_keys_share_are_passed_over() -> None:
    sorts = fxla.jit(stable)
    rng = np.random.default_rng(4)
    low = rng.integers(0, 100, N)
    for x in (low, low << 22, (low << 40) + 5, low + (low << 33), np.full(N, 7)):
        np.testing.assert_array_equal(sorts(x), np.argsort(x, kind="stable"))


def test_operands_go_along() -> None:
    x = numbers("f4", N)
    y, z = np.arange(N), np.arange(N)[::-1] * 0.5
    got = fxla.jit(lambda *a: lax.sort(a, num_keys=1))(x, y, z)
    order = np.argsort(x, kind="stable")
    for a, b in zip(got, (x, y, z), strict=True):
        np.testing.assert_array_equal(a, b[order])


@pytest.mark.parametrize("k", [1, 70, N - 1, N])
@pytest.mark.parametrize("dtype", ["i4", "f8"])
def test_the_largest_of_a_row(dtype: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "LIST", 0)
    x = numbers(dtype, N)
    values, places = fxla.jit(lambda x: lax.top_k(x, k))(x)
    # sorted backwards, of equals the first is last, and read backwards it is first
    order = (N - 1 - np.argsort(x[::-1], kind="stable"))[::-1][:k]
    np.testing.assert_array_equal(places, order)
    np.testing.assert_array_equal(values, x[order])


@pytest.mark.parametrize(("shape", "axis"), [((1, N), 1), ((N, 1), 0), ((1, N, 1), 1)])
def test_axes_of_one_element_do_not_matter(shape: tuple[int, ...], axis: int) -> None:
    x = numbers("f4", N).reshape(shape)
    np.testing.assert_array_equal(
        fxla.jit(lambda x: fnp.sort(x, axis=axis))(x), np.sort(x, axis=axis)
    )


def test_parts_are_counted_and_moved_in_parallel() -> None:
    found = launches(fnp.sort, np.zeros(10**6, np.float32))
    shared = [i for i in found if 0 < i.grain < i.count]
    assert len({id(i.kernel) for i in found}) == 5  # the digits share theirs
    # keys, for each of three digits counts and moves, and results
    assert len(shared) == 1 + 3 * 2 + 1
    assert [i.count for i in found if i not in shared] == [0, 0, 0]


def test_the_other_target_sorts_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "numba")
    x = numbers("f4", 500)
    np.testing.assert_array_equal(
        fxla.jit(lambda x: stable(x) + 0)(x), np.argsort(x, kind="stable")
    )
