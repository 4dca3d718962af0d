"""Norms of vectors and matrices. Their derivative at zero is zero, a subgradient, never NaN."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, default_float, is_complex, is_inexact, real_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import with_kept_axes
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, convert_all, normalise_axis
from fxla.numpy.reductions import accumulator
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops.arithmetic import abs_, imag, mul, real
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, ne, select
from fxla.ops.reduce import reduce_max, reduce_min
from fxla.ops.spectral import svd_p
from fxla.ops.structure import full, move_axis, reduce_sum, reshape
from fxla.ops.transcendental import pow_, sqrt

__all__ = ["matrix_norm", "norm", "singular_values", "vector_norm"]

Axes = tuple[int, ...]


def _operand(call: str, x: Any) -> tuple[Value, DType]:
    """The operand in a dtype to compute in, and the dtype of the result."""
    value = as_value(x, call)
    dtype = typeof(value).dtype
    dtype = dtype if is_inexact(dtype) else default_float()
    (value,) = convert_all([value], accumulator(dtype))
    return value, real_dtype(dtype)


def _squares(x: Value) -> Value:
    if is_complex(typeof(x).dtype):
        re, im = real(x), imag(x)
        return add(mul(re, re), mul(im, im))
    return mul(x, x)


def singular_values(x: Value) -> Value:
    """Singular values of stacks of matrices, in descending order."""
    return svd_p.bind1(x, full_matrices=False, compute_uv=False)


def _vector(x: Value, order: Any, axes: Axes, call: str) -> Value:
    if order is None or order == 2:
        return sqrt(reduce_sum(_squares(x), axes))
    if order in (np.inf, -np.inf):
        return (reduce_max if order > 0 else reduce_min)(abs_(x), axes)
    if order == 0:
        present = ne(x, convert_all([0], typeof(x).dtype)[0])
        return reduce_sum(convert(present, real_dtype(typeof(x).dtype)), axes)
    if order == 1:
        return reduce_sum(abs_(x), axes)
    if isinstance(order, str):
        raise ValueError(f"{call}: Invalid norm order '{order}' for vectors")
    size = abs_(x)
    exponent, root = convert_all([order, 1 / order], typeof(size).dtype)
    if order < 0:
        return pow_(reduce_sum(pow_(size, exponent), axes), root)
    return _power_off_zero(reduce_sum(_power_off_zero(size, exponent), axes), root)


def _power_off_zero(x: Value, exponent: Value) -> Value:
    """``x ** exponent`` for x >= 0, whose derivative at zero is 0 and not infinite."""
    shape, dtype = typeof(x).shape, typeof(x).dtype
    nothing = eq(x, convert_all([0], dtype)[0])
    safe = select(nothing, full(shape, 1, dtype), x)
    return select(nothing, full(shape, 0, dtype), pow_(safe, exponent))


def _matrix(x: Value, order: Any, axes: tuple[int, int], call: str) -> Value:
    rows, columns = axes
    if order in (None, "fro", "f"):
        return sqrt(reduce_sum(_squares(x), axes))
    if order in (1, -1, np.inf, -np.inf):
        summed, kept = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = reduce_sum(abs_(x), (summed,))
        at = kept - (kept > summed)
        return (reduce_max if order > 0 else reduce_min)(sums, (at,))
    if order in (2, -2, "nuc"):
        last = typeof(x).ndim - 1
        first, second = sorted((rows, columns))
        # the singular values of a matrix are those of its transpose
        x = move_axis(move_axis(x, second, last), first, last - 1)
        s = singular_values(x)
        values = (typeof(s).ndim - 1,)
        if order == "nuc":
            return reduce_sum(s, values)
        return (reduce_max if order > 0 else reduce_min)(s, values)
    raise ValueError(f"{call}: Invalid norm order for matrices: {order!r}")


@public(np.linalg.norm, by_type=REAL_AND_COMPLEX)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    """Norm of vectors or of matrices.

    For vectors: ``sum(abs(x) ** ord) ** (1 / ord)``; ``inf`` and ``-inf`` are the largest and least
    modulus, 0 the number of elements that are not zero. For matrices: ``"fro"``, ``"nuc"`` (sum of
    singular values), 2 and -2 (largest and least of them), 1 and -1, ``inf`` and ``-inf`` (largest
    and least sum of moduli of a column, of a row).

    The derivative at zero is zero.

    Args:
        x: an array.
        ord: which norm; default: the root of the sum of squares.
        axis: the axis of the vectors, or the two axes of the matrices; default: all of `x`, which
            then has one or two axes unless `ord` is None.
        keepdims: whether the axes stay, with size 1.

    Raises:
        ValueError: if the norm does not exist for the operand.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> float(fnp.linalg.norm([3.0, 4.0]))
        5.0
        >>> fxla.grad(fnp.linalg.norm)(fnp.zeros(2))
        Array([0., 0.])
    """
    call = "np.linalg.norm"
    value, dtype = _operand(call, x)
    rank = typeof(value).ndim
    if axis is None:
        flat = ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1)
        if flat:
            found = _vector(value, 2, tuple(range(rank)), call)
            return convert(with_kept_axes(found, tuple(range(rank)), keepdims), dtype)
        axes: Axes = tuple(range(rank))
    elif isinstance(axis, (tuple, list)):
        axes = tuple(normalise_axis(a, rank, call) for a in axis)
    else:
        axes = (normalise_axis(operator.index(axis), rank, call),)
    if len(axes) == 1:
        found = _vector(value, ord, axes, call)
    elif len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError(f"{call}: Duplicate axes given.")
        found = _matrix(value, ord, (axes[0], axes[1]), call)
    else:
        raise ShapeError(f"{call}: Improper number of dimensions to norm: {typeof(value)}"
                         f"{where_am_i()}")  # fmt: skip
    return convert(with_kept_axes(found, axes, keepdims), dtype)


@public(np.linalg.vector_norm, by_type=REAL_AND_COMPLEX)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Value:
    """Norm of vectors: the array-API form of `norm`.

    Args:
        x: an array.
        axis: axis or axes that hold a vector; default: all.
        keepdims: whether the axes stay, with size 1.
        ord: which norm.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.vector_norm([[3.0], [4.0]]))
        5.0
    """
    call = "np.linalg.vector_norm"
    value, dtype = _operand(call, x)
    rank = typeof(value).ndim
    if axis is None:
        found = _vector(reshape(value, (typeof(value).size,)), ord, (0,), call)
        return convert(with_kept_axes(found, tuple(range(rank)), keepdims), dtype)
    listed = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(normalise_axis(a, rank, call) for a in listed)
    return convert(with_kept_axes(_vector(value, ord, axes, call), axes, keepdims), dtype)


@public(np.linalg.matrix_norm, by_type=REAL_AND_COMPLEX)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Value:
    """Norm of the matrices in the last two axes: the array-API form of `norm`.

    Args:
        x: a matrix or a stack of them.
        keepdims: whether the axes stay, with size 1.
        ord: which norm.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.linalg.matrix_norm([[3.0, 0.0], [0.0, 4.0]], ord=2))
        4.0
    """
    call = "np.linalg.matrix_norm"
    value, dtype = _operand(call, x)
    rank = typeof(value).ndim
    axes = (normalise_axis(-2, rank, call), normalise_axis(-1, rank, call))
    return convert(with_kept_axes(_matrix(value, ord, axes, call), axes, keepdims), dtype)
