"""Order, division, bits and half floats, as scalar Python for `fxla.loops.python.functions`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = [
    "Scalar",
    "WrappingCast",
    "bfloat16_to_float32",
    "ceil",
    "float16_to_float32",
    "float32_bits",
    "float32_from_bits",
    "float32_to_bfloat16",
    "float64_bits",
    "float64_from_bits",
    "float64_to_float16",
    "float_floordiv",
    "float_mod",
    "float_sign",
    "floor",
    "fmod",
    "int_floordiv",
    "int_fmod",
    "int_mod",
    "int_sign",
    "int_truncdiv",
    "leading_zeros",
    "maximum",
    "minimum",
    "nextafter32",
    "nextafter64",
    "popcount",
    "rint",
    "scratch",
    "shift_left",
    "shift_right",
    "signbit",
    "trunc",
    "uint_floordiv",
    "uint_mod",
    "unsigned_shift_right",
]

Scalar = Any
"""A number of a NumPy dtype; which ones a function takes, its text says."""


class WrappingCast:
    """A conversion to an integer type that wraps, as in machine code; NumPy's may refuse."""

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar

    def __call__(self, x: Scalar) -> Scalar:
        if isinstance(x, int):
            x = np.uint64(x & 0xFFFFFFFFFFFFFFFF)
        return np.asarray(x).astype(self.scalar)[()]


# -- provided by each target; these are plain Python's ---------------------------------------------


def float32_bits(x: Scalar) -> Scalar:
    """The bits of a float32, as uint32."""
    return np.float32(x).view(np.uint32)


def float32_from_bits(n: Scalar) -> Scalar:
    """The float32 with these 32 bits."""
    return np.uint32(n).view(np.float32)


def float64_bits(x: Scalar) -> Scalar:
    """The bits of a float64, as uint64."""
    return np.float64(x).view(np.uint64)


def float64_from_bits(n: Scalar) -> Scalar:
    """The float64 with these 64 bits."""
    return np.uint64(n).view(np.float64)


def floor(x: Scalar) -> Scalar:
    """Round down, to a float."""
    return np.floor(x)


def ceil(x: Scalar) -> Scalar:
    """Round up, to a float."""
    return np.ceil(x)


def trunc(x: Scalar) -> Scalar:
    """Round toward zero, to a float."""
    return np.trunc(x)


def rint(x: Scalar) -> Scalar:
    """Round to nearest, ties to even, to a float."""
    return np.rint(x)


def fmod(x: Scalar, y: Scalar) -> Scalar:
    """Remainder of a float with the dividend's sign."""
    return np.fmod(x, y)


def scratch(size: int, dtype: Any) -> Any:
    """A small flat array, uninitialised."""
    return np.empty(size, dtype.scalar if isinstance(dtype, WrappingCast) else dtype)


# -- order -----------------------------------------------------------------------------------------


def maximum(x: Scalar, y: Scalar) -> Scalar:
    """The greater; NaN if either is."""
    return x if x >= y or x != x else y


def minimum(x: Scalar, y: Scalar) -> Scalar:
    """The lesser; NaN if either is."""
    return x if x <= y or x != x else y


def int_sign(x: Scalar) -> Scalar:
    """-1, 0 or 1."""
    return 1 if x > 0 else (-1 if x < 0 else 0)


def float_sign(x: Scalar) -> Scalar:
    """-1.0, 0.0 or 1.0; NaN of NaN."""
    if x > 0:
        return 1.0
    if x < 0:
        return -1.0
    return 0.0 if x == 0 else x


def signbit(x: Scalar) -> Scalar:
    """Whether the sign is minus, that of -0.0 and NaN included."""
    return math.copysign(1.0, x) < 0


# -- division --------------------------------------------------------------------------------------


def int_floordiv(x: Scalar, y: Scalar) -> Scalar:
    """Integer division rounding down; 0 where the divisor is 0."""
    if y == 0:
        return x * 0
    if y == -1:  # the one quotient that overflows traps in hardware
        return 0 - x
    return x // y


def int_mod(x: Scalar, y: Scalar) -> Scalar:
    """Remainder with the divisor's sign; 0 where the divisor is 0."""
    if y == 0 or y == -1:
        return x * 0
    return x % y


def int_truncdiv(x: Scalar, y: Scalar) -> Scalar:
    """Integer division rounding toward zero, as in C; 0 where the divisor is 0."""
    q = int_floordiv(x, y)
    if y != 0 and q < 0 and q * y != x:
        return q + 1
    return q


def int_fmod(x: Scalar, y: Scalar) -> Scalar:
    """Remainder with the dividend's sign, as in C; 0 where the divisor is 0."""
    r = int_mod(x, y)
    if r != 0 and (r < 0) != (x < 0):
        return r - y
    return r


def uint_floordiv(x: Scalar, y: Scalar) -> Scalar:
    """Unsigned division; 0 where the divisor is 0."""
    return x * y if y == 0 else x // y


def uint_mod(x: Scalar, y: Scalar) -> Scalar:
    """Unsigned remainder; 0 where the divisor is 0."""
    return x * y if y == 0 else x % y


def float_mod(x: Scalar, y: Scalar) -> Scalar:
    """Remainder with the divisor's sign."""
    r = fmod(x, y)
    if r == 0:
        return math.copysign(r, y)
    if (r < 0) != (y < 0):
        return r + y
    return r


