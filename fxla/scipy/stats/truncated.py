"""The normal distribution between two bounds, in logarithms throughout."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import Value
from fxla.scipy import special
from fxla.scipy.stats.distribution import Continuous

__all__ = ["truncnorm"]


def _log_difference(larger: Any, smaller: Any) -> Any:
    """log(exp(larger) - exp(smaller))."""
    gap = fnp.minimum(smaller - larger, 0.0)
    none = fnp.equal(smaller, -fnp.inf)
    gap = fnp.where(none, -1.0, gap)
    # log(1 - exp(gap)), accurate for gaps near 0 and far from it
    near = fnp.greater(gap, -math.log(2))
    by_expm1 = fnp.log(-fnp.expm1(fnp.where(near, gap, -1.0)))
    by_log1p = fnp.log1p(-fnp.exp(fnp.where(near, -1.0, gap)))
    return larger + fnp.where(none, 0.0, fnp.where(near, by_expm1, by_log1p))


def _log_mass(a: Any, b: Any) -> Any:
    """log(ndtr(b) - ndtr(a)) for a <= b: mirrored to the left tail, or one minus both tails."""
    right = fnp.greater(a, 0)
    low, high = fnp.where(right, -b, a), fnp.where(right, -a, b)
    central = fnp.greater(high, 0)
    tail = _log_difference(special.log_ndtr(fnp.where(central, -1.0, high)),
                           special.log_ndtr(fnp.where(central, -2.0, low)))  # fmt: skip
    rest = fnp.where(central, special.ndtr(low) + special.ndtr(-high), 0.5)
    return fnp.where(central, fnp.log1p(-rest), tail)


def _logpdf(y: Value, a: Value, b: Value) -> Any:
    return -0.5 * fnp.square(y) - 0.5 * math.log(2 * math.pi) - _log_mass(a, b)


def _share(part: Any, rest: Any, whole: Any) -> Any:
    """log(part / whole) of logarithms; by the rest where that is small."""
    direct, other = part - whole, rest - whole
    near = fnp.greater(direct, -0.1)
    return fnp.where(near, fnp.log1p(-fnp.exp(fnp.where(near, other, -1.0))), direct)


def _logcdf(y: Value, a: Value, b: Value) -> Any:
    return _share(_log_mass(a, y), _log_mass(y, b), _log_mass(a, b))


def _logsf(y: Value, a: Value, b: Value) -> Any:
    return _share(_log_mass(y, b), _log_mass(a, y), _log_mass(a, b))


def _ppf(q: Value, a: Value, b: Value) -> Any:
    """From the distribution function of the lower tail, or of the upper one where a > 0."""
    right = fnp.greater(a, 0)
    low, high = fnp.where(right, -b, a), fnp.where(right, -a, b)
    share = fnp.where(right, 1 - q, q)
    y = special.ndtri(special.ndtr(low) * (1 - share) + special.ndtr(high) * share)
    return fnp.where(right, -y, y)


truncnorm = Continuous(
    "truncnorm",
    "a b",
    logpdf=_logpdf,
    support=lambda a, b: (a, b),
    valid=lambda a, b: fnp.less(a, b),
    cdf=lambda y, a, b: fnp.exp(_logcdf(y, a, b)),
    sf=lambda y, a, b: fnp.exp(_logsf(y, a, b)),
    logcdf=_logcdf,
    logsf=_logsf,
    ppf=_ppf,
    isf=lambda q, a, b: -_ppf(q, -b, -a),
)
