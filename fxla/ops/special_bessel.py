"""Bessel functions, hypergeometric functions, the zeta function and spherical harmonics.

There is no derivative by the order of a Bessel function or by the parameters of a hypergeometric
one: asking for it is an error.
"""

from __future__ import annotations

from fxla.core.trace import Value, typeof
from fxla.ops import special_series as series
from fxla.ops.arithmetic import complex_, div, maximum, mul, neg, sign, sub
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, select_like
from fxla.ops.scipy_call import SciPyCall, no_derivative
from fxla.ops.transcendental import cos, exp, log, sin, sqrt

__all__ = [
    "hyp0f1_p",
    "hyp1f1_p",
    "hyp2f1_p",
    "i0_p",
    "i0e_p",
    "i1_p",
    "i1e_p",
    "iv_p",
    "ive_p",
    "j0_p",
    "j1_p",
    "jv_p",
    "k0_p",
    "k0e_p",
    "k1_p",
    "k1e_p",
    "kv_p",
    "kve_p",
    "riemann_zeta_p",
    "sph_harm_y_p",
    "y0_p",
    "y1_p",
    "yv_p",
    "zeta_p",
]


def _over(y: Value, x: Value, at_zero: float) -> Value:
    """``y / x``, and `at_zero` where x is 0."""
    zero = eq(x, 0.0)
    dtype = typeof(x).dtype
    quotient = div(y, select_like(zero, dtype.type(1), x))
    return select_like(zero, dtype.type(at_zero), quotient)


# --- orders 0 and 1 -------------------------------------------------------------------------

i0_p: SciPyCall = SciPyCall("i0", [lambda t, out, x: mul(t, i1_p.bind1(x))], scalar=series.i0)
i1_p: SciPyCall = SciPyCall(
    "i1",
    [lambda t, out, x: mul(t, sub(i0_p.bind1(x), _over(out, x, 0.5)))],
    scalar=series.i1,
)
i0e_p: SciPyCall = SciPyCall(
    "i0e",
    [lambda t, out, x: mul(t, sub(i1e_p.bind1(x), mul(sign(x), out)))],
    scalar=series.i0e,
)


def _i1e(t: Value, out: Value, x: Value) -> Value:
    slope = sub(i0e_p.bind1(x), add(_over(out, x, 0.5), mul(sign(x), out)))
    return mul(t, slope)


i1e_p: SciPyCall = SciPyCall("i1e", [_i1e], scalar=series.i1e)
k0_p: SciPyCall = SciPyCall("k0", [lambda t, out, x: neg(mul(t, k1_p.bind1(x)))])
k1_p: SciPyCall = SciPyCall("k1", [lambda t, out, x: neg(mul(t, add(k0_p.bind1(x), div(out, x))))])
k0e_p: SciPyCall = SciPyCall("k0e", [lambda t, out, x: mul(t, sub(out, k1e_p.bind1(x)))])
k1e_p: SciPyCall = SciPyCall(
    "k1e", [lambda t, out, x: mul(t, sub(out, add(k0e_p.bind1(x), div(out, x))))]
)
j0_p: SciPyCall = SciPyCall("j0", [lambda t, out, x: neg(mul(t, j1_p.bind1(x)))])
j1_p: SciPyCall = SciPyCall(
    "j1", [lambda t, out, x: mul(t, sub(j0_p.bind1(x), _over(out, x, 0.5)))]
)
y0_p: SciPyCall = SciPyCall("y0", [lambda t, out, x: neg(mul(t, y1_p.bind1(x)))])
y1_p: SciPyCall = SciPyCall("y1", [lambda t, out, x: mul(t, sub(y0_p.bind1(x), div(out, x)))])

# --- any order ------------------------------------------------------------------------------


def _neighbours(f: SciPyCall, v: Value, x: Value, sign_above: float) -> Value:
    """Half of ``f(v - 1, x) + sign f(v + 1, x)``."""
    above = mul(f.bind1(add(v, 1.0), x), sign_above)
    return mul(add(f.bind1(sub(v, 1.0), x), above), 0.5)


jv_p: SciPyCall = SciPyCall(
    "jv", [no_derivative("jv", "order"), lambda t, out, v, x: mul(t, _neighbours(jv_p, v, x, -1))]
)
yv_p: SciPyCall = SciPyCall(
    "yv", [no_derivative("yv", "order"), lambda t, out, v, x: mul(t, _neighbours(yv_p, v, x, -1))]
)
iv_p: SciPyCall = SciPyCall(
    "iv", [no_derivative("iv", "order"), lambda t, out, v, x: mul(t, _neighbours(iv_p, v, x, 1))]
)
kv_p: SciPyCall = SciPyCall(
    "kv",
    [no_derivative("kv", "order"), lambda t, out, v, x: neg(mul(t, _neighbours(kv_p, v, x, 1)))],
)


def _ive(t: Value, out: Value, v: Value, x: Value) -> Value:
    return mul(t, sub(_neighbours(ive_p, v, x, 1), mul(sign(x), out)))


