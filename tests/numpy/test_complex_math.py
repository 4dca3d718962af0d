"""Functions of complex numbers at zeros, infinities and NaN, compiled: NumPy's values."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 800.0, -800.0, np.inf, -np.inf, np.nan]
UNARY = (
    "arccos arccosh arcsin arcsinh arctan arctanh cos cosh exp exp2 expm1 log log1p log2 log10 "
    "negative reciprocal sign sin sinh sqrt square tan tanh"
).split()
UNSPECIFIED = {
    "sinh": [complex(-np.inf, np.inf), complex(-np.inf, -np.inf), complex(-np.inf, np.nan)],
    "sin": [complex(x, -np.inf) for x in (np.inf, -np.inf, np.nan)],
}
"""Where C99 leaves the sign of an infinity beside a NaN open."""


def grid(dtype):
    re, im = np.meshgrid(PARTS, PARTS)
    z = np.empty(re.size, dtype)
    z.real, z.imag = re.ravel(), im.ravel()
    return z


def wrong(got, want, tolerance):
    """Which elements differ; zeros by their signs unless the other part is not finite."""

    def differs(g, w, other):
        close = np.isclose(g, w, rtol=tolerance, atol=1e-300, equal_nan=True)
        turned = (w == 0) & (np.signbit(g) != np.signbit(w)) & np.isfinite(other)
        return ~close | turned

    return differs(got.real, want.real, want.imag) | differs(got.imag, want.imag, want.real)


@pytest.mark.parametrize("dtype", ["c8", "c16"])
@pytest.mark.parametrize("name", UNARY)
def test_special_values(name, dtype):
    z = grid(dtype)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(z)
    got = np.asarray(fxla.jit(getattr(fnp, name))(z))
    off = wrong(got, want, 2e-5 if dtype == "c8" else 1e-12)
    for unspecified in UNSPECIFIED.get(name, ()):
        off &= ~((z == unspecified) | (np.isnan(unspecified) & np.isnan(z)))
    if name in ("exp", "exp2"):  # both parts are zeros of any sign
        off &= ~np.isneginf(z.real)
    if name == "sign":  # of NaN beside an infinity
        off &= ~np.isnan(z)
    listed = [f"{a}: {g}, NumPy {w}" for a, g, w in zip(z[off], got[off], want[off], strict=True)]
    assert not listed


@pytest.mark.parametrize("name", ["less", "greater", "less_equal", "greater_equal", "divide"])
def test_special_values_of_two(name):
    z = grid("c16")
    x, y = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(z, z))
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x, y)
    got = np.asarray(fxla.jit(getattr(fnp, name))(x, y))
    if name == "divide":
        assert not wrong(got, want, 1e-12).any()
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["arccos", "arcsin", "arctanh", "cosh", "sinh", "tanh", "exp"])
@pytest.mark.parametrize("z", [0.3 + 0.0j, 0.0 + 0.7j, -0.4 - 0.2j, 0.5 + 1e-3j])
def test_derivatives_on_the_axes(name, z):
    plain = {"arccos": cmath.acos, "arcsin": cmath.asin, "arctanh": cmath.atanh}
    f = plain.get(name) or getattr(cmath, name)
    h = 1e-5
    want = (f(z + h) - f(z - h)) / (2 * h)
    _, got = fxla.jvp(getattr(fnp, name), (np.asarray(z),), (np.ones((), "c16"),))
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-8, atol=1e-9)
