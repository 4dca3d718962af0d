"""float16 in memory and float32 in registers, by integers, where the hardware does not convert.

Plain SSE2 has no such instructions, and the C library's functions are not everywhere. Both
directions are a few operations on whole vectors, after F. Giesen's "half_to_float_fast5" and
"float_to_half_fast3_rtne" (2012), and exact: every float16 is a float32, and the other way rounds
to the nearest, ties to even.
"""

from __future__ import annotations

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value

__all__ = ["narrowed_half", "widened_half"]

EXPONENT_SHIFT = 112
"""Difference of the two formats' exponents."""
INFINITE = 0x7F800000
"""The exponent of infinity and NaN in float32."""
LARGE = (EXPONENT_SHIFT + 31) << 23
"""Bits of 65536, the first power of two that is no float16."""
NORMAL = (EXPONENT_SHIFT + 1) << 23
"""Bits of 2**-14, the smallest normal float16."""
HALF = 126 << 23
"""Bits of 0.5, whose ulp in float32 is that of float16's subnormal numbers."""


def widened_half(b: Builder, v: Value) -> Value:
    """The f32 of a float16 that stands in an i16."""
    wide = b.convert("zext", v, "i32")
    # The multiplication moves the exponent, and makes subnormal numbers normal.
    moved = b.bits(b.bits((wide & 0x7FFF) << 13) * 2.0**EXPONENT_SHIFT)
    magnitude = b.select(moved.cmp("uge", LARGE), moved | INFINITE, moved)
    return b.bits(magnitude | ((wide & 0x8000) << 16))


def narrowed_half(b: Builder, v: Value) -> Value:
    """An f32 rounded to float16, as an i16."""
    bits = b.bits(v)
    sign = b.bitwise("lshr", bits, 16) & 0x8000
    magnitude = bits & 0x7FFFFFFF
    odd = b.bitwise("lshr", magnitude, 13) & 1
    normal = b.bitwise("lshr", magnitude + (0xFFF - (EXPONENT_SHIFT << 23)) + odd, 13)
    small = b.bits(b.bits(magnitude) + 0.5) - HALF  # the sum rounds as a subnormal number does
    quiet = b.bitwise("lshr", magnitude, 13) & 0x3FF | 0x7E00
    special = b.select(magnitude.cmp("ugt", INFINITE), quiet, 0x7C00)
    found = b.select(magnitude.cmp("ult", NORMAL), small, normal)
    found = b.select(magnitude.cmp("uge", LARGE), special, found)
    return b.convert("trunc", found | sign, "i16")
