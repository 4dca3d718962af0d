"""Bessel and hypergeometric functions, spherical harmonics."""

from __future__ import annotations

import operator
from typing import Any

import scipy.special as ss

import fxla.numpy as fnp
from fxla.numpy.dispatch import unsupported
from fxla.numpy.operands import as_value, as_values, broadcast_all, promote_inexact
from fxla.ops import special_bessel as bessel
from fxla.scipy.special.function import special_function

__all__ = [
    "bessel_jn",
    "hyp0f1",
    "hyp1f1",
    "hyp2f1",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "iv",
    "ive",
    "j0",
    "j1",
    "jn",
    "jv",
    "k0",
    "k0e",
    "k1",
    "k1e",
    "kn",
    "kv",
    "kve",
    "sph_harm_y",
    "y0",
    "y1",
    "yn",
    "yv",
]

_MODIFIED = "Modified Bessel function of the"
_FIXED = "; differentiable by the second operand"

j0 = special_function(
    ss.j0,
    bessel.j0_p,
    "x",
    "Bessel function of order 0",
    "[0.0, 1.0] -> Array([1.        , 0.76519769])",
)
j1 = special_function(
    ss.j1,
    bessel.j1_p,
    "x",
    "Bessel function of order 1",
    "[0.0, 1.0] -> Array([0.        , 0.44005059])",
)
y0 = special_function(
    ss.y0,
    bessel.y0_p,
    "x",
    "Bessel function of the second kind, order 0",
    "[1.0, 2.0] -> Array([0.08825696, 0.51037567])",
)
y1 = special_function(
    ss.y1,
    bessel.y1_p,
    "x",
    "Bessel function of the second kind, order 1",
    "[1.0, 2.0] -> Array([-0.78121282, -0.10703243])",
)
i0 = special_function(
    ss.i0,
    bessel.i0_p,
    "x",
    f"{_MODIFIED} first kind, order 0",
    "[0.0, 1.0] -> Array([1.        , 1.26606588])",
)
i0e = special_function(
    ss.i0e,
    bessel.i0e_p,
    "x",
    "``exp(-abs(x)) i0(x)``",
    "[0.0, 1e3] -> Array([1.        , 0.01261724])",
)
i1 = special_function(
    ss.i1,
    bessel.i1_p,
    "x",
    f"{_MODIFIED} first kind, order 1",
    "[0.0, 1.0] -> Array([0.       , 0.5651591])",
)
i1e = special_function(
    ss.i1e,
    bessel.i1e_p,
    "x",
    "``exp(-abs(x)) i1(x)``",
    "[0.0, 1e3] -> Array([0.        , 0.01261093])",
)
k0 = special_function(
    ss.k0,
    bessel.k0_p,
    "x",
    f"{_MODIFIED} second kind, order 0",
    "[1.0, 2.0] -> Array([0.42102444, 0.11389387])",
)
k0e = special_function(
    ss.k0e, bessel.k0e_p, "x", "``exp(x) k0(x)``", "[1.0, 1e3] -> Array([1.14446308, 0.03962832])"
)
k1 = special_function(
    ss.k1,
    bessel.k1_p,
    "x",
    f"{_MODIFIED} second kind, order 1",
    "[1.0, 2.0] -> Array([0.60190723, 0.13986588])",
)
k1e = special_function(
    ss.k1e, bessel.k1e_p, "x", "``exp(x) k1(x)``", "[1.0, 1e3] -> Array([1.63615349, 0.03964813])"
)
jv = special_function(
    ss.jv,
    bessel.jv_p,
    "v z",
    f"Bessel function of any order{_FIXED}",
    "2.5, [1.0, 2.0] -> Array([0.04949681, 0.22392453])",
)
jn = jv
yv = special_function(
    ss.yv,
    bessel.yv_p,
    "v z",
    f"Bessel function of the second kind{_FIXED}",
    "2.5, [1.0, 2.0] -> Array([-2.87638786, -0.82822063])",
)
yn = special_function(
    ss.yn,
    bessel.yv_p,
    "n x",
    f"Bessel function of the second kind, of integer order{_FIXED}",
    "2, [1.0, 2.0] -> Array([-1.65068261, -0.6174081 ])",
)
iv = special_function(
    ss.iv,
    bessel.iv_p,
    "v z",
    f"{_MODIFIED} first kind{_FIXED}",
    "2.5, [1.0, 2.0] -> Array([0.05709891, 0.39702708])",
)
ive = special_function(
    ss.ive,
    bessel.ive_p,
    "v z",
    f"``exp(-abs(z)) iv(v, z)``{_FIXED}",
    "2.5, [1.0, 1e3] -> Array([0.02100551, 0.01257785])",
)
kv = special_function(
    ss.kv,
    bessel.kv_p,
    "v z",
    f"{_MODIFIED} second kind{_FIXED}",
    "2.5, [1.0, 2.0] -> Array([3.22747953, 0.38979776])",
)
kn = special_function(
    ss.kn,
    bessel.kv_p,
    "n x",
    f"{_MODIFIED} second kind, of integer order{_FIXED}",
    "2, [1.0, 2.0] -> Array([1.6248389 , 0.25375975])",
)
kve = special_function(
    ss.kve,
    bessel.kve_p,
    "v z",
    f"``exp(z) kv(v, z)``{_FIXED}",
    "2.5, [1.0, 1e3] -> Array([8.77319896, 0.03975229])",
)
hyp0f1 = special_function(
    ss.hyp0f1,
    bessel.hyp0f1_p,
    "v z",
    f"Confluent hypergeometric limit function{_FIXED}",
    "1.5, 2.0 -> Array(2.9804061)",
)
hyp1f1 = special_function(
    ss.hyp1f1,
    bessel.hyp1f1_p,
    "a b x",
    "Kummer's confluent hypergeometric function; differentiable by x",
    "0.5, 1.5, 2.0 -> Array(2.36445389)",
)
hyp2f1 = special_function(
    ss.hyp2f1,
    bessel.hyp2f1_p,
    "a b c z",
    "Gauss's hypergeometric function; differentiable by z",
    "0.5, 1.0, 1.5, 0.25 -> Array(1.09861229)",
)


