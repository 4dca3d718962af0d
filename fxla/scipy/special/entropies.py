"""Products with logarithms, entropies, logistic functions and power transformations.

Where SciPy takes a limit, as ``0 log 0 = 0``, so do derivatives: nothing that was not selected
makes them NaN.
"""

from __future__ import annotations

import math

import scipy.special as ss

from fxla.core.trace import Value, typeof
from fxla.ops import arithmetic, elementwise, logic, transcendental
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
    return times_log(x, y, transcendental.log1p)


def _entr(x: Value) -> Value:
    """-x log(x); 0 at 0, -inf below."""
    below = logic.lt(x, 0.0)
    safe = logic.select_like(below, _number(0, x), x)
    return logic.select_like(below, _number(-math.inf, x), arithmetic.neg(times_log(safe, safe)))


def _rel_entr(x: Value, y: Value) -> Value:
    """x log(x / y) where both are positive; 0 at x = 0 <= y; else inf."""
    zero = arithmetic.mul(elementwise.add(x, y), 0.0)  # NaN if either is
    both = logic.and_(logic.gt(x, 0.0), logic.gt(y, 0.0))
    one = _number(1, x)
    top, bottom = logic.select_like(both, x, one), logic.select_like(both, y, one)
    inside = arithmetic.mul(top, transcendental.log(arithmetic.div(top, bottom)))
    none = logic.and_(logic.eq(x, 0.0), logic.ge(y, 0.0))
    unknown = logic.or_(logic.ne(x, x), logic.ne(y, y))
    outside = logic.select_like(none, _number(0, x), _number(math.inf, x))
    outside = logic.select_like(unknown, zero, outside)
    return logic.select_like(both, inside, outside)


def _kl_div(x: Value, y: Value) -> Value:
    """x log(x / y) - x + y; y at x = 0 <= y; else inf. Near each other by d = y / x - 1."""
    gap = arithmetic.sub(y, x)
    near = logic.and_(logic.gt(x, 0.0), logic.lt(arithmetic.abs_(gap), arithmetic.mul(x, 0.5)))
    d = arithmetic.div(
        logic.select_like(near, gap, _number(0, x)), logic.select_like(near, x, _number(1, x))
    )
    inner = arithmetic.mul(x, arithmetic.sub(d, transcendental.log1p(d)))
    finite = logic.and_(logic.ge(x, 0.0), logic.ge(y, 0.0))
    outer = elementwise.add(_rel_entr(x, y), logic.select_like(finite, gap, _number(0, x)))
    return logic.select_like(near, inner, outer)


def _logit(p: Value) -> Value:
    """log(p / (1 - p)), by log1p near 1/2."""
    middle = logic.lt(arithmetic.abs_(arithmetic.sub(p, 0.5)), 0.2)
    half = _number(0.5, p)
    near = logic.select_like(middle, p, half)
    s = arithmetic.mul(arithmetic.sub(near, 0.5), 2.0)
    inner = arithmetic.sub(transcendental.log1p(s), transcendental.log1p(arithmetic.neg(s)))
    far = logic.select_like(middle, half, p)
    return logic.select_like(
        middle, inner, transcendental.log(arithmetic.div(far, arithmetic.sub(1.0, far)))
    )


def _log_expit(x: Value) -> Value:
    """-log(1 + exp(-x)), without overflow."""
    size = logic.select_like(logic.lt(x, 0.0), x, arithmetic.neg(x))
    low = logic.select_like(logic.lt(x, 0.0), x, _number(0, x))
    return arithmetic.sub(low, transcendental.log1p(transcendental.exp(size)))


def _boxcox_of(logarithm: Value, power: Value) -> Value:
    """(exp(power log x) - 1) / power; log x for power 0."""
    tiny = logic.lt(arithmetic.abs_(power), 1e-19)
    safe = logic.select_like(tiny, _number(1, power), power)
    return logic.select_like(
        tiny, logarithm, arithmetic.div(transcendental.expm1(arithmetic.mul(safe, logarithm)), safe)
    )


def _boxcox(x: Value, power: Value) -> Value:
    return _boxcox_of(transcendental.log(x), power)


def _boxcox1p(x: Value, power: Value) -> Value:
    return _boxcox_of(transcendental.log1p(x), power)


def _log_inverse(y: Value, power: Value) -> Value:
    """log1p(power y) / power; y for power 0."""
    none = logic.eq(power, 0.0)
    safe = logic.select_like(none, _number(1, power), power)
    return logic.select_like(
        none, y, arithmetic.div(transcendental.log1p(arithmetic.mul(safe, y)), safe)
    )


def _inv_boxcox(y: Value, power: Value) -> Value:
    return transcendental.exp(_log_inverse(y, power))


def _inv_boxcox1p(y: Value, power: Value) -> Value:
    return transcendental.expm1(_log_inverse(y, power))


def _exprel(x: Value) -> Value:
    """(exp(x) - 1) / x; near 0 its series, for the derivatives."""
    small = logic.lt(arithmetic.abs_(x), 1e-4)
    safe = logic.select_like(small, _number(1, x), x)
    series = elementwise.add(
        arithmetic.mul(
            x,
            elementwise.add(
                arithmetic.mul(x, elementwise.add(arithmetic.mul(x, 1 / 24), 1 / 6)), 0.5
            ),
        ),
        1.0,
    )
    out = logic.select_like(small, series, arithmetic.div(transcendental.expm1(safe), safe))
    return logic.select_like(logic.eq(x, math.inf), _number(math.inf, x), out)


def _cosm1(x: Value) -> Value:
    half = transcendental.sin(arithmetic.mul(x, 0.5))
    return arithmetic.mul(arithmetic.mul(half, half), -2.0)


def _exp10(x: Value) -> Value:
    return transcendental.pow_(_number(10, x), x)


def _huber(delta: Value, r: Value) -> Value:
    size = arithmetic.abs_(r)
    quadratic = arithmetic.mul(arithmetic.mul(r, r), 0.5)
    linear = arithmetic.mul(delta, arithmetic.sub(size, arithmetic.mul(delta, 0.5)))
    out = logic.select_like(logic.le(size, delta), quadratic, linear)
    return logic.select_like(logic.lt(delta, 0.0), _number(math.inf, delta), out)


def _pseudo_huber(delta: Value, r: Value) -> Value:
    ratio = arithmetic.div(r, delta)
    root = transcendental.sqrt(elementwise.add(arithmetic.mul(ratio, ratio), 1.0))
    # root - 1 without cancellation
    gap = arithmetic.div(arithmetic.mul(ratio, ratio), elementwise.add(root, 1.0))
    return arithmetic.mul(arithmetic.mul(delta, delta), gap)


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
    transcendental.logistic_p,
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
exp2 = special_function(
    ss.exp2, transcendental.exp2_p, "x", "Power of two", "[0.0, 3.0] -> Array([1., 8.])"
)
expm1 = special_function(
    ss.expm1,
    transcendental.expm1_p,
    "x",
    "``exp(x) - 1``, accurate near 0",
    "1e-20 -> Array(1.e-20)",
)
log1p = special_function(
    ss.log1p,
    transcendental.log1p_p,
    "x",
    "``log(1 + x)``, accurate near 0",
    "1e-20 -> Array(1.e-20)",
)
cbrt = special_function(
    ss.cbrt, transcendental.cbrt_p, "x", "Cube root", "[-8.0, 27.0] -> Array([-2.,  3.])"
)
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
