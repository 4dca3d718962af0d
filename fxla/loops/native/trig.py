"""Circular functions and their inverses, for scalars and vectors alike.

Arguments are reduced by a multiple of pi (or pi/2) in three or four parts (Cody and Waite). Beyond
the range where that is exact, the C library computes all lanes; this is a branch that ordinary
arguments do not take. Accuracies stand in `fxla.loops.native.math`.
"""

from __future__ import annotations

import math

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import BITS, Value
from fxla.loops.native.math import clamp, horner

__all__ = ["acos", "asin", "atan", "atan2", "cos", "sin", "tan"]

_PI32 = (3.140625, 9.670257568359375e-4, 6.2771141529083251953e-07, 1.2154201256553420762e-10)
_PI64 = (
    3.1415926218032836914,
    3.1786509424591713469e-08,
    1.2246467864107188502e-16,
    1.2736634327021899816e-24,
)


def _reduced(b: Builder, x: Value, n: Value, scale: float) -> Value:
    """``x - n * pi * scale``."""
    for part in _PI32 if x.type == "f32" else _PI64:
        x = b.fma(n, -part * scale, x)
    return x


def _within(b: Builder, x: Value, symbol: str, limit32: float, limit64: float, y: Value) -> Value:
    """`y` unless some lane's argument is too large: then the C library's answer."""
    f32 = x.type == "f32"
    large = b.any(b.abs(x).cmp("ogt", limit32 if f32 else limit64))
    name = symbol + ("f" if f32 else "")
    return b.branch(large, lambda: [b.call(name, x.type, x)], lambda: [y])[0]


def _parity(b: Builder, n: Value) -> Value:
    """The sign bit, set where the whole number n is odd."""
    integer = "i32" if n.type == "f32" else "i64"
    return b.convert("fptosi", n, integer) << (BITS[integer] - 1)


# ----------------------------------------------------------------- sin and cos

_SIN32 = [2.6083159809786593541503e-06, -0.0001981069071916863322258, 0.00833307858556509017944336]
_SIN32 += [-0.166666597127914428710938]
_SIN64 = [-7.97255955009037868891952e-18, 2.81009972710863200091251e-15]
_SIN64 += [-7.64712219118158833288484e-13, 1.60590430605664501629054e-10]
_SIN64 += [-2.50521083763502045810755e-08, 2.75573192239198747630416e-06]
_SIN64 += [-0.000198412698412696162806809, 0.00833333333333332974823815]
_SIN64 += [-0.166666666666666657414808]


def _sine(b: Builder, x: Value, n: Value, flip: Value) -> Value:
    """The sine of ``x - n * pi``, its sign flipped by the sign bit of `flip`."""
    r = _reduced(b, x, n, 1.0)
    z = r * r
    y = b.fma(horner(b, z, _SIN32 if x.type == "f32" else _SIN64) * z, r, r)
    if x.type == "f32":
        y = clamp(b, y, -1.0, 1.0)
    return b.bits(b.bits(y) ^ flip)


def sin(b: Builder, x: Value) -> Value:
    """The sine."""
    n = b.intrinsic("roundeven", x * (1 / math.pi))
    y = b.select(x.cmp("oeq", 0), x, _sine(b, x, n, _parity(b, n)))
    return _within(b, x, "sin", 3e4, 1e7, y)


def cos(b: Builder, x: Value) -> Value:
    """The cosine."""
    n = b.intrinsic("roundeven", b.fma(x, 1 / math.pi, -0.5))
    least = -(1 << (BITS[b.bits(x).type] - 1))
    y = _sine(b, x, n + 0.5, _parity(b, n) ^ least)
    return _within(b, x, "cos", 3e4, 1e7, y)


# ------------------------------------------------------------------------ tan

_TAN32 = [9.38540185543e-3, 3.11992232697e-3, 2.44301354525e-2, 5.34112807005e-2]
_TAN32 += [1.33387994085e-1, 3.33331568548e-1]
_TAN64_P = [-1.30936939181383734205e4, 1.15351664838587416140e6, -1.79565251976484877988e7]
_TAN64_Q = [1.0, 1.36812963470692954678e4, -1.32089234440210967447e6, 2.50083801823357915839e7]
_TAN64_Q += [-5.38695755929454629881e7]


def tan(b: Builder, x: Value) -> Value:
    """The tangent."""
    n = b.intrinsic("roundeven", x * (2 / math.pi))
    r = _reduced(b, x, n, 0.5)
    z = r * r
    if x.type == "f32":
        p = horner(b, z, _TAN32)
    else:
        p = horner(b, z, _TAN64_P) / horner(b, z, _TAN64_Q)
    y = b.fma(p * z, r, r)
    y = b.select(_parity(b, n).cmp("ne", 0), -1.0 / y, y)
    y = b.select(x.cmp("oeq", 0), x, y)
    return _within(b, x, "tan", 1.5e4, 5e6, y)


