"""Functions of a complex variable, by their real and imaginary parts.

Inverse functions follow W. Kahan, "Branch cuts for complex elementary functions" (1987): the signs
of zeros choose the side of a branch cut, as in C99 and NumPy.
"""

from __future__ import annotations

import math

import numpy as np

from fxla.core.dtypes import real_dtype
from fxla.core.trace import Value, typeof
from fxla.ops import arithmetic, elementwise, logic, transcendental

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
    return arithmetic.real(z), arithmetic.imag(z)


def _times_i(z: Value) -> Value:
    x, y = _parts(z)
    return arithmetic.complex_(arithmetic.neg(y), x)


def _times_minus_i(z: Value) -> Value:
    x, y = _parts(z)
    return arithmetic.complex_(y, arithmetic.neg(x))


def sinh(z: Value) -> Value:
    """Hyperbolic sine: -i sin(iz)."""
    return _times_minus_i(transcendental.sin(_times_i(z)))


def cosh(z: Value) -> Value:
    """Hyperbolic cosine: cos(iz)."""
    return transcendental.cos(_times_i(z))


def tan(z: Value) -> Value:
    """tan z = -i tanh(iz)."""
    return _times_minus_i(transcendental.tanh(_times_i(z)))


def exp2(z: Value) -> Value:
    """exp(z ln 2)."""
    return transcendental.exp(_scaled(z, math.log(2)))


def expm1(z: Value) -> Value:
    """e**z - 1 without cancellation.

    The real part is ``expm1(x) cos y - 2 sin(y/2)**2``, the imaginary part ``exp(x) sin y``.
    """
    x, y = _parts(z)
    half = transcendental.sin(arithmetic.mul(y, 0.5))
    real = arithmetic.sub(
        arithmetic.mul(transcendental.expm1(x), transcendental.cos(y)),
        arithmetic.mul(arithmetic.mul(half, half), 2.0),
    )
    return arithmetic.complex_(real, arithmetic.mul(transcendental.exp(x), transcendental.sin(y)))


def log1p(z: Value) -> Value:
    """log(1 + z)."""
    x, y = _parts(z)
    return transcendental.log(arithmetic.complex_(elementwise.add(x, 1.0), y))


def log2(z: Value) -> Value:
    """log(z) / log(2)."""
    return _scaled(transcendental.log(z), 1 / math.log(2))


def log10(z: Value) -> Value:
    """log(z) / log(10)."""
    return _scaled(transcendental.log(z), 1 / math.log(10))


def _scaled(z: Value, factor: float) -> Value:
    x, y = _parts(z)
    return arithmetic.complex_(arithmetic.mul(x, factor), arithmetic.mul(y, factor))


def _roots(z: Value) -> tuple[Value, Value]:
    """sqrt(1 - z) and sqrt(1 + z), with the signs of zeros that Kahan's formulas need."""
    x, y = _parts(z)
    below = transcendental.sqrt(arithmetic.complex_(arithmetic.sub(1.0, x), arithmetic.neg(y)))
    return below, transcendental.sqrt(arithmetic.complex_(elementwise.add(x, 1.0), y))


def _asinh(x: Value) -> Value:
    return transcendental.asinh_p.bind1(x)


def _atan2(y: Value, x: Value) -> Value:
    return transcendental.atan2_p.bind1(y, x)


def _signed(size: float, like: Value) -> Value:
    """A number with the sign of each element."""
    return arithmetic.copysign(np.asarray(size, typeof(like).dtype)[()], like)


def _full(size: float, like: Value) -> Value:
    """A positive number for each element."""
    return arithmetic.abs_(_signed(size, like))


def _where_infinite(z: Value) -> tuple[Value, Value, Value]:
    """Where a part is infinite, and the parts there; 1 elsewhere, where derivatives are finite."""
    x, y = _parts(z)
    infinite = logic.or_(logic.isinf_p.bind1(x), logic.isinf_p.bind1(y))
    one = np.ones((), typeof(x).dtype)[()]
    return infinite, logic.select_like(infinite, x, one), logic.select_like(infinite, y, one)


def _with_real_zero(z: Value, out: Value) -> Value:
    """The result with the real part of z where that is 0 and the other is NaN."""
    x, y = _parts(z)
    stays = logic.and_(logic.eq(x, 0.0), logic.ne(y, y))
    return logic.select_like(stays, arithmetic.complex_(x, y), out)


