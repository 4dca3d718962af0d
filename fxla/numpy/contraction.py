"""Products of vectors, matrices and tensors. Each is a contraction with labels of its own."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import AxisError, DtypeError, ShapeError
from fxla.numpy.arguments import refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.einstein import Labels, contract, strided_diagonal
from fxla.numpy.operands import (
    as_value,
    as_values,
    broadcast,
    canonical_axes,
    convert_all,
    normalise_axis,
    promote,
)
from fxla.numpy.reductions import sum_dtype
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.numpy.ufunc_keywords import public_ufunc
from fxla.ops.arithmetic import conj, mul, sub
from fxla.ops.casts import convert
from fxla.ops.shape import stack
from fxla.ops.structure import broadcast_in_dim, move_axis, reduce_sum, reshape, transpose

__all__ = [
    "cross",
    "diagonal",
    "dot",
    "inner",
    "kron",
    "matmul",
    "matvec",
    "outer",
    "tensordot",
    "trace",
    "vdot",
    "vecdot",
    "vecmat",
]


def _pair(call: str, a: Any, b: Any) -> list[Value]:
    """Two operands in the dtype that NumPy multiplies them in.

    That is what they promote to, but for bfloat16 and numbers that no common dtype holds exactly.
    """
    values = as_values(call, a, b)
    try:
        return promote(call, *values)
    except DtypeError:
        dtypes = [typeof(x).dtype for x in values]
        return convert_all(values, np.multiply.resolve_dtypes((*dtypes, None))[0])


def _conjugate(x: Value) -> Value:
    return conj(x) if is_complex(typeof(x).dtype) else x


def _mismatch(call: str, x: Value, y: Value, symbol: str, m: int, n: int) -> ShapeError:
    return ShapeError(
        f"{call}: inner dimensions differ: {typeof(x)}{symbol}{typeof(y)} ({m} != {n})"
        f"{where_am_i()}. Transpose or reshape one of them so that these sizes agree."
    )


def _stacked(
    call: str, x: Value, y: Value, x_core: Labels, y_core: Labels, out_core: Labels
) -> Value:
    """Contract the core axes; the axes before them broadcast. Label 0 is the summed one."""
    x_rank, y_rank = typeof(x).ndim - len(x_core), typeof(y).ndim - len(y_core)
    if x_rank < 0 or y_rank < 0:
        raise ShapeError(
            f"{call}: operands {typeof(x)} and {typeof(y)} do not have enough dimensions: at "
            f"least {len(x_core)} and {len(y_core)} are needed{where_am_i()}"
        )
    m = typeof(x).shape[x_rank + x_core.index(0)]
    n = typeof(y).shape[y_rank + y_core.index(0)]
    if m != n:
        raise _mismatch(call, x, y, " @ " if call == "np.matmul" else ", ", m, n)
    lead = tuple(range(-max(x_rank, y_rank), 0))
    return contract(
        x,
        (*lead[len(lead) - x_rank :], *x_core),
        y,
        (*lead[len(lead) - y_rank :], *y_core),
        (*lead, *out_core),
        call,
    )


@public_ufunc(np.matmul, by_type=REAL_AND_COMPLEX)
def matmul(x1: Any, x2: Any, /) -> Value:
    """Product of matrices, of stacks of them, and of matrices and vectors.

    Args:
        x1: ``(..., n, k)`` or ``(k,)``.
        x2: ``(..., k, m)`` or ``(k,)``; the leading axes broadcast.

    Returns:
        ``(..., n, m)``, without the axis that a vector does not have.

    Raises:
        ValueError: if the inner sizes differ, or an operand is a scalar.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
        Array([3., 7.])
    """
    x, y = _pair("np.matmul", x1, x2)
    if not typeof(x).ndim or not typeof(y).ndim:
        raise ShapeError(
            f"np.matmul: operands need at least one axis: {typeof(x)} @ {typeof(y)}{where_am_i()}. "
            "Use * for scalars."
        )
    x_core: Labels = (1, 0) if typeof(x).ndim > 1 else (0,)
    y_core: Labels = (0, 2) if typeof(y).ndim > 1 else (0,)
    return _stacked("np.matmul", x, y, x_core, y_core, (*x_core[:-1], *y_core[1:]))


@public_ufunc(np.vecdot, by_type=REAL_AND_COMPLEX)
def vecdot(x1: Any, x2: Any, /) -> Value:
    """Dot products of vectors, of last axes or along `axis`; the first is conjugated.

    Raises:
        ValueError: if the sizes along `axis` differ.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.vecdot([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
        Array([3., 7.])
    """
    x, y = _pair("np.vecdot", x1, x2)
    return _stacked("np.vecdot", _conjugate(x), y, (0,), (0,), ())


@public_ufunc(np.matvec, by_type=REAL_AND_COMPLEX)
def matvec(x1: Any, x2: Any, /) -> Value:
    """Products of matrices ``(..., n, k)`` and vectors ``(..., k)``; leading axes broadcast.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.matvec([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
        Array([3., 7.])
    """
    x, y = _pair("np.matvec", x1, x2)
    return _stacked("np.matvec", x, y, (1, 0), (0,), (1,))


@public_ufunc(np.vecmat, by_type=REAL_AND_COMPLEX)
def vecmat(x1: Any, x2: Any, /) -> Value:
    """Products of vectors ``(..., k)``, conjugated, and matrices ``(..., k, n)``.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.vecmat([1.0, 1.0], [[1.0, 2.0], [3.0, 4.0]])
        Array([4., 6.])
    """
    x, y = _pair("np.vecmat", x1, x2)
    return _stacked("np.vecmat", _conjugate(x), y, (0,), (0, 1), (1,))


@public(np.dot, by_type=REAL_AND_COMPLEX)
def dot(a: Any, b: Any, out: Any = None) -> Value:
    """The dot product: ``out[..., i, ..., j] = sum over k of a[..., i, k] b[..., k, j]``.

    Of two vectors it is their inner product, of two matrices their product (write ``a @ b``); a
    scalar multiplies. Leading axes do not broadcast, they multiply.

    Raises:
        ValueError: if the last axis of `a` and the last but one of `b` differ in size.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.dot([1.0, 2.0], [3.0, 4.0]))
        11.0
    """
    refuse_out(out, "np.dot")
    x, y = _pair("np.dot", a, b)
    n = typeof(y).ndim
    if not typeof(x).ndim or not n:
        return mul(x, y)
    return _over("np.dot", x, y, (typeof(x).ndim - 1,), (max(0, n - 2),))


@public(np.inner, by_type=REAL_AND_COMPLEX)
def inner(a: Any, b: Any, /) -> Value:
    """Sum of products over the last axes of both.

    Raises:
        ValueError: if these differ in size.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.inner([1.0, 2.0], [3.0, 4.0]))
        11.0
    """
    x, y = _pair("np.inner", a, b)
    if not typeof(x).ndim or not typeof(y).ndim:
        return mul(x, y)
    return _over("np.inner", x, y, (typeof(x).ndim - 1,), (typeof(y).ndim - 1,))


def _over(call: str, x: Value, y: Value, x_axes: tuple[int, ...], y_axes: tuple[int, ...]) -> Value:
    """Sum over pairs of axes; the axes of x that are left come before those of y."""
    x_shape, y_shape = typeof(x).shape, typeof(y).shape
    for i, j in zip(x_axes, y_axes, strict=True):
        if x_shape[i] != y_shape[j]:
            raise _mismatch(call, x, y, ", ", x_shape[i], y_shape[j])
    x_labels: Labels = tuple(range(len(x_shape)))
    free = [len(x_shape) + j for j in range(len(y_shape))]
    for i, j in zip(x_axes, y_axes, strict=True):
        free[j] = i
    out = [k for k in x_labels if k not in x_axes]
    out += [k for j, k in enumerate(free) if j not in y_axes]
    return contract(x, x_labels, y, tuple(free), tuple(out), call)


@public(np.outer, by_type=REAL_AND_COMPLEX)
def outer(a: Any, b: Any, out: Any = None) -> Value:
    """``out[i, j] = a[i] * b[j]``; the operands are flattened.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.outer([1.0, 2.0], [3.0, 4.0])
        Array([[3., 4.],
               [6., 8.]])
    """
    refuse_out(out, "np.outer")
    x, y = [reshape(v, (typeof(v).size,)) for v in _pair("np.outer", a, b)]
    return contract(x, (0,), y, (1,), (0, 1), "np.outer")


@public(np.vdot, by_type=REAL_AND_COMPLEX)
def vdot(a: Any, b: Any, /) -> Value:
    """Inner product of the flattened operands; the first is conjugated.

    Raises:
        ValueError: if they differ in size.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.vdot([[1.0], [2.0]], [3.0, 4.0]))
        11.0
    """
    x, y = [reshape(v, (typeof(v).size,)) for v in _pair("np.vdot", a, b)]
    return _over("np.vdot", _conjugate(x), y, (0,), (0,))


@public(np.tensordot, by_type=REAL_AND_COMPLEX)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Value:
    """Sum of products over chosen axes of both operands.

    Args:
        a: an array.
        b: an array.
        axes: a number n, for the last n axes of `a` and the first n of `b`; or the axes of `a` and
            those of `b`, in pairs.

    Raises:
        ValueError: if paired axes differ in size.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.tensordot(fnp.ones((2, 3, 4)), fnp.ones((4, 3)), ([1, 2], [1, 0])).shape
        (2,)
    """
    x, y = _pair("np.tensordot", a, b)
    x_rank, y_rank = typeof(x).ndim, typeof(y).ndim
    if np.ndim(axes) == 0 and not isinstance(axes, (list, tuple)):
        n = operator.index(axes)
        if n > min(x_rank, y_rank):
            raise AxisError(
                f"np.tensordot: shape-mismatch for sum: axes={n} of {typeof(x)} and {typeof(y)}"
            )
        x_axes, y_axes = tuple(range(x_rank - n, x_rank)), tuple(range(n))
    else:
        left, right = axes
        x_axes = canonical_axes(_listed(left), x_rank, "np.tensordot")
        y_axes = canonical_axes(_listed(right), y_rank, "np.tensordot")
        if len(x_axes) != len(y_axes):
            raise ShapeError(
                f"np.tensordot: shape-mismatch for sum: {len(x_axes)} axes and {len(y_axes)} axes"
            )
    return _over("np.tensordot", x, y, x_axes, y_axes)


def _listed(axes: Any) -> tuple[int, ...]:
    return tuple(axes) if np.ndim(axes) else (operator.index(axes),)


@public(np.kron, by_type=REAL_AND_COMPLEX)
def kron(a: Any, b: Any) -> Value:
    """The Kronecker product: `b` in blocks, scaled by the elements of `a`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.kron([1.0, 10.0], [1.0, 2.0])
        Array([ 1.,  2., 10., 20.])
    """
    x, y = _pair("np.kron", a, b)
    rank = max(typeof(x).ndim, typeof(y).ndim)
    shapes = [(1,) * (rank - typeof(v).ndim) + typeof(v).shape for v in (x, y)]
    x, y = reshape(x, shapes[0]), reshape(y, shapes[1])
    wide = [n for pair in zip(*shapes, strict=True) for n in pair]
    x = broadcast_in_dim(x, wide, range(0, 2 * rank, 2))
    y = broadcast_in_dim(y, wide, range(1, 2 * rank, 2))
    return reshape(mul(x, y), [m * n for m, n in zip(*shapes, strict=True)])


@public(np.cross, by_type=REAL_AND_COMPLEX)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Value:
    """Cross products of vectors in three dimensions.

    A vector of size 2 lies in the plane; of two such vectors the result is the third component, a
    scalar (deprecated in NumPy).

    Args:
        a: vectors along `axisa`.
        b: vectors along `axisb`; the other axes broadcast.
        axisa: axis of `a`.
        axisb: axis of `b`.
        axisc: axis of the result that holds the vectors.
        axis: one axis for all three.

    Raises:
        ValueError: if the vectors do not have size 2 or 3.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        Array([0., 0., 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair("np.cross", a, b)
    x = move_axis(x, normalise_axis(axisa, typeof(x).ndim, "np.cross"), typeof(x).ndim - 1)
    y = move_axis(y, normalise_axis(axisb, typeof(y).ndim, "np.cross"), typeof(y).ndim - 1)
    sizes = (typeof(x).shape[-1], typeof(y).shape[-1])
    if not set(sizes) <= {2, 3}:
        raise ShapeError(
            "np.cross: incompatible dimensions for cross product (dimension must be 2 or 3): "
            f"{typeof(x)} and {typeof(y)}{where_am_i()}"
        )
    x0, x1, *x2 = [x[..., k] for k in range(sizes[0])]
    y0, y1, *y2 = [y[..., k] for k in range(sizes[1])]

    def difference(p: Value | None, q: Value, r: Value | None, s: Value) -> Value | None:
        """p * q - r * s; None stands for a component that a plane vector does not have."""
        left = None if p is None else mul(*broadcast("np.cross", p, q))
        right = None if r is None else mul(*broadcast("np.cross", r, s))
        if left is None:
            return None if right is None else mul(right, -1)
        return left if right is None else sub(left, right)

    last = sub(mul(*broadcast("np.cross", x0, y1)), mul(*broadcast("np.cross", x1, y0)))
    if sizes == (2, 2):
        return last
    xz, yz = (x2[0] if x2 else None), (y2[0] if y2 else None)
    first = difference(yz, x1, xz, y1)
    second = difference(xz, y0, yz, x0)
    rank = typeof(last).ndim + 1
    at = normalise_axis(axisc, rank, "np.cross")
    return stack([first, second, last], at)


@public(np.diagonal, by_type=REAL_AND_COMPLEX)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """Diagonals of the matrices spanned by two axes, as a new last axis.

    Args:
        a: an array.
        offset: which diagonal: above the main one if positive.
        axis1: axis of the rows.
        axis2: axis of the columns.

    Raises:
        ValueError: if there are fewer than two axes, or the axes are the same.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.diagonal(fnp.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([1., 4.])
    """
    return _diagonal("np.diagonal", as_value(a, "np.diagonal"), offset, axis1, axis2)


def _diagonal(call: str, x: Value, offset: int, axis1: int, axis2: int) -> Value:
    rank = typeof(x).ndim
    if rank < 2:
        raise ShapeError(f"{call}: diag requires an array of at least two dimensions: {typeof(x)}")
    i, j = normalise_axis(axis1, rank, call), normalise_axis(axis2, rank, call)
    if i == j:
        raise ValueError(f"{call}: axis1 and axis2 cannot be the same")
    rest = [k for k in range(rank) if k not in (i, j)]
    return strided_diagonal(transpose(x, (*rest, i, j)), operator.index(offset))


@public(np.trace, by_type=REAL_AND_COMPLEX)
def trace(
    a: Any,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
    out: Any = None,
) -> Value:
    """Sums along diagonals.

    Args:
        a: an array.
        offset: which diagonal.
        axis1: axis of the rows.
        axis2: axis of the columns.
        dtype: to sum in; small integers are summed in int64 by default.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.trace(fnp.eye(3)))
        3.0
    """
    refuse_out(out, "np.trace")
    x = as_value(a, "np.trace")
    line = _diagonal("np.trace", x, offset, axis1, axis2)
    work = sum_dtype(typeof(x).dtype) if dtype is None else canonical_dtype(dtype)
    return reduce_sum(convert(line, work), (typeof(line).ndim - 1,))
