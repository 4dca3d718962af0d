"""Powers, exponentials and special functions: scalar Python for `fxla.loops.python.functions`."""

from __future__ import annotations

import math

import numpy as np

from fxla.loops.python.basics import Scalar, floor, rint

__all__ = [
    "cbrt",
    "digamma",
    "digamma_near_root",
    "erfinv",
    "int_power",
    "lgamma",
    "logistic",
    "uint_power",
]


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
