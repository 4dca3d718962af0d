"""Functional graphs."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import nn

X = np.linspace(-1.0, 1.0, 12).reshape(3, 4)


def test_a_graph_computes_what_it_says():
    x = nn.Input(4)
    shared = nn.Linear(4, 4)
    h = shared(shared(x))
    y = nn.Lambda(np.tanh)(h) * 2.0 - x[:, :4] / 4 + -h
    model = nn.Model(x, {"y": y, "both": nn.Concatenate()([x, h])})
    w = np.asarray(shared.weight)
    h = X @ w @ w
    found = model(X)
    np.testing.assert_allclose(found["y"], np.tanh(h) * 2 - X / 4 - h)
    np.testing.assert_allclose(found["both"], np.concatenate([X, h], 1))
    assert [p for p, _ in model.named_parameters()] == ["layers[0].weight", "layers[0].bias"]
    np.testing.assert_allclose(fxla.jit(lambda m, x: m(x))(model, X)["y"], found["y"])


def test_several_inputs_and_matrix_products():
    a, b = nn.Input((2, 3)), nn.Input((3, 2))
    model = nn.Model([a, b], nn.Add()([a @ b, 1.0 + a @ b, 3.0 - a @ b]))
    p, q = np.ones((5, 2, 3)), np.full((5, 3, 2), 2.0)
    np.testing.assert_allclose(model(p, q), p @ q + 4)
    np.testing.assert_allclose(model([p, q]), p @ q + 4)
    with pytest.raises(TypeError, match="expected 2 inputs, got 1"):
        model(p)


def test_sizes_are_made_at_once_if_they_are_known():
    x = nn.Input((28, 28, 1))
    model = nn.Model(x, nn.Dense(10)(nn.Flatten()(nn.MaxPool(2)(nn.Conv(None, 4, 3)(x)))))
    assert nn.parameter_count(model) == 4 * 9 + 4 + 13 * 13 * 4 * 10 + 10
    varying = nn.Input((None, 4))
    model = nn.Model(varying, nn.Dense(3)(varying))
    assert nn.parameter_count(model) == 0
    assert model(np.ones((2, 7, 4))).shape == (2, 7, 3)


def test_state_and_training():
    x = nn.Input(4)
    model = nn.Model(x, nn.BatchNorm()(x))
    fxla.jit(lambda m, x: m(x, training=True))(model, X)
    np.testing.assert_allclose(model.layers[0].mean, 0.1 * X.mean(0))


def test_mistakes():
    x, other = nn.Input(4), nn.Input(4)
    with pytest.raises(ValueError, match=r"depend on Input\(4,\), which is not among the inputs"):
        nn.Model(x, nn.Add()([x, other]))
    with pytest.raises(TypeError, match=r"inputs must be symbols that nn\.Input made"):
        nn.Model(nn.Dense(3)(x), nn.Dense(3)(x))
    with pytest.raises(TypeError, match="an output is a float"):
        nn.Model(x, 1.0)
