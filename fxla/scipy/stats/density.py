"""Estimates of densities by Gaussian kernels."""

from __future__ import annotations

import math
from typing import Any

import fxla.numpy as fnp
from fxla import lax, random
from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import as_value, promote_inexact
from fxla.scipy.exponential_sums import logsumexp
from fxla.tree_util import register_pytree_node_class

__all__ = ["gaussian_kde"]


@register_pytree_node_class
class gaussian_kde:
    """A density estimated from points. See `scipy.stats.gaussian_kde`.

    A pytree: it can be an argument or a result of transformed functions.

    Args:
        dataset: points ``[n]``, or ``[d, n]`` in d dimensions.
        bw_method: ``"scott"`` (the default), ``"silverman"``, a number, or a function of the
            estimate that gives one.
        weights: of the points; equal by default.

    Attributes:
        dataset: ``[d, n]``.
        weights: normalised.
        covariance: of the kernel.
        inv_cov: its inverse.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import stats
        >>> stats.gaussian_kde(fnp.array([0.0, 1.0, 2.0]))(1.0).round(4)
        array([0.3182])
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        call = "stats.gaussian_kde"
        (points,) = promote_inexact(call, as_value(dataset, call))
        if typeof(points).size <= 1:
            raise ValueError(f"{call}: needs more than one point{where_am_i()}")
        self.dataset = fnp.atleast_2d(points)
        n = typeof(self.dataset).shape[1]
        if weights is None:
            self.weights = fnp.full(n, 1.0 / n, typeof(points).dtype)
        else:
            (given,) = promote_inexact(call, as_value(weights, call))
            if typeof(given).shape != (n,):
                raise ShapeError(f"{call}: {n} points, weights {typeof(given)}{where_am_i()}")
            self.weights = given / fnp.sum(given)
        factor = self._factor(bw_method)
        mean = fnp.sum(self.dataset * self.weights, axis=1, keepdims=True)
        apart = self.dataset - mean
        unbiased = 1 - fnp.sum(fnp.square(self.weights))
        data_covariance = (apart * self.weights) @ apart.T / unbiased
        self.covariance = data_covariance * fnp.square(factor)
        self.inv_cov = fnp.linalg.inv(data_covariance) / fnp.square(factor)

    def _factor(self, bw_method: Any) -> Any:
        d = self.d
        if bw_method is None or bw_method == "scott":
            return self.neff ** (-1.0 / (d + 4))
        if bw_method == "silverman":
            return (self.neff * (d + 2) / 4.0) ** (-1.0 / (d + 4))
        if isinstance(bw_method, str):
            raise ValueError(f"stats.gaussian_kde: unknown bw_method {bw_method!r}{where_am_i()}")
        return bw_method(self) if callable(bw_method) else bw_method

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """The arrays of the estimate."""
        return (self.dataset, self.weights, self.covariance, self.inv_cov), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Any) -> gaussian_kde:
        """The estimate with these arrays."""
        made = object.__new__(cls)
        made.dataset, made.weights, made.covariance, made.inv_cov = children
        return made

    @property
    def d(self) -> int:
        """Dimensions."""
        return int(typeof(self.dataset).shape[0])

    @property
    def n(self) -> int:
        """Points."""
        return int(typeof(self.dataset).shape[1])

    @property
    def neff(self) -> Any:
        """Effective number of points."""
        return 1 / fnp.sum(fnp.square(self.weights))

    def _points(self, points: Any) -> Any:
        call = "stats.gaussian_kde"
        (x,) = promote_inexact(call, as_value(points, call))
        x = fnp.atleast_2d(x)
        if typeof(x).shape[0] != self.d:
            if typeof(x).shape == (1, self.d):
                x = fnp.reshape(x, (self.d, 1))
            else:
                raise ValueError(
                    f"{call}: points have dimension {typeof(x).shape[0]}, the data {self.d}"
                    f"{where_am_i()}"
                )
        return x

    def logpdf(self, x: Any) -> Any:
        """Logarithm of the estimated density at ``x[d, m]``."""
        whitening = fnp.linalg.cholesky(self.inv_cov)
        data, at = whitening.T @ self.dataset, whitening.T @ self._points(x)
        squares = fnp.sum(fnp.square(at[:, :, None] - data[:, None, :]), axis=0)
        log_root = -fnp.sum(fnp.log(fnp.diagonal(whitening)))
        constant = log_root + self.d / 2 * math.log(2 * math.pi)
        return logsumexp(-0.5 * squares, axis=1, b=self.weights) - constant

    def evaluate(self, points: Any) -> Any:
        """The estimated density at ``points[d, m]``."""
        return fnp.exp(self.logpdf(points))

    __call__ = evaluate
    pdf = evaluate

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """The integral of the density times a Gaussian of this mean and covariance."""
        call = "stats.gaussian_kde.integrate_gaussian"
        mean = fnp.atleast_1d(as_value(mean, call))
        total = fnp.atleast_2d(as_value(cov, call)) + self.covariance
        return _mixture(self.dataset - mean[:, None], total, self.weights)

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """The integral of the product of two estimates."""
        apart = self.dataset[:, :, None] - other.dataset[:, None, :]
        weights = self.weights[:, None] * other.weights[None, :]
        flat = fnp.reshape(apart, (self.d, -1))
        return _mixture(flat, self.covariance + other.covariance, fnp.reshape(weights, -1))

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """The probability between two numbers, in one dimension."""
        if self.d != 1:
            raise ValueError(
                f"stats.gaussian_kde.integrate_box_1d: the data must be 1-d{where_am_i()}"
            )
        width = fnp.sqrt(self.covariance[0, 0]) * math.sqrt(2)
        ends = [lax.erf((x - self.dataset[0]) / width) for x in (high, low)]
        return 0.5 * fnp.sum(self.weights * (ends[0] - ends[1]))

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Any:
        """Random points ``[d, *shape]`` from the estimate.

        Args:
            key: a random key.
            shape: of the sample.
        """
        first, second = random.split(key)
        chosen = random.choice(first, self.n, shape, p=self.weights)
        noise = random.normal(second, (*shape, self.d), typeof(self.dataset).dtype)
        lower = fnp.linalg.cholesky(self.covariance)
        return fnp.moveaxis(
            fnp.moveaxis(fnp.take(self.dataset, chosen, axis=1), 0, -1) + noise @ lower.T, -1, 0
        )


def _mixture(apart: Any, covariance: Any, weights: Any) -> Any:
    """The sum of weights times Gaussian densities at ``apart[d, n]``."""
    solved = fnp.linalg.solve(covariance, apart)
    log_density = -0.5 * fnp.sum(apart * solved, axis=0)
    _, log_determinant = fnp.linalg.slogdet(2 * math.pi * covariance)
    return fnp.sum(weights * fnp.exp(log_density - 0.5 * log_determinant))
