"""Distributions of vectors."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_values, promote_inexact
from fxla.scipy import special

__all__ = ["dirichlet", "multinomial", "multivariate_normal"]


def _floating(call: str, *xs: Any) -> list[Value]:
    return promote_inexact(call, *as_values(call, *xs))


class MultivariateNormal:
    """Normal vectors; the covariance must be positive definite."""

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: Any = None) -> Any:
        """Logarithm of the density at ``x[..., n]``.

        Args:
            x: vectors, or numbers if the dimension is 1.
            mean: a number or a vector; 0 by default.
            cov: variance, variances, or a covariance matrix.
            allow_singular: must be false: a singular covariance has no density.

        Example:
            >>> import fxla.numpy as fnp
            >>> from fxla.scipy import stats
            >>> stats.multivariate_normal.logpdf(fnp.zeros(2), fnp.zeros(2), fnp.eye(2))
            Array(-1.83787707)
        """
        call = "stats.multivariate_normal.logpdf"
        if allow_singular:
            raise NotImplementedError(f"{call}: allow_singular=True{where_am_i()}")
        x, mean, cov = _floating(call, x, 0.0 if mean is None else mean, cov)
        if typeof(mean).ndim == 0 and typeof(cov).ndim == 0:
            return -0.5 * (fnp.square(x - mean) / cov + fnp.log(2 * math.pi * cov))
        if typeof(mean).ndim == 0:
            mean = fnp.broadcast_to(mean, (typeof(cov).shape[-1],))
        n = typeof(mean).shape[-1]
        if typeof(cov).ndim == 0:
            cov = cov * fnp.eye(n, dtype=typeof(cov).dtype)
        elif typeof(cov).ndim == 1:
            cov = fnp.diag(cov)
        if typeof(cov).shape[-2:] != (n, n):
            raise ShapeError(f"{call}: mean {typeof(mean)} and cov {typeof(cov)}{where_am_i()}")
        if typeof(x).ndim == 0:
            x = fnp.reshape(x, (1,))
        elif n == 1 and typeof(x).shape[-1] != 1:
            x = x[..., None]
        lower = fnp.linalg.cholesky(cov)
        apart = x - mean
        batch = fnp.broadcast_shapes(typeof(apart).shape[:-1], typeof(lower).shape[:-2])
        apart = fnp.broadcast_to(apart, (*batch, n))
        if typeof(lower).ndim == 2:
            rows = fnp.reshape(apart, (-1, n))
            solved = lax.linalg.triangular_solve(lower, rows.T, left_side=True, lower=True)
            squares = fnp.reshape(fnp.sum(fnp.square(solved), axis=0), batch)
        else:
            lower = fnp.broadcast_to(lower, (*batch, n, n))
            solved = lax.linalg.triangular_solve(
                lower, apart[..., None], left_side=True, lower=True
            )
            squares = fnp.sum(fnp.square(solved[..., 0]), axis=-1)
        diagonal = fnp.diagonal(lower, axis1=-2, axis2=-1)
        log_root = fnp.sum(fnp.log(diagonal), axis=-1)
        return -0.5 * squares - n / 2 * math.log(2 * math.pi) - log_root

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1) -> Any:
        """Density at ``x[..., n]``."""
        return fnp.exp(self.logpdf(x, mean, cov))


class Dirichlet:
    """Vectors of proportions."""

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Logarithm of the density at ``x[n, ...]``, or ``x[n - 1, ...]`` without its last row.

        Args:
            x: proportions along the first axis.
            alpha: concentrations ``[n]``.

        Example:
            >>> import fxla.numpy as fnp
            >>> from fxla.scipy import stats
            >>> stats.dirichlet.logpdf(fnp.array([0.25, 0.75]), fnp.array([1.0, 2.0]))
            Array(0.40546511)
        """
        call = "stats.dirichlet.logpdf"
        x, alpha = _floating(call, x, alpha)
        n = typeof(alpha).shape[0]
        if typeof(x).shape[0] == n - 1:
            x = fnp.concatenate([x, 1 - fnp.sum(x, axis=0, keepdims=True)], axis=0)
        if typeof(alpha).ndim != 1 or typeof(x).shape[0] != n:
            raise ShapeError(f"{call}: x {typeof(x)} and alpha {typeof(alpha)}{where_am_i()}")
        constant = special.gammaln(fnp.sum(alpha)) - fnp.sum(special.gammaln(alpha))
        powers = fnp.reshape(alpha - 1, (n, *[1] * (typeof(x).ndim - 1)))
        inside = fnp.all(fnp.greater_equal(x, 0), axis=0)
        inside = inside & (fnp.abs(fnp.sum(x, axis=0) - 1) < 1e-6)
        value = constant + fnp.sum(special.xlogy(powers, fnp.where(inside, x, 0.5)), axis=0)
        return fnp.where(inside, value, -fnp.inf)

    def pdf(self, x: Any, alpha: Any) -> Any:
        """Density at ``x[n, ...]``."""
        return fnp.exp(self.logpdf(x, alpha))


class Multinomial:
    """Vectors of counts."""

    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """Logarithm of the probability of the counts ``x[..., k]``.

        Args:
            x: counts.
            n: their sum.
            p: probabilities ``[..., k]``.

        Example:
            >>> import fxla.numpy as fnp
            >>> from fxla.scipy import stats
            >>> fnp.exp(stats.multinomial.logpmf([1, 2], 3, [0.5, 0.5]))
            Array(0.375)
        """
        x, n, p = _floating("stats.multinomial.logpmf", x, n, p)
        counts = special.gammaln(n + 1) - fnp.sum(special.gammaln(x + 1), axis=-1)
        value = counts + fnp.sum(special.xlogy(x, p), axis=-1)
        known = fnp.equal(fnp.sum(x, axis=-1), n) & fnp.all(fnp.greater_equal(x, 0), axis=-1)
        return fnp.where(known, value, -fnp.inf)

    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """Probability of the counts ``x[..., k]``."""
        return fnp.exp(self.logpmf(x, n, p))


multivariate_normal = MultivariateNormal()
dirichlet = Dirichlet()
multinomial = Multinomial()
