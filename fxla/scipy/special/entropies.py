"""Products with logarithms, entropies, logistic functions and power transformations.

Where SciPy takes a limit, as ``0 log 0 = 0``, so do derivatives: nothing that was not selected
makes them NaN.
"""

from __future__ import annotations

import math

import scipy.special as ss

from fxla.core.trace import Value, typeof
from fxla.ops import elementwise as ops
from fxla.ops.special_gamma import times_log
from fxla.scipy.special.function import special_function

__all__ = [
    "boxcox",
    "boxcox1p",
    "cbrt",
    "cosm1",
    "entr",
    "exp2",
    "exp10",
    "expit",
    "expm1",
    "exprel",
    "huber",
    "inv_boxcox",
    "inv_boxcox1p",
    "kl_div",
    "log1p",
    "log_expit",
    "logit",
    "pseudo_huber",
    "rel_entr",
    "xlog1py",
    "xlogy",
]


def _number(x: Value, like: Value) -> Value:
    return typeof(like).dtype.type(x)


def _xlogy(x: Value, y: Value) -> Value:
    return times_log(x, y)


def _xlog1py(x: Value, y: Value) -> Value:
    return times_log(x, y, ops.log1p)


def _entr(x: Value) -> Value:
    """-x log(x); 0 at 0, -inf below."""
    below = ops.lt(x, 0.0)
    safe = ops.select_like(below, _number(0, x), x)
    return ops.select_like(below, _number(-math.inf, x), ops.neg(times_log(safe, safe)))


def _rel_entr(x: Value, y: Value) -> Value:
    """x log(x / y) where both are positive; 0 at x = 0 <= y; else inf."""
    zero = ops.mul(ops.add(x, y), 0.0)  # NaN if either is
    both = ops.and_(ops.gt(x, 0.0), ops.gt(y, 0.0))
    one = _number(1, x)
    top, bottom = ops.select_like(both, x, one), ops.select_like(both, y, one)
    inside = ops.mul(top, ops.log(ops.div(top, bottom)))
    none = ops.and_(ops.eq(x, 0.0), ops.ge(y, 0.0))
    unknown = ops.or_(ops.ne(x, x), ops.ne(y, y))
    outside = ops.select_like(none, _number(0, x), _number(math.inf, x))
    outside = ops.select_like(unknown, zero, outside)
    return ops.select_like(both, inside, outside)


def _kl_div(x: Value, y: Value) -> Value:
    """x log(x / y) - x + y; y at x = 0 <= y; else inf. Near each other by d = y / x - 1."""
    gap = ops.sub(y, x)
    near = ops.and_(ops.gt(x, 0.0), ops.lt(ops.abs_(gap), ops.mul(x, 0.5)))
    d = ops.div(ops.select_like(near, gap, _number(0, x)), ops.select_like(near, x, _number(1, x)))
    inner = ops.mul(x, ops.sub(d, ops.log1p(d)))
    finite = ops.and_(ops.ge(x, 0.0), ops.ge(y, 0.0))
    outer = ops.add(_rel_entr(x, y), ops.select_like(finite, gap, _number(0, x)))
    return ops.select_like(near, inner, outer)


def _logit(p: Value) -> Value:
    """log(p / (1 - p)), by log1p near 1/2."""
    middle = ops.lt(ops.abs_(ops.sub(p, 0.5)), 0.2)
    half = _number(0.5, p)
    near = ops.select_like(middle, p, half)
    s = ops.mul(ops.sub(near, 0.5), 2.0)
    inner = ops.sub(ops.log1p(s), ops.log1p(ops.neg(s)))
    far = ops.select_like(middle, half, p)
    return ops.select_like(middle, inner, ops.log(ops.div(far, ops.sub(1.0, far))))


def _log_expit(x: Value) -> Value:
    """-log(1 + exp(-x)), without overflow."""
    size = ops.select_like(ops.lt(x, 0.0), x, ops.neg(x))
    low = ops.select_like(ops.lt(x, 0.0), x, _number(0, x))
    return ops.sub(low, ops.log1p(ops.exp(size)))


def _boxcox_of(logarithm: Value, power: Value) -> Value:
    """(exp(power log x) - 1) / power; log x for power 0."""
    tiny = ops.lt(ops.abs_(power), 1e-19)
    safe = ops.select_like(tiny, _number(1, power), power)
    return ops.select_like(tiny, logarithm, ops.div(ops.expm1(ops.mul(safe, logarithm)), safe))


def _boxcox(x: Value, power: Value) -> Value:
    return _boxcox_of(ops.log(x), power)


def _boxcox1p(x: Value, power: Value) -> Value:
    return _boxcox_of(ops.log1p(x), power)


def _log_inverse(y: Value, power: Value) -> Value:
    """log1p(power y) / power; y for power 0."""
    none = ops.eq(power, 0.0)
    safe = ops.select_like(none, _number(1, power), power)
    return ops.select_like(none, y, ops.div(ops.log1p(ops.mul(safe, y)), safe))


def _inv_boxcox(y: Value, power: Value) -> Value:
    return ops.exp(_log_inverse(y, power))


def _inv_boxcox1p(y: Value, power: Value) -> Value:
    return ops.expm1(_log_inverse(y, power))


def _exprel(x: Value) -> Value:
    """(exp(x) - 1) / x; near 0 its series, for the derivatives."""
    small = ops.lt(ops.abs_(x), 1e-4)
    safe = ops.select_like(small, _number(1, x), x)
    series = ops.add(ops.mul(x, ops.add(ops.mul(x, ops.add(ops.mul(x, 1 / 24), 1 / 6)), 0.5)), 1.0)
    out = ops.select_like(small, series, ops.div(ops.expm1(safe), safe))
    return ops.select_like(ops.eq(x, math.inf), _number(math.inf, x), out)


