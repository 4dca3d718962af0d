"""The gamma distribution and those made of it.

Draws are differentiable in their parameters, by implicit reparameterisation (see
`fxla.ops.sampling`), once.
"""

from __future__ import annotations

from typing import Any

from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.arithmetic import abs_, div, maximum, mul, sub
from fxla.ops.elementwise import add
from fxla.ops.reduce import reduce_max
from fxla.ops.sampling import log_gamma_sample
from fxla.ops.structure import broadcast_to, expand_dims, reduce_sum
from fxla.ops.transcendental import exp, pow_, sqrt
from fxla.random.arguments import (
    as_value,
    check_key,
    float_dtype,
    parameter,
    shape_of_draw,
    shape_tuple,
)
from fxla.random.basic import rademacher
from fxla.random.continuous import exponential
from fxla.random.normals import key_pair, normal

__all__ = [
    "ball",
    "beta",
    "chisquare",
    "dirichlet",
    "f",
    "gamma",
    "generalized_normal",
    "loggamma",
    "t",
]


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Value:
    """Logarithms of gamma numbers, exact where the number itself would underflow.

    Args:
        key: u32[2].
        a: shape parameter of the distribution, positive; broadcasts to `shape`.
        shape: of the result; default: that of `a`.
        dtype: floating; default: the default float.

    Example:
        >>> from fxla import random
        >>> bool(random.loggamma(random.key(0), 1e-5) < -700)
        True
    """
    a, dtype = as_value(a), float_dtype(dtype, "loggamma")
    sizes = shape_of_draw(shape, "loggamma", a)
    return log_gamma_sample(check_key(key, "loggamma"), parameter(a, dtype, sizes))


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Gamma numbers: density :math:`x^{a-1} e^{-x} / \Gamma(a)` for x > 0.

    Args:
        key: u32[2].
        a: shape parameter of the distribution, positive; broadcasts to `shape`.
        shape: of the result; default: that of `a`.
        dtype: floating; default: the default float.

    Example:
        >>> from fxla import random
        >>> round(float(random.gamma(random.key(0), 3.0, (10000,)).mean()))
        3
    """
    return exp(loggamma(key, a, shape, dtype))


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Beta numbers: density proportional to :math:`x^{a-1} (1-x)^{b-1}` on (0, 1).

    Example:
        >>> from fxla import random
        >>> round(float(random.beta(random.key(0), 2.0, 2.0, (10000,)).mean()), 1)
        0.5
    """
    a, b, dtype = as_value(a), as_value(b), float_dtype(dtype, "beta")
    sizes = shape_of_draw(shape, "beta", a, b)
    first, second = key_pair(key, "beta")
    x, y = loggamma(first, a, sizes, dtype), loggamma(second, b, sizes, dtype)
    largest = maximum(x, y)
    x, y = exp(sub(x, largest)), exp(sub(y, largest))
    return div(x, add(x, y))


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Dirichlet vectors: density proportional to :math:`\prod_i x_i^{\alpha_i - 1}`, sum 1.

    Args:
        key: u32[2].
        alpha: [..., n], positive.
        shape: of the batch of vectors; default: ``alpha.shape[:-1]``.
        dtype: floating; default: the default float.

    Returns:
        [*shape, n].

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> round(float(random.dirichlet(random.key(0), np.ones(4)).sum()), 6)
        1.0
    """
    alpha, dtype = as_value(alpha), float_dtype(dtype, "dirichlet")
    given = typeof(alpha)
    if not given.shape:
        raise ShapeError(
            f"random.dirichlet: alpha must have an axis of categories, got {given}{where_am_i()}"
        )
    lead = given.shape[:-1] if shape is None else shape_tuple(shape, "dirichlet")
    x = loggamma(key, alpha, (*lead, given.shape[-1]), dtype)
    axis = len(lead)
    sizes = typeof(x).shape

    def along(v: Value) -> Value:
        return broadcast_to(expand_dims(v, (axis,)), sizes)

    x = exp(sub(x, along(reduce_max(x, (axis,)))))
    return div(x, along(reduce_sum(x, (axis,))))


def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None) -> Value:
    """Chi-square numbers with `df` degrees of freedom: twice gamma numbers for ``df / 2``.

    Example:
        >>> from fxla import random
        >>> round(float(random.chisquare(random.key(0), 5.0, (20000,)).mean()))
        5
    """
    df, dtype = as_value(df), float_dtype(dtype, "chisquare")
    sizes = shape_of_draw(shape, "chisquare", df)
    return mul(gamma(key, mul(parameter(df, dtype, sizes), 0.5), sizes, dtype), 2.0)


def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None) -> Value:
    """F numbers: the ratio of two chi-square numbers, each over its degrees of freedom.

    Example:
        >>> from fxla import random
        >>> bool((random.f(random.key(0), 3.0, 4.0, (10,)) > 0).all())
        True
    """
    dfnum, dfden, dtype = as_value(dfnum), as_value(dfden), float_dtype(dtype, "f")
    sizes = shape_of_draw(shape, "f", dfnum, dfden)
    first, second = key_pair(key, "f")
    above = div(chisquare(second, dfnum, sizes, dtype), parameter(dfnum, dtype, sizes))
    below = div(chisquare(first, dfden, sizes, dtype), parameter(dfden, dtype, sizes))
    return div(above, below)


def t(key: Any, df: Any, shape: Any = (), dtype: Any = None) -> Value:
    """Student t numbers with `df` degrees of freedom.

    Example:
        >>> from fxla import random
        >>> random.t(random.key(0), 3.0, (4,)).shape
        (4,)
    """
    df, dtype = as_value(df), float_dtype(dtype, "t")
    sizes = shape_of_draw(shape if shape != () else None, "t", df)
    first, second = key_pair(key, "t")
    half = mul(parameter(df, dtype, sizes), 0.5)
    return mul(normal(first, sizes, dtype), sqrt(div(half, gamma(second, half, sizes, dtype))))


def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None) -> Value:
    r"""Numbers of density proportional to :math:`e^{-|x|^p}`.

    Example:
        >>> from fxla import random
        >>> random.generalized_normal(random.key(0), 1.5, (4,)).shape
        (4,)
    """
    p, dtype = as_value(p), float_dtype(dtype, "generalized_normal")
    sizes = shape_of_draw(shape, "generalized_normal", p)
    first, second = key_pair(key, "generalized_normal")
    inverse = div(1.0, parameter(p, dtype, sizes))
    size = exp(mul(loggamma(first, inverse, sizes, dtype), inverse))
    return mul(rademacher(second, sizes, dtype), size)


def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None) -> Value:
    """Points uniform in the unit ball of the p-norm (Barthe et al., arXiv:math/0503650).

    Args:
        key: u32[2].
        d: number of dimensions.
        p: exponent of the norm; a number.
        shape: of the batch of points.
        dtype: floating; default: the default float.

    Returns:
        [*shape, d].

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> x = random.ball(random.key(0), 3, shape=(100,))
        >>> bool((np.linalg.norm(x, axis=-1) <= 1).all())
        True
    """
    dtype, sizes = float_dtype(dtype, "ball"), shape_tuple(shape, "ball")
    first, second = key_pair(key, "ball")
    g = generalized_normal(first, p, (*sizes, d), dtype)
    e = exponential(second, sizes, dtype)
    axis = len(sizes)
    power = reduce_sum(pow_(abs_(g), parameter(as_value(p), dtype, (*sizes, d))), (axis,))
    inverse = div(1.0, parameter(as_value(p), dtype, sizes))
    radius = pow_(add(power, e), inverse)
    return div(g, broadcast_to(expand_dims(radius, (axis,)), (*sizes, d)))
