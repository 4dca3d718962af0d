"""Filters and interpolation of images beside SciPy's, and their derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as sn

import fxla
from fxla.scipy import ndimage
from tests.lax.checks import agree, gradients_agree

RNG = np.random.default_rng(6)
IMAGE = RNG.standard_normal((7, 9))
MODES = ["reflect", "mirror", "nearest", "constant", "wrap", "grid-wrap", "grid-mirror"]


@pytest.mark.parametrize("mode", MODES)
def test_correlations(mode):
    for w in (np.array([1.0, 2.0, -1.0]), np.array([1.0, 2.0, -1.0, 0.5])):
        for origin in (-1, 0, 1):
            for axis in (0, 1):
                for name in ("correlate1d", "convolve1d"):
                    f, oracle = getattr(ndimage, name), getattr(sn, name)
                    args = (axis, None, mode, 1.5, origin)
                    agree(lambda x, f=f, a=args, w=w: f(x, w, *a),
                          lambda x, f=oracle, a=args, w=w: f(x, w, *a), IMAGE)  # fmt: skip
    for shape in ((3, 3), (2, 4), (5, 7)):
        w = RNG.standard_normal(shape)
        for name in ("correlate", "convolve"):
            f, oracle = getattr(ndimage, name), getattr(sn, name)
            agree(lambda x, f=f, w=w: f(x, w, mode=mode, cval=0.5, origin=(0, 1)),
                  lambda x, f=oracle, w=w: f(x, w, mode=mode, cval=0.5, origin=(0, 1)),
                  IMAGE)  # fmt: skip


@pytest.mark.parametrize("mode", ["reflect", "nearest", "constant"])
def test_smoothing_and_slopes(mode):
    for name, args in (
        ("gaussian_filter", (1.3,)), ("gaussian_filter", ((1.0, 0.7), (1, 2))),
        ("uniform_filter", (3,)), ("uniform_filter", ((2, 3),)), ("sobel", (0,)), ("sobel", (1,)),
        ("prewitt", (0,)), ("laplace", ()),
    ):  # fmt: skip
        f, oracle = getattr(ndimage, name), getattr(sn, name)
        agree(lambda x, f=f, a=args: f(x, *a, mode=mode),
              lambda x, f=oracle, a=args: f(x, *a, mode=mode), IMAGE, rtol=1e-11)  # fmt: skip
    agree(lambda x: ndimage.gaussian_filter(x, 1.0, axes=(1,), radius=2),
          lambda x: sn.gaussian_filter(x, 1.0, axes=(1,), radius=2), IMAGE)  # fmt: skip
    gradients_agree(lambda x: ndimage.gaussian_filter(x, 0.8), IMAGE[:4, :4])


@pytest.mark.parametrize("mode", ["constant", "nearest", "mirror", "reflect", "grid-wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates(mode, order):
    at = RNG.uniform(-3, 11, (2, 50))
    if mode == "constant":  # SciPy blends the fill into the last half element; JAX and this do too
        at = np.clip(at, 0.2, 5.8)
    f = lambda x, c: ndimage.map_coordinates(x, c, order=order, mode=mode)  # noqa: E731
    expected = sn.map_coordinates(IMAGE, at, order=order, mode=mode)
    for g in (f, fxla.jit(f)):
        np.testing.assert_allclose(g(IMAGE, at), expected, atol=1e-12)
    whole = np.arange(20).reshape(4, 5)
    near = RNG.uniform(0, 3, (2, 9))
    expected = sn.map_coordinates(whole, near, order=order, mode=mode)
    np.testing.assert_array_equal(f(whole, near), expected)
    if order == 1:
        gradients_agree(f, IMAGE, RNG.uniform(0.3, 5.4, (2, 5)), rtol=1e-5)
    outside = ndimage.map_coordinates(IMAGE, [[-5.0], [2.0]], order=order, cval=7.0)
    assert outside == 7.0
