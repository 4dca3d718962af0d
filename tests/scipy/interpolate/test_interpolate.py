"""Interpolation beside SciPy's, and its derivatives beside differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate as si

import fxla
from fxla.scipy import interpolate
from tests.lax.checks import gradients_agree

RNG = np.random.default_rng(3)
X = np.sort(RNG.uniform(size=8))
Y = RNG.standard_normal((8, 2))
AT = np.concatenate([RNG.uniform(-0.2, 1.2, 15), X[[0, 3, -1]]])
INSIDE = RNG.uniform(X[0], X[-1], 6)


ENDS = ((1, np.full(2, 0.5)), (2, -np.ones(2)))


@pytest.mark.parametrize("bc", ["not-a-knot", "natural", "clamped", ENDS, "periodic"])
@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_cubic_splines(bc, n):
    periodic = isinstance(bc, str) and bc == "periodic"
    y = np.concatenate([Y[: n - 1], Y[:1]]) if periodic else Y[:n]
    if periodic and n < 4:
        return
    ours, theirs = (
        interpolate.CubicSpline(X[:n], y, bc_type=bc),
        si.CubicSpline(X[:n], y, bc_type=bc),
    )
    at = RNG.uniform(X[0], X[n - 1], 9) if periodic else AT
    for nu in range(4):
        np.testing.assert_allclose(ours(at, nu), theirs(at, nu), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ours.c, theirs.c, rtol=1e-7, atol=1e-7)


def test_splines_compile_and_differentiate():
    f = lambda x, y, at: interpolate.CubicSpline(x, y)(at)  # noqa: E731
    np.testing.assert_allclose(fxla.jit(f)(X, Y, AT), si.CubicSpline(X, Y)(AT), rtol=1e-9)
    x = np.linspace(0, 1, 6)
    gradients_agree(f, x, Y[:6], np.array([0.13, 0.37, 0.92]), rtol=1e-4)
    axis = interpolate.CubicSpline(X, Y.T, axis=1)
    np.testing.assert_allclose(axis(AT), si.CubicSpline(X, Y.T, axis=1)(AT), rtol=1e-9)
    outside = interpolate.CubicSpline(X, Y, extrapolate=False)(AT)
    np.testing.assert_allclose(outside, si.CubicSpline(X, Y, extrapolate=False)(AT), rtol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "nearest", "previous", "next", "cubic"])
def test_tables(kind):
    for fill in ((-1.0, 2.0), np.nan):
        ours = interpolate.interp1d(X, Y, kind, 0, False, fill)
        theirs = si.interp1d(X, Y, kind, 0, bounds_error=False, fill_value=fill)
        for f in (ours, fxla.jit(ours.__call__)):
            np.testing.assert_allclose(f(AT), theirs(AT), rtol=1e-8, atol=1e-9)
    ours = interpolate.interp1d(X, Y.T, kind, fill_value="extrapolate")
    theirs = si.interp1d(X, Y.T, kind, fill_value="extrapolate")
    np.testing.assert_allclose(ours(AT), theirs(AT), rtol=1e-7, atol=1e-7)
    with pytest.raises(ValueError, match="outside"):
        interpolate.interp1d(X, Y, kind, 0)(np.array([5.0]))
    if kind == "linear":
        gradients_agree(lambda y, at: interpolate.interp1d(X, y, axis=0)(at), Y, INSIDE, rtol=1e-5)


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_grids(method):
    grid = (X, np.array([3.0, 2.0, 0.5]))
    values = RNG.standard_normal((8, 3, 2))
    at = np.stack([RNG.uniform(-0.1, 1.1, 20), RNG.uniform(0.3, 3.2, 20)], axis=-1)
    for fill in (np.nan, 5.0, None):
        ours = interpolate.RegularGridInterpolator(grid, values, method, fill_value=fill)
        theirs = si.RegularGridInterpolator(grid, values, method, False, fill)
        for f in (ours, fxla.jit(ours.__call__)):
            np.testing.assert_allclose(f(at), theirs(at), rtol=1e-10)
    line = interpolate.RegularGridInterpolator((X,), Y[:, 0], method)
    np.testing.assert_allclose(
        line(INSIDE), si.RegularGridInterpolator((X,), Y[:, 0], method)(INSIDE)
    )
    inside = np.stack([INSIDE, RNG.uniform(0.6, 2.9, 6)], axis=-1)
    if method == "linear":
        gradients_agree(
            lambda v, at: interpolate.RegularGridInterpolator(grid, v)(at),
            values,
            inside,
            rtol=1e-5,
        )
    with pytest.raises(ValueError, match="out of bounds"):
        interpolate.RegularGridInterpolator(grid, values, method, True)(at)
    with pytest.raises(ValueError, match="method"):
        interpolate.RegularGridInterpolator(grid, values, "bent")
