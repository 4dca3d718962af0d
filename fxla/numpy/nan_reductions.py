"""Reductions of the elements that are not NaN.

What is left out is selected away before anything is computed from it, so its derivative is zero.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import bool_, is_complex, is_inexact, real_dtype
from fxla.core.trace import Value, typeof, where_am_i
from fxla.numpy import extremes, moments, reductions
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out, with_kept_axes
from fxla.numpy.complex_math import maximum as complex_maximum
from fxla.numpy.complex_math import minimum as complex_minimum
from fxla.numpy.complex_order import extreme_of_complex
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, broadcast, convert_all
from fxla.ops import reduce
from fxla.ops.arithmetic import imag, maximum, minimum, real
from fxla.ops.casts import convert
from fxla.ops.cumulative import greatest, least
from fxla.ops.logic import and_, gt, isnan_p, not_, or_, select
from fxla.ops.structure import full
from fxla.ops.transcendental import sqrt

__all__ = [
    "nanargmax",
    "nanargmin",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def is_a_number(x: Value) -> Value:
    """Which elements are not NaN; all are, of an integer array."""
    dtype = typeof(x).dtype
    if not is_inexact(dtype):
        return full(typeof(x).shape, True, bool_)
    if is_complex(dtype):
        return not_(or_(isnan_p.bind1(real(x)), isnan_p.bind1(imag(x))))
    return not_(isnan_p.bind1(x))


def without_nan(x: Value, fill: Any) -> Value:
    """`x` with `fill` in place of every NaN."""
    aval = typeof(x)
    if not is_inexact(aval.dtype):
        return x
    (x,) = convert_all([x], aval.dtype)
    return select(is_a_number(x), x, full(aval.shape, fill, aval.dtype))


@public(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """`sum` of the elements that are not NaN.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nansum([1.0, fnp.nan, 2.0]))
        3.0
    """
    x = without_nan(as_value(a, "np.nansum"), 0)
    return reductions.sum(x, axis, dtype, out, keepdims, initial, where)


@public(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """`prod` of the elements that are not NaN.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanprod([3.0, fnp.nan, 2.0]))
        6.0
    """
    x = without_nan(as_value(a, "np.nanprod"), 1)
    return reductions.prod(x, axis, dtype, out, keepdims, initial, where)


def _extreme(
    call: str,
    public_form: Callable[..., Value],
    reduction: Callable[..., Value],
    combine: Callable[..., Value],
    identity: Callable[..., Any],
    a: Any,
    axis: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
) -> Value:
    x = as_value(a, call)
    dtype = typeof(x).dtype
    if not is_inexact(dtype) or typeof(x).size == 0:
        return public_form(x, axis, None, keepdims, initial, where)
    axes = reduced_axes(axis, typeof(x).ndim, call)
    (x,) = convert_all([x], dtype)
    valid = is_a_number(x)
    if where is not NoValue and where is not True:
        if not reductions.is_given(initial):
            raise ValueError(
                f"{call}: the reduction has no identity, so to use a where mask one has to specify "
                f"'initial'{where_am_i()}"
            )
        valid = and_(valid, reductions.mask_of(where, x, call))
    if is_complex(dtype):
        reduction = functools.partial(extreme_of_complex, is_max=combine is maximum)
        combine = complex_maximum if combine is maximum else complex_minimum
    out = reduction(select(valid, x, full(typeof(x).shape, identity(dtype), dtype)), axes)
    if reductions.is_given(initial):
        out = combine(*broadcast(call, out, convert_all([as_value(initial, call)], dtype)[0]))
    else:
        some = reduce.reduce_or(valid, axes)
        out = select(some, out, full(typeof(out).shape, np.nan, dtype))
    return with_kept_axes(out, axes, keepdims)


@public(np.nanmax)
def nanmax(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """`max` of the elements that are not NaN; NaN if all are.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanmax([1.0, fnp.nan, 2.0]))
        2.0
    """
    refuse_out(out, "np.nanmax")
    return _extreme(
        "np.nanmax", extremes.max, reduce.reduce_max, maximum, least,
        a, axis, keepdims, initial, where,
    )  # fmt: skip


@public(np.nanmin)
def nanmin(
    a: Any,
    axis: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    initial: Any = NoValue,
    where: Any = NoValue,
) -> Value:
    """`min` of the elements that are not NaN; NaN if all are.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanmin([1.0, fnp.nan, 2.0]))
        1.0
    """
    refuse_out(out, "np.nanmin")
    return _extreme(
        "np.nanmin", extremes.min, reduce.reduce_min, minimum, greatest,
        a, axis, keepdims, initial, where,
    )  # fmt: skip


def _valid_mask(x: Value, where: Any, call: str) -> Any:
    """Elements to take, or NoValue for all."""
    if not is_inexact(typeof(x).dtype):
        return where
    valid = is_a_number(x)
    if where is NoValue or where is True:
        return valid
    return and_(valid, reductions.mask_of(where, x, call))


@public(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NoValue,
    *,
    where: Any = NoValue,
) -> Value:
    """`mean` of the elements that are not NaN; NaN if all are.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanmean([1.0, fnp.nan, 2.0]))
        1.5
    """
    x = as_value(a, "np.nanmean")
    mask = _valid_mask(x, where, "np.nanmean")
    return moments.mean(x, axis, dtype, out, keepdims, where=mask)


def _spread(
    call: str,
    a: Any,
    axis: Any,
    dtype: Any,
    ddof: Any,
    where: Any,
    mean: Any,
    correction: Any,
    root: bool,
    keepdims: Any,
) -> Value:
    x = as_value(a, call)
    mask = _valid_mask(x, where, call)
    found, axes, out_dtype = moments.variance(call, x, axis, dtype, ddof, mask, mean, correction)
    if mask is not NoValue and mask is not True:
        work = real_dtype(typeof(found).dtype)
        count = reductions.counted(x, axes, mask, work, call)
        freedom = correction if reductions.is_given(correction) else ddof
        enough = gt(count, convert_all([freedom], work)[0])
        found = select(enough, found, full(typeof(found).shape, np.nan, work))
    return with_kept_axes(convert(sqrt(found) if root else found, out_dtype), axes, keepdims)


@public(np.nanvar)
def nanvar(
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
    """`var` of the elements that are not NaN; NaN if there are `ddof` of them or fewer.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanvar([1.0, fnp.nan, 3.0]))
        1.0
    """
    refuse_out(out, "np.nanvar")
    return _spread("np.nanvar", a, axis, dtype, ddof, where, mean, correction, False, keepdims)


@public(np.nanstd)
def nanstd(
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
    """`std` of the elements that are not NaN; NaN if there are `ddof` of them or fewer.

    Example:
        >>> import fxla.numpy as fnp
        >>> float(fnp.nanstd([1.0, fnp.nan, 3.0]))
        1.0
    """
    refuse_out(out, "np.nanstd")
    return _spread("np.nanstd", a, axis, dtype, ddof, where, mean, correction, True, keepdims)


@public(np.nanargmax)
def nanargmax(
    a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = NoValue
) -> Value:
    """`argmax` of the elements that are not NaN.

    Where all are NaN, NumPy raises ValueError; a traced result is 0 there, since it cannot know.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.nanargmax([1.0, fnp.nan, 2.0]))
        2
    """
    x = without_nan(as_value(a, "np.nanargmax"), -np.inf)
    return extremes.argmax(x, axis, out, keepdims=keepdims)


@public(np.nanargmin)
def nanargmin(
    a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = NoValue
) -> Value:
    """`argmin` of the elements that are not NaN.

    Where all are NaN, NumPy raises ValueError; a traced result is 0 there, since it cannot know.

    Example:
        >>> import fxla.numpy as fnp
        >>> int(fnp.nanargmin([1.0, fnp.nan, 0.0]))
        2
    """
    x = without_nan(as_value(a, "np.nanargmin"), np.inf)
    return extremes.argmin(x, axis, out, keepdims=keepdims)
