"""Functions that put an array's axes, or its elements along them, in another order."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import int64
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import AxisError, ShapeError
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, canonical_axes, normalise_axis
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import structure
from fxla.ops.arithmetic import mod, neg
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice
from fxla.ops.shape import concatenate, rev, slice_in_dim

__all__ = [
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "roll",
    "rollaxis",
    "rot90",
    "swapaxes",
    "transpose",
]


@public(np.transpose, by_type=REAL_AND_COMPLEX)
def transpose(a: Any, axes: Any = None) -> Value:
    """An array with its axes permuted.

    Args:
        a: an array.
        axes: axis k of the result is axis ``axes[k]`` of `a`; default: reversed.

    Raises:
        ValueError: if `axes` is not a permutation.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.transpose(fnp.ones((2, 3))).shape
        (3, 2)
    """
    x = as_value(a, "np.transpose")
    n = typeof(x).ndim
    if axes is None:
        return structure.transpose(x, tuple(range(n))[::-1])
    perm = canonical_axes(tuple(axes), n, "np.transpose")
    if len(perm) != n:
        raise ValueError(f"np.transpose: axes {tuple(axes)} don't match array {typeof(x)}")
    return structure.transpose(x, perm)


@public(np.permute_dims, by_type=REAL_AND_COMPLEX)
def permute_dims(a: Any, axes: Any = None) -> Value:
    """The array-API name of `transpose`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.permute_dims(fnp.ones((2, 3, 4)), (1, 0, 2)).shape
        (3, 2, 4)
    """
    return transpose(a, axes)


@public(np.matrix_transpose, by_type=REAL_AND_COMPLEX)
def matrix_transpose(x: Any, /) -> Value:
    """Matrices, or stacks of them, transposed: the last two axes swapped.

    Raises:
        ValueError: if there are fewer than two axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.matrix_transpose(fnp.ones((5, 2, 3))).shape
        (5, 3, 2)
    """
    x = as_value(x, "np.matrix_transpose")
    if typeof(x).ndim < 2:
        raise ShapeError(
            f"np.matrix_transpose: input array must be at least 2-dimensional, got {typeof(x)}"
        )
    return swapaxes(x, -1, -2)


@public(np.swapaxes, by_type=REAL_AND_COMPLEX)
def swapaxes(a: Any, axis1: int, axis2: int) -> Value:
    """An array with two axes exchanged.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.swapaxes(fnp.ones((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    x = as_value(a, "np.swapaxes")
    n = typeof(x).ndim
    i, j = normalise_axis(axis1, n, "np.swapaxes"), normalise_axis(axis2, n, "np.swapaxes")
    perm = list(range(n))
    perm[i], perm[j] = j, i
    return structure.transpose(x, perm)


@public(np.moveaxis, by_type=REAL_AND_COMPLEX)
def moveaxis(a: Any, source: Any, destination: Any) -> Value:
    """An array with axes moved to new positions; the others keep their order.

    Args:
        a: an array.
        source: the axis or axes to move.
        destination: where each of them goes.

    Raises:
        ValueError: if there are not as many destinations as sources.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.moveaxis(fnp.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    x = as_value(a, "np.moveaxis")
    n = typeof(x).ndim
    come_from = canonical_axes(listed(source), n, "np.moveaxis")
    go_to = canonical_axes(listed(destination), n, "np.moveaxis")
    if len(come_from) != len(go_to):
        raise ValueError(
            "np.moveaxis: `source` and `destination` arguments must have the same number of "
            f"elements, got {source} and {destination}"
        )
    order = [k for k in range(n) if k not in come_from]
    for to, axis in sorted(zip(go_to, come_from, strict=True)):
        order.insert(to, axis)
    return structure.transpose(x, order)


def listed(axis: Any) -> tuple[int, ...]:
    """An axis, or several, as a tuple."""
    return tuple(axis) if isinstance(axis, (list, tuple)) else (operator.index(axis),)


@public(np.rollaxis, by_type=REAL_AND_COMPLEX)
def rollaxis(a: Any, axis: int, start: int = 0) -> Value:
    """An array with one axis moved before the axis `start`; `moveaxis` is easier to read.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.rollaxis(fnp.ones((2, 3, 4)), 2).shape
        (4, 2, 3)
    """
    x = as_value(a, "np.rollaxis")
    n = typeof(x).ndim
    at = normalise_axis(axis, n, "np.rollaxis")
    if not -n <= start <= n:
        raise AxisError(f"np.rollaxis: start {start} is out of bounds: {-n} <= start <= {n}")
    to = start + n if start < 0 else start
    return structure.move_axis(x, at, to - 1 if at < to else to)


@public(np.flip, by_type=REAL_AND_COMPLEX)
def flip(m: Any, axis: Any = None) -> Value:
    """An array with the order of its elements reversed.

    Args:
        m: an array.
        axis: axis or axes to reverse; default: all.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.flip([1.0, 2.0, 3.0])
        Array([3., 2., 1.])
    """
    x = as_value(m, "np.flip")
    return rev(x, canonical_axes(axis, typeof(x).ndim, "np.flip"))


def _at_least(x: Value, rank: int, call: str) -> Value:
    if typeof(x).ndim < rank:
        raise ShapeError(f"{call}: input must be >= {rank}-d, got {typeof(x)}{where_am_i()}")
    return x


@public(np.fliplr, by_type=REAL_AND_COMPLEX)
def fliplr(m: Any) -> Value:
    """Axis 1 reversed.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.fliplr([[1.0, 2.0]])
        Array([[2., 1.]])
    """
    return rev(_at_least(as_value(m, "np.fliplr"), 2, "np.fliplr"), (1,))


@public(np.flipud, by_type=REAL_AND_COMPLEX)
def flipud(m: Any) -> Value:
    """Axis 0 reversed.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.flipud([1.0, 2.0])
        Array([2., 1.])
    """
    return rev(_at_least(as_value(m, "np.flipud"), 1, "np.flipud"), (0,))


@public(np.rot90, by_type=REAL_AND_COMPLEX)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Value:
    """An array turned by k quarter turns in the plane of two axes, from the first to the second.

    Raises:
        ValueError: if `axes` are not two different axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.rot90([[1.0, 2.0], [3.0, 4.0]])
        Array([[2., 4.],
               [1., 3.]])
    """
    x = as_value(m, "np.rot90")
    if len(axes) != 2:
        raise ValueError("np.rot90: len(axes) must be 2.")
    try:
        i, j = canonical_axes(tuple(axes), typeof(x).ndim, "np.rot90")
    except AxisError:
        raise ShapeError(
            f"np.rot90: Axes={tuple(axes)} out of range for array of ndim={typeof(x).ndim}."
        ) from None
    turns = operator.index(k) % 4
    if turns == 0:
        return x
    if turns == 2:
        return rev(x, (i, j))
    if turns == 1:
        return swapaxes(rev(x, (j,)), i, j)
    return rev(swapaxes(x, i, j), (j,))


@public(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Value:
    """An array with its elements moved along axes; what leaves at one end enters at the other.

    Args:
        a: an array.
        shift: by how many places, for each axis; may be traced.
        axis: axis or axes; default: the flattened array, which then has its shape again.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.roll([1.0, 2.0, 3.0], 1)
        Array([3., 1., 2.])
    """
    x = as_value(a, "np.roll")
    if axis is None:
        flat = structure.reshape(x, (typeof(x).size,))
        return structure.reshape(roll(flat, shift, 0), typeof(x).shape)
    axes = tuple(
        normalise_axis(k, typeof(x).ndim, "np.roll")
        for k in (axis if isinstance(axis, (list, tuple)) else (axis,))
    )
    shifts = _split_shift(shift)
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ValueError(
            f"np.roll: {len(shifts)} shifts and {len(axes)} axes do not broadcast together"
        )
    count = max(len(shifts), len(axes))
    shifts, axes = shifts * (count // len(shifts)), axes * (count // len(axes))
    for by, k in zip(shifts, axes, strict=True):
        x = _roll_one(x, by, k)
    return x


def _split_shift(shift: Any) -> tuple[Any, ...]:
    if isinstance(shift, (list, tuple)):
        return tuple(shift)
    if isinstance(shift, (Tracer, np.ndarray)) and typeof(shift).ndim:
        return tuple(shift[k] for k in range(typeof(shift).size))
    return (shift,)


def _roll_one(x: Value, by: Any, axis: int) -> Value:
    n = typeof(x).shape[axis]
    if n == 0:
        return x
    if isinstance(by, Tracer):
        sizes = typeof(x).shape
        starts = [mod(neg(convert(by, int64)), n) if k == axis else 0 for k in range(len(sizes))]
        return dynamic_slice(concatenate([x, x], axis), starts, sizes)
    k = operator.index(by) % n
    if k == 0:
        return x
    parts = [slice_in_dim(x, n - k, n, axis=axis), slice_in_dim(x, 0, n - k, axis=axis)]
    return concatenate(parts, axis)
