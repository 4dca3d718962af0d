"""Continuous distributions by inversion: a uniform number through an inverse distribution function.

All are differentiable in their parameters: by the derivative of that function at a fixed uniform
number.
"""

from __future__ import annotations

import math
from typing import Any

from fxla.core.dtypes import finfo_of
from fxla.core.trace import Value, where_am_i
from fxla.ops.arithmetic import abs_, div, mul, neg, sign, sub
from fxla.ops.elementwise import add
from fxla.ops.logic import le, lt, select
from fxla.ops.sampling import constant_p, implicit_wald_p
from fxla.ops.shape import slice_in_dim
from fxla.ops.structure import reshape
from fxla.ops.transcendental import exp, log, log1p, pow_, sqrt, tan_p
from fxla.random.arguments import (
    as_value,
    check_key,
    float_dtype,
    parameter,
    shape_of_draw,
    shape_tuple,
)
from fxla.random.basic import uniform, unit_uniform
from fxla.random.normals import key_pair, normal

__all__ = [
    "cauchy",
    "exponential",
    "gumbel",
    "laplace",
    "logistic",
    "pareto",
    "rayleigh",
    "triangular",
    "wald",
    "weibull_min",
]


def exponential(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Exponential numbers of rate 1: density :math:`e^{-x}` for x >= 0.

    Example:
        >>> from fxla import random
        >>> round(float(random.exponential(random.key(0), (10000,)).mean()), 1)
        1.0
    """
    key, dtype = check_key(key, "exponential"), float_dtype(dtype, "exponential")
    u = unit_uniform(key, shape_tuple(shape, "exponential"), dtype)
    return neg(log1p(neg(u)))


def gumbel(key: Any, shape: Any = (), dtype: Any = None, mode: str | None = None) -> Value:
    r"""Standard Gumbel numbers: distribution function :math:`e^{-e^{-x}}`.

    Args:
        key: u32[2].
        shape: of the result.
        dtype: floating; default: the default float.
        mode: ``"low"`` (default) uses one uniform number; ``"high"`` two, for a finer lower tail.

    Example:
        >>> from fxla import random
        >>> round(float(random.gumbel(random.key(0), (100000,)).mean()), 1)
        0.6
    """
    if mode not in (None, "low", "high", "highest"):
        raise ValueError(f"random.gumbel: mode must be 'low' or 'high', got {mode!r}{where_am_i()}")
    key, dtype = check_key(key, "gumbel"), float_dtype(dtype, "gumbel")
    sizes = shape_tuple(shape, "gumbel")
    info = finfo_of(dtype)
    tiny = float(info.tiny)
    if mode in (None, "low"):
        return neg(log(neg(log(uniform(key, sizes, dtype, tiny, 1.0)))))
    both = unit_uniform(key, (2, *sizes), dtype)
    coarse, fine = (reshape(slice_in_dim(both, i, i + 1), sizes) for i in (0, 1))
    finer = add(add(coarse, mul(fine, 2.0 ** -int(info.nmant))), tiny)
    x = select(lt(coarse, 0.5), finer, coarse)
    return neg(log(neg(log1p(neg(x)))))


def laplace(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Standard Laplace numbers: density :math:`e^{-|x|} / 2`.

    Example:
        >>> from fxla import random
        >>> round(float(abs(random.laplace(random.key(0), (10000,))).mean()), 1)
        1.0
    """
    key, dtype = check_key(key, "laplace"), float_dtype(dtype, "laplace")
    low = -1.0 + float(finfo_of(dtype).epsneg)
    u = uniform(key, shape_tuple(shape, "laplace"), dtype, low, 1.0)
    return mul(sign(u), log1p(neg(abs_(u))))


def logistic(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Standard logistic numbers: distribution function :math:`1 / (1 + e^{-x})`.

    Example:
        >>> from fxla import random
        >>> random.logistic(random.key(0), (3,)).shape
        (3,)
    """
    key, dtype = check_key(key, "logistic"), float_dtype(dtype, "logistic")
    tiny = float(finfo_of(dtype).tiny)
    u = uniform(key, shape_tuple(shape, "logistic"), dtype, tiny, 1.0)
    return sub(log(u), log1p(neg(u)))


def cauchy(key: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Standard Cauchy numbers: density :math:`1 / (\pi (1 + x^2))`.

    Example:
        >>> from fxla import random
        >>> random.cauchy(random.key(0), (3,)).shape
        (3,)
    """
    key, dtype = check_key(key, "cauchy"), float_dtype(dtype, "cauchy")
    eps = float(finfo_of(dtype).eps)
    u = uniform(key, shape_tuple(shape, "cauchy"), dtype, eps, 1.0)
    return tan_p.bind1(mul(sub(u, 0.5), math.pi))


def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Pareto numbers: density :math:`b x^{-b-1}` for x >= 1.

    Args:
        key: u32[2].
        b: exponent; broadcasts to `shape`.
        shape: of the result; default: that of `b`.
        dtype: floating; default: the default float.

    Example:
        >>> from fxla import random
        >>> bool((random.pareto(random.key(0), 3.0, (100,)) >= 1).all())
        True
    """
    b, dtype = as_value(b), float_dtype(dtype, "pareto")
    sizes = shape_of_draw(shape, "pareto", b)
    return exp(div(exponential(key, sizes, dtype), parameter(b, dtype, sizes)))


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = (), dtype: Any = None
) -> Value:
    r"""Weibull numbers: distribution function :math:`1 - e^{-(x / \mathrm{scale})^c}` for x >= 0.

    Example:
        >>> from fxla import random
        >>> random.weibull_min(random.key(0), 1.0, 2.0, (3,)).shape
        (3,)
    """
    scale, concentration = as_value(scale), as_value(concentration)
    key, dtype = check_key(key, "weibull_min"), float_dtype(dtype, "weibull_min")
    sizes = shape_of_draw(shape, "weibull_min", scale, concentration)
    e = exponential(key, sizes, dtype)
    power = div(1.0, parameter(concentration, dtype, sizes))
    return mul(pow_(e, power), parameter(scale, dtype, sizes))


def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Rayleigh numbers: density :math:`x / s^2 \, e^{-x^2 / (2 s^2)}` for x >= 0.

    Example:
        >>> from fxla import random
        >>> random.rayleigh(random.key(0), 2.0, (3,)).shape
        (3,)
    """
    scale, dtype = as_value(scale), float_dtype(dtype, "rayleigh")
    sizes = shape_of_draw(shape, "rayleigh", scale)
    # 1 - u instead of u: the logarithm of 0 is never taken.
    e = exponential(key, sizes, dtype)
    return mul(parameter(scale, dtype, sizes), sqrt(mul(e, 2.0)))


def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None
) -> Value:
    """Numbers whose density is a triangle over [left, right] with its peak at `mode`.

    Example:
        >>> from fxla import random
        >>> x = random.triangular(random.key(0), 0.0, 1.0, 3.0, (1000,))
        >>> bool(((0 <= x) & (x <= 3)).all())
        True
    """
    left, mode, right = as_value(left), as_value(mode), as_value(right)
    key, dtype = check_key(key, "triangular"), float_dtype(dtype, "triangular")
    sizes = shape_of_draw(shape, "triangular", left, mode, right)
    low, peak, high = (parameter(x, dtype, sizes) for x in (left, mode, right))
    width, rise, fall = sub(high, low), sub(peak, low), sub(high, peak)
    u = unit_uniform(key, sizes, dtype)
    below = add(low, sqrt(mul(mul(u, width), rise)))
    above = sub(high, sqrt(mul(mul(sub(1.0, u), width), fall)))
    return select(lt(u, div(rise, width)), below, above)


def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = None) -> Value:
    """Wald (inverse Gaussian) numbers of a mean and scale 1.

    By the transformation of Michael, Schucany and Haas (1976).

    Example:
        >>> from fxla import random
        >>> bool((random.wald(random.key(0), 2.0, (100,)) > 0).all())
        True
    """
    mean, dtype = as_value(mean), float_dtype(dtype, "wald")
    sizes = shape_of_draw(shape, "wald", mean)
    first, second = key_pair(key, "wald")
    given = parameter(mean, dtype, sizes)
    # Which of the two roots is taken depends on the mean: the derivative is implicit instead.
    m = constant_p.bind1(given)
    v = normal(first, sizes, dtype)
    z = unit_uniform(second, sizes, dtype)
    y = mul(v, v)
    my = mul(m, y)
    root = sqrt(add(mul(my, 4.0), mul(my, my)))
    # m + m (m y - root) / 2 without the difference of nearly equal numbers
    x = div(mul(m, 2.0), add(add(2.0, my), root))
    drawn = select(le(z, div(m, add(m, x))), x, div(mul(m, m), x))
    return implicit_wald_p.bind1(given, drawn)
