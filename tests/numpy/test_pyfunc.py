"""Python functions as ufuncs."""

from __future__ import annotations

import numpy as np

import fxla
import fxla.numpy as fnp


def horner(a, x):
    return 2.0 * a + x


STEPS = fnp.frompyfunc(horner, 2, 1)
NUMPYS = np.frompyfunc(horner, 2, 1)
X = np.arange(12.0).reshape(3, 4)


def test_eager_results_are_numpys_objects():
    got = STEPS(X, 1.0)
    assert got.dtype == object and np.array_equal(got, NUMPYS(X, 1.0))


def test_methods():
    for f, numpys in (
        (lambda x: STEPS(x, x[0]), lambda x: NUMPYS(x, x[0])),
        (lambda x: STEPS.reduce(x, axis=1), lambda x: NUMPYS.reduce(x, axis=1)),
        (lambda x: STEPS.reduce(x, keepdims=True), lambda x: NUMPYS.reduce(x, keepdims=True)),
        (lambda x: STEPS.accumulate(x, axis=1), lambda x: NUMPYS.accumulate(x, axis=1)),
        (lambda x: STEPS.outer(x, x[0]), lambda x: NUMPYS.outer(x, x[0])),
    ):
        want = numpys(X)
        np.testing.assert_array_equal(f(X), want)
        got = fxla.jit(f)(X)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, want.astype(float))


def test_gradient():
    np.testing.assert_allclose(fxla.grad(lambda x: STEPS.reduce(x))(np.ones(3)), [4.0, 2.0, 1.0])
