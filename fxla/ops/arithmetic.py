"""Arithmetic: products, quotients, extremes, rounding, and the parts of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.core.dtypes import complex_dtype, is_complex, real_dtype
from fxla.core.primitive import is_linear
from fxla.core.trace import Value, typeof
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.scalar import SCALAR_OPS
from fxla.ops.elementwise import (
    COMPLEX,
    REAL,
    Elementwise,
    Rule,
    ScalarRule,
    function_of,
    one_like,
    passed_on,
    silent,
)
from fxla.ops.logic import eq, select_like
from fxla.ops.structure import full


def _mul_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, ...]:
    if is_linear(x) and is_linear(y):
        return None, None
    return (mul(ct, y), None) if is_linear(x) else (None, mul(x, ct))


def _half_at_tie(t: Any, x: Any, y: Any, wins: Any) -> Value:
    """The tangent where `x` wins, half of it at a tie: the mean of the one-sided derivatives."""
    dtype = typeof(t).dtype
    half = select_like(eq(x, y), np.asarray(0.5, dtype)[()], np.asarray(1.0, dtype)[()])
    return mul(t, select_like(wins, half, np.asarray(0.0, dtype)[()]))


sub_p = Elementwise(
    "sub", "iufc", silent(np.subtract),
    jvp=[passed_on, lambda t, out, x, y: neg(t)], transpose=lambda ct, x, y: (ct, neg(ct)),
)  # fmt: skip
mul_p = Elementwise(
    "mul", "biufc", silent(np.multiply),
    jvp=[lambda t, out, x, y: mul(t, y), lambda t, out, x, y: mul(x, t)],
    transpose=_mul_transpose,
)  # fmt: skip
div_p = Elementwise(
    "div", "fc", silent(np.true_divide),
    jvp=[lambda t, out, x, y: div(t, y), lambda t, out, x, y: neg(mul(div(out, y), t))],
    transpose=lambda ct, x, y: (None if is_linear(y) else div(ct, y), None),
)  # fmt: skip
neg_p = Elementwise(
    "neg", "iufc", np.negative,
    jvp=[lambda t, out, x: neg(t)], transpose=lambda ct, x: (neg(ct),),
)  # fmt: skip
floordiv_p = Elementwise("floor_divide", "iuf", silent(np.floor_divide), "floordiv",
                         jvp=[None, None])  # fmt: skip
mod_p = Elementwise(
    "remainder", "iuf", silent(np.remainder), "mod",
    jvp=[passed_on, lambda t, out, x, y: neg(mul(t, floordiv(x, y)))],
)  # fmt: skip
fmod_p = Elementwise(
    "rem", "iuf", silent(np.fmod), "fmod",
    jvp=[passed_on, lambda t, out, x, y: neg(mul(t, trunc(div(x, y))))],
)  # fmt: skip
truncdiv_p = Elementwise(
    "truncated_div", "iu", SCALAR_OPS["truncdiv"].reference, "truncdiv", jvp=[None, None]
)
maximum_p = Elementwise(
    "max", "biuf", np.maximum, "maximum",
    jvp=[
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(x, out)),
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(y, out)),
    ],
)  # fmt: skip
minimum_p = Elementwise(
    "min", "biuf", np.minimum, "minimum",
    jvp=[
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(x, out)),
        lambda t, out, x, y: _half_at_tie(t, x, y, eq(y, out)),
    ],
)  # fmt: skip
sub: Rule = function_of(sub_p)
mul: Rule = function_of(mul_p)
div: Rule = function_of(div_p)
neg: Rule = function_of(neg_p)
floordiv: Rule = function_of(floordiv_p)
mod: Rule = function_of(mod_p)
fmod: Rule = function_of(fmod_p)
maximum: Rule = function_of(maximum_p)
minimum: Rule = function_of(minimum_p)


def _abs_scalar(x: Expr) -> Expr:
    if not is_complex(x.dtype):
        return scalar.op("abs", x.dtype, x)
    real = real_dtype(x.dtype)
    return scalar.op("hypot", real, scalar.op("real", real, x), scalar.op("imag", real, x))


def _abs_jvp(t: Any, out: Any, x: Any) -> Value:
    if not is_complex(typeof(x).dtype):
        return mul(t, sign(x))
    safe = select_like(eq(out, 0), one_like(out), out)
    return div(real(mul(conj(x), t)), safe)


def _sign_impl(x: Any) -> Any:
    return np.sign(x)


abs_p = Elementwise("abs", "iufc", np.abs, _abs_scalar, jvp=[_abs_jvp], result=REAL)
sign_p = Elementwise("sign", "iuf", _sign_impl, jvp=[None])
copysign_p = Elementwise(
    "copysign", "f", np.copysign,
    jvp=[lambda t, out, x, y: mul(t, mul(sign(x), copysign(one_like(x), y))), None],
)  # fmt: skip
nextafter_p = Elementwise("nextafter", "f", np.nextafter, jvp=[passed_on, None])
abs_: Rule = function_of(abs_p)
sign: Rule = function_of(sign_p)
copysign: Rule = function_of(copysign_p)

# --- rounding -------------------------------------------------------------------------------

floor_p = Elementwise("floor", "f", np.floor, jvp=[None])
ceil_p = Elementwise("ceil", "f", np.ceil, jvp=[None])
trunc_p = Elementwise("trunc", "f", np.trunc, jvp=[None])
rint_p = Elementwise("round_nearest_even", "f", np.rint, "rint", jvp=[None])
trunc: Rule = function_of(trunc_p)
floor: Rule = function_of(floor_p)

# --- complex numbers ------------------------------------------------------------------------


def _part(name: str) -> ScalarRule:
    return lambda x: scalar.op(name, real_dtype(x.dtype), x)


def _complex_impl(x: Any, y: Any) -> Any:
    dtype = complex_dtype(np.asarray(x).dtype)
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype)
    out.real, out.imag = x, y
    return out


def _complex_scalar(x: Expr, y: Expr) -> Expr:
    return scalar.op("complex", complex_dtype(x.dtype), x, y)


real_p = Elementwise(
    "real", "c", np.real, _part("real"), result=REAL,
    jvp=[lambda t, out, x: real(t)],
    transpose=lambda ct, x: (complex_(ct, full(typeof(ct).shape, 0, typeof(ct).dtype)),),
)  # fmt: skip
imag_p = Elementwise(
    "imag", "c", np.imag, _part("imag"), result=REAL,
    jvp=[lambda t, out, x: imag(t)],
    transpose=lambda ct, x: (complex_(full(typeof(ct).shape, 0, typeof(ct).dtype), neg(ct)),),
)  # fmt: skip
conj_p = Elementwise(
    "conj", "c", np.conj,
    jvp=[lambda t, out, x: conj(t)], transpose=lambda ct, x: (conj(ct),),
)  # fmt: skip
complex_p = Elementwise(
    "complex", "f", _complex_impl, _complex_scalar, result=COMPLEX,
    jvp=[
        lambda t, out, x, y: complex_(t, mul(t, 0.0)),
        lambda t, out, x, y: complex_(mul(t, 0.0), t),
    ],
    transpose=lambda ct, x, y: (real(ct), neg(imag(ct))),
)  # fmt: skip
real: Rule = function_of(real_p)
imag: Rule = function_of(imag_p)
conj: Rule = function_of(conj_p)
complex_: Rule = function_of(complex_p)
