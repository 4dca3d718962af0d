"""Sorting and partitioning, and the order that sorts."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import complex64, default_complex, int64, is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import public_with
from fxla.numpy.dispatch import public, unsupported
from fxla.numpy.operands import as_value, as_values, normalise_axis
from fxla.ops import sort as ops
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.index import take_along_axis
from fxla.ops.order_statistic import LONG, partitioning
from fxla.ops.shape import iota, rev, slice_in_dim
from fxla.ops.structure import full, reshape

__all__ = [
    "argpartition",
    "argsort",
    "lexsort",
    "partition",
    "sort",
    "sort_complex",
]


def value_along(call: str, a: Any, axis: int | None, order: Any = None) -> tuple[Value, int]:
    """The array and the axis to sort along; the flattened array for None."""
    if order is not None:
        unsupported(call, "order=", "It is for structured arrays only.")
    x = as_value(a, call)
    if axis is None:
        return reshape(x, (typeof(x).size,)), 0
    return x, normalise_axis(axis, typeof(x).ndim, call)


@public_with(np.sort, "descending")
def sort(
    a: Any,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool | None = None,
) -> Value:
    """Elements in ascending order along an axis; NaN comes last.

    Args:
        a: an array.
        axis: the axis; None flattens first.
        kind: accepted; a traced sort is always stable.
        order: not supported for traced arrays.
        stable: accepted.
        descending: the array API's: in the opposite order, NaN first.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort([3.0, 1.0, 2.0]), fnp.sort([3.0, 1.0, 2.0], descending=True)
        (Array([1., 2., 3.]), Array([3., 2., 1.]))
    """
    x, at = value_along("np.sort", a, axis, order)
    found = ops.sort((x,), at)[0]
    return rev(found, (at,)) if descending else found


@public_with(np.argsort, "descending")
def argsort(
    a: Any,
    axis: int | None = -1,
    kind: str | None = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool | None = None,
) -> Value:
    """The positions that sort an array along an axis.

    Args:
        a: an array.
        axis: the axis; None flattens first.
        kind: accepted; traced, equal elements keep their order.
        order: not supported for traced arrays.
        stable: accepted.
        descending: the array API's: in the opposite order; equal elements keep theirs.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.argsort([3.0, 1.0, 2.0]), fnp.argsort([3.0, 1.0, 3.0], descending=True)
        (Array([1, 2, 0]), Array([0, 2, 1]))
    """
    if typeof(as_value(a, "np.argsort")).ndim == 0:
        a = reshape(as_value(a, "np.argsort"), (1,))
    x, at = value_along("np.argsort", a, axis, order)
    if not descending:
        return ops.argsort(x, at)
    found = rev(ops.argsort(rev(x, (at,)), at), (at,))
    return sub(np.int64(typeof(x).shape[at] - 1), found)


@public(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Value:
    """The positions that sort by several keys; the last key decides first.

    Args:
        keys: a sequence of arrays of one shape, or an array whose rows are the keys.
        axis: along which axis of the keys.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.lexsort(([3, 1, 2], [0, 1, 0]))
        Array([2, 0, 1])
    """
    call = "np.lexsort"
    if isinstance(keys, (list, tuple)):
        columns = as_values(call, *keys)
    else:
        x = as_value(keys, call)
        columns = [
            reshape(slice_in_dim(x, k, k + 1), typeof(x).shape[1:])
            for k in range(typeof(x).shape[0])
        ]
    if not columns:
        raise TypeError(f"{call}: need sequence of keys with len > 0 in lexsort")
    if any(typeof(c).shape != typeof(columns[0]).shape for c in columns):
        raise ShapeError(f"{call}: all keys need to be the same shape{where_am_i()}")
    if typeof(columns[0]).ndim == 0:
        return full((), 0, int64)
    at = normalise_axis(axis, typeof(columns[0]).ndim, call)
    place = iota(int64, typeof(columns[0]).shape, at)
    return ops.sort((*columns[::-1], place), at, num_keys=len(columns))[-1]


@public(np.sort_complex)
def sort_complex(a: Any) -> Value:
    """Elements sorted along the last axis by real part, then by imaginary part, as complex numbers.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sort_complex([2.0, 1.0])
        Array([1.+0.j, 2.+0.j])
    """
    x, at = value_along("np.sort_complex", a, -1)
    (found,) = ops.sort((x,), at)
    dtype = typeof(x).dtype
    if is_complex(dtype):
        return found
    # NumPy's choice, which is not its promotion
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    return convert(found, complex64 if small else default_complex())


@public(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Value:
    """Elements arranged so that the kth is in its sorted place, no larger ones before it.

    NumPy leaves the order on both sides open; a traced array is sorted.

    Args:
        a: an array.
        kth: position or positions.
        axis: the axis; None flattens first.
        kind: accepted.
        order: not supported for traced arrays.

    Raises:
        ValueError: if a position is out of bounds.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.partition([3.0, 1.0, 2.0], 1)[1])
        2.0
    """
    x, at = value_along("np.partition", a, axis, order)
    _check_kth("np.partition", kth, typeof(x).shape[at])
    places = _partitioning(x, kth, at)
    if places is None:
        return ops.sort((x,), at)[0]
    return take_along_axis(x, places, at, "promise_in_bounds")


@public(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Value:
    """The positions that `partition` an array; traced, those that sort it.

    Raises:
        ValueError: if a position is out of bounds.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.argpartition([3.0, 1.0, 2.0], 1)[1])
        2
    """
    x, at = value_along("np.argpartition", a, axis, order)
    _check_kth("np.argpartition", kth, typeof(x).shape[at])
    places = _partitioning(x, kth, at)
    return ops.argsort(x, at) if places is None else places


def _partitioning(x: Value, kth: Any, at: int) -> Value | None:
    """The positions that partition `x` at one place; None if it should be sorted."""
    n = typeof(x).shape[at]
    if np.size(kth) != 1 or n < 4 * LONG or typeof(x).dtype.kind not in "iuf":
        return None
    return partitioning(x, operator.index(np.ravel(kth)[0]) % n, at)


def _check_kth(call: str, kth: Any, n: int) -> None:
    for k in np.ravel(kth):
        if not -n <= operator.index(k) < n:
            raise ValueError(f"{call}: kth(={k}) out of bounds ({n}){where_am_i()}")
