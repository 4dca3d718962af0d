"""Functions that make matrices and grids: triangles, diagonals, coordinates."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, int64
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.contraction import diagonal
from fxla.numpy.dispatch import only_plain, public, result, unsupported
from fxla.numpy.operands import as_value, as_values, promote
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import elementwise, logic
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumprod
from fxla.ops.shape import concatenate, iota, pad, rev, stack
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    full,
    reshape,
)

__all__ = [
    "c_",
    "diag",
    "diagflat",
    "fromfunction",
    "indices",
    "meshgrid",
    "mgrid",
    "ogrid",
    "r_",
    "tri",
    "tril",
    "triu",
    "vander",
]


def _below(shape: tuple[int, ...], k: int) -> Value:
    """Where the column is at most the row plus k, on the last two axes."""
    rank = len(shape)
    rows, columns = iota(int64, shape, rank - 2), iota(int64, shape, rank - 1)
    return logic.le(columns, elementwise.add(rows, k))


@public(np.tri)
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = float, *, like: Any = None) -> Any:
    """Ones at and below a diagonal. See `numpy.tri`.

    Args:
        N: number of rows.
        M: number of columns; by default as many.
        k: which diagonal: 0 the main one, positive above it.
        dtype: of the result.
        like: only None.

    Example:
        >>> import fxla.numpy as np
        >>> np.tri(3, dtype=int)
        Array([[1, 0, 0],
               [1, 1, 0],
               [1, 1, 1]])
    """
    only_plain("np.tri", like=like)
    rows = operator.index(N)
    shape = (rows, rows if M is None else operator.index(M))
    return convert(_below(shape, operator.index(k)), canonical_dtype(dtype))


def _matrix(m: Any, call: str) -> Value:
    """A matrix, or a stack of them; a vector is taken for each row of a square, as NumPy does."""
    x = as_value(m, call)
    aval = typeof(x)
    if aval.ndim == 0:
        raise ShapeError(f"{call}: expected at least one axis, got {aval}{where_am_i()}")
    return x if aval.ndim > 1 else broadcast_to(x, (aval.shape[0], aval.shape[0]))


@public(np.tril, by_type=REAL_AND_COMPLEX)
def tril(m: Any, k: Any = 0) -> Any:
    """The lower triangle of a matrix, zeros above. See `numpy.tril`.

    Example:
        >>> import fxla.numpy as np
        >>> np.tril([[1, 2], [3, 4]])
        Array([[1, 0],
               [3, 4]])
    """
    x = _matrix(m, "np.tril")
    return logic.select(_below(typeof(x).shape, operator.index(k)), x, 0)


@public(np.triu, by_type=REAL_AND_COMPLEX)
def triu(m: Any, k: Any = 0) -> Any:
    """The upper triangle of a matrix, zeros below. See `numpy.triu`.

    Example:
        >>> import fxla.numpy as np
        >>> np.triu([[1, 2], [3, 4]])
        Array([[1, 2],
               [0, 4]])
    """
    x = _matrix(m, "np.triu")
    below = _below(typeof(x).shape, operator.index(k) - 1)
    return logic.select(below, full(typeof(x).shape, 0, typeof(x).dtype), x)


@public(np.diag, by_type=REAL_AND_COMPLEX)
def diag(v: Any, k: Any = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal. See `numpy.diag`.

    Example:
        >>> import fxla.numpy as np
        >>> np.diag([1, 2]), np.diag([[1, 2], [3, 4]])
        (Array([[1, 0],
               [0, 2]]), Array([1, 4]))
    """
    x, k = as_value(v, "np.diag"), operator.index(k)
    aval = typeof(x)
    if aval.ndim == 2:
        return diagonal(x, k)
    if aval.ndim != 1:
        raise ShapeError(f"np.diag: Input must be 1- or 2-d, got {aval}{where_am_i()}.")
    n = aval.shape[0] + abs(k)
    column = pad(x, 0, (max(k, 0),), (max(-k, 0),))
    rows, columns = iota(int64, (n, n), 0), iota(int64, (n, n), 1)
    return logic.select(
        logic.eq(elementwise.add(rows, k), columns), broadcast_to(column, (n, n)), 0
    )


@public(np.diagflat)
def diagflat(v: Any, k: Any = 0) -> Any:
    """The matrix with the elements of an array on its diagonal. See `numpy.diagflat`.

    Example:
        >>> import fxla.numpy as np
        >>> np.diagflat([[1, 2]])
        Array([[1, 0],
               [0, 2]])
    """
    x = as_value(v, "np.diagflat")
    return diag.traced(reshape(x, (typeof(x).size,)), k)  # type: ignore[attr-defined]


