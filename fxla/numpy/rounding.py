"""Universal functions that look at how a number is written in bits, or round it.

A float is sign * m * 2**e; `frexp`, `ldexp` and `spacing` read and write e.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import DType, float64, is_inexact
from fxla.core.trace import Value, typeof
from fxla.numpy import complex_math
from fxla.numpy.ufunc_keywords import public_ufunc
from fxla.numpy.universal import Rule, apply_ufunc, binary, unary
from fxla.ops import arithmetic, elementwise, logic
from fxla.ops.casts import bitcast, convert
from fxla.ops.elementwise import Elementwise

__all__ = [
    "ceil",
    "copysign",
    "floor",
    "frexp",
    "ldexp",
    "modf",
    "nextafter",
    "rint",
    "signbit",
    "spacing",
    "trunc",
]


def _whole(primitive: Elementwise) -> Rule:
    """A rounding function: integers and booleans are whole already."""
    return lambda x: primitive.bind1(x) if is_inexact(typeof(x).dtype) else x


def _bits(dtype: DType) -> tuple[np.dtype[Any], int, int]:
    """Integer dtype of the same width, bits of the mantissa, and the exponent's bias."""
    if dtype == float64:
        return np.dtype(np.int64), 52, 1023
    return np.dtype(np.int32), 23, 127


def power_of_two(exponent: Value, dtype: DType) -> Value:
    """2**exponent, exactly, for integers that are exponents of normal numbers."""
    integer, mantissa, bias = _bits(dtype)
    biased = elementwise.add(convert(exponent, integer), bias)
    return bitcast(logic.shift_left(biased, mantissa), dtype)


def scaled(x: Value, exponent: Value) -> Value:
    """x * 2**exponent, in three factors so that none of them overflows."""
    dtype = typeof(x).dtype
    bias = _bits(dtype)[2]
    limit = 3 * (bias - 1)
    count = typeof(exponent).dtype.type
    left = arithmetic.minimum(
        arithmetic.maximum(exponent, count(max(-limit, -(2**31)))), count(limit)
    )
    for parts in (3, 2, 1):
        step = left if parts == 1 else arithmetic.truncdiv_p.bind1(left, count(parts))
        x = arithmetic.mul(x, power_of_two(step, dtype))
        left = arithmetic.sub(left, step)
    return x


def frexp_rule(x: Value) -> tuple[Value, Value]:
    """Mantissa in [0.5, 1) and exponent. Subnormal numbers are scaled up first."""
    dtype = typeof(x).dtype
    integer, mantissa, bias = _bits(dtype)
    tiny = logic.lt(arithmetic.abs_(x), float(np.finfo(dtype).smallest_normal))
    lift = np.asarray(2.0 ** (mantissa + 2), dtype)[()]
    normal = arithmetic.mul(x, logic.select_like(tiny, lift, np.asarray(1, dtype)[()]))
    bits = bitcast(normal, integer)
    field = logic.and_(logic.shift_right_logical(bits, mantissa), 2 * bias + 1)
    lifted = logic.select_like(tiny, integer.type(mantissa + 2), integer.type(0))
    exponent = arithmetic.sub(arithmetic.sub(field, bias - 1), lifted)
    special = logic.or_(logic.eq(x, 0.0), logic.not_(logic.isfinite_p.bind1(x)))
    exponent = logic.select_like(special, integer.type(0), exponent)
    clean = logic.select_like(special, integer.type(0), arithmetic.sub(field, bias - 1))
    return arithmetic.mul(normal, power_of_two(arithmetic.neg(clean), dtype)), exponent


def modf_rule(x: Value) -> tuple[Value, Value]:
    """Fractional and whole part, both with the sign of x."""
    whole = arithmetic.trunc(x)
    rest = arithmetic.sub(x, whole)
    zero = np.zeros((), typeof(x).dtype)[()]
    rest = logic.select_like(logic.isinf_p.bind1(x), zero, rest)
    return arithmetic.copysign(rest, x), whole


def spacing_rule(x: Value) -> Value:
    """Distance to the next number away from 0, with the sign of x."""
    infinite = np.asarray(np.inf, typeof(x).dtype)[()]
    return arithmetic.sub(arithmetic.nextafter_p.bind1(x, arithmetic.copysign(infinite, x)), x)


floor = unary(
    np.floor,
    _whole(arithmetic.floor_p),
    "The largest whole number not above `x`",
    "[-1.5, 1.5] -> Array([-2.,  1.])",
)
ceil = unary(
    np.ceil,
    _whole(arithmetic.ceil_p),
    "The smallest whole number not below `x`",
    "[-1.5, 1.5] -> Array([-1.,  2.])",
)
trunc = unary(
    np.trunc,
    _whole(arithmetic.trunc_p),
    "`x` without its fraction",
    "[-1.5, 1.5] -> Array([-1.,  1.])",
)
rint = unary(
    np.rint,
    arithmetic.rint_p,
    "`x` rounded to the nearest whole number, halves to even",
    "[0.5, 1.5, 2.6] -> Array([0., 2., 3.])",
    complex_rule=complex_math.rint,
)
signbit = unary(
    np.signbit,
    logic.signbit_p,
    "Whether the sign bit is set",
    "[-0.0, 1.0] -> Array([ True, False])",
)
copysign = binary(
    np.copysign,
    arithmetic.copysign_p,
    "The size of `x1` with the sign of `x2`",
    "2.0, [-0.0, 1.0] -> Array([-2.,  2.])",
)
nextafter = binary(
    np.nextafter,
    arithmetic.nextafter_p,
    "The next number after `x1` toward `x2`",
    "1.0, 2.0 -> Array(1.)",
)


@public_ufunc(np.spacing)
def spacing(x: Any, /, *, dtype: Any = None) -> Any:
    """Distance between `x` and the next number away from 0. See `numpy.spacing`.

    Example:
        >>> import fxla.numpy as np
        >>> np.spacing(1.0)
        Array(2.22044605e-16)
    """
    return apply_ufunc("np.spacing", np.spacing, spacing_rule, (x,), dtype, widen=False)


@public_ufunc(np.ldexp)
def ldexp(x1: Any, x2: Any, /, *, dtype: Any = None) -> Any:
    """``x1 * 2**x2``, exactly. See `numpy.ldexp`.

    Args:
        x1: array or number.
        x2: integers; broadcast against `x1`.
        dtype: dtype to compute in and to return.

    Example:
        >>> import fxla.numpy as np
        >>> np.ldexp(5.0, [0, 1, 2])
        Array([ 5., 10., 20.])
    """
    return apply_ufunc("np.ldexp", np.ldexp, scaled, (x1, x2), dtype)


@public_ufunc(np.frexp)
def frexp(x: Any, /) -> Any:
    """Mantissa in [0.5, 1) and exponent, with ``x = mantissa * 2**exponent``. See `numpy.frexp`.

    Returns:
        A pair: the mantissa, in the dtype of `x`, and the exponent, int32.

    Example:
        >>> import fxla.numpy as np
        >>> np.frexp([8.0, 0.1])
        (Array([0.5, 0.8]), Array([ 4, -3], dtype=int32))
    """
    return apply_ufunc("np.frexp", np.frexp, frexp_rule, (x,), None)


@public_ufunc(np.modf)
def modf(x: Any, /) -> Any:
    """Fractional and whole part, both with the sign of `x`. See `numpy.modf`.

    Example:
        >>> import fxla.numpy as np
        >>> np.modf([2.5, -0.5])
        (Array([ 0.5, -0.5]), Array([ 2., -0.]))
    """
    return apply_ufunc("np.modf", np.modf, modf_rule, (x,), None)
