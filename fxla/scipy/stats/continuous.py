"""Distributions on the real numbers, each in its standard form."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import Value
from fxla.scipy import special  # which imports SciPy's functions where one is called
from fxla.scipy.stats.distribution import Continuous, everywhere, positive

__all__ = [
    "beta",
    "cauchy",
    "chi2",
    "expon",
    "gamma",
    "gennorm",
    "gumbel_l",
    "gumbel_r",
    "halfnorm",
    "invgamma",
    "laplace",
    "logistic",
    "lognorm",
    "norm",
    "pareto",
    "t",
    "uniform",
    "vonmises",
    "weibull_min",
    "wrapcauchy",
]

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


def _log_normal_density(y: Value) -> Any:
    return -0.5 * fnp.square(y) - _LOG_ROOT_TWO_PI


def _log1mexp(x: Value) -> Any:
    """log(1 - exp(-x)) for x > 0 (Mächler 2012)."""
    near = fnp.less(x, math.log(2))
    by_expm1 = fnp.log(-fnp.expm1(-fnp.where(near, x, 1.0)))
    by_log1p = fnp.log1p(-fnp.exp(-fnp.where(near, 1.0, x)))
    return fnp.where(near, by_expm1, by_log1p)


norm = Continuous(
    "norm",
    logpdf=_log_normal_density,
    cdf=lambda y: special.ndtr(y),
    sf=lambda y: special.ndtr(-y),
    logcdf=lambda y: special.log_ndtr(y),
    logsf=lambda y: special.log_ndtr(-y),
    ppf=lambda q: special.ndtri(q),
    isf=lambda q: -special.ndtri(q),
)
halfnorm = Continuous(
    "halfnorm",
    logpdf=lambda y: _log_normal_density(y) + math.log(2),
    support=positive,
    cdf=lambda y: special.erf(y * math.sqrt(0.5)),
    sf=lambda y: special.erfc(y * math.sqrt(0.5)),
    ppf=lambda q: special.erfinv(q) * math.sqrt(2),
    isf=lambda q: -special.ndtri(0.5 * q),
)


def _none_at_zero(y: Value, logpdf: Any, shape: Value) -> Any:
    """The logarithm of a density that falls to 0 at 0 faster than any power."""
    zero = fnp.equal(y, 0)
    return fnp.where(zero, -fnp.inf, logpdf(fnp.where(zero, 1.0, y), shape))


def _lognorm_logpdf(y: Value, s: Value) -> Any:
    return _log_normal_density(fnp.log(y) / s) - fnp.log(s) - fnp.log(y)


def _invgamma_logpdf(y: Value, a: Value) -> Any:
    return -(a + 1) * fnp.log(y) - special.gammaln(a) - 1 / y


lognorm = Continuous(
    "lognorm",
    "s",
    logpdf=lambda y, s: _none_at_zero(y, _lognorm_logpdf, s),
    support=positive,
    cdf=lambda y, s: special.ndtr(fnp.log(y) / s),
    sf=lambda y, s: special.ndtr(-fnp.log(y) / s),
    logcdf=lambda y, s: special.log_ndtr(fnp.log(y) / s),
    logsf=lambda y, s: special.log_ndtr(-fnp.log(y) / s),
    ppf=lambda q, s: fnp.exp(s * special.ndtri(q)),
    isf=lambda q, s: fnp.exp(-s * special.ndtri(q)),
)
uniform = Continuous(
    "uniform",
    logpdf=lambda y: y * 0.0,
    support=lambda: (0.0, 1.0),
    cdf=lambda y: y,
    sf=lambda y: 1 - y,
    ppf=lambda q: q,
    isf=lambda q: 1 - q,
)
expon = Continuous(
    "expon",
    logpdf=lambda y: -y,
    support=positive,
    cdf=lambda y: -fnp.expm1(-y),
    sf=lambda y: fnp.exp(-y),
    logcdf=_log1mexp,
    logsf=lambda y: -y,
    ppf=lambda q: -fnp.log1p(-q),
    isf=lambda q: -fnp.log(q),
)
gamma = Continuous(
    "gamma",
    "a",
    logpdf=lambda y, a: special.xlogy(a - 1, y) - y - special.gammaln(a),
    support=positive,
    cdf=lambda y, a: special.gammainc(a, y),
    sf=lambda y, a: special.gammaincc(a, y),
    ppf=lambda q, a: special.gammaincinv(a, q),
    isf=lambda q, a: special.gammainccinv(a, q),
)
invgamma = Continuous(
    "invgamma",
    "a",
    logpdf=lambda y, a: _none_at_zero(y, _invgamma_logpdf, a),
    support=positive,
    cdf=lambda y, a: special.gammaincc(a, 1 / y),
    sf=lambda y, a: special.gammainc(a, 1 / y),
    ppf=lambda q, a: 1 / special.gammainccinv(a, q),
    isf=lambda q, a: 1 / special.gammaincinv(a, q),
)
chi2 = Continuous(
    "chi2",
    "df",
    logpdf=lambda y, df: (
        special.xlogy(df / 2 - 1, y) - y / 2 - special.gammaln(df / 2) - math.log(2) * df / 2
    ),
    support=positive,
    cdf=lambda y, df: special.gammainc(df / 2, y / 2),
    sf=lambda y, df: special.gammaincc(df / 2, y / 2),
    ppf=lambda q, df: 2 * special.gammaincinv(df / 2, q),
    isf=lambda q, df: 2 * special.gammainccinv(df / 2, q),
)
beta = Continuous(
    "beta",
    "a b",
    logpdf=lambda y, a, b: (
        special.xlog1py(b - 1, -y) + special.xlogy(a - 1, y) - special.betaln(a, b)
    ),
    support=lambda a, b: (0.0, 1.0),
    cdf=lambda y, a, b: special.betainc(a, b, y),
    sf=lambda y, a, b: special.betaincc(a, b, y),
    ppf=lambda q, a, b: special.betaincinv(a, b, q),
    isf=lambda q, a, b: 1 - special.betaincinv(b, a, q),
)


def _cauchy_ppf(q: Value) -> Any:
    """tan(pi (q - 1/2)), by its reciprocal in the tails."""
    middle = fnp.less(fnp.abs(q - 0.5), 0.25)
    inner = fnp.tan(math.pi * (fnp.where(middle, q, 0.5) - 0.5))
    upper = fnp.greater(q, 0.5)
    side = fnp.where(middle, 0.25, fnp.where(upper, 1 - q, q))
    return fnp.where(middle, inner, fnp.where(upper, 1, -1) / fnp.tan(math.pi * side))


cauchy = Continuous(
    "cauchy",
    logpdf=lambda y: -math.log(math.pi) - fnp.log1p(fnp.square(y)),
    cdf=lambda y: fnp.arctan2(1, -y) / math.pi,
    sf=lambda y: fnp.arctan2(1, y) / math.pi,
    ppf=_cauchy_ppf,
    isf=lambda q: -_cauchy_ppf(q),
)


def _below_half(y: Value) -> Any:
    return 0.5 * fnp.exp(-fnp.abs(y))


def _laplace_cdf(y: Value) -> Any:
    return fnp.where(y > 0, 1 - _below_half(y), _below_half(y))


def _laplace_ppf(q: Value) -> Any:
    upper = fnp.greater(q, 0.5)
    return fnp.where(upper, -1, 1) * fnp.log(2 * fnp.where(upper, 1 - q, q))


laplace = Continuous(
    "laplace",
    logpdf=lambda y: -math.log(2) - fnp.abs(y),
    cdf=_laplace_cdf,
    sf=lambda y: _laplace_cdf(-y),
    ppf=_laplace_ppf,
    isf=lambda q: -_laplace_ppf(q),
)
logistic = Continuous(
    "logistic",
    logpdf=lambda y: -fnp.abs(y) - 2 * fnp.log1p(fnp.exp(-fnp.abs(y))),
    cdf=lambda y: special.expit(y),
    sf=lambda y: special.expit(-y),
    logcdf=lambda y: special.log_expit(y),
    logsf=lambda y: special.log_expit(-y),
    ppf=lambda q: special.logit(q),
    isf=lambda q: -special.logit(q),
)
gumbel_r = Continuous(
    "gumbel_r",
    logpdf=lambda y: -y - fnp.exp(-y),
    cdf=lambda y: fnp.exp(-fnp.exp(-y)),
    logcdf=lambda y: -fnp.exp(-y),
    sf=lambda y: -fnp.expm1(-fnp.exp(-y)),
    ppf=lambda q: -fnp.log(-fnp.log(q)),
    isf=lambda q: -fnp.log(-fnp.log1p(-q)),
)
gumbel_l = Continuous(
    "gumbel_l",
    logpdf=lambda y: y - fnp.exp(y),
    cdf=lambda y: -fnp.expm1(-fnp.exp(y)),
    sf=lambda y: fnp.exp(-fnp.exp(y)),
    logsf=lambda y: -fnp.exp(y),
    ppf=lambda q: fnp.log(-fnp.log1p(-q)),
    isf=lambda q: fnp.log(-fnp.log(q)),
)


def _gennorm_tail(y: Value, b: Value) -> Any:
    """Half of the probability beyond abs(y)."""
    return 0.5 * special.gammaincc(1 / b, _power(fnp.abs(y), b))


def _power(size: Value, b: Value) -> Any:
    """``size**b`` with finite derivatives at 0."""
    none = fnp.equal(size, 0)
    return fnp.where(none, 0.0, fnp.power(fnp.where(none, 1.0, size), b))


def _gennorm_ppf(q: Value, b: Value) -> Any:
    upper = fnp.greater(q, 0.5)
    size = fnp.power(special.gammainccinv(1 / b, 2 * fnp.where(upper, 1 - q, q)), 1 / b)
    return fnp.where(upper, size, -size)


def _gennorm_cdf(y: Value, b: Value) -> Any:
    tail = _gennorm_tail(y, b)
    return fnp.where(y > 0, 1 - tail, tail)


gennorm = Continuous(
    "gennorm",
    "beta",
    logpdf=lambda y, b: fnp.log(0.5 * b) - special.gammaln(1 / b) - _power(fnp.abs(y), b),
    cdf=_gennorm_cdf,
    sf=lambda y, b: _gennorm_cdf(-y, b),
    ppf=_gennorm_ppf,
    isf=lambda q, b: -_gennorm_ppf(q, b),
)
pareto = Continuous(
    "pareto",
    "b",
    logpdf=lambda y, b: fnp.log(b) - (b + 1) * fnp.log(y),
    support=lambda b: (1.0, fnp.inf),
    cdf=lambda y, b: -fnp.expm1(-b * fnp.log(y)),
    sf=lambda y, b: fnp.power(y, -b),
    logsf=lambda y, b: -b * fnp.log(y),
    ppf=lambda q, b: fnp.exp(-fnp.log1p(-q) / b),
    isf=lambda q, b: fnp.power(q, -1 / b),
)
weibull_min = Continuous(
    "weibull_min",
    "c",
    logpdf=lambda y, c: fnp.log(c) + special.xlogy(c - 1, y) - _power(y, c),
    support=positive,
    cdf=lambda y, c: -fnp.expm1(-_power(y, c)),
    sf=lambda y, c: fnp.exp(-_power(y, c)),
    logsf=lambda y, c: -_power(y, c),
    ppf=lambda q, c: fnp.power(-fnp.log1p(-q), 1 / c),
    isf=lambda q, c: fnp.power(-fnp.log(q), 1 / c),
)


def _t_logpdf(y: Value, df: Value) -> Any:
    constant = special.gammaln((df + 1) / 2) - special.gammaln(df / 2)
    constant = constant - 0.5 * fnp.log(df * math.pi)
    return constant - (df + 1) / 2 * fnp.log1p(fnp.square(y) / df)


def _t_cdf(y: Value, df: Value) -> Any:
    """By the incomplete beta function of whichever argument is small."""
    square = fnp.square(y)
    near = fnp.less(square, df) & fnp.not_equal(y, 0)
    far = fnp.greater_equal(square, df)
    inner = fnp.where(near, square, 1.0)
    middle = 0.5 * special.betainc(0.5, df / 2, inner / (df + inner))
    outer = fnp.where(far, square, 1.0 + df)
    tail = 0.5 * special.betainc(df / 2, 0.5, df / (df + outer))
    upper = fnp.greater(y, 0)
    from_middle = 0.5 + fnp.where(upper, middle, -middle)
    from_tail = fnp.where(upper, 1 - tail, tail)
    # at 0 the tangent, so that derivatives are right there too
    at_zero = 0.5 + y * fnp.exp(_t_logpdf(0.0 * y, df))
    return fnp.where(near, from_middle, fnp.where(far, from_tail, at_zero))


def _t_ppf(q: Value, df: Value) -> Any:
    upper = fnp.greater(q, 0.5)
    ratio = special.betaincinv(df / 2, 0.5, 2 * fnp.where(upper, 1 - q, q))
    size = fnp.sqrt(df * (1 - ratio) / ratio)
    return fnp.where(upper, size, -size)


t = Continuous(
    "t",
    "df",
    logpdf=_t_logpdf,
    cdf=_t_cdf,
    sf=lambda y, df: _t_cdf(-y, df),
    ppf=_t_ppf,
    isf=lambda q, df: -_t_ppf(q, df),
)


def _circle_logpdf(y: Value, kappa: Value) -> Any:
    constant = math.log(2 * math.pi)
    return kappa * special.cosm1(y) - constant - fnp.log(special.i0e(kappa))


vonmises = Continuous(
    "vonmises",
    "kappa",
    logpdf=_circle_logpdf,
    support=everywhere,
    valid=lambda kappa: fnp.greater_equal(kappa, 0),
)
wrapcauchy = Continuous(
    "wrapcauchy",
    "c",
    logpdf=lambda y, c: fnp.log((1 - c * c) / (2 * math.pi * (1 + c * c - 2 * c * fnp.cos(y)))),
    support=lambda c: (0.0, 2 * math.pi),
    valid=lambda c: fnp.greater(c, 0) & fnp.less(c, 1),
)
