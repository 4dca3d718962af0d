"""Special functions, phases, interpolation: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from fxla.transforms.autodiff import grad
from fxla.transforms.jvp import jvp
from tests.numpy.cases import A, V, check_case

CASES = [
    ("sinc", (A,)), ("sinc", (np.array([0.0, 1e-5, 1e-3, 0.01, 0.5]),)), ("i0", (A * 7,)),
    ("unwrap", (np.cumsum(A.ravel() * 2) % 6,)), ("unwrap", (A * 5,), {"axis": 0}),
    ("unwrap", (V,), {"period": 4}), ("unwrap", (A * 9,), {"discont": 4.0, "period": 3.0}),
    ("interp", (A, np.array([-1.0, 0.5, 2.0]), np.array([5.0, 1.0, 4.0]))),
    ("interp", (A, np.array([-1.0, 0.5, 2.0]), np.array([5.0, 1.0, 4.0]), -9.0, 9.0)),
    ("interp", (A, np.array([0.5, -1.0, 2.0]), np.array([5.0, 1.0, 4.0])), {"period": 2.5}),
    ("interp", (2, np.array([1, 2, 3]), np.array([1, 2, 5]))),
    ("interp", (A, np.array([0.0, 1.0]), np.array([1j, 2.0]))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)


def test_derivatives_are_finite_where_values_are():
    for f, x in [(fnp.sinc, 0.0), (lambda x: fnp.where(x > 0, fnp.log(x), 0.0), 0.0),
                 (lambda x: fnp.logaddexp(x, x), -np.inf), (fnp.i0, 0.0), (fnp.hypot, (0.0, 0.0)),
                 (lambda x: x**0.5, 0.0), (lambda x: fnp.power(x, 2), 0.0)]:  # fmt: skip
        args = x if isinstance(x, tuple) else (x,)
        _, t = jvp(f, args, tuple(1.0 for _ in args))
        assert np.isfinite(t)
    np.testing.assert_allclose(grad(grad(fnp.sinc))(0.0), -(np.pi**2) / 3)
    np.testing.assert_allclose(jvp(fnp.logaddexp, (1.0, 1.0), (1.0, 0.0))[1], 0.5)
