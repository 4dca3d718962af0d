"""Operations of complex numbers as expressions of real and imaginary parts.

The formulas are those of `fxla.loops.python.complex_numbers`, with selects in place of branches, so
that a vector of numbers takes one path. Products of parts are rounded before they are added
("product"): fused, ``z * conj(z)`` would have an imaginary part.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fxla.core.records import dataclass
from fxla.loops.ir import BOOL, DType, Expr
from fxla.loops.view import cast, compare, const, op, select

__all__ = ["COMPLEX_OPS", "Parts", "part_dtype"]


@dataclass(frozen=True, slots=True)
class Parts:
    """A complex number as two expressions of one floating dtype."""

    re: Expr
    im: Expr

    @property
    def dtype(self) -> DType:
        """Of each part."""
        return self.re.dtype

    def cast(self, dtype: DType) -> Parts:
        """Both parts converted."""
        return Parts(cast(self.re, dtype), cast(self.im, dtype))


def part_dtype(dtype: DType) -> DType:
    """The dtype of the parts of a complex dtype."""
    return np.dtype(f"f{dtype.itemsize // 2}")


def _f(name: str, *args: Expr) -> Expr:
    return op(name, args[0].dtype, *args)


def _c(value: float, like: Expr) -> Expr:
    return const(value, like.dtype)


def _and(a: Expr, b: Expr) -> Expr:
    return op("and", BOOL, a, b)


def _is(name: str, a: Expr, value: float) -> Expr:
    return compare(name, a, _c(value, a))


def _choose(condition: Expr, a: Parts, b: Parts) -> Parts:
    return Parts(select(condition, a.re, b.re), select(condition, a.im, b.im))


def _add(x: Parts, y: Parts) -> Parts:
    return Parts(_f("add", x.re, y.re), _f("add", x.im, y.im))


def _sub(x: Parts, y: Parts) -> Parts:
    return Parts(_f("sub", x.re, y.re), _f("sub", x.im, y.im))


def _mul(x: Parts, y: Parts) -> Parts:
    re = _f("sub", _f("product", x.re, y.re), _f("product", x.im, y.im))
    im = _f("add", _f("product", x.re, y.im), _f("product", x.im, y.re))
    return Parts(re, im)


def _div(x: Parts, y: Parts) -> Parts:
    """Smith's method, which does not overflow where the quotient does not."""
    a, b = _f("abs", y.re), _f("abs", y.im)
    straight = compare("ge", a, b)
    large, small = select(straight, y.re, y.im), select(straight, y.im, y.re)
    u, v = select(straight, x.re, x.im), select(straight, x.im, x.re)
    ratio = _f("div", small, large)
    scale = _f("div", _c(1, a), _f("add", large, _f("mul", small, ratio)))
    re = _f("mul", _f("add", u, _f("product", v, ratio)), scale)
    part = _f("product", u, ratio)
    im = _f("mul", select(straight, _f("sub", v, part), _f("sub", part, v)), scale)
    zero = _and(_is("eq", a, 0), _is("eq", b, 0))
    return _choose(zero, Parts(_f("div", x.re, a), _f("div", x.im, a)), Parts(re, im))


def _exp(z: Parts) -> Parts:
    size = _f("exp", z.re)
    c, s = _f("cos", z.im), _f("sin", z.im)
    angle_is_finite = compare("eq", c, c)
    turned = Parts(_f("mul", size, c), _f("mul", size, s))
    endless = Parts(size, select(_is("gt", z.re, 0), turned.im, size))
    endless = _choose(op("isinf", BOOL, z.re), endless, turned)
    out = _choose(angle_is_finite, turned, endless)
    return _choose(_is("eq", z.im, 0), Parts(size, z.im), out)


def _log(z: Parts) -> Parts:
    """Accurate near the unit circle too."""
    x, y = _f("abs", z.re), _f("abs", z.im)
    less = compare("lt", x, y)
    a, b = select(less, y, x), select(less, x, y)
    near = _f("mul", _f("sub", a, _c(1, a)), _f("add", a, _c(1, a)))
    near = _f("log1p", _f("add", near, _f("mul", b, b)))
    near = _f("mul", _c(0.5, a), near)
    far = _f("log", _f("hypot", a, b))
    circle = _and(_is("gt", a, 0.5), _is("lt", a, 2.0))
    return Parts(select(circle, near, far), _f("atan2", z.im, z.re))


def _sqrt(z: Parts) -> Parts:
    """Kahan's method: scaled, and without cancellation."""
    x, y = z.re, z.im
    ax, ay = _f("abs", x), _f("abs", y)
    tiny = _and(_is("lt", ax, 1), _is("lt", ay, 1))
    up = select(tiny, _c(2.0**54, x), _c(0.25, x))
    down = select(tiny, _c(2.0**-27, x), _c(2.0, x))
    a, b = _f("mul", ax, up), _f("mul", y, up)
    root = _f("sqrt", _f("mul", _c(0.5, x), _f("add", a, _f("hypot", a, b))))
    other = _f("mul", _f("div", _f("mul", _c(0.5, x), _f("abs", b)), root), down)
    root = _f("mul", root, down)
    right = _is("ge", x, 0)
    out = Parts(select(right, root, other), _f("copysign", select(right, other, root), y))
    nothing = _f("mul", y, _c(0, y))
    positive = Parts(x, _f("copysign", nothing, y))
    negative = Parts(_f("abs", nothing), _f("copysign", x, y))
    infinite = _choose(_is("gt", x, 0), positive, negative)
    out = _choose(op("isinf", BOOL, x), infinite, out)
    out = _choose(op("isinf", BOOL, y), Parts(ay, y), out)
    return _choose(_and(_is("eq", x, 0), _is("eq", y, 0)), Parts(ax, y), out)


