"""Powers, roots, exponentials, logarithms, trigonometric, hyperbolic and special functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.aval import Aval
from fxla.core.dtypes import is_inexact
from fxla.core.primitive import Primitive, Zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import InternalError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import View
from fxla.ops.arithmetic import div, mul, neg, sub
from fxla.ops.elementwise import Elementwise, Rule, add, function_of, one_like, silent
from fxla.ops.logic import eq, lt, select, select_like, select_p

# --- powers ---------------------------------------------------------------------------------


def _pow_base(t: Any, out: Any, x: Any, y: Any) -> Value:
    """y * x**(y-1), and 0 where y is 0, so that 0**0 has derivative 0 and not NaN."""
    zero = eq(y, 0)
    exponent = select(zero, 1, y) if typeof(zero).shape else select_p.bind1(zero, one_like(y), y)
    slope = mul(y, pow_(x, sub(exponent, 1)))
    return mul(t, slope)


def _pow_exponent(t: Any, out: Any, x: Any, y: Any) -> Value:
    """out * log(x), and 0 where x is 0 and out is 0 (the limit from the right)."""
    safe = select_like(eq(x, 0), one_like(x), x)
    return mul(t, mul(out, log(safe)))


def _int_pow(x: Any, y: Any) -> Any:
    """Integer powers by squaring, modulo 2**width; a negative exponent gives NumPy's error."""
    return np.power(x, y)


pow_p = Elementwise("pow", "iufc", silent(_int_pow), jvp=[_pow_base, _pow_exponent])
pow_: Rule = function_of(pow_p)


def _square_scalar(x: Expr) -> Expr:
    return scalar.op("mul", x.dtype, x, x)


def _integer_pow_scalar(x: Expr, y: int) -> Expr:
    """Repeated squaring."""
    if y < 0:
        one = scalar.const(1, x.dtype)
        return scalar.op("div", x.dtype, one, _integer_pow_scalar(x, -y))
    result: Expr | None = None
    while y:
        if y & 1:
            result = x if result is None else scalar.op("mul", x.dtype, result, x)
        y >>= 1
        if y:
            x = scalar.op("mul", x.dtype, x, x)
    return result if result is not None else scalar.const(1, x.dtype)


class IntegerPow(Primitive):
    """``x ** y`` for a static integer y, by repeated multiplication."""

    name = "integer_pow"

    def abstract_eval(self, x: Aval, *, y: int) -> tuple[Aval, ...]:
        if y < 0 and not is_inexact(x.dtype):
            raise ValueError("Integers to negative integer powers are not allowed.")
        return (x,)

    def impl(self, x: Any, *, y: int) -> tuple[Any, ...]:
        x = np.asarray(x)
        if not is_inexact(x.dtype):
            return (np.power(x, x.dtype.type(y)),)
        with np.errstate(all="ignore"):
            return (np.power(x, x.dtype.type(y)),)

    def on_numpy(
        self, avals: tuple[Aval, ...], params: dict[str, Any]
    ) -> Callable[..., Any] | None:
        return np.square if params["y"] == 2 and is_inexact(avals[0].dtype) else None

    def jvp(
        self, primals: Any, tangents: Any, *, y: int
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x,), (t,) = primals, tangents
        out = self.bind(x, y=y)
        if y == 0:
            return out, (Zero(typeof(out[0]).tangent()),)
        return out, (mul(t, mul(integer_pow(x, y - 1), y)),)

    def transpose(self, cts: Any, *operands: Any, y: int) -> tuple[Any, ...]:
        raise InternalError("integer_pow is not linear, so it has no transpose")

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, y: int
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        return self.bind(*operands, y=y), tuple(axes)

    def lower(self, *views: View, y: int) -> tuple[View, ...]:
        (x,) = views
        return (View(x.shape, x.dtype, lambda i: _integer_pow_scalar(x[i], y)),)


integer_pow_p = IntegerPow()


def integer_pow(x: Value, y: int) -> Value:
    """``x ** y`` for a Python integer y."""
    if y == 1:
        return x
    return integer_pow_p.bind1(x, y=y)


square_p = Elementwise(
    "square",
    "iufc",
    silent(np.square),
    _square_scalar,
    jvp=[lambda t, out, x: mul(t, mul(x, 2.0))],
)
square: Rule = function_of(square_p)

# --- roots, exponentials, logarithms --------------------------------------------------------


