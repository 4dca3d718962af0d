"""Distributions of counts: Poisson, binomial, geometric, multinomial.

They are drawn in float64: a narrower float cannot hold large counts. They have no derivative.
"""

from __future__ import annotations

from typing import Any

from fxla.core.dtypes import float64
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.arithmetic import div, floor, maximum, minimum, neg, sub
from fxla.ops.casts import convert
from fxla.ops.cumulative import cumsum
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, isnan_p, select
from fxla.ops.sampling import binomial_sample, poisson_sample
from fxla.ops.shape import slice_in_dim, stack
from fxla.ops.structure import broadcast_to, reshape
from fxla.ops.transcendental import log, log1p
from fxla.random.arguments import (
    as_value,
    check_key,
    float_dtype,
    integer_dtype,
    parameter,
    parameter_dtype,
    shape_of_draw,
    shape_tuple,
)
from fxla.random.basic import unit_uniform
from fxla.random.keys import split

__all__ = ["binomial", "geometric", "multinomial", "poisson"]


def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Poisson counts: probabilities :math:`\lambda^k e^{-\lambda} / k!`.

    Args:
        key: u32[2].
        lam: mean; broadcasts to `shape`.
        shape: of the result; default: that of `lam`.
        dtype: integer; default int64. A mean that is negative, infinite or NaN gives -1.

    Example:
        >>> from fxla import random
        >>> round(float(random.poisson(random.key(0), 4.0, (10000,)).mean()))
        4
    """
    lam, dtype = as_value(lam), integer_dtype(dtype, "poisson")
    sizes = shape_of_draw(shape, "poisson", lam)
    drawn = poisson_sample(check_key(key, "poisson"), parameter(lam, float64, sizes))
    return convert(select(isnan_p.bind1(drawn), -1.0, drawn), dtype)


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Binomial counts: probabilities :math:`\binom{n}{k} p^k (1-p)^{n-k}`.

    Args:
        key: u32[2].
        n: trials; broadcasts to `shape`.
        p: probability of success; broadcasts to `shape`.
        shape: of the result; default: the common shape of `n` and `p`.
        dtype: floating; default: the default float. Parameters out of range give NaN.

    Example:
        >>> from fxla import random
        >>> round(float(random.binomial(random.key(0), 10, 0.5, (10000,)).mean()))
        5
    """
    n, p, dtype = as_value(n), as_value(p), float_dtype(dtype, "binomial")
    sizes = shape_of_draw(shape, "binomial", n, p)
    key = check_key(key, "binomial")
    drawn = binomial_sample(key, parameter(n, float64, sizes), parameter(p, float64, sizes))
    return convert(drawn, dtype)


def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = None) -> Value:
    r"""Trials to the first success: probabilities :math:`(1-p)^{k-1} p` for k >= 1.

    Args:
        key: u32[2].
        p: probability of success; broadcasts to `shape`.
        shape: of the result; default: that of `p`.
        dtype: integer; default int64.

    Example:
        >>> from fxla import random
        >>> round(float(random.geometric(random.key(0), 0.25, (20000,)).mean()))
        4
    """
    p, dtype = as_value(p), integer_dtype(dtype, "geometric")
    sizes = shape_of_draw(shape, "geometric", p)
    work = parameter_dtype(p)
    u = unit_uniform(check_key(key, "geometric"), sizes, work)
    u = select(eq(u, 0.0), 1.0, u)
    failures = floor(div(log(u), log1p(neg(parameter(p, work, sizes)))))
    return convert(add(failures, 1.0), dtype)


def multinomial(
    key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None, unroll: int | bool = 1
) -> Value:
    """How often each category comes in n draws: one binomial count after the other.

    Args:
        key: u32[2].
        n: number of draws; broadcasts to ``shape[:-1]``.
        p: [..., k], probabilities of the categories; they need not be normalised.
        shape: of the result, categories last; default: that of `p`.
        dtype: floating; default: the default float.
        unroll: accepted for compatibility with JAX.

    Returns:
        Counts of the shape asked for, which add up to n.

    Example:
        >>> import numpy as np
        >>> from fxla import random
        >>> float(random.multinomial(random.key(0), 10, np.array([0.2, 0.3, 0.5])).sum())
        10.0
    """
    del unroll
    n, p, dtype = as_value(n), as_value(p), float_dtype(dtype, "multinomial")
    key = check_key(key, "multinomial")
    given = typeof(p)
    if not given.shape:
        raise ShapeError(
            f"random.multinomial: p must have an axis of categories, got {given}{where_am_i()}"
        )
    sizes = given.shape if shape is None else shape_tuple(shape, "multinomial")
    k, last, lead = sizes[-1], len(sizes) - 1, sizes[:-1]
    p = broadcast_to(convert(p, float64), sizes)
    remaining = cumsum(p, last, reverse=True)
    safe = select(eq(remaining, 0.0), 1.0, remaining)
    ratios = minimum(maximum(div(p, safe), 0.0), 1.0)
    left = broadcast_to(convert(n, float64), lead)
    keys = split(key, k)
    counts = []
    for i in range(k):
        own = reshape(slice_in_dim(keys, i, i + 1), (2,))
        ratio = reshape(slice_in_dim(ratios, i, i + 1, axis=last), lead)
        drawn = binomial_sample(own, left, ratio)
        left = sub(left, drawn)
        counts.append(drawn)
    return convert(stack(counts, last), dtype)
