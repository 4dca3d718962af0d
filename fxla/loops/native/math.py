"""Exponentials, logarithms and hyperbolic functions, for scalars and vectors alike.

Every function takes the builder and values of one type (f32 or f64) and one width, and holds for
all arguments: NaN, infinities, both zeros, subnormals. `MATH` is the table of all elementary and
special functions, those of `trig` and `special` beside it included. Where none is
listed for a type, the C library is called for each lane.

Worst errors found over random bit patterns (tests/loops/native/test_math.py asserts them), in
units in the last place:

==========  =====  =====  ==========  =====  =====  ==========  =====  =====
function      f32    f64  function      f32    f64  function      f32    f64
==========  =====  =====  ==========  =====  =====  ==========  =====  =====
exp, exp2     1.1    1.1  sin, cos      2.5    2.0  sinh          2.5    3.0
expm1         2.0    2.0  tan           3.0    3.0  cosh          1.5    1.6
log           1.0    1.0  asin          2.5    2.5  tanh          6.0    3.0
log2          1.5    1.5  acos          1.5    1.5  asinh         2.5    2.5
log10         2.0    2.0  atan, atan2   3.0    2.5  acosh         2.5    2.5
log1p         1.5    1.5  hypot         0.6    1.5  atanh         2.5    2.5
logistic      2.5    2.5  cbrt          0.6    0.8  erf           6.0    2.0
sqrt          0.5    0.5  rsqrt         1.5    1.5  erfc          3.0    6.0
pow           0.6    1.0  lgamma        5.0    5.0  erfinv        4.0    4.0
==========  =====  =====  ==========  =====  =====  ==========  =====  =====

digamma is as accurate as its terms, not relative to itself near its zeros; lgamma of negative
numbers is the C library's.

The polynomials are those of the Cephes library (S. Moshier) and of FreeBSD's msun (Sun
Microsystems), the f32 rational of tanh that of Eigen.
"""

from __future__ import annotations

from collections.abc import Sequence

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value, llvm_type

__all__ = ["acosh", "asinh", "atanh", "clamp", "cosh", "exp", "exp2", "expm1", "horner", "ldexp"]
__all__ += ["log", "log1p", "log2", "log10", "logistic", "power_of_two", "sinh"]
__all__ += ["exp_of_sum", "split", "tanh"]

INF, NAN = float("inf"), float("nan")
LN2 = 0.6931471805599453
LOG2E = 1.4426950408889634


