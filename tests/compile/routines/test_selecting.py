"""Radix selection, against NumPy's sorts."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.routines import selecting
from fxla.ops.order_statistic import order_statistic
from tests.compile.routines.test_sorting import names, numbers

RANKS = np.array([0, 1, 2499, 2500, 4998, 4999])


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "f2", "i4", "u4", "f4", "i8", "u8", "f8"])
def test_every_kind_of_number(dtype: str) -> None:
    """Random bits: NaN, infinities and zeros of both signs among them."""
    x = numbers(dtype, 5000)
    got = fxla.jit(order_statistic)(x, RANKS)
    np.testing.assert_array_equal(got, np.sort(x)[RANKS])
    assert "HostCall" not in names(order_statistic, x, RANKS)


@pytest.mark.parametrize("kind", ["equal", "few", "sorted", "near", "wide"])
def test_every_distribution(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = {
        "equal": np.full(5000, 3.5),
        "few": rng.integers(0, 3, 5000).astype(float),
        "sorted": np.arange(5000.0),
        "near": 1.0 + rng.integers(0, 50, 5000) * 2.0**-52,
        "wide": rng.normal(size=5000) * 10.0 ** rng.integers(-300, 300, 5000),
    }[kind]
    got = fxla.jit(order_statistic)(x, RANKS)
    np.testing.assert_array_equal(got, np.sort(x)[RANKS])


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "f2", "i4", "u4", "f4", "i8", "u8", "f8"])
def test_one_long_row_in_parts(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "LONG", 300)
    x = numbers(dtype, 5003)  # of a size that no other test asks for
    ranks = np.array([0, 2500, 5002, 17])
    found = fxla.jit(order_statistic).inspect(x, ranks)
    assert found.threads.count("order_statistic: ") == 5
    np.testing.assert_array_equal(fxla.jit(order_statistic)(x, ranks), np.sort(x)[ranks])
    for y in (np.full(5003, 7).astype(dtype), np.sort(x), np.tile(x[:3], 1667)):
        want = np.sort(y)[np.minimum(ranks, len(y) - 1)]
        np.testing.assert_array_equal(fxla.jit(order_statistic)(y, ranks), want)


@pytest.mark.parametrize("n", [301, 305, 2 * 16 * 11, 4999])
def test_parts_of_every_size(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "LONG", 300)
    x = np.random.default_rng(n).normal(size=(1, n)) * 1e3
    ranks = np.array([[0, n // 3, n - 1]])
    got = fxla.jit(order_statistic)(x, ranks)
    np.testing.assert_array_equal(got, np.sort(x)[:, ranks[0]])


def test_all_threads_look_at_one_long_row() -> None:
    found = fxla.jit(fnp.median).inspect(np.zeros(10**6)).threads.splitlines()
    assert sum("16 chunks" in line for line in found) == 3


def test_ranks_outside_are_clipped() -> None:
    got = fxla.jit(order_statistic)(np.arange(600.0), np.array([-5, 900]))
    np.testing.assert_array_equal(got, [0.0, 599.0])


def test_rows_are_independent() -> None:
    x = np.random.default_rng(1).normal(size=(3, 2, 700))
    got = fxla.jit(lambda x: fnp.median(x, axis=-1))(x)
    np.testing.assert_array_equal(got, np.median(x, axis=-1))


@pytest.mark.parametrize("k", [0, 1500, 2999])
def test_a_partition_has_smaller_elements_before_and_larger_ones_after(k: int) -> None:
    x = numbers("f8", 3000)
    places = np.asarray(fxla.jit(lambda x: fnp.argpartition(x, k))(x))
    assert sorted(places.tolist()) == list(range(3000))
    for y in (x[places], np.asarray(fxla.jit(lambda x: fnp.partition(x, k))(x))):
        rank = np.searchsorted(np.unique(x), y)  # NaN last, as sorting has it
        assert (rank[:k] <= rank[k]).all() and (rank[k:] >= rank[k]).all()
        np.testing.assert_array_equal(np.sort(y), np.sort(x))


def test_the_derivative_of_a_median_is_that_of_the_middle_elements() -> None:
    x = np.random.default_rng(2).permutation(600).astype(float)
    got = np.asarray(fxla.jit(fxla.grad(fnp.median))(x))
    np.testing.assert_array_equal(np.nonzero(got)[0], np.nonzero((x == 299) | (x == 300))[0])
    np.testing.assert_array_equal(got[got != 0], [0.5, 0.5])
