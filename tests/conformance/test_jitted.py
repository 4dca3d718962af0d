"""The namespace that the standard's own suite is run on."""

from __future__ import annotations

import numpy as np

import fxla
from tests.conformance import jitted as xp


def test_functions_are_compiled_and_give_numpys_values():
    x = xp.asarray([[3.0, 1.0], [2.0, 4.0]])
    assert type(x) is fxla.Array
    np.testing.assert_array_equal(xp.sum(x, axis=1), [4.0, 6.0])
    np.testing.assert_array_equal(xp.concat([x, x], axis=0), np.concatenate([x, x]))
    np.testing.assert_allclose(xp.linalg.inv(x) @ x, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(xp.fft.ifft(xp.fft.fft(x)).real, x, atol=1e-12)
    assert xp.arange(3, dtype=xp.int32).dtype == np.int32


def test_a_call_traces():
    seen = []

    def f(x):
        seen.append(type(x).__mro__)
        return x + 1

    xp.compiled(f)(np.ones(2))
    assert np.ndarray not in seen[0]


def test_questions_and_constants():
    assert xp.pi == np.pi and xp.isdtype(xp.float64, "real floating")
    assert xp.finfo(xp.float32).bits == 32 and xp.result_type(xp.int8, xp.int16) == np.int16
    assert xp.__array_namespace_info__().default_dtypes()["real floating"] == np.float64
