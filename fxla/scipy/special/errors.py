"""Relatives of the error function and of the exponential integral, and other integrals."""

from __future__ import annotations

import math

import scipy.special as ss

from fxla.core.trace import Value
from fxla.ops import arithmetic, transcendental
from fxla.ops import special_error as errors
from fxla.scipy.special.function import special_function

__all__ = [
    "dawsn",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp1",
    "expi",
    "expn",
    "fresnel",
    "log_ndtr",
    "ndtr",
    "ndtri",
    "owens_t",
    "sici",
    "spence",
    "wofz",
]


def _ndtr(x: Value) -> Value:
    return arithmetic.mul(transcendental.erfc_p.bind1(arithmetic.mul(x, -math.sqrt(0.5))), 0.5)


def _sici(x: Value) -> tuple[Value, Value]:
    return errors.si_p.bind1(x), errors.ci_p.bind1(x)


def _fresnel(z: Value) -> tuple[Value, Value]:
    return errors.fresnel_s_p.bind1(z), errors.fresnel_c_p.bind1(z)


erf = special_function(
    ss.erf,
    transcendental.erf_p,
    "z",
    "The error function",
    "[0.0, 1.0] -> Array([0.        , 0.84270079])",
)
erfc = special_function(
    ss.erfc,
    transcendental.erfc_p,
    "x",
    "``1 - erf(x)``",
    "[0.0, 10.0] -> Array([1.00000000e+00, 2.08848758e-45])",
)
erfinv = special_function(
    ss.erfinv,
    transcendental.erfinv_p,
    "y",
    "Inverse of the error function",
    "[0.0, 0.5] -> Array([0.        , 0.47693628])",
)
erfcinv = special_function(
    ss.erfcinv,
    errors.erfcinv_p,
    "y",
    "Inverse of ``erfc``",
    "[1e-100, 1.0] -> Array([15.0655747, -0.       ])",
)
erfcx = special_function(
    ss.erfcx,
    errors.erfcx_p,
    "x",
    "``exp(x**2) erfc(x)``",
    "[0.0, 100.0] -> Array([1.        , 0.00564161])",
)
dawsn = special_function(
    ss.dawsn, errors.dawsn_p, "x", "Dawson's integral", "1.0 -> Array(0.53807951)"
)
wofz = special_function(
    ss.wofz,
    errors.wofz_p,
    "z",
    "The Faddeeva function",
    "1.0 + 1.0j -> Array(0.30474421+0.20821894j)",
)
ndtr = special_function(
    ss.ndtr,
    _ndtr,
    "x",
    "Distribution function of the standard normal",
    "[0.0, 1.0] -> Array([0.5       , 0.84134475])",
)
log_ndtr = special_function(
    ss.log_ndtr,
    errors.log_ndtr_p,
    "x",
    "Logarithm of ``ndtr``",
    "[-100.0, 0.0] -> Array([-5.00552421e+03, -6.93147181e-01])",
)
ndtri = special_function(
    ss.ndtri,
    errors.ndtri_p,
    "y",
    "Inverse of ``ndtr``",
    "[0.5, 0.975] -> Array([0.        , 1.95996398])",
)
owens_t = special_function(
    ss.owens_t, errors.owens_t_p, "h a", "Owen's T function", "1.0, 0.5 -> Array(0.04306469)"
)
exp1 = special_function(
    ss.exp1,
    errors.exp1_p,
    "z",
    "Exponential integral E1",
    "[1.0, 2.0] -> Array([0.21938393, 0.04890051])",
)
expi = special_function(
    ss.expi,
    errors.expi_p,
    "x",
    "Exponential integral Ei",
    "[1.0, 2.0] -> Array([1.89511782, 4.95423436])",
)
expn = special_function(
    ss.expn,
    errors.expn_p,
    "n x",
    "Exponential integral of order n; differentiable by x",
    "2, [1.0, 2.0] -> Array([0.14849551, 0.03753426])",
)
spence = special_function(
    ss.spence,
    errors.spence_p,
    "z",
    "Spence's function, the dilogarithm of 1 - z",
    "[0.0, 2.0] -> Array([ 1.64493407, -0.82246703])",
)
sici = special_function(
    ss.sici,
    _sici,
    "x",
    "Sine and cosine integrals, a pair",
    "1.0 -> (Array(0.94608307), Array(0.33740392))",
)
fresnel = special_function(
    ss.fresnel,
    _fresnel,
    "z",
    "Fresnel integrals, first that of the sine, a pair",
    "1.0 -> (Array(0.43825915), Array(0.7798934))",
)
