"""Recorded values are those of jax 0.10.2 (``jax.random``, threefry2x32, x64 enabled)."""

from __future__ import annotations

import numpy as np
import pytest

from fxla import random
from fxla.errors import DtypeError, ShapeError
from fxla.transforms.vmap import vmap

KEY = np.array([1, 2], np.uint32)


def test_keys_from_integers_are_jaxs() -> None:
    for seed, bits in (
        (0, [0, 0]),
        (42, [0, 42]),
        (2**40 + 3, [256, 3]),
        (-1, [2**32 - 1, 2**32 - 1]),
    ):
        assert random.PRNGKey(seed).tolist() == bits
        assert random.key(seed).tolist() == bits
        assert random.key(np.int64(seed)).tolist() == bits


def test_split_is_jaxs() -> None:
    first = [[629071667, 2343584484], [629003988, 1317161160], [4128513521, 2345921600]]
    assert random.split(KEY, 3).tolist() == first
    assert random.split(KEY).tolist() == first[:2]
    square = random.split(KEY, (2, 2))
    assert square.shape == (2, 2, 2)
    assert square.tolist() == [first[:2], [first[2], [2052595727, 1880214352]]]


def test_fold_in_is_jaxs() -> None:
    assert random.fold_in(KEY, 7).tolist() == [3427225942, 3095793599]
    assert random.fold_in(KEY, 2**32 - 1).tolist() == [990875544, 2648407978]
    assert random.fold_in(KEY, np.int32(7)).tolist() == [3427225942, 3095793599]


def test_mapping_over_keys_is_a_loop() -> None:
    keys = random.split(KEY, 4)
    np.testing.assert_array_equal(
        vmap(lambda k: random.split(k, 2))(keys), [random.split(k, 2) for k in keys]
    )
    np.testing.assert_array_equal(
        vmap(lambda i: random.fold_in(KEY, i))(np.arange(5)),
        [random.fold_in(KEY, i) for i in range(5)],
    )


def test_key_data_round_trip() -> None:
    np.testing.assert_array_equal(random.key_data(random.wrap_key_data(KEY)), KEY)
    np.testing.assert_array_equal(random.clone(KEY), KEY)
    assert random.key_impl(KEY) == "threefry2x32"


def test_what_is_not_a_key_is_named() -> None:
    with pytest.raises(TypeError, match=r"random.split: expected a key.*f64\[2\]"):
        random.split(np.zeros(2))
    with pytest.raises(TypeError, match=r"random.normal: expected a key.*random.key\(seed\)"):
        random.normal(0)
    with pytest.raises(ShapeError, match=r"several: u32\[3,2\].*vmap"):
        random.uniform(random.split(KEY, 3))
    with pytest.raises(DtypeError, match="f64"):
        random.wrap_key_data(np.zeros(2))
    with pytest.raises(TypeError, match="seed must be an integer"):
        random.key(1.5)
    with pytest.raises(ValueError, match="rbg"):
        random.key(0, impl="rbg")
