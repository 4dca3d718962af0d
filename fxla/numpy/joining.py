"""Functions that put arrays together."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, as_values, convert_all, normalise_axis, promote
from fxla.numpy.shape import atleast_1d, atleast_2d, atleast_3d
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import shape as ops_shape
from fxla.ops import structure

__all__ = [
    "append",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "dstack",
    "hstack",
    "stack",
    "vstack",
]


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