def sph_harm_y(
    n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None
) -> Any:
    """Spherical harmonics. See `scipy.special.sph_harm_y`.

    Args:
        n: degrees, whole numbers.
        m: orders, whole numbers from -n to n.
        theta: polar angles, from 0 to pi.
        phi: azimuthal angles.
        diff_n: must be None: derivatives by the angles are those of `jvp`.
        n_max: not needed; there for programs written for JAX.

    Example:
        >>> from fxla.scipy import special
        >>> special.sph_harm_y(1, 0, 0.0, 0.0)
        Array(0.48860251+0.j)
    """
    call = "special.sph_harm_y"
    if diff_n is not None:
        unsupported(call, "diff_n=", "Differentiate with `jvp` or `grad`.")
    del n_max
    counts = [fnp.asarray(x, float) for x in (n, m)]
    given = broadcast_all(call, *promote_inexact(call, *counts, *as_values(call, theta, phi)))
    return bessel.sph_harm_y_p.bind1(*given)


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Any:
    """Bessel functions of orders 0 to v, along a new first axis.

    Args:
        z: real numbers.
        v: the highest order.
        n_iter: not needed; there for programs written for JAX.

    Example:
        >>> from fxla.scipy import special
        >>> special.bessel_jn(1.0, v=2)
        Array([0.76519769, 0.44005059, 0.11490348])
    """
    del n_iter
    (value,) = promote_inexact("special.bessel_jn", as_value(z, "special.bessel_jn"))
    orders = range(operator.index(v) + 1)
    return fnp.stack([j0(value) if k == 0 else jv(float(k), value) for k in orders])
