"""Images resampled: `resize`, and scaling with translation, by separable filters.

An output pixel is a weighted mean of input pixels. The weights are a matrix for each axis, so that
a resampled image is a product with one matrix after the other, and differentiable in the image;
with traced scales and translations also in those. Filters and conventions are ``jax.image``'s.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy import contraction, creation, taking
from fxla.numpy.operands import as_value, normalise_axis, promote_inexact
from fxla.numpy.rearranging import moveaxis

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]


class ResizeMethod(enum.Enum):
    """Filters of `resize` by name: NEAREST, LINEAR, LANCZOS3, LANCZOS5, CUBIC."""

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4

    @staticmethod
    def from_string(name: str) -> ResizeMethod:
        """The filter of a name, e.g. ``"bilinear"``.

        Raises:
            ValueError: if there is none.
        """
        found = _NAMES.get(name)
        if found is None:
            raise ValueError(
                f"image: unknown method {name!r}; there are {sorted(_NAMES)}{where_am_i()}"
            )
        return found


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
}


def _triangle(x: Any) -> Any:
    return np.maximum(0.0, 1.0 - x)


def _keys_cubic(x: Any) -> Any:
    """The cubic of Keys (1981), with a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x >= 2.0, 0.0, np.where(x >= 1.0, far, near))


def _lanczos(radius: float) -> Callable[[Any], Any]:
    def kernel(x: Any) -> Any:
        y = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        inside = np.where(x > 1e-3, y / np.where(x != 0, np.pi**2 * x**2, 1.0), 1.0)
        return np.where(x > radius, 0.0, inside)

    return kernel


_KERNELS: dict[ResizeMethod, Callable[[Any], Any]] = {
    ResizeMethod.LINEAR: _triangle,
    ResizeMethod.LANCZOS3: _lanczos(3.0),
    ResizeMethod.LANCZOS5: _lanczos(5.0),
    ResizeMethod.CUBIC: _keys_cubic,
}


def _method(method: str | ResizeMethod) -> ResizeMethod:
    return ResizeMethod.from_string(method) if isinstance(method, str) else method


def _weights(n: int, size: int, scale: Any, shift: Any, kernel: Any, antialias: bool) -> Any:
    """The matrix (n, size) from pixels to resampled pixels along one axis."""
    inverse = 1.0 / scale
    width = np.maximum(inverse, 1.0) if antialias else 1.0
    place = (np.arange(size) + 0.5) * inverse - shift * inverse - 0.5
    weights = kernel(np.abs(place[None, :] - np.arange(n)[:, None]) / width)
    total = np.sum(weights, axis=0, keepdims=True)
    is_covered = np.abs(total) > 1000.0 * float(np.finfo(np.float32).eps)
    weights = np.where(is_covered, weights / np.where(total != 0, total, 1.0), 0.0)
    inside = np.logical_and(place >= -0.5, place <= n - 0.5)
    return np.where(inside[None, :], weights, 0.0)


def _resampled(x: Value, axis: int, weights: Any) -> Value:
    dtype = typeof(x).dtype
    matrix = creation.asarray(weights, dtype)
    out = contraction.tensordot(x, matrix, axes=((axis,), (0,)))
    return moveaxis(out, -1, axis)


def resize(
    image: Any,
    shape: Sequence[int],
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Any:
    """An image resampled to another shape.

    Args:
        image: array; axes whose size changes are resampled.
        shape: sizes of the result, one for each axis.
        method: ``"nearest"``, ``"linear"`` (``"bilinear"``), ``"cubic"`` (``"bicubic"``),
            ``"lanczos3"`` or ``"lanczos5"``.
        antialias: whether the filter is as wide as the pixels of a smaller result.
        precision: accepted for JAX's sake; products are always of full precision.

    Example:
        >>> import fxla
        >>> import fxla.numpy as np
        >>> fxla.image.resize(np.array([[0.0, 2.0]]), (1, 4), "linear")
        Array([[0. , 0.5, 1.5, 2. ]])
    """
    call = "image.resize"
    x = as_value(image, call)
    sizes = tuple(int(n) for n in shape)
    old = typeof(x).shape
    if len(sizes) != len(old):
        raise ShapeError(
            f"{call}: shape {sizes} needs one size for each axis of {typeof(x)}{where_am_i()}"
        )
    chosen = _method(method)
    axes = [k for k, (a, b) in enumerate(zip(old, sizes, strict=True)) if a != b]
    if chosen is ResizeMethod.NEAREST:
        for k in axes:
            nearest = np.floor((np.arange(sizes[k]) + 0.5) * old[k] / sizes[k])
            x = taking.take(x, nearest.astype(int), axis=k)
        return creation.asarray(x)
    (x,) = promote_inexact(call, x)
    for k in axes:
        scale = sizes[k] / old[k]
        x = _resampled(x, k, _weights(old[k], sizes[k], scale, 0.0, _KERNELS[chosen], antialias))
    return creation.asarray(x)


def scale_and_translate(
    image: Any,
    shape: Sequence[int],
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Any:
    """An image scaled and moved, sampled on a grid of a given shape.

    Pixel i of an axis of the image is pixel ``i * scale + translation`` of the result, where pixels
    are counted at their centres. What lies outside of the image is 0.

    Args:
        image: array.
        shape: sizes of the result, one for each axis.
        spatial_dims: axes that are scaled and moved.
        scale: a factor for each of those axes; may be traced.
        translation: a distance for each of those axes; may be traced.
        method: as for `resize`, but not ``"nearest"``.
        antialias: as for `resize`.
        precision: accepted for JAX's sake.

    Example:
        >>> import fxla
        >>> import fxla.numpy as np
        >>> x = np.array([1.0, 2.0, 3.0])
        >>> one = np.ones(1)
        >>> fxla.image.scale_and_translate(x, (3,), (0,), one, one, "linear")
        Array([0., 1., 2.])
    """
    call = "image.scale_and_translate"
    x = as_value(image, call)
    sizes = tuple(int(n) for n in shape)
    chosen = _method(method)
    if chosen is ResizeMethod.NEAREST:
        raise ValueError(f"{call}: nearest is not a filter of weights; use `resize`{where_am_i()}")
    if len(sizes) != typeof(x).ndim:
        raise ShapeError(
            f"{call}: shape {sizes} needs one size for each axis of {typeof(x)}{where_am_i()}"
        )
    (x,) = promote_inexact(call, x)
    factors, shifts = [as_value(v, call) for v in (scale, translation)]
    for k, axis in enumerate(spatial_dims):
        at = normalise_axis(axis, len(sizes), call)
        n = typeof(x).shape[at]
        weights = _weights(n, sizes[at], factors[k], shifts[k], _KERNELS[chosen], antialias)
        x = _resampled(x, at, weights)
    return creation.asarray(x)
