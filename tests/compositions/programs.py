"""Programs as a user writes them, each with the same program in NumPy.

A program maps one float64 array to an array; what it takes as pytrees, weights or data is made from
that array or closed over, so that every transformation can be applied to it in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import random
from fxla.control.collectives import pmax, psum
from fxla.control.cond import cond, switch
from fxla.control.loops import fori_loop
from fxla.control.scan import scan
from fxla.control.while_loop import while_loop
from fxla.ops.conv import ConvDims, ConvParams, conv_general_dilated
from fxla.ops.fft import fft
from fxla.ops.linalg import cholesky, linear_solve, triangular_solve
from fxla.ops.window import Window, reduce_window_max

__all__ = ["PROGRAMS", "Program"]

RNG = np.random.default_rng(2024)
INPUTS = RNG.standard_normal((5, 3))
TARGETS = RNG.standard_normal((5, 2))
KERNEL = RNG.standard_normal((2, 2, 1, 2))
KEYS, VALUES = RNG.standard_normal((4, 2)), RNG.standard_normal((4, 3))
MATRIX = RNG.standard_normal((4, 4)) * 0.2 + np.diag([2.0, 3.0, 4.0, 5.0])


@dataclass(frozen=True)
class Program:
    """A program, its meaning and a point.

    Attributes:
        f: with fxla.
        meaning: with NumPy.
        x: an example.
        reverse, forward: the modes it has.
    """

    f: Callable[[Any], Any]
    meaning: Callable[[Any], Any]
    x: Any
    reverse: bool = True
    forward: bool = True


PROGRAMS: dict[str, Program] = {}


def program(
    x: Any, meaning: Callable[[Any], Any], *, reverse: bool = True, forward: bool = True
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Add the function below under its own name."""

    def add(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        PROGRAMS[f.__name__] = Program(f, meaning, np.asarray(x, np.float64), reverse, forward)
        return f

    return add


@program([0.3, -0.7, 1.2], lambda x: x * np.sin(x) + np.exp(-(x**2)) / (1 + x**2) - 2 * x)
def arithmetic(x: Any) -> Any:
    return x * fnp.sin(x) + fnp.exp(-(x**2)) / (1 + x**2) - 2 * x


def _rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@program([0.3, -0.2, 0.4], _rosenbrock)
def rosenbrock(x: Any) -> Any:
    return fnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def _mlp(x: Any) -> Any:
    hidden = np.tanh(INPUTS @ x[:, :2] + x[0, :2])
    return np.mean((hidden @ x[1:, :] @ np.ones((3, 2)) - TARGETS) ** 2)


@program(RNG.standard_normal((3, 3)), _mlp)
def mlp(x: Any) -> Any:
    params = {"layers": [(x[:, :2], x[0, :2])], "out": x[1:, :]}

    @fxla.jit
    def loss(params: Any, inputs: Any) -> Any:
        (w, b), *_ = params["layers"]
        hidden = fnp.tanh(inputs @ w + b)
        return fnp.mean((hidden @ params["out"] @ np.ones((3, 2)) - TARGETS) ** 2)

    return loss(params, INPUTS)


def _windows(x: Any) -> Any:
    image = x.reshape(2, 4, 5, 1)
    out = np.zeros((2, 3, 4, 2))
    for i in range(3):
        for j in range(4):
            patch = image[:, i : i + 2, j : j + 2, :]
            out[:, i, j] = np.tensordot(patch, KERNEL, ((1, 2, 3), (0, 1, 2)))
    pooled = np.maximum(out[:, :, :2], out[:, :, 2:])
    return np.log1p(np.exp(pooled)).sum((0, 1))


CONV = ConvParams((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), ConvDims.of("NHWC", "HWIO", "NHWC"))


@program(RNG.standard_normal((2, 20)), _windows)
def conv_pool(x: Any) -> Any:
    out = conv_general_dilated(fnp.reshape(x, (2, 4, 5, 1)), KERNEL, CONV, None)
    window = Window((1, 1, 2, 1), (1, 1, 1, 1), ((0, 0),) * 4, (1, 1, 1, 1), (1, 1, 2, 1))
    pooled = reduce_window_max(out, window)
    return fnp.log1p(fnp.exp(pooled)).sum((0, 1))


def _attention(x: Any) -> Any:
    scores = x @ KEYS.T / np.sqrt(2.0)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ VALUES


@program(RNG.standard_normal((2, 2)), _attention)
def attention(x: Any) -> Any:
    scores = x @ KEYS.T / np.sqrt(2.0)
    weights = fnp.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ VALUES


def _rnn(x: Any) -> Any:
    h, out = np.zeros(2), []
    for row in INPUTS[:, :2]:
        h = np.tanh(x @ h + row)
        out.append(h * row)
    return h + np.stack(out).sum(0)


@program(RNG.standard_normal((2, 2)), _rnn)
def rnn_scan(x: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = fnp.tanh(x @ h + row)
        return h, h * row

    h, out = scan(step, fnp.zeros(2), INPUTS[:, :2])
    return h + out.sum(0)


def _newton(x: Any) -> Any:
    y = np.ones_like(x)
    while np.max(np.abs(y * y - x)) > 1e-13:
        y = 0.5 * (y + x / y)
    return y


@program([1.5, 2.0, 3.0], np.sqrt, reverse=False)
def newton_while(x: Any) -> Any:
    def wrong(carry: Any) -> Any:
        n, y = carry
        return (fnp.max(fnp.abs(y * y - x)) > 1e-13) | (n < 7)

    return while_loop(wrong, lambda c: (c[0] + 1, 0.5 * (c[1] + x / c[1])), (0, fnp.ones(3)))[1]


@program([0.4, -0.9], lambda x: np.sin(x) * x if x.sum() > 0 else np.exp(x))
def branch_cond(x: Any) -> Any:
    return cond(fnp.sum(x) > 0, lambda v: fnp.sin(v) * v, lambda v: fnp.exp(v), x)


@program([0.4, 0.9], lambda x: np.sin(x) * x if x.sum() > 0 else np.exp(x))
def branch_other_side(x: Any) -> Any:
    return cond(fnp.sum(x) > 0, lambda v: fnp.sin(v) * v, lambda v: fnp.exp(v), x)


@program([0.4, 1.9], lambda x: (x**2, np.cos(x), 3 * x)[min(max(int(np.floor(x.sum())), 0), 2)])
def branch_switch(x: Any) -> Any:
    index = fnp.floor(fnp.sum(x)).astype("int32")
    return switch(index, [lambda v: v**2, fnp.cos, lambda v: 3 * v], x)


def _fori(x: Any) -> Any:
    y = x
    for i in range(4):
        y = y + np.sin(y) * x / (i + 1)
    return y


@program([0.5, -1.1], _fori)
def loop_fori(x: Any) -> Any:
    return fori_loop(0, 4, lambda i, y: y + fnp.sin(y) * x / (i + 1), x)


INDEX = np.array([[0, 2], [1, 1]])


@program(
    RNG.standard_normal((3, 2)),
    lambda x: x[INDEX].sum(0) * x[2, ::-1] + x[-1, None] + np.take_along_axis(x[:2], INDEX % 2, 1),
)
def indexing(x: Any) -> Any:
    picked = fnp.take_along_axis(x[:2], INDEX % 2, 1)
    return x[INDEX].sum(0) * x[2, ::-1] + x[-1, None] + picked


def _scatter(x: Any) -> Any:
    out = np.zeros(5)
    np.add.at(out, [0, 2, 2], x * x)
    out[1] = np.sin(x[0])
    out[3] *= 7.0
    out[3:] += x[1]
    out[4] = max(out[4] * x[2], -10.0)
    return out


@program([0.4, -0.8, 1.3], _scatter)
def scattering(x: Any) -> Any:
    out = fnp.zeros(5).at[np.array([0, 2, 2])].add(x * x)
    out = out.at[1].set(fnp.sin(x[0])).at[3].multiply(7.0).at[3:].add(x[1])
    return out.at[4].multiply(x[2])


@program([0.9, -0.2, 1.7, 0.3], lambda x: np.sort(x) * np.arange(4) + x[np.argsort(x)][0])
def sorting(x: Any) -> Any:
    return fnp.sort(x) * np.arange(4) + x[fnp.argsort(x)][0]


@program([0.9, -0.4, 1.7], lambda x: np.cumsum(np.sin(x)) * np.cumprod(x) + np.cumsum(x[::-1]))
def cumulative(x: Any) -> Any:
    return fnp.cumsum(fnp.sin(x)) * fnp.cumprod(x) + fnp.cumsum(x[::-1])


@program([0.5, -0.3, 0.2, 0.8], lambda x: np.linalg.solve(MATRIX + np.outer(x, x), np.sin(x)))
def linear_system(x: Any) -> Any:
    a = MATRIX + x[:, None] * x[None, :]
    return linear_solve(a, fnp.sin(x)[:, None])[:, 0]


def _gp(x: Any) -> Any:
    distance = (INPUTS[:, None, 0] - INPUTS[None, :, 0]) ** 2
    k = np.exp(x[0]) * np.exp(-distance * np.exp(x[1])) + (0.1 + x[2] ** 2) * np.eye(5)
    y = TARGETS[:, 0]
    return 0.5 * y @ np.linalg.solve(k, y) + 0.5 * np.linalg.slogdet(k)[1]


@program([0.1, -0.4, 0.6], _gp)
def gp_likelihood(x: Any) -> Any:
    distance = (INPUTS[:, None, 0] - INPUTS[None, :, 0]) ** 2
    k = fnp.exp(x[0]) * fnp.exp(-distance * fnp.exp(x[1])) + (0.1 + x[2] ** 2) * np.eye(5)
    factor = cholesky(k)
    half = triangular_solve(factor, TARGETS[:, :1], left_side=True, lower=True)
    return 0.5 * fnp.sum(half**2) + fnp.sum(fnp.log(fnp.diagonal(factor)))


@program(
    [0.5, -1.0, 0.2, 1.4],
    lambda x: np.abs(np.fft.fft(x * x)) ** 2 * np.arange(4) + np.fft.fft(np.sin(x)).imag,
)
def spectrum(x: Any) -> Any:
    z = fft((x * x).astype("complex128"), "FFT", (4,))
    w = fft(fnp.sin(x).astype("complex128"), "FFT", (4,))
    return fnp.abs(z) ** 2 * np.arange(4) + fnp.imag(w)


@program([0.9, -0.4, 1.7, -2.0], lambda x: np.where(x > 0, np.sqrt(np.abs(x)), x**2))
def masked(x: Any) -> Any:
    positive = x > 0
    return fnp.where(positive, fnp.sqrt(fnp.where(positive, x, 1.0)), x**2)


@fxla.custom_jvp
def _softplus(x: Any) -> Any:
    return fnp.log1p(fnp.exp(x))


@_softplus.defjvp
def _softplus_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    return _softplus(x), t / (1 + fnp.exp(-x))


@program([0.9, -0.4], lambda x: np.log1p(np.exp(x)) * x)
def derivative_by_custom_jvp(x: Any) -> Any:
    return _softplus(x) * x


@fxla.custom_vjp
def _scaled_sine(x: Any, y: Any) -> Any:
    return fnp.sin(x) * y


def _scaled_sine_fwd(x: Any, y: Any) -> Any:
    return _scaled_sine(x, y), (x, y)


def _scaled_sine_bwd(res: Any, ct: Any) -> Any:
    x, y = res
    return ct * fnp.cos(x) * y, ct * fnp.sin(x)


_scaled_sine.defvjp(_scaled_sine_fwd, _scaled_sine_bwd)


@program([0.9, -0.4], lambda x: np.sin(x) * x**2, forward=False)
def derivative_by_custom_vjp(x: Any) -> Any:
    return _scaled_sine(x, x**2)


@program([0.9, -0.4, 0.1], lambda x: np.sin(np.sin(x) * x) * x)
def rematerialised(x: Any) -> Any:
    inner = fxla.checkpoint(lambda v: fnp.sin(fnp.sin(v) * v))
    return inner(x) * x


@program(
    [0.9, -0.4, 0.1],
    lambda x: (
        x * np.asarray(random.uniform(random.key(3), (3,)))
        + np.sin(x) * np.asarray(random.normal(random.key(4), (3,)))
    ),
)
def noise(x: Any) -> Any:
    return x * random.uniform(random.key(3), (3,)) + fnp.sin(x) * random.normal(random.key(4), (3,))


def _energy(x: Any) -> Any:
    total = 0.5 * np.sum(x**2)
    for i in range(len(x)):
        for j in range(i):
            total -= 1 / np.sqrt(np.sum((x[i] - x[j]) ** 2) + 0.1)
    return total


@program(RNG.standard_normal((3, 2)), _energy)
def n_body(x: Any) -> Any:
    apart = x[:, None, :] - x[None, :, :]
    distance = fnp.sqrt(fnp.sum(apart**2, -1) + 0.1)
    pairs = fnp.where(np.tri(3, k=-1) > 0, 1 / distance, 0.0)
    return 0.5 * fnp.sum(x**2) - fnp.sum(pairs)


@program([[0.9, -0.4], [0.1, 1.2]], lambda x: x / x.sum(0) + (x - x.max(0)))
def normalised_by_psum(x: Any) -> Any:
    return fxla.vmap(lambda v: v / psum(v, "i") + (v - pmax(v, "i")), axis_name="i")(x)


@program(
    [[0.9, -0.4, 2.0], [0.1, 1.2, -1.0]],
    lambda x: np.log(np.exp(x).sum(1)) + x.max(1) * x.var(1) + x.prod(1) - x.mean(),
)
def reductions(x: Any) -> Any:
    return fnp.log(fnp.exp(x).sum(1)) + x.max(1) * x.var(1) + x.prod(1) - x.mean()


@program(
    [0.9, -0.4, 2.0],
    lambda x: np.concatenate([x[1:] * x[:-1], np.pad(x, (1, 2))[::2], np.stack([x, -x]).ravel()]),
)
def pieces(x: Any) -> Any:
    return fnp.concatenate([x[1:] * x[:-1], fnp.pad(x, (1, 2))[::2], fnp.ravel(fnp.stack([x, -x]))])


@program(
    RNG.standard_normal((2, 3)),
    lambda x: np.einsum("ij,kj,il->kl", x, x, np.cos(x)) + x @ VALUES[:3, :],
)
def contraction(x: Any) -> Any:
    return fnp.einsum("ij,kj,il->kl", x, x, fnp.cos(x)) + x @ VALUES[:3, :]


@program([0.3, 1.4], lambda x: np.sin(x) * np.cos(x[0]) + x)
def inner_gradient(x: Any) -> Any:
    """A gradient inside of a program: d/dv of (-cos(v) cos(x0) + v x)."""
    return fxla.grad(lambda v: fnp.sum(-fnp.cos(v) * fnp.cos(x[0]) + v * x))(x)
