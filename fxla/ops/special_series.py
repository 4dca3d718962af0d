"""Functions of SciPy's as expressions, which compiled programs compute instead of calling SciPy.

Each takes the expression of an operand, float32 or float64, and gives that of the value. A case of
an argument is a polynomial, or a quotient of two; those of the dtype are in the tables below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fxla.core.dtypes import float32, float64
from fxla.loops.ir import BOOL, DType, Expr
from fxla.loops.view import const, op, select

__all__ = ["erfcinv", "i0", "i0e", "i1", "i1e", "log_ndtr", "ndtri"]

Table = Mapping[DType, Sequence[float]]

ROOT_2 = math.sqrt(2)
LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)


def _with(name: str, a: Expr, b: Expr | float) -> Expr:
    """An operation of an expression and another one, or a number."""
    return op(name, a.dtype, a, const(b, a.dtype) if isinstance(b, int | float) else b)


def _is(name: str, a: Expr, b: float) -> Expr:
    return op(name, BOOL, a, const(b, a.dtype))


def _polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    """By Horner's rule; the highest power first."""
    y: Expr = const(coefficients[0], x.dtype)
    for c in coefficients[1:]:
        y = _with("add", op("mul", x.dtype, y, x), c)
    return y


# --- modified Bessel functions --------------------------------------------------------------
#
# Up to 8 polynomials of the square, whose coefficients have one sign, as those of the power series
# (DLMF 10.25.2) have; beyond, with t = 16/x - 1, of exp(-x) sqrt(x) I(x) (DLMF 10.40.1). Both
# interpolate at Chebyshev's points.

_I0_NEAR: Table = {
    float32: (
        2.88867737e-22, 4.66075433e-20, 3.15827153e-17, 9.22143763e-15, 2.40958078e-12,
        4.70765371e-10, 6.7820153e-08, 6.78164633e-06, 0.000434028014, 0.0156249991, 0.25, 1,
    ),
    float64: (
        8.487698345602824e-37, 4.601357767863732e-34, 5.0327117729737235e-31,
        3.829411247002327e-28, 2.5987841051325663e-25, 1.4962822964042478e-22,
        7.242279005317181e-20, 2.896902788810415e-17, 9.385967122158306e-15,
        2.4028075474081917e-12, 4.709502797312111e-10, 6.781684027758202e-08,
        6.781684027778812e-06, 0.00043402777777777445, 0.015625000000000007, 0.25, 1.0,
    ),
}  # fmt: skip
_I0_FAR: Table = {
    float32: (
        1.08298984e-07, 3.6317104e-07, 1.47679214e-06, 1.11115251e-05, 0.00013621684,
        0.00336055574, 0.402176499,
    ),
    float64: (
        -2.4421972688131832e-11, 9.114760157514253e-11, 1.7698085539456536e-10,
        -6.494591114401118e-10, -6.327909921997027e-10, 2.163681278413876e-09,
        1.6084886155781772e-09, -4.5305710768621196e-09, -3.5862834111582305e-09,
        6.522264862032271e-09, 7.600254486433509e-09, -5.0175940345046716e-09,
        -1.3427511481900905e-08, -6.856484545962442e-09, 7.559364098665437e-09,
        2.156780676115673e-08, 3.932512321137824e-08, 8.872014585661555e-08,
        2.9735992084667734e-07, 1.4838476780922646e-06, 1.114303378845176e-05,
        0.00013621607438951463, 0.0033605519836678913, 0.4021765094450081,
    ),
}  # fmt: skip
_I1_NEAR: Table = {
    float32: (
        6.35890249e-21, 9.33866025e-19, 5.6781166e-16, 1.47632151e-13, 3.37280238e-11,
        5.64942759e-09, 6.78195704e-07, 5.42532507e-05, 0.00260416768, 0.0625, 0.5,
    ),
    float64: (
        2.716505589516919e-35, 1.3808181584914298e-32, 1.408926251589232e-29,
        9.956969230500738e-27, 6.2370206832638684e-24, 3.2918259018287706e-21,
        1.448455537254395e-18, 5.214425120919993e-16, 1.5017547367976848e-13,
        3.3639305668982475e-11, 5.651403356704746e-09, 6.781684027764357e-07,
        5.42534722222271e-05, 0.0026041666666666574, 0.06250000000000001, 0.5,
    ),
}  # fmt: skip
_I1_FAR: Table = {
    float32: (
        -1.22124987e-07, -4.21555427e-07, -1.82671454e-06, -1.50033229e-05, -0.000219236666,
        -0.00974958111, 0.389398456,
    ),
    float64: (
        2.2421768596847442e-11, -9.491890392992048e-11, -1.6283264322621244e-10,
        6.7727478454462e-10, 5.870664618471487e-10, -2.2624401109204446e-09,
        -1.5218214060680734e-09, 4.763780078020254e-09, 3.501765193290176e-09,
        -6.9444186339873875e-09, -7.687251308765992e-09, 5.5720183980930355e-09,
        1.4051746928735543e-08, 6.84757829926934e-09, -8.432168972932417e-09,
        -2.3394122958362557e-08, -4.3128498031006734e-08, -1.0001075046243961e-07,
        -3.4838563464253135e-07, -1.8349102493990178e-06, -1.5038547198221758e-05,
        -0.00021923576383137776, -0.009749577193235765, 0.38939845902587233,
    ),
}  # fmt: skip
NEAR = 8.0
"""Where the two meet."""


