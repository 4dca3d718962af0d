"""Quantiles, percentiles and medians, with NumPy's methods, and their forms that ignore NaN.

A quantile of n sorted values is read at a *virtual index*, a real number between 0 and n - 1; the
methods differ in how it depends on n and q, and in how values between two elements are made.
Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    DType,
    bfloat16,
    default_float,
    float32,
    float64,
    int64,
    is_complex,
    is_inexact,
    result_type,
)
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.numpy.arguments import NoValue, known_value, refuse_out, with_kept_axes
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, broadcast, broadcast_all, canonical_axes, convert_all
from fxla.numpy.reductions import accumulator
from fxla.ops.arithmetic import div, mul, sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.elementwise import add
from fxla.ops.index import take, take_along_axis
from fxla.ops.logic import eq, ge, isnan_p, lt, not_, select
from fxla.ops.order_statistic import LONG, order_statistic
from fxla.ops.reduce import reduce_or
from fxla.ops.shape import concatenate, slice_in_dim
from fxla.ops.sort import sort
from fxla.ops.structure import (
    broadcast_in_dim,
    broadcast_to,
    expand_dims,
    full,
    move_axis,
    reduce_sum,
    reshape,
    transpose,
)

__all__ = [
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]

_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
"""The parameters alpha and beta of Hyndman and Fan."""

_DISCRETE = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")
"""Methods that return elements, in their own dtype."""

_METHODS = (*_CONTINUOUS, *_DISCRETE, "averaged_inverted_cdf", "linear", "midpoint")


FEW = 12
"""How many elements are selected at most."""


def _virtual_index(n: Any, q: Any, method: str) -> tuple[Any, Any]:
    """The virtual index and the weight of the element above it; `n` and `q` may be traced.

    NumPy's functions are called here on NumPy arrays and on tracers alike: the indices of a static
    q are computed while tracing.
    """
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        v = n * q + (alpha + q * (1 - alpha - beta)) - 1
        return v, v - np.floor(v)
    if method in ("linear", "median"):
        v = (n - 1) * q
        return v, v - np.floor(v)
    if method == "midpoint":
        v = 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))
        return v, np.where(v == np.floor(v), 0.0, 0.5)
    if method == "averaged_inverted_cdf":
        v = n * q - 1
        return v, np.where(v == np.floor(v), 0.5, 1.0)
    if method == "inverted_cdf":
        return np.maximum(np.ceil(n * q - 1), 0.0), 0.0
    if method == "closest_observation":
        v = n * q - 1 - 0.5
        below = np.floor(v)
        exact = (v == below) & (np.mod(below, 2.0) == 1)
        return np.maximum(np.where(exact, below, below + 1), 0.0), 0.0
    rounded = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[method]
    return rounded((n - 1) * q), 0.0


def _merged(x: Value, axes: tuple[int, ...]) -> Value:
    """`x` with the axes merged into one, which is last."""
    shape = typeof(x).shape
    kept = [k for k in range(len(shape)) if k not in axes]
    count = math.prod(shape[k] for k in axes)
    return reshape(transpose(x, (*kept, *axes)), (*(shape[k] for k in kept), count))


def _elements(ordered: Value, index: Any, last: int) -> Value:
    """Elements at indices of shape (Q,), or (*outer, Q) if they differ between slices."""
    (index,) = convert_all([index], int64)
    if typeof(index).ndim == last + 1 and last > 0:
        return take_along_axis(ordered, index, last)
    return take(ordered, index, last)


def _at_places(x: Value, places: list[Any], count: int) -> list[Value]:
    """The elements of `x` at places of its sorted order, for each of several arrays of places.

    A few places of many elements are found without sorting.
    """
    shape = typeof(x).shape
    last = len(shape) - 1
    if shape[last] < LONG or count * len(places) > FEW:
        (ordered,) = sort((x,), last)
        return [_elements(ordered, at, last) for at in places]
    wanted = []
    for at in places:
        (ranks,) = convert_all([at], int64)
        axes = tuple(range(typeof(ranks).ndim)) if typeof(ranks).ndim > 1 else (last,)
        ranks = broadcast_to(ranks, (count,)) if typeof(ranks).ndim == 0 else ranks
        full_shape = (*shape[:-1], count)
        if typeof(ranks).ndim == len(full_shape):
            wanted.append(broadcast_to(ranks, full_shape))
        else:
            wanted.append(broadcast_in_dim(ranks, full_shape, axes))
    found = order_statistic(x, concatenate(wanted, last))
    return [slice_in_dim(found, k * count, (k + 1) * count, axis=last) for k in range(len(places))]


def _between(a: Value, b: Value, weight: Value) -> Value:
    """``a + (b - a) weight``, computed from the nearer end as NumPy does.

    The difference is rounded to the elements' dtype; the rest is computed in that of the weight.
    """
    dtype = typeof(weight).dtype
    gap = sub(b, a)
    a, b, gap = convert(a, dtype), convert(b, dtype), convert(gap, dtype)
    near_b = ge(weight, convert_all([0.5], typeof(weight).dtype)[0])
    rest = sub(convert_all([1.0], typeof(weight).dtype)[0], weight)
    return select(near_b, sub(b, mul(gap, rest)), add(a, mul(gap, weight)))


def _midway(a: Value, b: Value, low: Any, high: Any) -> Value:
    """The mean of two elements; of one with itself the element, which may be large or infinite."""
    work = accumulator(typeof(a).dtype)
    half = convert_all([0.5], work)[0]
    mean = convert(mul(add(convert(a, work), convert(b, work)), half), typeof(a).dtype)
    same = eq(*broadcast("np.median", *convert_all([low, high], float64)))
    return select(broadcast_to(same, typeof(a).shape), a, mean)


def _checked_q(call: str, q: Any, scale: float) -> tuple[Any, DType, bool]:
    """Quantiles between 0 and 1: an array if their values are known, else a tracer."""
    weak = type(q) in (int, float)
    value = as_value(q, call)
    dtype = typeof(value).dtype
    dtype = dtype if is_inexact(dtype) else default_float()
    known = known_value(value)
    if known is None or isinstance(value, Tracer):
        (value,) = convert_all([value], dtype)
        q = div(value, convert_all([scale], dtype)[0]) if scale != 1 else value
    else:
        q = (
            np.true_divide(known, scale, dtype=np.float64 if weak else None)
            if scale != 1
            else known
        )
    if known is not None and known.size:
        fraction = known / scale
        if not (np.min(fraction) >= 0 and np.max(fraction) <= 1):
            what = "Quantiles must be in the range [0, 1]"
            if scale != 1:
                what = "Percentiles must be in the range [0, 100]"
            raise ValueError(f"{call}: {what}{where_am_i()}")
    return q, dtype, weak


def _quantile(
    call: str,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    keepdims: Any,
    weights: Any = None,
    scale: float = 1.0,
    skip_nan: bool = False,
) -> Value:
    x = as_value(a, call)
    aval = typeof(x)
    if is_complex(aval.dtype):
        raise DtypeError(f"{call}: a must be an array of real numbers, got {aval}")
    if method not in _METHODS and not call.endswith("median"):
        raise ValueError(f"{call}: {method!r} is not a valid method. Use one of: {_METHODS}")
    axes = canonical_axes(axis, aval.ndim, call)
    fractions, q_dtype, weak = _checked_q(call, q, scale)
    q_shape = np.shape(fractions) if not isinstance(fractions, Tracer) else typeof(fractions).shape
    out_dtype = aval.dtype
    if method not in _DISCRETE:
        strong = aval.dtype if is_inexact(aval.dtype) else default_float()
        out_dtype, _ = result_type((strong, False), (q_dtype, weak))
        if weak and strong == bfloat16:  # NumPy's promotion of which has another idea of numbers
            out_dtype = strong if call.endswith("median") else float32
    flat_q = reshape(fractions, (math.prod(q_shape),))
    (x,) = convert_all([x], aval.dtype if is_inexact(aval.dtype) else out_dtype)
    merged = _merged(x, axes)
    if weights is None:
        found = _unweighted(merged, flat_q, method, skip_nan, out_dtype)
    else:
        if method != "inverted_cdf":
            raise ValueError(f"{call}: Only method 'inverted_cdf' supports weights. Got: {method}.")
        w = _merged(_full_weights(call, weights, aval.shape, axis, axes), axes)
        found = _weighted(merged, w, flat_q, skip_nan)
    last = typeof(found).ndim - 1
    found = move_axis(found, last, 0)
    found = reshape(found, (*q_shape, *typeof(found).shape[1:]))
    shifted = tuple(k + len(q_shape) for k in sorted(axes))
    return with_kept_axes(found, shifted, keepdims)


def _unweighted(x: Value, q: Any, method: str, skip_nan: bool, out_dtype: DType) -> Value:
    """Quantiles along the last axis: ``T[*o, n], [Q] -> U[*o, Q]``."""
    shape, dtype = typeof(x).shape, typeof(x).dtype
    last, size = len(shape) - 1, shape[-1]
    count = typeof(q).shape[0]
    if size == 0:
        return full((*shape[:-1], count), np.nan, out_dtype)
    n: Any = size
    if skip_nan and is_inexact(dtype):
        valid = convert(not_(isnan_p.bind1(x)), float64)
        n = expand_dims(reduce_sum(valid, (last,)), (last,))
    v, weight = _virtual_index(n, q, method)
    low = np.clip(np.floor(v), 0, n - 1)
    high = np.clip(np.ceil(v) if method == "median" else np.floor(v) + 1, 0, n - 1)
    places = [low] if method in _DISCRETE else [low, high]
    found, *others = _at_places(x, places, count)
    if method not in _DISCRETE:
        (above,) = others
        (weight,) = convert_all([as_value(weight, "np.quantile")], out_dtype)
        if method == "median":
            found = _midway(convert(found, out_dtype), convert(above, out_dtype), low, high)
        else:
            found = _between(found, above, broadcast_to(weight, typeof(found).shape))
    if not is_inexact(dtype):
        return found
    if skip_nan:
        bad = broadcast_to(eq(*broadcast("np.quantile", n, 0.0)), typeof(found).shape)
    else:
        nan = expand_dims(reduce_or(isnan_p.bind1(x), (last,)), (last,))
        bad = broadcast_to(nan, typeof(found).shape)
    return select(bad, full(typeof(found).shape, np.nan, out_dtype), found)


def _full_weights(
    call: str, weights: Any, shape: tuple[int, ...], axis: Any, axes: tuple[int, ...]
) -> Value:
    w = as_value(weights, call)
    if typeof(w).shape == shape:
        return w
    if axis is None:
        raise TypeError(f"{call}: Axis must be specified when shapes of a and weights differ.")
    if typeof(w).shape != tuple(shape[k] for k in axes):
        raise ShapeError(
            f"{call}: Shape of weights must be consistent with shape of a along specified axis."
        )
    return broadcast_in_dim(w, shape, axes)


def _weighted(x: Value, w: Value, q: Any, skip_nan: bool) -> Value:
    """The first element at which the cumulated weight reaches q times the total."""
    shape, dtype = typeof(x).shape, typeof(x).dtype
    last, size = len(shape) - 1, shape[-1]
    (w,) = convert_all([w], float64)
    if skip_nan and is_inexact(dtype):
        w = select(isnan_p.bind1(x), full(shape, 0, float64), w)
    ordered, weights = sort((x, w), last, num_keys=1)
    cumulated = cumsum(weights, last)
    total = slice_in_dim(cumulated, size - 1, size, axis=last)
    share = div(cumulated, broadcast_to(total, shape))
    share = select(eq(share, 0.0), full(shape, -1, float64), share)
    (q,) = convert_all([q], float64)
    before = lt(*broadcast_all("np.quantile", expand_dims(share, (last + 1,)), q))
    index = reduce_sum(convert(before, int64), (last,))
    found = take_along_axis(ordered, index, last) if last else take(ordered, index, 0)
    if is_inexact(dtype) and not skip_nan:
        bad = isnan_p.bind1(slice_in_dim(ordered, size - 1, size, axis=last))
        bad = broadcast_to(bad, typeof(found).shape)
        found = select(bad, full(typeof(found).shape, np.nan, dtype), found)
    return found


@public(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Value:
    """Quantiles over axes; NaN if there is one.

    Args:
        a: an array of real numbers.
        q: fractions between 0 and 1, of any shape; may be traced.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        overwrite_input: accepted.
        method: how a value between two elements is made, see `numpy.quantile`.
        keepdims: whether the axes stay, with size 1.
        weights: of the elements, for the method ``"inverted_cdf"`` only.

    Returns:
        An array of shape ``q.shape + (a.shape without the axes)``.

    Raises:
        ValueError: if a fraction is not in [0, 1], or the method is unknown.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.quantile([1.0, 2.0, 3.0, 4.0], [0.0, 0.5])
        Array([1. , 2.5])
    """
    refuse_out(out, "np.quantile")
    return _quantile("np.quantile", a, q, axis, method, keepdims, weights)


@public(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Value:
    """Percentiles over axes: `quantile` with fractions in percent, between 0 and 100.

    Args:
        a: an array of real numbers.
        q: percentages, of any shape; may be traced.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        overwrite_input: accepted.
        method: how a value between two elements is made.
        keepdims: whether the axes stay, with size 1.
        weights: of the elements, for the method ``"inverted_cdf"`` only.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.percentile([1.0, 2.0, 3.0, 4.0], 50))
        2.5
    """
    refuse_out(out, "np.percentile")
    return _quantile("np.percentile", a, q, axis, method, keepdims, weights, scale=100.0)


@public(np.median)
def median(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Value:
    """Median over axes: the middle of the sorted elements, or the mean of the two in the middle.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        overwrite_input: accepted.
        keepdims: whether the axes stay, with size 1.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.median([3.0, 1.0, 2.0, 10.0]))
        2.5
    """
    refuse_out(out, "np.median")
    return _quantile("np.median", a, 0.5, axis, "median", keepdims)


@public(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = NoValue,
    *,
    weights: Any = None,
) -> Value:
    """Quantiles over axes of the elements that are not NaN; the arguments are those of `quantile`.

    Args:
        a: an array of real numbers.
        q: fractions between 0 and 1, of any shape; may be traced.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        overwrite_input: accepted.
        method: how a value between two elements is made.
        keepdims: whether the axes stay, with size 1.
        weights: of the elements, for the method ``"inverted_cdf"`` only.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanquantile([1.0, fnp.nan, 3.0], 0.5))
        2.0
    """
    refuse_out(out, "np.nanquantile")
    return _quantile("np.nanquantile", a, q, axis, method, keepdims, weights, skip_nan=True)


@public(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = NoValue,
    *,
    weights: Any = None,
) -> Value:
    """Percentiles over axes of the elements that are not NaN; see `percentile`.

    Args:
        a: an array of real numbers.
        q: percentages, of any shape; may be traced.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        overwrite_input: accepted.
        method: how a value between two elements is made.
        keepdims: whether the axes stay, with size 1.
        weights: of the elements, for the method ``"inverted_cdf"`` only.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanpercentile([1.0, fnp.nan, 3.0], 50))
        2.0
    """
    refuse_out(out, "np.nanpercentile")
    return _quantile(
        "np.nanpercentile", a, q, axis, method, keepdims, weights, scale=100.0, skip_nan=True
    )


@public(np.nanmedian)
def nanmedian(
    a: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    keepdims: Any = NoValue,
) -> Value:
    """Median over axes of the elements that are not NaN; see `median`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanmedian([1.0, fnp.nan, 3.0]))
        2.0
    """
    refuse_out(out, "np.nanmedian")
    return _quantile("np.nanmedian", a, 0.5, axis, "median", keepdims, skip_nan=True)
