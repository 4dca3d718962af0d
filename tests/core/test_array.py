from __future__ import annotations

import pickle

import numpy as np
import pytest

from fxla.core.array import Array, as_array


def test_is_an_ndarray_that_shares_memory() -> None:
    x = np.arange(3.0)
    a = as_array(x)
    assert isinstance(a, Array)
    assert isinstance(a, np.ndarray)
    assert np.shares_memory(a, x)
    a[0] = 9.0
    assert x[0] == 9.0
    assert as_array(a) is a


@pytest.mark.parametrize("x", [2.0, 3, True, 1j, np.float32(1)])
def test_scalars_become_arrays_of_rank_0(x: object) -> None:
    a = as_array(x)
    assert type(a) is Array
    assert a.shape == ()
    assert a[()] == x


def test_anything_else_is_left_alone() -> None:
    thing = object()
    assert as_array(thing) is thing


def test_numpy_functions_keep_the_class() -> None:
    a = as_array(np.arange(4.0))
    assert type(a + 1) is Array
    assert type(np.sin(a)) is Array
    assert type(a[1:]) is Array
    assert type(a.reshape(2, 2).T) is Array


def test_pickles() -> None:
    a = as_array(np.arange(4.0))
    b = pickle.loads(pickle.dumps(a))
    assert type(b) is Array
    np.testing.assert_array_equal(a, b)


def test_formats_like_a_number_when_it_is_one() -> None:
    assert f"{as_array(1.23456):.2f}" == "1.23"
    assert f"{as_array(np.ones(2))}" == "[1. 1.]"


def test_has_the_attributes_of_a_device_array() -> None:
    a = as_array(np.ones(2))
    assert a.block_until_ready() is a
    assert a.weak_type is False
    assert not hasattr(a, "undefined")
    with pytest.raises(AttributeError):
        a.undefined = 1
