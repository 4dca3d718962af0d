"""Special functions of JAX's `lax`, elementwise on operands of one shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import int64, is_floating
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import DtypeError
from fxla.lax.elementwise import digamma, matched
from fxla.lax.gamma import random_gamma_grad
from fxla.ops import special_bessel as bessel
from fxla.ops import special_gamma as gamma
from fxla.ops.arithmetic import mul, neg, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, select
from fxla.ops.scipy_call import SciPyCall
from fxla.ops.structure import full
from fxla.ops.transcendental import exp, lgamma_p, log

__all__ = [
    "bessel_i0e",
    "bessel_i1e",
    "betainc",
    "igamma",
    "igamma_grad_a",
    "igammac",
    "polygamma",
    "zeta",
]


def _floats(call: str, *xs: Any) -> list[Value]:
    """Operands of one floating dtype; Python numbers take that of the others."""
    found = matched(*[np.float64(x) if type(x) is int else x for x in xs])
    for x in found:
        if not is_floating(typeof(x).dtype):
            raise DtypeError(f"lax.{call}: takes floating operands, got {typeof(x)}{where_am_i()}")
    return found


def _apply(call: str, primitive: SciPyCall, *xs: Any) -> Value:
    return primitive.bind1(*_floats(call, *xs))


def igamma(a: Any, x: Any) -> Value:
    """The regularised lower incomplete gamma function P(a, x).

    Args:
        a: positive.
        x: not negative, of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.igamma(1.0, 1.0)
        Array(0.63212056)
    """
    return _apply("igamma", gamma.gammainc_p, a, x)


def igammac(a: Any, x: Any) -> Value:
    """The regularised upper incomplete gamma function, ``1 - igamma(a, x)``.

    Args:
        a: positive.
        x: not negative, of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.igammac(1.0, 1.0)
        Array(0.36787944)
    """
    return _apply("igammac", gamma.gammaincc_p, a, x)


def igamma_grad_a(a: Any, x: Any) -> Value:
    """The derivative of `igamma` by its parameter a.

    It is ``-p(x) dx/da``, with p the density of the gamma distribution and dx/da what
    `random_gamma_grad` gives.

    Args:
        a: positive.
        x: positive, of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.igamma_grad_a(1.0, 1.0)
        Array(-0.43172971)
    """
    a, x = _floats("igamma_grad_a", a, x)
    power = mul(sub(a, _full_like(a, 1)), log(x))
    density = exp(sub(sub(power, x), lgamma_p.bind1(a)))
    return neg(mul(density, random_gamma_grad(a, x)))


def betainc(a: Any, b: Any, x: Any) -> Value:
    """The regularised incomplete beta function I_x(a, b).

    Args:
        a: positive.
        b: positive, of the same type.
        x: between 0 and 1, of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.betainc(1.0, 1.0, 0.25)
        Array(0.25)
    """
    return _apply("betainc", gamma.betainc_p, a, b, x)


def bessel_i0e(x: Any) -> Value:
    """The modified Bessel function of order 0, times ``exp(-abs(x))``.

    Example:
        >>> from fxla import lax
        >>> lax.bessel_i0e(0.0)
        Array(1.)
    """
    return _apply("bessel_i0e", bessel.i0e_p, x)


def bessel_i1e(x: Any) -> Value:
    """The modified Bessel function of order 1, times ``exp(-abs(x))``.

    Example:
        >>> from fxla import lax
        >>> lax.bessel_i1e(0.0)
        Array(0.)
    """
    return _apply("bessel_i1e", bessel.i1e_p, x)


def zeta(x: Any, q: Any) -> Value:
    """Hurwitz's zeta function, the sum of ``(k + q)**-x`` over k >= 0.

    Args:
        x: exponents, above 1.
        q: first terms, of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.zeta(2.0, 1.0)
        Array(1.64493407)
    """
    return _apply("zeta", bessel.zeta_p, x, q)


def polygamma(m: Any, x: Any) -> Value:
    """The m-th derivative of the digamma function, ``(-1)**(m + 1) m! zeta(m + 1, x)``.

    Args:
        m: whole numbers as floats.
        x: of the same type.

    Example:
        >>> from fxla import lax
        >>> lax.polygamma(1.0, 1.0)
        Array(1.64493407)
    """
    m, x = _floats("polygamma", m, x)
    dtype = typeof(m).dtype
    zeroth = eq(m, _full_like(m, 0))
    order = select(zeroth, _full_like(m, 1), m)
    above = add(order, _full_like(m, 1))
    half = mul(above, _full_like(m, 0.5))
    even = eq(half, convert(convert(half, int64), dtype))
    sign = select(even, _full_like(m, 1), _full_like(m, -1))
    found = mul(mul(sign, gamma.gamma_p.bind1(above)), bessel.zeta_p.bind1(above, x))
    return select(zeroth, digamma(x), found)


def _full_like(x: Value, value: float) -> Value:
    """A number in the shape and dtype of `x`."""
    return full(typeof(x).shape, value, typeof(x).dtype)
