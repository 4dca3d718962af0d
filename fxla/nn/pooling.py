"""Pooling layers, in any number of spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla import lax
from fxla.core.dtypes import is_inexact
from fxla.core.trace import typeof
from fxla.nn.checks import refuse
from fxla.nn.module import Module
from fxla.nn.precision import product

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "MaxPool",
]

Sizes = int | Sequence[int]


def _spatial(ndim: int, channels: str) -> range:
    """The spatial axes of an input."""
    return range(2, ndim) if channels == "first" else range(1, ndim - 1)


class _Pool(Module):
    """A reduction of windows along the spatial axes."""

    def __init__(
        self,
        window: Sizes,
        strides: Sizes | None = None,
        padding: str | int | Sequence[int] = "VALID",
        *,
        channels: str = "last",
    ) -> None:
        self.window = window if isinstance(window, int) else tuple(window)
        self.strides = strides if isinstance(strides, int | None) else tuple(strides)
        self.padding = padding if isinstance(padding, str | int) else tuple(padding)
        self.channels = channels

    def _full(self, x: Any, given: Any, other: Any) -> tuple[Any, ...]:
        """An entry for each axis, of which those that are not spatial have `other`."""
        ndim = typeof(x).ndim
        axes = _spatial(ndim, self.channels)
        each = given if isinstance(given, tuple) else (given,) * len(axes)
        if len(each) != len(axes) or not axes:
            rank = len(each) if isinstance(given, tuple) else 1
            refuse(self, "[batch, " + "size, " * rank + "features]", x)
        found = [other] * ndim
        for axis, entry in zip(axes, each, strict=True):
            found[axis] = entry
        return tuple(found)

    def _reduce(self, x: Any, initial: Any, f: Any) -> Any:
        padding: Any = self.padding
        if not isinstance(padding, str):
            entries = self._full(x, padding, 0)
            padding = [(p, p) if isinstance(p, int) else p for p in entries]
        window = self._full(x, self.window, 1)
        strides = window if self.strides is None else self._full(x, self.strides, 1)
        return lax.reduce_window(x, initial, f, window, strides, padding)

    def _shown(self) -> list[str]:
        extra = [] if self.strides is None else [f"strides={self.strides}"]
        return [str(self.window), *extra]


class MaxPool(_Pool):
    """The largest element of each window, for each feature.

    Args:
        window: size along each spatial axis; an integer for all of them.
        strides: from window to window; default: windows side by side.
        padding: "VALID", "SAME", or how much on both sides of each spatial axis.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.MaxPool(2)(np.arange(8.0).reshape(1, 8, 1)).ravel()
        Array([1., 3., 5., 7.])
    """

    def __call__(self, x: Any) -> Any:
        dtype = typeof(x).dtype
        low = -np.inf if is_inexact(dtype) else np.iinfo(dtype).min
        return self._reduce(x, dtype.type(low), lax.max)


class AvgPool(_Pool):
    """The mean of each window, for each feature.

    Args:
        window: size along each spatial axis; an integer for all of them.
        strides: from window to window; default: windows side by side.
        padding: "VALID", "SAME", or how much on both sides of each spatial axis.
        count_include_pad: whether padding counts in the mean, as zeros.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.AvgPool(2)(np.arange(8.0).reshape(1, 8, 1)).ravel()
        Array([0.5, 2.5, 4.5, 6.5])
    """

    def __init__(
        self,
        window: Sizes,
        strides: Sizes | None = None,
        padding: str | int | Sequence[int] = "VALID",
        *,
        count_include_pad: bool = True,
        channels: str = "last",
    ) -> None:
        super().__init__(window, strides, padding, channels=channels)
        self.count_include_pad = count_include_pad

    def __call__(self, x: Any) -> Any:
        zero = typeof(x).dtype.type(0)
        total = self._reduce(x, zero, lax.add)
        if self.count_include_pad or self.padding == "VALID":
            return total / math.prod(self._full(x, self.window, 1))
        return total / self._reduce(fnp.ones_like(x), zero, lax.add)


class _GlobalPool(Module):
    """A reduction over all places."""

    _over: Callable[..., Any]

    def __init__(self, keepdims: bool = False, *, channels: str = "last") -> None:
        self.keepdims = keepdims
        self.channels = channels

    def __call__(self, x: Any) -> Any:
        axes = tuple(_spatial(typeof(x).ndim, self.channels))
        return self._over(x, axis=axes, keepdims=self.keepdims)


class GlobalAvgPool(_GlobalPool):
    """The mean of each feature over all places: [batch, ..., features] gives [batch, features].

    Args:
        keepdims: whether the spatial axes stay, of size 1.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.GlobalAvgPool()(np.ones((5, 7, 9, 3))).shape
        (5, 3)
    """

    _over = staticmethod(fnp.mean)


class GlobalMaxPool(_GlobalPool):
    """The largest value of each feature over all places: gives [batch, features].

    Args:
        keepdims: whether the spatial axes stay, of size 1.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.GlobalMaxPool()(np.ones((5, 7, 9, 3))).shape
        (5, 3)
    """

    _over = staticmethod(fnp.max)


def _bounds(n: int, m: int) -> list[tuple[int, int]]:
    """m windows over n elements, as PyTorch's adaptive pools have them."""
    return [(k * n // m, -((-(k + 1) * n) // m)) for k in range(m)]


class _AdaptivePool(Module):
    """A reduction of as many windows as the result is to have elements."""

    def __init__(self, size: Sizes, *, channels: str = "last") -> None:
        self.size = size if isinstance(size, int) else tuple(size)
        self.channels = channels

    def __call__(self, x: Any) -> Any:
        axes = _spatial(typeof(x).ndim, self.channels)
        sizes = (self.size,) * len(axes) if isinstance(self.size, int) else self.size
        if len(sizes) != len(axes):
            refuse(self, "[batch, " + "size, " * len(sizes) + "features]", x)
        for axis, m in zip(axes, sizes, strict=True):
            n = typeof(x).shape[axis]
            if n != m:
                x = self._along(x, axis, _bounds(n, m))
        return x

    def _along(self, x: Any, axis: int, windows: list[tuple[int, int]]) -> Any:
        """Reduce windows of one axis."""
        raise NotImplementedError


class AdaptiveAvgPool(_AdaptivePool):
    """Means of windows that are as large as a given size of the result asks for.

    Args:
        size: of the result along each spatial axis; an integer for all of them.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.AdaptiveAvgPool(2)(np.ones((5, 7, 9, 3))).shape
        (5, 2, 2, 3)
    """

    def _along(self, x: Any, axis: int, windows: list[tuple[int, int]]) -> Any:
        n = typeof(x).shape[axis]
        weights = np.zeros((n, len(windows)), typeof(x).dtype)
        for k, (start, end) in enumerate(windows):
            weights[start:end, k] = 1 / (end - start)
        return fnp.moveaxis(product(fnp.moveaxis(x, axis, -1), weights), -1, axis)


class AdaptiveMaxPool(_AdaptivePool):
    """Maxima of windows that are as large as a given size of the result asks for.

    Args:
        size: of the result along each spatial axis; an integer for all of them.
        channels: where the axis of features is: ``"last"`` or ``"first"`` (after the batch axis).

    Example:
        >>> from fxla import nn
        >>> import fxla.numpy as np
        >>> nn.AdaptiveMaxPool(2)(np.ones((5, 7, 9, 3))).shape
        (5, 2, 2, 3)
    """

    def _along(self, x: Any, axis: int, windows: list[tuple[int, int]]) -> Any:
        parts = [
            fnp.max(lax.slice_in_dim(x, start, end, axis=axis), axis=axis, keepdims=True)
            for start, end in windows
        ]
        return fnp.concatenate(parts, axis=axis)
