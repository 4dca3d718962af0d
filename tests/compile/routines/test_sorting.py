"""Sorts and selections as loops, against NumPy."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.executable import compile_jaxpr
from fxla.compile.routines import sorting
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof

DTYPES = ["?", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "bfloat16"]


def numbers(dtype: str, n: int, seed: int = 0) -> np.ndarray:
    """Random bits of a dtype, with every special number a few times."""
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    rng = np.random.default_rng(seed)
    if dtype == "?":
        return rng.integers(0, 2, n).astype(bool)
    bits = rng.integers(0, 256, n * kind.itemsize, dtype="u1").view(kind)
    if kind.kind not in "iu":
        some = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1, 1, -1, 0.5])
        with np.errstate(all="ignore"):
            bits[rng.integers(0, n, n // 4)] = rng.choice(some, n // 4).astype(kind)
    return bits


def names(function: Any, *xs: Any) -> set[str]:
    """Of the instructions that compute a function."""
    avals = [typeof(x) for x in xs]
    program = compile_jaxpr(trace_to_jaxpr(lambda *a: [function(*a)], avals).jaxpr).program
    return {type(i).__name__ for i in program.body}


@pytest.mark.parametrize("n", [1, 2, 300, 9000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_is_stable_and_numpys(dtype: str, n: int) -> None:
    x = numbers(dtype, max(n, 8))[:n]
    wide = x.astype("f4") if dtype == "bfloat16" else x
    got = fxla.jit(lambda x: fnp.argsort(x, stable=True))(x)
    np.testing.assert_array_equal(got, np.argsort(wide, kind="stable"))
    assert "HostCall" not in names(lambda x: fnp.argsort(x, stable=True), x)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "f2", "bfloat16", "i4", "f4"])
def test_values_alone(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros of both signs stay as many as they were."""
    monkeypatch.setattr(sorting, "LONG", 1)
    x = numbers(dtype, 5000)
    assert "HostCall" not in names(fnp.sort, x)
    got = np.asarray(fxla.jit(fnp.sort)(x))
    wide = x.astype("f4") if dtype == "bfloat16" else x
    np.testing.assert_array_equal(got.astype(wide.dtype), np.sort(wide))
    if wide.dtype.kind == "f":
        zeros = [np.signbit(a[a == 0]).sum() for a in (got.astype(wide.dtype), wide)]
        assert zeros[0] == zeros[1]


def test_wide_numbers_alone_stay_with_numpy() -> None:
    assert "HostCall" in names(fnp.sort, np.ones(100))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_any_axis_with_payloads(axis: int) -> None:
    rng = np.random.default_rng(1)
    key, a, b = rng.integers(0, 5, (7, 9, 11)), rng.random((7, 9, 11)), rng.random((7, 9, 11)) > 0.5
    got = fxla.jit(lambda *xs: lax.sort(xs, dimension=axis, num_keys=1))(key, a, b)
    order = np.argsort(key, axis=axis, kind="stable")
    for x, y in zip((key, a, b), got, strict=True):
        np.testing.assert_array_equal(y, np.take_along_axis(x, order, axis))


@pytest.mark.parametrize(("n", "k"), [(5, 5), (100, 1), (1000, 10), (1000, 64), (1000, 500)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1", "f2"])
def test_the_largest(n: int, k: int, dtype: str) -> None:
    x = np.stack([numbers(dtype, n, seed) for seed in range(3)])
    values, places = fxla.jit(lambda x: lax.top_k(x, k))(x)
    assert "HostCall" not in names(lambda x: lax.top_k(x, k)[0], x)
    backwards = n - 1 - np.argsort(x[:, ::-1], axis=1, kind="stable")
    want = backwards[:, ::-1][:, :k]
    np.testing.assert_array_equal(places, want)
    np.testing.assert_array_equal(values, np.take_along_axis(x, want, 1))


def test_the_largest_of_least_numbers() -> None:
    """The list starts empty: the least number of a dtype is an element too."""
    x = np.zeros(100, "u1")
    values, places = fxla.jit(lambda x: lax.top_k(x, 3))(x)
    assert values.tolist() == [0, 0, 0] and places.tolist() == [0, 1, 2]
