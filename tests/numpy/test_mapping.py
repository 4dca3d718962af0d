"""Functions applied along axes: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr

A = np.arange(24.0).reshape(2, 3, 4)


def replay(f, *args):
    closed = trace_to_jaxpr(lambda *xs: [f(*xs)], [Aval(np.shape(a), a.dtype) for a in args])
    return eval_jaxpr(closed.jaxpr, *closed.consts, *args)[0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_apply_along_axis(axis):
    for ours, numpys in [
        (fnp.sum, np.sum),
        (lambda v: v[:2] * 2, lambda v: v[:2] * 2),
        (lambda v: fnp.outer(v, v), lambda v: np.outer(v, v)),
    ]:
        got = replay(lambda x, f=ours: fnp.apply_along_axis(f, axis, x), A)
        np.testing.assert_array_equal(got, np.apply_along_axis(numpys, axis, A))


def test_apply_over_axes():
    got = replay(lambda x: fnp.apply_over_axes(fnp.sum, x, (0, -1)), A)
    np.testing.assert_array_equal(got, np.apply_over_axes(np.sum, A, (0, -1)))


def test_vectorize():
    f = fnp.vectorize(lambda a, b: a * 10 + b)
    want = A[0] * 10 + A[1, :1]
    np.testing.assert_array_equal(replay(lambda x: f(x[0], x[1, :1]), A), want)
    np.testing.assert_array_equal(f(A[0], A[1, :1]), want)
    g = fnp.vectorize(lambda m, v, k: m @ v * k, signature="(i,j),(j)->(i)", excluded={2})
    got = replay(lambda m, v: g(m, v, 2), A, A[0, 0])
    np.testing.assert_array_equal(got, A @ A[0, 0] * 2)


def test_vectorize_checks_core_axes():
    f = fnp.vectorize(fnp.dot, signature="(n),(n)->()")
    with pytest.raises(ValueError, match="core axis 'n' has sizes 4 and 3"):
        replay(lambda x: f(x, np.ones(3)), A)
    with pytest.raises(ValueError, match="does not have the core axes"):
        replay(lambda x: f(x, 1.0), A)
    with pytest.raises(ValueError, match="not a valid gufunc signature"):
        fnp.vectorize(fnp.dot, signature="n,n")
