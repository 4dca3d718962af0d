"""One-hot vectors."""

from __future__ import annotations

import numpy as np

import fxla
from fxla import nn
from tests.lax.checks import forms_agree


def test_value_place_and_dtype():
    x = np.array([[0, 3], [7, -1]])
    expected = (x[..., None] == np.arange(4)).astype(float)
    np.testing.assert_array_equal(nn.one_hot(x, 4), expected)
    np.testing.assert_array_equal(nn.one_hot(x, 4, axis=0), np.moveaxis(expected, -1, 0))
    np.testing.assert_array_equal(nn.one_hot(x, 4, axis=-2), np.moveaxis(expected, -1, -2))
    assert nn.one_hot(x, 4, dtype="int8").dtype == np.int8
    assert nn.one_hot(2, 4).shape == (4,)
    forms_agree(lambda x: nn.one_hot(x, 4), x)
    with fxla.default_dtype("float32"):
        assert nn.one_hot(x, 4).dtype == np.float32


def test_no_classes_and_no_elements():
    assert nn.one_hot(np.zeros((2,), int), 0).shape == (2, 0)
    assert nn.one_hot(np.zeros((0,), int), 3).shape == (0, 3)
