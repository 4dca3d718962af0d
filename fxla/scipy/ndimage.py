"""Filters and interpolation of images of any rank: the module ``fxla.scipy.ndimage``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.indexing import getitem
from fxla.numpy.operands import as_value, as_values, normalise_axis, promote_inexact

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "laplace",
    "map_coordinates",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]

_PAD_MODES = {
    "reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect", "nearest": "edge",
    "constant": "constant", "grid-constant": "constant", "wrap": "wrap", "grid-wrap": "wrap",
}  # fmt: skip


def _padded(call: str, x: Value, pads: Sequence[tuple[int, int]], mode: str, cval: Any) -> Any:
    if mode not in _PAD_MODES:
        raise ValueError(f"{call}: unknown mode {mode!r}{where_am_i()}")
    if _PAD_MODES[mode] == "constant":
        return fnp.pad(x, pads, constant_values=cval)
    return fnp.pad(x, pads, mode=_PAD_MODES[mode])


def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """The correlation with weights along one axis. See `scipy.ndimage.correlate1d`.

    Args:
        input: an image.
        weights: a vector.
        axis: along which.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the weights.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.correlate1d([1.0, 2.0, 4.0], [1.0, 0.0, -1.0])
        Array([-1., -3., -2.])
    """
    call = "ndimage.correlate1d"
    del output
    (x,) = as_values(call, input)
    w = as_value(weights, call)
    if typeof(w).ndim != 1 or typeof(w).shape[0] == 0:
        raise RuntimeError(f"{call}: weights must be a vector, got {typeof(w)}{where_am_i()}")
    at = normalise_axis(axis, typeof(x).ndim, call)
    k, n = typeof(w).shape[0], typeof(x).shape[at]
    left = k // 2 + origin
    if not 0 <= left < k:
        raise ValueError(f"{call}: invalid origin {origin}{where_am_i()}")
    dtype = typeof(x).dtype
    exact = dtype.kind in "biu"
    values = x.astype(float) if exact else x
    pads = [(left, k - 1 - left) if a == at else (0, 0) for a in range(typeof(x).ndim)]
    values = _padded(call, values, pads, mode, cval)
    total: Any = 0.0
    for j in range(k):
        total = total + w[j] * lax.slice_in_dim(values, j, j + n, axis=at)
    return total.astype(dtype)


def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """The convolution with weights along one axis. See `scipy.ndimage.convolve1d`.

    Args:
        input: an image.
        weights: a vector.
        axis: along which.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the weights.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.convolve1d([1.0, 2.0, 4.0], [1.0, 0.0, -1.0])
        Array([1., 3., 2.])
    """
    w = as_value(weights, "ndimage.convolve1d")
    even = typeof(w).shape[0] % 2 == 0
    return correlate1d(input, fnp.flip(w), axis, output, mode, cval, -origin - (1 if even else 0))


def _correlated(
    call: str, input: Any, weights: Any, mode: str, cval: Any, origins: Sequence[int]
) -> Any:
    x, w = as_values(call, input, weights)
    if typeof(x).ndim != typeof(w).ndim:
        raise RuntimeError(
            f"{call}: input {typeof(x)} and weights {typeof(w)} differ in rank{where_am_i()}"
        )
    dtype = typeof(x).dtype
    values = x.astype(float) if dtype.kind in "biu" else x
    w = w.astype(typeof(values).dtype)
    sizes = typeof(w).shape
    pads = [(k // 2 + o, k - 1 - k // 2 - o) for k, o in zip(sizes, origins, strict=True)]
    values = _padded(call, values, pads, mode, cval)
    if math.prod(sizes) <= 32 or typeof(values).dtype.kind == "c":
        total: Any = 0.0
        for place in itertools.product(*[range(k) for k in sizes]):
            ends = [p + n for p, n in zip(place, typeof(x).shape, strict=True)]
            total = total + w[place] * lax.slice(values, place, ends)
        return total.astype(dtype)
    out = lax.conv_general_dilated(values[None, None], w[None, None], (1,) * len(sizes), "VALID")
    return out[0, 0].astype(dtype)


def _origins(origin: Any, rank: int) -> list[int]:
    return [origin] * rank if isinstance(origin, int) else list(origin)


def correlate(
    input: Any,
    weights: Any,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
) -> Any:
    """The correlation with weights of the image's rank. See `scipy.ndimage.correlate`.

    Args:
        input: an image.
        weights: an array of the same rank.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the weights, a number or one for each axis.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.correlate([[1.0, 2.0]], [[1.0, 1.0, 0.0]])
        Array([[2., 3.]])
    """
    del output
    rank = typeof(as_value(weights, "ndimage.correlate")).ndim
    return _correlated("ndimage.correlate", input, weights, mode, cval, _origins(origin, rank))


def convolve(
    input: Any,
    weights: Any,
    output: None = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
) -> Any:
    """The convolution with weights of the image's rank. See `scipy.ndimage.convolve`.

    Args:
        input: an image.
        weights: an array of the same rank.
        output: must be None.
        mode: how the image goes on at its edges.
        cval: what mode ``"constant"`` fills with.
        origin: moves the weights, a number or one for each axis.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.convolve([[1.0, 2.0]], [[1.0, 1.0, 0.0]])
        Array([[3., 4.]])
    """
    del output
    call = "ndimage.convolve"
    w = as_value(weights, call)
    shape = typeof(w).shape
    moved = [-o - (1 if k % 2 == 0 else 0)
             for o, k in zip(_origins(origin, len(shape)), shape, strict=True)]  # fmt: skip
    return _correlated(call, input, fnp.flip(w), mode, cval, moved)


# --- smoothing and slopes -------------------------------------------------------------------


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


# --- interpolation --------------------------------------------------------------------------


def _mirror(i: Value, n: int) -> Any:
    period = max(2 * (n - 1), 1)
    folded = fnp.mod(i, period)
    return fnp.minimum(folded, period - folded) if n > 1 else fnp.zeros_like(i)


def _reflect(i: Value, n: int) -> Any:
    folded = fnp.mod(i, 2 * n)
    return fnp.minimum(folded, 2 * n - 1 - folded)


def _placed(i: Value, n: int, mode: str) -> tuple[Any, Any]:
    """Where an index leads, and whether there is an element."""
    if mode in ("constant", "grid-constant"):
        return fnp.clip(i, 0, n - 1), fnp.greater_equal(i, 0) & fnp.less(i, n)
    if mode == "nearest":
        return fnp.clip(i, 0, n - 1), True
    if mode in ("wrap", "grid-wrap"):
        return fnp.mod(i, n), True
    return (_mirror(i, n), True) if mode == "mirror" else (_reflect(i, n), True)


def map_coordinates(
    input: Any,
    coordinates: Any,
    output: None = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """The image at real coordinates. See `scipy.ndimage.map_coordinates`.

    Args:
        input: an image of rank r.
        coordinates: r arrays of coordinates, along the first axis.
        output: must be None.
        order: of the interpolation: 0 (nearest) or 1 (linear).
        mode: how the image goes on: ``"constant"``, ``"nearest"``, ``"mirror"``, ``"reflect"``,
            ``"wrap"`` or ``"grid-wrap"``; ``"wrap"`` has the period of the image's size, as
            ``"grid-wrap"`` and JAX have it.
        cval: what mode ``"constant"`` fills with.
        prefilter: has no effect on these orders.

    Example:
        >>> from fxla.scipy import ndimage
        >>> ndimage.map_coordinates([[0.0, 1.0], [2.0, 3.0]], [[0.5, 0.0], [0.5, 1.0]], order=1)
        Array([1.5, 1. ])
    """
    call = "ndimage.map_coordinates"
    del output, prefilter
    if order not in (0, 1):
        raise NotImplementedError(f"{call}: order must be 0 or 1, got {order}{where_am_i()}")
    known = ("constant", "grid-constant", "nearest", "mirror", "reflect", "grid-mirror", "wrap",
             "grid-wrap")  # fmt: skip
    if mode not in known:
        raise ValueError(f"{call}: unknown mode {mode!r}{where_am_i()}")
    x = as_value(input, call)
    places = [as_value(c, call) for c in coordinates]
    if len(places) != typeof(x).ndim:
        raise ShapeError(
            f"{call}: {len(places)} coordinates for an image of rank {typeof(x).ndim}{where_am_i()}"
        )
    places = promote_inexact(call, *places)
    dtype = typeof(x).dtype
    exact = dtype.kind in "biu"
    choices = []
    for c, n in zip(places, typeof(x).shape, strict=True):
        if order == 0:
            near = fnp.floor(c + 0.5)
            choices.append([(*_placed(near.astype(int), n, mode), fnp.ones_like(c))])
            continue
        low = fnp.floor(c)
        share = c - low
        at = low.astype(int)
        choices.append([(*_placed(at, n, mode), 1 - share), (*_placed(at + 1, n, mode), share)])
    total: Any = 0.0
    for corner in itertools.product(*choices):
        inside: Any = True
        weight: Any = 1.0
        for _, there, w in corner:
            inside, weight = inside & there, weight * w
        value = getitem(x, tuple(i for i, _, _ in corner))
        value = value if inside is True else fnp.where(inside, value, cval)
        total = total + weight * value
    return fnp.rint(total).astype(dtype) if exact else total.astype(dtype)
