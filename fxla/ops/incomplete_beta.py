"""Derivatives of the incomplete beta function by its two parameters.

With B the beta function and x below the mean of the distribution,

    I(a, b, x) = x^a (1 - x)^b / (a B(a, b)) * S,   S = sum of T_n,
    T_n = product over k < n of x (a + b + k) / (a + 1 + k),

so that d log I / da and d log I / db are logarithms and digamma functions, plus means of harmonic
sums weighted by T_n. All terms are positive. Above the mean I(a, b, x) = 1 - I(b, a, 1 - x).
(DLMF 8.17.8.)
"""

from __future__ import annotations

from typing import Any

from fxla.core.dtypes import float64
from fxla.core.trace import Value, typeof
from fxla.ops.arithmetic import div, mul, neg, sub
from fxla.ops.casts import convert
from fxla.ops.element_loop import ElementLoop
from fxla.ops.elementwise import add
from fxla.ops.logic import and_, gt, le, lt, not_, select_like
from fxla.ops.structure import broadcast_in_dim
from fxla.ops.transcendental import digamma, log, log1p

__all__ = ["alike", "betainc_slopes"]

_MOST_TERMS = 1e6


def _start(a: Value, b: Value, x: Value) -> tuple[Value, ...]:
    """(mean of H, S, sum of T H, T, H, n); H is the harmonic sum of the derivative asked for."""
    zero = mul(x, 0.0)
    one = add(zero, 1.0)
    return zero, one, zero, one, zero, zero


def _advance(state: Any, a: Value, b: Value, x: Value, harmonic: Value) -> Any:
    _, s, weighted, term, _, n = state
    above, below = add(add(a, b), n), add(add(a, 1.0), n)
    term = mul(term, div(mul(x, above), below))
    n = add(n, 1.0)
    s, weighted = add(s, term), add(weighted, mul(term, harmonic))
    left = gt(mul(term, add(n, 1.0)), mul(s, 1e-18))
    going = and_(left, lt(n, _MOST_TERMS))
    return (div(weighted, s), s, weighted, term, harmonic, n), not_(going)


def _step_a(state: Any, a: Value, b: Value, x: Value) -> Any:
    n = state[5]
    above, below = add(add(a, b), n), add(add(a, 1.0), n)
    # 1 / above - 1 / below, which is negative where b > 1
    gap = div(sub(1.0, b), mul(above, below))
    return _advance(state, a, b, x, add(state[4], gap))


def _step_b(state: Any, a: Value, b: Value, x: Value) -> Any:
    return _advance(state, a, b, x, add(state[4], div(1.0, add(add(a, b), state[5]))))


_mean_a_p = ElementLoop("betainc_mean_a", 3, _start, _step_a, random=False)
_mean_b_p = ElementLoop("betainc_mean_b", 3, _start, _step_b, random=False)


def _log_slope_a(a: Value, b: Value, x: Value) -> Value:
    constant = sub(sub(digamma(add(a, b)), digamma(a)), div(1.0, a))
    return add(add(log(x), constant), _mean_a_p.bind1(a, b, x))


def _log_slope_b(a: Value, b: Value, x: Value) -> Value:
    constant = sub(digamma(add(a, b)), digamma(b))
    return add(add(log1p(neg(x)), constant), _mean_b_p.bind1(a, b, x))


def alike(*xs: Value) -> list[Value]:
    """Operands that all have the shape of the largest; the others are of rank 0."""
    shape: tuple[int, ...] = max((typeof(x).shape for x in xs), key=len)
    return [x if typeof(x).shape == shape else broadcast_in_dim(x, shape, ()) for x in xs]


def betainc_slopes(a: Value, b: Value, x: Value, lower: Value, upper: Value) -> tuple[Value, Value]:
    """The derivatives of I(a, b, x) by a and by b.

    Args:
        a: positive.
        b: positive.
        x: in [0, 1].
        lower: I(a, b, x).
        upper: 1 - I(a, b, x), not computed by that subtraction.
    """
    dtype = typeof(a).dtype
    given = alike(a, b, x, lower, upper)
    a, b, x, lower, upper = [convert(v, float64) for v in given]
    inside = and_(gt(x, 0.0), lt(x, 1.0))
    x = select_like(inside, x, float64.type(0.5))
    near = le(x, div(add(a, 1.0), add(add(a, b), 2.0)))
    p, q = select_like(near, a, b), select_like(near, b, a)
    y = select_like(near, x, sub(1.0, x))
    by_p, by_q = _log_slope_a(p, q, y), _log_slope_b(p, q, y)
    whole = select_like(near, lower, neg(upper))
    found = []
    for slope in (select_like(near, by_p, by_q), select_like(near, by_q, by_p)):
        value = select_like(inside, mul(whole, slope), float64.type(0.0))
        found.append(convert(value, dtype))
    return found[0], found[1]
