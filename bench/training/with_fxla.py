"""The tasks in fxla."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fxla
from bench.training.tasks import Task
from fxla import models, optim
from fxla.weights import load_torch_state

__all__ = ["stepper"]


def stepper(name: str, task: Task) -> Callable[[Any, Any], Callable[[], float]]:
    """A function that trains on a batch; what it returns gives the loss, when it is there."""
    with fxla.default_dtype("float32"):
        model = load_torch_state(fxla.eval_shape(lambda: _model(name, task)), task.state())[0]
    optimizer = optim.adam(task.rate)
    state = optimizer.init(model)

    def loss(model: Any, x: Any, y: Any) -> Any:
        losses = optim.losses.softmax_cross_entropy_with_integer_labels(model(x), y)
        return losses.mean()

    @fxla.jit
    def step(model: Any, state: Any, x: Any, y: Any) -> Any:
        value, slopes = fxla.value_and_grad(loss)(model, x, y)
        updates, state = optimizer.update(slopes, state, model)
        return value, optim.apply_updates(model, updates), state

    def train(x: Any, y: Any) -> Callable[[], float]:
        nonlocal model, state
        value, model, state = step(model, state, x, y)
        return lambda: float(value)

    return train


def _model(name: str, task: Task) -> Any:
    if name == "mlp":
        return models.MLP([784, 128, 10])
    if name == "cnn":
        return models.CNN()
    c = task.cut
    return models.GPT2(
        models.GPT2Config(c.vocabulary, c.context, c.width, c.layers, c.heads, dropout=0.0)
    )
