"""The gamma and beta functions and their relatives."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import scipy.special as ss

import fxla.numpy as fnp
from fxla.core.array import as_array
from fxla.numpy.dispatch import public, unsupported
from fxla.numpy.operands import as_value, promote_inexact
from fxla.ops import special_bessel as bessel
from fxla.ops import special_gamma as gammas
from fxla.ops import transcendental
from fxla.scipy.special.function import special_function

__all__ = [
    "bernoulli",
    "beta",
    "betainc",
    "betaincc",
    "betaincinv",
    "betaln",
    "binom",
    "comb",
    "digamma",
    "factorial",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "gammaln",
    "gammasgn",
    "loggamma",
    "multigammaln",
    "poch",
    "polygamma",
    "psi",
    "rgamma",
    "zeta",
]

gamma = special_function(
    ss.gamma,
    gammas.gamma_p,
    "z",
    "The gamma function",
    "[0.5, 5.0] -> Array([ 1.77245385, 24.        ])",
)
gammaln = special_function(
    ss.gammaln,
    transcendental.lgamma_p,
    "x",
    "Logarithm of the absolute value of the gamma function",
    "[0.5, 100.0] -> Array([  0.57236494, 359.13420537])",
)
gammasgn = special_function(
    ss.gammasgn,
    gammas.gammasgn_p,
    "x",
    "Sign of the gamma function",
    "[-0.5, 2.0] -> Array([-1.,  1.])",
)
rgamma = special_function(
    ss.rgamma,
    gammas.rgamma_p,
    "z",
    "One over the gamma function",
    "[-1.0, 5.0] -> Array([0.        , 0.04166667])",
)
loggamma = special_function(
    ss.loggamma,
    gammas.loggamma_p,
    "z",
    "Principal branch of the logarithm of the gamma function",
    "5.0 -> Array(3.17805383)",
)
psi = special_function(
    ss.psi,
    transcendental.digamma_p,
    "z",
    "Logarithmic derivative of the gamma function",
    "[1.0, 2.0] -> Array([-0.57721566,  0.42278434])",
)
digamma = psi
poch = special_function(
    ss.poch,
    gammas.poch_p,
    "z m",
    "Rising factorial ``gamma(z + m) / gamma(z)``",
    "2.0, 3.0 -> Array(24.)",
)
binom = special_function(
    ss.binom,
    gammas.binom_p,
    "n k",
    "Binomial coefficient, also of real numbers",
    "5.0, 2.0 -> Array(10.)",
)
gammainc = special_function(
    ss.gammainc,
    gammas.gammainc_p,
    "a x",
    "Regularised lower incomplete gamma function; differentiable by both operands",
    "2.0, [1.0, 3.0] -> Array([0.26424112, 0.80085173])",
)
gammaincc = special_function(
    ss.gammaincc,
    gammas.gammaincc_p,
    "a x",
    "Regularised upper incomplete gamma function; differentiable by both operands",
    "2.0, [1.0, 3.0] -> Array([0.73575888, 0.19914827])",
)
gammaincinv = special_function(
    ss.gammaincinv,
    gammas.gammaincinv_p,
    "a y",
    "The x for which ``gammainc(a, x)`` is y",
    "2.0, 0.5 -> Array(1.67834699)",
)
gammainccinv = special_function(
    ss.gammainccinv,
    gammas.gammainccinv_p,
    "a y",
    "The x for which ``gammaincc(a, x)`` is y",
    "2.0, 0.25 -> Array(2.69263453)",
)
beta = special_function(
    ss.beta, gammas.beta_p, "a b", "The beta function", "2.0, 3.0 -> Array(0.08333333)"
)
betaln = special_function(
    ss.betaln,
    gammas.betaln_p,
    "a b",
    "Logarithm of the absolute value of the beta function",
    "200.0, 300.0 -> Array(-337.98011307)",
)
betainc = special_function(
    ss.betainc,
    gammas.betainc_p,
    "a b x",
    "Regularised incomplete beta function; differentiable by all operands",
    "2.0, 3.0, [0.25, 0.5] -> Array([0.26171875, 0.6875    ])",
)
betaincc = special_function(
    ss.betaincc,
    gammas.betaincc_p,
    "a b x",
    "One minus the regularised incomplete beta function",
    "2.0, 3.0, [0.25, 0.5] -> Array([0.73828125, 0.3125    ])",
)
betaincinv = special_function(
    ss.betaincinv,
    gammas.betaincinv_p,
    "a b y",
    "The x for which ``betainc(a, b, x)`` is y",
    "2.0, 3.0, 0.6875 -> Array(0.5)",
)


# --- zeta and polygamma ---------------------------------------------------------------------

_hurwitz = special_function(
    ss._ufuncs._zeta, bessel.zeta_p, "x q", "The Hurwitz zeta function", "2.0, 1.0 -> 1"
)
_riemann = special_function(
    ss._ufuncs._riemann_zeta, bessel.riemann_zeta_p, "x", "The Riemann zeta function", "2.0 -> 1"
)


def zeta(x: Any, q: Any = None) -> Any:
    """The zeta function: the sum of ``(k + q)**-x`` over k >= 0. See `scipy.special.zeta`.

    Args:
        x: exponents.
        q: first terms; without them this is Riemann's function, which goes on below 1.

    Example:
        >>> from fxla.scipy import special
        >>> special.zeta(2.0), special.zeta(2.0, 2.0)
        (Array(1.64493407), Array(0.64493407))
    """
    return _riemann(x) if q is None else _hurwitz(x, q)


@public(ss.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function. See `scipy.special.polygamma`.

    Args:
        n: the order, a whole number.
        x: where.

    Example:
        >>> from fxla.scipy import special
        >>> special.polygamma(1, [1.0, 2.0])
        Array([1.64493407, 0.64493407])
    """
    call = "special.polygamma"
    strong = np.asarray(n) if isinstance(n, (int, float)) else n
    order, value = promote_inexact(call, as_value(strong, call), as_value(x, call))
    zeroth = fnp.equal(order, 0)
    above = fnp.where(zeroth, 1, order) + 1
    sign = 1 - 2 * fnp.mod(above, 2)
    other = sign * gamma(above) * zeta(above, value)
    return fnp.where(zeroth, psi(value), other)


