"""What of `numpy.lib` has a meaning for traced arrays: ``stride_tricks.sliding_window_view``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, describe, normalise_axis
from fxla.numpy.rearranging import moveaxis
from fxla.numpy.taking import take

__all__ = ["sliding_window_view", "stride_tricks"]


def _sizes(x: Any, window_shape: Any, axis: Any) -> list[tuple[int, int]]:
    """Each window's axis and length."""
    call = "np.lib.stride_tricks.sliding_window_view"
    shape = typeof(x).shape
    lengths = [int(n) for n in np.atleast_1d(window_shape)]
    if axis is None:
        axes = list(range(len(shape)))
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = [normalise_axis(a, len(shape), call) for a in given]
    if len(axes) != len(lengths):
        raise ShapeError(
            f"{call}: {len(lengths)} window lengths {tuple(lengths)} for {len(axes)} axes of "
            f"{describe(x)}{where_am_i()}. Give a length for each axis, or name axes with `axis=`."
        )
    left = list(shape)
    for a, n in zip(axes, lengths, strict=True):
        if not 0 <= n <= left[a]:
            raise ShapeError(
                f"{call}: a window of {n} does not fit into axis {a} of {describe(x)}{where_am_i()}"
            )
        left[a] -= n - 1
    return list(zip(axes, lengths, strict=True))


@public(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Windows of an array, along new last axes. See `numpy.lib.stride_tricks.sliding_window_view`.

    Args:
        x: array.
        window_shape: length of the window, or one for each axis.
        axis: the axes that the windows move along; all by default.
        subok: ignored for a traced array.
        writeable: ignored for a traced array, whose windows are a copy.

    Raises:
        ValueError: if a window is longer than its axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.lib.stride_tricks.sliding_window_view(fnp.arange(4), 3)
        Array([[0, 1, 2],
               [1, 2, 3]])
    """
    out = as_value(x, "np.lib.stride_tricks.sliding_window_view")
    for a, n in _sizes(out, window_shape, axis):
        starts = np.arange(typeof(out).shape[a] - n + 1)
        out = moveaxis(take(out, starts[:, None] + np.arange(n), axis=a), a + 1, -1)
    return out


stride_tricks = SimpleNamespace(sliding_window_view=sliding_window_view)
"""Of `numpy.lib.stride_tricks`; ``as_strided`` reads memory, which a traced array has none of."""
