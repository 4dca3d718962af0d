"""Shapes: broadcasting, reshaping, padding, joining; all sizes static."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.dtypes import canonical_dtype
from fxla.core.trace import typeof, where_am_i
from fxla.errors import AxisError, ShapeError
from fxla.ops import shape as ops
from fxla.ops import structure
from fxla.ops.casts import convert

__all__ = [
    "broadcast",
    "broadcast_in_dim",
    "broadcast_shapes",
    "broadcasted_iota",
    "collapse",
    "concatenate",
    "empty",
    "expand_dims",
    "full",
    "full_like",
    "iota",
    "pad",
    "reshape",
    "rev",
    "split",
    "squeeze",
    "stack",
    "tile",
    "transpose",
]


def axis_within(call: str, axis: int, ndim: int) -> int:
    """A non-negative axis; an error for one that is out of bounds."""
    if not -ndim <= axis < ndim:
        raise AxisError(f"{call}: axis {axis} is out of bounds for {ndim} axes{where_am_i()}")
    return axis % ndim


def _axes(call: str, axes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    given = (axes,) if isinstance(axes, int) else tuple(axes)
    return tuple(axis_within(call, operator.index(a), ndim) for a in given)


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """Repeat along new leading axes.

    Example:
        >>> from fxla import lax
        >>> lax.broadcast(1.0, (2, 2)).shape
        (2, 2)
    """
    sizes = tuple(sizes)
    shape = typeof(operand).shape
    dims = range(len(sizes), len(sizes) + len(shape))
    return structure.broadcast_in_dim(operand, (*sizes, *shape), dims)


def broadcast_in_dim(operand: Any, shape: Sequence[int], broadcast_dimensions: Any) -> Any:
    """Place axis k of the operand at ``broadcast_dimensions[k]`` of `shape`; repeat elsewhere.

    Raises:
        ValueError: if the operand's sizes do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.broadcast_in_dim(fnp.arange(2), (2, 3), (0,)).tolist()
        [[0, 0, 0], [1, 1, 1]]
    """
    return structure.broadcast_in_dim(operand, shape, broadcast_dimensions)


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    Raises:
        ValueError: if they do not.

    Example:
        >>> from fxla import lax
        >>> lax.broadcast_shapes((2, 1), (3,))
        (2, 3)
    """
    return np.broadcast_shapes(*[tuple(s) for s in shapes])


def iota(dtype: Any, size: int) -> Any:
    """0, 1, 2, ... up to `size`, exclusive.

    Example:
        >>> from fxla import lax
        >>> lax.iota("float64", 3)
        Array([0., 1., 2.])
    """
    return ops.iota(canonical_dtype(dtype), (size,), 0)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """Each element's position along one axis.

    Example:
        >>> from fxla import lax
        >>> lax.broadcasted_iota("int64", (2, 2), 1).tolist()
        [[0, 1], [0, 1]]
    """
    return ops.iota(canonical_dtype(dtype), tuple(shape), dimension)


