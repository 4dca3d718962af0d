"""The distinct elements of an array, and how often and where they stand: `unique` and its kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib import _arraysetops_impl as numpy_sets

from fxla.core.dtypes import bool_, int64, is_inexact
from fxla.core.trace import Value, typeof
from fxla.numpy.arguments import known_value, public_with
from fxla.numpy.operands import as_value, convert_all, normalise_axis
from fxla.numpy.selection import Selection, places_of_true
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cummin, cumsum
from fxla.ops.index import take
from fxla.ops.logic import and_, ne, not_, select
from fxla.ops.reduce import reduce_or
from fxla.ops.shape import concatenate, iota, slice_in_dim
from fxla.ops.sort import argsort, sort
from fxla.ops.structure import broadcast_in_dim, broadcast_to, full, move_axis, reshape

__all__ = [
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def flattened(x: Value) -> Value:
    """The elements of `x` as a vector."""
    return reshape(x, (typeof(x).size,))


def differs_from_previous(x: Value, equal_nan: bool) -> Value:
    """Which elements of a sorted vector, or rows of a sorted matrix, are the first of their run."""
    n = typeof(x).shape[0]
    if n == 0:
        return full((0,), True, bool_)
    after, before = slice_in_dim(x, 1, n), slice_in_dim(x, 0, n - 1)
    other = ne(after, before)
    if equal_nan and is_inexact(typeof(x).dtype):
        other = and_(other, not_(and_(ne(after, after), ne(before, before))))
    other = reduce_or(other, tuple(range(1, typeof(x).ndim)))
    return concatenate([full((1,), True, bool_), other], 0)


def with_fill(found: Value, exists: Value, fill: Any, call: str) -> Value:
    """`found`, with the fill value in the rows that do not exist; by default its first row."""
    shape, dtype = typeof(found).shape, typeof(found).dtype
    if shape[0] == 0:
        return found
    if fill is None:
        other = slice_in_dim(found, 0, 1)
    else:
        (other,) = convert_all([as_value(fill, call)], dtype)
    exists = broadcast_in_dim(exists, shape, (0,))
    return select(exists, found, broadcast_to(other, shape))


def _unique_sized(
    x: Value, equal_nan: bool, size: int, fill: Any, call: str
) -> tuple[Value, Value, Value, Value]:
    """Distinct rows of `x`, their first positions, the inverse, and their counts."""
    ordered, order, first, inverse = _in_order(x, equal_nan)
    places, exists = places_of_true(first, size)
    values = with_fill(take(ordered, places, 0), exists, fill, call)
    positions = with_fill(take(order, places, 0), exists, None, call)
    ends, _ = places_of_true(first, size + 1)
    counts = sub(slice_in_dim(ends, 1, size + 1), slice_in_dim(ends, 0, size))
    return values, positions, inverse, counts


def _unique_open(x: Value, equal_nan: bool) -> tuple[Selection, Selection, Value, Selection]:
    """`_unique_sized` without a size: as many as there are."""
    n = typeof(x).shape[0]
    ordered, order, first, inverse = _in_order(x, equal_nan)
    place = iota(int64, (n,))
    begins = select(first, place, full((n,), n, int64))
    ahead = cummin(begins, 0, reverse=True)
    ends = concatenate([slice_in_dim(ahead, min(n, 1), n), full((min(n, 1),), n, int64)], 0)
    counts = sub(ends, place)
    return Selection(ordered, first), Selection(order, first), inverse, Selection(counts, first)


def _in_order(x: Value, equal_nan: bool) -> tuple[Value, Value, Value, Value]:
    """Rows in order, where they were, which are first of their kind, and each one's kind."""
    n = typeof(x).shape[0]
    if typeof(x).ndim == 1:
        order = argsort(x, 0)
    else:
        width = math.prod(typeof(x).shape[1:])
        rows = reshape(x, (n, width))
        keys = [reshape(slice_in_dim(rows, k, k + 1, axis=1), (n,)) for k in range(width)]
        place = iota(int64, (n,))
        order = sort((*keys, place), 0, num_keys=width)[-1] if keys else place
    ordered = take(x, order, 0)
    first = differs_from_previous(ordered, equal_nan)
    number = sub(cumsum(convert(first, int64), 0), 1)
    return ordered, order, first, take(number, argsort(order, 0), 0)


