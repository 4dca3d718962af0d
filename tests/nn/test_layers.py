"""Layers beside their equations in NumPy, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal

import fxla
import fxla.numpy as fnp
from fxla import nn, random

RNG = np.random.default_rng(0)


def given(*shape):
    return RNG.normal(size=shape)


def array(x):
    return np.asarray(x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_linear_and_dense():
    x = given(2, 3, 4)
    layer = nn.Linear(4, 5, bias_init=nn.initializers.ones)
    np.testing.assert_allclose(layer(x), x @ array(layer.weight) + 1)
    dense = nn.Dense(5, activation=np.tanh)
    y = dense(x)
    np.testing.assert_allclose(y, np.tanh(x @ array(dense.weight)))
    assert (dense.in_features, dense.bias.shape) == (4, (5,))


def test_bilinear():
    layer, a, b = nn.Bilinear(3, 4, 2), given(5, 3), given(5, 4)
    expected = np.stack([(a @ array(layer.weight)[k] * b).sum(-1) for k in range(2)], -1)
    np.testing.assert_allclose(layer(a, b), expected)
    with pytest.raises(ValueError, match=r"expected x2 of shape \[\.\.\., 4\], got f64\[5,3\]"):
        layer(a, a)


def test_initial_values_have_the_variance_of_the_paper():
    layer = nn.Linear(400, 300)
    assert float(layer.weight.std()) == pytest.approx(400**-0.5, rel=0.02)
    conv = nn.Conv(16, 200, 5)
    assert float(conv.weight.std()) == pytest.approx((16 * 25) ** -0.5, rel=0.02)
    assert float(np.abs(nn.LSTM(3, 100).cells[0].weight_hh).max()) <= 0.1


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_conv(padding):
    x, layer = given(2, 7, 8, 3), nn.Conv(3, 4, 3, padding=padding)
    expected = np.zeros((2, 7, 8, 4)) if padding == "SAME" else np.zeros((2, 5, 6, 4))
    for n, o, i in np.ndindex(2, 4, 3):
        w = array(layer.weight)[:, :, i, o]
        expected[n, ..., o] += scipy.signal.correlate2d(x[n, ..., i], w, padding.lower())
    np.testing.assert_allclose(layer(x), expected, atol=1e-12)
    first = nn.replace(layer, channels="first")(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, atol=1e-12)


def test_conv_transpose_is_the_transpose():
    conv = nn.Conv(3, 4, 3, strides=2, padding=1, bias=False)
    back = nn.ConvTranspose(4, 3, 3, strides=2, padding=1, output_padding=1, bias=False)
    back = nn.replace(back, weight=fnp.swapaxes(conv.weight, -1, -2))
    x, y = given(2, 8, 6, 3), given(2, 4, 3, 4)
    assert (array(conv(x)) * y).sum() == pytest.approx((array(back(y)) * x).sum())
    assert nn.ConvTranspose(4, 3, 3, 2, "SAME")(y).shape == (2, 8, 6, 3)


def test_sizes_and_errors_of_conv():
    assert nn.Conv(None, 4, (5,), dilation=2)(given(2, 20, 3)).shape == (2, 12, 4)
    for bad, message in [
        (lambda: nn.Conv(3, 4, (1, 1, 1, 1)), "1 to 3"),
        (lambda: nn.Conv(3, 4, 3, groups=3), "no multiple of 3 groups"),
        (lambda: nn.Conv(4, 3, 3, groups=3), "no multiple of 3 groups"),
        (lambda: nn.Conv(3, 4, 3, strides=(1, 2, 3)), "one number for each of 2"),
        (lambda: nn.Conv(3, 4, 3)(given(2, 8, 8)), r"\[batch, size, size, 3\], got f64\[2,8,8\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            bad()


def test_pools():
    x = given(2, 6, 4, 3)
    blocks = x.reshape(2, 3, 2, 2, 2, 3)
    np.testing.assert_array_equal(nn.MaxPool(2)(x), blocks.max((2, 4)))
    np.testing.assert_allclose(nn.AvgPool(2)(x), blocks.mean((2, 4)))
    np.testing.assert_allclose(nn.AdaptiveAvgPool((3, 2))(x), blocks.mean((2, 4)))
    np.testing.assert_array_equal(nn.AdaptiveMaxPool((3, 2))(x), blocks.max((2, 4)))
    np.testing.assert_allclose(nn.GlobalAvgPool()(x), x.mean((1, 2)))
    np.testing.assert_array_equal(nn.GlobalMaxPool(keepdims=True)(x), x.max((1, 2), keepdims=True))
    first = np.moveaxis(x, -1, 1)
    np.testing.assert_array_equal(
        nn.MaxPool(2, channels="first")(first), np.moveaxis(blocks.max((2, 4)), -1, 1)
    )
    assert nn.MaxPool(3, 2, "SAME")(x).shape == (2, 3, 2, 3)
    with pytest.raises(ValueError, match=r"MaxPool\): expected x of shape \[batch, size, size"):
        nn.MaxPool((2, 2))(x[0])


def normalised(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def test_norms():
    x, w, b = given(2, 5, 3, 6), given(6), given(6)

    def with_weights(layer):
        return nn.replace(layer, weight=fnp.asarray(w), bias=fnp.asarray(b))

    np.testing.assert_allclose(with_weights(nn.LayerNorm(6))(x), normalised(x, (-1,)) * w + b)
    np.testing.assert_allclose(nn.LayerNorm((3, 6), affine=False)(x), normalised(x, (-2, -1)))
    grouped = normalised(x.reshape(2, 5, 3, 2, 3), (1, 2, 4)).reshape(x.shape)
    np.testing.assert_allclose(with_weights(nn.GroupNorm(2, 6))(x), grouped * w + b)
    np.testing.assert_allclose(nn.InstanceNorm(6)(x), normalised(x, (1, 2)))
    rms = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(nn.replace(nn.RMSNorm(6), weight=fnp.asarray(w))(x), rms * w)
    first = nn.GroupNorm(2, 6, channels="first")(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), grouped)
    for bad in (nn.LayerNorm(5), nn.RMSNorm(5), nn.GroupNorm(5, 5), nn.BatchNorm(5)):
        with pytest.raises(ValueError, match=r"expected x of shape .*5.*got f64\[2,5,3,6\]"):
            bad(x)


def test_norms_of_half_precision_are_computed_in_float32():
    x = (1000 + given(4, 64)).astype(np.float16)
    with fxla.default_dtype("float32"):
        y = nn.LayerNorm(64)(x)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, normalised(x.astype(np.float64), (-1,)), atol=2e-3)


def test_batch_norm():
    x, norm = given(8, 5, 3), nn.BatchNorm(3, momentum=0.2)
    norm.weight, norm.bias = fnp.asarray(given(3)), fnp.asarray(given(3))
    w, b = array(norm.weight), array(norm.bias)
    step = fxla.jit(lambda norm, x: norm(x, training=True))
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(4):
        np.testing.assert_allclose(step(norm, x), normalised(x, (0, 1)) * w + b)
        mean = 0.8 * mean + 0.2 * x.mean((0, 1))
        var = 0.8 * var + 0.2 * x.var((0, 1), ddof=1)
        np.testing.assert_allclose(norm.mean, mean)
        np.testing.assert_allclose(norm.var, var)
    np.testing.assert_allclose(norm(x), (x - mean) / np.sqrt(var + 1e-5) * w + b)


@pytest.mark.parametrize(("layer", "rank"), [(nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3)])
def test_convolutions_by_rank_take_an_integer_for_each_axis(layer, rank):
    x, conv = given(2, *[5] * rank, 3), layer(3, 4, 2, strides=1)
    weight = array(conv.weight)
    want = np.zeros((2, *[4] * rank, 4))
    for place in np.ndindex(*[2] * rank):
        window = x[(slice(None), *[slice(k, k + 4) for k in place])]
        want += window @ weight[place]
    np.testing.assert_allclose(conv(x), want, atol=1e-12)
    with pytest.raises(ValueError, match=f"one number for each of {rank}"):
        layer(3, 4, (2,) * (rank + 1))


def test_identity_gives_back_what_it_gets():
    x = given(2, 3)
    np.testing.assert_array_equal(nn.Identity()(x), x)
    assert nn.Identity()(x.astype(np.float16)).dtype == np.float16


def test_dropout():
    x = np.ones((50, 40))
    drop = nn.Dropout(0.25, key=random.key(1))
    assert drop(x) is x
    first, second = drop(x, training=True), drop(x, training=True)
    assert set(np.unique(first)) == {0.0, 1 / 0.75}
    assert float((first == 0).mean()) == pytest.approx(0.25, abs=0.03)
    assert not np.array_equal(first, second)
    rows = nn.Dropout(0.5, axes_alike=-1)(x, training=True)
    assert (np.ptp(rows, axis=1) == 0).all() and 0 < float((rows == 0).mean()) < 1
    assert float(nn.Dropout(1.0)(x, training=True).sum()) == 0.0
    with pytest.raises(ValueError, match=r"rate=1\.5"):
        nn.Dropout(1.5)


def test_dropout_in_a_compiled_step_draws_anew():
    drop = nn.Dropout(0.5, key=random.key(0))
    step = fxla.jit(lambda drop, x: drop(x, training=True))
    masks = [tuple(step(drop, np.ones(40)) > 0) for _ in range(6)]
    assert len(set(masks)) == 6
    eager = nn.Dropout(0.5, key=random.key(0))
    assert [tuple(eager(np.ones(40), training=True) > 0) for _ in range(6)] == masks


def test_embedding():
    table, at = nn.Embedding(7, 4), np.array([[1, 6], [0, 1]])
    w = array(table.weight)
    np.testing.assert_array_equal(table(at), w[at])
    np.testing.assert_allclose(table.attend(given(2, 4) * 0 + 1), np.tile(w.sum(1), (2, 1)))
    gradient = fxla.grad(lambda t: (t(at) * np.arange(16.0).reshape(2, 2, 4)).sum())(table)
    expected = np.zeros((7, 4))
    np.add.at(expected, at, np.arange(16.0).reshape(2, 2, 4))
    np.testing.assert_allclose(gradient.weight, expected)
    with pytest.raises(TypeError, match=r"model \(Embedding\): expected integers, got f64\[2\]"):
        table(np.ones(2))


def attended(layer, q, k, v, seen):
    heads, each = layer.heads, layer.head_features

    def split(x, proj, n):
        y = x @ array(proj.weight) + array(proj.bias)
        return np.repeat(y.reshape(*x.shape[:2], n, each), heads // n, axis=2)

    q = split(q, layer.q_proj, heads)
    k, v = split(k, layer.k_proj, layer.kv_heads), split(v, layer.v_proj, layer.kv_heads)
    logits = np.einsum("bthd,bshd->bhts", q, k) / math.sqrt(each)
    weights = softmax(np.where(seen, logits, -1e30))
    y = np.einsum("bhts,bshd->bthd", weights, v).reshape(*q.shape[:2], -1)
    return y @ array(layer.out_proj.weight) + array(layer.out_proj.bias)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention(kv_heads):
    layer = nn.MultiHeadAttention(8, 4, kv_heads=kv_heads)
    x, memory = given(2, 5, 8), given(2, 6, 8)
    np.testing.assert_allclose(layer(x, memory), attended(layer, x, memory, memory, True))
    causal = np.tril(np.ones((5, 5), bool))
    expected = attended(layer, x, x, x, causal)
    np.testing.assert_allclose(layer(x, is_causal=True), expected)
    np.testing.assert_allclose(layer(x, mask=causal), expected)


@pytest.mark.parametrize("rotary_base", [None, 100.0])
def test_attention_step_by_step_with_a_cache(rotary_base):
    layer = nn.MultiHeadAttention(8, 4, kv_heads=2, rotary_base=rotary_base)
    x = given(2, 6, 8)
    whole = layer(x, is_causal=True)
    cache = layer.new_cache(2, 9)
    step = fxla.jit(lambda layer, x, cache: layer(x, cache=cache))
    found, cache = step(layer, x[:, :2], cache)
    parts = [found]
    for k in range(2, 6):
        found, cache = step(layer, x[:, k : k + 1], cache)
        parts.append(found)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-10)
    assert int(cache.index) == 6 and cache.key.shape == (2, 9, 2, 2)


def test_rotary_positions_are_relative():
    q, k = given(1, 1, 1, 8), given(1, 1, 1, 8)

    def score(i, j):
        a, b = nn.rotary(q, np.array([i])), nn.rotary(k, np.array([j]))
        return float((array(a) * array(b)).sum())

    assert score(3, 1) == pytest.approx(score(10, 8))
    assert score(3, 1) != pytest.approx(score(3, 2))
    z = (q[..., :4] + 1j * q[..., 4:]) * np.exp(1j * 5 * 10000.0 ** (-np.arange(4) / 4))
    np.testing.assert_allclose(nn.rotary(q, np.array([5])), np.concatenate([z.real, z.imag], -1))


def test_errors_of_attention():
    with pytest.raises(ValueError, match="no multiple of kv_heads=3"):
        nn.MultiHeadAttention(8, 4, kv_heads=3)
    with pytest.raises(ValueError, match="8 features are no multiple of 3 heads"):
        nn.MultiHeadAttention(8, 3)
    with pytest.raises(ValueError, match=r"query of shape \[\.\.\., 8\]|steps, 8"):
        nn.MultiHeadAttention(8, 4)(given(2, 8))


def test_transformer_layers_take_caches():
    layer = nn.TransformerEncoderLayer(8, 2, norm_first=True)
    x = given(2, 4, 8)
    cache = layer.self_attn.new_cache(2, 4)
    parts = []
    for k in range(4):
        y, cache = layer(x[:, k : k + 1], cache=cache)
        parts.append(y)
    np.testing.assert_allclose(np.concatenate(parts, 1), layer(x, is_causal=True), rtol=1e-9)


def rnn_step(cell, x, h):
    return np.tanh(
        x @ array(cell.weight_ih) + array(cell.bias_ih)
        + h @ array(cell.weight_hh) + array(cell.bias_hh)
    )  # fmt: skip


def gru_step(cell, x, h):
    i = np.split(x @ array(cell.weight_ih) + array(cell.bias_ih), 3, -1)
    g = np.split(h @ array(cell.weight_hh) + array(cell.bias_hh), 3, -1)
    r, z = sigmoid(i[0] + g[0]), sigmoid(i[1] + g[1])
    return (1 - z) * np.tanh(i[2] + r * g[2]) + z * h


def lstm_step(cell, x, state):
    h, c = state
    gates = x @ array(cell.weight_ih) + array(cell.bias_ih)
    i, f, g, o = np.split(gates + h @ array(cell.weight_hh) + array(cell.bias_hh), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


@pytest.mark.parametrize("kind, step", [("RNN", rnn_step), ("GRU", gru_step), ("LSTM", lstm_step)])
def test_recurrent_layers(kind, step):
    layer, x = getattr(nn, kind)(3, 4, bidirectional=True), given(2, 5, 3)
    outs = []
    for cell, order in ((layer.cells[0], range(5)), (layer.reverse_cells[0], range(4, -1, -1))):
        state = np.zeros((2, 4))
        state = (state, state) if kind == "LSTM" else state
        seen = {}
        for t in order:
            state = step(cell, x[:, t], state)
            seen[t] = state[0] if kind == "LSTM" else state
        outs.append(np.stack([seen[t] for t in range(5)], 1))
        last = state
    y, ends = fxla.jit(lambda layer, x: layer(x))(layer, x)
    np.testing.assert_allclose(y, np.concatenate(outs, -1), rtol=1e-10)
    ends = ends if kind == "LSTM" else (ends,)
    for end, wanted in zip(ends, last if kind == "LSTM" else (last,)):
        np.testing.assert_allclose(end[1], wanted, rtol=1e-10)
    cell = layer.cells[0]
    state = cell.initial_state((2,), np.float64)
    zeros = np.zeros((2, 4))
    one = step(cell, x[:, 0], (zeros, zeros) if kind == "LSTM" else zeros)
    for a, b in zip(fxla.tree.leaves(cell(x[:, 0], state)), fxla.tree.leaves(one)):
        np.testing.assert_allclose(a, b)
    with pytest.raises(ValueError, match=r"\[batch, steps, 3\]"):
        layer(x[0])


def test_containers():
    x = given(3, 4)
    model = nn.Sequential(nn.Linear(4, 4), np.tanh, nn.Lambda(lambda x: 2 * x))
    w = array(model[0].weight)
    np.testing.assert_allclose(model(x), 2 * np.tanh(x @ w))
    assert len(model) == 3 and list(model)[1] is np.tanh
    np.testing.assert_allclose(model[:2](x), np.tanh(x @ w))
    model.append(nn.Flatten()).extend([np.exp])
    assert len(model) == 5
    np.testing.assert_allclose(nn.Residual(np.sin)(x), x + np.sin(x))
    np.testing.assert_allclose(nn.Residual(np.sin, np.cos)(x), np.cos(x) + np.sin(x))
    assert nn.Flatten()(given(2, 3, 4)).shape == (2, 12)
    assert nn.Flatten(0)(given(2, 3)).shape == (6,)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_results_have_the_dtype_of_the_input(dtype):
    for layer, shape in [
        (nn.Linear(4, 3), (2, 4)),
        (nn.Conv(4, 3, 3), (2, 5, 5, 4)),
        (nn.BatchNorm(4), (2, 4)),
        (nn.RMSNorm(4), (2, 4)),
        (nn.AdaptiveAvgPool(2), (2, 3, 4)),
        (nn.AvgPool(2), (2, 4, 4)),
        (nn.GRU(4, 3), (2, 3, 4)),
        (nn.TransformerEncoderLayer(4, 2, activation=nn.gelu), (2, 3, 4)),
    ]:
        layer, x = layer.astype(dtype), fnp.ones(shape, dtype)
        y = fxla.tree.leaves(layer(x, training=True))[0]
        traced = fxla.eval_shape(lambda layer, x: layer(x, training=True), layer, x)
        assert str(y.dtype) == str(fxla.tree.leaves(traced)[0].dtype) == dtype, layer


def test_dense_is_not_given_its_number_of_inputs() -> None:
    with pytest.raises(TypeError, match=r"got 4, at test_layers.py:\d+\. .*`nn.Linear`"):
        nn.Dense(3, 4)
