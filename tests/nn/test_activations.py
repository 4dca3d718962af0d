"""Activations: formulas in mpmath, derivatives by differences, behaviour at extremes and kinks."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn
from tests.lax.checks import forms_agree, gradients_agree

POINTS = np.array([-30.0, -6.5, -3.2, -1.3, -0.4, 0.3, 0.7, 1.6, 2.9, 3.3, 7.1, 30.0])


def _elu(x, alpha=1):
    return x if x > 0 else alpha * mpmath.expm1(x)


def _relu6(x):
    return min(max(x, mpmath.mpf(0)), mpmath.mpf(6))


def _softplus(x):
    return mpmath.log1p(mpmath.exp(x)) if x < 50 else x


ORACLES = {
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "relu6": _relu6,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "soft_sign": lambda x: x / (1 + abs(x)),
    "tanh": mpmath.tanh,
    "hard_tanh": lambda x: min(max(x, mpmath.mpf(-1)), mpmath.mpf(1)),
    "hard_sigmoid": lambda x: _relu6(x + 3) / 6,
    "hard_silu": lambda x: x * _relu6(x + 3) / 6,
    "leaky_relu": lambda x: x if x > 0 else mpmath.mpf(0.01) * x,
    "elu": _elu,
    "celu": _elu,
    "selu": lambda x: (
        mpmath.mpf("1.0507009873554804934193349852946")
        * _elu(x, mpmath.mpf("1.6732632423543772848170429916717"))
    ),
    "mish": lambda x: x * mpmath.tanh(_softplus(x)),
    "squareplus": lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
    "sparse_plus": lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "sparse_sigmoid": lambda x: (min(max(x, mpmath.mpf(-1)), mpmath.mpf(1)) + 1) / 2,
    "identity": lambda x: x,
    "gelu": lambda x: (
        x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_value_and_forms(name):
    f = getattr(nn, name)
    with mpmath.workdps(40):
        expected = np.array([float(ORACLES[name](mpmath.mpf(float(x)))) for x in POINTS])
    # absolute: x (1 + tanh(...)) and its like cancel for large negative x, in every library
    np.testing.assert_allclose(f(POINTS), expected, rtol=4e-15, atol=2e-15)
    forms_agree(f, POINTS, rtol=4e-15)
    single = POINTS.astype(np.float32)
    for g in (f, fxla.jit(f)):
        out = g(single)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, expected, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", ORACLES)
def test_derivatives(name):
    gradients_agree(getattr(nn, name), POINTS, rtol=2e-8)


KINKED = {
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "relu",
    "relu6",
    "sparse_plus",
    "sparse_sigmoid",
}


@pytest.mark.parametrize("name", sorted(set(ORACLES) - KINKED))
def test_second_derivatives(name):
    f = getattr(nn, name)
    gradients_agree(fxla.vmap(fxla.grad(f)), POINTS[1:-1], rtol=1e-7)


@pytest.mark.parametrize("name", ORACLES)
def test_extremes_have_finite_derivatives(name):
    f = getattr(nn, name)
    for dtype in (np.float32, np.float64):
        x = np.array([-1e4, -90.0, 0.0, 90.0, 1e4], dtype)
        value, slope = fxla.jit(lambda x: (f(x), fxla.vmap(fxla.grad(f))(x)))(x)
        assert np.isfinite(value).all() and np.isfinite(slope).all(), (value, slope)
        assert (np.abs(slope) <= 2).all()
        np.testing.assert_allclose(slope, fxla.vmap(fxla.grad(f))(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ORACLES)
def test_nan_stays_nan_and_integers_work(name):
    f = getattr(nn, name)
    assert np.isnan(f(np.nan)) and np.isnan(fxla.jit(f)(np.array(np.nan)))
    whole = np.array([-2, 0, 3])
    np.testing.assert_allclose(f(whole), f(whole.astype(float)), rtol=1e-15)


@pytest.mark.parametrize("name", [*ORACLES, "glu"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_is_rounded_once(name, dtype):
    f = getattr(nn, name)
    x = fnp.asarray(POINTS).astype(dtype)
    expected = np.asarray(f(np.asarray(x, np.float64))).astype(x.dtype)
    for g in (f, fxla.jit(f)):
        assert g(x).dtype == x.dtype
        wide = [np.asarray(v, np.float64) for v in (g(x), expected)]
        np.testing.assert_allclose(*wide, rtol=1e-2 if dtype == "bfloat16" else 1e-3, atol=1e-5)
    slope = fxla.grad(lambda x: f(x).astype("float32").sum())(x)
    assert slope.dtype == x.dtype and np.isfinite(np.asarray(slope, np.float64)).all()


def test_derivatives_at_kinks_are_of_the_flat_side():
    at = {
        "relu": {0: 0},
        "relu6": {0: 0, 6: 0},
        "hard_tanh": {-1: 0, 1: 0},
        "leaky_relu": {0: 0.01},
    }
    for name, wanted in at.items():
        for x, slope in wanted.items():
            assert fxla.grad(getattr(nn, name))(float(x)) == slope, (name, x)
    assert fxla.grad(nn.softplus)(0.0) == 0.5
    assert fxla.grad(fxla.grad(nn.softplus))(0.0) == 0.25
    assert fxla.grad(fxla.grad(nn.elu))(0.0) == 1.0


def test_infinities():
    for x, value, slope in ((np.inf, np.inf, 1.0), (-np.inf, 0.0, 0.0)):
        assert nn.softplus(x) == value and fxla.grad(nn.softplus)(x) == slope
        assert nn.relu(x) == value and fxla.grad(nn.relu)(x) == slope
    assert nn.log_sigmoid(-np.inf) == -np.inf and nn.log_sigmoid(np.inf) == 0


def test_exact_gelu_is_accurate_in_the_tail():
    x = np.array([-30.0, -12.0, -5.0, -1.0, 0.5, 3.0, 10.0])
    with mpmath.workdps(40):
        expected = [float(mpmath.mpf(v) * mpmath.ncdf(v)) for v in x]
    f = lambda x: nn.gelu(x, approximate=False)  # noqa: E731
    np.testing.assert_allclose(f(x), expected, rtol=1e-13)
    np.testing.assert_allclose(fxla.jit(f)(x), expected, rtol=1e-13)
    gradients_agree(f, x[2:], rtol=1e-8)


def test_options():
    x = POINTS
    np.testing.assert_allclose(nn.elu(x, 2.0), np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))))
    celu = np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2))
    np.testing.assert_allclose(nn.celu(x, 2.0), celu)
    np.testing.assert_allclose(nn.leaky_relu(x, 0.2), np.where(x > 0, x, 0.2 * x))
    np.testing.assert_allclose(nn.squareplus(x, 1.0), (x + np.sqrt(x * x + 1)) / 2)
    gradients_agree(nn.celu, np.array([-1.0, 0.5]), np.array(1.7))
    assert nn.swish is nn.silu and nn.hard_swish is nn.hard_silu


def test_log1mexp_is_accurate_on_both_sides():
    x = np.array([1e-300, 1e-20, 0.3, 0.69, 0.7, 3.0, 40.0, 800.0])
    with mpmath.workdps(400):
        expected = [float(mpmath.log(-mpmath.expm1(-mpmath.mpf(v)))) for v in x]
    np.testing.assert_allclose(nn.log1mexp(x), expected, rtol=1e-14)
    forms_agree(nn.log1mexp, x, rtol=1e-14)
    gradients_agree(nn.log1mexp, x[2:6])
    assert np.isfinite(fxla.vmap(fxla.grad(nn.log1mexp))(x)).all()


def test_glu_halves_an_axis():
    x = np.random.default_rng(0).standard_normal((4, 6))
    forms_agree(nn.glu, x)
    np.testing.assert_allclose(nn.glu(x), x[:, :3] / (1 + np.exp(-x[:, 3:])))
    np.testing.assert_allclose(nn.glu(x, 0), x[:2] / (1 + np.exp(-x[2:])))
    gradients_agree(nn.glu, x)
    with pytest.raises(ValueError, match="odd size"):
        nn.glu(x[:, :5])
