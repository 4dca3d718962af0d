"""Elementwise functions: NumPy's and SciPy's values, compiled, batched, differentiated."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import fxla
from fxla import lax
from tests.lax.checks import agree, gradients_agree

X = np.array([0.1, 0.35, 0.5, 0.85])
SMOOTH = {
    "abs": np.abs, "acos": np.arccos, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atanh": np.arctanh, "cbrt": np.cbrt, "cos": np.cos, "cosh": np.cosh,
    "digamma": scipy.special.digamma, "erf": scipy.special.erf, "erf_inv": scipy.special.erfinv,
    "erfc": scipy.special.erfc, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "lgamma": scipy.special.gammaln, "log": np.log, "log1p": np.log1p,
    "logistic": scipy.special.expit, "neg": np.negative, "reciprocal": np.reciprocal,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt,
    "square": np.square, "tan": np.tan, "tanh": np.tanh,
}  # fmt: skip
STEPS = {"ceil": np.ceil, "floor": np.floor, "is_finite": np.isfinite, "sign": np.sign}
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "max": np.maximum,
    "min": np.minimum, "pow": np.power, "atan2": np.arctan2, "rem": np.fmod, "eq": np.equal,
    "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "nextafter": np.nextafter,
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth(name):
    f = getattr(lax, name)
    agree(f, SMOOTH[name], X, rtol=4e-15)
    gradients_agree(f, X, rtol=1e-7)


def test_acosh():
    agree(lax.acosh, np.arccosh, X + 1, rtol=4e-15)
    gradients_agree(lax.acosh, X + 1, rtol=1e-7)


@pytest.mark.parametrize("name", STEPS)
def test_steps(name):
    x = np.array([-1.5, -0.0, 2.0, 2.5])
    agree(getattr(lax, name), STEPS[name], x)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    f = getattr(lax, name)
    x, y = X, np.array([2.5, 0.35, 1.25, 0.2])
    agree(f, BINARY[name], x, y, rtol=1e-14)
    agree(lambda x: f(x, 0.35), lambda x: BINARY[name](x, 0.35), x, rtol=1e-14)
    y = y + 0.01 * (x == y)
    gradients_agree(f, x, y, rtol=1e-6)


def test_integers_and_bits():
    a, b = np.array([-7, 7, 6, 0]), np.array([2, -2, 3, 5])
    agree(lax.div, lambda a, b: np.trunc(a / b).astype(int), a, b)
    agree(lax.rem, np.fmod, a, b)
    agree(lax.bitwise_and, np.bitwise_and, a, b)
    agree(lax.bitwise_or, np.bitwise_or, a, b)
    agree(lax.bitwise_xor, np.bitwise_xor, a, b)
    agree(lax.bitwise_not, np.invert, a)
    shift = np.array([1, 2, 0, 3])
    agree(lax.shift_left, np.left_shift, a, shift)
    agree(lax.shift_right_arithmetic, np.right_shift, a, shift)
    logical = (a.astype(np.uint64) >> shift.astype(np.uint64)).astype(np.int64)
    agree(lax.shift_right_logical, lambda a, s: logical, a, shift)
    agree(
        lax.population_count,
        lambda a: np.array([bin(int(x) & (2**64 - 1)).count("1") for x in a]),
        a,
    )
    agree(lax.clz, lambda a: np.array([0, 61, 61, 64]), a)


def test_rounding():
    x = np.array([-2.5, -0.5, -0.2, 0.5, 1.5, 2.5, 2.6])
    agree(lax.round, lambda x: np.array([-3.0, -1, 0, 1, 2, 3, 3]), x)
    agree(lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), np.rint, x)


def test_powers():
    agree(lambda x: lax.integer_pow(x, -3), lambda x: x**-3.0, X, rtol=1e-14)
    agree(lambda x: lax.pow(x, np.arange(4)), lambda x: x ** np.arange(4), X, rtol=1e-14)
    gradients_agree(lambda x: lax.integer_pow(x, -3), X)


def test_complex_parts():
    z = lax.complex(X, -X)
    assert z.dtype == np.complex128
    agree(lax.complex, lambda x, y: x + 1j * y, X, -X)
    agree(lax.conj, np.conj, np.asarray(z))
    gradients_agree(lambda x, y: lax.real(lax.exp(lax.complex(x, y))), X, X)
    gradients_agree(lambda x, y: lax.imag(lax.exp(lax.complex(x, y))), X, X)


def test_choices():
    a, b, c = X, -X, X * 10
    which = np.array([0, 1, 2, 1])
    agree(lambda w: lax.select_n(w, a, b, c), lambda w: np.choose(w, [a, b, c]), which)
    mask = np.array([True, False, True, False])
    agree(lambda m: lax.select(m, a, b), lambda m: np.where(m, a, b), mask)
    agree(lambda m: lax.select_n(m, a, b), lambda m: np.where(m, b, a), mask)
    agree(lambda x: lax.clamp(0.3, x, 0.6), lambda x: np.clip(x, 0.3, 0.6), X)
    gradients_agree(lambda x: lax.clamp(0.3, x, 0.6), X)
    with pytest.raises(TypeError, match="boolean or integer"):
        lax.select_n(X, a, b)


def test_reduced_precision_is_that_of_small_floats():
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32) * 1000
    x[:4] = [np.inf, -np.inf, np.nan, 1e6]
    with np.errstate(over="ignore"):
        agree(lambda x: lax.reduce_precision(x, 5, 10),
              lambda x: x.astype(np.float16).astype(np.float32), x)  # fmt: skip
    bits = fxla.numpy.asarray(x).astype("bfloat16").astype("float32")
    np.testing.assert_array_equal(lax.reduce_precision(x, 8, 7), bits)


def test_conversions():
    agree(lambda x: lax.convert_element_type(x, "int32"), lambda x: x.astype(np.int32), X * 9)
    agree(lambda x: lax.bitcast_convert_type(x, "int64"), lambda x: x.view(np.int64), X)
    gradients_agree(lambda x: lax.convert_element_type(x, float) * 2, X)
