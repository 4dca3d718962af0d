"""Sets of numbers: membership, unions and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import bool_, int64, is_complex
from fxla.core.trace import Value, typeof
from fxla.numpy.arguments import known_value, needs_size, public_with
from fxla.numpy.dispatch import public
from fxla.numpy.distinct import differs_from_previous, distinct_elements, flattened, with_fill
from fxla.numpy.operands import as_values, promote
from fxla.numpy.selection import Selection
from fxla.ops.casts import convert
from fxla.ops.index import take
from fxla.ops.logic import and_, eq, lt, not_
from fxla.ops.reduce import reduce_or
from fxla.ops.shape import concatenate, iota
from fxla.ops.sort import argsort, searchsorted, sort
from fxla.ops.structure import broadcast_in_dim, broadcast_to, full, reduce_sum, reshape

__all__ = [
    "intersect1d",
    "isin",
    "setdiff1d",
    "setxor1d",
    "union1d",
]


def _member(x: Value, among: Value) -> Value:
    """Which elements of a vector are in another; NaN is in none."""
    n = typeof(among).shape[0]
    if n == 0 or typeof(x).shape[0] == 0:
        return full(typeof(x).shape, False, bool_)
    if is_complex(typeof(x).dtype):
        shape = (typeof(x).shape[0], n)
        return reduce_or(
            eq(broadcast_in_dim(x, shape, (0,)), broadcast_in_dim(among, shape, (1,))), (1,)
        )
    (ordered,) = sort((among,), 0)
    return eq(take(ordered, searchsorted(ordered, x), 0), x)


@public(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> Value:
    """Which elements of an array are among others.

    Args:
        element: an array.
        test_elements: the others.
        assume_unique: accepted.
        invert: whether to say which are not.
        kind: accepted; the others are sorted and searched.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.isin([1.0, 2.0, 3.0], [3.0, 1.0])
        Array([ True, False,  True])
    """
    x, among = promote("np.isin", *as_values("np.isin", element, test_elements))
    found = reshape(_member(flattened(x), flattened(among)), typeof(x).shape)
    return not_(found) if invert else found


def _selected(values: Value, keep: Value, size: int | None, fill: Any, call: str) -> Any:
    """The kept elements of a vector in ascending order, `size` of them."""
    n = typeof(values).shape[0]
    out_first = convert(not_(keep), np.dtype(np.int8))
    _, ordered = sort((out_first, values), 0, num_keys=2)
    count = reduce_sum(convert(keep, int64), (0,))
    if size is None:
        return Selection(ordered, lt(iota(int64, (n,)), broadcast_to(count, (n,))))
    place = iota(int64, (size,))
    exists = lt(place, broadcast_to(count, (size,)))
    found = take(ordered, place, 0) if n else full((size,), 0, typeof(values).dtype)
    return with_fill(found, exists, fill, call)


def _distinct(x: Value) -> tuple[Value, Value]:
    """A sorted vector, and which of its elements are the first of their run."""
    (ordered,) = sort((x,), 0)
    return ordered, differs_from_previous(ordered, True)


def _two_sets(call: str, ar1: Any, ar2: Any) -> tuple[Value, Value, bool]:
    """Both as vectors of one dtype, and whether their values are known."""
    x, y = [flattened(v) for v in promote(call, *as_values(call, ar1, ar2))]
    return x, y, known_value(x) is not None and known_value(y) is not None


@public_with(np.intersect1d, "size", "fill_value")
def intersect1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The sorted distinct elements that are in both arrays.

    Args:
        ar1: an array.
        ar2: an array.
        assume_unique: whether the elements of each are known to be distinct.
        return_indices: whether to return their first positions in both; not with `size`.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.intersect1d([1.0, 2.0, 2.0], [2.0, 3.0])
        Array([2.])
    """
    call = "np.intersect1d"
    x, y, both_known = _two_sets(call, ar1, ar2)
    if size is None and both_known:
        known: Any = (known_value(x), known_value(y))
        _, i, j = np.intersect1d(known[0], known[1], assume_unique, True)
        found = take(x, i, 0)
        return (found, i, j) if return_indices else found
    if size is None and return_indices:
        raise needs_size(x, call)
    ordered, first = _distinct(x)
    found = _selected(ordered, and_(first, _member(ordered, y)), size, fill_value, call)
    if return_indices:
        return found, *(searchsorted_first(v, found) for v in (x, y))
    return found


def searchsorted_first(x: Value, values: Value) -> Value:
    """The first position in `x` of each of `values`, which are all in it."""
    order = argsort(x, 0)
    return take(order, searchsorted(take(x, order, 0), values), 0)


@public_with(np.union1d, "size", "fill_value")
def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Value:
    """The sorted distinct elements that are in either array.

    Args:
        ar1: an array.
        ar2: an array.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.union1d([1.0, 2.0], [2.0, 3.0])
        Array([1., 2., 3.])
    """
    x, y = [flattened(v) for v in promote("np.union1d", *as_values("np.union1d", ar1, ar2))]
    both = concatenate([x, y], 0)
    return distinct_elements("np.union1d", both, None, True, size, fill_value)[0]


@public_with(np.setdiff1d, "size", "fill_value")
def setdiff1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Value:
    """The sorted distinct elements of the first array that are not in the second.

    Args:
        ar1: an array.
        ar2: an array.
        assume_unique: whether the elements of each are known to be distinct.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.setdiff1d([1.0, 2.0], [2.0, 3.0])
        Array([1.])
    """
    call = "np.setdiff1d"
    x, y, both_known = _two_sets(call, ar1, ar2)
    if size is None and both_known:
        known, other = np.asarray(known_value(x)), np.asarray(known_value(y))
        index = np.arange(known.size) if assume_unique else np.unique(known, return_index=True)[1]
        return take(x, index[np.isin(known[index], other, invert=True)], 0)
    ordered, first = _distinct(x)
    return _selected(ordered, and_(first, not_(_member(ordered, y))), size, fill_value, call)


@public_with(np.setxor1d, "size", "fill_value")
def setxor1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Value:
    """The sorted distinct elements that are in exactly one of the arrays.

    Args:
        ar1: an array.
        ar2: an array.
        assume_unique: accepted.
        size: length of the result; default: as many as there are.
        fill_value: what fills the rest.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.setxor1d([1.0, 2.0], [2.0, 3.0])
        Array([1., 3.])
    """
    call = "np.setxor1d"
    x, y, both_known = _two_sets(call, ar1, ar2)
    if size is None and both_known:
        known: Any = (known_value(x), known_value(y))
        alone = np.setxor1d(*known)
        values, index = np.unique(np.concatenate(known), return_index=True)
        return take(concatenate([x, y], 0), index[np.isin(values, alone)], 0)
    parts, keeps = [], []
    for v, other in ((x, y), (y, x)):
        ordered, first = _distinct(v)
        parts.append(ordered)
        keeps.append(and_(first, not_(_member(ordered, other))))
    return _selected(concatenate(parts, 0), concatenate(keeps, 0), size, fill_value, call)
