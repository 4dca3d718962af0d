"""Arguments, promotion and messages that every function shares."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.array import Array
from fxla.core.aval import Aval
from fxla.core.staging import trace_to_jaxpr
from fxla.numpy.dispatch import dispatched


def traced(f, *shapes):
    trace_to_jaxpr(lambda *xs: [f(*xs)], [Aval(s, np.dtype(float)) for s in shapes], "grad", "loss")


def test_eager_results_are_arrays_of_numpy():
    assert type(fnp.sin(np.ones(3))) is Array
    assert type(fnp.sin(2.0)) is Array and fnp.sin(2.0).shape == ()
    assert [type(x) for x in fnp.modf(np.ones(3))] == [Array, Array]
    assert fnp.allclose([1.0], [1.0]) is True
    assert fnp.shape(np.ones((2, 3))) == (2, 3)


def test_eager_errors_and_warnings_are_numpys_own():
    with pytest.raises(ValueError, match="operands could not be broadcast together"):
        fnp.add(np.ones(3), np.ones(4))
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sqrt"):
        fnp.sqrt(-1.0)


def test_keywords():
    with pytest.raises(ValueError, match=r"np.add\(out=...\): a traced value cannot be written"):
        traced(lambda x: fnp.add(x, 1, out=np.zeros(3)), (3,))
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        traced(lambda x: fnp.add(x, 1, wrong=3), (3,))
    traced(lambda x: fnp.add(x, 1, out=None, where=True, casting="same_kind"), (3,))


def test_every_dispatched_function_is_numpys_namesake():
    assert dispatched[np.sin].__name__ == "sin"
    assert dispatched[np.linspace].__name__ == "linspace"
