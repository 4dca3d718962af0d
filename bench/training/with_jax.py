"""The tasks in JAX, with optax."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from bench.training.tasks import Task

__all__ = ["stepper"]

State = dict[str, Any]


def stepper(name: str, task: Task) -> Callable[[Any, Any], Callable[[], float]]:
    """A function that trains on a batch; what it returns gives the loss, when it is there."""
    jax: Any = importlib.import_module("jax")
    optax: Any = importlib.import_module("optax")
    apply = {"mlp": _mlp, "cnn": _cnn, "transformer": _transformer(task)}[name](jax)
    params = {key: jax.numpy.asarray(_layout(key, x)) for key, x in task.state().items()}
    optimizer = optax.adam(task.rate)
    state = optimizer.init(params)

    def loss(params: State, x: Any, y: Any) -> Any:
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(apply(params, x), y)
        return losses.mean()

    def one_step(params: State, state: Any, x: Any, y: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(params, x, y)
        updates, state = optimizer.update(slopes, state, params)
        return value, optax.apply_updates(params, updates), state

    step = jax.jit(one_step)

    def train(x: Any, y: Any) -> Callable[[], float]:
        nonlocal params, state
        value, params, state = step(params, state, x, y)
        return lambda: float(value)

    return train


def _layout(name: str, x: Any) -> Any:
    """PyTorch's layout as JAX's users have it: matrices [in, out], kernels [h, w, in, out]."""
    if x.ndim == 4:
        return x.transpose(2, 3, 1, 0)
    return x.T if x.ndim == 2 and not name.startswith(("wte", "wpe")) else x


def _linear(p: State, name: str, x: Any) -> Any:
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def _mlp(jax: Any) -> Callable[[State, Any], Any]:
    def apply(p: State, x: Any) -> Any:
        return _linear(p, "layers.1", jax.nn.relu(_linear(p, "layers.0", x)))

    return apply


def _cnn(jax: Any) -> Callable[[State, Any], Any]:
    lax = jax.lax

    def block(p: State, name: str, x: Any) -> Any:
        y = lax.conv_general_dilated(
            x, p[f"{name}.weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = jax.nn.relu(y + p[f"{name}.bias"])
        return lax.reduce_window(y, -jax.numpy.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def apply(p: State, x: Any) -> Any:
        x = block(p, "conv2", block(p, "conv1", x))
        return _linear(p, "fc2", jax.nn.relu(_linear(p, "fc1", x.reshape(len(x), -1))))

    return apply


def _transformer(task: Task) -> Callable[[Any], Callable[[State, Any], Any]]:
    c = task.cut

    def with_jax(jax: Any) -> Callable[[State, Any], Any]:
        np = jax.numpy

        def norm(p: State, name: str, x: Any) -> Any:
            centred = x - x.mean(-1, keepdims=True)
            scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
            return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]

        def attention(p: State, name: str, x: Any) -> Any:
            batch, length, width = x.shape
            q, k, v = (
                _linear(p, f"{name}.{part}_proj", x).reshape(batch, length, c.heads, -1)
                for part in "qkv"
            )
            y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
            return _linear(p, f"{name}.out_proj", y.reshape(batch, length, width))

        def apply(p: State, tokens: Any) -> Any:
            x = p["wte.weight"][tokens] + p["wpe.weight"][np.arange(tokens.shape[1])]
            for k in range(c.layers):
                x = x + attention(p, f"h.{k}.self_attn", norm(p, f"h.{k}.norm1", x))
                y = jax.nn.gelu(_linear(p, f"h.{k}.linear1", norm(p, f"h.{k}.norm2", x)))
                x = x + _linear(p, f"h.{k}.linear2", y)
            return norm(p, "ln_f", x) @ p["wte.weight"].T

        return apply

    return with_jax