def _bessel(x: Expr, near: Table, far: Table, scaled: bool) -> Expr:
    """An even Bessel function of x, times exp(-abs(x)) if it is scaled."""
    a = op("abs", x.dtype, x)
    is_near = _is("le", a, NEAR)
    low = select(is_near, a, const(0.0, x.dtype))
    high = select(is_near, const(NEAR, x.dtype), a)
    t = _with("sub", op("div", x.dtype, const(2 * NEAR, x.dtype), high), 1.0)
    inner = _polynomial(_with("mul", low, low), near[x.dtype])
    outer = _with("div", _polynomial(t, far[x.dtype]), op("sqrt", x.dtype, high))
    if scaled:
        inner = _with("mul", inner, op("exp", x.dtype, op("neg", x.dtype, low)))
    else:  # exp(x) may be infinite where the product is not
        half = op("exp", x.dtype, _with("mul", high, 0.5))
        outer = _with("mul", _with("mul", outer, half), half)
    return select(_is("ne", a, math.inf), select(is_near, inner, outer), _limit(x, scaled))


def _limit(x: Expr, scaled: bool) -> Expr:
    """The value at infinity: SciPy's, which is NaN where it would be infinite."""
    return const(0.0 if scaled else math.nan, x.dtype)


def i0(x: Expr) -> Expr:
    """The modified Bessel function of order 0."""
    return _bessel(x, _I0_NEAR, _I0_FAR, scaled=False)


def i0e(x: Expr) -> Expr:
    """``exp(-abs(x)) * i0(x)``."""
    return _bessel(x, _I0_NEAR, _I0_FAR, scaled=True)


def _odd(x: Expr, scaled: bool) -> Expr:
    """Near, the polynomial is that of ``i1(x) / x``."""
    y = _bessel(x, _I1_NEAR, _I1_FAR, scaled)
    near = _is("le", op("abs", x.dtype, x), NEAR)
    return select(near, _with("mul", y, x), op("copysign", x.dtype, y, x))


def i1(x: Expr) -> Expr:
    """The modified Bessel function of order 1."""
    return _odd(x, scaled=False)


def i1e(x: Expr) -> Expr:
    """``exp(-abs(x)) * i1(x)``."""
    return _odd(x, scaled=True)


# --- quantiles and tails of the normal distribution -----------------------------------------
#
# Quantiles by Wichura's algorithm AS 241 (Applied Statistics 37, 1988): PPND7 in single precision,
# PPND16 in double. Numerators and denominators, of the centre, of tails, of far tails.

