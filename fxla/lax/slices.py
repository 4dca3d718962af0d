"""Slices, static ones and ones whose place is computed, and their updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.array import as_array
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.lax.arrays import axis_within, squeeze
from fxla.ops import shape as ops
from fxla.ops import structure
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice as _dynamic_slice
from fxla.ops.dynamic import dynamic_update_slice as _dynamic_update_slice
from fxla.ops.elementwise import add
from fxla.ops.logic import lt, select_like

__all__ = [
    "dynamic_index_in_dim",
    "dynamic_slice",
    "dynamic_slice_in_dim",
    "dynamic_update_index_in_dim",
    "dynamic_update_slice",
    "dynamic_update_slice_in_dim",
    "index_in_dim",
    "slice",
    "slice_in_dim",
    "unstack",
]


_slice = slice


def slice(operand: Any, start_indices: Any, limit_indices: Any, strides: Any = None) -> Any:
    """The elements from start to limit (exclusive) on every axis.

    Raises:
        ValueError: if the limits are out of bounds.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.slice(fnp.arange(5), (1,), (5,), (2,))
        Array([1, 3])
    """
    return ops.slice_(operand, start_indices, limit_indices, strides)


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """`slice` along one axis; None and negative bounds as in Python.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.slice_in_dim(fnp.arange(5), 1, None)
        Array([1, 2, 3, 4])
    """
    shape = typeof(operand).shape
    axis = axis_within("lax.slice_in_dim", axis, len(shape))
    start, limit, _ = _slice(start_index, limit_index).indices(shape[axis])
    return ops.slice_in_dim(operand, start, max(limit, start), stride, axis)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """One position along an axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.index_in_dim(fnp.arange(5), -1)
        Array([4])
    """
    n = typeof(operand).shape[axis]
    if not -n <= index < n:
        raise IndexError(
            f"lax.index_in_dim: index {index} is out of bounds for size {n}{where_am_i()}"
        )
    found = slice_in_dim(operand, index % n, index % n + 1, axis=axis)
    return found if keepdims else squeeze(found, (axis,))


def _starts(call: str, operand: Any, starts: Any) -> list[Value]:
    """Start indices as scalars of one dtype; negative ones count from the end, as in JAX."""
    shape = typeof(operand).shape
    given = list(starts)
    if len(given) != len(shape):
        raise ShapeError(f"{call}: {len(given)} start indices for {typeof(operand)}{where_am_i()}")
    dtype = next((typeof(s).dtype for s in given if not typeof(s).weak_type), np.dtype("int64"))
    found = []
    for s, n in zip(given, shape, strict=True):
        if isinstance(s, int):
            found.append(np.asarray(s + n if s < 0 else s, dtype)[()])
            continue
        s = convert(s, dtype)
        if dtype.kind == "i":
            s = select_like(lt(s, 0), add(s, n), s)
        found.append(s)
    return found


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Sequence[int]) -> Any:
    """A part of static size at traced indices, moved inside the bounds if it would leave them.

    Args:
        operand: an array.
        start_indices: an integer scalar for each axis; negative ones count from the end.
        slice_sizes: Python integers.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_slice(fnp.arange(5), (4,), (2,))
        Array([3, 4])
    """
    return _dynamic_slice(
        operand, _starts("lax.dynamic_slice", operand, start_indices), tuple(slice_sizes)
    )


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0) -> Any:
    """`dynamic_slice` along one axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_slice_in_dim(fnp.arange(5), 1, 2)
        Array([1, 2])
    """
    shape = list(typeof(operand).shape)
    axis = axis_within("lax.dynamic_slice_in_dim", axis, len(shape))
    starts: list[Any] = [0] * len(shape)
    starts[axis] = start_index
    shape[axis] = slice_size
    return dynamic_slice(operand, starts, shape)


def dynamic_index_in_dim(operand: Any, index: Any, axis: int = 0, keepdims: bool = True) -> Any:
    """One traced position along an axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_index_in_dim(fnp.arange(5), 3, keepdims=False)
        Array(3)
    """
    found = dynamic_slice_in_dim(operand, index, 1, axis)
    return found if keepdims else squeeze(found, (axis,))


def dynamic_update_slice(operand: Any, update: Any, start_indices: Any) -> Any:
    """The operand with a part replaced, at traced indices moved inside the bounds.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_update_slice(fnp.zeros(3), fnp.ones(2), (1,))
        Array([0., 1., 1.])
    """
    starts = _starts("lax.dynamic_update_slice", operand, start_indices)
    return _dynamic_update_slice(operand, convert(update, typeof(operand).dtype), starts)


def dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: int) -> Any:
    """`dynamic_update_slice` along one axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_update_slice_in_dim(fnp.zeros(3), fnp.ones(1), 2, 0)
        Array([0., 0., 1.])
    """
    ndim = typeof(operand).ndim
    starts: list[Any] = [0] * ndim
    starts[axis_within("lax.dynamic_update_slice_in_dim", axis, ndim)] = start_index
    return dynamic_update_slice(operand, update, starts)


def dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: int) -> Any:
    """Replace one position along an axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.dynamic_update_index_in_dim(fnp.zeros(3), 5.0, 1, 0)
        Array([0., 5., 0.])
    """
    ndim = typeof(operand).ndim
    axis = axis_within("lax.dynamic_update_index_in_dim", axis, ndim)
    if typeof(update).ndim != ndim:
        update = structure.expand_dims(update, (axis,))
    return dynamic_update_slice_in_dim(operand, update, index, axis)


def unstack(operand: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, without that axis.

    Example:
        >>> import fxla.numpy as np
        >>> from fxla import lax
        >>> lax.unstack(np.array([1.0, 2.0]))
        (Array(1.), Array(2.))
    """
    at = axis_within("lax.unstack", axis, typeof(operand).ndim)
    sizes = typeof(operand).shape
    return tuple([as_array(index_in_dim(operand, k, at, keepdims=False)) for k in range(sizes[at])])