def distinct_elements(
    call: str, x: Value, axis: int | None, equal_nan: bool, size: int | None, fill: Any
) -> tuple[Value, Value, Value, Value]:
    """Distinct elements, where each first stands, which of them each element is, and how many."""
    shape = typeof(x).shape
    rows = flattened(x) if axis is None else move_axis(x, normalise_axis(axis, len(shape), call), 0)
    if size is None:
        known = known_value(rows)
        if known is None:
            return _unique_traced(call, rows, axis, shape, equal_nan)
        _, index, inverse, counts = np.unique(
            known, True, True, True, axis=None if axis is None else 0, equal_nan=equal_nan
        )
        values = take(rows, index, 0)
    else:
        values, index, inverse, counts = _unique_sized(rows, equal_nan, size, fill, call)
    if axis is None:
        return values, index, reshape(inverse, shape), counts
    return move_axis(values, 0, normalise_axis(axis, len(shape), call)), index, inverse, counts


def _unique_traced(
    call: str, rows: Value, axis: int | None, shape: tuple[int, ...], equal_nan: bool
) -> tuple[Any, Any, Value, Any]:
    """The four results of `distinct_elements`, of a size that is a value of the program."""
    values, index, inverse, counts = _unique_open(rows, equal_nan)
    if axis is None:
        return values, index, reshape(inverse, shape), counts
    at = normalise_axis(axis, len(shape), call)
    return Selection(move_axis(values.raw, 0, at), values.mask, at), index, inverse, counts


@public_with(np.unique, "size", "fill_value")
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements of an array, in ascending order.

    Args:
        ar: an array.
        return_index: whether to return the position of the first occurrence of each.
        return_inverse: whether to return the number of each element of `ar` among the distinct.
        return_counts: whether to return how often each occurs.
        axis: distinct slices along this axis instead of elements.
        equal_nan: whether NaN equals NaN.
        sorted: accepted; a traced result is always sorted.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest; default: the first element of the result.

    Returns:
        The distinct elements, or a tuple with what else was asked for.

    While the values are not known, a result without a size is a `Selection`: an array whose size is
    a value of the program.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unique([3.0, 1.0, 3.0])
        Array([1., 3.])
        >>> fnp.unique(fnp.array([3.0, 1.0, 3.0]), size=3, fill_value=0.0)
        Array([1., 3., 0.])
    """
    x = as_value(ar, "np.unique")
    found = distinct_elements("np.unique", x, axis, equal_nan, size, fill_value)
    flags = (True, return_index, return_inverse, return_counts)
    wanted = tuple(part for part, flag in zip(found, flags, strict=True) if flag)
    return wanted[0] if len(wanted) == 1 else wanted


@public_with(np.unique_all, "size", "fill_value")
def unique_all(x: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Distinct elements, their first positions, the inverse and the counts; NaN are distinct.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unique_all([3.0, 1.0, 3.0]).counts
        Array([1, 2])
    """
    x = as_value(x, "np.unique_all")
    found = distinct_elements("np.unique_all", x, None, False, size, fill_value)
    return numpy_sets.UniqueAllResult(*found)


@public_with(np.unique_counts, "size", "fill_value")
def unique_counts(x: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Distinct elements and how often each occurs; NaN are distinct.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unique_counts([3.0, 1.0, 3.0]).values
        Array([1., 3.])
    """
    x = as_value(x, "np.unique_counts")
    values, _, _, counts = distinct_elements("np.unique_counts", x, None, False, size, fill_value)
    return numpy_sets.UniqueCountsResult(values, counts)


@public_with(np.unique_inverse, "size", "fill_value")
def unique_inverse(x: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Distinct elements and the number of each element among them; NaN are distinct.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unique_inverse([3.0, 1.0, 3.0]).inverse_indices
        Array([1, 0, 1])
    """
    x = as_value(x, "np.unique_inverse")
    values, _, inverse, _ = distinct_elements("np.unique_inverse", x, None, False, size, fill_value)
    return numpy_sets.UniqueInverseResult(values, inverse)


@public_with(np.unique_values, "size", "fill_value")
def unique_values(x: Any, *, size: int | None = None, fill_value: Any = None) -> Value:
    """Distinct elements; NaN are distinct. NumPy leaves their order open; traced, they are sorted.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort(fnp.unique_values([3.0, 1.0, 3.0]))
        Array([1., 3.])
    """
    x = as_value(x, "np.unique_values")
    return distinct_elements("np.unique_values", x, None, False, size, fill_value)[0]
