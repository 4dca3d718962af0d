"""Correlations and convolutions of images of any rank with weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import fxla.numpy as fnp
from fxla import lax
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy.operands import as_value, as_values, normalise_axis

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
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
