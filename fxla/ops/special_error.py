"""Relatives of the error function and of the exponential integral, and other integrals."""

from __future__ import annotations

import math

from fxla.core.trace import Value, typeof
from fxla.ops import special_series as series
from fxla.ops.arithmetic import div, mul, neg, sub
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, select_like
from fxla.ops.scipy_call import SciPyCall, no_derivative
from fxla.ops.transcendental import cos, erf, exp, log, sin

__all__ = [
    "ci_p",
    "dawsn_p",
    "erfcinv_p",
    "erfcx_p",
    "exp1_p",
    "expi_p",
    "expn_p",
    "fresnel_c_p",
    "fresnel_s_p",
    "log_ndtr_p",
    "ndtri_p",
    "owens_t_p",
    "si_p",
    "spence_p",
    "wofz_p",
]

_ROOT_PI = math.sqrt(math.pi)


def _one(x: Value) -> Value:
    return typeof(x).dtype.type(1)


def _half_square(x: Value) -> Value:
    return mul(mul(x, x), 0.5)


# --- error functions ------------------------------------------------------------------------

log_ndtr_p: SciPyCall = SciPyCall(
    "log_ndtr",
    [lambda t, out, x: mul(t, exp(sub(-0.5 * math.log(2 * math.pi), add(_half_square(x), out))))],
    scalar=series.log_ndtr,
)
ndtri_p: SciPyCall = SciPyCall(
    "ndtri",
    [lambda t, out, p: mul(t, mul(exp(_half_square(out)), math.sqrt(2 * math.pi)))],
    scalar=series.ndtri,
)
erfcinv_p: SciPyCall = SciPyCall(
    "erfcinv",
    [lambda t, out, p: mul(t, mul(exp(mul(out, out)), -_ROOT_PI / 2))],
    scalar=series.erfcinv,
)
erfcx_p: SciPyCall = SciPyCall(
    "erfcx", [lambda t, out, x: mul(t, sub(mul(mul(x, out), 2.0), 2 / _ROOT_PI))]
)
dawsn_p: SciPyCall = SciPyCall("dawsn", [lambda t, out, x: mul(t, sub(1.0, mul(mul(x, out), 2.0)))])


def _wofz(t: Value, out: Value, z: Value) -> Value:
    """w' = 2i / sqrt(pi) - 2 z w."""
    constant = typeof(z).dtype.type(2j / _ROOT_PI)
    return mul(t, sub(constant, mul(mul(z, out), typeof(z).dtype.type(2))))


wofz_p: SciPyCall = SciPyCall("wofz", [_wofz], kinds="c")
owens_t_p: SciPyCall = SciPyCall(
    "owens_t",
    [
        lambda t, out, h, a: mul(
            t,
            mul(
                mul(exp(neg(_half_square(h))), erf(mul(mul(h, a), math.sqrt(0.5)))),
                -0.5 / math.sqrt(2 * math.pi),
            ),
        ),
        lambda t, out, h, a: mul(
            t,
            mul(
                div(exp(neg(mul(_half_square(h), add(mul(a, a), 1.0)))), add(mul(a, a), 1.0)),
                0.5 / math.pi,
            ),
        ),
    ],
)

# --- exponential integrals ------------------------------------------------------------------

exp1_p: SciPyCall = SciPyCall("exp1", [lambda t, out, x: neg(mul(t, div(exp(neg(x)), x)))])
expi_p: SciPyCall = SciPyCall("expi", [lambda t, out, x: mul(t, div(exp(x), x))])
expn_p: SciPyCall = SciPyCall(
    "expn",
    [
        no_derivative("expn", "order"),
        lambda t, out, n, x: neg(mul(t, expn_p.bind1(sub(n, 1.0), x))),
    ],
)


def _spence(t: Value, out: Value, x: Value) -> Value:
    """log(x) / (1 - x), and -1 at 1."""
    near = eq(x, 1.0)
    safe = select_like(near, typeof(x).dtype.type(2), x)
    return mul(t, select_like(near, neg(_one(x)), div(log(safe), sub(1.0, safe))))


spence_p: SciPyCall = SciPyCall("spence", [_spence])

# --- sine, cosine and Fresnel integrals -----------------------------------------------------


def _si(t: Value, out: Value, x: Value) -> Value:
    zero = eq(x, 0.0)
    safe = select_like(zero, _one(x), x)
    return mul(t, select_like(zero, _one(x), div(sin(safe), safe)))


si_p: SciPyCall = SciPyCall("sici", [_si], name="si", part=0)
ci_p: SciPyCall = SciPyCall("sici", [lambda t, out, x: mul(t, div(cos(x), x))], name="ci", part=1)


def _quarter_turns(z: Value) -> Value:
    return mul(mul(z, z), math.pi / 2)


def _fresnel_s(t: Value, out: Value, z: Value) -> Value:
    return mul(t, sin(_quarter_turns(z)))


def _fresnel_c(t: Value, out: Value, z: Value) -> Value:
    return mul(t, cos(_quarter_turns(z)))


fresnel_s_p: SciPyCall = SciPyCall("fresnel", [_fresnel_s], name="fresnel_s", part=0, kinds="fc")
fresnel_c_p: SciPyCall = SciPyCall("fresnel", [_fresnel_c], name="fresnel_c", part=1, kinds="fc")