def _cosh_times(cosh: Expr, sine: Expr, angle: Expr) -> Expr:
    """The product of a cosine and a sine; 0 at an angle of 0, even if the first is not finite."""
    return select(_is("eq", angle, 0), angle, _f("mul", cosh, sine))


def _sinh_times(x: Expr, cosine: Expr) -> Expr:
    """The product of sinh(x) and a cosine; where that is NaN, those of 0 and infinity stay."""
    sinh = _f("sinh", x)
    stays = op("or", BOOL, _is("eq", sinh, 0), op("isinf", BOOL, x))
    stays = _and(stays, compare("ne", cosine, cosine))
    return select(stays, sinh, _f("mul", sinh, cosine))


def _sin(z: Parts) -> Parts:
    re = _cosh_times(_f("cosh", z.im), _f("sin", z.re), z.re)
    return Parts(re, _sinh_times(z.im, _f("cos", z.re)))


def _cos(z: Parts) -> Parts:
    c, s = _f("cosh", z.im), _f("sinh", z.im)
    cosine, sine = _f("cos", z.re), _f("sin", z.re)
    unbounded = _and(op("isinf", BOOL, z.im), compare("ne", cosine, cosine))
    re = select(unbounded, c, _f("mul", c, cosine))
    im = _f("mul", s, sine)
    im = select(_and(_is("eq", s, 0), compare("ne", sine, sine)), s, im)
    at_zero = _f("mul", z.re, _f("copysign", _c(1, s), s))
    return Parts(re, _f("neg", select(_is("eq", z.re, 0), at_zero, im)))


def _tanh(z: Parts) -> Parts:
    """Kahan's formula, which does not overflow."""
    x, one = z.re, _c(1, z.re)
    t, s = _f("tan", z.im), _f("sinh", x)
    beta = _f("add", one, _f("mul", t, t))
    rho = _f("sqrt", _f("add", one, _f("mul", s, s)))
    scale = _f("add", one, _f("mul", _f("mul", beta, s), s))
    re = _f("div", _f("mul", _f("mul", beta, rho), s), scale)
    nothing = _is("eq", z.im, 0)
    out = Parts(re, select(nothing, z.im, _f("div", t, scale)))
    endless = compare("ne", t, t)
    out = Parts(select(_and(_is("eq", x, 0), endless), x, out.re), out.im)
    pole = Parts(_f("div", rho, s), _f("div", one, t))
    out = _choose(op("isinf", BOOL, t), pole, out)
    # beyond 22 tanh of the real part is 1 to the last bit
    e = _f("exp", _f("mul", _c(-2, x), _f("abs", x)))
    tail = _f("mul", _f("mul", _c(4, x), _f("sin", z.im)), _f("mul", _f("cos", z.im), e))
    tail = select(endless, _f("copysign", _c(0, x), z.im), tail)
    limit = _f("copysign", one, x)
    unknown = _and(endless, op("not", BOOL, op("isinf", BOOL, x)))
    large = _choose(unknown, Parts(t, t), Parts(limit, tail))
    return _choose(_is("gt", _f("abs", x), 22), large, out)


def _pow(x: Parts, y: Parts) -> Parts:
    """By multiplications for small integral exponents, else by logarithms, as NumPy does."""
    one, zero = _c(1, x.re), _c(0, x.re)
    integer = np.dtype(np.int32)
    small = _is("lt", _f("abs", y.re), 100)
    n = cast(select(small, y.re, zero), integer)
    count = op("abs", integer, n)
    result, base = Parts(one, zero), x
    for k in range(7):
        bit = op("and", integer, count, const(1 << k, integer))
        odd = compare("ne", bit, const(0, integer))
        result = _choose(odd, _mul(result, base), result)
        base = _mul(base, base)
    inverse = _div(Parts(one, zero), result)
    whole = _choose(compare("lt", n, const(0, integer)), inverse, result)
    integral = _and(compare("ne", n, const(0, integer)), compare("eq", cast(n, y.dtype), y.re))
    real = _is("eq", y.im, 0)
    out = _choose(_and(real, integral), whole, _exp(_mul(y, _log(x))))
    nan = _c(np.nan, x.re)
    of_zero = _choose(_is("gt", y.re, 0), Parts(zero, zero), Parts(nan, nan))
    out = _choose(_and(_is("eq", x.re, 0), _is("eq", x.im, 0)), of_zero, out)
    return _choose(_and(_is("eq", y.re, 0), real), Parts(one, zero), out)


COMPLEX_OPS: dict[str, Callable[..., Parts]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "neg": lambda z: Parts(_f("neg", z.re), _f("neg", z.im)),
    "conj": lambda z: Parts(z.re, _f("neg", z.im)),
    "exp": _exp,
    "log": _log,
    "sqrt": _sqrt,
    "sin": _sin,
    "cos": _cos,
    "tanh": _tanh,
}
"""Every scalar op from complex to complex numbers."""
