"""Recorded values are those of jax 0.10.2 with x64 enabled, for ``jax.random.PRNGKey(7)``."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.stats

from fxla import random
from fxla.core.dtypes import default_dtype
from fxla.errors import DtypeError, ShapeError
from fxla.ops.structure import reduce_sum
from fxla.transforms.autodiff import grad
from fxla.transforms.vmap import vmap

KEY = np.array([0, 7], np.uint32)
UNIFORM: dict[Any, tuple[list[float], list[float]]] = {
    np.float16: ([0.16015625, 0.4921875, 0.162109375], [-0.87890625, 1.4453125, -0.865234375]),
    ml_dtypes.bfloat16: ([0.0390625, 0.0, 0.6640625], [-1.7265625, -2.0, 2.65625]),
    np.float32: (
        [0.6740899085998535, 0.9746168851852417, 0.3028435707092285],
        [2.7186293601989746, 4.822318077087402, 0.11990499496459961],
    ),
    np.float64: (
        [0.8441069450823528, 0.04541258512665647, 0.22498462569285382],
        [3.90874861557647, -1.6821119041134047, -0.42510762015002324],
    ),
}


@pytest.mark.parametrize("dtype", UNIFORM)
def test_uniform_numbers_are_jaxs(dtype: Any) -> None:
    unit, wide = UNIFORM[dtype]
    got = random.uniform(KEY, (3,), dtype)
    assert got.dtype == dtype
    assert got.astype(float).tolist() == unit
    assert random.uniform(KEY, (3,), dtype, -2.0, 5.0).astype(float).tolist() == wide


def test_integers_are_jaxs() -> None:
    assert random.randint(KEY, (4,), -5, 1000).tolist() == [192, 604, 996, 514]
    assert random.randint(KEY, (4,), -5, 1000, "int32").tolist() == [104, 927, 505, 542]
    bytes_ = random.randint(KEY, (6,), 0, 256, "uint8")
    assert bytes_.dtype == np.uint8
    assert bytes_.tolist() == [31, 102, 124, 237, 222, 102]
    low, high = np.array([0, 10, 20]), np.array([[5], [30]])
    got = random.randint(KEY, (2, 3), low, high, "int32")
    assert got.tolist() == [[4, 10, 20], [7, 12, 26]]


def test_integers_over_the_whole_range_are_jaxs() -> None:
    assert random.randint(KEY, (3,), -(2**63), 2**63 - 1).tolist() == [
        -3665446470981240635,
        -2306596331235500099,
        4868884872125321602,
    ]
    assert random.randint(KEY, (3,), np.uint64(0), np.uint64(2**64 - 1), "uint64").tolist() == [
        5557925565873535173,
        6916775705619275709,
        14092256908980097410,
    ]


def test_integers_fill_their_range_evenly() -> None:
    drawn = np.asarray(random.randint(KEY, (60000,), -3, 4, "int32"))
    assert scipy.stats.chisquare(np.bincount(drawn + 3, minlength=7)).pvalue > 1e-3
    everything = np.asarray(random.randint(KEY, (60000,), -128, 128, "int8"))
    assert everything.min() == -128
    assert everything.max() == 127
    assert scipy.stats.chisquare(np.bincount(everything.astype(int) + 128)).pvalue > 1e-3


def test_an_empty_range_gives_its_lower_bound() -> None:
    assert random.randint(KEY, (2,), 5, 5).tolist() == [5, 5]
    assert random.randint(KEY, (2,), 5, 2).tolist() == [5, 5]
    low, high = np.array([3, 200], np.int64), np.array([3, 300], np.int64)
    assert random.randint(KEY, (2,), low, high, "uint8")[0] == 3


def test_booleans_and_signs_are_jaxs() -> None:
    wanted = [False, True, True, True, True, False, False, False]
    assert random.bernoulli(KEY, 0.3, (8,)).tolist() == wanted
    assert random.bernoulli(KEY, 0.3, (8,), mode="high").tolist() == wanted
    assert random.rademacher(KEY, (6,)).tolist() == [-1, 1, 1, 1, 1, -1]
    assert random.rademacher(KEY, (6,), "float32").dtype == np.float32


def test_probabilities_broadcast() -> None:
    p = np.array([0.0, 0.5, 1.0])
    drawn = random.bernoulli(KEY, p, (10000, 3))
    assert drawn.mean(0)[[0, 2]].tolist() == [0, 1]
    assert abs(drawn.mean(0)[1] - 0.5) < 0.03
    assert random.bernoulli(KEY, p).shape == (3,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers_are_uniform(dtype: str) -> None:
    x = random.uniform(KEY, (50000,), dtype)
    assert scipy.stats.kstest(x, scipy.stats.uniform.cdf).pvalue > 1e-3


def test_the_derivative_in_the_bounds() -> None:
    def total(low: Any, high: Any) -> Any:
        return reduce_sum(random.uniform(KEY, (5,), None, low, high), (0,))

    u = random.uniform(KEY, (5,))
    low, high = grad(total, (0, 1))(np.float64(-1.0), np.float64(2.0))
    np.testing.assert_allclose(low, (1 - u).sum())
    np.testing.assert_allclose(high, u.sum())


def test_the_default_dtype() -> None:
    assert random.uniform(KEY).dtype == np.float64
    with default_dtype("float32"):
        assert random.uniform(KEY).dtype == np.float32
    assert random.randint(KEY, (), 0, 3).dtype == np.int64
    assert random.bits(KEY).dtype == np.uint64


def test_mapping_over_keys_is_a_loop() -> None:
    keys = random.split(KEY, 3)
    for draw in (
        lambda k: random.uniform(k, (4,)),
        lambda k: random.bits(k, (4,), "uint8"),
        lambda k: random.randint(k, (4,), 0, 100),
        lambda k: random.bernoulli(k, 0.5, (4,)),
    ):
        np.testing.assert_array_equal(vmap(draw)(keys), [draw(k) for k in keys])


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DtypeError, match=r"random.uniform: expected a floating dtype, got i32"):
        random.uniform(KEY, (), "int32")
    with pytest.raises(DtypeError, match=r"random.randint: expected an integer dtype"):
        random.randint(KEY, (), 0, 1, "float32")
    with pytest.raises(DtypeError, match=r"random.bits: expected an unsigned"):
        random.bits(KEY, (), "int32")
    with pytest.raises(ShapeError, match=r"random.uniform: .* \(3,\).* do not broadcast to shape"):
        random.uniform(KEY, (2,), None, np.zeros(3), 1.0)
    with pytest.raises(ShapeError, match="negative size"):
        random.bits(KEY, (-1,))
    with pytest.raises(TypeError, match="shape must be integers"):
        random.bits(KEY, (1.5,))