def _half(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` of SciPy, which knows float32 and float64 only, for the small floats as well."""

    def widened(x: Any) -> Any:
        x = np.asarray(x)
        if x.dtype.itemsize < 4:
            return f(x.astype(np.float32)).astype(x.dtype)
        return f(x)

    widened.__name__ = getattr(f, "__name__", "f")
    return silent(widened)


sqrt_p = Elementwise("sqrt", "fc", silent(np.sqrt), jvp=[lambda t, out, x: _sqrt_jvp(t, out)])


def _sqrt_jvp(t: Any, out: Any) -> Value:
    """t / (2 sqrt(x)), and 0 where x is 0.

    The one-sided derivative at 0 is infinite; taken literally it makes NaN of every norm at the
    origin and of every masked root (inf * 0). 0 is the subgradient of a norm there.
    """
    dtype = typeof(out).dtype
    infinite = np.asarray(np.inf, dtype)[()]
    return div(t, select_like(eq(out, 0.0), infinite, mul(out, 2.0)))


rsqrt_p = Elementwise(
    "rsqrt", "f", silent(SCALAR_OPS["rsqrt"].reference),
    jvp=[lambda t, out, x: mul(t, mul(div(out, x), -0.5))],
)  # fmt: skip
cbrt_p = Elementwise(
    "cbrt", "f", silent(np.cbrt), jvp=[lambda t, out, x: div(t, mul(mul(out, out), 3.0))]
)
exp_p = Elementwise("exp", "fc", silent(np.exp), jvp=[lambda t, out, x: mul(t, out)])
exp2_p = Elementwise(
    "exp2", "f", silent(np.exp2), jvp=[lambda t, out, x: mul(t, mul(out, float(np.log(2))))]
)
expm1_p = Elementwise("expm1", "f", silent(np.expm1), jvp=[lambda t, out, x: mul(t, add(out, 1.0))])


def logaddexp_scalar(a: Expr, b: Expr) -> Expr:
    """``max + log1p(exp(-|a - b|))``; equal operands, infinite ones too, have no difference."""
    dtype = a.dtype
    gap = scalar.op("neg", dtype, scalar.op("abs", dtype, scalar.op("sub", dtype, a, b)))
    rest = scalar.op("log1p", dtype, scalar.op("exp", dtype, gap))
    apart = scalar.op("add", dtype, scalar.op("maximum", dtype, a, b), rest)
    twice = scalar.op("add", dtype, a, scalar.const(np.log(2.0), dtype))
    return scalar.select(scalar.compare("eq", a, b), twice, apart)


def _share(t: Any, out: Any, x: Any) -> Value:
    """t exp(x - out): x's share of the sum, at every order. Where x is the sum it is all of it."""
    gap = select_like(eq(x, out), mul(one_like(x), 0.0), sub(x, out))
    return mul(t, exp(gap))


logaddexp_p = Elementwise(
    "logaddexp", "f", silent(np.logaddexp), logaddexp_scalar,
    jvp=[lambda t, out, x, y: _share(t, out, x), lambda t, out, x, y: _share(t, out, y)],
)  # fmt: skip
log_p = Elementwise("log", "fc", silent(np.log), jvp=[lambda t, out, x: div(t, x)])
log2_p = Elementwise(
    "log2", "f", silent(np.log2), jvp=[lambda t, out, x: div(t, mul(x, float(np.log(2))))]
)
log10_p = Elementwise(
    "log10", "f", silent(np.log10), jvp=[lambda t, out, x: div(t, mul(x, float(np.log(10))))]
)
log1p_p = Elementwise("log1p", "f", silent(np.log1p), jvp=[lambda t, out, x: div(t, add(x, 1.0))])
sqrt: Rule = function_of(sqrt_p)
rsqrt: Rule = function_of(rsqrt_p)
exp: Rule = function_of(exp_p)
expm1: Rule = function_of(expm1_p)
log: Rule = function_of(log_p)
log1p: Rule = function_of(log1p_p)

# --- trigonometric and hyperbolic -----------------------------------------------------------

sin_p = Elementwise("sin", "fc", silent(np.sin), jvp=[lambda t, out, x: mul(t, cos(x))])
cos_p = Elementwise("cos", "fc", silent(np.cos), jvp=[lambda t, out, x: neg(mul(t, sin(x)))])
tan_p = Elementwise(
    "tan", "f", silent(np.tan), jvp=[lambda t, out, x: mul(t, add(mul(out, out), 1.0))]
)
asin_p = Elementwise(
    "asin", "f", silent(np.arcsin), jvp=[lambda t, out, x: div(t, sqrt(_one_minus_square(x)))]
)
acos_p = Elementwise(
    "acos", "f", silent(np.arccos),
    jvp=[lambda t, out, x: neg(div(t, sqrt(_one_minus_square(x))))],
)  # fmt: skip
atan_p = Elementwise(
    "atan", "f", silent(np.arctan), jvp=[lambda t, out, x: div(t, add(mul(x, x), 1.0))]
)
atan2_p = Elementwise(
    "atan2", "f", silent(np.arctan2),
    jvp=[
        lambda t, out, x, y: mul(t, div(y, add(mul(x, x), mul(y, y)))),
        lambda t, out, x, y: neg(mul(t, div(x, add(mul(x, x), mul(y, y))))),
    ],
)  # fmt: skip
sinh_p = Elementwise("sinh", "f", silent(np.sinh), jvp=[lambda t, out, x: mul(t, cosh(x))])
cosh_p = Elementwise("cosh", "f", silent(np.cosh), jvp=[lambda t, out, x: mul(t, sinh(x))])
tanh_p = Elementwise(
    "tanh", "fc", silent(np.tanh),
    jvp=[lambda t, out, x: mul(t, mul(add(out, 1.0), sub(1.0, out)))],
)  # fmt: skip
asinh_p = Elementwise(
    "asinh", "f", silent(np.arcsinh),
    jvp=[lambda t, out, x: div(t, hypot(x, one_like(x)))],
)  # fmt: skip
acosh_p = Elementwise(
    "acosh", "f", silent(np.arccosh),
    jvp=[lambda t, out, x: div(t, mul(sqrt(sub(x, 1.0)), sqrt(add(x, 1.0))))],
)  # fmt: skip
atanh_p = Elementwise(
    "atanh", "f", silent(np.arctanh), jvp=[lambda t, out, x: div(t, _one_minus_square(x))]
)
hypot_p = Elementwise(
    "hypot", "f", silent(np.hypot),
    jvp=[
        lambda t, out, x, y: mul(t, div(x, _one_if_zero(out))),
        lambda t, out, x, y: mul(t, div(y, _one_if_zero(out))),
    ],
)  # fmt: skip
logistic_p = Elementwise(
    "logistic", "f", _half(SCALAR_OPS["logistic"].reference),
    jvp=[lambda t, out, x: mul(t, mul(out, sub(1.0, out)))],
)  # fmt: skip


def _one_minus_square(x: Value) -> Value:
    return mul(sub(1.0, x), add(x, 1.0))


def _one_if_zero(x: Value) -> Value:
    return select_like(eq(x, 0.0), one_like(x), x)


sin: Rule = function_of(sin_p)
cos: Rule = function_of(cos_p)
sinh: Rule = function_of(sinh_p)
cosh: Rule = function_of(cosh_p)
tanh: Rule = function_of(tanh_p)
hypot: Rule = function_of(hypot_p)
logistic: Rule = function_of(logistic_p)

# --- special functions ----------------------------------------------------------------------

_TWO_OVER_SQRT_PI = 2 / np.sqrt(np.pi)

erf_p = Elementwise(
    "erf", "f", _half(SCALAR_OPS["erf"].reference),
    jvp=[lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), float(_TWO_OVER_SQRT_PI)))],
)  # fmt: skip
erfc_p = Elementwise(
    "erfc", "f", _half(SCALAR_OPS["erfc"].reference),
    jvp=[lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), float(-_TWO_OVER_SQRT_PI)))],
)  # fmt: skip
erfinv_p = Elementwise(
    "erf_inv", "f", _half(SCALAR_OPS["erfinv"].reference), "erfinv",
    jvp=[lambda t, out, x: mul(t, mul(exp(mul(out, out)), float(1 / _TWO_OVER_SQRT_PI)))],
)  # fmt: skip
lgamma_p = Elementwise(
    "lgamma", "f", _half(SCALAR_OPS["lgamma"].reference), jvp=[lambda t, out, x: mul(t, digamma(x))]
)
digamma_p = Elementwise(
    "digamma",
    "f",
    _half(SCALAR_OPS["digamma"].reference),
    jvp=[lambda t, out, x: mul(t, polygamma1(x))],
)
digamma: Rule = function_of(digamma_p)


def polygamma1(x: Value) -> Value:
    """The trigamma function, the derivative of digamma.

    For x > 8 the asymptotic series (Abramowitz and Stegun 6.4.12); below, the recurrence
    psi'(x) = psi'(x+1) + 1/x**2; for x < 1/2 the reflection formula 6.4.7.
    """
    pi = float(np.pi)
    low = lt(x, 0.5)
    z = select_like(low, sub(1.0, x), x)
    total: Value = mul(z, 0.0)
    for _ in range(8):
        total = add(total, div(1.0, mul(z, z)))
        z = add(z, 1.0)
    w = div(1.0, mul(z, z))
    series: Value = mul(w, 0.0)
    for bernoulli in (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6):
        series = mul(w, add(series, bernoulli))
    asymptotic = add(div(1.0, z), add(mul(w, 0.5), div(series, z)))
    above = add(total, asymptotic)
    s = sin(mul(x, pi))
    return select_like(low, sub(div(pi * pi, mul(s, s)), above), above)


erf: Rule = function_of(erf_p)
