"""Moments over axes: means, variances, weighted averages, and integrals by the trapezoidal rule.

Means of integers are float64; the 16-bit floats are accumulated in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, canonical_dtype, default_float, is_complex, is_inexact
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out, with_kept_axes
from fxla.numpy.dispatch import public
from fxla.numpy.operands import (
    as_value,
    broadcast,
    canonical_axes,
    convert_all,
    normalise_axis,
    promote_inexact,
)
from fxla.numpy.reductions import accumulator, counted, is_given, masked, sum
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops.arithmetic import div, imag, maximum, mul, real, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.structure import broadcast_to, expand_dims, full, reduce_sum
from fxla.ops.transcendental import sqrt

__all__ = [
    "average",
    "mean",
    "std",
    "trapezoid",
    "var",
]


def divided(total: Value, count: Any) -> Value:
    """``total / count`` in the dtype of `total`."""
    dtype = typeof(total).dtype
    return div(total, convert_all([count], dtype)[0])


def moment_dtype(x: Value, dtype: Any) -> tuple[DType, DType]:
    """Dtypes of the result of a mean, and of its computation."""
    have = typeof(x).dtype
    if dtype is not None:
        wanted = canonical_dtype(dtype)
    else:
        wanted = have if is_inexact(have) else default_float()
    return wanted, accumulator(wanted)


@public(np.mean, by_type=REAL_AND_COMPLEX)
def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
) -> Value:
    """Mean over axes; NaN of no elements.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        dtype: to compute in; float64 for integers by default.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        where: which elements to take.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.mean([[1, 2], [3, 5]], axis=0)
        Array([2. , 3.5])
    """
    refuse_out(out, "np.mean")
    x = as_value(a, "np.mean")
    axes = tuple(sorted(canonical_axes(axis, typeof(x).ndim, "np.mean")))
    out_dtype, work = moment_dtype(x, dtype)
    (x,) = convert_all([x], work)
    total = reduce_sum(masked(x, where, 0, "np.mean"), axes)
    inexact = work if is_inexact(work) else default_float()
    (total,) = convert_all([total], inexact)
    found = divided(total, counted(x, axes, where, inexact, "np.mean"))
    return with_kept_axes(convert(found, out_dtype), axes, keepdims)


@public(np.var, by_type=REAL_AND_COMPLEX)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
    mean: Any = NoValue,
    correction: Any = NoValue,
) -> Value:
    """Variance over axes: the mean of the squared distances from the mean.

    Args:
        a: an array; of complex elements the squared modulus is taken.
        axis: axis or axes; default: all.
        dtype: to compute in; float64 for integers by default.
        out: not supported for traced arrays.
        ddof: subtracted from the number of elements in the divisor.
        keepdims: whether the axes stay, with size 1.
        where: which elements to take.
        mean: the mean, if it is known, with the reduced axes kept.
        correction: the array-API name of `ddof`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.var([1.0, 3.0])), float(fnp.var([1.0, 3.0], ddof=1))
        (1.0, 2.0)
    """
    refuse_out(out, "np.var")
    found, axes, out_dtype = variance("np.var", a, axis, dtype, ddof, where, mean, correction)
    return with_kept_axes(convert(found, out_dtype), axes, keepdims)


@public(np.std, by_type=REAL_AND_COMPLEX)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
    mean: Any = NoValue,
    correction: Any = NoValue,
) -> Value:
    """Standard deviation over axes: the root of `var`, whose arguments it takes.

    Where all elements are equal the derivative is 0, a subgradient.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        dtype: to compute in; float64 for integers by default.
        out: not supported for traced arrays.
        ddof: subtracted from the number of elements in the divisor.
        keepdims: whether the axes stay, with size 1.
        where: which elements to take.
        mean: the mean, if it is known, with the reduced axes kept.
        correction: the array-API name of `ddof`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.std([1.0, 3.0]))
        1.0
    """
    refuse_out(out, "np.std")
    found, axes, out_dtype = variance("np.std", a, axis, dtype, ddof, where, mean, correction)
    return with_kept_axes(convert(sqrt(found), out_dtype), axes, keepdims)


def variance(
    call: str,
    a: Any,
    axis: Any,
    dtype: Any,
    ddof: Any,
    where: Any,
    mean: Any = NoValue,
    correction: Any = NoValue,
) -> tuple[Value, tuple[int, ...], DType]:
    """The variance in its accumulator's dtype, the reduced axes, and the result's dtype."""
    x = as_value(a, call)
    axes = tuple(sorted(canonical_axes(axis, typeof(x).ndim, call)))
    if is_given(correction):
        if ddof != 0:
            raise ValueError(f"{call}: ddof and correction can't be provided simultaneously.")
        ddof = correction
    out_dtype, work = moment_dtype(x, dtype)
    if not is_inexact(work):
        work = default_float()
    (x,) = convert_all([x], work)
    x = masked(x, where, 0, call)  # so that what is left out cannot make NaN of the derivative
    count = counted(x, axes, where, np.zeros((), work).real.dtype, call)
    if is_given(mean):
        (centre,) = convert_all([as_value(mean, call)], work)
    else:
        total = reduce_sum(x, axes)
        centre = expand_dims(divided(total, count), axes)
    distance = sub(x, broadcast_to(centre, typeof(x).shape))
    if is_complex(work):
        re, im = real(distance), imag(distance)
        square = add(mul(re, re), mul(im, im))
    else:
        square = mul(distance, distance)
    total = reduce_sum(masked(square, where, 0, call), axes)
    if isinstance(count, int):
        rest = count - ddof
        rest = rest if rest > 0 else 0
    else:
        rest = sub(count, convert_all([ddof], typeof(count).dtype)[0])
        rest = maximum(*broadcast(call, *convert_all([rest, 0], typeof(rest).dtype)))
    return divided(total, rest), axes, np.zeros((), out_dtype).real.dtype


@public(np.average, by_type=REAL_AND_COMPLEX)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = NoValue,
) -> Any:
    """Weighted mean over axes: ``sum(a * weights) / sum(weights)``.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        weights: of the shape of `a`, or of the reduced axes; default: all equal.
        returned: whether to return the sum of the weights too.
        keepdims: whether the axes stay, with size 1.

    Returns:
        The average, or ``(average, sum_of_weights)``.

    Raises:
        TypeError: if the shapes differ and no axis is given.
        ValueError: if the weights do not fit.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.average([1.0, 4.0], weights=[2.0, 1.0]))
        2.0
    """
    call = "np.average"
    x = as_value(a, call)
    shape = typeof(x).shape
    axes = reduced_axes(axis, len(shape), call)
    if weights is None:
        found = mean(x, axes, keepdims=keepdims)
        count = math.prod(shape) / float(math.prod(typeof(found).shape) or 1)
        scale = full(typeof(found).shape, count, typeof(found).dtype)
        return (found, scale) if returned else found
    w = as_value(weights, call)
    if typeof(w).shape != shape:
        w = _weights_along(w, shape, axis, axes)
    x, w = promote_inexact(call, x, w)
    total = reduce_sum(w, axes)
    found = div(reduce_sum(mul(x, w), axes), total)
    found = with_kept_axes(found, axes, keepdims)
    return (found, with_kept_axes(total, axes, keepdims)) if returned else found


def _weights_along(w: Value, shape: tuple[int, ...], axis: Any, axes: tuple[int, ...]) -> Value:
    """Weights of the reduced axes, broadcast to the whole array."""
    if axis is None:
        raise TypeError(
            "np.average: Axis must be specified when shapes of a and weights differ: "
            f"{shape} and {typeof(w).shape}{where_am_i()}"
        )
    if typeof(w).shape != tuple(shape[k] for k in axes):
        raise ShapeError(
            "np.average: Shape of weights must be consistent with shape of a along specified "
            f"axis: {typeof(w).shape} and {shape} along {axes}{where_am_i()}"
        )
    others = [k for k in range(len(shape)) if k not in axes]
    return broadcast_to(expand_dims(w, others), shape)


@public(np.trapezoid, by_type=REAL_AND_COMPLEX)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Value:
    """Integral along an axis by the trapezoidal rule.

    Args:
        y: values.
        x: where they were taken: one position for each, or an array of the shape of `y`.
        dx: the distance of positions, if `x` is not given.
        axis: the axis.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.trapezoid([1.0, 2.0, 3.0]))
        4.0
    """
    call = "np.trapezoid"
    values = as_value(y, call)
    if not is_inexact(typeof(values).dtype):
        values = convert(values, default_float())
    rank = typeof(values).ndim
    at = normalise_axis(axis, rank, call)
    first = (slice(None),) * at + (slice(None, -1),)
    second = (slice(None),) * at + (slice(1, None),)
    step: Any = as_value(dx, call)
    if x is not None:
        place = as_value(x, call)
        if typeof(place).ndim == 1:
            step = place[1:] - place[:-1]
            step = expand_dims(step, [k for k in range(rank) if k != at])
        else:
            step = place[second] - place[first]
    return sum(step * (values[second] + values[first]) / 2.0, at)
