"""Smoothing and slopes: Gaussian and uniform filters, and filters of differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.trace import typeof, where_am_i
from fxla.numpy.operands import as_value, normalise_axis
from fxla.scipy.ndimage.correlation import correlate1d

__all__ = [
    "gaussian_filter",
    "gaussian_filter1d",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]


def _gaussian_weights(sigma: float, order: int, radius: int) -> Any:
    """A Gaussian, or its derivative: the Gaussian times a polynomial."""
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * x**2)
    weights = weights / weights.sum()
    polynomial = np.zeros(order + 1)
    polynomial[0] = 1
    slope = np.diag(np.arange(1.0, order + 1), 1) + np.diag(-np.ones(order) / sigma**2, -1)
    for _ in range(order):
        polynomial = slope @ polynomial
    powers = x[:, None] ** np.arange(order + 1)
    return powers @ polynomial * weights


def gaussian_filter1d(
    input: Any,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """Smoothing by a Gaussian along one axis. See `scipy.ndimage.gaussian_filter1d`.

    Args:
        input: an image.
        sigma: of the Gaussian.
        axis: along which.
        order: of the derivative.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        truncate: where the Gaussian ends, in sigmas.
        radius: where it ends, in elements.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.gaussian_filter1d([0.0, 1.0, 0.0], 0.5).round(4)
        array([0.1067, 0.7866, 0.1067])
    """
    size = int(truncate * float(sigma) + 0.5) if radius is None else radius
    weights = _gaussian_weights(float(sigma), order, size)[::-1]
    return correlate1d(input, weights, axis, output, mode, cval, 0)


def _each_axis(rank: int, value: Any, axes: Any) -> list[Any]:
    """One value for each axis."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] * len(axes)
    if len(value) != len(axes):
        raise RuntimeError(f"ndimage: {len(value)} values for {len(axes)} axes{where_am_i()}")
    return list(value)


def _axes(axes: Any, rank: int) -> list[int]:
    if axes is None:
        return list(range(rank))
    return [a % rank for a in ([axes] if isinstance(axes, int) else axes)]


def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: None = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """Smoothing by a Gaussian. See `scipy.ndimage.gaussian_filter`.

    Args:
        input: an image.
        sigma: of the Gaussian, a number or one for each axis.
        order: of derivatives.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        truncate: where the Gaussian ends, in sigmas.
        radius: where it ends, in elements.
        axes: along which; all by default.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla.scipy import ndimage
        >>> ndimage.gaussian_filter(fnp.eye(3), 0.5).round(3)
        array([[0.809, 0.179, 0.012],
               [0.179, 0.641, 0.179],
               [0.012, 0.179, 0.809]])
    """
    x = as_value(input, "ndimage.gaussian_filter")
    along = _axes(axes, typeof(x).ndim)
    given = [_each_axis(typeof(x).ndim, v, along) for v in (sigma, order, mode, radius)]
    for a, s, o, m, r in zip(along, *given, strict=True):
        if s > 1e-15:
            x = gaussian_filter1d(x, s, a, o, output, m, cval, truncate, radius=r)
    return x


def uniform_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Means of neighbours along one axis. See `scipy.ndimage.uniform_filter1d`.

    Args:
        input: an image.
        size: how many.
        axis: along which.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the neighbours.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.uniform_filter1d([0.0, 3.0, 6.0], 3)
        Array([1., 3., 5.])
    """
    return correlate1d(input, np.full(size, 1.0 / size), axis, output, mode, cval, origin)


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: None = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Means of neighbours. See `scipy.ndimage.uniform_filter`.

    Args:
        input: an image.
        size: how many along each axis, a number or one for each.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the neighbours.
        axes: along which; all by default.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.uniform_filter([[0.0, 3.0, 6.0]], (1, 3))
        Array([[1., 3., 5.]])
    """
    x = as_value(input, "ndimage.uniform_filter")
    along = _axes(axes, typeof(x).ndim)
    given = [_each_axis(typeof(x).ndim, v, along) for v in (size, mode, origin)]
    for a, s, m, o in zip(along, *given, strict=True):
        if s > 1:
            x = uniform_filter1d(x, s, a, output, m, cval, o)
    return x


def _slope(input: Any, axis: int, mode: Any, cval: Any, across: list[float]) -> Any:
    x = as_value(input, "ndimage.sobel")
    rank = typeof(x).ndim
    at = normalise_axis(axis, rank, "ndimage.sobel")
    modes = _each_axis(rank, mode, range(rank))
    x = correlate1d(x, np.array([-1.0, 0.0, 1.0]), at, None, modes[at], cval)
    for a in range(rank):
        if a != at:
            x = correlate1d(x, np.array(across), a, None, modes[a], cval)
    return x


def sobel(
    input: Any, axis: int = -1, output: None = None, mode: Any = "reflect", cval: Any = 0.0
) -> Any:
    """Sobel's slope along an axis. See `scipy.ndimage.sobel`.

    Args:
        input: an image.
        axis: along which.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.sobel([[0.0, 1.0, 2.0]])
        Array([[4., 8., 4.]])
    """
    del output
    return _slope(input, axis, mode, cval, [1.0, 2.0, 1.0])


def prewitt(
    input: Any, axis: int = -1, output: None = None, mode: Any = "reflect", cval: Any = 0.0
) -> Any:
    """Prewitt's slope along an axis. See `scipy.ndimage.prewitt`.

    Args:
        input: an image.
        axis: along which.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.prewitt([[0.0, 1.0, 2.0]])
        Array([[3., 6., 3.]])
    """
    del output
    return _slope(input, axis, mode, cval, [1.0, 1.0, 1.0])


def laplace(input: Any, output: None = None, mode: Any = "reflect", cval: Any = 0.0) -> Any:
    """The sum of second differences. See `scipy.ndimage.laplace`.

    Args:
        input: an image.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.laplace([0.0, 0.0, 1.0])
        Array([ 0.,  1., -1.])
    """
    x = as_value(input, "ndimage.laplace")
    rank = typeof(x).ndim
    modes = _each_axis(rank, mode, range(rank))
    return sum(correlate1d(x, np.array([1.0, -2.0, 1.0]), a, output, modes[a], cval)
               for a in range(rank))  # fmt: skip
