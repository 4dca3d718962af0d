"""Initializers: variance, bounds, orthogonality, dtypes, and the draws they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fxla
from fxla import nn, random

init = nn.initializers
KEY = random.key(0)


def test_constants():
    np.testing.assert_array_equal(init.zeros(KEY, (2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(init.ones(KEY, (2, 3), "float32"), np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(init.constant(2.5)(KEY, (2,)), [2.5, 2.5])
    assert init.constant(1, "int32")(KEY, (2,)).dtype == np.int32


@pytest.mark.parametrize(
    ("name", "n"),
    [("glorot", (200 + 50) / 2), ("xavier", (200 + 50) / 2), ("lecun", 200), ("he", 100),
     ("kaiming", 100)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_variance(name, n, kind):
    w = getattr(init, f"{name}_{kind}")()(KEY, (200, 50))
    assert abs(w.mean()) < 4 / math.sqrt(n * w.size)
    np.testing.assert_allclose(w.var(), 1 / n, rtol=0.05)
    limit = math.sqrt(3 / n) if kind == "uniform" else 2 / math.sqrt(n) / 0.87962566103423978
    assert limit * 0.98 < np.abs(w).max() <= limit * (1 + 1e-12)


def test_modes_and_axes():
    shape = (3, 3, 20, 40)  # a convolution kernel: field, inputs, outputs
    fans = {"fan_in": 180, "fan_out": 360, "fan_avg": 270, "fan_geo_avg": math.sqrt(180 * 360)}
    for mode, n in fans.items():
        w = init.variance_scaling(1.0, mode, "normal")(KEY, shape)
        np.testing.assert_allclose(w.var(), 1 / n, rtol=0.06)
    moved = init.variance_scaling(1.0, "fan_in", "normal", 3, 2)(KEY, shape)
    np.testing.assert_allclose(moved.var(), 1 / 360, rtol=0.06)
    stacked = init.variance_scaling(1.0, "fan_in", "normal", batch_axis=0)(KEY, (30, 20, 40))
    np.testing.assert_allclose(stacked.var(), 1 / 20, rtol=0.06)
    several = init.variance_scaling(1.0, "fan_in", "normal", (0, 1), (2,))(KEY, (4, 10, 400))
    np.testing.assert_allclose(several.var(), 1 / 40, rtol=0.06)


def test_draws_are_those_of_the_random_module():
    w = init.normal(0.5, "float32")(KEY, (3, 4))
    np.testing.assert_array_equal(w, random.normal(KEY, (3, 4), "float32") * np.float32(0.5))
    w = init.uniform(2.0)(KEY, (3, 4))
    np.testing.assert_array_equal(w, random.uniform(KEY, (3, 4)) * 2)
    w = init.truncated_normal(3.0, lower=-1.0, upper=0.5)(KEY, (100,))
    assert w.min() >= -3 and w.max() <= 1.5 and w.min() < -2.5 and w.max() > 1.2


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 4), (2, 3, 7)])
def test_orthogonal(shape):
    for axis in (-1, 0):
        w = np.moveaxis(init.orthogonal(2.0, axis)(KEY, shape), axis, -1)
        w = w.reshape(-1, w.shape[-1])
        gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, 4), (3, 4, 2, 2), (1, 3, 2, 2, 3)])
def test_delta_orthogonal(shape):
    w = init.delta_orthogonal()(KEY, shape)
    centre = w[tuple((k - 1) // 2 for k in shape[:-2])]
    np.testing.assert_allclose(centre @ centre.T, np.eye(shape[-2]), atol=1e-12)
    np.testing.assert_allclose(np.sum(w**2), shape[-2])
    with pytest.raises(ValueError, match="not shorter"):
        init.delta_orthogonal()(KEY, (3, 4, 2))


def test_dtypes_compiled_and_batched():
    shape = (3, 2, 4)
    for name in init.__all__:
        f = getattr(init, name)
        if name in ("Initializer", "zeros", "ones"):
            continue
        if name == "constant":
            f = f(2.0)
        elif name == "variance_scaling":
            f = f(1.0, "fan_in", "truncated_normal")
        else:
            f = f()
        for dtype in ("float32", "bfloat16"):
            assert str(f(KEY, shape, dtype).dtype) == dtype, name
        eager = f(KEY, shape)
        assert eager.dtype == np.float64
        np.testing.assert_allclose(
            fxla.jit(lambda k, f=f: f(k, shape))(KEY), eager, rtol=1e-12, atol=1e-12
        )
        if name != "constant":
            keys = random.split(KEY, 2)
            both = fxla.vmap(lambda k, f=f: f(k, shape))(keys)
            np.testing.assert_allclose(both[1], f(keys[1], shape), rtol=1e-12, atol=1e-12)


def test_errors():
    with pytest.raises(ValueError, match="unknown mode"):
        init.variance_scaling(1.0, "fan", "normal")
    with pytest.raises(ValueError, match="unknown distribution"):
        init.variance_scaling(1.0, "fan_in", "gauss")
    with pytest.raises(ValueError, match="at least two axes"):
        init.he_normal()(KEY, (3,))
    with pytest.raises(ValueError, match="at least two axes"):
        init.orthogonal()(KEY, (3,))
