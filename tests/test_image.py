"""Resampled images: JAX 0.10's numbers, written down; derivatives by differences."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from tests.numpy.agreement import check_gradient

X = (np.arange(12.0) ** 2 % 7).reshape(3, 4)
RECORDED = {  # method, shape, antialias: sum, and sum weighted with 0, 1, 2, ...
    ("nearest", (5, 6), True): (61.0, 975.0),
    ("nearest", (6, 2), True): (26.0, 162.0),
    ("linear", (5, 6), True): (57.3, 877.43333333),
    ("linear", (2, 3), True): (11.7375, 30.525),
    ("linear", (2, 3), False): (11.125, 30.41666667),
    ("linear", (6, 2), True): (24.285714286, 140.92857143),
    ("cubic", (5, 6), True): (57.153496021, 882.34904532),
    ("cubic", (2, 3), True): (11.608972194, 30.15280466),
    ("cubic", (6, 2), False): (22.499816453, 131.44386875),
    ("lanczos3", (5, 6), True): (57.444180738, 889.29879888),
    ("lanczos3", (2, 3), False): (11.682442722, 32.15018121),
    ("lanczos5", (2, 3), True): (11.55639221, 29.53557989),
    ("lanczos5", (6, 2), True): (25.173176558, 146.90396529),
}


@pytest.mark.parametrize("case", RECORDED, ids=str)
def test_resize(case):
    method, shape, antialias = case

    def f(x):
        return fxla.image.resize(x, shape, method, antialias)

    for out in (f(X), fxla.jit(f)(X), fxla.vmap(f)(X[None])[0]):
        assert out.shape == shape and out.dtype == X.dtype
        weighted = (np.asarray(out).ravel() * np.arange(out.size)).sum()
        np.testing.assert_allclose((out.sum(), weighted), RECORDED[case], rtol=1e-7)


SCALED = [
    [0.108427117, 3.382866483, 2.383952901, 0.0, 0.0],
    [1.212877424, 2.66254576, 1.383767376, 0.0, 0.0],
    [3.151842675, 1.517666352, -0.084943115, 0.0, 0.0],
    [2.571609518, 2.439574716, 1.744426924, 0.0, 0.0],
]


def moved(x, scale, shift):
    return fxla.image.scale_and_translate(x, (4, 5), (0, 1), scale, shift, "cubic")


def test_scale_and_translate():
    scale, shift = np.array([1.3, 0.7]), np.array([0.4, -0.2])
    for f in (moved, fxla.jit(moved)):
        np.testing.assert_allclose(f(X, scale, shift), SCALED, atol=2e-9)
    check_gradient(moved, X, scale, shift, batched=False)


def test_integers_become_floats_and_errors():
    assert fxla.image.resize(np.arange(4), (8,), "linear").dtype == np.float64
    with pytest.raises(ValueError, match="needs one size for each axis"):
        fxla.image.resize(X, (3,), "linear")
    with pytest.raises(ValueError, match="unknown method 'blurry'"):
        fxla.image.resize(X, (3, 3), "blurry")
    with pytest.raises(ValueError, match="nearest is not a filter"):
        fxla.image.scale_and_translate(X, (3, 3), (0,), [1.0], [0.0], "nearest")
