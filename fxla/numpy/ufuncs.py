"""NumPy's universal functions of arithmetic and analysis: one row each.

A row names NumPy's function, the rule that computes it on ops, a sentence and an example. Rules
that are more than one primitive stand first. Bits, comparisons and rounding have own files.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxla.core.dtypes import is_bool, is_complex, is_inexact, is_signed
from fxla.core.trace import Tracer, Value, typeof, where_am_i
from fxla.numpy import complex_math as cm
from fxla.numpy.operands import as_values, convert_all
from fxla.numpy.ufunc_keywords import public_ufunc
from fxla.numpy.ufunc_loops import loop_dtypes
from fxla.numpy.universal import apply_ufunc, binary, unary
from fxla.ops import arithmetic, elementwise, logic, transcendental

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "conj",
    "conjugate",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "float_power",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "reciprocal",
    "remainder",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
]

# --- rules ----------------------------------------------------------------------------------


def _number(x: Value, value: float) -> Any:
    """A scalar of the dtype of `x`."""
    return np.asarray(value, typeof(x).dtype)[()]


def _absolute(x: Value) -> Value:
    return x if is_bool(typeof(x).dtype) else arithmetic.abs_(x)


def _reciprocal(x: Value) -> Value:
    dtype = typeof(x).dtype
    one = _number(x, 1)
    if is_inexact(dtype):
        return arithmetic.div(one, x)
    at_zero = np.iinfo(dtype).min if is_signed(dtype) else np.iinfo(dtype).max
    whole = arithmetic.truncdiv_p.bind1(one, x)
    return logic.select_like(logic.eq(x, 0), _number(x, at_zero), whole)


def _conjugate(x: Value) -> Value:
    return arithmetic.conj(x) if is_complex(typeof(x).dtype) else x


def _unless_nan(pick: elementwise.Elementwise) -> Any:
    """`pick` that ignores a NaN if the other operand is a number."""

    def rule(x: Value, y: Value) -> Value:
        if not is_inexact(typeof(x).dtype):
            return pick.bind1(x, y)
        both = pick.bind1(x, y)
        return logic.select_like(logic.ne(x, x), y, logic.select_like(logic.ne(y, y), x, both))

    return rule


def _complex_unless_nan(pick: Any) -> Any:
    def rule(x: Value, y: Value) -> Value:
        kept = logic.select_like(cm.not_a_number(y), x, pick(x, y))
        return logic.select_like(cm.not_a_number(x), y, kept)

    return rule


def _logaddexp2(x: Value, y: Value) -> Value:
    """max + log2(1 + 2**-|x - y|); equal operands, infinite ones too, differ by exactly 0."""
    apart = logic.select_like(logic.eq(x, y), _number(x, 0), arithmetic.sub(x, y))
    power = transcendental.exp2_p.bind1(arithmetic.neg(arithmetic.abs_(apart)))
    return elementwise.add(
        arithmetic.maximum(x, y), arithmetic.mul(transcendental.log1p(power), 1 / math.log(2))
    )


def _heaviside(x: Value, at_zero: Value) -> Value:
    step = logic.select_like(logic.gt(x, 0.0), _number(x, 1), _number(x, 0))
    step = logic.select_like(logic.ne(x, x), x, step)
    return logic.select_like(logic.eq(x, 0.0), at_zero, step)


def _divmod(x: Value, y: Value) -> tuple[Value, Value]:
    return arithmetic.floordiv(x, y), arithmetic.mod(x, y)


def _times(factor: float) -> Any:
    return lambda x: arithmetic.mul(x, factor)


def exponent_of(x: Any) -> int | None:
    """A concrete exponent that is a small whole number, for repeated multiplication."""
    if isinstance(x, (bool, np.bool_, Tracer)) or not isinstance(x, (int, float, np.integer)):
        return None
    if isinstance(x, float) and not x.is_integer():
        return None
    return int(x) if -64 <= x <= 64 else None


def _power(call: str, x1: Any, x2: Any, dtype: Any) -> Any:
    x, y = as_values(call, x1, x2)
    n = exponent_of(y)
    if n is None or dtype is not None:
        return apply_ufunc(call, np.power, transcendental.pow_p, (x, y), dtype)
    loop = loop_dtypes(call, np.power, [x, y])
    if n < 0 and not is_inexact(loop[-1]):
        raise ValueError(
            f"{call}: Integers to negative integer powers are not allowed{where_am_i()}. Convert "
            "the base with `.astype(float)`."
        )
    return transcendental.integer_pow(convert_all([x], loop[-1])[0], n)


# --- arithmetic -----------------------------------------------------------------------------

add = binary(np.add, elementwise.add_p, "Sum", "[1, 2], 0.5 -> Array([1.5, 2.5])")
subtract = binary(np.subtract, arithmetic.sub_p, "Difference", "[1, 2], 0.5 -> Array([0.5, 1.5])")
multiply = binary(np.multiply, arithmetic.mul_p, "Product", "[1, 2], 0.5 -> Array([0.5, 1. ])")
divide = binary(np.divide, arithmetic.div_p, "Quotient", "[1, 2], 4 -> Array([0.25, 0.5 ])")
true_divide = divide
floor_divide = binary(
    np.floor_divide,
    arithmetic.floordiv_p,
    "The largest whole number not above the quotient",
    "[-7, 7], 2 -> Array([-4,  3])",
)
remainder = binary(
    np.remainder,
    arithmetic.mod_p,
    "Remainder, with the sign of the divisor",
    "[-7, 7], 3 -> Array([2, 1])",
)
mod = remainder
fmod = binary(
    np.fmod,
    arithmetic.fmod_p,
    "Remainder, with the sign of the dividend",
    "[-7, 7], 3 -> Array([-1,  1])",
)
negative = unary(np.negative, arithmetic.neg_p, "Negative", "[1.0, -2.0] -> Array([-1.,  2.])")
positive = unary(np.positive, lambda x: x, "`x` itself", "[1.0, -2.0] -> Array([ 1., -2.])")
absolute = unary(np.absolute, _absolute, "Absolute value", "[-1.5, 3 + 4j] -> Array([1.5, 5. ])")
abs = absolute
fabs = unary(np.fabs, arithmetic.abs_p, "Absolute value, as a float", "[-1, 2] -> Array([1., 2.])")
sign = unary(
    np.sign,
    arithmetic.sign_p,
    "-1, 0 or 1",
    "[-3.0, 0.0, 2.0] -> Array([-1.,  0.,  1.])",
    complex_rule=cm.sign,
)
square = unary(np.square, transcendental.square_p, "``x * x``", "[1, 2, 3] -> Array([1, 4, 9])")
reciprocal = unary(
    np.reciprocal,
    _reciprocal,
    "``1 / x``",
    "[2.0, 4.0] -> Array([0.5 , 0.25])",
    complex_rule=cm.reciprocal,
)
conjugate = unary(np.conjugate, _conjugate, "Complex conjugate", "1 + 2j -> Array(1.-2.j)")
conj = conjugate
maximum = binary(
    np.maximum,
    arithmetic.maximum_p,
    "The larger; NaN if either is",
    "[1, 5], [4, 2] -> Array([4, 5])",
    complex_rule=cm.maximum,
)
minimum = binary(
    np.minimum,
    arithmetic.minimum_p,
    "The smaller; NaN if either is",
    "[1, 5], [4, 2] -> Array([1, 2])",
    complex_rule=cm.minimum,
)
fmax = binary(
    np.fmax,
    _unless_nan(arithmetic.maximum_p),
    "The larger; a number rather than NaN",
    "[1.0, np.nan], 0.5 -> Array([1. , 0.5])",
    complex_rule=_complex_unless_nan(cm.maximum),
)
fmin = binary(
    np.fmin,
    _unless_nan(arithmetic.minimum_p),
    "The smaller; a number rather than NaN",
    "[1.0, np.nan], 0.5 -> Array([0.5, 0.5])",
    complex_rule=_complex_unless_nan(cm.minimum),
)
heaviside = binary(
    np.heaviside,
    _heaviside,
    "0 below 0, `x2` at 0, 1 above",
    "[-1.0, 0.0, 2.0], 0.5 -> Array([0. , 0.5, 1. ])",
)


@public_ufunc(np.divmod)
def divmod(x1: Any, x2: Any, /) -> Any:
    """Floored quotient and remainder, elementwise. See `numpy.divmod`.

    Args:
        x1: array or number.
        x2: array or number; broadcasts against `x1`.

    Returns:
        The pair ``(x1 // x2, x1 % x2)``.

    Example:
        >>> import fxla.numpy as np
        >>> np.divmod([7, -7], 3)
        (Array([ 2, -3]), Array([1, 2]))
    """
    return apply_ufunc("np.divmod", np.divmod, _divmod, (x1, x2), widen=False)


@public_ufunc(np.power, by_type=frozenset())
def power(x1: Any, x2: Any, /, *, dtype: Any = None) -> Any:
    """``x1 ** x2``, elementwise; a small whole `x2` is repeated multiplication.

    The derivative with respect to `x2` is 0 where `x1` is 0. See `numpy.power`.

    Args:
        x1: array or number.
        x2: array or number; broadcasts against `x1`.
        dtype: dtype to compute in and to return.

    Example:
        >>> import fxla.numpy as np
        >>> np.power([1, 2, 3], 2)
        Array([1, 4, 9])
    """
    return _power("np.power", x1, x2, dtype)


pow = power
float_power = binary(
    np.float_power,
    transcendental.pow_p,
    "``x1 ** x2`` in float64 or complex128",
    "[1, 2, 3], -1 -> Array([1.        , 0.5       , 0.33333333])",
)

# --- roots, exponentials, logarithms --------------------------------------------------------

sqrt = unary(
    np.sqrt, transcendental.sqrt_p, "Square root", "[4.0, 2.0] -> Array([2.        , 1.41421356])"
)
cbrt = unary(np.cbrt, transcendental.cbrt_p, "Cube root", "[8.0, -27.0] -> Array([ 2., -3.])")
exp = unary(
    np.exp,
    transcendental.exp_p,
    "e to the power `x`",
    "[0.0, 1.0] -> Array([1.        , 2.71828183])",
)
exp2 = unary(
    np.exp2,
    transcendental.exp2_p,
    "2 to the power `x`",
    "[3.0, -1.0] -> Array([8. , 0.5])",
    complex_rule=cm.exp2,
)
expm1 = unary(
    np.expm1,
    transcendental.expm1_p,
    "``exp(x) - 1``, exact near 0",
    "1e-10 -> Array(1.e-10)",
    complex_rule=cm.expm1,
)
log = unary(
    np.log,
    transcendental.log_p,
    "Natural logarithm",
    "[1.0, 10.0] -> Array([0.        , 2.30258509])",
)
log2 = unary(
    np.log2,
    transcendental.log2_p,
    "Logarithm to base 2",
    "[1.0, 8.0] -> Array([0., 3.])",
    complex_rule=cm.log2,
)
log10 = unary(
    np.log10,
    transcendental.log10_p,
    "Logarithm to base 10",
    "[1.0, 1e-3] -> Array([ 0., -3.])",
    complex_rule=cm.log10,
)
log1p = unary(
    np.log1p,
    transcendental.log1p_p,
    "``log(1 + x)``, exact near 0",
    "1e-10 -> Array(1.e-10)",
    complex_rule=cm.log1p,
)
logaddexp = binary(
    np.logaddexp,
    transcendental.logaddexp_p.bind1,
    "``log(exp(x1) + exp(x2))``",
    "[0.0, 1000.0], 0.0 -> Array([6.93147181e-01, 1.00000000e+03])",
)
logaddexp2 = binary(
    np.logaddexp2,
    _logaddexp2,
    "``log2(2**x1 + 2**x2)``",
    "[0.0, 2000.0], 0.0 -> Array([1.e+00, 2.e+03])",
)
hypot = binary(
    np.hypot,
    transcendental.hypot_p,
    "``sqrt(x1**2 + x2**2)`` without overflow",
    "3.0, 4.0 -> Array(5.)",
)

# --- trigonometric and hyperbolic -----------------------------------------------------------

sin = unary(
    np.sin,
    transcendental.sin_p,
    "Sine of `x` in radians",
    "[0.0, 1.0] -> Array([0.        , 0.84147098])",
)
cos = unary(
    np.cos,
    transcendental.cos_p,
    "Cosine of `x` in radians",
    "[0.0, 1.0] -> Array([1.        , 0.54030231])",
)
tan = unary(
    np.tan,
    transcendental.tan_p,
    "Tangent of `x` in radians",
    "[0.0, 1.0] -> Array([0.        , 1.55740772])",
    complex_rule=cm.tan,
)
arcsin = unary(
    np.arcsin,
    transcendental.asin_p,
    "Inverse sine, in radians",
    "[0.0, 0.5] -> Array([0.        , 0.52359878])",
    complex_rule=cm.arcsin,
    name="arcsin",
)
asin = arcsin
arccos = unary(
    np.arccos,
    transcendental.acos_p,
    "Inverse cosine, in radians",
    "[0.0, 0.5] -> Array([1.57079633, 1.04719755])",
    complex_rule=cm.arccos,
    name="arccos",
)
acos = arccos
arctan = unary(
    np.arctan,
    transcendental.atan_p,
    "Inverse tangent, in radians",
    "[0.0, 1.0] -> Array([0.        , 0.78539816])",
    complex_rule=cm.arctan,
    name="arctan",
)
atan = arctan
arctan2 = binary(
    np.arctan2,
    transcendental.atan2_p,
    "Angle of the point (`x2`, `x1`)",
    "1.0, [1.0, -1.0] -> Array([0.78539816, 2.35619449])",
    name="arctan2",
)
atan2 = arctan2
sinh = unary(
    np.sinh,
    transcendental.sinh_p,
    "Hyperbolic sine",
    "[0.0, 1.0] -> Array([0.        , 1.17520119])",
    complex_rule=cm.sinh,
)
cosh = unary(
    np.cosh,
    transcendental.cosh_p,
    "Hyperbolic cosine",
    "[0.0, 1.0] -> Array([1.        , 1.54308063])",
    complex_rule=cm.cosh,
)
tanh = unary(
    np.tanh,
    transcendental.tanh_p,
    "Hyperbolic tangent",
    "[0.0, 1.0] -> Array([0.        , 0.76159416])",
)
arcsinh = unary(
    np.arcsinh,
    transcendental.asinh_p,
    "Inverse hyperbolic sine",
    "[0.0, 1.0] -> Array([0.        , 0.88137359])",
    complex_rule=cm.arcsinh,
    name="arcsinh",
)
asinh = arcsinh
arccosh = unary(
    np.arccosh,
    transcendental.acosh_p,
    "Inverse hyperbolic cosine",
    "[1.0, 2.0] -> Array([0.       , 1.3169579])",
    complex_rule=cm.arccosh,
    name="arccosh",
)
acosh = arccosh
arctanh = unary(
    np.arctanh,
    transcendental.atanh_p,
    "Inverse hyperbolic tangent",
    "[0.0, 0.5] -> Array([0.        , 0.54930614])",
    complex_rule=cm.arctanh,
    name="arctanh",
)
atanh = arctanh
deg2rad = unary(
    np.deg2rad, _times(math.pi / 180), "Degrees to radians", "180.0 -> Array(3.14159265)"
)
radians = unary(
    np.radians, _times(math.pi / 180), "Degrees to radians", "180.0 -> Array(3.14159265)"
)
rad2deg = unary(np.rad2deg, _times(180 / math.pi), "Radians to degrees", "np.pi -> Array(180.)")
degrees = unary(np.degrees, _times(180 / math.pi), "Radians to degrees", "np.pi -> Array(180.)")
