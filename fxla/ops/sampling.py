"""Rejection samplers, and derivatives of random numbers in the parameters of their distribution.

* gamma: Marsaglia, Tsang: "A simple method for generating gamma variables" (2000)
* poisson: Hoermann: "The transformed rejection method for generating Poisson random variables"
  (1993); below a mean of 10 by counting exponential gaps
* binomial: Hoermann: "The generation of binomial random variates" (1993); below a mean of 10 by
  counting geometric gaps
* derivatives: Figurnov, Mohamed, Mnih: "Implicit reparameterization gradients" (arXiv:1805.08498)

Parameters that make no sense give NaN.
"""

from __future__ import annotations

import math
from typing import Any

from fxla.core.dtypes import float64
from fxla.core.trace import Value, typeof
from fxla.ops.arithmetic import abs_, div, floor, minimum, mul, neg, sub
from fxla.ops.casts import convert
from fxla.ops.element_loop import ElementLoop
from fxla.ops.elementwise import Elementwise, add
from fxla.ops.logic import and_, ge, gt, le, lt, not_, or_, select_like
from fxla.ops.transcendental import (
    digamma,
    erfc_p,
    erfinv_p,
    exp,
    expm1,
    lgamma_p,
    log,
    log1p,
    sqrt,
)

__all__ = [
    "binomial_sample",
    "constant_p",
    "gamma_log_derivative",
    "implicit_gamma_p",
    "implicit_wald_p",
    "log_gamma_sample",
    "poisson_sample",
    "wald_derivative",
]

_INF = math.inf
_NAN = math.nan


def where(which: Value, on_true: Value, on_false: Value) -> Value:
    """`select` of scalars, either of which may be a Python number."""
    cases = [float64.type(x) if isinstance(x, float) else x for x in (on_true, on_false)]
    return select_like(which, *cases)


# --- gamma ----------------------------------------------------------------------------------


def _gamma_start(a: Value, u: Value, v: Value) -> tuple[Value, ...]:
    """log of ``U**(1/a)``, which brings a number for a + 1 to one for a, if a < 1."""
    return (where(lt(a, 1.0), div(log1p(neg(u)), a), 0.0),)


def _gamma_step(state: Any, a: Value, u: Value, v: Value) -> Any:
    (boost,) = state
    raised = where(lt(a, 1.0), add(a, 1.0), a)
    d = sub(raised, 1 / 3)
    z = mul(erfinv_p.bind1(sub(mul(u, 2.0), 1.0)), math.sqrt(2))
    root = add(div(z, mul(sqrt(d), 3.0)), 1.0)
    cube = mul(mul(root, root), root)
    bound = add(mul(mul(z, z), 0.5), mul(d, add(sub(1.0, cube), log(cube))))
    accepted = and_(gt(root, 0.0), lt(log(v), bound))
    sensible = and_(ge(a, 0.0), lt(a, _INF))
    value = where(accepted, add(add(log(d), log(cube)), boost), boost)
    return (where(sensible, value, _NAN),), or_(accepted, not_(sensible))


_log_gamma_p = ElementLoop("random_log_gamma", 1, _gamma_start, _gamma_step, random=True)

implicit_gamma_p = Elementwise(
    "implicit_gamma",
    "f",
    lambda a, sample: sample,
    lambda a, sample: sample,
    jvp=[lambda t, out, a, sample: mul(t, gamma_log_derivative(a, sample)), None],
)
"""``(a, log_sample) -> log_sample``, with the derivative a sample has in a."""

constant_p = Elementwise("constant", "f", lambda x: x, lambda x: x, jvp=[None])
"""``x``, as a constant for derivatives."""

implicit_wald_p = Elementwise(
    "implicit_wald",
    "f",
    lambda mean, sample: sample,
    lambda mean, sample: sample,
    jvp=[lambda t, out, mean, sample: mul(t, wald_derivative(mean, sample)), None],
)
"""``(mean, sample) -> sample``, with the derivative a Wald sample has in its mean."""


def log_gamma_sample(key: Value, a: Value) -> Value:
    """Logarithms of gamma numbers of shape parameters `a`; differentiable in `a` (once)."""
    sample = _log_gamma_p.bind1(key, constant_p.bind1(a))
    return implicit_gamma_p.bind1(a, sample)


