"""Extremes over axes, and where they are: `max`, `min`, `ptp`, `argmax`, `argmin`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import DType, is_complex
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.numpy.arguments import NoValue, reduced_axes, refuse_out, with_kept_axes
from fxla.numpy.complex_math import maximum as complex_maximum
from fxla.numpy.complex_math import minimum as complex_minimum
from fxla.numpy.complex_order import arg_extreme_of_complex, extreme_of_complex
from fxla.numpy.dispatch import public
from fxla.numpy.operands import as_value, broadcast, convert_all, normalise_axis
from fxla.numpy.reductions import is_given, masked
from fxla.numpy.typed import REAL_AND_COMPLEX
from fxla.ops import reduce
from fxla.ops.arithmetic import maximum, minimum, sub
from fxla.ops.cumulative import greatest, least
from fxla.ops.structure import full, reshape

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "max",
    "min",
    "ptp",
]


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
