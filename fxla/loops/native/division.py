"""Quotients and remainders: of integers, and remainders of floats as NumPy has them.

Processors divide vectors of floats, but no vectors of integers. A quotient of floats that is below
some power of two is the whole quotient, or one beside it, and what it leaves is exact: that tells
which. So vectors are divided by floats, wherever all of their lanes are within that bound.
"""

from __future__ import annotations

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import BITS, Value

__all__ = ["float_rest", "integer_division"]

_ROUNDER = {"f32": 1.5 * 2.0**23, "f64": 1.5 * 2.0**52}
"""What, added to a float below a third of it, leaves no room for a fraction: its bits count on."""
_ROUNDER_BITS = 0x4338 << 48
"""Those of float64."""
_WHOLE = {"f32": 2.0**22, "f64": 2.0**51}
"""Below this, quotients are at most one beside the whole one."""
_LIMIT = 1 << 51
"""Integers of 64 bits below it are exact in float64, and so is all that is computed of them."""


def integer_division(b: Builder, name: str, x: Value, y: Value, signed: bool) -> Value:
    """``floordiv``, ``mod`` (down), ``truncdiv``, ``fmod`` (toward zero); 0 by a divisor of 0."""
    zero = y.cmp("eq", 0)
    if y.known is not None and y.known not in (0, -1):
        safe, zero = y, b.constant(0, "i1", y.width)
    else:
        unsafe = zero
        if signed:
            least = -(1 << (BITS[x.type] - 1))
            unsafe = zero | (x.cmp("eq", least) & y.cmp("eq", -1))
        safe = b.select(unsafe, b.constant(1, y.type, y.width), y)

    def by_words() -> list[Value]:
        return [_by_words(b, name, x, safe, signed)]

    def by_floats() -> list[Value]:
        return [_by_floats(b, name, x, safe, signed)]

    if not x.width or y.known is not None:  # products with reciprocals, by LLVM
        (out,) = by_words()
    elif BITS[x.type] < 64:
        (out,) = by_floats()
    else:
        (out,) = b.branch(b.any(~_is_small(b, x, safe, signed)), by_words, by_floats)
    return out if name in ("mod", "fmod") else b.select(zero, b.constant(0, x.type, x.width), out)


def _by_words(b: Builder, name: str, x: Value, y: Value, signed: bool) -> Value:
    if signed and name in ("floordiv", "mod") and y.known is not None and y.known > 0:
        below = b.bitwise("ashr", x, BITS[x.type] - 1)  # -1 - x // y is what -1 - x has
        quotient = b.bitwise("sdiv", x ^ below, y) ^ below
        return quotient if name == "floordiv" else x - quotient * y
    prefix = "s" if signed else "u"
    rest = b.bitwise(f"{prefix}rem", x, y)
    down = signed and name in ("floordiv", "mod")
    beyond = rest.cmp("ne", 0) & (rest ^ y).cmp("slt", 0) if down else None
    if name in ("mod", "fmod"):
        return rest if beyond is None else b.select(beyond, rest + y, rest)
    quotient = b.bitwise(f"{prefix}div", x, y)
    return quotient if beyond is None else b.select(beyond, quotient - 1, quotient)


def _is_small(b: Builder, x: Value, y: Value, signed: bool) -> Value:
    """Whether integers of 64 bits are below the limit."""
    if not signed:
        return (x | y).cmp("ult", _LIMIT)
    return ((x + _LIMIT) | (y + _LIMIT)).cmp("ult", 2 * _LIMIT)


def _by_floats(b: Builder, name: str, x: Value, y: Value, signed: bool) -> Value:
    """By the nearest whole quotient: its remainder is exact, its sign tells if it is past."""
    kind = "f32" if BITS[x.type] <= 16 else "f64"
    rounder = _ROUNDER[kind]

    def widened(v: Value) -> Value:
        if BITS[v.type] < 64:
            return b.convert("sitofp" if signed else "uitofp", v, kind)
        return b.bits(v + _ROUNDER_BITS) - rounder

    def narrowed(v: Value) -> Value:
        bits = b.bits(v + rounder)
        return bits - _ROUNDER_BITS if BITS[x.type] == 64 else b.convert("trunc", bits, x.type)

    u, v = widened(x), widened(y)
    quotient = (u / v + rounder) - rounder
    rest = u - quotient * v
    down = name in ("floordiv", "mod")
    beyond = rest.cmp("one", 0) & (rest.cmp("olt", 0) ^ (v if down else u).cmp("olt", 0))
    if down:
        quotient, rest = (
            b.select(beyond, quotient - 1.0, quotient),
            b.select(beyond, rest + v, rest),
        )
    else:
        one = b.intrinsic("copysign", 1.0, quotient)
        quotient = b.select(beyond, quotient - one, quotient)
        rest = b.select(beyond, rest + one * v, rest)
    return narrowed(rest if name in ("mod", "fmod") else quotient)


def float_rest(b: Builder, x: Value, y: Value) -> Value:
    """C's fmod: what whole multiples of y leave of x toward zero, with the sign of x. Exact."""

    def by_library() -> list[Value]:
        return [b.emit(f"frem {x.text}, {y.name}", x.type, x.width, x, y)]

    wide = x.type == "f32" and not b.fma_rounds_once  # products of float32 are exact in float64
    if not (wide or b.fma_rounds_once):
        return by_library()[0]
    u, v = b.abs(x), b.abs(y)
    if wide:
        u, v = b.convert("fpext", u, "f64"), b.convert("fpext", v, "f64")
    ratio = u / v
    rounder = _ROUNDER[u.type]

    def by_quotient() -> list[Value]:
        quotient = (ratio + rounder) - rounder
        rest = b.fma(-quotient, v, u)  # exact, and within half of v, or a little more
        rest = b.select(rest.cmp("olt", 0), rest + v, rest)
        rest = b.select(ratio.cmp("olt", 0.5), u, rest)  # of an infinite v
        rest = b.convert("fptrunc", rest, "f32") if wide else rest
        return [b.intrinsic("copysign", rest, x)]

    return b.branch(b.any(ratio.cmp("oge", _WHOLE[x.type])), by_library, by_quotient)[0]
