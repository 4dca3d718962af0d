"""Roots and special functions, and the table of all functions the native printer has.

Accuracies stand in `fxla.loops.native.math`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import BITS, Value
from fxla.loops.native.math import (
    INF,
    NAN,
    acosh,
    asinh,
    atanh,
    clamp,
    cosh,
    exp,
    exp2,
    expm1,
    horner,
    log,
    log1p,
    log2,
    log10,
    logistic,
    sinh,
    tanh,
)
from fxla.loops.native.power import power
from fxla.loops.native.trig import acos, asin, atan, atan2, cos, sin, tan

__all__ = [
    "MATH",
    "cbrt",
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "hypot",
    "nextafter",
    "rsqrt",
]


def _widened(f: Callable[..., Value]) -> Callable[..., Value]:
    """An f64 function, also for f32 by computing in f64."""

    def either(b: Builder, *args: Value) -> Value:
        if args[0].type == "f64":
            return f(b, *args)
        wide = [b.convert("fpext", x, "f64") for x in args]
        return b.convert("fptrunc", f(b, *wide), "f32")

    return either


# ------------------------------------------------------------ roots -----------


def rsqrt(b: Builder, x: Value) -> Value:
    """``1 / sqrt(x)``."""
    return 1.0 / b.intrinsic("sqrt", x)


_CBRT = [0.145996192886612446982, -0.758397934778766047437, 1.621429720105354466140]
_CBRT += [-1.88497979543377169875, 1.87595182427177009643]


def cbrt(b: Builder, x: Value) -> Value:
    """The cube root."""
    a = b.abs(x)
    t = _cbrt32(b, a) if x.type == "f32" else _cbrt64(b, a)
    ordinary = a.cmp("ogt", 0) & a.cmp("olt", INF)
    return b.select(ordinary, b.intrinsic("copysign", t, x), x + x)


def _cbrt32(b: Builder, a: Value) -> Value:
    """The root of a positive f32, without a division.

    The bits of ``a**(-1/3)`` are about a constant less a third of a's. A step of order 4 toward
    ``h = 1 - a y**3 = 0`` brings y to some 20 bits; in f64, a step of Newton's gives the rest.
    """
    subnormal = a.cmp("olt", 1.1754943508222875e-38)
    scaled = b.select(subnormal, a * 2.0**24, a)
    third = b.convert("sitofp", b.bits(scaled), "f32") * (-1 / 3)
    y = b.bits(b.convert("fptosi", third + float(0x54A21D2A), "i32"))
    h = 1.0 - scaled * y * y * y
    y = b.fma(y * h, horner(b, h, [14 / 81, 2 / 9, 1 / 3]), y)
    wide, inverse = b.convert("fpext", scaled, "f64"), b.convert("fpext", y, "f64")
    square = inverse * inverse
    t = wide * square
    t = b.fma(wide - t * t * t, square * (1 / 3), t)
    t = b.convert("fptrunc", t, "f32")
    return b.select(subnormal, t * 2.0**-8, t)


def _cbrt64(b: Builder, a: Value) -> Value:
    """The root of a positive f64 (FreeBSD's cbrt)."""
    subnormal = a.cmp("olt", 2.2250738585072014e-308)
    a = b.select(subnormal, a * 2.0**54, a)
    # the upper 32 bits divided by 3, by multiplication
    upper = b.bitwise("lshr", b.bits(a), 32)
    third = b.bitwise("lshr", upper * 0xAAAAAAAB, 33)
    t = b.bits((third + 715094163) << 32)
    t = t * horner(b, (t * t) * (t / a), _CBRT)
    t = b.bits((b.bits(t) + 0x80000000) & -0x40000000)
    r = a / (t * t)
    t = t + t * ((r - t) / (t + t + r))
    return b.select(subnormal, t * 2.0**-18, t)


def hypot(b: Builder, x: Value, y: Value) -> Value:
    """``sqrt(x*x + y*y)`` without overflow on the way; infinite if either is."""
    ax, ay = b.abs(x), b.abs(y)
    if x.type == "f32":
        u, v = b.convert("fpext", ax, "f64"), b.convert("fpext", ay, "f64")
        r = b.convert("fptrunc", b.intrinsic("sqrt", b.fma(u, u, v * v)), "f32")
    else:
        top = b.select(ax.cmp("ogt", ay), ax, ay)
        up, down = 2.0**600, 2.0**-600
        large, small = top.cmp("ogt", 2.0**500), top.cmp("olt", 2.0**-500)
        one = b.constant(1.0, x.type, x.width)
        scale = b.select(large, b.constant(down, x.type), b.select(small, one * up, one))
        back = b.select(large, b.constant(up, x.type), b.select(small, one * down, one))
        u, v = ax * scale, ay * scale
        r = b.intrinsic("sqrt", b.fma(u, u, v * v)) * back
    infinite = ax.cmp("oeq", INF) | ay.cmp("oeq", INF)
    return b.select(infinite, b.constant(INF, x.type, x.width), r)


def nextafter(b: Builder, x: Value, y: Value) -> Value:
    """The neighbour of x toward y."""
    bits = b.bits(x)
    least = -(1 << (BITS[bits.type] - 1))
    smallest = (b.bits(y) & least) | 1
    grow = y.cmp("ogt", x) ^ bits.cmp("slt", 0)
    moved = b.select(x.cmp("oeq", 0), smallest, b.select(grow, bits + 1, bits - 1))
    out = b.select(x.cmp("oeq", y), y, b.bits(moved))
    return b.select(x.cmp("uno", y), x + y, out)


# -------------------------------------------------------------- error function

_ERF32_P = [0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861]
_ERF32_P += [0.18520832239976145, 1.128379143519084]
_ERF32_Q = [-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885]
_ERF32_Q += [0.014070470171167667, 0.11098505178285362, 0.49746925110067538, 1.0]
_ERF_T = [9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3]
_ERF_T += [7.00332514112805075473e3, 5.55923013010394962768e4]
_ERF_U = [1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3]
_ERF_U += [2.26290000613890934246e4, 4.92673942608635921086e4]
_ERFC_P = [2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687]
_ERFC_P += [4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2]
_ERFC_P += [9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2]
_ERFC_Q = [1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2]
_ERFC_Q += [9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3]
_ERFC_Q += [1.65666309194161350182e3, 5.57535340817727675546e2]
_ERFC_R = [5.64189583547755073984e-1, 1.27536670759978104416, 5.01905042251180477414]
_ERFC_R += [6.16021097993053585195, 7.40974269950448939160, 2.97886665372100240670]
_ERFC_S = [1.0, 2.26052863220117276590, 9.39603524938001434673, 1.20489539808096656605e1]
_ERFC_S += [1.70814450747565897222e1, 9.60896809063285878198, 3.36907645100081516050]


_ERF_D = [t - u for t, u in zip([0.0, *_ERF_T], _ERF_U, strict=True)]


def _erf_excess(b: Builder, x: Value) -> Value:
    """``erf(x) - x`` for ``|x| <= 1``, a small number."""
    z = x * x
    return x * (horner(b, z, _ERF_D) / horner(b, z, _ERF_U))


def _erf_near(b: Builder, x: Value) -> Value:
    """erf for ``|x| <= 1``."""
    return x + _erf_excess(b, x)


def _erfc_far(b: Builder, a: Value) -> Value:
    """erfc for a from 1 to 27, to full relative accuracy: ``exp(-a*a)`` in two parts."""
    coarse = b.bits(b.bits(a) & -0x8000000)
    low = (coarse - a) * (coarse + a)
    e = exp(b, -(coarse * coarse))
    e = b.fma(e, b.fma(low * low, b.fma(low, 1 / 6, 0.5), low), e)
    near = horner(b, a, _ERFC_P) / horner(b, a, _ERFC_Q)
    far = horner(b, a, _ERFC_R) / horner(b, a, _ERFC_S)
    return e * b.select(a.cmp("olt", 8.0), near, far)


def erf(b: Builder, x: Value) -> Value:
    """The error function."""
    if x.type == "f32":
        c = clamp(b, x, -3.7439211627767994, 3.7439211627767994)
        z = c * c
        y = clamp(b, c * horner(b, z, _ERF32_P) / horner(b, z, _ERF32_Q), -1.0, 1.0)
        one = b.intrinsic("copysign", b.constant(1.0, x.type, x.width), x)
        return b.select(b.abs(x).cmp("ogt", 3.8), one, y)  # the rational ends 3 ulp below 1
    a = clamp(b, b.abs(x), 0.0, 6.5)
    far = 1.0 - exp(b, -(a * a)) * (horner(b, a, _ERFC_P) / horner(b, a, _ERFC_Q))
    near = _erf_near(b, clamp(b, x, -1.0, 1.0))
    return b.select(a.cmp("ogt", 1.0), b.intrinsic("copysign", far, x), near)


_ERFC32 = [2.59780682e-05, -0.000365685089, -0.00125352258, 0.00127426686, 0.00863879174]
_ERFC32 += [-0.00804484077, -0.05420525, 0.164053187, -0.166031346, -0.0927639008, 0.276978403]


def _erfc32(b: Builder, x: Value) -> Value:
    """erfc in f32, from ``(1 + 2a) exp(a*a) erfc(a)``, which a polynomial follows for all a >= 0.

    The form is that of Shepherd and Laframboise (1981), the polynomial one in (a - 2) / (a + 2)
    that was fitted up to 10.1, beyond which erfc(a) is 0. The square's and the quotients' roundings
    are made good.
    """
    a = b.intrinsic("minnum", b.abs(x), 10.5)
    over = 1.0 / (a + 2.0)
    q = (a - 2.0) * over
    q = b.fma(over, b.fma(q, -a, b.fma(q + 1.0, b.constant(-2.0, "f32", x.width), a)), q)
    p = horner(b, q, _ERFC32)
    over = 1.0 / (a + a + 1.0)
    r = b.fma(p, over, over)
    r = b.fma(b.fma(b.fma(r, -a, 0.5), 2.0, p - r), over, r)
    square = a * a
    e = exp(b, -square)
    r = b.fma(r, e, r * e * b.fma(-a, a, square))
    r = b.select(a.cmp("ogt", 10.06), b.constant(0.0, "f32", x.width), r)
    r = b.select(x.cmp("olt", 0), 2.0 - r, r)
    return b.select(x.cmp("uno", x), x, r)


def erfc(b: Builder, x: Value) -> Value:
    """``1 - erf(x)``, to full relative accuracy for large x."""
    if x.type == "f32" and b.fma_rounds_once:
        return _erfc32(b, x)
    return _erfc64(b, x)


@_widened
def _erfc64(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    far = _erfc_far(b, clamp(b, a, 1.0, 28.0))
    far = b.select(x.cmp("olt", 0), 2.0 - far, far)
    c = clamp(b, x, -1.0, 1.0)
    near = 0.5 - ((c - 0.5) + _erf_excess(b, c))
    return b.select(a.cmp("ogt", 1.0), far, near)


_ERFINV_CENTRE = [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087]
_ERFINV_CENTRE += [-0.00125372503, -0.00417768164, 0.246640727, 1.50140941]
_ERFINV_TAIL = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773]
_ERFINV_TAIL += [-0.0076224613, 0.00943887047, 1.00167406, 2.83297682]


def erfinv(b: Builder, y: Value) -> Value:
    """The inverse of erf: Giles's approximation, for f64 then two steps of Halley's method."""
    a = b.abs(y)
    rest = 1.0 - a
    w = -log(b, rest * (a + 1.0))
    root = b.intrinsic("sqrt", w)
    centre = horner(b, w - 2.5, _ERFINV_CENTRE)
    x = b.select(w.cmp("olt", 5.0), centre, horner(b, root - 3.0, _ERFINV_TAIL)) * a
    if y.type == "f64":
        x = _halley(b, x, a, rest)
    x = b.select(a.cmp("oeq", 1.0), b.constant(INF, y.type, y.width), x)
    return b.intrinsic("copysign", x, y)


def _halley(b: Builder, x: Value, a: Value, rest: Value) -> Value:
    """Two steps toward ``erf(x) = a``, with ``rest = 1 - a``."""
    central = a.cmp("olt", 0.5)

    def step(_: Value, values: list[Value]) -> list[Value]:
        x = values[0]
        near = _erf_near(b, clamp(b, x, 0.0, 1.0)) - a
        error = b.select(central, near, rest - erfc(b, x))
        step = error / (exp(b, -(x * x)) * (2 / math.sqrt(math.pi)))
        return [x - step / b.fma(x, step, 1.0)]

    zero, twice = b.constant(0, "i64"), b.constant(2, "i64")
    return b.loop(zero, twice, 1, [x], step)[0]


# ------------------------------------------------------------- gamma functions

_DIGAMMA = [8.33333333333333333333e-2, -2.10927960927960927961e-2, 7.57575757575757575758e-3]
_DIGAMMA += [-4.16666666666666666667e-3, 3.96825396825396825397e-3, -8.33333333333333333333e-3]
_DIGAMMA += [8.33333333333333333333e-2]


@_widened
def digamma(b: Builder, x: Value) -> Value:
    """The derivative of lgamma: recurrence to 10, then the asymptotic series (Cephes's psi)."""
    negative = x.cmp("olt", 0)
    t = b.select(negative, 1.0 - x, x)

    def below(v: list[Value]) -> Value:
        return b.any(v[0].cmp("olt", 10.0) & v[0].cmp("ogt", 0))

    def step(v: list[Value]) -> list[Value]:
        more = v[0].cmp("olt", 10.0)
        return [b.select(more, v[0] + 1.0, v[0]), b.select(more, v[1] + 1.0 / v[0], v[1])]

    t, lower = b.while_loop([t, b.constant(0.0, x.type, x.width)], below, step)
    z = 1.0 / (t * t)
    y = log(b, t) - 0.5 / t - z * horner(b, z, _DIGAMMA) - lower
    fraction = x - b.intrinsic("roundeven", x)
    y = b.select(negative, y - math.pi / tan(b, fraction * math.pi), y)
    pole = negative & fraction.cmp("oeq", 0)
    y = b.select(pole, b.constant(NAN, x.type, x.width), y)
    y = b.select(x.cmp("oeq", INF), x, y)
    return b.select(x.cmp("oeq", 0), b.intrinsic("copysign", INF, -x), y)


_LGAMMA_32 = [
    0.00011347282270435244,
    -0.0002538170956540853,
    0.0005065171280875802,
    -0.0011858600191771984,
]
_LGAMMA_32 += [
    0.002890795236453414,
    -0.00738617405295372,
    0.020580800250172615,
    -0.0673522800207138,
]
_LGAMMA_32 += [0.32246702909469604, 0.42278432846069336]
_LGAMMA_64 = [
    2.7475390051909663e-07,
    -5.811277768921246e-07,
    9.242852225162277e-07,
    -1.9743106888421067e-06,
]
_LGAMMA_64 += [
    4.3828545383846665e-06,
    -9.45628851510172e-06,
    2.050601970174762e-05,
    -4.4923727564247656e-05,
]
_LGAMMA_64 += [
    9.945761692157133e-05,
    -0.00022315497746292723,
    0.0005096695196526673,
    -0.0011927539009983087,
]
_LGAMMA_64 += [
    0.002890510330865901,
    -0.007385551028935545,
    0.02058080842778338,
    -0.06735230105319563,
]
_LGAMMA_64 += [0.3224670334241132, 0.42278433509846713]
_STIRLING_32 = [0.0007800346938893199, -0.0027776984497904778, 0.0833333358168602]
_STIRLING_64 = [
    0.005065905360156132,
    -0.001890382993887715,
    0.0008414700852503147,
    -0.0005952365845057049,
]
_STIRLING_64 += [0.0007936507897524059, -0.002777777777773988, 0.08333333333333333]
_STIRLING_CONSTANT = 0.4189385332046727
"""``(log(2 pi) - 1) / 2``"""


def lgamma(b: Builder, x: Value) -> Value:
    """The logarithm of the magnitude of the gamma function; of negative numbers by the C library.

    From 8 on by Stirling's series, ``(x - 1/2) (log x - 1)`` and a polynomial of 1/x; below, the
    recurrence leads to ``lgamma(2 + t)`` for a t of at most a half, a polynomial that is 0 with
    t, and the logarithm of the factors passed. The polynomials interpolate at Chebyshev's points.
    """
    near, far = (_LGAMMA_32, _STIRLING_32) if x.type == "f32" else (_LGAMMA_64, _STIRLING_64)
    small, large = x.cmp("olt", 1.5), x.cmp("oge", 8.0)
    tiny = x.cmp("olt", 0.5)
    t, factors = x, b.constant(1.0, x.type, x.width)
    for _ in range(6):  # 2.5 <= x < 8 in at most six steps, each of which is exact
        above = t.cmp("oge", 2.5)
        t = b.select(above, t - 1.0, t)
        factors = b.select(above, factors * t, factors)
    t = b.select(tiny, x, b.select(small, x - 1.0, t - 2.0))
    factors = b.select(small, b.select(tiny, x * (x + 1.0), x), factors)
    factors = b.select(large, x, factors)
    logarithm = log(b, factors)
    below = horner(b, t, near) * t + b.select(small, -logarithm, logarithm)
    over = 1.0 / x
    above = b.fma(
        x - 0.5, logarithm - 1.0, b.fma(horner(b, over * over, far), over, _STIRLING_CONSTANT)
    )
    y = b.select(large, above, below)
    y = b.select(x.cmp("oeq", INF) | x.cmp("uno", x), x, y)
    negative = x.cmp("olt", 0)

    def reflected() -> list[Value]:
        z = b.call("lgammaf" if x.type == "f32" else "lgamma", x.type, x)
        z = b.select(x.cmp("oeq", -INF), x, z)  # as SciPy
        return [b.select(negative, z, y)]

    return b.branch(b.any(negative), reflected, lambda: [y])[0]


MATH: dict[str, Callable[..., Value]] = {
    f.__name__: f
    for f in (exp, exp2, expm1, log, log2, log10, log1p, logistic, tanh, sinh, cosh, asinh, acosh)
}
MATH |= {f.__name__: f for f in (atanh, sin, cos, tan, asin, acos, atan, atan2)}
MATH |= {f.__name__: f for f in (rsqrt, hypot, nextafter, erf, lgamma)}
MATH |= {"pow": power, "cbrt": cbrt, "erfc": erfc, "erfinv": erfinv, "digamma": digamma}
"""Every function by the name of its scalar op."""
