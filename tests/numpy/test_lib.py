"""``numpy.lib.stride_tricks.sliding_window_view`` of traced arrays."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

WINDOWS = fnp.lib.stride_tricks.sliding_window_view
NUMPYS = np.lib.stride_tricks.sliding_window_view
X = np.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize(
    "arguments", [((2, 3),), (3, 1), ((2,), (0,)), ((2, 2), (1, 1)), ((1, 6),), (4, -2)]
)
def test_windows(arguments):
    want = NUMPYS(X, *arguments)
    np.testing.assert_array_equal(WINDOWS(fnp.asarray(X), *arguments), want)
    np.testing.assert_array_equal(fxla.jit(lambda x: WINDOWS(x, *arguments))(X), want)
    np.testing.assert_array_equal(fxla.jit(lambda x: NUMPYS(x, *arguments))(X), want)


def test_derivative():
    weights = np.random.default_rng(0).normal(size=(4, 4, 3))
    got = fxla.grad(lambda x: (WINDOWS(x, 3, 1) * weights).sum())(X)
    want = np.zeros_like(X)
    for k in range(3):
        want[:, k : k + 4] += weights[:, :, k]
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("arguments", [((2, 3, 1),), (7, 1), (2,), ((3, 3), (0, 0))])
def test_errors_are_numpys(arguments):
    with pytest.raises(ValueError):
        NUMPYS(X, *arguments)
    with pytest.raises(ValueError, match=r"sliding_window_view: .* f64\[4,6\], at test_lib.py"):
        fxla.jit(lambda x: WINDOWS(x, *arguments))(X)