def horner(b: Builder, x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with these coefficients, highest power first."""
    y = b.constant(coefficients[0], x.type, x.width)
    for c in coefficients[1:]:
        y = x + c if y.known == 1 else b.fma(y, x, c)
    return y


def clamp(b: Builder, x: Value, low: float, high: float) -> Value:
    """`x` within the bounds; NaN stays NaN."""
    x = b.select(x.cmp("olt", low), b.constant(low, x.type, x.width), x)
    return b.select(x.cmp("ogt", high), b.constant(high, x.type, x.width), x)


def _format(x: Value) -> tuple[int, int]:
    """Bits of the mantissa, and the exponent's bias."""
    return (23, 127) if x.type == "f32" else (52, 1023)


def _whole(b: Builder, n: Value) -> Value:
    """A float that is a whole number, as an integer of the same size."""
    return b.convert("fptosi", n, "i32" if n.type == "f32" else "i64")


def power_of_two(b: Builder, n: Value, kind: str) -> Value:
    """``2**n`` of an integer in the range of normal numbers."""
    mantissa, bias = (23, 127) if kind == "f32" else (52, 1023)
    return b.bits((n + bias) << mantissa)


def ldexp(b: Builder, y: Value, n: Value) -> Value:
    """``y * 2**n`` of a float n that is a whole number of at most twice the exponent's range."""
    if b.ldexp and y.width * (4 if y.type == "f32" else 8) == 64:
        return _scalef(b, y, n)
    if b.ldexp:
        count = b.convert("fptosi", n, "i32")
        vector = f"v{y.width}" if y.width else ""
        symbol = f"@llvm.ldexp.{vector}{y.type}.{vector}i32"
        t, i = y.text.split(" %")[0], count.text.split(" %")[0]
        b.declared[f"declare {t} {symbol}({t}, {i})"] = None
        return b.emit(f"call {t} {symbol}({y.text}, {count.text})", y.type, y.width, y, count)
    whole = _whole(b, n)
    half = whole >> 1
    return (y * power_of_two(b, half, y.type)) * power_of_two(b, whole - half, y.type)


def _scalef(b: Builder, y: Value, n: Value) -> Value:
    """`ldexp` of one AVX-512 register: its instruction takes the exponent as the float it is."""
    lanes, kind = y.width, "ps" if y.type == "f32" else "pd"
    symbol = f"@llvm.x86.avx512.mask.scalef.{kind}.512"
    t = llvm_type(y.type, lanes)
    b.declared[f"declare {t} {symbol}({t}, {t}, {t}, i{lanes}, i32)"] = None
    operands = f"{y.text}, {n.text}, {t} zeroinitializer, i{lanes} -1, i32 4"
    return b.emit(f"call {t} {symbol}({operands})", y.type, lanes, y, n)


# --------------------------------------------------------------- exponentials

_EXP32 = [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1]
_EXP32 += [5.0000001201e-1]
_EXP64 = [1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320]
_EXP64 += [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5]


def _exp_small(b: Builder, r: Value) -> Value:
    """``exp(r) - 1`` for ``|r| < 0.35``."""
    p = horner(b, r, _EXP32 if r.type == "f32" else _EXP64)
    return b.fma(p * r, r, r)


def _exp_parts(b: Builder, x: Value) -> tuple[Value, Value]:
    """n and q such that ``exp(x) = 2**n * (1 + q)``, x neither too large nor too small."""
    n = b.intrinsic("roundeven", x * LOG2E)
    if x.type == "f32":
        r = b.fma(n, 2.12194440e-4, b.fma(n, -0.693359375, x))
    else:
        r = b.fma(n, -1.90821492927058770002e-10, b.fma(n, -6.93147180369123816490e-01, x))
    return n, _exp_small(b, r)


def _exp_range(x: Value) -> tuple[float, float]:
    return (-104.0, 90.0) if x.type == "f32" else (-746.0, 711.0)


def exp(b: Builder, x: Value) -> Value:
    """``e**x``."""
    n, q = _exp_parts(b, clamp(b, x, *_exp_range(x)))
    return ldexp(b, q + 1.0, n)


def exp_of_sum(b: Builder, x: Value, low: Value) -> Value:
    """``e**(x + low)`` of f64, `low` small beside x: as good as the sum's bits."""
    x = clamp(b, x, *_exp_range(x))
    n = b.intrinsic("roundeven", x * LOG2E)
    high = b.fma(n, -6.93147180369123816490e-01, x)
    low = b.fma(n, -1.90821492927058770002e-10, low)
    r = high + low
    lost = (high - r) + low
    return ldexp(b, (b.fma(horner(b, r, _EXP64) * r, r, lost) + r) + 1.0, n)


def exp2(b: Builder, x: Value) -> Value:
    """``2**x``."""
    x = clamp(b, x, *((-151.0, 129.0) if x.type == "f32" else (-1077.0, 1025.0)))
    n = b.intrinsic("roundeven", x)
    return ldexp(b, _exp_small(b, (x - n) * LN2) + 1.0, n)


def _expm1_of(b: Builder, n: Value, q: Value) -> Value:
    """``2**n * (1 + q) - 1``, without overflow before the result does."""
    top = _format(n)[1] - 1.0
    inverse = power_of_two(b, -_whole(b, clamp(b, n, -top, top)), n.type)
    return ldexp(b, q + (1.0 - inverse), n)


def expm1(b: Builder, x: Value) -> Value:
    """``exp(x) - 1``, accurate for small x."""
    low = -20.0 if x.type == "f32" else -40.0
    n, q = _exp_parts(b, clamp(b, x, low, _exp_range(x)[1]))
    return b.intrinsic("copysign", _expm1_of(b, n, q), x)


def logistic(b: Builder, x: Value) -> Value:
    """``1 / (1 + exp(-x))``, to full relative accuracy on both sides."""
    e = exp(b, -b.abs(x))
    return b.select(x.cmp("olt", 0), e, 1.0) / (e + 1.0)


# ----------------------------------------------------------------- logarithms

_LOG32 = [7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1]
_LOG32 += [-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1]
_LOG64_P = [1.01875663804580931796e-4, 4.97494994976747001425e-1, 4.70579119878881725854]
_LOG64_P += [1.44989225341610930846e1, 1.79368678507819816313e1, 7.70838733755885391666]
_LOG64_Q = [1.0, 1.12873587189167450590e1, 4.52279145837532221105e1, 8.29875266912776603211e1]
_LOG64_Q += [7.11544750618563894466e1, 2.31251620126765340583e1]


def split(b: Builder, x: Value) -> tuple[Value, Value]:
    """e and r such that ``x = 2**e * (1 + r)``, ``sqrt(1/2) <= 1 + r < sqrt(2)``; x > 0 finite."""
    mantissa, _ = _format(x)
    least, lift, root = (
        (1.1754943508222875e-38, 2.0**23, 0x3F3504F3)
        if x.type == "f32"
        else (2.2250738585072014e-308, 2.0**52, 0x3FE6A09E667F3BCD)
    )
    subnormal = x.cmp("olt", least)
    bits = b.bits(b.select(subnormal, x * lift, x))
    e = (bits - root) >> mantissa
    m = b.bits(bits - (e << mantissa))
    exponent = b.convert("sitofp", e, x.type)
    return b.select(subnormal, exponent - float(mantissa), exponent), m - 1.0


def _log_tail(b: Builder, r: Value) -> Value:
    """``log(1 + r) - r``."""
    z = r * r
    if r.type == "f32":
        y = horner(b, r, _LOG32) * r * z
    else:
        y = (r * z) * (horner(b, r, _LOG64_P) / horner(b, r, _LOG64_Q))
    return b.fma(z, -0.5, y)


def _log_sum(b: Builder, e: Value, r: Value) -> Value:
    """``e * log(2) + log(1 + r)``."""
    y = b.fma(e, -2.121944400546905827679e-4, _log_tail(b, r)) + r
    return b.fma(e, 0.693359375, y)


def _log_domain(b: Builder, x: Value, y: Value) -> Value:
    """`y` for positive finite x, else a logarithm's value there."""
    y = b.select(x.cmp("olt", INF), y, x)
    special = b.select(x.cmp("oeq", 0), b.constant(-INF, x.type, x.width), NAN)
    return b.select(x.cmp("ole", 0), special, y)


def log(b: Builder, x: Value) -> Value:
    """The natural logarithm."""
    return _log_domain(b, x, _log_sum(b, *split(b, x)))


def log2(b: Builder, x: Value) -> Value:
    """The logarithm to base 2; exact for powers of 2."""
    e, r = split(b, x)
    tail, extra = _log_tail(b, r), 0.44269504088896340735992
    y = b.fma(r, extra, tail * extra) + tail + r + e
    return _log_domain(b, x, y)


def log10(b: Builder, x: Value) -> Value:
    """The logarithm to base 10."""
    e, r = split(b, x)
    tail = _log_tail(b, r)
    small = 7.00731903251827651129e-4
    y = b.fma(e, 2.48745663981195213739e-4, b.fma(r, small, tail * small))
    y = b.fma(e, 0.30078125, b.fma(r, 0.43359375, b.fma(tail, 0.43359375, y)))
    return _log_domain(b, x, y)


def log1p(b: Builder, x: Value) -> Value:
    """``log(1 + x)``, accurate for small x."""
    u = x + 1.0
    lost = x - (u - 1.0)
    e, r = split(b, u)
    top = _format(x)[1] - 1.0
    scale = power_of_two(b, -_whole(b, clamp(b, e, -top, top)), x.type)
    y = _log_sum(b, e, b.fma(lost, scale, r))
    return b.intrinsic("copysign", _log_domain(b, u, y), x)


# ----------------------------------------------------------------- hyperbolic

_TANH_P = [-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11]
_TANH_P += [5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04]
_TANH_P += [4.89352455891786e-03]
_TANH_Q = [1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03]
_TANH_Q += [4.89352518554385e-03]


def tanh(b: Builder, x: Value) -> Value:
    """The hyperbolic tangent."""
    if x.type == "f32":
        c = clamp(b, x, -7.90531110763549805, 7.90531110763549805)
        z = c * c
        y = c * horner(b, z, _TANH_P) / horner(b, z, _TANH_Q)
        # The rational ends 4 ulp below 1; `x (1 - tanh(x)^2)`, as in a derivative, needs the 1.
        one = b.intrinsic("copysign", b.constant(1.0, x.type, x.width), x)
        y = b.select(b.abs(x).cmp("ogt", 8.3), one, y)
        return b.select(b.abs(x).cmp("olt", 0.0004), x, y)
    m = expm1(b, clamp(b, b.abs(x), 0.0, 22.0) * 2.0)
    return b.intrinsic("copysign", m / (m + 2.0), x)


def _half_exp(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """``exp(|x|) / 2`` without early overflow, and the parts of ``exp(|x|)``."""
    n, q = _exp_parts(b, clamp(b, b.abs(x), *_exp_range(x)))
    return ldexp(b, q + 1.0, n - 1.0), n, q


def sinh(b: Builder, x: Value) -> Value:
    """The hyperbolic sine."""
    h, n, q = _half_exp(b, x)
    m = _expm1_of(b, n, q)
    small = (m + m / (m + 1.0)) * 0.5
    y = b.select(b.abs(x).cmp("olt", 1.0), small, h - 0.25 / h)
    return b.intrinsic("copysign", y, x)


def cosh(b: Builder, x: Value) -> Value:
    """The hyperbolic cosine."""
    h = _half_exp(b, x)[0]
    return h + 0.25 / h


def _large(x: Value) -> float:
    """From here on ``sqrt(x*x + 1)`` is x and its square may overflow."""
    return 2.0**26 if x.type == "f32" else 2.0**54


def asinh(b: Builder, x: Value) -> Value:
    """The inverse hyperbolic sine."""
    a = b.abs(x)
    large = a.cmp("ogt", _large(x))
    s = a * a
    t = a + s / (b.intrinsic("sqrt", s + 1.0) + 1.0)
    y = log1p(b, b.select(large, a, t)) + b.select(large, b.constant(LN2, x.type, x.width), 0.0)
    return b.intrinsic("copysign", y, x)


def acosh(b: Builder, x: Value) -> Value:
    """The inverse hyperbolic cosine; NaN below 1."""
    large = x.cmp("ogt", _large(x))
    t = x - 1.0
    u = t + b.intrinsic("sqrt", b.fma(t, t, t * 2.0))
    y = log1p(b, b.select(large, x, u)) + b.select(large, b.constant(LN2, x.type, x.width), 0.0)
    return b.select(x.cmp("olt", 1.0), b.constant(NAN, x.type, x.width), y)


def atanh(b: Builder, x: Value) -> Value:
    """The inverse hyperbolic tangent."""
    a = b.abs(x)
    return b.intrinsic("copysign", log1p(b, (a * 2.0) / (1.0 - a)) * 0.5, x)
