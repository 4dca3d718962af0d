"""Functions that read and write elements at positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import int64, is_integer
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import public_with, refuse_out
from fxla.numpy.at import Updater
from fxla.numpy.dispatch import public
from fxla.numpy.indexing import checked_positions
from fxla.numpy.operands import as_value, convert_all, normalise_axis
from fxla.ops import arithmetic
from fxla.ops import index as ops_index
from fxla.ops.structure import broadcast_to, reshape

__all__ = [
    "fill_diagonal",
    "put",
    "put_along_axis",
    "take",
    "take_along_axis",
]


def index_array(indices: Any, call: str) -> Value:
    """Integer positions."""
    x = as_value(indices, call)
    aval = typeof(x)
    if not is_integer(aval.dtype) and aval.size:
        raise DtypeError(f"{call}: indices must be integers, got {aval}{where_am_i()}")
    return convert_all([x], int64)[0]


@public_with(np.take, "fill_value")
def take(
    a: Any,
    indices: Any,
    axis: Any = None,
    out: Any = None,
    mode: Any = "raise",
    *,
    fill_value: Any = None,
) -> Any:
    """The elements, or slices along an axis, at positions. See `numpy.take`.

    Args:
        a: array.
        indices: positions; negative ones count from the end.
        axis: along which; by default `a` is read in C order.
        out: not supported for traced arrays.
        mode: what a position out of bounds means: ``"raise"`` an error, for traced positions the
            nearest one; ``"clip"`` the nearest; ``"wrap"`` modulo the size; ``"fill"`` the value
            `fill_value`.
        fill_value: read out of bounds in mode ``"fill"``; by default NaN or the least integer.

    Example:
        >>> import fxla.numpy as np
        >>> np.take([10, 20, 30], [2, 0])
        Array([30, 10])
    """
    call = "np.take"
    refuse_out(out, call)
    x, at = as_value(a, call, 0), index_array(indices, call)
    if axis is None:
        x, axis = reshape(x, (typeof(x).size,)), 0
    axis = normalise_axis(axis, typeof(x).ndim, call)
    n = typeof(x).shape[axis]
    if fill_value is not None:
        mode = "fill"
    if mode == "wrap":
        at = arithmetic.mod(at, max(n, 1))
    elif mode in ("raise", "fill"):
        at = checked_positions(at, axis, n, call, check=mode == "raise")
    elif mode != "clip":
        raise ValueError(
            f"{call}: mode must be 'raise', 'wrap', 'clip' or 'fill', got {mode!r}{where_am_i()}"
        )
    if n == 0 and typeof(at).size:
        raise IndexError(f"{call}: cannot do a non-empty take from an empty axis{where_am_i()}.")
    dims_mode: Any = "fill" if mode == "fill" else "clip"
    if mode != "fill":
        return ops_index.take(x, at, axis, dims_mode)
    shape, rank = typeof(x).shape, typeof(at).ndim
    kept = (*range(axis), *range(axis + rank, len(shape) + rank - 1))
    dims = ops_index.GatherDims(kept, (axis,), (axis,))
    sizes = (*shape[:axis], 1, *shape[axis + 1 :])
    vectors = reshape(at, (*typeof(at).shape, 1))
    return ops_index.gather(x, vectors, dims, sizes, "fill", fill_value=fill_value)


def _aligned(
    arr: Any, indices: Any, axis: Any, call: str
) -> tuple[Value, Value, int, tuple[int, ...]]:
    """Array and positions for ``*_along_axis``: the other axes broadcast to one shape."""
    x, at = as_value(arr, call), index_array(indices, call)
    if axis is None:
        x, axis = reshape(x, (typeof(x).size,)), 0
    axis = normalise_axis(axis, typeof(x).ndim, call)
    own, other = list(typeof(x).shape), list(typeof(at).shape)
    if len(own) != len(other):
        raise ShapeError(
            f"{call}: arrays must have the same number of dimensions, got {typeof(x)} and indices "
            f"{typeof(at)}{where_am_i()}"
        )
    n, count = own[axis], other[axis]
    own[axis] = other[axis] = 1
    try:
        shape = list(np.broadcast_shapes(tuple(own), tuple(other)))
    except ValueError:
        raise ShapeError(
            f"{call}: {typeof(x)} and indices {typeof(at)} do not broadcast beside axis {axis}"
            f"{where_am_i()}"
        ) from None
    shape[axis] = count
    at = broadcast_to(at, shape)
    at = checked_positions(at, axis, n, call, check=True)
    return x, at, axis, (*shape[:axis], n, *shape[axis + 1 :])


@public(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """``out[i, j] = arr[i, indices[i, j]]`` along an axis. See `numpy.take_along_axis`.

    Args:
        arr: array.
        indices: positions along `axis`; its other axes broadcast against those of `arr`.
        axis: along which; None reads `arr` in C order.

    Example:
        >>> import fxla.numpy as np
        >>> np.take_along_axis(np.array([[10, 30, 20]]), np.array([[0, 2, 1]]), axis=1)
        Array([[10, 20, 30]])
    """
    x, at, axis, shape = _aligned(arr, indices, axis, "np.take_along_axis")
    return ops_index.take_along_axis(broadcast_to(x, shape), at, axis)


def _must_not_write(call: str, x: Any) -> None:
    if isinstance(x, Tracer):
        raise TypeError(
            f"{call} writes into its argument, and a traced {x.aval} is not written to"
            f"{where_am_i()}. Write `x = {call}(x, ..., inplace=False)`, or use `x.at[...]`."
        )


def _written(target: Any, changed: Value) -> None:
    target[...] = changed


@public_with(np.put_along_axis, "inplace")
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any, *, inplace: Any = None) -> Any:
    """``arr[i, indices[i, j]] = values[i, j]`` along an axis. See `numpy.put_along_axis`.

    Args:
        arr: array; it is written to unless `inplace` is False.
        indices: positions along `axis`.
        values: what is written; broadcasts against `indices`.
        axis: along which; None takes `arr` in C order.
        inplace: False returns a changed copy, which works on traced arrays.

    Example:
        >>> import fxla.numpy as np
        >>> np.put_along_axis(np.zeros((1, 3)), np.array([[1]]), 5.0, axis=1, inplace=False)
        Array([[0., 5., 0.]])
    """
    call = "np.put_along_axis"
    if inplace is None or inplace:
        _must_not_write(call, arr)
        return _written(arr, put_along_axis(arr, indices, values, axis, inplace=False))
    shape = typeof(as_value(arr, call)).shape
    x, at, axis, whole = _aligned(arr, indices, axis, call)
    if whole != typeof(x).shape:
        raise ShapeError(f"{call}: indices are larger than {typeof(x)}{where_am_i()}")
    mesh: list[Any] = []
    for k, n in enumerate(typeof(at).shape):
        mesh.append(np.arange(n).reshape([-1 if i == k else 1 for i in range(typeof(at).ndim)]))
    mesh[axis] = at
    return reshape(Updater(x)[tuple(mesh)].set(values, unique_indices=False), shape)


@public_with(np.put, "inplace")
def put(a: Any, ind: Any, v: Any, mode: Any = "raise", *, inplace: Any = None) -> Any:
    """Write values at positions counted in C order. See `numpy.put`.

    Args:
        a: array; it is written to unless `inplace` is False.
        ind: positions.
        v: values; repeated if there are fewer than positions.
        mode: for positions out of bounds, see `take`; traced ones are dropped.
        inplace: False returns a changed copy, which works on traced arrays.

    Example:
        >>> import fxla.numpy as np
        >>> np.put(np.zeros(3), [0, 2], [1.0, 2.0], inplace=False)
        Array([1., 0., 2.])
    """
    call = "np.put"
    if inplace is None or inplace:
        _must_not_write(call, a)
        return _written(a, put(a, ind, v, mode, inplace=False))
    x, at, values = as_value(a, call), index_array(ind, call), as_value(v, call)
    n = typeof(x).size
    at = reshape(at, (typeof(at).size,))
    if mode == "wrap":
        at = arithmetic.mod(at, n)
    elif mode == "clip":
        at = arithmetic.minimum(arithmetic.maximum(at, 0), n - 1)
    count, given = typeof(at).size, typeof(values).size
    if count and given:
        values = reshape(values, (given,))
        repeated = ops_index.take(values, np.arange(count) % given, 0) if given != count else values
        flat = Updater(reshape(x, (n,)))[at].set(repeated)
        return reshape(flat, typeof(x).shape)
    return x


@public_with(np.fill_diagonal, "inplace")
def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: Any = None) -> Any:
    """Write values on the main diagonal. See `numpy.fill_diagonal`.

    Args:
        a: array of at least two axes; it is written to unless `inplace` is False.
        val: a number, or values along the diagonal.
        wrap: whether a tall matrix has its diagonal begin again below.
        inplace: False returns a changed copy, which works on traced arrays.

    Example:
        >>> import fxla.numpy as np
        >>> np.fill_diagonal(np.zeros((2, 2)), 1.0, inplace=False)
        Array([[1., 0.],
               [0., 1.]])
    """
    call = "np.fill_diagonal"
    if inplace is None or inplace:
        _must_not_write(call, a)
        return _written(a, fill_diagonal(a, val, wrap, inplace=False))
    x = as_value(a, call)
    shape = typeof(x).shape
    if len(shape) < 2:
        raise ShapeError(f"{call}: array must be at least 2-d, got {typeof(x)}{where_am_i()}")
    if len(shape) > 2 and len(set(shape)) != 1:
        raise ShapeError(f"{call}: All dimensions of input must be of equal length{where_am_i()}")
    last = typeof(x).size
    if len(shape) == 2:
        step = shape[1] + 1
        last = last if wrap else min(last, shape[1] * shape[1])
    else:
        step = 1 + int(np.cumprod(shape[:-1]).sum())
    return put(x, np.arange(0, last, step), val, inplace=False)
