"""Functions of a complex variable, by their real and imaginary parts.

Inverse functions follow W. Kahan, "Branch cuts for complex elementary functions" (1987): the signs
of zeros choose the side of a branch cut, as in C99 and NumPy.
"""

from __future__ import annotations

import math

import numpy as np

from fxla.core.dtypes import real_dtype
from fxla.core.trace import Value, typeof
from fxla.ops import elementwise as ops

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cosh",
    "exp2",
    "expm1",
    "less",
    "log1p",
    "log2",
    "log10",
    "maximum",
    "minimum",
    "not_a_number",
    "reciprocal",
    "rint",
    "sign",
    "sinh",
    "tan",
]


def _parts(z: Value) -> tuple[Value, Value]:
    return ops.real(z), ops.imag(z)


def _times_i(z: Value) -> Value:
    x, y = _parts(z)
    return ops.complex_(ops.neg(y), x)


def _times_minus_i(z: Value) -> Value:
    x, y = _parts(z)
    return ops.complex_(y, ops.neg(x))


def sinh(z: Value) -> Value:
    """Hyperbolic sine: sinh x cos y + i cosh x sin y."""
    x, y = _parts(z)
    return ops.complex_(
        ops.mul(ops.sinh(x), ops.cos(y)),
        ops.mul(ops.cosh(x), ops.sin(y)),
    )


def cosh(z: Value) -> Value:
    """Hyperbolic cosine: cosh x cos y + i sinh x sin y."""
    x, y = _parts(z)
    return ops.complex_(
        ops.mul(ops.cosh(x), ops.cos(y)),
        ops.mul(ops.sinh(x), ops.sin(y)),
    )


def tan(z: Value) -> Value:
    """tan z = -i tanh(iz)."""
    return _times_minus_i(ops.tanh(_times_i(z)))


def exp2(z: Value) -> Value:
    """exp(z ln 2)."""
    return ops.exp(ops.mul(z, math.log(2)))


def expm1(z: Value) -> Value:
    """e**z - 1 without cancellation.

    The real part is ``expm1(x) cos y - 2 sin(y/2)**2``, the imaginary part ``exp(x) sin y``.
    """
    x, y = _parts(z)
    half = ops.sin(ops.mul(y, 0.5))
    real = ops.sub(ops.mul(ops.expm1(x), ops.cos(y)), ops.mul(ops.mul(half, half), 2.0))
    return ops.complex_(real, ops.mul(ops.exp(x), ops.sin(y)))


def log1p(z: Value) -> Value:
    """log(1 + z)."""
    x, y = _parts(z)
    return ops.log(ops.complex_(ops.add(x, 1.0), y))


def log2(z: Value) -> Value:
    """log(z) / log(2)."""
    return _scaled(ops.log(z), 1 / math.log(2))


def log10(z: Value) -> Value:
    """log(z) / log(10)."""
    return _scaled(ops.log(z), 1 / math.log(10))


def _scaled(z: Value, factor: float) -> Value:
    x, y = _parts(z)
    return ops.complex_(ops.mul(x, factor), ops.mul(y, factor))


def _roots(z: Value) -> tuple[Value, Value]:
    """sqrt(1 - z) and sqrt(1 + z), with the signs of zeros that Kahan's formulas need."""
    x, y = _parts(z)
    below = ops.sqrt(ops.complex_(ops.sub(1.0, x), ops.neg(y)))
    return below, ops.sqrt(ops.complex_(ops.add(x, 1.0), y))


def _asinh(x: Value) -> Value:
    return ops.asinh_p.bind1(x)


def _atan2(y: Value, x: Value) -> Value:
    return ops.atan2_p.bind1(y, x)


def arcsin(z: Value) -> Value:
    """Inverse sine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = _atan2(ops.real(z), ops.sub(ops.mul(a, c), ops.mul(b, d)))
    return ops.complex_(real, _asinh(ops.sub(ops.mul(a, d), ops.mul(b, c))))


def arccos(z: Value) -> Value:
    """Inverse cosine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = ops.mul(_atan2(a, c), 2.0)
    return ops.complex_(real, _asinh(ops.sub(ops.mul(c, b), ops.mul(d, a))))


def arcsinh(z: Value) -> Value:
    """Inverse hyperbolic sine: i arcsin(-iz)."""
    return _times_i(arcsin(_times_minus_i(z)))


def arccosh(z: Value) -> Value:
    """Inverse hyperbolic cosine."""
    x, y = _parts(z)
    a, b = _parts(ops.sqrt(ops.complex_(ops.sub(x, 1.0), y)))
    c, d = _parts(ops.sqrt(ops.complex_(ops.add(x, 1.0), y)))
    real = _asinh(ops.add(ops.mul(a, c), ops.mul(b, d)))
    return ops.complex_(real, ops.mul(_atan2(b, c), 2.0))


def arctanh(z: Value) -> Value:
    """Inverse hyperbolic tangent."""
    x, y = _parts(z)
    away = ops.sub(1.0, x)
    square = ops.mul(y, y)
    ratio = ops.div(ops.mul(x, 4.0), ops.add(ops.mul(away, away), square))
    imag = _atan2(ops.mul(y, 2.0), ops.sub(ops.mul(away, ops.add(x, 1.0)), square))
    return ops.complex_(ops.mul(ops.log1p(ratio), 0.25), ops.mul(imag, 0.5))


def arctan(z: Value) -> Value:
    """Inverse tangent: -i arctanh(iz)."""
    return _times_minus_i(arctanh(_times_i(z)))


def sign(z: Value) -> Value:
    """z / abs(z), and 0 at 0."""
    size = ops.abs_(z)
    dtype = real_dtype(typeof(z).dtype)
    safe = ops.select_like(ops.eq(size, 0.0), np.ones((), dtype)[()], size)
    x, y = _parts(z)
    return ops.complex_(ops.div(x, safe), ops.div(y, safe))


def reciprocal(z: Value) -> Value:
    """1 / z."""
    return ops.div(np.ones((), typeof(z).dtype)[()], z)


def rint(z: Value) -> Value:
    """Both parts rounded."""
    x, y = _parts(z)
    return ops.complex_(ops.rint_p.bind1(x), ops.rint_p.bind1(y))


def not_a_number(z: Value) -> Value:
    """Whether a part is NaN."""
    x, y = _parts(z)
    return ops.or_(ops.ne(x, x), ops.ne(y, y))


def less(z: Value, w: Value) -> Value:
    """Lexicographic order, as NumPy sorts complex numbers."""
    (x, y), (u, v) = _parts(z), _parts(w)
    return ops.or_(ops.lt(x, u), ops.and_(ops.eq(x, u), ops.lt(y, v)))


def maximum(z: Value, w: Value) -> Value:
    """The later in lexicographic order; the first NaN if there is one."""
    first = ops.or_(not_a_number(z), ops.and_(ops.not_(not_a_number(w)), ops.not_(less(z, w))))
    return ops.select_like(first, z, w)


def minimum(z: Value, w: Value) -> Value:
    """The earlier in lexicographic order; the first NaN if there is one."""
    first = ops.or_(not_a_number(z), ops.and_(ops.not_(not_a_number(w)), ops.not_(less(w, z))))
    return ops.select_like(first, z, w)
