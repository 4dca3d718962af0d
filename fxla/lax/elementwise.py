"""Elementwise functions of one dtype: what `fxla.numpy` calls after promotion and broadcasting.

Operands have equal dtypes and equal shapes, except that a scalar goes with any shape and a Python
number takes the dtype of the other operand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import canonical_dtype, is_bool, is_inexact, is_integer
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError
from fxla.ops import arithmetic, casts, elementwise, logic, transcendental
from fxla.ops.structure import broadcast_in_dim

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitcast_convert_type",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "broadcast_to_rank",
    "cbrt",
    "ceil",
    "clamp",
    "clz",
    "complex",
    "conj",
    "convert_element_type",
    "cos",
    "cosh",
    "digamma",
    "div",
    "eq",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "ge",
    "gt",
    "imag",
    "integer_pow",
    "is_finite",
    "le",
    "lgamma",
    "log",
    "log1p",
    "logistic",
    "lt",
    "max",
    "min",
    "mul",
    "ne",
    "neg",
    "nextafter",
    "population_count",
    "pow",
    "real",
    "reciprocal",
    "reduce_precision",
    "rem",
    "round",
    "rsqrt",
    "select",
    "select_n",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "sub",
    "tan",
    "tanh",
]


def _function(
    name: str, primitive: elementwise.Elementwise, doc: str, call: str, shown: str
) -> Any:
    names = ("x",) if primitive.arity == 1 else ("x", "y")

    def unary(x: Any) -> Any:
        return primitive.bind1(x)

    def binary(x: Any, y: Any) -> Any:
        return primitive.bind1(*matched(x, y))

    made: Callable[..., Any] = unary if len(names) == 1 else binary
    made.__name__ = made.__qualname__ = name
    made.__doc__ = (
        f"{doc}\n\n"
        f"Elementwise; {'the operand keeps its' if len(names) == 1 else 'operands share their'} "
        f"shape and dtype.\n\n"
        f"Example:\n    >>> from fxla import lax\n    >>> {call}\n    Array({shown})\n"
    )
    return made


def matched(*xs: Value) -> list[Value]:
    """Operands in which Python numbers have the dtype of the first array or tracer."""
    dtype = next((typeof(x).dtype for x in xs if not typeof(x).weak_type), None)
    if dtype is None:
        return list(xs)
    return [casts.convert(x, dtype) if typeof(x).weak_type else x for x in xs]


abs = _function(
    "abs",
    arithmetic.abs_p,
    "Absolute value; the modulus of a complex number.",
    "lax.abs(-2.0)",
    "2.",
)
acos = _function("acos", transcendental.acos_p, "Inverse cosine.", "lax.acos(1.0)", "0.")
acosh = _function(
    "acosh", transcendental.acosh_p, "Inverse hyperbolic cosine.", "lax.acosh(1.0)", "0."
)
add = _function("add", elementwise.add_p, "Sum.", "lax.add(1.0, 2.0)", "3.")
asin = _function("asin", transcendental.asin_p, "Inverse sine.", "lax.asin(0.0)", "0.")
asinh = _function(
    "asinh", transcendental.asinh_p, "Inverse hyperbolic sine.", "lax.asinh(0.0)", "0."
)
atan = _function("atan", transcendental.atan_p, "Inverse tangent.", "lax.atan(0.0)", "0.")
atan2 = _function(
    "atan2", transcendental.atan2_p, "Angle of the point (y, x).", "lax.atan2(0.0, 1.0)", "0."
)
atanh = _function(
    "atanh", transcendental.atanh_p, "Inverse hyperbolic tangent.", "lax.atanh(0.0)", "0."
)
bitwise_and = _function(
    "bitwise_and", logic.and_p, "Bitwise and; logical for booleans.", "lax.bitwise_and(6, 3)", "2"
)
bitwise_not = _function(
    "bitwise_not", logic.not_p, "Bitwise not; logical for booleans.", "lax.bitwise_not(0)", "-1"
)
bitwise_or = _function(
    "bitwise_or", logic.or_p, "Bitwise or; logical for booleans.", "lax.bitwise_or(6, 3)", "7"
)
bitwise_xor = _function(
    "bitwise_xor", logic.xor_p, "Bitwise exclusive or.", "lax.bitwise_xor(6, 3)", "5"
)
cbrt = _function("cbrt", transcendental.cbrt_p, "Cube root.", "lax.cbrt(8.0)", "2.")
ceil = _function("ceil", arithmetic.ceil_p, "Smallest integer not below.", "lax.ceil(1.5)", "2.")
clz = _function(
    "clz", logic.clz_p, "Number of leading zero bits.", "lax.clz(np.int32(1))", "31, dtype=int32"
)
conj = _function("conj", arithmetic.conj_p, "Complex conjugate.", "lax.conj(1.0 + 2.0j)", "1.-2.j")
cos = _function("cos", transcendental.cos_p, "Cosine.", "lax.cos(0.0)", "1.")
cosh = _function("cosh", transcendental.cosh_p, "Hyperbolic cosine.", "lax.cosh(0.0)", "1.")
digamma = _function(
    "digamma",
    transcendental.digamma_p,
    "Logarithmic derivative of gamma.",
    "lax.digamma(1.0)",
    "-0.57721566",
)
eq = _function("eq", logic.eq_p, "Whether equal.", "lax.eq(1.0, 1.0)", "True")
erf = _function("erf", transcendental.erf_p, "Error function.", "lax.erf(0.0)", "0.")
erf_inv = _function(
    "erf_inv", transcendental.erfinv_p, "Inverse error function.", "lax.erf_inv(0.0)", "0."
)
erfc = _function(
    "erfc", transcendental.erfc_p, "Complementary error function.", "lax.erfc(0.0)", "1."
)
exp = _function("exp", transcendental.exp_p, "Exponential.", "lax.exp(0.0)", "1.")
exp2 = _function("exp2", transcendental.exp2_p, "Power of two.", "lax.exp2(3.0)", "8.")
expm1 = _function(
    "expm1", transcendental.expm1_p, "exp(x) - 1, accurate near 0.", "lax.expm1(0.0)", "0."
)
floor = _function("floor", arithmetic.floor_p, "Largest integer not above.", "lax.floor(1.5)", "1.")
ge = _function("ge", logic.ge_p, "Whether greater or equal.", "lax.ge(1.0, 2.0)", "False")
gt = _function("gt", logic.gt_p, "Whether greater.", "lax.gt(1.0, 2.0)", "False")
imag = _function(
    "imag", arithmetic.imag_p, "Imaginary part of a complex number.", "lax.imag(1.0 + 2.0j)", "2."
)
is_finite = _function(
    "is_finite", logic.isfinite_p, "Whether neither infinite nor NaN.", "lax.is_finite(1.0)", "True"
)
le = _function("le", logic.le_p, "Whether less or equal.", "lax.le(1.0, 2.0)", "True")
lgamma = _function(
    "lgamma", transcendental.lgamma_p, "Logarithm of the modulus of gamma.", "lax.lgamma(1.0)", "0."
)
log = _function("log", transcendental.log_p, "Natural logarithm.", "lax.log(1.0)", "0.")
log1p = _function(
    "log1p", transcendental.log1p_p, "log(1 + x), accurate near 0.", "lax.log1p(0.0)", "0."
)
logistic = _function(
    "logistic", transcendental.logistic_p, "1 / (1 + exp(-x)).", "lax.logistic(0.0)", "0.5"
)
lt = _function("lt", logic.lt_p, "Whether less.", "lax.lt(1.0, 2.0)", "True")
max = _function(
    "max", arithmetic.maximum_p, "The larger; NaN if either is.", "lax.max(1.0, 2.0)", "2."
)
min = _function(
    "min", arithmetic.minimum_p, "The smaller; NaN if either is.", "lax.min(1.0, 2.0)", "1."
)
mul = _function("mul", arithmetic.mul_p, "Product.", "lax.mul(2.0, 3.0)", "6.")
ne = _function("ne", logic.ne_p, "Whether different.", "lax.ne(1.0, 2.0)", "True")
neg = _function("neg", arithmetic.neg_p, "Negative.", "lax.neg(1.0)", "-1.")
nextafter = _function(
    "nextafter",
    arithmetic.nextafter_p,
    "The next number from x towards y.",
    "lax.nextafter(0.0, 1.0) > 0",
    "True",
)
population_count = _function(
    "population_count", logic.popcount_p, "Number of bits set.", "lax.population_count(7)", "3"
)
real = _function(
    "real", arithmetic.real_p, "Real part of a complex number.", "lax.real(1.0 + 2.0j)", "1."
)
rsqrt = _function("rsqrt", transcendental.rsqrt_p, "1 / sqrt(x).", "lax.rsqrt(4.0)", "0.5")
shift_left = _function(
    "shift_left", logic.shift_left_p, "Bits shifted left.", "lax.shift_left(1, 3)", "8"
)
shift_right_arithmetic = _function(
    "shift_right_arithmetic",
    logic.shift_right_p,
    "Bits shifted right, the sign repeated.",
    "lax.shift_right_arithmetic(-8, 1)",
    "-4",
)
shift_right_logical = _function(
    "shift_right_logical",
    logic.shift_right_logical_p,
    "Bits shifted right, zeros shifted in.",
    "lax.shift_right_logical(8, 1)",
    "4",
)
sign = _function(
    "sign", arithmetic.sign_p, "-1, 0 or 1 by the sign; NaN for NaN.", "lax.sign(-2.0)", "-1."
)
sin = _function("sin", transcendental.sin_p, "Sine.", "lax.sin(0.0)", "0.")
sinh = _function("sinh", transcendental.sinh_p, "Hyperbolic sine.", "lax.sinh(0.0)", "0.")
sqrt = _function("sqrt", transcendental.sqrt_p, "Square root.", "lax.sqrt(4.0)", "2.")
square = _function("square", transcendental.square_p, "x * x.", "lax.square(3.0)", "9.")
sub = _function("sub", arithmetic.sub_p, "Difference.", "lax.sub(3.0, 2.0)", "1.")
tan = _function("tan", transcendental.tan_p, "Tangent.", "lax.tan(0.0)", "0.")
tanh = _function("tanh", transcendental.tanh_p, "Hyperbolic tangent.", "lax.tanh(0.0)", "0.")


def div(x: Any, y: Any) -> Any:
    """Quotient; of integers, rounded toward zero.

    Example:
        >>> from fxla import lax
        >>> lax.div(7.0, 2.0), lax.div(-7, 2)
        (Array(3.5), Array(-3))
    """
    x, y = matched(x, y)
    return (
        arithmetic.truncdiv_p.bind1(x, y)
        if is_integer(typeof(x).dtype)
        else arithmetic.div_p.bind1(x, y)
    )


def rem(x: Any, y: Any) -> Any:
    """Remainder with the sign of the dividend, as C's ``fmod``.

    Example:
        >>> from fxla import lax
        >>> lax.rem(-7.0, 3.0)
        Array(-1.)
    """
    return arithmetic.fmod_p.bind1(*matched(x, y))


def pow(x: Any, y: Any) -> Any:
    """x to the power y; an integer exponent goes with a floating base.

    Example:
        >>> from fxla import lax
        >>> lax.pow(2.0, 3.0), lax.pow(2.0, 3)
        (Array(8.), Array(8.))
    """
    if isinstance(y, int) and not isinstance(y, bool):
        return transcendental.integer_pow(x, y)
    if is_inexact(typeof(x).dtype) and is_integer(typeof(y).dtype):
        y = casts.convert(y, typeof(x).dtype)
    return transcendental.pow_p.bind1(*matched(x, y))


def integer_pow(x: Any, y: int) -> Any:
    """x to a Python integer's power, by repeated multiplication.

    Example:
        >>> from fxla import lax
        >>> lax.integer_pow(2.0, 10)
        Array(1024.)
    """
    return transcendental.integer_pow_p.bind1(x, y=y)


def reciprocal(x: Any) -> Any:
    """1 / x.

    Example:
        >>> from fxla import lax
        >>> lax.reciprocal(4.0)
        Array(0.25)
    """
    return transcendental.integer_pow_p.bind1(x, y=-1)


def round(x: Any, rounding_method: int = 0) -> Any:
    """Nearest integer.

    Args:
        x: real.
        rounding_method: at a half, 0 rounds away from zero, 1 to the even neighbour.

    Example:
        >>> from fxla import lax
        >>> lax.round(2.5), lax.round(2.5, 1)
        (Array(3.), Array(2.))
    """
    if int(rounding_method) == 1:
        return arithmetic.rint_p.bind1(x)
    whole = arithmetic.trunc_p.bind1(x)
    half = logic.ge(arithmetic.abs_(arithmetic.sub(x, whole)), 0.5)
    return elementwise.add(
        whole, arithmetic.mul(casts.convert(half, typeof(x).dtype), arithmetic.sign(x))
    )


def clamp(min: Any, x: Any, max: Any) -> Any:
    """x, or the bound it is beyond.

    Args:
        min: lower bound, a scalar or an array of x's shape.
        x: an array.
        max: upper bound, likewise.

    Example:
        >>> from fxla import lax
        >>> lax.clamp(0.0, 1.5, 1.0)
        Array(1.)
    """
    low, x, high = matched(min, x, max)
    return arithmetic.minimum_p.bind1(arithmetic.maximum_p.bind1(x, low), high)


def complex(x: Any, y: Any) -> Any:
    """The complex number with real part x and imaginary part y.

    Example:
        >>> from fxla import lax
        >>> lax.complex(1.0, 2.0)
        Array(1.+2.j)
    """
    return arithmetic.complex_p.bind1(*matched(x, y))


def convert_element_type(x: Any, new_dtype: Any) -> Any:
    """x in another dtype.

    Example:
        >>> from fxla import lax
        >>> lax.convert_element_type(1.7, "int32")
        Array(1, dtype=int32)
    """
    return casts.convert(x, canonical_dtype(new_dtype))


def bitcast_convert_type(x: Any, new_dtype: Any) -> Any:
    """The bits of x read as another dtype of the same width.

    Raises:
        TypeError: if the widths differ.

    Example:
        >>> from fxla import lax
        >>> lax.bitcast_convert_type(1.0, "uint64") == 0x3FF0000000000000
        Array(True)
    """
    return casts.bitcast(x, canonical_dtype(new_dtype))


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """on_true where pred, else on_false; all of one shape, or pred a scalar.

    Example:
        >>> from fxla import lax
        >>> lax.select(True, 1.0, 2.0)
        Array(1.)
    """
    return logic.select_p.bind1(pred, *matched(on_true, on_false))


def select_n(which: Any, *cases: Any) -> Any:
    """Of several arrays the one that `which` numbers, element by element.

    Args:
        which: integers in range, or booleans for two cases (false first).
        *cases: arrays of one type.

    Raises:
        TypeError: if `which` is neither boolean nor integer.

    Example:
        >>> from fxla import lax
        >>> lax.select_n(1, 10.0, 20.0, 30.0)
        Array(20.)
    """
    dtype = typeof(which).dtype
    if is_bool(dtype):
        return logic.select_p.bind1(which, *matched(cases[1], cases[0]))
    if not is_integer(dtype):
        raise DtypeError(
            f"lax.select_n: `which` must be boolean or integer, got {typeof(which)}{where_am_i()}"
        )
    found = cases[-1]
    for k in range(len(cases) - 2, -1, -1):
        found = logic.select_p.bind1(logic.eq(which, k), *matched(cases[k], found))
    return found


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    """The value rounded to fewer bits, in the same dtype.

    Args:
        operand: float32 or float64.
        exponent_bits: of the smaller format.
        mantissa_bits: of the smaller format.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.reduce_precision(fnp.float32(1.001), 8, 7)
        Array(1., dtype=float32)
    """
    aval = typeof(operand)
    info = np.finfo(aval.dtype)
    bits = np.dtype(f"u{aval.dtype.itemsize}")
    drop = info.nmant - mantissa_bits
    out = operand
    if drop > 0:
        raw = casts.bitcast(operand, bits)
        one, shift = np.ones((), bits)[()], np.asarray(drop, bits)[()]
        last = logic.and_(logic.shift_right_logical(raw, shift), one)
        bias = elementwise.add(np.asarray((1 << (drop - 1)) - 1, bits)[()], last)
        mask = np.asarray(~np.uint64((1 << drop) - 1)).astype(bits)[()]
        out = casts.bitcast(logic.and_(elementwise.add(raw, bias), mask), aval.dtype)
    if exponent_bits < info.iexp:
        largest = 2.0 ** (2 ** (exponent_bits - 1) - 1) * (2 - 2.0**-mantissa_bits)
        smallest = 2.0 ** (2 - 2 ** (exponent_bits - 1))
        size = arithmetic.abs_(out)
        over = arithmetic.mul(arithmetic.sign(out), np.asarray(np.inf, aval.dtype)[()])
        out = logic.select_like(logic.gt(size, largest), over, out)
        out = logic.select_like(logic.lt(size, smallest), arithmetic.mul(out, 0.0), out)
    keep = logic.isfinite_p.bind1(operand)
    return logic.select_like(keep, out, operand)


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """x with leading axes of size 1 up to `rank` axes.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.broadcast_to_rank(fnp.ones(3), 2).shape
        (1, 3)
    """
    shape = typeof(x).shape
    missing = rank - len(shape)
    return broadcast_in_dim(x, (1,) * missing + shape, range(missing, rank)) if missing > 0 else x
