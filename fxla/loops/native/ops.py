"""Every scalar op and cast of the kernel IR, as instructions of the builder.

Registers hold booleans as i1, halves (float16, bfloat16) as f32, and every other dtype as itself;
memory holds booleans as one byte and halves as two.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from fxla.loops.ir import DType
from fxla.loops.native.builder import Builder
from fxla.loops.native.division import float_rest, integer_division
from fxla.loops.native.halves import narrowed_half, widened_half
from fxla.loops.native.instructions import BITS, Value
from fxla.loops.native.special import MATH

__all__ = [
    "Unsupported",
    "apply_op",
    "cast",
    "from_memory",
    "memory_type",
    "register_type",
    "to_memory",
]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALVES = (np.dtype(np.float16), BFLOAT16)


class Unsupported(NotImplementedError):  # noqa: N818
    """The native printer cannot print this kernel; the message says why."""


def register_type(dtype: DType) -> str:
    """The builder's type of a dtype in a register."""
    if dtype in HALVES:
        return "f32"
    if dtype.kind == "b":
        return "i1"
    if dtype.kind in "iu" and dtype.itemsize <= 8:
        return f"i{dtype.itemsize * 8}"
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return f"f{dtype.itemsize * 8}"
    raise Unsupported(f"dtype {dtype.name}")


def memory_type(dtype: DType) -> str:
    """The builder's type of a dtype in memory."""
    if dtype.kind == "b":
        return "i8"
    if dtype in HALVES:
        return "i16"
    return register_type(dtype)


def from_memory(b: Builder, v: Value, dtype: DType) -> Value:
    """A loaded value, in the form that registers hold."""
    if dtype.kind == "b":
        return v.cmp("ne", 0)
    if dtype == BFLOAT16:
        return b.bits(b.convert("zext", v, "i32") << 16)
    if dtype in HALVES:
        return b.convert("fpext", b.bits(v), "f32") if b.half else widened_half(b, v)
    return v


def to_memory(b: Builder, v: Value, dtype: DType) -> Value:
    """A register's value, in the form that memory holds."""
    if dtype.kind == "b":
        return b.convert("zext", v, "i8")
    if dtype == BFLOAT16:
        return b.convert("trunc", _bfloat16_bits(b, v), "i16")
    if dtype in HALVES:
        return b.bits(b.convert("fptrunc", v, "f16")) if b.half else narrowed_half(b, v)
    return v


def _bfloat16_bits(b: Builder, v: Value) -> Value:
    """An f32 rounded to nearest even at bit 16; the result stands in the low half."""
    bits = b.bits(v)
    upper = b.bitwise("lshr", bits, 16)
    rounded = b.bitwise("lshr", bits + 0x7FFF + (upper & 1), 16)
    return b.select(v.cmp("uno", v), upper | 0x40, rounded)


def _round_half(b: Builder, v: Value, dtype: DType) -> Value:
    return from_memory(b, to_memory(b, v, dtype), dtype)


def _round_odd(b: Builder, x: Value) -> Value:
    """f64 to f32 such that a further rounding to half is that of `x` itself."""
    near = b.convert("fptrunc", x, "f32")
    back = b.convert("fpext", near, "f64")
    bits = b.bits(near)
    away = b.abs(back).cmp("ogt", b.abs(x))
    bits = b.select(away, bits - 1, bits)
    return b.bits(b.select(back.cmp("one", x), bits | 1, bits))


# ---------------------------------------------------------------------- casts


def cast(b: Builder, v: Value, source: DType, target: DType) -> Value:
    """``v.astype(target)``."""
    if source == target:
        return v
    to = register_type(target)
    if target.kind == "b":
        return v.cmp("une" if v.is_float else "ne", 0)
    if to[0] == "f":
        return _to_float(b, v, source, target)
    if v.is_float:
        return _float_to_int(b, v, target)
    if BITS[to] == BITS[v.type]:
        return v
    if BITS[to] < BITS[v.type]:
        return b.convert("trunc", v, to)
    return b.convert("sext" if source.kind == "i" else "zext", v, to)


def _to_float(b: Builder, v: Value, source: DType, target: DType) -> Value:
    to = register_type(target)
    if v.is_float:
        if v.type == to:
            out = v
        elif v.type == "f32":
            out = b.convert("fpext", v, to)
        elif target == np.dtype(np.float16):
            out = _round_odd(b, v)
        else:
            out = b.convert("fptrunc", v, to)
    else:
        out = b.convert("sitofp" if source.kind == "i" else "uitofp", v, to)
    return _round_half(b, out, target) if target in HALVES else out