def full(shape: Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """An array of equal elements.

    Example:
        >>> from fxla import lax
        >>> lax.full((2,), 7.0)
        Array([7., 7.])
    """
    dtype = typeof(fill_value).dtype if dtype is None else canonical_dtype(dtype)
    value = convert(fill_value, dtype)
    return structure.broadcast_in_dim(value, tuple(shape), ())


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """`full` with the shape and dtype of `x`, unless given.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.full_like(fnp.zeros(2), 1)
        Array([1., 1.])
    """
    aval = typeof(x)
    return full(aval.shape if shape is None else shape, fill_value, dtype or aval.dtype)


def reshape(operand: Any, new_sizes: Sequence[int], dimensions: Any = None) -> Any:
    """The elements in C order in another shape; -1 stands for the size that fits.

    Raises:
        ValueError: if the numbers of elements differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.reshape(fnp.arange(4), (2, -1)).tolist()
        [[0, 1], [2, 3]]
    """
    if dimensions is not None:
        operand = structure.transpose(operand, tuple(dimensions))
    sizes = tuple(operator.index(n) for n in new_sizes)
    aval = typeof(operand)
    if -1 in sizes:
        known = int(np.prod([n for n in sizes if n != -1]))
        if sizes.count(-1) > 1 or known == 0 or aval.size % known:
            raise ShapeError(f"lax.reshape: cannot reshape {aval} into {sizes}{where_am_i()}")
        sizes = tuple(aval.size // known if n == -1 else n for n in sizes)
    return structure.reshape(operand, sizes)


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Merge the axes from start to stop (exclusive) into one.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.collapse(fnp.zeros((2, 3, 4)), 0, 2).shape
        (6, 4)
    """
    shape = typeof(operand).shape
    start, stop, _ = slice(start_dimension, stop_dimension).indices(len(shape))
    merged = int(np.prod(shape[start:stop], dtype=np.int64))
    return structure.reshape(operand, (*shape[:start], merged, *shape[stop:]))


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Insert axes of size 1 at positions of the result.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.expand_dims(fnp.zeros(3), (0,)).shape
        (1, 3)
    """
    ndim = typeof(array).ndim + len(tuple(dimensions))
    return structure.expand_dims(array, _axes("lax.expand_dims", dimensions, ndim))


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Drop axes of size 1.

    Raises:
        ValueError: if an axis has another size.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.squeeze(fnp.zeros((1, 3)), (0,)).shape
        (3,)
    """
    aval = typeof(array)
    axes = _axes("lax.squeeze", dimensions, aval.ndim)
    if any(aval.shape[a] != 1 for a in axes):
        raise ShapeError(f"lax.squeeze: axes {axes} of {aval} are not all of size 1{where_am_i()}")
    return structure.squeeze(array, axes)


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """Axis k of the result is axis ``permutation[k]`` of the operand.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.transpose(fnp.zeros((2, 3)), (1, 0)).shape
        (3, 2)
    """
    return structure.transpose(operand, tuple(operator.index(p) for p in permutation))


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse the order of elements along axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.rev(fnp.arange(3), (0,))
        Array([2, 1, 0])
    """
    return ops.rev(operand, _axes("lax.rev", dimensions, typeof(operand).ndim))


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Arrays of one dtype one after the other along an axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.concatenate([fnp.zeros(1), fnp.ones(2)], 0)
        Array([0., 1., 1.])
    """
    operands = list(operands)
    return ops.concatenate(
        operands, axis_within("lax.concatenate", dimension, typeof(operands[0]).ndim)
    )


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Values around and between elements.

    Args:
        operand: an array.
        padding_value: a scalar of its dtype.
        padding_config: (before, after, between) for each axis; negative ones cut off.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.pad(fnp.ones(2), 0.0, [(1, 0, 1)])
        Array([0., 1., 0., 1.])
    """
    low, high, interior = zip(*padding_config, strict=True) if padding_config else ((), (), ())
    value = convert(padding_value, typeof(operand).dtype)
    return ops.pad(operand, value, low, high, interior)


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Cut an axis in pieces of given sizes.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> [len(part) for part in lax.split(fnp.arange(5), (2, 3))]
        [2, 3]
    """
    return ops.split(operand, sizes, axis_within("lax.split", axis, typeof(operand).ndim))


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """Repeat the whole array along each axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.tile(fnp.arange(2), (2,))
        Array([0, 1, 0, 1])
    """
    return ops.tile(operand, tuple(reps))


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape and dtype along a new axis.

    Example:
        >>> import fxla.numpy as np
        >>> from fxla import lax
        >>> lax.stack([np.array(1.0), np.array(2.0)])
        Array([1., 2.])
    """
    if not operands:
        raise ValueError(f"lax.stack: needs at least one array{where_am_i()}")
    return as_array(
        ops.stack(operands, axis_within("lax.stack", axis, typeof(operands[0]).ndim + 1))
    )


def empty(shape: Sequence[int], dtype: Any) -> Any:
    """An array of a shape whose values do not matter; they are zeros.

    Example:
        >>> from fxla import lax
        >>> lax.empty((2,), float).shape
        (2,)
    """
    return full(shape, 0, dtype)
