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
    """Hyperbolic sine: -i sin(iz)."""
    return _times_minus_i(ops.sin(_times_i(z)))


def cosh(z: Value) -> Value:
    """Hyperbolic cosine: cos(iz)."""
    return ops.cos(_times_i(z))


def tan(z: Value) -> Value:
    """tan z = -i tanh(iz)."""
    return _times_minus_i(ops.tanh(_times_i(z)))


def exp2(z: Value) -> Value:
    """exp(z ln 2)."""
    return ops.exp(_scaled(z, math.log(2)))


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


def _signed(size: float, like: Value) -> Value:
    """A number with the sign of each element."""
    return ops.copysign(np.asarray(size, typeof(like).dtype)[()], like)


def _full(size: float, like: Value) -> Value:
    """A positive number for each element."""
    return ops.abs_(_signed(size, like))


def _where_infinite(z: Value) -> tuple[Value, Value, Value]:
    """Where a part is infinite, and the parts there; 1 elsewhere, where derivatives are finite."""
    x, y = _parts(z)
    infinite = ops.or_(ops.isinf_p.bind1(x), ops.isinf_p.bind1(y))
    one = np.ones((), typeof(x).dtype)[()]
    return infinite, ops.select_like(infinite, x, one), ops.select_like(infinite, y, one)


def _with_real_zero(z: Value, out: Value) -> Value:
    """The result with the real part of z where that is 0 and the other is NaN."""
    x, y = _parts(z)
    stays = ops.and_(ops.eq(x, 0.0), ops.ne(y, y))
    return ops.select_like(stays, ops.complex_(x, y), out)


def arcsin(z: Value) -> Value:
    """Inverse sine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = _atan2(ops.real(z), ops.sub(ops.mul(a, c), ops.mul(b, d)))
    out = ops.complex_(real, _asinh(ops.sub(ops.mul(a, d), ops.mul(b, c))))
    infinite, x, y = _where_infinite(z)
    turn = ops.copysign(_atan2(ops.abs_(x), ops.abs_(y)), x)
    out = ops.select_like(infinite, ops.complex_(turn, _signed(math.inf, y)), out)
    return _with_real_zero(z, out)


def arccos(z: Value) -> Value:
    """Inverse cosine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = ops.mul(_atan2(a, c), 2.0)
    out = ops.complex_(real, _asinh(ops.sub(ops.mul(c, b), ops.mul(d, a))))
    infinite, x, y = _where_infinite(z)
    turn = _atan2(ops.abs_(y), x)
    out = ops.select_like(infinite, ops.complex_(turn, ops.neg(_signed(math.inf, y))), out)
    x, y = _parts(z)
    unknown = ops.and_(ops.eq(x, 0.0), ops.ne(y, y))
    return ops.select_like(unknown, ops.complex_(_full(math.pi / 2, x), y), out)


def arcsinh(z: Value) -> Value:
    """Inverse hyperbolic sine: i arcsin(-iz)."""
    return _times_i(arcsin(_times_minus_i(z)))


def arccosh(z: Value) -> Value:
    """Inverse hyperbolic cosine."""
    x, y = _parts(z)
    a, b = _parts(ops.sqrt(ops.complex_(ops.sub(x, 1.0), y)))
    c, d = _parts(ops.sqrt(ops.complex_(ops.add(x, 1.0), y)))
    real = _asinh(ops.add(ops.mul(a, c), ops.mul(b, d)))
    out = ops.complex_(real, ops.mul(_atan2(b, c), 2.0))
    infinite, x, y = _where_infinite(z)
    endless = ops.complex_(ops.abs_(_signed(math.inf, y)), _atan2(y, x))
    out = ops.select_like(infinite, endless, out)
    x, y = _parts(z)
    unknown = ops.and_(ops.eq(x, 0.0), ops.ne(y, y))
    return ops.select_like(unknown, ops.complex_(y, _full(math.pi / 2, x)), out)


def arctanh(z: Value) -> Value:
    """Inverse hyperbolic tangent."""
    x, y = _parts(z)
    away = ops.sub(1.0, x)
    square = ops.mul(y, y)
    ratio = ops.div(ops.mul(x, 4.0), ops.add(ops.mul(away, away), square))
    imag = _atan2(ops.mul(y, 2.0), ops.sub(ops.mul(away, ops.add(x, 1.0)), square))
    out = ops.complex_(ops.mul(ops.log1p(ratio), 0.25), ops.mul(imag, 0.5))
    infinite, x, y = _where_infinite(z)
    turn = ops.select_like(ops.ne(y, y), y, _signed(math.pi / 2, y))
    out = ops.select_like(infinite, ops.complex_(_signed(0.0, x), turn), out)
    return _with_real_zero(z, out)


def arctan(z: Value) -> Value:
    """Inverse tangent: -i arctanh(iz)."""
    return _times_minus_i(arctanh(_times_i(z)))


def sign(z: Value) -> Value:
    """z / abs(z), and 0 at 0; one infinite part is a direction, two are none."""
    size = ops.abs_(z)
    one = np.ones((), real_dtype(typeof(z).dtype))[()]
    nothing = ops.eq(size, 0.0)
    safe = ops.select_like(nothing, one, size)
    x, y = _parts(z)
    out = ops.complex_(ops.div(x, safe), ops.div(y, safe))
    none = np.zeros((), typeof(x).dtype)[()]
    out = ops.select_like(nothing, np.zeros((), typeof(z).dtype)[()], out)
    ahead, aside = ops.isinf_p.bind1(x), ops.isinf_p.bind1(y)
    real = ops.select_like(ahead, _signed(1.0, x), none)
    imag = ops.select_like(ahead, none, _signed(1.0, y))
    return ops.select_like(ops.ne(ahead, aside), ops.complex_(real, imag), out)


def reciprocal(z: Value) -> Value:
    """1 / z by Smith's method; the signs of zeros are NumPy's."""
    x, y = _parts(z)
    straight = ops.ge(ops.abs_(x), ops.abs_(y))
    large, small = ops.select_like(straight, x, y), ops.select_like(straight, y, x)
    ratio = ops.div(small, large)
    scale = ops.div(1.0, ops.add(large, ops.mul(small, ratio)))
    tilted = ops.mul(ratio, scale)
    return ops.complex_(
        ops.select_like(straight, scale, tilted),
        ops.neg(ops.select_like(straight, tilted, scale)),
    )


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
    ordered = ops.and_(ops.eq(y, y), ops.eq(v, v))
    return ops.or_(ops.and_(ops.lt(x, u), ordered), ops.and_(ops.eq(x, u), ops.lt(y, v)))


def maximum(z: Value, w: Value) -> Value:
    """The later in lexicographic order; the first NaN if there is one."""
    first = ops.or_(not_a_number(z), ops.and_(ops.not_(not_a_number(w)), ops.not_(less(z, w))))
    return ops.select_like(first, z, w)


def minimum(z: Value, w: Value) -> Value:
    """The earlier in lexicographic order; the first NaN if there is one."""
    first = ops.or_(not_a_number(z), ops.and_(ops.not_(not_a_number(w)), ops.not_(less(w, z))))
    return ops.select_like(first, z, w)
