"""Reductions over axes: sums, products, extremes, logic, moments, and where an extreme is.

Result dtypes are NumPy's: small integers are summed in int64 (uint64), the mean of integers is
float64. The 16-bit floats are accumulated in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import (
    DType,
    bool_,
    canonical_dtype,
    default_float,
    float32,
    int64,
    is_complex,
    is_floating,
    is_inexact,
)
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out, with_kept_axes
from fxla.numpy.complex_math import maximum as complex_maximum
from fxla.numpy.complex_math import minimum as complex_minimum
from fxla.numpy.complex_order import arg_extreme_of_complex, extreme_of_complex
from fxla.numpy.dispatch import public
from fxla.numpy.operands import (
    as_value,
    broadcast,
    canonical_axes,
    convert_all,
    normalise_axis,
    promote_inexact,
)
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import reduce
from fxla.ops.arithmetic import div, imag, maximum, minimum, mul, real, sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import greatest, least
from fxla.ops.elementwise import add
from fxla.ops.logic import ne, select
from fxla.ops.structure import broadcast_to, expand_dims, full, reduce_sum, reshape
from fxla.ops.transcendental import sqrt

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "trapezoid",
    "var",
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


def divided(total: Value, count: Any) -> Value:
    """``total / count`` in the dtype of `total`."""
    dtype = typeof(total).dtype
    return div(total, convert_all([count], dtype)[0])


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


# --- extremes -------------------------------------------------------------------------------


def _extreme(
    call: str,
    reduction: Callable[[Value, Sequence[int]], Value],
    combine: Callable[[Value, Value], Value],
    identity: Callable[[DType], Any],
    a: Any,
    axis: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
) -> Value:
    x = as_value(a, call)
    aval = typeof(x)
    axes = reduced_axes(axis, aval.ndim, call)
    unmasked = where is NoValue or where is True
    if not unmasked and not is_given(initial):
        raise ValueError(
            f"{call}: the reduction has no identity, so to use a where mask one has to specify "
            f"'initial'{where_am_i()}"
        )
    empty = aval.size == 0 and math.prod(aval.shape[a] for a in axes) == 0
    if empty and not is_given(initial):
        raise ShapeError(
            f"{call}: zero-size array to a reduction which has no identity: {aval} over axes "
            f"{axes}{where_am_i()}. Give the value of an empty reduction with `initial=`."
        )
    (x,) = convert_all([x], aval.dtype)
    if empty:
        shape = tuple(n for k, n in enumerate(aval.shape) if k not in axes)
        out = full(shape, identity(aval.dtype), aval.dtype)
    else:
        taken = masked(x, where, identity(aval.dtype), call)
        if is_complex(aval.dtype):
            out = extreme_of_complex(taken, axes, combine is maximum) if axes else taken
        else:
            out = reduction(taken, axes)
    if is_given(initial):
        start, found = convert_all([as_value(initial, call), out], aval.dtype)
        if is_complex(aval.dtype):
            combine = complex_maximum if combine is maximum else complex_minimum
        out = combine(*broadcast(call, found, start))
    return with_kept_axes(out, axes, keepdims)


@public(np.max, by_type=REAL_AND_COMPLEX)
def max(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """Maximum over axes; NaN if there is one. Equal maxima share the derivative equally.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        initial: the least value of the result; needed for empty arrays and with `where`.
        where: which elements to take.

    Raises:
        ValueError: of an empty array without `initial`.

    Example:
        >>> import fxla.numpy as fnp
        >>> fnp.max([[1.0, 5.0], [3.0, 4.0]], axis=1)
        Array([5., 4.])
    """
    refuse_out(out, "np.max")
    return _extreme("np.max", reduce.reduce_max, maximum, least, a, axis, keepdims, initial, where)


@public(np.min, by_type=REAL_AND_COMPLEX)
def min(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """Minimum over axes; NaN if there is one. Equal minima share the derivative equally.

    Args:
        a: an array.
        axis: axis or axes; default: all.
        out: not supported for traced arrays.
        keepdims: whether the axes stay, with size 1.
        initial: the largest value of the result; needed for empty arrays and with `where`.
        where: which elements to take.

    Raises:
        ValueError: of an empty array without `initial`.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.min([3.0, 1.0]))
        1.0
    """
    refuse_out(out, "np.min")
    return _extreme(
        "np.min", reduce.reduce_min, minimum, greatest, a, axis, keepdims, initial, where
    )


amax = public(np.amax, name="amax")(max)
amin = public(np.amin, name="amin")(min)


@public(np.ptp, by_type=REAL_AND_COMPLEX)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NoValue) -> Value:
    """Range of values over axes: maximum minus minimum.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.ptp([1.0, 4.0, 2.0]))
        3.0
    """
    refuse_out(out, "np.ptp")
    return sub(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


def _arg_extreme(
    call: str, find: Callable[[Value, int], Value], a: Any, axis: Any, keepdims: Any
) -> Value:
    x = as_value(a, call)
    shape = typeof(x).shape
    kept: Sequence[int] = range(len(shape))
    if axis is None:
        x, at = reshape(x, (typeof(x).size,)), 0
    else:
        at = normalise_axis(axis, len(shape), call) if shape else 0
        x = x if shape else reshape(x, (1,))
        kept = (at,) if shape else ()
    if typeof(x).shape[at] == 0:
        raise ShapeError(f"{call}: attempt to get the position in an empty sequence{where_am_i()}")
    (x,) = convert_all([x], typeof(x).dtype)
    if is_complex(typeof(x).dtype):
        return with_kept_axes(arg_extreme_of_complex(x, at, find is reduce.argmax), kept, keepdims)
    return with_kept_axes(find(x, at), kept, keepdims)


@public(np.argmax, by_type=REAL_AND_COMPLEX)
def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = NoValue) -> Value:
    """Position of the first maximum along an axis; of the first NaN if there is one.

    Args:
        a: an array.
        axis: the axis; default: of the flattened array.
        out: not supported for traced arrays.
        keepdims: whether the axis stays, with size 1.

    Raises:
        ValueError: of an empty array.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.argmax([1.0, 5.0, 3.0]))
        1
    """
    refuse_out(out, "np.argmax")
    return _arg_extreme("np.argmax", reduce.argmax, a, axis, keepdims)


@public(np.argmin, by_type=REAL_AND_COMPLEX)
def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = NoValue) -> Value:
    """Position of the first minimum along an axis; of the first NaN if there is one.

    Args:
        a: an array.
        axis: the axis; default: of the flattened array.
        out: not supported for traced arrays.
        keepdims: whether the axis stays, with size 1.

    Raises:
        ValueError: of an empty array.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.argmin([1.0, 5.0, 0.0]))
        2
    """
    refuse_out(out, "np.argmin")
    return _arg_extreme("np.argmin", reduce.argmin, a, axis, keepdims)


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


# --- moments --------------------------------------------------------------------------------


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
