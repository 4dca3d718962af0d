"""Distributions and statistics: the module ``fxla.scipy.stats``.

Distributions are objects with SciPy's functions (``norm.logpdf(x, loc=0, scale=1)``): densities,
distribution functions, tails, their logarithms and quantiles, differentiable in all arguments.
Results have the dtype of the arguments; SciPy's own are float64 also for float32.
"""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.stats.continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    gamma,
    gennorm,
    gumbel_l,
    gumbel_r,
    halfnorm,
    invgamma,
    laplace,
    logistic,
    lognorm,
    norm,
    pareto,
    t,
    uniform,
    vonmises,
    weibull_min,
    wrapcauchy,
)
from fxla.scipy.stats.density import gaussian_kde
from fxla.scipy.stats.discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from fxla.scipy.stats.multivariate import dirichlet, multinomial, multivariate_normal
from fxla.scipy.stats.summaries import ModeResult, mode, rankdata, sem, zscore
from fxla.scipy.stats.truncated import truncnorm

__all__ = [
    "ModeResult",
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "gaussian_kde",
    "gennorm",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "halfnorm",
    "invgamma",
    "laplace",
    "logistic",
    "lognorm",
    "mode",
    "multinomial",
    "multivariate_normal",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "rankdata",
    "sem",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "weibull_min",
    "wrapcauchy",
    "zscore",
]


def __dir__() -> list[str]:
    return _public_names(globals())