def float_floordiv(x: Scalar, y: Scalar) -> Scalar:
    """The largest integral float not above ``x / y``, as NumPy finds it from the remainder."""
    if y == 0 or x != x or y != y:
        return x / y
    r = fmod(x, y)
    q = (x - r) / y
    if r != 0 and (r < 0) != (y < 0):
        q = q - 1
    if q == 0:
        return math.copysign(q, x / y)
    whole = floor(q)
    return whole + 1 if q - whole > 0.5 else whole


# -- bits ------------------------------------------------------------------------------------------


def shift_left(x: Scalar, n: Scalar, width: int) -> Scalar:
    """Shift up; 0 where the count is not in ``range(width)``."""
    return x << n if n >= 0 and n < width else x ^ x


def shift_right(x: Scalar, n: Scalar, width: int) -> Scalar:
    """Shift down, arithmetically if signed; all sign bits where the count is too large."""
    return x >> n if n >= 0 and n < width else x >> (width - 1)


def unsigned_shift_right(x: Scalar, n: Scalar, width: int) -> Scalar:
    """Shift an unsigned integer down; 0 where the count is too large."""
    return x >> n if n < width else x ^ x


def popcount(x: Scalar) -> Scalar:
    """How many of the 64 bits of a uint64 are set."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    x = x + (x >> np.uint64(8))
    x = x + (x >> np.uint64(16))
    return (x + (x >> np.uint64(32))) & np.uint64(0x7F)


def leading_zeros(x: Scalar) -> Scalar:
    """How many of the upper of 64 bits of a uint64 are clear before the first set one."""
    x = x | (x >> np.uint64(1))
    x = x | (x >> np.uint64(2))
    x = x | (x >> np.uint64(4))
    x = x | (x >> np.uint64(8))
    x = x | (x >> np.uint64(16))
    x = x | (x >> np.uint64(32))
    return np.uint64(64) - popcount(x)


def nextafter32(x: Scalar, y: Scalar) -> Scalar:
    """The float32 after `x` toward `y`."""
    if x != x or y != y:
        return x + y
    if x == y:
        return y
    if x == 0:
        return float32_from_bits(np.uint32(1) if y > 0 else np.uint32(0x80000001))
    bits = np.uint32(float32_bits(x))
    outward = (y > x) == (x > 0)
    return float32_from_bits(np.uint32(bits + np.uint32(1) if outward else bits - np.uint32(1)))


def nextafter64(x: Scalar, y: Scalar) -> Scalar:
    """The float64 after `x` toward `y`."""
    if x != x or y != y:
        return x + y
    if x == y:
        return y
    if x == 0:
        return float64_from_bits(np.uint64(1) if y > 0 else np.uint64(0x8000000000000001))
    bits = np.uint64(float64_bits(x))
    outward = (y > x) == (x > 0)
    return float64_from_bits(np.uint64(bits + np.uint64(1) if outward else bits - np.uint64(1)))


# -- half floats: storage as 16 bits ---------------------------------------------------------------


def bfloat16_to_float32(bits: Scalar) -> Scalar:
    """The value of a bfloat16."""
    return float32_from_bits(np.uint32(bits) << np.uint32(16))


def float32_to_bfloat16(x: Scalar) -> Scalar:
    """The nearest bfloat16, ties to even, as bits."""
    bits = np.uint32(float32_bits(x))
    if x != x:
        return np.uint16((bits >> np.uint32(31)) << np.uint32(15) | np.uint32(0x7FC0))
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


def float16_to_float32(bits: Scalar) -> Scalar:
    """The value of a float16."""
    n = np.uint32(bits)
    sign = (n & np.uint32(0x8000)) << np.uint32(16)
    exponent = (n >> np.uint32(10)) & np.uint32(31)
    fraction = n & np.uint32(1023)
    if exponent == 31:
        return float32_from_bits(
            np.uint32(sign | np.uint32(0x7F800000) | fraction << np.uint32(13))
        )
    if exponent == 0:
        small = np.float32(fraction) * np.float32(2.0**-24)
        return -small if sign != 0 else small
    rest = (exponent + np.uint32(112)) << np.uint32(23) | fraction << np.uint32(13)
    return float32_from_bits(np.uint32(sign | rest))


def float64_to_float16(x: Scalar) -> Scalar:
    """The float16 nearest to a float64 (or float32), ties to even, as bits."""
    sign = np.uint32(0x8000) if signbit(x) else np.uint32(0)
    size = np.float64(abs(x))
    if size != size:
        return np.uint16(sign | np.uint32(0x7E00))
    if size >= 65520.0:
        return np.uint16(sign | np.uint32(0x7C00))
    if size < 2.0**-14:  # subnormal: a multiple of 2**-24; a carry gives the first normal number
        return np.uint16(sign | np.uint32(rint(size * 2.0**24)))
    bits = np.uint64(float64_bits(size))
    exponent = (bits >> np.uint64(52)) - np.uint64(1008)
    fraction = (bits >> np.uint64(42)) & np.uint64(1023)
    rest = bits & np.uint64(0x3FFFFFFFFFF)
    half = np.uint64(0x20000000000)
    up = rest > half or (rest == half and (fraction & np.uint64(1)) == np.uint64(1))
    whole = (exponent << np.uint64(10)) + fraction + (np.uint64(1) if up else np.uint64(0))
    return np.uint16(sign | np.uint32(whole))
