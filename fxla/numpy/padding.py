"""`pad`, in all of NumPy's modes.

One axis after the other is padded, so corners are padded values padded again, as in NumPy. Modes
that copy elements are slices and reversals while one reflection is enough, and a gather beyond.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import float64, is_inexact
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.dispatch import public, unsupported
from fxla.numpy.extremes import amax, amin
from fxla.numpy.moments import mean
from fxla.numpy.operands import as_value, concrete_only, convert_all
from fxla.numpy.quantiles import median
from fxla.ops import shape as ops_shape
from fxla.ops.arithmetic import floor, mul, rint_p, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.index import take
from fxla.ops.shape import concatenate, rev, slice_in_dim
from fxla.ops.structure import broadcast_in_dim

__all__ = ["pad"]

_KEYWORDS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",),
    "edge": (),
    "empty": (),
    "linear_ramp": ("end_values",),
    "maximum": ("stat_length",),
    "mean": ("stat_length",),
    "median": ("stat_length",),
    "minimum": ("stat_length",),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "wrap": (),
}


@public(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Value:
    """An array with a border.

    Args:
        array: an array.
        pad_width: ``((before, after), ...)`` for each axis, ``(before, after)`` or one number for
            all; or a dictionary from axes to one of these.
        mode: ``"constant"``, ``"edge"`` (repeat the last element), ``"reflect"`` (mirror at the
            last element), ``"symmetric"`` (mirror behind it), ``"wrap"``, ``"linear_ramp"``,
            ``"maximum"``, ``"mean"``, ``"median"``, ``"minimum"``, ``"empty"`` (zeros).
        **kwargs: ``constant_values``, ``end_values``, ``stat_length``, ``reflect_type``, as in
            `numpy.pad`.

    Raises:
        ValueError: if a width is negative, or a keyword does not go with the mode.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.pad([1.0, 2.0, 3.0], 2, mode="reflect")
        Array([3., 2., 1., 2., 3., 2., 1.])
    """
    x = as_value(array, "np.pad")
    if callable(mode):
        unsupported("np.pad", "a function as `mode`", "It writes to its argument in place.")
    if mode not in _KEYWORDS:
        raise ValueError(f"np.pad: mode '{mode}' is not supported")
    surplus = set(kwargs) - set(_KEYWORDS[mode])
    if surplus:
        raise ValueError(f"np.pad: unsupported keyword arguments for mode '{mode}': {surplus}")
    ndim = typeof(x).ndim
    widths = _widths(pad_width, ndim)
    if mode in ("constant", "empty"):
        return _constant(x, widths, kwargs.get("constant_values", 0))
    ends = _pairs(kwargs.get("end_values", 0), ndim)
    lengths = _pairs(kwargs.get("stat_length"), ndim)
    for axis, (before, after) in enumerate(widths):
        if before == after == 0:
            continue
        n = typeof(x).shape[axis]
        if n == 0:
            raise ShapeError(
                f"np.pad: can't extend empty axis {axis} using modes other than 'constant' or "
                f"'empty'{where_am_i()}"
            )
        if mode == "linear_ramp":
            x = _ramps(x, axis, (before, after), ends[axis])
        elif mode in _STATISTICS:
            x = _statistics(x, axis, (before, after), mode, lengths[axis])
        elif kwargs.get("reflect_type", "even") == "odd" and n > 1:
            x = _odd(x, axis, (before, after), mode)
        else:
            x = _copies(x, axis, (before, after), mode)
    return x


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        given: list[Any] = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            given[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        pad_width = given
    known = concrete_only(pad_width, "np.pad", "`pad_width`")
    if known.dtype.kind not in "iu" and known.size:
        raise TypeError("np.pad: `pad_width` must be of integral type.")
    pairs = np.broadcast_to(known, (ndim, 2)).tolist()
    if any(n < 0 for pair in pairs for n in pair):
        raise ValueError("np.pad: index can't contain negative values")
    return [(before, after) for before, after in pairs]


def _pairs(value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """A value for before and after each axis; values may be traced."""
    if value is None:
        return [(None, None)] * ndim
    if isinstance(value, Tracer):
        if typeof(value).ndim:
            rows = broadcast_to_pairs(value, ndim)
            return [(rows[k, 0], rows[k, 1]) for k in range(ndim)]
        return [(value, value)] * ndim
    if isinstance(value, (list, tuple)) and len(value) == 2 and not any(map(np.ndim, value)):
        return [(value[0], value[1])] * ndim
    if isinstance(value, (list, tuple)) and all(isinstance(v, (list, tuple)) for v in value):
        rows = [tuple(v) * (2 // len(v)) for v in value]
        return rows * (ndim // len(rows)) if rows else []
    return [(a, b) for a, b in np.broadcast_to(np.asarray(value), (ndim, 2))]


def broadcast_to_pairs(value: Value, ndim: int) -> Value:
    """A traced array of paddings broadcast to (ndim, 2)."""
    shape = typeof(value).shape
    return broadcast_in_dim(value, (ndim, 2), range(2 - len(shape), 2))


def _scalar(value: Any, x: Value) -> Value:
    return convert_all([as_value(value, "np.pad")], typeof(x).dtype)[0]


def _constant(x: Value, widths: list[tuple[int, int]], values: Any) -> Value:
    if not isinstance(values, (list, tuple, np.ndarray)) and not np.ndim(values):
        low, high = [a for a, _ in widths], [b for _, b in widths]
        return ops_shape.pad(x, _scalar(values, x), low, high)
    for axis, (width, pair) in enumerate(zip(widths, _pairs(values, len(widths)), strict=True)):
        for side in (0, 1):
            around = [[0] * len(widths), [0] * len(widths)]
            around[side][axis] = width[side]
            x = ops_shape.pad(x, _scalar(pair[side], x), *around)
    return x


def _copies(x: Value, axis: int, width: tuple[int, int], mode: str) -> Value:
    """Modes that copy elements: edge, reflect, symmetric, wrap."""
    n = typeof(x).shape[axis]
    before, after = width

    def part(start: int, stop: int) -> Value:
        return slice_in_dim(x, start, stop, axis=axis)

    if mode == "edge":
        left, right = part(0, 1), part(n - 1, n)
        pieces = [_repeated(left, before, axis), x, _repeated(right, after, axis)]
    elif mode == "reflect" and max(width) < n:
        pieces = [
            rev(part(1, before + 1), (axis,)),
            x,
            rev(part(n - 1 - after, n - 1), (axis,)),
        ]
    elif mode == "symmetric" and max(width) <= n:
        pieces = [rev(part(0, before), (axis,)), x, rev(part(n - after, n), (axis,))]
    elif mode == "wrap" and max(width) <= n:
        pieces = [part(n - before, n), x, part(0, after)]
    else:
        return take(x, np.pad(np.arange(n), width, mode=mode), axis)  # type: ignore[call-overload]
    return concatenate([p for p in pieces if typeof(p).shape[axis]], axis)


def _repeated(x: Value, count: int, axis: int) -> Value:
    """A slice of size 1 repeated along its axis."""
    shape = typeof(x).shape
    return broadcast_in_dim(x, (*shape[:axis], count, *shape[axis + 1 :]), range(len(shape)))


def _odd(x: Value, axis: int, width: tuple[int, int], mode: str) -> Value:
    """Reflections through the end point: twice the edge minus the mirror image.

    NumPy reflects what it has reflected already when the border is wider than the array; each round
    here does the same.
    """
    before, after = width
    while before or after:
        n = typeof(x).shape[axis]
        skip = 1 if mode == "reflect" else 0
        room = n - skip
        left, right = min(before, room), min(after, room)
        first, last = slice_in_dim(x, 0, 1, axis=axis), slice_in_dim(x, n - 1, n, axis=axis)
        pieces = []
        if left:
            mirror = rev(slice_in_dim(x, skip, skip + left, axis=axis), (axis,))
            pieces.append(_through(first, mirror, left, axis))
        pieces.append(x)
        if right:
            mirror = rev(slice_in_dim(x, n - skip - right, n - skip, axis=axis), (axis,))
            pieces.append(_through(last, mirror, right, axis))
        x = concatenate(pieces, axis)
        before, after = before - left, after - right
    return x


def _through(edge: Value, mirror: Value, count: int, axis: int) -> Value:
    wide = _repeated(edge, count, axis)
    return sub(add(wide, wide), mirror)


def _ramps(x: Value, axis: int, width: tuple[int, int], ends: tuple[Any, Any]) -> Value:
    """Straight lines from the end values, which are reached, to the edges, which are not."""
    n = typeof(x).shape[axis]
    pieces = [x]
    for side, count in enumerate(width):
        if not count:
            continue
        edge = (
            slice_in_dim(x, 0, 1, axis=axis) if side == 0 else slice_in_dim(x, n - 1, n, axis=axis)
        )
        dtype = typeof(x).dtype
        work = dtype if is_inexact(dtype) else float64
        steps = np.arange(count, dtype=np.float64) / count
        weight = convert((steps if side == 0 else steps[::-1].copy()), work)
        shape = (*typeof(x).shape[:axis], count, *typeof(x).shape[axis + 1 :])
        weight = broadcast_in_dim(weight, shape, (axis,))
        wide = convert(_repeated(edge, count, axis), work)
        (end,) = convert_all([as_value(ends[side], "np.pad")], work)
        end = broadcast_in_dim(end, shape, ())
        ramp = add(end, mul(weight, sub(wide, end)))
        if not is_inexact(dtype):
            ramp = floor(ramp)
        pieces.insert(0 if side == 0 else len(pieces), convert(ramp, dtype))
    return concatenate(pieces, axis)


_STATISTICS: dict[str, Callable[..., Value]] = {
    "maximum": amax,
    "minimum": amin,
    "mean": mean,
    "median": median,
}


def _statistics(
    x: Value, axis: int, width: tuple[int, int], mode: str, lengths: tuple[Any, Any]
) -> Value:
    """Modes that fill with a statistic of the elements near each end."""
    n, dtype = typeof(x).shape[axis], typeof(x).dtype
    pieces = [x]
    for side, (count, length) in enumerate(zip(width, lengths, strict=True)):
        if not count:
            continue
        m = n if length is None else min(n, operator.index(length))
        if m < 1:
            if mode in ("maximum", "minimum"):
                raise ValueError("np.pad: stat_length of 0 yields no value for padding")
            raise ValueError(f"np.pad: stat_length must be positive for mode {mode!r}")
        near = (
            slice_in_dim(x, 0, m, axis=axis) if side == 0 else slice_in_dim(x, n - m, n, axis=axis)
        )
        value = _STATISTICS[mode](near, axis=axis, keepdims=True)
        if not is_inexact(dtype) and typeof(value).dtype != dtype:
            value = rint_p.bind1(value)
        piece = _repeated(convert(value, dtype), count, axis)
        pieces.insert(0 if side == 0 else len(pieces), piece)
    return concatenate(pieces, axis)
