"""Functions of complex numbers, as scalar Python for `fxla.loops.python.functions`."""

from __future__ import annotations

import math

from fxla.loops.python.basics import Scalar

__all__ = [
    "complex_cos",
    "complex_divide",
    "complex_exp",
    "complex_log",
    "complex_power",
    "complex_sin",
    "complex_sqrt",
    "complex_tanh",
]


def complex_divide(x: Scalar, y: Scalar) -> Scalar:
    """Quotient by Smith's method, which does not overflow where the quotient does not."""
    a = abs(y.real)
    b = abs(y.imag)
    if a >= b:
        if a == 0 and b == 0:
            return complex(x.real / a, x.imag / a)
        ratio = y.imag / y.real
        scale = 1 / (y.real + y.imag * ratio)
        return complex((x.real + x.imag * ratio) * scale, (x.imag - x.real * ratio) * scale)
    ratio = y.real / y.imag
    scale = 1 / (y.imag + y.real * ratio)
    return complex((x.real * ratio + x.imag) * scale, (x.imag * ratio - x.real) * scale)


def complex_exp(z: Scalar) -> Scalar:
    """Exponential."""
    if z.imag == 0:
        return complex(math.exp(z.real), z.imag)
    size = math.exp(z.real)
    c = math.cos(z.imag)
    s = math.sin(z.imag)
    if c != c and math.isinf(z.real):  # the angle is not finite
        return complex(size, s if z.real > 0 else size)
    return complex(size * c, size * s)


def complex_log(z: Scalar) -> Scalar:
    """Principal logarithm, accurate near the unit circle too."""
    a = abs(z.real)
    b = abs(z.imag)
    if a < b:
        a, b = b, a
    if a > 0.5 and a < 2.0:
        size = 0.5 * math.log1p((a - 1) * (a + 1) + b * b)
    else:
        size = math.log(math.hypot(a, b))
    return complex(size, math.atan2(z.imag, z.real))


def complex_sqrt(z: Scalar) -> Scalar:
    """Principal square root, by Kahan's method: scaled, and without cancellation."""
    x = z.real
    y = z.imag
    if x == 0 and y == 0:
        return complex(abs(x), y)
    if math.isinf(y):
        return complex(abs(y), y)
    if math.isinf(x):
        nothing = y * 0
        if x > 0:
            return complex(x, math.copysign(nothing, y))
        return complex(abs(nothing), math.copysign(x, y))
    if abs(x) < 1 and abs(y) < 1:  # tiny ones are scaled up, the others down, by powers of two
        up = 2.0**54
        down = 2.0**-27
    else:
        up = 0.25
        down = 2.0
    a = abs(x) * up
    b = y * up
    root = math.sqrt(0.5 * (a + math.hypot(a, b)))
    other = 0.5 * abs(b) / root * down
    root = root * down
    if x >= 0:
        return complex(root, math.copysign(other, y))
    return complex(other, math.copysign(root, y))


def complex_sin(z: Scalar) -> Scalar:
    """Sine. What 0 and infinity do beside a NaN is C99's."""
    s = math.sinh(z.imag)
    c = math.cos(z.real)
    real = z.real if z.real == 0 else math.sin(z.real) * math.cosh(z.imag)
    imag = s if c != c and (s == 0 or math.isinf(z.imag)) else c * s
    return complex(real, imag)


def complex_cos(z: Scalar) -> Scalar:
    """Cosine. What 0 and infinity do beside a NaN is C99's."""
    c = math.cosh(z.imag)
    s = math.sinh(z.imag)
    cosine = math.cos(z.real)
    sine = math.sin(z.real)
    real = c if cosine != cosine and math.isinf(z.imag) else c * cosine
    if z.real == 0:
        return complex(real, -(z.real * math.copysign(1.0, s)))
    return complex(real, -s if sine != sine and s == 0 else -(sine * s))


def complex_tanh(z: Scalar) -> Scalar:
    """Hyperbolic tangent, by Kahan's formula, which does not overflow."""
    x = z.real
    if abs(x) > 22:  # tanh of the real part is 1 to the last bit
        e = math.exp(-2 * abs(x))
        tail = 4 * math.sin(z.imag) * math.cos(z.imag) * e
        if tail != tail:  # the angle is not finite
            if not math.isinf(x):
                return complex(tail, tail)
            tail = math.copysign(0.0, z.imag)
        return complex(math.copysign(1.0, x), tail)
    t = math.tan(z.imag)
    s = math.sinh(x)
    beta = 1 + t * t
    rho = math.sqrt(1 + s * s)
    if math.isinf(t):
        return complex(rho / s, 1 / t)
    scale = 1 + beta * s * s
    real = x if x == 0 and t != t else beta * rho * s / scale
    return complex(real, z.imag if z.imag == 0 else t / scale)


def complex_power(x: Scalar, y: Scalar) -> Scalar:
    """Power: by multiplications for small integral exponents, else by logarithms, as NumPy does."""
    if y.real == 0 and y.imag == 0:
        return x * 0 + 1 if x == x and not math.isinf(abs(x)) else complex(1.0, 0.0)
    if x.real == 0 and x.imag == 0:
        return x * 0 if y.real > 0 else complex(math.nan, math.nan)
    n = int(y.real) if abs(y.real) < 100 else 0
    if y.imag == 0 and n != 0 and n == y.real:
        base = x
        result = x * 0 + 1
        count = abs(n)
        while count > 0:
            if count & 1:
                result = result * base
            base = base * base
            count = count >> 1
        return complex_divide(x * 0 + 1, result) if n < 0 else result
    return complex_exp(y * complex_log(x))