_CENTRE: Mapping[DType, tuple[Sequence[float], Sequence[float]]] = {
    float32: (
        (59.109374720, 159.29113202, 50.434271938, 3.3871327179),
        (67.187563600, 78.757757664, 17.895169469, 1.0),
    ),
    float64: (
        (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
         4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
         1.3314166789178437745e2, 3.3871328727963666080e0),
        (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
         2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
         4.2313330701600911252e1, 1.0),
    ),
}  # fmt: skip
_TAIL: Mapping[DType, tuple[Sequence[float], Sequence[float]]] = {
    float32: (
        (0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777),
        (0.12021132975, 0.73700164250, 1.0),
    ),
    float64: (
        (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
         1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
         4.63033784615654529590e0, 1.42343711074968357734e0),
        (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
         1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
         2.05319162663775882187e0, 1.0),
    ),
}  # fmt: skip
_FAR_TAIL: Mapping[DType, tuple[Sequence[float], Sequence[float]]] = {
    float32: (
        (0.017337203997, 0.42868294337, 3.0812263860, 6.6579051150),
        (0.012258202635, 0.24197894225, 1.0),
    ),
    float64: (
        (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
         2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
         5.46378491116411436990e0, 6.65790464350110377720e0),
        (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
         7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
         5.99832206555887937690e-1, 1.0),
    ),
}  # fmt: skip


def _quotient(r: Expr, parts: tuple[Sequence[float], Sequence[float]]) -> Expr:
    return _with("div", _polynomial(r, parts[0]), _polynomial(r, parts[1]))


def ndtri(p: Expr) -> Expr:
    """The argument at which the normal distribution function is p; NaN outside of 0 to 1."""
    dtype = p.dtype
    q = _with("sub", p, 0.5)
    central = _is("le", op("abs", dtype, q), 0.425)
    inside = select(central, q, const(0.0, dtype))
    r = op("sub", dtype, const(0.180625, dtype), op("mul", dtype, inside, inside))
    centre = op("mul", dtype, inside, _quotient(r, _CENTRE[dtype]))
    below = _is("lt", q, 0.0)
    tail = select(below, p, op("sub", dtype, const(1.0, dtype), p))
    r = op("sqrt", dtype, op("neg", dtype, op("log", dtype, tail)))
    near = _quotient(_with("sub", r, 1.6), _TAIL[dtype])
    far = _quotient(_with("sub", r, 5.0), _FAR_TAIL[dtype])
    size = select(_is("le", r, 5.0), near, far)
    size = select(_is("eq", tail, 0.0), const(math.inf, dtype), size)
    return select(central, centre, select(below, op("neg", dtype, size), size))


def erfcinv(p: Expr) -> Expr:
    """The argument at which the complementary error function is p."""
    quantile = ndtri(_with("mul", p, 0.5))
    return op("sub", p.dtype, const(0.0, p.dtype), _with("mul", quantile, 1 / ROOT_2))


_MILLS = tuple((-1.0) ** k * math.prod(range(1, 2 * k, 2)) for k in reversed(range(10)))
"""Coefficients of the asymptotic series of a tail (Abramowitz and Stegun 26.2.12)."""
_FROM = {float32: 9.0, float64: 18.0}
"""From where on the series is used."""


def log_ndtr(x: Expr) -> Expr:
    """The logarithm of the normal distribution function.

    Above 0 it is as accurate as a tail at a rounded argument: to ``x**2`` ulp.
    """
    dtype = x.dtype
    start = _FROM[dtype]
    a = op("abs", dtype, x)
    tail = _with("mul", op("erfc", dtype, _with("mul", a, 1 / ROOT_2)), 0.5)
    is_far = _is("lt", x, -start)
    high = select(is_far, a, const(start, dtype))
    inverse = op("div", dtype, const(1.0, dtype), high)
    series = op("mul", dtype, _polynomial(op("mul", dtype, inverse, inverse), _MILLS), inverse)
    logarithm = op("log", dtype, select(is_far, series, tail))
    exponent = _with("add", op("mul", dtype, _with("mul", high, 0.5), high), LOG_ROOT_2_PI)
    below = select(is_far, op("sub", dtype, logarithm, exponent), logarithm)
    return select(_is("gt", x, 0.0), op("log1p", dtype, op("neg", dtype, tail)), below)
