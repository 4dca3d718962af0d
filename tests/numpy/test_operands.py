"""Operands of public functions: shapes, dtypes, sizes and axes, and what is said of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.staging import trace_to_jaxpr
from fxla.errors import AxisError, ShapeError
from fxla.numpy.operands import as_value, canonical_axes, normalise_axis, promote
from fxla.transforms.autodiff import grad


def traced(f, *shapes):
    trace_to_jaxpr(lambda *xs: [f(*xs)], [Aval(s, np.dtype(float)) for s in shapes], "grad", "loss")


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ShapeError) as caught:
        traced(lambda x, y: x + y, (3,), (4,))
    message = str(caught.value)
    assert message.startswith(
        "np.add: shapes do not broadcast: f64[3] + f64[4] (axis -1: 3 != 4), at test_operands.py:"
    )
    assert 'in "loss" traced by grad. ' in message
    with pytest.raises(ValueError, match=r"np.hypot: .*f64\[2,3\], f64\[5,1\] \(axis -2: 2 != 5\)"):
        traced(lambda x, y: fnp.hypot(x, y), (2, 3), (5, 1))


def test_arguments_that_are_not_arrays():
    for bad, said in [("text", "str"), (None, "None"), ({}, "dict"), (object(), "object")]:
        with pytest.raises(TypeError, match=rf"np.add: expected an array or a number.*{said}"):
            traced(lambda x, b=bad: fnp.add(x, b), (3,))
    with pytest.raises(TypeError, match=r"np.add: expected an array .* got an array of dtype <U1"):
        traced(lambda x: fnp.add(x, np.array(["a"])), (3,))


def test_dtypes_that_a_function_does_not_take():
    with pytest.raises(
        TypeError, match=r"np.bitwise_and: not defined for f64\[3\], 1, at test_oper"
    ):
        traced(lambda x: x & 1, (3,))


def test_nested_lists():
    assert as_value([[1, 2], [3, 4]], "f").dtype == np.int64
    assert grad(lambda x: fnp.sum(fnp.multiply([x, 2 * x], [1.0, 10.0])))(3.0) == 21.0


def test_python_integers_are_checked_for_range():
    with pytest.raises(OverflowError):
        promote("np.add", np.uint8(1), 300)


def test_sizes_must_be_known():
    with pytest.raises(TypeError, match=r"np.zeros: a size must be known .*f64\[\], at test_oper"):
        traced(lambda n: fnp.zeros((2, n)), ())


def test_axes():
    assert canonical_axes((-1, 0), 3, "np.sum") == (2, 0)
    assert canonical_axes(None, 2, "np.sum") == (0, 1)
    with pytest.raises(
        AxisError, match=r"np.sum: axis 3 is out of bounds for array of dimension 3"
    ):
        normalise_axis(3, 3, "np.sum")
    with pytest.raises(np.exceptions.AxisError):
        canonical_axes((0, -4), 3, "np.sum")
    with pytest.raises(ValueError, match="duplicate value"):
        canonical_axes((0, -3), 3, "np.sum")