def arcsin(z: Value) -> Value:
    """Inverse sine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = _atan2(arithmetic.real(z), arithmetic.sub(arithmetic.mul(a, c), arithmetic.mul(b, d)))
    out = arithmetic.complex_(
        real, _asinh(arithmetic.sub(arithmetic.mul(a, d), arithmetic.mul(b, c)))
    )
    infinite, x, y = _where_infinite(z)
    turn = arithmetic.copysign(_atan2(arithmetic.abs_(x), arithmetic.abs_(y)), x)
    out = logic.select_like(infinite, arithmetic.complex_(turn, _signed(math.inf, y)), out)
    return _with_real_zero(z, out)


def arccos(z: Value) -> Value:
    """Inverse cosine."""
    below, above = _roots(z)
    a, b = _parts(below)
    c, d = _parts(above)
    real = arithmetic.mul(_atan2(a, c), 2.0)
    out = arithmetic.complex_(
        real, _asinh(arithmetic.sub(arithmetic.mul(c, b), arithmetic.mul(d, a)))
    )
    infinite, x, y = _where_infinite(z)
    turn = _atan2(arithmetic.abs_(y), x)
    out = logic.select_like(
        infinite, arithmetic.complex_(turn, arithmetic.neg(_signed(math.inf, y))), out
    )
    x, y = _parts(z)
    unknown = logic.and_(logic.eq(x, 0.0), logic.ne(y, y))
    return logic.select_like(unknown, arithmetic.complex_(_full(math.pi / 2, x), y), out)


def arcsinh(z: Value) -> Value:
    """Inverse hyperbolic sine: i arcsin(-iz)."""
    return _times_i(arcsin(_times_minus_i(z)))


def arccosh(z: Value) -> Value:
    """Inverse hyperbolic cosine."""
    x, y = _parts(z)
    a, b = _parts(transcendental.sqrt(arithmetic.complex_(arithmetic.sub(x, 1.0), y)))
    c, d = _parts(transcendental.sqrt(arithmetic.complex_(elementwise.add(x, 1.0), y)))
    real = _asinh(elementwise.add(arithmetic.mul(a, c), arithmetic.mul(b, d)))
    out = arithmetic.complex_(real, arithmetic.mul(_atan2(b, c), 2.0))
    infinite, x, y = _where_infinite(z)
    endless = arithmetic.complex_(arithmetic.abs_(_signed(math.inf, y)), _atan2(y, x))
    out = logic.select_like(infinite, endless, out)
    x, y = _parts(z)
    unknown = logic.and_(logic.eq(x, 0.0), logic.ne(y, y))
    return logic.select_like(unknown, arithmetic.complex_(y, _full(math.pi / 2, x)), out)


def arctanh(z: Value) -> Value:
    """Inverse hyperbolic tangent."""
    x, y = _parts(z)
    away = arithmetic.sub(1.0, x)
    square = arithmetic.mul(y, y)
    ratio = arithmetic.div(
        arithmetic.mul(x, 4.0), elementwise.add(arithmetic.mul(away, away), square)
    )
    imag = _atan2(
        arithmetic.mul(y, 2.0),
        arithmetic.sub(arithmetic.mul(away, elementwise.add(x, 1.0)), square),
    )
    out = arithmetic.complex_(
        arithmetic.mul(transcendental.log1p(ratio), 0.25), arithmetic.mul(imag, 0.5)
    )
    infinite, x, y = _where_infinite(z)
    turn = logic.select_like(logic.ne(y, y), y, _signed(math.pi / 2, y))
    out = logic.select_like(infinite, arithmetic.complex_(_signed(0.0, x), turn), out)
    return _with_real_zero(z, out)


def arctan(z: Value) -> Value:
    """Inverse tangent: -i arctanh(iz)."""
    return _times_minus_i(arctanh(_times_i(z)))


def sign(z: Value) -> Value:
    """z / abs(z), and 0 at 0; one infinite part is a direction, two are none."""
    size = arithmetic.abs_(z)
    one = np.ones((), real_dtype(typeof(z).dtype))[()]
    nothing = logic.eq(size, 0.0)
    safe = logic.select_like(nothing, one, size)
    x, y = _parts(z)
    out = arithmetic.complex_(arithmetic.div(x, safe), arithmetic.div(y, safe))
    none = np.zeros((), typeof(x).dtype)[()]
    out = logic.select_like(nothing, np.zeros((), typeof(z).dtype)[()], out)
    ahead, aside = logic.isinf_p.bind1(x), logic.isinf_p.bind1(y)
    real = logic.select_like(ahead, _signed(1.0, x), none)
    imag = logic.select_like(ahead, none, _signed(1.0, y))
    return logic.select_like(logic.ne(ahead, aside), arithmetic.complex_(real, imag), out)


def reciprocal(z: Value) -> Value:
    """1 / z by Smith's method; the signs of zeros are NumPy's."""
    x, y = _parts(z)
    straight = logic.ge(arithmetic.abs_(x), arithmetic.abs_(y))
    large, small = logic.select_like(straight, x, y), logic.select_like(straight, y, x)
    ratio = arithmetic.div(small, large)
    scale = arithmetic.div(1.0, elementwise.add(large, arithmetic.mul(small, ratio)))
    tilted = arithmetic.mul(ratio, scale)
    return arithmetic.complex_(
        logic.select_like(straight, scale, tilted),
        arithmetic.neg(logic.select_like(straight, tilted, scale)),
    )


def rint(z: Value) -> Value:
    """Both parts rounded."""
    x, y = _parts(z)
    return arithmetic.complex_(arithmetic.rint_p.bind1(x), arithmetic.rint_p.bind1(y))


def not_a_number(z: Value) -> Value:
    """Whether a part is NaN."""
    x, y = _parts(z)
    return logic.or_(logic.ne(x, x), logic.ne(y, y))


def less(z: Value, w: Value) -> Value:
    """Lexicographic order, as NumPy sorts complex numbers."""
    (x, y), (u, v) = _parts(z), _parts(w)
    ordered = logic.and_(logic.eq(y, y), logic.eq(v, v))
    return logic.or_(
        logic.and_(logic.lt(x, u), ordered), logic.and_(logic.eq(x, u), logic.lt(y, v))
    )


def maximum(z: Value, w: Value) -> Value:
    """The later in lexicographic order; the first NaN if there is one."""
    first = logic.or_(
        not_a_number(z), logic.and_(logic.not_(not_a_number(w)), logic.not_(less(z, w)))
    )
    return logic.select_like(first, z, w)


def minimum(z: Value, w: Value) -> Value:
    """The earlier in lexicographic order; the first NaN if there is one."""
    first = logic.or_(
        not_a_number(z), logic.and_(logic.not_(not_a_number(w)), logic.not_(less(w, z)))
    )
    return logic.select_like(first, z, w)
