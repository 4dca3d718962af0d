"""Universal functions that compare, test, and work on truth values and bits."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.dtypes import is_bool, is_complex, is_inexact, is_signed
from fxla.core.trace import Value, typeof
from fxla.numpy import complex_math as cm
from fxla.numpy.operands import as_value, as_values, broadcast, common_shape, convert_all
from fxla.numpy.ufunc_keywords import public_ufunc
from fxla.numpy.ufunc_loops import loop_dtypes
from fxla.numpy.universal import binary, documented, unary
from fxla.ops import arithmetic, logic
from fxla.ops.casts import convert
from fxla.ops.divisors import gcd as common_divisor
from fxla.ops.elementwise import Elementwise
from fxla.ops.structure import broadcast_to, full

__all__ = [
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "gcd",
    "greater",
    "greater_equal",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "lcm",
    "left_shift",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "right_shift",
]

# --- comparisons ----------------------------------------------------------------------------


def _complex_order(name: str) -> Callable[[Value, Value], Value]:
    """Lexicographic comparison of complex numbers; False with a NaN."""
    strict = cm.less if name.startswith("less") else (lambda x, y: cm.less(y, x))
    if not name.endswith("equal"):
        return strict

    def rule(x: Value, y: Value) -> Value:
        return logic.or_(strict(x, y), logic.eq(x, y))

    return rule


def _out_of_range(x: Any, other: Value) -> bool:
    """Whether a Python integer is none of the integers of the other operand's dtype."""
    if isinstance(x, np.generic) or not isinstance(x, int) or isinstance(x, bool):
        return False
    aval = typeof(other)
    if aval.weak_type or is_inexact(aval.dtype) or is_bool(aval.dtype):
        return False
    limits = np.iinfo(aval.dtype)
    return not limits.min <= x <= limits.max


def _mixed_signs(primitive: Elementwise, x: Value, y: Value) -> Value:
    """Compare int64 with uint64 exactly: a negative number is below every unsigned one."""
    if not is_signed(typeof(x).dtype):
        swapped = {
            logic.lt_p: logic.gt_p,
            logic.le_p: logic.ge_p,
            logic.gt_p: logic.lt_p,
            logic.ge_p: logic.le_p,
        }.get(primitive, primitive)
        return _mixed_signs(swapped, y, x)
    below = primitive in (logic.lt_p, logic.le_p, logic.ne_p)
    unsigned = primitive.bind1(convert(x, np.dtype(np.uint64)), y)
    return logic.select_like(logic.lt(x, 0), np.bool_(below), unsigned)


def _comparison(
    ufunc: np.ufunc, primitive: Elementwise, symbol: Callable[..., Any], summary: str, example: str
) -> Callable[..., Any]:
    name = ufunc.__name__
    call = f"np.{name}"
    ordered = primitive not in (logic.eq_p, logic.ne_p)
    complex_rule = _complex_order(name) if ordered else primitive.bind1

    def body(x1: Any, x2: Any, /) -> Any:
        x, y = as_values(call, x1, x2)
        if _out_of_range(x, y) or _out_of_range(y, x):
            shape = common_shape(call, typeof(x), typeof(y))
            known = symbol(x, 0) if isinstance(x, int) else symbol(0, y)
            return full(shape, known, np.dtype(bool))
        left, right, _ = loop_dtypes(call, ufunc, [x, y])
        x, y = broadcast(call, *convert_all([x], left), *convert_all([y], right))
        if left != right:
            return _mixed_signs(primitive, x, y)
        return complex_rule(x, y) if is_complex(left) else primitive.bind1(x, y)

    made: Callable[..., Any] = public_ufunc(ufunc)(documented(body, name, summary, 2, example))
    return made


equal = _comparison(
    np.equal, logic.eq_p, operator.eq, "``x1 == x2``", "[1, 2], 2 -> Array([False,  True])"
)
not_equal = _comparison(
    np.not_equal, logic.ne_p, operator.ne, "``x1 != x2``", "[1, 2], 2 -> Array([ True, False])"
)
less = _comparison(
    np.less, logic.lt_p, operator.lt, "``x1 < x2``", "[1, 2], 2 -> Array([ True, False])"
)
less_equal = _comparison(
    np.less_equal, logic.le_p, operator.le, "``x1 <= x2``", "[1, 2], 2 -> Array([ True,  True])"
)
greater = _comparison(
    np.greater, logic.gt_p, operator.gt, "``x1 > x2``", "[2, 3], 2 -> Array([False,  True])"
)
greater_equal = _comparison(
    np.greater_equal, logic.ge_p, operator.ge, "``x1 >= x2``", "[1, 2], 2 -> Array([False,  True])"
)

# --- tests ----------------------------------------------------------------------------------