@public(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The matrix of powers of the elements of a vector. See `numpy.vander`.

    Args:
        x: vector.
        N: number of columns; by default the length of `x`.
        increasing: whether powers grow from left to right.

    Example:
        >>> import fxla.numpy as np
        >>> np.vander([2, 3], 3)
        Array([[4, 2, 1],
               [9, 3, 1]])
    """
    base = as_value(x, "np.vander")
    aval = typeof(base)
    if aval.ndim != 1:
        raise ShapeError(f"np.vander: x must be a one-dimensional array, got {aval}{where_am_i()}")
    columns = aval.shape[0] if N is None else operator.index(N)
    # NumPy multiplies in the platform's integer or wider.
    base = convert(base, np.promote_types(aval.dtype, np.int64))
    n, dtype = aval.shape[0], typeof(base).dtype
    if columns <= 0:
        return full((n, 0), 0, dtype)
    powers = full((n, 1), 1, dtype)
    if columns > 1:
        factors = broadcast_in_dim(base, (n, columns - 1), (0,))
        powers = concatenate([powers, cumprod(factors, 1)], 1)
    return powers if increasing else rev(powers, (1,))


@public(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinate arrays of the grid that vectors span. See `numpy.meshgrid`.

    Args:
        *xi: the coordinates along each axis.
        copy: has no meaning here: no result is a view.
        sparse: whether the results keep size 1 along the other axes.
        indexing: ``"xy"`` has the first coordinate along the columns, ``"ij"`` along the rows.

    Example:
        >>> import fxla.numpy as np
        >>> np.meshgrid([1, 2], [3, 4])
        (Array([[1, 2],
               [1, 2]]), Array([[3, 3],
               [4, 4]]))
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(
            f"np.meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}{where_am_i()}"
        )
    values = [reshape(v, (typeof(v).size,)) for v in as_values("np.meshgrid", *xi)]
    axes = list(range(len(values)))
    if indexing == "xy" and len(values) > 1:
        axes[:2] = [1, 0]
    sizes = [1] * len(values)
    for v, axis in zip(values, axes, strict=True):
        sizes[axis] = typeof(v).shape[0]
    out = []
    for v, axis in zip(values, axes, strict=True):
        if sparse:
            out.append(expand_dims(v, [i for i in range(len(values)) if i != axis]))
        else:
            out.append(broadcast_in_dim(v, sizes, (axis,)))
    return tuple(out)


@public(np.indices)
def indices(dimensions: Any, dtype: Any = int, sparse: bool = False) -> Any:
    """The position along each axis of a grid, as arrays. See `numpy.indices`.

    Example:
        >>> import fxla.numpy as np
        >>> np.indices((2, 2))[0]
        Array([[0, 0],
               [1, 1]])
    """
    shape = tuple([operator.index(n) for n in dimensions])
    wanted = canonical_dtype(dtype)
    if sparse:
        return tuple(
            iota(wanted, [n if i == k else 1 for i, n in enumerate(shape)], k)
            for k in range(len(shape))
        )
    if not shape:
        return full((0,), 0, wanted)
    return stack([iota(wanted, shape, k) for k in range(len(shape))])


@public(np.fromfunction)
def fromfunction(
    function: Callable[..., Any],
    shape: Any,
    *,
    dtype: Any = float,
    like: Any = None,
    **kwargs: Any,
) -> Any:
    """``function`` of the positions along each axis. See `numpy.fromfunction`.

    Example:
        >>> import fxla.numpy as np
        >>> np.fromfunction(lambda i, j: i + 10 * j, (2, 3), dtype=int)
        Array([[ 0, 10, 20],
               [ 1, 11, 21]])
    """
    only_plain("np.fromfunction", like=like)
    sizes = tuple([operator.index(n) for n in shape])
    wanted = canonical_dtype(dtype)
    grid = [convert(iota(int64, sizes, k), wanted) for k in range(len(sizes))]
    return function(*grid, **kwargs)


class _Grid:
    """``np.mgrid`` or ``np.ogrid``: coordinates from slices, always concrete."""

    def __init__(self, name: str, numpy_grid: Any) -> None:
        self.__name__ = name
        self.numpy_grid = numpy_grid
        self.__doc__ = f"Coordinates of the grid that slices span. See `numpy.{name}`."

    def __getitem__(self, key: Any) -> Any:
        return result(self.numpy_grid[key])


mgrid = _Grid("mgrid", np.mgrid)
ogrid = _Grid("ogrid", np.ogrid)


class _Joined:
    """``np.r_`` or ``np.c_``: what is indexed with is joined."""

    def __init__(self, name: str, numpy_joined: Any, columns: bool) -> None:
        self.__name__ = name
        self.numpy_joined = numpy_joined
        self.columns = columns
        where = "columns" if columns else "the first axis"
        self.__doc__ = f"Join arrays, numbers and slices along {where}. See `numpy.{name}`."

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(part, Tracer) for part in parts):
            return result(self.numpy_joined[key])
        call = f"np.{self.__name__}"
        arrays: list[Value] = []
        for part in parts:
            if isinstance(part, str):
                unsupported(call, "a text among the parts", "Write `np.concatenate` instead.")
            made = self.numpy_joined[part] if isinstance(part, slice) else part
            arrays.append(as_value(made, call))
        rank = max(2 if self.columns else 1, *[typeof(x).ndim for x in arrays])
        shaped = [self._with_rank(x, rank) for x in arrays]
        return concatenate(promote(call, *shaped), rank - 1 if self.columns else 0)

    def _with_rank(self, x: Value, rank: int) -> Value:
        """New axes of size 1: behind for columns, since a vector is one, else in front."""
        missing = rank - typeof(x).ndim
        own = typeof(x).ndim
        if not self.columns or own == 0:
            return expand_dims(x, range(missing))
        return expand_dims(x, range(own, rank))


r_ = _Joined("r_", np.r_, columns=False)
c_ = _Joined("c_", np.c_, columns=True)
