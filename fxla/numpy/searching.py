"""Finding elements: their places in sorted arrays, and those for which a condition holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import int64
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import known_value, public_with, refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, as_values, broadcast_all, convert_all, promote
from fxla.numpy.reductions import truth
from fxla.numpy.selection import Selection, places_of_true
from fxla.numpy.sorting import value_along
from fxla.ops import sort as ops
from fxla.ops.arithmetic import floordiv, mod, sub
from fxla.ops.index import take
from fxla.ops.logic import ge
from fxla.ops.logic import select as ops_select
from fxla.ops.shape import iota, rev, slice_in_dim, stack
from fxla.ops.structure import broadcast_in_dim, broadcast_to, full, reshape

__all__ = [
    "argwhere",
    "compress",
    "digitize",
    "extract",
    "flatnonzero",
    "nonzero",
    "searchsorted",
    "select",
]


# --- searching ------------------------------------------------------------------------------


@public(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Value:
    """Where to insert values so that a sorted vector stays sorted.

    Args:
        a: a vector in ascending order.
        v: values.
        side: ``"left"``: before equal elements; ``"right"``: after them.
        sorter: positions that sort `a`, if it is not sorted.

    Raises:
        ValueError: if `a` is not a vector, or `side` is neither.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.searchsorted([1.0, 2.0, 3.0], [2.0, 5.0])
        Array([1, 3])
    """
    call = "np.searchsorted"
    x, values = promote(call, *as_values(call, a, v))
    if typeof(x).ndim != 1:
        raise ShapeError(f"{call}: object of too small depth for desired array: {typeof(x)}")
    if side not in ("left", "right"):
        raise ValueError(f"{call}: side must be 'left' or 'right', got {side!r}")
    if sorter is not None:
        x = take(x, as_value(sorter, call), 0)
    return ops.searchsorted(x, values, side)


@public(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Value:
    """The number of the bin of each value: ``bins[i-1] <= x < bins[i]`` for rising bins.

    Args:
        x: values.
        bins: edges in rising or falling order.
        right: whether a bin contains its right edge instead of its left one.

    Raises:
        ValueError: if the edges are known and not monotonic.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.digitize([0.5, 1.5, 9.0], [0.0, 1.0, 2.0])
        Array([1, 2, 3])
    """
    call = "np.digitize"
    values, edges = promote(call, *as_values(call, x, bins))
    n = typeof(edges).size
    known = known_value(bins)
    side = "left" if right else "right"
    rising = ops.searchsorted(edges, values, side)
    if known is not None:
        if bool(np.all(known[1:] >= known[:-1])):
            return rising
        if not bool(np.all(known[1:] <= known[:-1])):
            raise ValueError(f"{call}: bins must be monotonically increasing or decreasing")
    total = full(typeof(rising).shape, n, int64)
    falling = sub(total, ops.searchsorted(rev(edges, (0,)), values, side))
    if known is not None or n < 2:
        return falling if n >= 2 else rising
    last = reshape(slice_in_dim(edges, n - 1, n), ())
    upward = ge(last, reshape(slice_in_dim(edges, 0, 1), ()))
    return ops_select(upward, rising, falling)


# --- selecting by a condition ---------------------------------------------------------------


def _coordinates(flat: Value, shape: Sequence[int]) -> list[Value]:
    """The position along each axis of elements given by their numbers in C order."""
    found = []
    for axis, n in enumerate(shape):
        step = math.prod(shape[axis + 1 :])
        place = floordiv(flat, step) if step > 1 else flat
        found.append(mod(place, max(n, 1)) if axis else place)
    return found


def _true_places(x: Value) -> tuple[Selection, ...]:
    """Coordinates of the elements that are not zero, however many they are."""
    shape, n = typeof(x).shape, typeof(x).size
    mask = truth(reshape(x, (n,)))
    return tuple([Selection(c, mask) for c in _coordinates(iota(int64, (n,)), shape)])


@public_with(np.nonzero, "size", "fill_value")
def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Value, ...]:
    """Positions of the elements that are not zero, an array for each axis.

    Args:
        a: an array with at least one axis.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest; one number, or one for each axis; default 0.

    While the values are not known, a result without a size is a `Selection`: an array whose size is
    a value of the program.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.nonzero(fnp.array([0.0, 5.0, 7.0]))
        (Array([1, 2]),)
        >>> fnp.nonzero(fnp.array([0.0, 5.0, 7.0]), size=3, fill_value=-1)
        (Array([ 1,  2, -1]),)
    """
    call = "np.nonzero"
    x = as_value(a, call)
    shape = typeof(x).shape
    if not shape:
        raise ShapeError(f"{call}: calling nonzero on 0d arrays is not allowed{where_am_i()}")
    if size is None:
        known = known_value(x)
        return _true_places(x) if known is None else tuple(np.nonzero(known))
    flat, exists = places_of_true(truth(reshape(x, (typeof(x).size,))), size)
    fills = fill_value if isinstance(fill_value, (list, tuple)) else [fill_value] * len(shape)
    found = []
    for place, fill in zip(_coordinates(flat, shape), fills, strict=True):
        other = convert_all([as_value(0 if fill is None else fill, call)], int64)[0]
        found.append(ops_select(exists, place, broadcast_to(other, (size,))))
    return tuple(found)


@public_with(np.flatnonzero, "size", "fill_value")
def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Value:
    """Positions of the elements of the flattened array that are not zero.

    Args:
        a: an array.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest; default 0.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.flatnonzero(fnp.array([[0.0, 5.0], [7.0, 0.0]]))
        Array([1, 2])
    """
    x = as_value(a, "np.flatnonzero")
    return nonzero(reshape(x, (typeof(x).size,)), size=size, fill_value=fill_value)[0]


@public_with(np.argwhere, "size", "fill_value")
def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Value:
    """Positions of the elements that are not zero, one row for each.

    Args:
        a: an array.
        size: number of rows; default: as many as there are.
        fill_value: what fills the rest; default 0.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.argwhere(fnp.array([[0.0, 5.0], [7.0, 0.0]]))
        Array([[0, 1],
               [1, 0]])
    """
    x = as_value(a, "np.argwhere")
    if typeof(x).ndim == 0:
        (rows,) = nonzero(reshape(x, (1,)), size=size, fill_value=fill_value)
        return reshape(slice_in_dim(rows, 0, 0), (typeof(rows).shape[0], 0))
    columns = nonzero(x, size=size, fill_value=fill_value)
    if isinstance(columns[0], Selection):
        return Selection(stack([c.raw for c in columns], 1), columns[0].mask)
    return stack(columns, 1)


def taken(x: Value, mask: Value, axis: int, size: int | None, fill: Any, call: str) -> Value:
    """The slices of `x` along `axis` whose element of `mask` is true."""
    if size is None:
        known = known_value(mask)
        if known is None:
            n = typeof(mask).shape[0]
            return Selection(slice_in_dim(x, 0, n, axis=axis), truth(mask), axis)
        return take(x, np.flatnonzero(known), axis)
    places, exists = places_of_true(truth(mask), size)
    found = take(x, places, axis)
    shape = typeof(found).shape
    other = convert_all([as_value(0 if fill is None else fill, call)], typeof(x).dtype)[0]
    exists = broadcast_in_dim(exists, shape, (axis,))
    return ops_select(exists, found, broadcast_to(other, shape))


@public_with(np.extract, "size", "fill_value")
def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = None) -> Value:
    """The elements of an array that meet a condition, flattened.

    Args:
        condition: an array of the size of `arr`.
        arr: an array.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest; default 0.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.extract([True, False, True], [1.0, 2.0, 3.0])
        Array([1., 3.])
    """
    mask, x = as_values("np.extract", condition, arr)
    flat = reshape(x, (typeof(x).size,))
    return taken(flat, reshape(mask, (typeof(mask).size,)), 0, size, fill_value, "np.extract")


@public_with(np.compress, "size", "fill_value")
def compress(
    condition: Any,
    a: Any,
    axis: int | None = None,
    out: Any = None,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Value:
    """The slices of an array along an axis that meet a condition.

    Args:
        condition: a vector, at most as long as the axis.
        a: an array.
        axis: the axis; default: of the flattened array.
        out: not supported for traced arrays.
        size: number of slices; default: as many as there are.
        fill_value: what fills the rest; default 0.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.compress([True, False], [[1.0, 2.0], [3.0, 4.0]], axis=1)
        Array([[1.],
               [3.]])
    """
    refuse_out(out, "np.compress")
    mask, x = as_values("np.compress", condition, a)
    x, at = value_along("np.compress", x, axis)
    if typeof(mask).ndim != 1:
        raise ShapeError("np.compress: condition must be a 1-d array")
    return taken(x, mask, at, size, fill_value, "np.compress")


@public(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    """For each element the first choice whose condition holds.

    Args:
        condlist: boolean arrays.
        choicelist: as many arrays; all broadcast.
        default: where no condition holds.

    Raises:
        ValueError: if there are not as many choices as conditions, or none.
        TypeError: if a condition is not boolean.

    Example:
        >>> import fxla.numpy as fnp
        >>> x = fnp.array([1.0, 2.0, 3.0])
        >>> fnp.select([x < 2, x > 2], [x, 10 * x])
        Array([ 1.,  0., 30.])
    """
    call = "np.select"
    if len(condlist) != len(choicelist):
        raise ValueError(f"{call}: list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError(f"{call}: select with an empty condition list is not possible")
    masks = as_values(call, *condlist)
    for k, m in enumerate(masks):
        if typeof(m).dtype != np.bool_:
            raise TypeError(
                f"{call}: invalid entry {k} in condlist: should be boolean ndarray, got {typeof(m)}"
            )
    values = promote(call, *as_values(call, *choicelist, default))
    *arrays, last = broadcast_all(call, *masks, *values)
    masks, choices = arrays[: len(masks)], arrays[len(masks) :]
    for mask, choice in zip(masks[::-1], choices[::-1], strict=True):
        last = ops_select(mask, choice, last)
    return last
