"""Reductions over axes: sums, products and logic, and what all reductions share.

Result dtypes are NumPy's: small integers are summed in int64 (uint64). The 16-bit floats are
accumulated in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, bool_, canonical_dtype, float32, int64, is_floating
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out, with_kept_axes
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, broadcast, convert_all
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import reduce
from fxla.ops.arithmetic import mul
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import ne, select
from fxla.ops.structure import broadcast_to, full, reduce_sum

__all__ = [
    "all",
    "any",
    "count_nonzero",
    "prod",
    "sum",
]

uint64 = np.dtype(np.uint64)


# --- what the family shares -----------------------------------------------------------------


def sum_dtype(dtype: DType) -> DType:
    """The dtype in which NumPy sums and multiplies arrays of `dtype`.

    Example:
        >>> sum_dtype(np.dtype("int32")), sum_dtype(np.dtype("bool")), sum_dtype(np.dtype("uint8"))
        (dtype('int64'), dtype('int64'), dtype('uint64'))
    """
    if dtype.kind == "u" and dtype.itemsize < 8:
        return uint64
    if dtype.kind == "b" or (dtype.kind == "i" and dtype.itemsize < 8):
        return int64
    return dtype


def accumulator(dtype: DType) -> DType:
    """The dtype to accumulate in: float32 for the 16-bit floats."""
    return float32 if is_floating(dtype) and dtype.itemsize < 4 else dtype


def truth(x: Value) -> Value:
    """Which elements are not zero."""
    return x if typeof(x).dtype == bool_ else ne(*convert_all([x, 0], typeof(x).dtype))


def mask_of(where: Any, x: Value, call: str) -> Value:
    """A `where` argument as a boolean array of the shape of `x`."""
    mask = truth(as_value(where, call))
    shape = typeof(x).shape
    try:
        return broadcast_to(mask, shape)
    except ShapeError:
        raise ShapeError(
            f"{call}: where= has shape {typeof(mask).shape}, which does not broadcast to "
            f"{typeof(x)}{where_am_i()}"
        ) from None


def is_given(option: Any) -> bool:
    """Whether a keyword that has no NumPy default was given."""
    return option is not NoValue and option is not None


def masked(x: Value, where: Any, fill: Any, call: str) -> Value:
    """`x`, with `fill` where the mask `where` is false."""
    if where is NoValue or where is True:
        return x
    return select(mask_of(where, x, call), x, full(typeof(x).shape, fill, typeof(x).dtype))


def counted(x: Value, axes: Sequence[int], where: Any, dtype: DType, call: str) -> Any:
    """How many elements a reduction takes: a Python integer, or an array if there is a mask."""
    if where is NoValue or where is True:
        return math.prod(typeof(x).shape[a] for a in axes)
    return reduce_sum(convert(mask_of(where, x, call), dtype), axes)


# --- sums and products ----------------------------------------------------------------------


def _accumulated(
    call: str,
    reduction: Callable[[Value, Sequence[int]], Value],
    combine: Callable[[Value, Value], Value],
    identity: int,
    a: Any,
    axis: Any,
    dtype: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
) -> Value:
    x = as_value(a, call)
    aval = typeof(x)
    axes = reduced_axes(axis, aval.ndim, call)
    out_dtype = sum_dtype(aval.dtype) if dtype is None else canonical_dtype(dtype)
    work = accumulator(out_dtype)
    (x,) = convert_all([x], work)
    out = reduction(masked(x, where, identity, call), axes)
    if is_given(initial):
        start, total = convert_all([as_value(initial, call), out], work)
        out = combine(*broadcast(call, total, start))
    return with_kept_axes(convert(out, out_dtype), axes, keepdims)


@public(np.sum, by_type=REAL_AND_COMPLEX)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """Sum over axes.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        dtype: to sum in; integers smaller than int64 are summed in int64 (uint64) by default.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        initial: added to the sum.
        where: which elements to take.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
        Array([4., 6.])
    """
    refuse_out(out, "np.sum")
    return _accumulated("np.sum", reduce_sum, add, 0, a, axis, dtype, keepdims, initial, where)


@public(np.prod, by_type=REAL_AND_COMPLEX)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """Product over axes. Its derivative is right where elements are zero.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        dtype: to multiply in; chosen as for `sum`.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        initial: multiplied with the product.
        where: which elements to take.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.prod([2.0, 3.0]))
        6.0
    """
    refuse_out(out, "np.prod")
    return _accumulated(
        "np.prod", reduce.reduce_prod, mul, 1, a, axis, dtype, keepdims, initial, where
    )


# --- logic ----------------------------------------------------------------------------------


@public(np.all, by_type=REAL_AND_COMPLEX)
def all(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
) -> Value:
    """Whether all elements are true (not zero); NaN is true.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        where: which elements to take.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.all([[True, False], [True, True]], axis=1)
        Array([False,  True])
    """
    refuse_out(out, "np.all")
    x = truth(as_value(a, "np.all"))
    axes = reduced_axes(axis, typeof(x).ndim, "np.all")
    found = reduce.reduce_and(masked(x, where, True, "np.all"), axes)
    return with_kept_axes(found, axes, keepdims)


@public(np.any, by_type=REAL_AND_COMPLEX)
def any(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
) -> Value:
    """Whether an element is true (not zero); NaN is true.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        where: which elements to take.

    Example:
        >>> import fxla.numpy as fnp
        >>> bool(fnp.any([0.0, 2.0]))
        True
    """
    refuse_out(out, "np.any")
    x = truth(as_value(a, "np.any"))
    axes = reduced_axes(axis, typeof(x).ndim, "np.any")
    found = reduce.reduce_or(masked(x, where, False, "np.any"), axes)
    return with_kept_axes(found, axes, keepdims)


@public(np.count_nonzero, by_type=REAL_AND_COMPLEX)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Value:
    """How many elements are not zero.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.count_nonzero([0.0, 1.0, 2.0]))
        2
    """
    x = truth(as_value(a, "np.count_nonzero"))
    axes = reduced_axes(axis, typeof(x).ndim, "np.count_nonzero")
    return with_kept_axes(reduce_sum(convert(x, int64), axes), axes, keepdims)
