"""Scalar functions that generated kernels call, in the Python that every target understands.

The same source runs in plain Python, under ``numba.njit``, under ``numba.cuda.jit(device=True)``
and in the CUDA simulator. So these functions use only arithmetic, ``math``, other functions of this
file, and the few that a target provides itself: the bits of a float, rounding to an integral float
and ``fmod`` (`TARGET_FUNCTIONS`). In plain Python ``math`` is `numpy_math`, whose functions neither
raise nor lose the dtype, and ``np`` is `wrapping_np`.

Arguments are of one dtype. A result may come in a wider one; the printer casts it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.special

__all__ = ["PRELUDE", "TARGET_FUNCTIONS", "bind_prelude", "numpy_math", "plain_functions"]

Scalar = Any


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


# -- powers and exponentials -----------------------------------------------------------------------


def int_power(x: Scalar, n: Scalar) -> Scalar:
    """``x ** n`` modulo the width; of a negative exponent the integral part of the reciprocal."""
    if n < 0:
        if x == 1:
            return x
        if x == -1:
            return x if n & 1 else 0 - x
        return x * 0
    result = x * 0 + 1
    base = x
    while n > 0:
        if n & 1:
            result = result * base
        base = base * base
        n = n >> 1
    return result


def uint_power(x: Scalar, n: Scalar) -> Scalar:
    """``x ** n`` modulo 2**64, of uint64."""
    result = np.uint64(1)
    base = x
    while n > np.uint64(0):
        if n & np.uint64(1) != np.uint64(0):
            result = result * base
        base = base * base
        n = n >> np.uint64(1)
    return result


def cbrt(x: Scalar) -> Scalar:
    """Cube root of a float64: a power, and a step of Newton's method for its last bits."""
    size = abs(x)
    if size == 0 or size != size or size == math.inf:
        return x
    root = math.pow(size, 1.0 / 3.0)
    return math.copysign(root - (root - size / (root * root)) / 3.0, x)


def logistic(x: Scalar) -> Scalar:
    """``1 / (1 + exp(-x))`` without overflow."""
    e = math.exp(-abs(x))
    return 1 / (1 + e) if x >= 0 else e / (1 + e)


# -- special functions -----------------------------------------------------------------------------


def lgamma(x: Scalar) -> Scalar:
    """Logarithm of the absolute value of the gamma function; -inf of -inf, as SciPy has it."""
    if x <= 0 and floor(x) == x:
        return -math.inf if x == -math.inf else math.inf
    return math.lgamma(x)


def digamma(x: Scalar) -> Scalar:
    """Derivative of `lgamma`, of a float64.

    Recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18); reflection for
    negative arguments. Near the root at 1.46 a Taylor series keeps the relative error small.
    """
    if x == 0:
        return math.copysign(math.inf, -x)
    if x < 0 and floor(x) == x:
        return math.nan
    shift = 0.0
    if x < 0:
        shift = -math.pi / math.tan(math.pi * (x - rint(x)))  # tan has period pi
        x = 1.0 - x
    if abs(x - 1.4616321449683623) < 0.1:
        return shift + digamma_near_root(x)
    while x < 10.0:
        shift = shift - 1.0 / x
        x = x + 1.0
    if x == math.inf:
        return x
    z = 1.0 / (x * x)
    series = z * (
        1.0 / 12.0
        - z
        * (
            1.0 / 120.0
            - z
            * (
                1.0 / 252.0
                - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z * (1.0 / 12.0))))
            )
        )
    )
    return shift + math.log(x) - 0.5 / x - series