# --- derivative of gamma --------------------------------------------------------------------
#
# With P the distribution function, dx/da = -(dP/da) / (dP/dx). In terms of log x, and w = log x -
# digamma(a), this is x times g, where
#   g = D - S w, for P = x^a e^-x S / gamma(a): S the series below, D = -dS/da;
#   g = C w + dC/da, for 1 - P = x^a e^-x C / gamma(a): C the continued fraction below.
# All terms are positive where each is used, so nothing cancels.

_LARGE = 1e4


def _in_series(a: Value, log_x: Value) -> Value:
    return and_(le(exp(log_x), add(a, 1.0)), le(a, _LARGE))


def _in_fraction(a: Value, log_x: Value) -> Value:
    return and_(gt(exp(log_x), add(a, 1.0)), le(a, _LARGE))


def _series_start(a: Value, log_x: Value) -> tuple[Value, ...]:
    """(g, S, D, term, sum of 1 / (a + k), index, w, x)."""
    first = div(1.0, a)
    d = mul(first, first)
    w = sub(log_x, digamma(a))
    return sub(d, mul(first, w)), first, d, first, first, mul(first, 0.0), w, exp(log_x)


def _series_step(state: Any, a: Value, log_x: Value) -> Any:
    """S = sum over n of x^n / (a (a + 1) ... (a + n))."""
    _, s, d, term, harmonic, i, w, x = state
    i = add(i, 1.0)
    below = add(a, i)
    term = div(mul(term, x), below)
    harmonic = add(harmonic, div(1.0, below))
    change = mul(term, harmonic)
    s, d = add(s, term), add(d, change)
    going = and_(gt(change, mul(d, 1e-17)), _in_series(a, log_x))
    return (sub(d, mul(s, w)), s, d, term, harmonic, i, w, x), not_(going)


def _fraction_start(a: Value, log_x: Value) -> tuple[Value, ...]:
    """(g, index, c, dc, d, dd, C, dC, w, x); d before a name: its derivative in a."""
    x = exp(log_x)
    w = sub(log_x, digamma(a))
    d = div(1.0, sub(add(x, 1.0), a))
    dd = mul(d, d)
    zero = mul(d, 0.0)
    return add(mul(d, w), dd), zero, add(zero, 1e300), zero, d, dd, d, dd, w, x


def _fraction_step(state: Any, a: Value, log_x: Value) -> Any:
    """C = 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))), by Lentz's method."""
    _, i, c, dc, d, dd, total, dtotal, w, x = state
    i = add(i, 1.0)
    top = mul(i, sub(a, i))
    b = add(sub(add(x, 1.0), a), mul(i, 2.0))
    below = add(mul(top, d), b)
    dbelow = sub(add(mul(i, d), mul(top, dd)), 1.0)
    d = div(1.0, below)
    dd = neg(mul(mul(d, d), dbelow))
    before, dbefore = c, dc
    c = add(b, div(top, before))
    dc = sub(sub(div(i, before), 1.0), div(mul(div(top, before), dbefore), before))
    factor, dfactor = mul(d, c), add(mul(dd, c), mul(d, dc))
    extra = mul(total, dfactor)
    total, dtotal = mul(total, factor), add(mul(dtotal, factor), extra)
    moving = or_(gt(abs_(sub(factor, 1.0)), 1e-16), gt(abs_(extra), mul(abs_(dtotal), 1e-16)))
    going = and_(and_(moving, lt(i, 5000.0)), _in_fraction(a, log_x))
    return (add(mul(total, w), dtotal), i, c, dc, d, dd, total, dtotal, w, x), not_(going)


_gamma_series_p = ElementLoop("gamma_series", 2, _series_start, _series_step, random=False)
_gamma_fraction_p = ElementLoop("gamma_fraction", 2, _fraction_start, _fraction_step, random=False)


