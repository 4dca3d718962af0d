"""Functions that repeat, insert or leave out elements along an axis."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import int32, int64
from fxla.core.trace import Value, typeof
from fxla.numpy.arguments import known_value, public_with
from fxla.numpy.dispatch import public, unsupported
from fxla.numpy.operands import as_value, as_values, concrete_only, normalise_axis
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import shape as ops_shape
from fxla.ops import structure
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import scatter_add, take
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import expand_dims

__all__ = ["delete", "insert", "repeat", "tile"]


@public(np.tile, by_type=REAL_AND_COMPLEX)
def tile(A: Any, reps: Any) -> Value:
    """Copies of an array side by side.

    Args:
        A: an array.
        reps: number of copies along each axis; missing leading ones are 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.tile([1.0, 2.0], 2)
        Array([1., 2., 1., 2.])
    """
    x = as_value(A, "np.tile")
    counts = tuple(operator.index(r) for r in (reps if np.ndim(reps) else (reps,)))
    shape = typeof(x).shape
    rank = max(len(shape), len(counts))
    x = structure.reshape(x, (1,) * (rank - len(shape)) + shape)
    return ops_shape.tile(x, (1,) * (rank - len(counts)) + counts)


@public_with(np.repeat, "total_repeat_length")
def repeat(
    a: Any, repeats: Any, axis: int | None = None, *, total_repeat_length: int | None = None
) -> Value:
    """Every element of an array several times in a row.

    Args:
        a: an array.
        repeats: how often, for all or for each element.
        axis: along which axis; default: of the flattened array.
        total_repeat_length: size of the result, needed when `repeats` is traced; the result is cut
            or filled with the last element.

    Raises:
        ValueError: if there are not as many repeats as elements.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.repeat([1.0, 2.0], [1, 2])
        Array([1., 2., 2.])
    """
    x = as_value(a, "np.repeat")
    if axis is None:
        x, axis = structure.reshape(x, (typeof(x).size,)), 0
    at = normalise_axis(axis, typeof(x).ndim, "np.repeat")
    n = typeof(x).shape[at]
    if total_repeat_length is not None:
        return _repeat_to(x, as_value(repeats, "np.repeat"), at, total_repeat_length)
    counts = known_value(repeats)
    if counts is None:
        unsupported(
            "np.repeat", "a traced `repeats`", "Give the result's size with `total_repeat_length=`."
        )
    if counts.size == 1:
        times = operator.index(counts.reshape(())[()])
        shape = typeof(x).shape
        wide = (*shape[: at + 1], times, *shape[at + 1 :])
        kept = [k for k in range(len(wide)) if k != at + 1]
        repeated = structure.broadcast_in_dim(x, wide, kept)
        return structure.reshape(repeated, (*shape[:at], n * times, *shape[at + 1 :]))
    return take(x, np.repeat(np.arange(n), counts), at)


def _repeat_to(x: Value, repeats: Value, axis: int, length: int) -> Value:
    """`x` with a traced number of repeats of each element, to a known length.

    A place of the result reads the element whose number is that of the ends at or before it: marks
    at the ends, summed along the result, which costs less than a search for each place.
    """
    n = typeof(x).shape[axis]
    ends = cumsum(structure.broadcast_to(convert(repeats, int64), (n,)), 0)
    narrow = int32 if length < np.iinfo(np.int32).max else int64
    marks = structure.full((length,), 0, narrow), structure.full((n,), 1, narrow)
    at_ends = GatherDims((), (0,), (0,))
    sums = cumsum(scatter_add(marks[0], expand_dims(ends, (1,)), marks[1], at_ends, (1,)), 0)
    return take(x, sums, axis)


_RUNS = 6


"""Into how many slices an insertion or a deletion is cut at most."""


def _positions(call: str, obj: Any) -> Any:
    """Positions along an axis: a slice, or a concrete array. An empty list has no dtype."""
    if isinstance(obj, slice):
        return obj
    known = concrete_only(obj, call, "`obj`")
    return known if known.size else known.astype(np.intp)


def _by_runs(x: Value, order: Any, axis: int, new: Value | None = None) -> Value:
    """The elements of `x`, and of `new` after it, at known positions; a few runs are slices."""
    n = typeof(x).shape[axis]
    cuts = np.flatnonzero((np.diff(order) != 1) | (order[1:] == n)) + 1
    if not order.size or len(cuts) > _RUNS:
        whole = x if new is None else ops_shape.concatenate([x, new], axis)
        return take(whole, order, axis)
    parts = []
    for begin, end in itertools.pairwise([0, *cuts.tolist(), order.size]):
        first, last = int(order[begin]), int(order[end - 1]) + 1
        source, away = (x, 0) if new is None or first < n else (new, n)
        parts.append(slice_in_dim(source, first - away, last - away, axis=axis))
    return parts[0] if len(parts) == 1 else ops_shape.concatenate(parts, axis)


@public(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Value:
    """An array with values inserted before given positions.

    Args:
        arr: an array.
        obj: positions: an integer, a slice, a boolean mask or several integers; not traced.
        values: what to insert; broadcast to fit.
        axis: the axis; default: `arr` is flattened.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.insert([1.0, 3.0], 1, 2.0)
        Array([1., 2., 3.])
    """
    x, new = as_values("np.insert", arr, values)
    if axis is None:
        x, axis = structure.reshape(x, (typeof(x).size,)), 0
    at = normalise_axis(axis, typeof(x).ndim, "np.insert")
    shape = typeof(x).shape
    positions = _positions("np.insert", obj)
    missing = len(shape) - typeof(new).ndim
    new = structure.reshape(new, (1,) * max(0, missing) + typeof(new).shape)
    if isinstance(positions, slice):
        count = len(range(*positions.indices(shape[at])))
    elif positions.ndim == 0:
        # one position takes all of `values`, whose first axis then runs along `axis`
        new = structure.move_axis(new, 0, at)
        count = typeof(new).shape[at]
    else:
        count = int(positions.sum()) if positions.dtype == bool else positions.size
        if positions.size == 1 and positions.dtype != bool:
            count = typeof(new).shape[at]
    new = convert(
        structure.broadcast_to(new, (*shape[:at], count, *shape[at + 1 :])), typeof(x).dtype
    )
    order = np.insert(np.arange(shape[at]), positions, shape[at] + np.arange(count))
    return _by_runs(x, order, at, new)


@public(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Value:
    """An array without the elements at given positions.

    Args:
        arr: an array.
        obj: positions: an integer, a slice, a boolean mask or several integers; not traced.
        axis: the axis; default: `arr` is flattened.

    Raises:
        IndexError: if a position is out of bounds.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.delete([1.0, 2.0, 3.0], 1)
        Array([1., 3.])
    """
    x = as_value(arr, "np.delete")
    if axis is None:
        x, axis = structure.reshape(x, (typeof(x).size,)), 0
    at = normalise_axis(axis, typeof(x).ndim, "np.delete")
    positions = _positions("np.delete", obj)
    return _by_runs(x, np.delete(np.arange(typeof(x).shape[at]), positions), at)