def digamma_near_root(x: Scalar) -> Scalar:
    """`digamma` within 0.1 of its positive root: the Taylor series there, by Horner's rule."""
    d = (x - 1.4616321449683622) - 9.549995429965697e-17
    s = -0.003369801655439328
    s = s * d + 0.004926781395729853
    s = s * d - 0.007204534386356869
    s = s * d + 0.010538791616612175
    s = s * d - 0.01542476590494896
    s = s * d + 0.022597648232218104
    s = s * d - 0.03316112647484736
    s = s * d + 0.04880428816414311
    s = s * d - 0.07219956125645471
    s = s * d + 0.10782405069126237
    s = s * d - 0.16394270544240652
    s = s * d + 0.258499760955651
    s = s * d - 0.4427631689835921
    s = s * d + 0.9676722454476212
    return s * d


def erfinv(x: Scalar) -> Scalar:
    """Inverse of the error function, of a float64.

    Wichura's algorithm AS 241 (Applied Statistics 37, 1988) for the normal quantile, scaled.
    """
    q = 0.5 * x
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = 2.5090809287301226727e3
        num = num * r + 3.3430575583588128105e4
        num = num * r + 6.7265770927008700853e4
        num = num * r + 4.5921953931549871457e4
        num = num * r + 1.3731693765509461125e4
        num = num * r + 1.9715909503065514427e3
        num = num * r + 1.3314166789178437745e2
        num = num * r + 3.3871328727963666080e0
        den = 5.2264952788528545610e3
        den = den * r + 2.8729085735721942674e4
        den = den * r + 3.9307895800092710610e4
        den = den * r + 2.1213794301586595867e4
        den = den * r + 5.3941960214247511077e3
        den = den * r + 6.8718700749205790830e2
        den = den * r + 4.2313330701600911252e1
        den = den * r + 1.0
        return q * num / den * 0.7071067811865476
    tail = 0.5 - abs(q)
    if tail <= 0.0:
        return math.copysign(math.inf, x) if tail == 0.0 else math.nan
    if x != x:
        return x
    r = math.sqrt(-math.log(tail))
    if r <= 5.0:
        r = r - 1.6
        num = 7.74545014278341407640e-4
        num = num * r + 2.27238449892691845833e-2
        num = num * r + 2.41780725177450611770e-1
        num = num * r + 1.27045825245236838258e0
        num = num * r + 3.64784832476320460504e0
        num = num * r + 5.76949722146069140550e0
        num = num * r + 4.63033784615654529590e0
        num = num * r + 1.42343711074968357734e0
        den = 1.05075007164441684324e-9
        den = den * r + 5.47593808499534494600e-4
        den = den * r + 1.51986665636164571966e-2
        den = den * r + 1.48103976427480074590e-1
        den = den * r + 6.89767334985100004550e-1
        den = den * r + 1.67638483018380384940e0
        den = den * r + 2.05319162663775882187e0
        den = den * r + 1.0
    else:
        r = r - 5.0
        num = 2.01033439929228813265e-7
        num = num * r + 2.71155556874348757815e-5
        num = num * r + 1.24266094738807843860e-3
        num = num * r + 2.65321895265761230930e-2
        num = num * r + 2.96560571828504891230e-1
        num = num * r + 1.78482653991729133580e0
        num = num * r + 5.46378491116411436990e0
        num = num * r + 6.65790464350110377720e0
        den = 2.04426310338993978564e-15
        den = den * r + 1.42151175831644588870e-7
        den = den * r + 1.84631831751005468180e-5
        den = den * r + 7.86869131145613259100e-4
        den = den * r + 1.48753612908506148525e-2
        den = den * r + 1.36929880922735805310e-1
        den = den * r + 5.99832206555887937690e-1
        den = den * r + 1.0
    return math.copysign(num / den * 0.7071067811865476, x)


# -- complex numbers -------------------------------------------------------------------------------


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
    if size == 0:  # also where the angle is infinite
        return complex(size, size)
    return complex(size * math.cos(z.imag), size * math.sin(z.imag))


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
    """Sine."""
    return complex(math.sin(z.real) * math.cosh(z.imag), math.cos(z.real) * math.sinh(z.imag))


def complex_cos(z: Scalar) -> Scalar:
    """Cosine."""
    return complex(math.cos(z.real) * math.cosh(z.imag), -math.sin(z.real) * math.sinh(z.imag))


