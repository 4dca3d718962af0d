"""Running sums and products, differences of neighbours, and numerical gradients."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, default_float, is_bool, is_inexact
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import NoValue, refuse_out
from fxla.numpy.dispatch import public
from fxla.numpy.nan_reductions import without_nan
from fxla.numpy.operands import as_value, canonical_axes, convert_all, normalise_axis, promote
from fxla.numpy.reductions import accumulator, sum_dtype
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import cumulative as ops
from fxla.ops.arithmetic import sub
from fxla.ops.casts import convert
from fxla.ops.logic import ne
from fxla.ops.shape import concatenate, slice_in_dim
from fxla.ops.structure import broadcast_to, expand_dims, full, reshape

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
    "gradient",
    "nancumprod",
    "nancumsum",
]


def _running(
    call: str, scan: Callable[[Value, int], Value], a: Any, axis: Any, dtype: Any, out: Any
) -> Value:
    refuse_out(out, call)
    x = as_value(a, call)
    if axis is None or (typeof(x).ndim == 0 and axis in (0, -1)):
        x, axis = reshape(x, (typeof(x).size,)), 0
    at = normalise_axis(axis, typeof(x).ndim, call)
    out_dtype = sum_dtype(typeof(x).dtype) if dtype is None else canonical_dtype(dtype)
    (x,) = convert_all([x], accumulator(out_dtype))
    return convert(scan(x, at), out_dtype)


@public(np.cumsum, by_type=REAL_AND_COMPLEX)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Value:
    """Running sum along an axis.

    Args:
        a: an array.
        axis: the axis; default: of the flattened array.
        dtype: to sum in; integers smaller than int64 are summed in int64 (uint64) by default.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cumsum([1.0, 2.0, 3.0])
        Array([1., 3., 6.])
    """
    return _running("np.cumsum", ops.cumsum, a, axis, dtype, out)


@public(np.cumprod, by_type=REAL_AND_COMPLEX)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Value:
    """Running product along an axis. Its derivative is right where elements are zero.

    Args:
        a: an array.
        axis: the axis; default: of the flattened array.
        dtype: to multiply in; chosen as for `cumsum`.
        out: not supported for traced arrays.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cumprod([1.0, 2.0, 3.0])
        Array([1., 2., 6.])
    """
    return _running("np.cumprod", ops.cumprod, a, axis, dtype, out)


@public(np.nancumsum, by_type=REAL_AND_COMPLEX)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Value:
    """`cumsum` with NaN counted as zero.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.nancumsum([1.0, fnp.nan, 3.0])
        Array([1., 1., 4.])
    """
    x = without_nan(as_value(a, "np.nancumsum"), 0)
    return _running("np.nancumsum", ops.cumsum, x, axis, dtype, out)


@public(np.nancumprod, by_type=REAL_AND_COMPLEX)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Value:
    """`cumprod` with NaN counted as one.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.nancumprod([2.0, fnp.nan, 3.0])
        Array([2., 2., 6.])
    """
    x = without_nan(as_value(a, "np.nancumprod"), 1)
    return _running("np.nancumprod", ops.cumprod, x, axis, dtype, out)


def _from_initial(
    call: str,
    scan: Callable[[Value, int], Value],
    first: int,
    x: Any,
    axis: Any,
    dtype: Any,
    out: Any,
    include_initial: bool,
) -> Value:
    value = as_value(x, call)
    aval = typeof(value)
    if aval.ndim == 0:
        value = reshape(value, (1,))
        aval = typeof(value)
    if axis is None:
        if aval.ndim != 1:
            raise ValueError(f"{call}: For arrays which have more than one dimension ``axis`` "
                             f"argument is required: {aval}{where_am_i()}")  # fmt: skip
        axis = 0
    found = _running(call, scan, value, axis, dtype, out)
    if not include_initial:
        return found
    at = normalise_axis(axis, aval.ndim, call)
    shape = list(aval.shape)
    shape[at] = 1
    return concatenate([full(shape, first, typeof(found).dtype), found], at)


@public(np.cumulative_sum, by_type=REAL_AND_COMPLEX)
def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Value:
    """The array-API running sum.

    Args:
        x: an array; the axis may be left out if there is only one.
        axis: the axis.
        dtype: to sum in.
        out: not supported for traced arrays.
        include_initial: whether to start with a zero.

    Raises:
        ValueError: if there are several axes and none is given.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cumulative_sum([1.0, 2.0], include_initial=True)
        Array([0., 1., 3.])
    """
    call = "np.cumulative_sum"
    return _from_initial(call, ops.cumsum, 0, x, axis, dtype, out, include_initial)


@public(np.cumulative_prod, by_type=REAL_AND_COMPLEX)
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    include_initial: bool = False,
) -> Value:
    """The array-API running product; the arguments are those of `cumulative_sum`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.cumulative_prod([2.0, 3.0], include_initial=True)
        Array([1., 2., 6.])
    """
    call = "np.cumulative_prod"
    return _from_initial(call, ops.cumprod, 1, x, axis, dtype, out, include_initial)


# --- differences ----------------------------------------------------------------------------


def _difference(x: Value, axis: int) -> Value:
    """Every element minus the one before it; of booleans whether they differ."""
    n = typeof(x).shape[axis]
    if n == 0:
        return x
    second, first = slice_in_dim(x, 1, n, axis=axis), slice_in_dim(x, 0, n - 1, axis=axis)
    return ne(second, first) if is_bool(typeof(x).dtype) else sub(second, first)


@public(np.diff, by_type=REAL_AND_COMPLEX)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = NoValue, append: Any = NoValue
) -> Value:
    """Differences of neighbours along an axis.

    Args:
        a: an array.
        n: how many times to take them.
        axis: the axis.
        prepend: values put before `a` first.
        append: values put after it.

    Raises:
        ValueError: if n is negative, or `a` is a scalar.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.diff([1.0, 4.0, 9.0])
        Array([3., 5.])
    """
    call = "np.diff"
    times = operator.index(n)
    if times == 0:
        return as_value(a, call)
    if times < 0:
        raise ValueError(f"{call}: order must be non-negative but got {n}")
    x = as_value(a, call)
    if typeof(x).ndim == 0:
        raise ShapeError(f"{call}: diff requires input that is at least one dimensional")
    at = normalise_axis(axis, typeof(x).ndim, call)
    parts = [x]
    for extra, place in ((prepend, 0), (append, len(parts) + 1)):
        if extra is not NoValue:
            value = as_value(extra, call)
            if typeof(value).ndim == 0:
                shape = list(typeof(x).shape)
                shape[at] = 1
                value = broadcast_to(value, shape)
            parts.insert(place, value)
    x = concatenate(promote(call, *parts), at)
    for _ in range(times):
        x = _difference(x, at)
    return x


@public(np.ediff1d, by_type=REAL_AND_COMPLEX)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Value:
    """Differences of neighbours of the flattened array, with values put at the ends.

    Args:
        ary: an array.
        to_end: put after the differences.
        to_begin: put before them.

    Raises:
        TypeError: if the ends cannot be cast to the dtype of `ary`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.ediff1d([1.0, 4.0, 9.0], to_begin=0.0)
        Array([0., 3., 5.])
    """
    call = "np.ediff1d"
    x = as_value(ary, call)
    dtype = typeof(x).dtype
    (x,) = convert_all([reshape(x, (typeof(x).size,))], dtype)
    parts = [_difference(x, 0)]
    for extra, place in ((to_begin, 0), (to_end, 2)):
        if extra is None:
            continue
        value = as_value(extra, call)
        aval = typeof(value)
        if not aval.weak_type and not np.can_cast(aval.dtype, dtype, casting="same_kind"):
            name = "to_end" if place else "to_begin"
            raise DtypeError(f"{call}: dtype of `{name}` must be compatible with input `ary`")
        (value,) = convert_all([value], dtype)
        parts.insert(place, reshape(value, (typeof(value).size,)))
    return concatenate(parts, 0)


@public(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Numerical gradient: central differences inside, one-sided differences at the ends.

    Args:
        f: values on a grid.
        *varargs: spacing: nothing for 1, one number for all axes, or one number or array of
            coordinates for each axis.
        axis: axis or axes; default: all.
        edge_order: order of accuracy at the ends, 1 or 2.

    Returns:
        An array of the shape of `f`, or a tuple with one for each of several axes.

    Raises:
        ValueError: if an axis is too short, or a spacing does not fit.
        TypeError: if the number of spacings does not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.gradient([1.0, 4.0, 9.0, 16.0])
        Array([3., 4., 6., 7.])
    """
    call = "np.gradient"
    x = as_value(f, call)
    if not is_inexact(typeof(x).dtype):
        x = convert(x, default_float())
    axes = canonical_axes(axis, typeof(x).ndim, call)
    if edge_order not in (1, 2):
        raise ValueError(f"{call}: 'edge_order' greater than 2 not supported")
    spacings = _spacings(call, varargs, typeof(x).shape, axes)
    found = []
    for at, h in zip(axes, spacings, strict=True):
        if typeof(x).shape[at] < edge_order + 1:
            raise ShapeError(
                f"{call}: Shape of array too small to calculate a numerical gradient, at least "
                f"(edge_order + 1) elements are required: {typeof(x)} along axis {at}"
            )
        found.append(convert(_gradient_along(x, at, h, edge_order), typeof(x).dtype))
    return found[0] if len(axes) == 1 else tuple(found)