def _cosm1(x: Value) -> Value:
    half = ops.sin(ops.mul(x, 0.5))
    return ops.mul(ops.mul(half, half), -2.0)


def _exp10(x: Value) -> Value:
    return ops.pow_(_number(10, x), x)


def _huber(delta: Value, r: Value) -> Value:
    size = ops.abs_(r)
    quadratic = ops.mul(ops.mul(r, r), 0.5)
    linear = ops.mul(delta, ops.sub(size, ops.mul(delta, 0.5)))
    out = ops.select_like(ops.le(size, delta), quadratic, linear)
    return ops.select_like(ops.lt(delta, 0.0), _number(math.inf, delta), out)


def _pseudo_huber(delta: Value, r: Value) -> Value:
    ratio = ops.div(r, delta)
    root = ops.sqrt(ops.add(ops.mul(ratio, ratio), 1.0))
    # root - 1 without cancellation
    gap = ops.div(ops.mul(ratio, ratio), ops.add(root, 1.0))
    return ops.mul(ops.mul(delta, delta), gap)


xlogy = special_function(
    ss.xlogy,
    _xlogy,
    "x y",
    "``x log(y)``, and 0 where x is 0",
    "[0.0, 2.0], [0.0, 3.0] -> Array([0.        , 2.19722458])",
)
xlog1py = special_function(
    ss.xlog1py, _xlog1py, "x y", "``x log1p(y)``, and 0 where x is 0", "2.0, 1e-10 -> Array(2.e-10)"
)
entr = special_function(
    ss.entr,
    _entr,
    "x",
    "``-x log(x)``, and 0 at 0",
    "[0.0, 0.5] -> Array([0.        , 0.34657359])",
)
rel_entr = special_function(
    ss.rel_entr,
    _rel_entr,
    "x y",
    "``x log(x / y)``, and 0 where x is 0",
    "0.5, 0.25 -> Array(0.34657359)",
)
kl_div = special_function(
    ss.kl_div, _kl_div, "x y", "``x log(x / y) - x + y``", "0.5, 0.25 -> Array(0.09657359)"
)
expit = special_function(
    ss.expit,
    ops.logistic_p,
    "x",
    "The logistic function ``1 / (1 + exp(-x))``",
    "[0.0, 2.0] -> Array([0.5       , 0.88079708])",
)
log_expit = special_function(
    ss.log_expit,
    _log_expit,
    "x",
    "Logarithm of the logistic function",
    "[-1e3, 0.0] -> Array([-1.00000000e+03, -6.93147181e-01])",
)
logit = special_function(
    ss.logit, _logit, "x", "Inverse of ``expit``", "[0.5, 0.75] -> Array([0.        , 1.09861229])"
)
boxcox = special_function(
    ss.boxcox,
    _boxcox,
    "x lmbda",
    "``(x**lmbda - 1) / lmbda``",
    "[1.0, 4.0], 0.5 -> Array([0., 2.])",
)
boxcox1p = special_function(
    ss.boxcox1p,
    _boxcox1p,
    "x lmbda",
    "``((1 + x)**lmbda - 1) / lmbda``",
    "[0.0, 3.0], 0.5 -> Array([0., 2.])",
)
inv_boxcox = special_function(
    ss.inv_boxcox,
    _inv_boxcox,
    "y lmbda",
    "Inverse of ``boxcox``",
    "[0.0, 2.0], 0.5 -> Array([1., 4.])",
)
inv_boxcox1p = special_function(
    ss.inv_boxcox1p,
    _inv_boxcox1p,
    "y lmbda",
    "Inverse of ``boxcox1p``",
    "[0.0, 2.0], 0.5 -> Array([0., 3.])",
)
exprel = special_function(
    ss.exprel, _exprel, "x", "``(exp(x) - 1) / x``", "[0.0, 1.0] -> Array([1.        , 1.71828183])"
)
cosm1 = special_function(
    ss.cosm1, _cosm1, "x", "``cos(x) - 1``, accurate near 0", "1e-8 -> Array(-5.e-17)"
)
exp10 = special_function(
    ss.exp10, _exp10, "x", "Power of ten", "[0.0, 3.0] -> Array([   1., 1000.])"
)
exp2 = special_function(ss.exp2, ops.exp2_p, "x", "Power of two", "[0.0, 3.0] -> Array([1., 8.])")
expm1 = special_function(
    ss.expm1, ops.expm1_p, "x", "``exp(x) - 1``, accurate near 0", "1e-20 -> Array(1.e-20)"
)
log1p = special_function(
    ss.log1p, ops.log1p_p, "x", "``log(1 + x)``, accurate near 0", "1e-20 -> Array(1.e-20)"
)
cbrt = special_function(ss.cbrt, ops.cbrt_p, "x", "Cube root", "[-8.0, 27.0] -> Array([-2.,  3.])")
huber = special_function(
    ss.huber, _huber, "delta r", "Huber's loss function", "1.0, [0.5, 3.0] -> Array([0.125, 2.5  ])"
)
pseudo_huber = special_function(
    ss.pseudo_huber,
    _pseudo_huber,
    "delta r",
    "A smooth form of Huber's loss",
    "1.0, [0.5, 3.0] -> Array([0.11803399, 2.16227766])",
)