def complex_tanh(z: Scalar) -> Scalar:
    """Hyperbolic tangent, by Kahan's formula, which does not overflow."""
    x = z.real
    if abs(x) > 22:  # tanh of the real part is 1 to the last bit
        e = math.exp(-2 * abs(x))
        tail = 4 * math.sin(z.imag) * math.cos(z.imag) * e
        return complex(math.copysign(1.0, x), tail)
    t = math.tan(z.imag)
    s = math.sinh(x)
    beta = 1 + t * t
    rho = math.sqrt(1 + s * s)
    if math.isinf(t):
        return complex(rho / s, 1 / t)
    scale = 1 + beta * s * s
    return complex(beta * rho * s / scale, t / scale)


def complex_power(x: Scalar, y: Scalar) -> Scalar:
    """Power: by multiplications for small integral exponents, else by logarithms, as NumPy does."""
    if y.real == 0 and y.imag == 0:
        return x * 0 + 1 if x == x and not math.isinf(abs(x)) else complex(1.0, 0.0)
    if x.real == 0 and x.imag == 0:
        return x if y.real > 0 else complex(math.nan, math.nan)
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


# -- the functions as each target sees them --------------------------------------------------------

TARGET_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        float32_bits,
        float32_from_bits,
        float64_bits,
        float64_from_bits,
        floor,
        ceil,
        trunc,
        rint,
        fmod,
        scratch,
    )
}
"""What a target provides itself; the values are plain Python's."""

PRELUDE: dict[str, Callable[..., Any]] = {
    name: f
    for name, f in list(globals().items())
    if isinstance(f, FunctionType) and f.__module__ == __name__ and name not in TARGET_FUNCTIONS
}
"""The functions of this file that every target compiles."""

numpy_math = SimpleNamespace(
    **{
        name: getattr(np, name)
        for name in (
            "copysign cos cosh exp exp2 expm1 hypot isfinite isinf isnan log log10 log1p log2 "
            "sin sinh sqrt tan tanh"
        ).split()
    },
    acos=np.arccos,
    acosh=np.arccosh,
    asin=np.arcsin,
    asinh=np.arcsinh,
    atan=np.arctan,
    atan2=np.arctan2,
    atanh=np.arctanh,
    pow=np.power,
    erf=scipy.special.erf,
    erfc=scipy.special.erfc,
    lgamma=scipy.special.gammaln,
    inf=math.inf,
    nan=math.nan,
    pi=math.pi,
)
"""``math`` for plain Python: NumPy's functions, which keep the dtype and raise nothing."""

wrapping_np = SimpleNamespace(
    float32=np.float32,
    float64=np.float64,
    complex64=np.complex64,
    complex128=np.complex128,
    **{
        name: WrappingCast(getattr(np, name))
        for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
    },
)
"""``np`` for plain Python: the dtypes, as conversions that wrap."""


def bind_prelude(
    wrap: Callable[[Callable[..., Any]], Any],
    provided: dict[str, Any],
    math_module: Any = math,
    np_module: Any = np,
) -> dict[str, Any]:
    """The functions of this file, each made by `wrap`, seeing each other and what is provided.

    Args:
        wrap: a target's decorator, such as ``numba.njit``.
        provided: the target's own `TARGET_FUNCTIONS`, and any others it does better itself.
        math_module: what ``math`` means.
        np_module: what ``np`` means.

    Returns:
        The names a generated kernel may use.
    """
    scope: dict[str, Any] = {"np": np_module, "math": math_module, "__name__": __name__, **provided}
    for name in PRELUDE.keys() - provided.keys():
        f = PRELUDE[name]
        scope[name] = wrap(FunctionType(f.__code__, scope, name))
    return scope


def plain_functions() -> dict[str, Any]:
    """The functions as plain Python runs them: with NumPy's floating-point semantics."""
    return bind_prelude(lambda f: f, TARGET_FUNCTIONS, numpy_math, wrapping_np)