# --- combinatorics --------------------------------------------------------------------------


@public(ss.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """The number of ways to choose k of N things. See `scipy.special.comb`.

    Args:
        N: number of things.
        k: number of those chosen.
        exact: with Python's integers; not for traced arrays.
        repetition: whether a thing may be chosen more than once.

    Example:
        >>> from fxla.scipy import special
        >>> special.comb([10, 10], [3, 4])
        Array([120., 210.])
    """
    call = "special.comb"
    if exact:
        unsupported(call, "exact=True", "Leave it out.")
    total, chosen = (as_value(v, call) for v in (N, k))
    if repetition:
        value = binom(total + chosen - 1, chosen)
        return fnp.where((fnp.equal(chosen, 0)) & fnp.greater_equal(total, 0), 1.0, value)
    known = fnp.less_equal(chosen, total) & fnp.greater_equal(chosen, 0)
    return fnp.where(known, binom(total, chosen), 0.0)


@public(ss.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """``n!``; 0 of negative numbers. See `scipy.special.factorial`.

    Args:
        n: integers or real numbers.
        exact: with Python's integers; not for traced arrays.
        extend: ``"zero"``.

    Example:
        >>> from fxla.scipy import special
        >>> special.factorial([3, 5])
        Array([  6., 120.])
    """
    call = "special.factorial"
    if exact or extend != "zero":
        unsupported(call, f"exact={exact}, extend={extend!r}", "Leave these out.")
    value = as_value(n, call)
    return fnp.where(fnp.less(value, 0), 0.0, gamma(value + 1))


def multigammaln(a: Any, d: int) -> Any:
    """Logarithm of the multivariate gamma function. See `scipy.special.multigammaln`.

    Args:
        a: greater than ``(d - 1) / 2``.
        d: the dimension.

    Example:
        >>> from fxla.scipy import special
        >>> special.multigammaln(3.0, 2)
        Array(1.55019499)
    """
    d = operator.index(d)
    (value,) = promote_inexact("special.multigammaln", as_value(a, "special.multigammaln"))
    total = gammaln(value)
    for j in range(1, d):
        total = total + gammaln(value - j / 2)
    return total + d * (d - 1) / 4 * math.log(math.pi)


def bernoulli(n: int) -> Any:
    """The Bernoulli numbers B0 to Bn. See `scipy.special.bernoulli`.

    Args:
        n: the last index.

    Example:
        >>> from fxla.scipy import special
        >>> special.bernoulli(4)
        Array([ 1.        , -0.5       ,  0.16666667,  0.        , -0.03333333])
    """
    return as_array(ss.bernoulli(operator.index(n)))
