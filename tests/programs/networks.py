"""Networks: losses of their weights, beside the same loss written with NumPy and Python loops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.special import erf

import fxla
import fxla.numpy as fnp
from fxla import lax
from tests.programs.program import program

NHWC = ("NHWC", "HWIO", "NHWC")


def sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def softmax(xp: Any, x: Any) -> Any:
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def cross_entropy(xp: Any, scores: Any, labels: Any) -> Any:
    shifted = scores - xp.max(scores, axis=-1, keepdims=True)
    logs = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return -xp.mean(logs[xp.arange(len(labels)), labels])


def layer_norm(xp: Any, x: Any, scale: Any, shift: Any) -> Any:
    mean = xp.mean(x, axis=-1, keepdims=True)
    variance = xp.mean((x - mean) ** 2, axis=-1, keepdims=True)
    return scale * (x - mean) / xp.sqrt(variance + 1e-5) + shift


# ------------------------------------------------------------------------------------------ dense


def _mlp(xp: Any, params: Any, x: Any, labels: Any) -> Any:
    for w, b in params[:-1]:
        x = xp.tanh(x @ w + b)
    w, b = params[-1]
    return cross_entropy(xp, x @ w + b, labels)


def _mlp_at(rng: np.random.Generator) -> Any:
    sizes = [7, 9, 6, 4]
    params = [
        (rng.standard_normal((n, m)) * 0.5, rng.standard_normal(m) * 0.1)
        for n, m in itertools.pairwise(sizes)
    ]
    return params, rng.standard_normal((11, 7)), rng.integers(0, 4, 11)


@program(lambda *a: _mlp(np, *a), _mlp_at)
def mlp(params: Any, x: Any, labels: Any) -> Any:
    return _mlp(fnp, params, x, labels)


def _normed(xp: Any, erf_of: Any, p: Any, x: Any) -> Any:
    hidden = layer_norm(xp, x @ p["in"], p["scale"], p["shift"])
    active = hidden * 0.5 * (1 + erf_of(hidden / np.sqrt(2.0).astype(x.dtype)))
    return xp.mean((active @ p["out"] + x) ** 2)


def _normed_at(rng: np.random.Generator) -> Any:
    params = {
        "in": rng.standard_normal((6, 10)),
        "scale": 1 + 0.1 * rng.standard_normal(10),
        "shift": 0.1 * rng.standard_normal(10),
        "out": rng.standard_normal((10, 6)),
    }
    return params, rng.standard_normal((5, 6))


@program(lambda *a: _normed(np, erf, *a), _normed_at)
def layer_norm_gelu_mlp(params: Any, x: Any) -> Any:
    return _normed(fnp, lax.erf, params, x)


def _attention(xp: Any, p: Any, x: Any, heads: int = 2) -> Any:
    batch, length, width = x.shape
    each = width // heads

    def split(y: Any) -> Any:
        return xp.transpose(xp.reshape(y, (batch, length, heads, each)), (0, 2, 1, 3))

    q, k, v = (split(x @ p[name]) for name in ("q", "k", "v"))
    scores = q @ xp.swapaxes(k, -1, -2) / np.sqrt(each).astype(x.dtype)
    past = xp.tril(xp.ones((length, length), dtype=bool))
    weights = softmax(xp, xp.where(past, scores, -1e9))
    mixed = xp.reshape(xp.transpose(weights @ v, (0, 2, 1, 3)), (batch, length, width))
    return xp.mean((x + mixed @ p["o"]) ** 2)


def _attention_at(rng: np.random.Generator) -> Any:
    params = {name: rng.standard_normal((6, 6)) * 0.4 for name in ("q", "k", "v", "o")}
    return params, rng.standard_normal((2, 5, 6))


@program(lambda *a: _attention(np, *a), _attention_at)
def attention(params: Any, x: Any) -> Any:
    return _attention(fnp, params, x)


# ------------------------------------------------------------------------------------ convolution


def _conv(x: Any, k: Any, stride: int = 1) -> Any:
    """SAME convolution with an odd kernel, NHWC and HWIO, one multiplication at a time."""
    (n, h, w, _), (kh, kw, _, out) = x.shape, k.shape
    if stride == 1:
        before, after = kh // 2, kh // 2
    else:
        total = max((-(-h // stride) - 1) * stride + kh - h, 0)
        before, after = total // 2, total - total // 2
    padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    result = np.zeros((n, -(-h // stride), -(-w // stride), out), x.dtype)
    for i in range(result.shape[1]):
        for j in range(result.shape[2]):
            a, b = i * stride, j * stride
            result[:, i, j] = np.einsum("nhwc,hwco->no", padded[:, a : a + kh, b : b + kw], k)
    return result


def _pool(x: Any) -> Any:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def conv(x: Any, k: Any, stride: int = 1) -> Any:
    return lax.conv_general_dilated(x, k, (stride, stride), "SAME", dimension_numbers=NHWC)


def _cnn(params: Any, x: Any, labels: Any) -> Any:
    x = _pool(np.maximum(_conv(x, params["first"]), 0))
    x = _pool(np.maximum(_conv(x, params["second"]), 0))
    return cross_entropy(np, x.reshape(len(x), -1) @ params["dense"], labels)


def _cnn_at(rng: np.random.Generator) -> Any:
    params = {
        "first": rng.standard_normal((3, 3, 2, 4)) * 0.4,
        "second": rng.standard_normal((3, 3, 4, 3)) * 0.4,
        "dense": rng.standard_normal((12, 5)),
    }
    return params, rng.standard_normal((3, 8, 8, 2)), rng.integers(0, 5, 3)


@program(_cnn, _cnn_at, kinks=True)
def cnn(params: Any, x: Any, labels: Any) -> Any:
    window = (1, 2, 2, 1)
    for name in ("first", "second"):
        x = fnp.maximum(conv(x, params[name]), 0)
        x = lax.reduce_window(x, -fnp.inf, lax.max, window, window, "VALID")
    return cross_entropy(fnp, x.reshape(len(x), -1) @ params["dense"], labels)


def _batch_norm(xp: Any, x: Any, scale: Any, shift: Any) -> Any:
    mean, variance = xp.mean(x, axis=(0, 1, 2)), xp.var(x, axis=(0, 1, 2))
    return scale * (x - mean) / xp.sqrt(variance + 1e-5) + shift


def _residual(xp: Any, conv_of: Any, p: Any, x: Any) -> Any:
    y = conv_of(x, p["first"], 2)
    y = xp.maximum(_batch_norm(xp, y, p["scale"], p["shift"]), 0)
    y = conv_of(y, p["second"])
    return xp.mean(xp.maximum(y + conv_of(x, p["short"], 2), 0) ** 2)


def _residual_at(rng: np.random.Generator) -> Any:
    params = {
        "first": rng.standard_normal((3, 3, 3, 4)) * 0.4,
        "second": rng.standard_normal((3, 3, 4, 4)) * 0.4,
        "short": rng.standard_normal((1, 1, 3, 4)),
        "scale": 1 + 0.1 * rng.standard_normal(4),
        "shift": 0.1 * rng.standard_normal(4),
    }
    return params, rng.standard_normal((2, 6, 6, 3))


@program(lambda *a: _residual(np, _conv, *a), _residual_at, single=1e-3, kinks=True)
def residual_block(params: Any, x: Any) -> Any:
    return _residual(fnp, conv, params, x)


# ---------------------------------------------------------------------------------------- recurrent


def _rnn_step(xp: Any, p: Any, h: Any, x: Any) -> Any:
    return xp.tanh(x @ p["in"] + h @ p["own"] + p["bias"])


def _rnn(p: Any, xs: Any, h: Any) -> Any:
    total = 0.0
    for x in xs:
        h = _rnn_step(np, p, h, x)
        total = total + np.sum(h**2)
    return total / len(xs)


def _rnn_at(rng: np.random.Generator) -> Any:
    params = {
        "in": rng.standard_normal((3, 5)) * 0.5,
        "own": rng.standard_normal((5, 5)) * 0.4,
        "bias": rng.standard_normal(5) * 0.1,
    }
    return params, rng.standard_normal((12, 4, 3)), rng.standard_normal((4, 5))


@program(_rnn, _rnn_at)
def rnn(params: Any, xs: Any, h: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = _rnn_step(fnp, params, h, x)
        return h, fnp.sum(h**2)

    return fnp.mean(lax.scan(step, h, xs)[1])


def _lstm_step(xp: Any, p: Any, state: Any, x: Any) -> Any:
    h, c = state
    gates = x @ p["in"] + h @ p["own"] + p["bias"]
    i, f, g, o = xp.split(gates, 4, axis=-1)
    c = sigmoid(xp, f) * c + sigmoid(xp, i) * xp.tanh(g)
    return sigmoid(xp, o) * xp.tanh(c), c


def _lstm(p: Any, xs: Any, targets: Any) -> Any:
    state = (np.zeros((xs.shape[1], 4), xs.dtype), np.zeros((xs.shape[1], 4), xs.dtype))
    errors = []
    for x, target in zip(xs, targets, strict=True):
        state = _lstm_step(np, p, state, x)
        errors.append(np.mean((state[0] @ p["out"] - target) ** 2))
    return np.mean(errors)


def _lstm_at(rng: np.random.Generator) -> Any:
    params = {
        "in": rng.standard_normal((3, 16)) * 0.5,
        "own": rng.standard_normal((4, 16)) * 0.5,
        "bias": rng.standard_normal(16) * 0.1,
        "out": rng.standard_normal((4, 2)),
    }
    return params, rng.standard_normal((9, 2, 3)), rng.standard_normal((9, 2, 2))


@program(_lstm, _lstm_at)
def lstm(params: Any, xs: Any, targets: Any) -> Any:
    def step(state: Any, example: Any) -> Any:
        x, target = example
        state = _lstm_step(fnp, params, state, x)
        return state, fnp.mean((state[0] @ params["out"] - target) ** 2)

    zeros = fnp.zeros((xs.shape[1], 4), dtype=xs.dtype)
    return fnp.mean(lax.scan(step, (zeros, zeros), (xs, targets))[1])


@program(_rnn, _rnn_at)
def rnn_with_checkpointed_steps(params: Any, xs: Any, h: Any) -> Any:
    @fxla.checkpoint
    def step(h: Any, x: Any) -> Any:
        h = _rnn_step(fnp, params, h, x)
        return h, fnp.sum(h**2)

    return fnp.mean(lax.scan(step, h, xs)[1])