def _float_to_int(b: Builder, v: Value, target: DType) -> Value:
    """C's conversion; out of range it gives what x86 compilers give, as NumPy does there."""
    to = register_type(target)
    if target.itemsize < 4:
        return b.convert("trunc", b.convert("fptosi", v, "i32"), to)
    if target.kind == "i":
        return b.convert("fptosi", v, to)
    if target.itemsize == 4:
        return b.convert("trunc", b.convert("fptosi", v, "i64"), to)
    half = 2.0**63
    small = v.cmp("olt", half)
    low = b.convert("fptosi", b.select(small, v, v - half), "i64")
    return b.select(small, low, low ^ (-(1 << 63)))


# ------------------------------------------------------------------- integers


def _integer_power(b: Builder, x: Value, y: Value, signed: bool) -> Value:
    """Squaring, modulo the word; a negative exponent gives the reciprocal, rounded toward zero."""
    zero, one = b.constant(0, x.type, x.width), b.constant(1, x.type, x.width)

    def more(v: list[Value]) -> Value:
        return b.any(v[1].cmp("ne", 0))

    def step(v: list[Value]) -> list[Value]:
        base, count, result = v
        odd = (count & 1).cmp("ne", 0)
        result = b.select(odd, result * base, result)
        return [base * base, b.bitwise("lshr", count, 1), result]

    count = b.select(y.cmp("slt", 0), zero, y) if signed else y
    result = b.while_loop([x, count, one], more, step)[2]
    if not signed:
        return result
    sign = b.select((y & 1).cmp("eq", 0), one, x)
    unit = b.select(x.cmp("eq", 1), one, b.select(x.cmp("eq", -1), sign, zero))
    return b.select(y.cmp("slt", 0), unit, result)


def _shift(b: Builder, name: str, x: Value, n: Value, signed: bool) -> Value:
    bits = BITS[x.type]
    inside = n.cmp("ult", bits)
    count = b.select(inside, n, b.constant(bits - 1, n.type, n.width))
    if name == "shr" and signed:
        return b.bitwise("ashr", x, count)
    shifted = b.bitwise("shl" if name == "shl" else "lshr", x, count)
    return b.select(inside, shifted, b.constant(0, x.type, x.width))


def _integer(b: Builder, name: str, args: list[Value], signed: bool) -> Value:
    x = args[0]
    match name:
        case "add" | "sub" | "mul":
            return b.arith(name, *args)
        case "floordiv" | "truncdiv" | "mod" | "fmod":
            return integer_division(b, name, x, args[1], signed)
        case "pow":
            return _integer_power(b, x, args[1], signed)
        case "maximum" | "minimum":
            return b.intrinsic(("s" if signed else "u") + name[:3], *args)
        case "neg":
            return -x
        case "abs":
            return b.intrinsic("abs", x, extra="i1 false") if signed else x
        case "sign":
            positive = b.convert("zext", x.cmp("ne", 0), x.type)
            if not signed:
                return positive
            return b.select(x.cmp("slt", 0), b.constant(-1, x.type, x.width), positive)
        case "shl" | "shr" | "shr_logical":
            return _shift(b, name, x, args[1], signed)
        case "popcount":
            return b.intrinsic("ctpop", _integer(b, "abs", [x], signed))
        case "clz":
            return b.intrinsic("ctlz", x, extra="i1 false")
    raise Unsupported(f"{name} of integers")


def _boolean(b: Builder, name: str, args: list[Value]) -> Value:
    match name:
        case "add" | "maximum":
            return args[0] | args[1]
        case "mul" | "minimum":
            return args[0] & args[1]
    raise Unsupported(f"{name} of booleans")


# --------------------------------------------------------------------- floats


def _float_division(b: Builder, name: str, x: Value, y: Value) -> Value:
    """NumPy's floor_divide, remainder and fmod (npy_math's divmod)."""
    rest = float_rest(b, x, y)
    if name == "fmod":
        return rest
    opposite = rest.cmp("one", 0) & (y.cmp("olt", 0) ^ rest.cmp("olt", 0))
    if name == "mod":
        signed_zero = b.intrinsic("copysign", 0.0, y)
        adjusted = b.select(opposite, rest + y, rest)
        return b.select(rest.cmp("oeq", 0), signed_zero, adjusted)
    quotient = (x - rest) / y
    quotient = b.select(opposite, quotient - 1.0, quotient)
    whole = b.intrinsic("floor", quotient)
    whole = b.select((quotient - whole).cmp("ogt", 0.5), whole + 1.0, whole)
    whole = b.select(quotient.cmp("une", 0), whole, b.intrinsic("copysign", 0.0, x / y))
    return b.select(y.cmp("oeq", 0), x / y, whole)