def _gamma_asymptotic(a: Value, log_x: Value) -> Value:
    """g for large a: the Cornish-Fisher expansion, differentiated at a fixed normal quantile z.

    x = a + z sqrt(a) + (z^2 - 1)/3 + (z^3 - 7 z)/(36 sqrt(a)) - (3 z^4 + 7 z^2 - 16)/(810 a) + ...
    z is solved for by a Newton step from the Wilson-Hilferty approximation.
    """
    root = sqrt(a)
    log_ratio = sub(log_x, log(a))
    z = mul(mul(root, 3.0), add(expm1(div(log_ratio, 3.0)), div(1 / 9, a)))
    second, third, fourth = _expansion(z)
    series = add(add(z, div(second, root)), add(div(third, a), div(fourth, mul(a, root))))
    excess = sub(series, mul(root, expm1(log_ratio)))
    z = sub(z, div(excess, add(div(mul(z, 2 / 3), root), 1.0)))
    _, third, fourth = _expansion(z)
    slope = add(div(mul(z, 0.5), root), 1.0)
    slope = sub(slope, div(mul(third, 0.5), mul(a, root)))
    slope = sub(slope, div(fourth, mul(a, a)))
    return div(slope, exp(log_x))


def _expansion(z: Value) -> tuple[Value, Value, Value]:
    """Polynomials of the expansion, after the first two terms."""
    z2 = mul(z, z)
    fourth = sub(add(mul(mul(z2, z2), 3.0), mul(z2, 7.0)), 16.0)
    return div(sub(z2, 1.0), 3.0), div(mul(z, sub(z2, 7.0)), 36.0), div(fourth, -810.0)


def gamma_log_derivative(a: Value, log_x: Value) -> Value:
    """``d log x / d a`` of a gamma number x at a fixed value of its distribution function."""
    dtype = typeof(a).dtype
    a, log_x = convert(a, float64), convert(log_x, float64)
    series, fraction = _gamma_series_p.bind1(a, log_x), _gamma_fraction_p.bind1(a, log_x)
    found = select_like(_in_fraction(a, log_x), fraction, series)
    found = select_like(gt(a, _LARGE), _gamma_asymptotic(a, log_x), found)
    return convert(found, dtype)


# --- wald -----------------------------------------------------------------------------------


def wald_derivative(mean: Value, x: Value) -> Value:
    """``dx / d mean`` of a Wald number x at a fixed value of its distribution function.

    2 x^(3/2) R(b) / mean^2, with b = (x / mean + 1) / sqrt(x) and R Mills' ratio of the normal
    distribution: the other terms of the derivative of the distribution function cancel.
    """
    root = sqrt(x)
    b = add(div(root, mean), div(1.0, root))
    return div(mul(mul(mul(x, root), 2.0), _mills_ratio(b)), mul(mean, mean))


def _mills_ratio(b: Value) -> Value:
    """(1 - Phi(b)) / phi(b) for b > 0; by Laplace's continued fraction from 10 on."""
    near = minimum(b, add(mul(b, 0.0), 10.0))
    direct = mul(erfc_p.bind1(mul(near, math.sqrt(0.5))), exp(mul(mul(near, near), 0.5)))
    tail = b
    for k in range(12, 0, -1):
        tail = add(b, div(float(k), tail))
    return select_like(lt(b, 10.0), mul(direct, math.sqrt(math.pi / 2)), div(1.0, tail))


# --- poisson --------------------------------------------------------------------------------


def _poisson_start(mean: Value, u: Value, v: Value) -> tuple[Value, ...]:
    zero = mul(u, 0.0)
    return zero, zero


def _poisson_step(state: Any, mean: Value, u: Value, v: Value) -> Any:
    """State: (events, time of the last); one event for each step, or one attempt."""
    events, time = state
    time = sub(time, log1p(neg(u)))
    ended = ge(time, mean)
    counted = where(ended, events, add(events, 1.0))
    value, accepted = _poisson_rejection(mean, u, v)
    small = lt(mean, 10.0)
    sensible = and_(ge(mean, 0.0), lt(mean, _INF))
    out = where(sensible, where(small, counted, value), _NAN)
    done = or_(or_(and_(small, ended), and_(not_(small), accepted)), not_(sensible))
    return (out, time), done