def _spacings(
    call: str, given: tuple[Any, ...], shape: tuple[int, ...], axes: tuple[int, ...]
) -> list[Any]:
    """For each axis a number, or the differences of its coordinates."""
    if not given:
        return [1.0] * len(axes)
    values = [as_value(h, call) for h in given]
    if len(values) == 1 and typeof(values[0]).ndim == 0:
        return values * len(axes)
    if len(values) != len(axes):
        raise TypeError(f"{call}: invalid number of arguments: {len(values)} spacings")
    spacings = []
    for at, h in zip(axes, values, strict=True):
        if typeof(h).ndim == 0:
            spacings.append(h)
            continue
        if typeof(h).ndim != 1:
            raise ShapeError(f"{call}: distances must be either scalars or 1d")
        if typeof(h).shape[0] != shape[at]:
            raise ShapeError(
                f"{call}: when 1d, distances must match the length of the corresponding dimension"
            )
        if not is_inexact(typeof(h).dtype):
            h = convert(h, default_float())
        spacings.append(_difference(h, 0))
    return spacings


def _gradient_along(x: Value, axis: int, h: Any, edge_order: int) -> Value:
    n, rank = typeof(x).shape[axis], typeof(x).ndim

    def part(start: int, stop: int) -> Value:
        return slice_in_dim(x, start, stop, axis=axis)

    def end(*terms: tuple[Any, int]) -> Value:
        """A weighted sum of single layers."""
        total: Any = None
        for weight, k in terms:
            term = weight * part(k % n, k % n + 1)
            total = term if total is None else total + term
        return total

    if typeof(h).ndim == 0:
        inside = (part(2, n) - part(0, n - 2)) / (2.0 * h)
        first, last = h, h
        edge = ((-1.5 / h, 2.0 / h, -0.5 / h), (0.5 / h, -2.0 / h, 1.5 / h))
    else:
        others = [k for k in range(rank) if k != axis]
        a, b = slice_in_dim(h, 0, n - 2), slice_in_dim(h, 1, n - 1)
        weights = (-b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b)))
        low, mid, high = (expand_dims(w, others) for w in weights)
        inside = low * part(0, n - 2) + mid * part(1, n - 1) + high * part(2, n)
        first, last = h[0], h[n - 2]
        if edge_order == 2:
            a, b = h[0], h[1]
            start = (-(2.0 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b)))
            a, b = h[n - 3], h[n - 2]
            stop = (b / (a * (a + b)), -(b + a) / (a * b), (2.0 * b + a) / (b * (a + b)))
            edge = (start, stop)
    if edge_order == 1:
        start_value = (part(1, 2) - part(0, 1)) / first
        stop_value = (part(n - 1, n) - part(n - 2, n - 1)) / last
    else:
        start_value = end(*zip(edge[0], (0, 1, 2), strict=True))
        stop_value = end(*zip(edge[1], (-3, -2, -1), strict=True))
    pieces = [start_value, inside, stop_value] if n > 2 else [start_value, stop_value]
    return concatenate(promote("np.gradient", *pieces), axis)