def _sign(b: Builder, x: Value) -> Value:
    negative = b.select(x.cmp("olt", 0), b.constant(-1, x.type, x.width), 0.0)
    nan_or_less = b.select(x.cmp("uno", x), x, negative)
    return b.select(x.cmp("ogt", 0), b.constant(1, x.type, x.width), nan_or_less)


_ROUNDING = {"floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "roundeven"}


def _float(b: Builder, name: str, args: list[Value]) -> Value:
    x = args[0]
    match name:
        case "add" | "sub" | "mul" | "div":
            return b.arith(name, *args)
        case "product":  # rounded, also where it is added to
            return b.emit(f"fmul {x.text}, {args[1].name}", x.type, x.width, *args)
        case "floordiv" | "mod" | "fmod":
            return _float_division(b, name, x, args[1])
        case "maximum" | "minimum":
            return b.intrinsic(name, *args, flags="nsz ")
        case "neg":
            return -x
        case "abs":
            return b.abs(x)
        case "sign":
            return _sign(b, x)
        case "copysign":
            return b.intrinsic("copysign", *args)
        case "fma":
            return b.fma(*args)
        case "sqrt":
            return b.intrinsic("sqrt", x)
    if name in _ROUNDING:
        return b.intrinsic(_ROUNDING[name], x)
    if name in MATH:
        return b.apply(name, MATH[name], args)
    raise Unsupported(f"{name} of {x.type}")


# ---------------------------------------------------------------- all of them

_FLOAT_PREDICATE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


def _compare(b: Builder, name: str, x: Value, y: Value, signed: bool) -> Value:
    if x.is_float:
        return x.cmp(_FLOAT_PREDICATE[name], y)
    if name in ("eq", "ne"):
        return x.cmp(name, y)
    return x.cmp(("s" if signed else "u") + name, y)


def _classify(b: Builder, name: str, x: Value) -> Value:
    infinity = float("inf")
    match name:
        case "isnan":
            return x.cmp("uno", x)
        case "isinf":
            return b.abs(x).cmp("oeq", infinity)
        case "isfinite":
            return b.abs(x).cmp("olt", infinity)
    return b.bits(x).cmp("slt", 0)


def _bitcast(b: Builder, v: Value, source: DType, target: DType) -> Value:
    v = to_memory(b, v, source)
    to = memory_type(target)
    if to != v.type:
        v = b.convert("bitcast", v, to)
    return from_memory(b, v, target)


def _half_nextafter(b: Builder, args: list[Value], dtype: DType) -> Value:
    """On the 16 bits: to the neighbour of x toward y."""
    x, y = args
    bits = to_memory(b, x, dtype)
    smallest = b.constant(1, "i16", bits.width) | (to_memory(b, y, dtype) & -0x8000)
    grow = y.cmp("ogt", x) ^ bits.cmp("slt", 0)
    moved = b.select(grow, bits + 1, bits - 1)
    moved = b.select(x.cmp("oeq", 0), smallest, moved)
    out = b.select(x.cmp("oeq", y), y, from_memory(b, moved, dtype))
    return b.select(x.cmp("uno", y), x + y, out)


def apply_op(b: Builder, name: str, args: list[Value], dtype: DType, result: DType) -> Value:
    """The instructions of one op on operands of `dtype` that are all of one width."""
    signed = dtype.kind == "i"
    if name in _FLOAT_PREDICATE:
        return _compare(b, name, args[0], args[1], signed)
    if name in ("isnan", "isinf", "isfinite", "signbit"):
        return _classify(b, name, args[0])
    if name == "bitcast":
        return _bitcast(b, args[0], dtype, result)
    if name in ("and", "or", "xor"):
        return b.bitwise(name, *args)
    if name == "not":
        return ~args[0]
    if dtype in HALVES and name == "nextafter":
        return _half_nextafter(b, args, dtype)
    if dtype.kind == "b":
        return _boolean(b, name, args)
    if dtype.kind in "iu":
        return _integer(b, name, args, signed)
    if dtype.kind == "c" or result.kind == "c":
        raise Unsupported(f"{name} of {dtype.name}")
    return _float(b, name, args)