def _poisson_rejection(mean: Value, u: Value, v: Value) -> tuple[Value, Value]:
    """Hoermann's PTRS, for means from 10 on."""
    b = add(mul(sqrt(mean), 2.53), 0.931)
    a = add(mul(b, 0.02483), -0.059)
    inverse = add(div(1.1328, sub(b, 3.4)), 1.1239)
    level = sub(0.9277, div(3.6224, sub(b, 2.0)))
    x = sub(u, 0.5)
    us = sub(0.5, abs_(x))
    k = floor(add(add(mul(add(mul(div(a, us), 2.0), b), x), mean), 0.43))
    inside = and_(ge(us, 0.07), le(v, level))
    outside = or_(lt(k, 0.0), and_(lt(us, 0.013), gt(v, us)))
    left = log(div(mul(v, inverse), add(div(a, mul(us, us)), b)))
    right = sub(sub(mul(k, log(mean)), mean), lgamma_p.bind1(add(k, 1.0)))
    return k, or_(inside, and_(not_(outside), le(left, right)))


_poisson_p = ElementLoop("random_poisson", 1, _poisson_start, _poisson_step, random=True)


def poisson_sample(key: Value, mean: Value) -> Value:
    """Poisson numbers, as floats; NaN for a mean that is negative, infinite or NaN."""
    return _poisson_p.bind1(key, constant_p.bind1(mean))


# --- binomial -------------------------------------------------------------------------------


def _binomial_start(n: Value, p: Value, u: Value, v: Value) -> tuple[Value, ...]:
    zero = mul(u, 0.0)
    return zero, zero, zero


def _binomial_step(state: Any, n: Value, p: Value, u: Value, v: Value) -> Any:
    """State: (result, successes, trials to the last); one success for each step, or an attempt."""
    _, successes, trials = state
    n = floor(n)
    mirrored = ge(p, 0.5)
    q = where(mirrored, sub(1.0, p), p)
    trials = add(add(trials, floor(div(log1p(neg(u)), log1p(neg(q))))), 1.0)
    ended = not_(le(trials, n))
    successes = where(ended, successes, add(successes, 1.0))
    value, accepted = _binomial_rejection(n, q, u, v)
    small = le(mul(n, q), 10.0)
    k = where(small, successes, value)
    sensible = and_(and_(ge(n, 0.0), lt(n, _INF)), and_(ge(p, 0.0), le(p, 1.0)))
    done = or_(or_(and_(small, ended), and_(not_(small), accepted)), not_(sensible))
    out = where(sensible, where(mirrored, sub(n, k), k), _NAN)
    return (out, successes, trials), done


def _binomial_rejection(n: Value, q: Value, u: Value, v: Value) -> tuple[Value, Value]:
    """Hoermann's BTRS, for means from 10 on and q <= 1/2."""
    deviation = sqrt(mul(mul(n, q), sub(1.0, q)))
    b = add(mul(deviation, 2.53), 1.15)
    a = add(add(mul(b, 0.0248), mul(q, 0.01)), -0.0873)
    level = sub(0.92, div(4.2, b))
    alpha = mul(add(div(5.1, b), 2.83), deviation)
    x = sub(u, 0.5)
    us = sub(0.5, abs_(x))
    k = floor(add(add(mul(add(mul(div(a, us), 2.0), b), x), mul(n, q)), 0.5))
    inside = and_(ge(us, 0.07), le(v, level))
    possible = and_(ge(k, 0.0), le(k, n))
    safe = where(possible, k, 0.0)
    mode = floor(mul(add(n, 1.0), q))
    odds = log(div(q, sub(1.0, q)))
    right = add(sub(_log_ways(n, safe), _log_ways(n, mode)), mul(sub(safe, mode), odds))
    left = log(div(mul(v, alpha), add(div(a, mul(us, us)), b)))
    return k, and_(possible, or_(inside, le(left, right)))


def _log_ways(n: Value, k: Value) -> Value:
    """log of n! / (k! (n - k)!), up to a term in n alone."""
    first, second = lgamma_p.bind1(add(k, 1.0)), lgamma_p.bind1(add(sub(n, k), 1.0))
    return neg(add(first, second))


_binomial_p = ElementLoop("random_binomial", 2, _binomial_start, _binomial_step, random=True)


def binomial_sample(key: Value, n: Value, p: Value) -> Value:
    """Binomial numbers, as floats; NaN unless n >= 0 and 0 <= p <= 1."""
    return _binomial_p.bind1(key, constant_p.bind1(n), constant_p.bind1(p))
