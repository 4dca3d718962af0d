"""``x ** y``: a logarithm in two parts, a product in two parts, an exponential.

With ``x = 2**e m`` and ``s = (m - 1) / (m + 1)``, ``log(x) = e log(2) + 2 s + 2/3 s**3 + ...``. A
power magnifies the logarithm's error up to 745 times, so it is kept as an unevaluated sum of two
f64, some 64 bits, by products whose rounding errors an fma tells (Dekker, A floating-point
technique for extending the available precision, 1971; the series is arranged as in SLEEF's
`xpow`). f32 needs no second part: its f64 logarithm has bits enough.
"""

from __future__ import annotations

from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value
from fxla.loops.native.math import INF, NAN, clamp, exp_of_sum, horner, split

__all__ = ["power"]

_ROOT = 0x3FE6A09E667F3BCD
"""The bits of ``sqrt(1/2)``."""
# (log((1 + s) / (1 - s)) - 2 s - 2/3 s**3) / s**5 of s**2, for m from sqrt(1/2) to sqrt(2)
_TAIL = [0.10762867423643212, 0.10456278375778207, 0.11766815303406082, 0.13333296483973292]
_TAIL += [0.1538461576181261, 0.18181818179652515, 0.22222222222228444, 0.28571428571428564, 0.4]
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
_LOG_2 = (6.93147180369123816490e-01, 1.9082149292705877e-10)
"""The first has zeros enough at its end that its product with an exponent is exact."""
# log2((1 + s) / (1 - s)) / s of s**2; 2**t for t from -1/2 to 1/2
_LOG2 = [0.31990618475532295, 0.4122092382250214, 0.5770779425301307, 0.9617966941126749]
_LOG2 = [0.2828943745715255, *_LOG2, 2.8853900817778504]
_EXP2 = [1.5303721130801367e-05, 0.00015469755744925822, 0.0013333478409865399]
_EXP2 += [0.009618025530398209, 0.05550410906373737, 0.24022651214120053, 0.6931471805568274, 1.0]
_SHIFT = 1.5 * 2.0**52
"""Added to a number, this leaves it whole, in the last bits."""

Pair = tuple[Value, Value]
"""A sum of two numbers, the second of which is small beside the first."""


def power(b: Builder, x: Value, y: Value) -> Value:
    """``x ** y``; f64 by the C library where products cannot be rounded together with a sum."""
    if y.known == 2:
        return x * x
    if x.type == "f64" and not b.fma_rounds_once:
        return b.call("pow", "f64", x, y)
    x, y = b.pair(x, y)
    r = _of_magnitude(b, b.abs(x), y) if x.type == "f64" else _of_float32(b, b.abs(x), y)
    one = b.constant(1.0, x.type, x.width)
    r = b.select(b.abs(x).cmp("oeq", 1) & y.cmp("ord", y), one, r)
    half = y * 0.5
    whole = b.intrinsic("roundeven", y).cmp("oeq", y)
    odd = whole & b.intrinsic("roundeven", half).cmp("one", half)
    r = b.select(odd & b.bits(x).cmp("slt", 0), -r, r)
    undefined = x.cmp("olt", 0) & x.cmp("ogt", -INF) & ~whole
    r = b.select(undefined, b.constant(NAN, x.type, x.width), r)
    return b.select(y.cmp("oeq", 0) | x.cmp("oeq", 1), one, r)


def _at_ends(b: Builder, a: Value, log: Value) -> Value:
    """The logarithm of a magnitude, also if that is 0, infinite or NaN."""
    log = b.select(a.cmp("olt", INF), log, a)
    return b.select(a.cmp("oeq", 0), b.constant(-INF, a.type, a.width), log)


def _of_float32(b: Builder, a: Value, y: Value) -> Value:
    """``a ** y`` of f32, by base 2 in f64; no float32 is subnormal there."""
    a, y = b.convert("fpext", a, "f64"), b.convert("fpext", y, "f64")
    bits = b.bits(a)
    e = (bits - _ROOT) >> 52
    m = b.bits(bits - (e << 52))
    s = (m - 1.0) / (m + 1.0)
    log = b.fma(s, horner(b, s * s, _LOG2), b.convert("sitofp", e, "f64"))
    t = clamp(b, y * _at_ends(b, a, log), -160.0, 140.0)
    shifted = t + _SHIFT
    scale = b.bits((b.bits(shifted) + 1023) << 52)
    return b.convert("fptrunc", horner(b, t - (shifted - _SHIFT), _EXP2) * scale, "f32")


def _of_magnitude(b: Builder, a: Value, y: Value) -> Value:
    """``a ** y`` of f64."""
    high, low = _log(b, a)
    high = _at_ends(b, a, high)
    p, rest = _product(b, high, y)
    rest = b.fma(low, y, rest)
    # Beyond this the result is 0 or infinite, and a rest of infinite products is no number.
    rest = b.select(b.abs(p).cmp("olt", 1000.0), rest, 0.0)
    return exp_of_sum(b, p, rest)


def _product(b: Builder, x: Value, y: Value) -> Pair:
    """``x * y``, exactly. The product is not contracted with sums that it is put into."""
    p = b.emit(f"fmul {x.text}, {y.name}", x.type, x.width, x, y)
    return p, b.intrinsic("fma", x, y, -p)


def _sum(x: Value, y: Value) -> Pair:
    """``x + y``, exactly, if x is 0 or not smaller than y."""
    s = x + y
    return s, (x - s) + y


def _log(b: Builder, a: Value) -> Pair:
    """The natural logarithm of a positive number."""
    e, r = split(b, a)
    # s = r / (2 + r), of which 2 + r has a second part as well
    below = r + 2.0
    inverse = 1.0 / below
    s = b.emit(f"fmul {r.text}, {inverse.name}", a.type, a.width, r, inverse)
    left = b.intrinsic("fma", -s, below, r) - s * (r - (below - 2.0))
    s_low = left * inverse
    z, z_low = _product(b, s, s)
    z_low = b.fma(s + s, s_low, z_low)
    cube, cube_low = _product(b, z, s)
    cube_low = b.fma(z, s_low, b.fma(z_low, s, cube_low))
    third, third_low = _product(b, cube, b.constant(_TWO_THIRDS[0], a.type, a.width))
    third_low = b.fma(cube_low, _TWO_THIRDS[0], b.fma(cube, _TWO_THIRDS[1], third_low))
    fifth, fifth_low = _product(b, z, cube)
    fifth_low = b.fma(z, cube_low, b.fma(z_low, cube, fifth_low))
    tail, tail_low = _sum(b.constant(_TAIL[-1], a.type, a.width), z * horner(b, z, _TAIL[:-1]))
    fifth_low = b.fma(fifth_low, _TAIL[-1], b.fma(fifth, tail_low, third_low))
    fifth, left = _product(b, fifth, tail)
    whole, whole_low = _sum(_product(b, e, b.constant(_LOG_2[0], a.type, a.width))[0], s + s)
    high, high_low = _sum(whole, third)
    high, higher_low = _sum(high, fifth)
    rest = (fifth_low + left) + b.fma(e, _LOG_2[1], s_low + s_low)
    low = (whole_low + high_low) + (higher_low + rest)
    return _sum(high, low)
