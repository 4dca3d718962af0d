"""Distributions on whole numbers."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla.core.trace import Value
from fxla.numpy.operands import as_value, promote_inexact
from fxla.scipy import special
from fxla.scipy.stats.distribution import Discrete

__all__ = ["bernoulli", "betabinom", "binom", "geom", "nbinom", "poisson"]


def _probability(p: Value) -> Any:
    return fnp.greater_equal(p, 0) & fnp.less_equal(p, 1)


def _whole(n: Value) -> Any:
    return fnp.greater_equal(n, 0) & fnp.equal(fnp.floor(n), n)


def _log_choices(n: Value, k: Value) -> Any:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)


def _binom_logpmf(k: Value, n: Value, p: Value) -> Any:
    return _log_choices(n, k) + special.xlogy(k, p) + special.xlog1py(n - k, -p)


bernoulli = Discrete(
    "bernoulli",
    "p",
    logpmf=lambda k, p: special.xlogy(k, p) + special.xlog1py(1 - k, -p),
    support=lambda p: (0, 1),
    valid=_probability,
    cdf=lambda k, p: 1 - p + 0 * k,
    sf=lambda k, p: p + 0 * k,
    ppf=lambda q, p: fnp.where(fnp.less_equal(q, 1 - p), 0.0, 1.0),
)
binom = Discrete(
    "binom",
    "n p",
    logpmf=_binom_logpmf,
    support=lambda n, p: (0, n),
    valid=lambda n, p: _whole(n) & _probability(p),
    cdf=lambda k, n, p: special.betaincc(k + 1, fnp.maximum(n - k, 1), p),
    sf=lambda k, n, p: special.betainc(k + 1, fnp.maximum(n - k, 1), p),
)
betabinom = Discrete(
    "betabinom",
    "n a b",
    logpmf=lambda k, n, a, b: (
        special.betaln(k + a, n - k + b)
        - special.betaln(n - k + 1, k + 1)
        - fnp.log(n + 1)
        - special.betaln(a, b)
    ),
    support=lambda n, a, b: (0, n),
    valid=lambda n, a, b: _whole(n) & fnp.greater(a, 0) & fnp.greater(b, 0),
)
geom = Discrete(
    "geom",
    "p",
    logpmf=lambda k, p: special.xlog1py(k - 1, -p) + fnp.log(p),
    support=lambda p: (1, fnp.inf),
    valid=lambda p: fnp.greater(p, 0) & fnp.less_equal(p, 1),
    cdf=lambda k, p: -fnp.expm1(fnp.log1p(-p) * k),
    sf=lambda k, p: fnp.exp(fnp.log1p(-p) * k),
    ppf=lambda q, p: fnp.ceil(fnp.log1p(-q) / fnp.log1p(-p)),
)
nbinom = Discrete(
    "nbinom",
    "n p",
    logpmf=lambda k, n, p: (
        special.gammaln(n + k)
        - special.gammaln(k + 1)
        - special.gammaln(n)
        + n * fnp.log(p)
        + special.xlog1py(k, -p)
    ),
    support=lambda n, p: (0, fnp.inf),
    valid=lambda n, p: fnp.greater(n, 0) & fnp.greater(p, 0) & fnp.less_equal(p, 1),
    cdf=lambda k, n, p: special.betainc(n, k + 1, p),
    sf=lambda k, n, p: special.betaincc(n, k + 1, p),
)


class _Poisson(Discrete):
    """The Poisson distribution, which has an entropy too."""

    def entropy(self, mu: Any, loc: Any = 0) -> Any:
        """Entropy in nats: the sum over all counts that matter, or its expansion for large means.

        Args:
            mu: the mean.
            loc: moves the numbers, which changes nothing.

        Example:
            >>> from fxla.scipy import stats
            >>> stats.poisson.entropy(1.0)
            Array(1.30484224)
        """
        del loc
        (mean,) = promote_inexact("stats.poisson.entropy", as_value(mu, "stats.poisson.entropy"))
        small = fnp.less(mean, 100.0)
        near = fnp.where(small & fnp.greater(mean, 0), mean, 1.0)
        counts = fnp.arange(256, dtype=near.dtype)
        log_p = self.logpmf(counts, near[..., None])
        direct = -fnp.sum(fnp.exp(log_p) * log_p, axis=-1)
        far = fnp.where(small, 100.0, mean)
        expansion = 0.5 * fnp.log(2 * math.pi * math.e * far) - 1 / (12 * far)
        expansion = expansion - 1 / (24 * far**2) - 19 / (360 * far**3) - 9 / (80 * far**4)
        out = fnp.where(fnp.equal(mean, 0), 0.0, fnp.where(small, direct, expansion))
        return fnp.where(fnp.greater_equal(mean, 0), out, fnp.nan).astype(mean.dtype)


poisson = _Poisson(
    "poisson",
    "mu",
    logpmf=lambda k, mu: special.xlogy(k, mu) - special.gammaln(k + 1) - mu,
    support=lambda mu: (0, fnp.inf),
    valid=lambda mu: fnp.greater_equal(mu, 0),
    cdf=lambda k, mu: special.gammaincc(k + 1, mu),
    sf=lambda k, mu: special.gammainc(k + 1, mu),
)