# ------------------------------------------------------------------- inverses

_ATAN32 = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]
_ATAN64_P = [-8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1]
_ATAN64_P += [-1.228866684490136173410e2, -6.485021904942025371773e1]
_ATAN64_Q = [1.0, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2]
_ATAN64_Q += [4.853903996359136964868e2, 1.945506571482613964425e2]
_PI_LOW = 1.2246467991473532e-16


def _angle(b: Builder, y: Value, x: Value) -> Value:
    """``atan(y / x)`` in the first quadrant, x and y not negative, not both zero or infinite."""
    steep = y.cmp("ogt", x)
    small, large = b.select(steep, x, y), b.select(steep, y, x)
    middle = small.cmp("ogt", large * 0.4142135623730950)
    q = b.select(middle, small - large, small) / b.select(middle, small + large, large)
    z = q * q
    if x.type == "f32":
        p = horner(b, z, _ATAN32)
    else:
        p = horner(b, z, _ATAN64_P) / horner(b, z, _ATAN64_Q)
    a = b.fma(p * z, q, q)
    a = b.select(middle, (a + _PI_LOW / 4) + math.pi / 4, a)
    return b.select(steep, math.pi / 2 - (a - _PI_LOW / 2), a)


def atan(b: Builder, x: Value) -> Value:
    """The inverse tangent."""
    one = b.constant(1.0, x.type, x.width)
    return b.intrinsic("copysign", _angle(b, b.abs(x), one), x)


def atan2(b: Builder, y: Value, x: Value) -> Value:
    """The angle of the point (x, y)."""
    ax, ay = b.abs(x), b.abs(y)
    one = b.constant(1.0, x.type, x.width)
    huge = 1e38 if x.type == "f32" else 1e307
    shrink = b.select(ax.cmp("ogt", huge) | ay.cmp("ogt", huge), b.constant(0.25, x.type), one)
    both = b.bits(ax).cmp("eq", b.bits(ay))  # also zeros and infinities
    u = b.select(both, one, ax * shrink)
    v = b.select(both, one, ay * shrink)
    a = _angle(b, v, u)
    a = b.select(both & ax.cmp("oeq", 0), b.constant(0.0, x.type, x.width), a)
    a = b.select(b.bits(x).cmp("slt", 0), math.pi - (a - _PI_LOW), a)
    a = b.intrinsic("copysign", a, y)
    return b.select(x.cmp("uno", y), x + y, a)


_ASIN32 = [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1]
_ASIN64_P = [3.47933107596021167570e-05, 7.91534994289814532176e-04, -4.00555345006794114027e-02]
_ASIN64_P += [2.01212532134862925881e-01, -3.25565818622400915405e-01]
_ASIN64_P += [1.66666666666666657415e-01]
_ASIN64_Q = [7.70381505559019352791e-02, -6.88283971605453293030e-01, 2.02094576023350569471]
_ASIN64_Q += [-2.40339491173441421878, 1.0]


def _half_arc(b: Builder, x: Value) -> tuple[Value, Value]:
    """``asin(|x|)`` up to 1/2; beyond, ``asin(sqrt((1 - |x|) / 2))``; and where it is beyond."""
    a = b.abs(x)
    beyond = a.cmp("ogt", 0.5)
    z = b.select(beyond, (1.0 - a) * 0.5, a * a)
    s = b.select(beyond, b.intrinsic("sqrt", z), a)
    if x.type == "f32":
        p = horner(b, z, _ASIN32)
    else:
        p = horner(b, z, _ASIN64_P) / horner(b, z, _ASIN64_Q)
    return b.fma(p * z, s, s), beyond


def asin(b: Builder, x: Value) -> Value:
    """The inverse sine; NaN outside -1 to 1."""
    p, beyond = _half_arc(b, x)
    y = b.select(beyond, math.pi / 2 - (p * 2.0 - _PI_LOW / 2), p)
    return b.intrinsic("copysign", y, x)


def acos(b: Builder, x: Value) -> Value:
    """The inverse cosine; NaN outside -1 to 1."""
    p, beyond = _half_arc(b, x)
    double = p * 2.0
    far = b.select(x.cmp("olt", 0), math.pi - (double - _PI_LOW), double)
    near = math.pi / 2 - (b.intrinsic("copysign", p, x) - _PI_LOW / 2)
    return b.select(beyond, far, near)