def _test(primitive: Elementwise, otherwise: bool, both: Callable[..., Value]) -> Any:
    """A test of floats; of complex numbers by their parts; constant for integers."""

    def rule(x: Value) -> Value:
        aval = typeof(x)
        if is_complex(aval.dtype):
            return both(primitive.bind1(arithmetic.real(x)), primitive.bind1(arithmetic.imag(x)))
        if is_inexact(aval.dtype):
            return primitive.bind1(x)
        return full(aval.shape, otherwise, np.dtype(bool))

    return rule


isnan = unary(
    np.isnan,
    _test(logic.isnan_p, False, logic.or_),
    "Whether `x` is NaN",
    "[np.nan, 1.0] -> Array([ True, False])",
)
isinf = unary(
    np.isinf,
    _test(logic.isinf_p, False, logic.or_),
    "Whether `x` is infinite",
    "[-np.inf, 1.0] -> Array([ True, False])",
)
isfinite = unary(
    np.isfinite,
    _test(logic.isfinite_p, True, logic.and_),
    "Whether `x` is neither infinite nor NaN",
    "[-np.inf, 1.0] -> Array([False,  True])",
)

# --- truth values ---------------------------------------------------------------------------


def truth(x: Value) -> Value:
    """Whether x is not 0, as a boolean; NaN is true."""
    if isinstance(x, (bool, int, float, complex, np.generic)):
        return np.bool_(bool(x))
    return x if is_bool(typeof(x).dtype) else logic.ne(x, np.zeros((), typeof(x).dtype)[()])


def _logical(
    ufunc: np.ufunc, rule: Callable[..., Value], summary: str, example: str
) -> Callable[..., Any]:
    """Operands become booleans before anything else, whatever dtypes they have."""
    call = f"np.{ufunc.__name__}"

    def one(x: Any, /) -> Any:
        return rule(truth(as_value(x, call)))

    def two(x1: Any, x2: Any, /) -> Any:
        return rule(*broadcast(call, *[truth(x) for x in as_values(call, x1, x2)]))

    body = documented(one if ufunc.nin == 1 else two, ufunc.__name__, summary, ufunc.nin, example)
    made: Callable[..., Any] = public_ufunc(ufunc)(body)
    return made


logical_and = _logical(
    np.logical_and,
    logic.and_,
    "Whether both are true",
    "[True, False], True -> Array([ True, False])",
)
logical_or = _logical(
    np.logical_or,
    logic.or_,
    "Whether either is true",
    "[True, False], True -> Array([ True,  True])",
)
logical_xor = _logical(
    np.logical_xor,
    logic.xor,
    "Whether exactly one is true",
    "[True, False], True -> Array([False,  True])",
)
logical_not = _logical(
    np.logical_not, logic.not_, "Whether `x` is false", "[True, False] -> Array([False,  True])"
)

# --- bits -----------------------------------------------------------------------------------


def _count(x: Value) -> Value:
    """Bits of the absolute value."""
    return logic.popcount_p.bind1(arithmetic.abs_(x) if is_signed(typeof(x).dtype) else x)


bitwise_and = binary(np.bitwise_and, logic.and_p, "Bits set in both", "6, [3, 4] -> Array([2, 4])")
bitwise_or = binary(np.bitwise_or, logic.or_p, "Bits set in either", "6, [3, 4] -> Array([7, 6])")
bitwise_xor = binary(
    np.bitwise_xor, logic.xor_p, "Bits set in one of them", "6, [3, 4] -> Array([5, 2])"
)
invert = unary(
    np.invert, logic.not_p, "All bits flipped", "[0, 5] -> Array([-1, -6])", name="invert"
)
bitwise_not = invert
bitwise_invert = invert
left_shift = binary(
    np.left_shift,
    logic.shift_left_p,
    "``x1 * 2**x2``",
    "5, [1, 2] -> Array([10, 20])",
    name="left_shift",
)
bitwise_left_shift = left_shift
right_shift = binary(
    np.right_shift,
    logic.shift_right_p,
    "``x1 // 2**x2``",
    "20, [1, 2] -> Array([10,  5])",
    name="right_shift",
)
bitwise_right_shift = right_shift
bitwise_count = unary(
    np.bitwise_count,
    _count,
    "Number of bits set in the absolute value",
    "[7, -8] -> Array([3, 1], dtype=uint8)",
)

# --- divisors -------------------------------------------------------------------------------


def _gcd(x: Value, y: Value) -> Value:
    shape = max((typeof(v).shape for v in (x, y)), key=len)
    return common_divisor(*(broadcast_to(v, shape) for v in (x, y)))


def _lcm(x: Value, y: Value) -> Value:
    divisor = _gcd(x, y)
    one = typeof(x).dtype.type(1)
    safe = logic.select_like(logic.eq(divisor, 0), one, divisor)
    multiple = arithmetic.mul(arithmetic.floordiv(x, safe), y)
    return arithmetic.abs_(multiple) if is_signed(typeof(x).dtype) else multiple


gcd = binary(np.gcd, _gcd, "Greatest common divisor", "12, [8, 9] -> Array([4, 3])")
lcm = binary(np.lcm, _lcm, "Least common multiple", "4, [6, 7] -> Array([12, 28])")
