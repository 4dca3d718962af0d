"""Arrays made by shape, data and formula: traced equals NumPy."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.dtypes import default_dtype
from fxla.core.trace import Tracer
from tests.numpy.cases import A, V, check_case, replay

CASES = [
    *[("arange", a) for a in [(5,), (2, 7), (1.0, 2.0, 0.3), (5, 0, -2), (0,), (np.float32(2.5),)]],
    ("arange", (0, 1, 0.1), {"dtype": np.float32}),
    *[("linspace", a, k) for a, k in [
        ((0.0, 1.0, 5), {}), ((0, 10, 4), {"endpoint": False}), ((1.0, 1.0, 3), {}),
        ((A[0], 2.0, 3), {"axis": 1}), ((0, 5, 4), {"dtype": int}), ((0.0, 1.0, 1), {}),
        ((0.0, 1.0, 0), {}), ((0.0, 1.0, 3), {"retstep": True}),
        ((np.float32(0), np.float32(1), 3), {}),
        ((1j, 2.0, 3), {}),
    ]],
    ("logspace", (0.0, 2.0, 4)), ("logspace", (0, 3, 4), {"base": 2}),
    ("geomspace", (1.0, 256.0, 9)), ("geomspace", (-1.0, -8.0, 4)), ("geomspace", (1j, 16j, 5)),
    ("array", (A,), {"ndmin": 3}), ("array", ([1, 2.5],)), ("asarray", (V, np.float32)),
    ("ascontiguousarray", (np.float64(3.0),)), ("copy", (A,)), ("astype", (A, np.int32)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)


def test_values_that_are_traced_go_into_new_arrays():
    np.testing.assert_array_equal(
        replay(lambda x: fnp.array([[x, 1.0], [2.0, x]]), 3.0)[0], [[3, 1], [2, 3]]
    )
    np.testing.assert_array_equal(replay(lambda x: fnp.full(3, x), 3.0)[0], [3, 3, 3])
    with pytest.raises(ValueError, match=r"np.array: elements of a nested list.*f64\[\], f64\[2\]"):
        replay(lambda x, y: fnp.array([x, y]), 3.0, np.zeros(2))


def test_concrete_data_stays_concrete_while_tracing():
    def f(x):
        assert not isinstance(fnp.array([1, 2]), Tracer)
        assert not isinstance(fnp.tril_indices(3)[0], Tracer)
        assert isinstance(fnp.zeros(3), Tracer)
        return x

    replay(f, 1.0)


def test_default_precision():
    with default_dtype("float32"):
        assert fnp.zeros(2).dtype == fnp.linspace(0, 1, 3).dtype == np.float32
        assert fnp.arange(3).dtype == np.int64
        assert fnp.arange(3.0).dtype == fnp.array([1.0, 2.0]).dtype == np.float32
        assert fnp.sin(np.arange(3)).dtype == fnp.divide(1, 2).dtype == np.float32
        assert fnp.sin(np.arange(3.0)).dtype == np.float64
        assert fnp.add(np.arange(3), 0.5).dtype == np.float32


def test_signatures_are_kept():
    assert list(inspect.signature(fnp.linspace).parameters)[:3] == ["start", "stop", "num"]
    assert fnp.linspace.__name__ == "linspace" and "numpy.linspace" in fnp.linspace.__doc__