def _kve(t: Value, out: Value, v: Value, x: Value) -> Value:
    return mul(t, sub(out, _neighbours(kve_p, v, x, 1)))


ive_p: SciPyCall = SciPyCall("ive", [no_derivative("ive", "order"), _ive])
kve_p: SciPyCall = SciPyCall("kve", [no_derivative("kve", "order"), _kve])

# --- hypergeometric functions ---------------------------------------------------------------

hyp0f1_p: SciPyCall = SciPyCall(
    "hyp0f1",
    [
        no_derivative("hyp0f1", "parameter"),
        lambda t, out, b, x: mul(t, div(hyp0f1_p.bind1(add(b, 1.0), x), b)),
    ],
)


def _hyp1f1(t: Value, out: Value, a: Value, b: Value, x: Value) -> Value:
    return mul(t, mul(div(a, b), hyp1f1_p.bind1(add(a, 1.0), add(b, 1.0), x)))


def _hyp2f1(t: Value, out: Value, a: Value, b: Value, c: Value, x: Value) -> Value:
    above = hyp2f1_p.bind1(add(a, 1.0), add(b, 1.0), add(c, 1.0), x)
    return mul(t, mul(div(mul(a, b), c), above))


_fixed_1f1 = no_derivative("hyp1f1", "parameters")
_fixed_2f1 = no_derivative("hyp2f1", "parameters")
hyp1f1_p: SciPyCall = SciPyCall("hyp1f1", [_fixed_1f1, _fixed_1f1, _hyp1f1])
hyp2f1_p: SciPyCall = SciPyCall("hyp2f1", [_fixed_2f1, _fixed_2f1, _fixed_2f1, _hyp2f1])

# --- zeta -----------------------------------------------------------------------------------

_TERMS = 12
_CORRECTIONS = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)
"""Bernoulli numbers B(2j) over (2j)!."""


def _zeta_slope(s: Value, q: Value) -> Value:
    """The derivative of the Hurwitz zeta function by s > 1, by Euler and Maclaurin's sum.

    Each term is c(s) w**-(s + e), whose derivative is (c' - c log w) w**-(s + e).
    """
    total = mul(mul(s, q), 0.0)
    w = q
    for _ in range(_TERMS):
        size = log(w)
        total = sub(total, mul(size, exp(neg(mul(s, size)))))
        w = add(w, 1.0)
    size = log(w)
    power = exp(neg(mul(s, size)))
    gap = sub(s, 1.0)
    rest = neg(div(mul(w, add(size, div(1.0, gap))), gap))
    rest = sub(rest, mul(size, 0.5))
    rising, slope = s, add(mul(s, 0.0), 1.0)  # s (s + 1) ... (s + 2j - 2), and its derivative
    shrunk = div(1.0, w)
    for j, c in enumerate(_CORRECTIONS):
        rest = add(rest, mul(mul(sub(slope, mul(rising, size)), shrunk), c))
        for k in (2 * j + 1, 2 * j + 2):
            factor = add(s, float(k))
            rising, slope = mul(rising, factor), add(mul(slope, factor), rising)
        shrunk = div(shrunk, mul(w, w))
    return add(total, mul(power, rest))


zeta_p: SciPyCall = SciPyCall(
    "zeta",
    [
        lambda t, out, s, q: mul(t, _zeta_slope(s, q)),
        lambda t, out, s, q: neg(mul(t, mul(s, zeta_p.bind1(add(s, 1.0), q)))),
    ],
)

riemann_zeta_p: SciPyCall = SciPyCall(
    "zeta",
    [lambda t, out, s: mul(t, _zeta_slope(s, typeof(s).dtype.type(1)))],
    name="riemann_zeta",
)

# --- spherical harmonics --------------------------------------------------------------------


def _harmonic_theta(t: Value, out: Value, n: Value, m: Value, theta: Value, phi: Value) -> Value:
    """dY/d theta = m cot(theta) Y(n, m) + sqrt((n - m) (n + m + 1)) exp(-i phi) Y(n, m + 1)."""
    above = sph_harm_y_p.bind1(n, add(m, 1.0), theta, phi)
    factor = sqrt(maximum(mul(sub(n, m), add(add(n, m), 1.0)), 0.0))
    turned = complex_(mul(factor, cos(phi)), neg(mul(factor, sin(phi))))
    # at a pole the two terms cancel in the limit; Y itself is 0 there for m other than 0
    slope = mul(m, _over(cos(theta), sin(theta), 0.0))
    zero = mul(slope, 0.0)
    whole = add(mul(complex_(slope, zero), out), mul(turned, above))
    return mul(complex_(t, mul(t, 0.0)), whole)


def _harmonic_phi(t: Value, out: Value, n: Value, m: Value, theta: Value, phi: Value) -> Value:
    turn = mul(t, m)
    return mul(complex_(mul(turn, 0.0), turn), out)


sph_harm_y_p: SciPyCall = SciPyCall(
    "sph_harm_y", [None, None, _harmonic_theta, _harmonic_phi], result="complex", integers=2
)
