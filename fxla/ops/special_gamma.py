"""The gamma and beta functions, their incomplete relatives and the zeta function.

Derivatives by x are densities. By the parameters they are sums of positive terms: those of the
incomplete gamma function from `fxla.ops.sampling`, those of the incomplete beta function from
`fxla.ops.incomplete_beta`; these loops have no further derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fxla.core.dtypes import is_complex
from fxla.core.trace import Value, typeof
from fxla.ops.arithmetic import div, mul, neg, sub
from fxla.ops.elementwise import Rule, add
from fxla.ops.incomplete_beta import alike, betainc_slopes
from fxla.ops.logic import and_, eq, gt, lt, not_, select_like
from fxla.ops.sampling import gamma_log_derivative
from fxla.ops.scipy_call import SciPyCall, no_derivative
from fxla.ops.transcendental import digamma, exp, lgamma_p, log, log1p

__all__ = [
    "beta_p",
    "betainc_p",
    "betaincc_p",
    "betaincinv_p",
    "betaln_p",
    "binom_p",
    "gamma_p",
    "gammainc_p",
    "gammaincc_p",
    "gammainccinv_p",
    "gammaincinv_p",
    "gammasgn_p",
    "loggamma_p",
    "poch_p",
    "rgamma_p",
    "times_log",
]


def _one(x: Value) -> Value:
    return typeof(x).dtype.type(1)


def _nothing(x: Value) -> Value:
    return typeof(x).dtype.type(0)


def times_log(x: Value, y: Value, logarithm: Callable[[Value], Value] = log) -> Value:
    """``x log(y)``, and 0 where x is 0, also if y is 0, infinite or outside the domain.

    There derivatives are 0 too; else that by x is log(y), also at 0.
    """
    x, y = alike(x, y)
    lowest = 0.0 if logarithm is log else -1.0
    proper = and_(gt(y, lowest), lt(y, math.inf))
    zero = and_(and_(eq(x, 0.0), eq(y, y)), not_(proper))
    safe = select_like(zero, _one(y), y)
    return select_like(zero, _nothing(x), mul(x, logarithm(safe)))


# --- gamma ----------------------------------------------------------------------------------

gamma_p: SciPyCall = SciPyCall("gamma", [lambda t, out, x: mul(t, mul(out, digamma(x)))])
gammasgn_p: SciPyCall = SciPyCall("gammasgn", [None])
rgamma_p: SciPyCall = SciPyCall("rgamma", [lambda t, out, x: neg(mul(t, mul(out, digamma(x))))])
psi_p: SciPyCall = SciPyCall(
    "psi", [no_derivative("digamma of complex numbers", "argument")], kinds="c"
)


def _loggamma(t: Value, out: Value, x: Value) -> Value:
    return mul(t, psi_p.bind1(x) if is_complex(typeof(x).dtype) else digamma(x))


loggamma_p: SciPyCall = SciPyCall("loggamma", [_loggamma], kinds="fc")
poch_p: SciPyCall = SciPyCall(
    "poch",
    [
        lambda t, out, z, m: mul(t, mul(out, sub(digamma(add(z, m)), digamma(z)))),
        lambda t, out, z, m: mul(t, mul(out, digamma(add(z, m)))),
    ],
)


def _binom_n(t: Value, out: Value, n: Value, k: Value) -> Value:
    return mul(t, mul(out, sub(digamma(add(n, 1.0)), digamma(add(sub(n, k), 1.0)))))


def _binom_k(t: Value, out: Value, n: Value, k: Value) -> Value:
    return mul(t, mul(out, sub(digamma(add(sub(n, k), 1.0)), digamma(add(k, 1.0)))))


binom_p: SciPyCall = SciPyCall("binom", [_binom_n, _binom_k])

# --- incomplete gamma -----------------------------------------------------------------------


def _gamma_density(a: Value, x: Value) -> Value:
    """``x**(a - 1) exp(-x) / gamma(a)``."""
    return exp(sub(sub(times_log(sub(a, 1.0), x), x), lgamma_p.bind1(a)))


def _gammainc_slope(a: Value, x: Value) -> Value:
    """The derivative of the lower incomplete gamma function by a."""
    a, x = alike(a, x)
    inside = and_(gt(x, 0.0), lt(x, math.inf))
    safe = select_like(inside, x, _one(x))
    log_x = log(safe)
    weight = exp(sub(sub(mul(a, log_x), safe), lgamma_p.bind1(a)))
    slope = neg(mul(weight, gamma_log_derivative(a, log_x)))
    return select_like(inside, slope, _nothing(x))


gammainc_p: SciPyCall = SciPyCall(
    "gammainc",
    [
        lambda t, out, a, x: mul(t, _gammainc_slope(a, x)),
        lambda t, out, a, x: mul(t, _gamma_density(a, x)),
    ],
)
gammaincc_p: SciPyCall = SciPyCall(
    "gammaincc",
    [
        lambda t, out, a, x: neg(mul(t, _gammainc_slope(a, x))),
        lambda t, out, a, x: neg(mul(t, _gamma_density(a, x))),
    ],
)


def _gamma_quantile(sign: float) -> list[Rule | None]:
    """Derivatives of x by a and p, where ``P(a, x) = p``, or 1 - p if the sign is negative."""
    return [
        lambda t, out, a, p: mul(t, mul(out, gamma_log_derivative(*alike(a, log(out))))),
        lambda t, out, a, p: mul(div(t, _gamma_density(a, out)), sign),
    ]


gammaincinv_p: SciPyCall = SciPyCall("gammaincinv", _gamma_quantile(1.0))
gammainccinv_p: SciPyCall = SciPyCall("gammainccinv", _gamma_quantile(-1.0))

# --- beta -----------------------------------------------------------------------------------


def _beta_log_slope(a: Value, b: Value) -> Value:
    return sub(digamma(a), digamma(add(a, b)))


beta_p: SciPyCall = SciPyCall(
    "beta",
    [
        lambda t, out, a, b: mul(t, mul(out, _beta_log_slope(a, b))),
        lambda t, out, a, b: mul(t, mul(out, _beta_log_slope(b, a))),
    ],
)
betaln_p: SciPyCall = SciPyCall(
    "betaln",
    [
        lambda t, out, a, b: mul(t, _beta_log_slope(a, b)),
        lambda t, out, a, b: mul(t, _beta_log_slope(b, a)),
    ],
)


def _beta_density(a: Value, b: Value, x: Value) -> Value:
    """``x**(a - 1) (1 - x)**(b - 1) / B(a, b)``."""
    a, b, x = alike(a, b, x)
    powers = add(times_log(sub(a, 1.0), x), times_log(sub(b, 1.0), neg(x), log1p))
    return exp(sub(powers, betaln_p.bind1(a, b)))


def _betainc_slope(k: int, a: Value, b: Value, x: Value) -> Value:
    a, b, x = alike(a, b, x)
    lower, upper = betainc_p.bind1(a, b, x), betaincc_p.bind1(a, b, x)
    return betainc_slopes(a, b, x, lower, upper)[k]


betainc_p: SciPyCall = SciPyCall(
    "betainc",
    [
        lambda t, out, a, b, x: mul(t, _betainc_slope(0, a, b, x)),
        lambda t, out, a, b, x: mul(t, _betainc_slope(1, a, b, x)),
        lambda t, out, a, b, x: mul(t, _beta_density(a, b, x)),
    ],
)
betaincc_p: SciPyCall = SciPyCall(
    "betaincc",
    [
        lambda t, out, a, b, x: neg(mul(t, _betainc_slope(0, a, b, x))),
        lambda t, out, a, b, x: neg(mul(t, _betainc_slope(1, a, b, x))),
        lambda t, out, a, b, x: neg(mul(t, _beta_density(a, b, x))),
    ],
)


def _moved(k: int, t: Value, out: Value, a: Value, b: Value) -> Value:
    """How the quantile moves with a parameter: by the implicit function theorem."""
    slope = div(_betainc_slope(k, a, b, out), _beta_density(a, b, out))
    return neg(mul(t, slope))


betaincinv_p: SciPyCall = SciPyCall(
    "betaincinv",
    [
        lambda t, out, a, b, p: _moved(0, t, out, a, b),
        lambda t, out, a, b, p: _moved(1, t, out, a, b),
        lambda t, out, a, b, p: div(t, _beta_density(a, b, out)),
    ],
)
