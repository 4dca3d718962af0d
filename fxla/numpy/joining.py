"""Functions that put arrays together, take them apart, or repeat them."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, int32, int64
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import known_value, public_with, refuse_out
from fxla.numpy.dispatch import (
    as_value,
    as_values,
    concrete_only,
    convert_all,
    normalise_axis,
    promote,
    public,
    unsupported,
)
from fxla.numpy.shape import atleast_1d, atleast_2d, atleast_3d
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import shape as ops_shape
from fxla.ops import structure
from fxla.ops.cumulative import cumsum
from fxla.ops.elementwise import convert
from fxla.ops.gather_dims import GatherDims
from fxla.ops.index import scatter_add, take
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import expand_dims

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "repeat",
    "split",
    "stack",
    "tile",
    "unstack",
    "vsplit",
    "vstack",
]


# --- joining --------------------------------------------------------------------------------


def _operands(call: str, arrays: Any, dtype: Any, casting: str) -> list[Value]:
    """The arrays to be joined, in one dtype."""
    if not isinstance(arrays, (list, tuple)):
        x = as_value(arrays, call)
        if not typeof(x).ndim:
            raise TypeError(f"{call}: expected a sequence of arrays, got {typeof(x)}{where_am_i()}")
        arrays = [x[k] for k in range(typeof(x).shape[0])]
    values = as_values(call, *arrays)
    if not values:
        raise ShapeError(f"{call}: need at least one array{where_am_i()}")
    if dtype is None:
        return promote(call, *values)
    wanted = canonical_dtype(dtype)
    for x in values:
        if not np.can_cast(typeof(x).dtype, wanted, casting=casting):  # type: ignore[arg-type]
            raise DtypeError(
                f"{call}: cannot cast {typeof(x)} to {wanted} by the rule {casting!r}{where_am_i()}"
            )
    return convert_all(values, wanted)


def _joined(call: str, values: list[Value], axis: int) -> Value:
    """Concatenate, with an error that names the public function."""
    first = typeof(values[0])
    if first.ndim == 0:
        raise ShapeError(f"{call}: zero-dimensional arrays cannot be concatenated{where_am_i()}")
    at = normalise_axis(axis, first.ndim, call)
    for x in values[1:]:
        aval = typeof(x)
        if aval.ndim != first.ndim or structure.drop(aval.shape, (at,)) != structure.drop(
            first.shape, (at,)
        ):
            listed = ", ".join(str(typeof(v)) for v in values[:6])
            raise ShapeError(
                f"{call}: arrays must have the same shape except along axis {at}: {listed}"
                f"{where_am_i()}. Pad, slice or reshape them to fit, or give another axis."
            )
    return ops_shape.concatenate(values, at)


@public(np.concatenate, by_type=REAL_AND_COMPLEX)
def concatenate(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Value:
    """Arrays one after the other along an axis.

    Args:
        arrays: a sequence of arrays that agree in shape except along `axis`.
        axis: the axis; None flattens them first.
        out: not supported for traced arrays.
        dtype: of the result; default: the arrays' common dtype.
        casting: what conversion to `dtype` is allowed.

    Raises:
        ValueError: if the shapes do not fit, or there is no array.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.concatenate([[1.0, 2.0], [3.0]])
        Array([1., 2., 3.])
    """
    refuse_out(out, "np.concatenate")
    values = _operands("np.concatenate", arrays, dtype, casting)
    if axis is None:
        flat = [structure.reshape(x, (typeof(x).size,)) for x in values]
        return ops_shape.concatenate(flat, 0)
    return _joined("np.concatenate", values, axis)


@public(np.concat, by_type=REAL_AND_COMPLEX)
def concat(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Value:
    """The array-API name of `concatenate`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.concat([[1.0], [2.0]])
        Array([1., 2.])
    """
    return concatenate(arrays, axis, out, dtype=dtype, casting=casting)


@public(np.stack, by_type=REAL_AND_COMPLEX)
def stack(
    arrays: Any,
    axis: int = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Value:
    """Arrays of one shape side by side along a new axis.

    Args:
        arrays: a sequence of arrays of one shape.
        axis: position of the new axis in the result.
        out: not supported for traced arrays.
        dtype: of the result; default: the arrays' common dtype.
        casting: what conversion to `dtype` is allowed.

    Raises:
        ValueError: if the shapes differ, or there is no array.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
        Array([[1., 3.],
               [2., 4.]])
    """
    refuse_out(out, "np.stack")
    values = _operands("np.stack", arrays, dtype, casting)
    shape = typeof(values[0]).shape
    if any(typeof(x).shape != shape for x in values):
        listed = ", ".join(str(typeof(v)) for v in values[:6])
        raise ShapeError(
            f"np.stack: all input arrays must have the same shape: {listed}. "
            "Pad, slice or reshape them to one shape, or join them with `np.concatenate`."
        )
    return ops_shape.stack(values, normalise_axis(axis, len(shape) + 1, "np.stack"))


@public(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Value, ...]:
    """The slices of an array along an axis, as a tuple; the inverse of `stack`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.unstack(fnp.array([[1.0, 2.0], [3.0, 4.0]]))
        (Array([1., 2.]), Array([3., 4.]))
    """
    x = as_value(x, "np.unstack")
    if typeof(x).ndim == 0:
        raise ShapeError("np.unstack: input array must be at least 1-d")
    at = normalise_axis(axis, typeof(x).ndim, "np.unstack")
    return tuple(
        structure.squeeze(slice_in_dim(x, k, k + 1, axis=at), (at,))
        for k in range(typeof(x).shape[at])
    )


def _raised(call: str, tup: Any, raised: Any) -> list[Any]:
    items = _operands(call, tup, None, "same_kind")
    made = raised(*items)
    return list(made) if isinstance(made, tuple) else [made]


@public(np.vstack, by_type=REAL_AND_COMPLEX)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    """Arrays on top of each other: joined along the first axis, vectors as rows.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.vstack([[1.0, 2.0], [3.0, 4.0]])
        Array([[1., 2.],
               [3., 4.]])
    """
    rows = _raised("np.vstack", tup, atleast_2d)
    return _joined("np.vstack", _operands("np.vstack", rows, dtype, casting), 0)


@public(np.hstack, by_type=REAL_AND_COMPLEX)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    """Arrays beside each other: joined along the second axis, vectors along their only one.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.hstack([[1.0, 2.0], [3.0]])
        Array([1., 2., 3.])
    """
    parts = _raised("np.hstack", tup, atleast_1d)
    axis = 0 if typeof(parts[0]).ndim == 1 else 1
    return _joined("np.hstack", _operands("np.hstack", parts, dtype, casting), axis)


@public(np.dstack, by_type=REAL_AND_COMPLEX)
def dstack(tup: Any) -> Value:
    """Arrays behind each other: joined along the third axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.dstack([[1.0, 2.0], [3.0, 4.0]]).shape
        (1, 2, 2)
    """
    return _joined("np.dstack", _raised("np.dstack", tup, atleast_3d), 2)


@public(np.column_stack, by_type=REAL_AND_COMPLEX)
def column_stack(tup: Any) -> Value:
    """Vectors as the columns of a matrix; matrices are joined along their second axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.column_stack([[1.0, 2.0], [3.0, 4.0]])
        Array([[1., 3.],
               [2., 4.]])
    """
    columns = [
        structure.reshape(x, (typeof(x).size, 1)) if typeof(x).ndim < 2 else x
        for x in _operands("np.column_stack", tup, None, "same_kind")
    ]
    return _joined("np.column_stack", columns, 1)


@public(np.block)
def block(arrays: Any) -> Value:
    """An array assembled from nested lists of blocks.

    The innermost lists are joined along the last axis, those around them along the last but one,
    and so on.

    Args:
        arrays: nested lists, all of one depth.

    Raises:
        ValueError: if the depths or the shapes differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.block([[fnp.eye(1), fnp.zeros((1, 1))], [fnp.ones((1, 2))]])
        Array([[1., 0.],
               [1., 1.]])
    """
    depths = set(_depths(arrays))
    if len(depths) != 1:
        raise ShapeError("np.block: List depths are mismatched: all blocks must be as deep")
    (depth,) = depths
    leaves = as_values("np.block", *_leaves(arrays))
    values = iter(promote("np.block", *leaves))
    rank = max(depth, *(typeof(x).ndim for x in leaves))

    def assemble(item: Any, level: int) -> Value:
        if isinstance(item, list):
            parts = [assemble(x, level + 1) for x in item]
            return _joined("np.block", parts, rank - depth + level)
        x = next(values)
        return structure.reshape(x, (1,) * (rank - typeof(x).ndim) + typeof(x).shape)

    return assemble(arrays, 0)


def _depths(item: Any, depth: int = 0) -> list[int]:
    if not isinstance(item, list):
        return [depth]
    if not item:
        raise ShapeError("np.block: List at arrays cannot be empty")
    return [d for x in item for d in _depths(x, depth + 1)]


def _leaves(item: Any) -> list[Any]:
    return [leaf for x in item for leaf in _leaves(x)] if isinstance(item, list) else [item]


@public(np.append, by_type=REAL_AND_COMPLEX)
def append(arr: Any, values: Any, axis: int | None = None) -> Value:
    """`values` at the end of `arr`.

    Args:
        arr: an array.
        values: an array that fits along `axis`.
        axis: the axis; default: both are flattened.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.append([1.0, 2.0], 3.0)
        Array([1., 2., 3.])
    """
    return concatenate(as_values("np.append", arr, values), axis)


# --- splitting ------------------------------------------------------------------------------


@public(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    """Parts of an array along an axis; sizes may differ by one.

    Args:
        ary: an array.
        indices_or_sections: the number of parts, or the positions where to cut.
        axis: the axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.array_split(fnp.arange(3.0), 2)
        [Array([0., 1.]), Array([2.])]
    """
    x = as_value(ary, "np.array_split")
    at = normalise_axis(axis, typeof(x).ndim, "np.array_split")
    n = typeof(x).shape[at]
    if np.ndim(indices_or_sections):
        cuts = [0, *(operator.index(k) for k in indices_or_sections), n]
    else:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ValueError("np.array_split: number sections must be larger than 0.")
        each, extra = divmod(n, sections)
        cuts = [k * each + min(k, extra) for k in range(sections + 1)]
    parts = []
    for first, last in itertools.pairwise(cuts):
        start, stop, _ = slice(first, last).indices(n)
        parts.append(slice_in_dim(x, start, max(start, stop), axis=at))
    return parts


@public(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    """Parts of an array along an axis.

    Args:
        ary: an array.
        indices_or_sections: the number of equal parts, or the positions where to cut.
        axis: the axis.

    Raises:
        ValueError: if the number of parts does not divide the size.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.split(fnp.arange(4.0), [1])
        [Array([0.]), Array([1., 2., 3.])]
    """
    return _split("np.split", as_value(ary, "np.split"), indices_or_sections, axis)


def _split(call: str, x: Value, indices_or_sections: Any, axis: int) -> list[Value]:
    at = normalise_axis(axis, typeof(x).ndim, call)
    if not np.ndim(indices_or_sections):
        sections = operator.index(indices_or_sections)
        if sections == 0 or typeof(x).shape[at] % sections:
            raise ShapeError(
                f"{call}: array split does not result in an equal division: {typeof(x)} along "
                f"axis {at} in {sections} parts{where_am_i()}. `np.array_split` allows it."
            )
    return array_split(x, indices_or_sections, at)


@public(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the first axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> [x.shape for x in fnp.vsplit(fnp.ones((4, 2)), 2)]
        [(2, 2), (2, 2)]
    """
    x = as_value(ary, "np.vsplit")
    if typeof(x).ndim < 2:
        raise ShapeError("np.vsplit: vsplit only works on arrays of 2 or more dimensions")
    return _split("np.vsplit", x, indices_or_sections, 0)


@public(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the second axis, or the only one.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.hsplit(fnp.arange(4.0), 2)
        [Array([0., 1.]), Array([2., 3.])]
    """
    x = as_value(ary, "np.hsplit")
    if typeof(x).ndim == 0:
        raise ShapeError("np.hsplit: hsplit only works on arrays of 1 or more dimensions")
    return _split("np.hsplit", x, indices_or_sections, min(1, typeof(x).ndim - 1))


@public(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Value]:
    """`split` along the third axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> [x.shape for x in fnp.dsplit(fnp.ones((1, 2, 4)), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    x = as_value(ary, "np.dsplit")
    if typeof(x).ndim < 3:
        raise ShapeError("np.dsplit: dsplit only works on arrays of 3 or more dimensions")
    return _split("np.dsplit", x, indices_or_sections, 2)


# --- repeating, inserting, deleting ---------------------------------------------------------


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
