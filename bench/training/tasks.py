"""What is trained: data and initial values as NumPy arrays, with PyTorch's names and layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

__all__ = ["TASKS", "Cut", "Task", "batches"]

State = dict[str, Any]
TEXT = Path(__file__).resolve().parents[2] / "examples" / "texts" / "sonnets.txt"


@dataclass(frozen=True)
class Cut:
    """Sizes of the transformer."""

    vocabulary: int = 71
    context: int = 64
    width: int = 128
    layers: int = 3
    heads: int = 4


@dataclass(frozen=True)
class Task:
    """A model and its data.

    Attributes:
        why: for the page.
        data: gives the inputs and the labels of an epoch.
        state: gives the initial values.
        batch: how many examples a step takes.
        rate: of Adam.
        cut: sizes of a transformer.
    """

    why: str
    data: Callable[[], tuple[Any, Any]]
    state: Callable[[], State]
    batch: int
    rate: float = 1e-3
    cut: Cut = Cut()


def batches(task: Task, seed: int) -> Iterator[tuple[Any, Any]]:
    """The batches of an epoch, in an order that the seed decides."""
    inputs, labels = task.data()
    order = numpy.random.default_rng(seed).permutation(len(inputs))
    for start in range(0, len(order) - task.batch + 1, task.batch):
        chosen = order[start : start + task.batch]
        yield inputs[chosen], labels[chosen]


def _images(count: int) -> tuple[Any, Any]:
    """Ten shapes with noise: f32[count, 28, 28, 1] and their numbers."""
    rng = numpy.random.default_rng(0)
    shapes = rng.normal(size=(10, 28, 28, 1))
    labels = rng.integers(0, 10, count).astype(numpy.int32)
    images = 0.5 * shapes[labels] + rng.normal(size=(count, 28, 28, 1))
    return images.astype(numpy.float32), labels


def _rows() -> tuple[Any, Any]:
    images, labels = _images(4992)
    return images.reshape(len(images), -1), labels


def _text() -> tuple[Any, Any]:
    text = TEXT.read_text(encoding="utf-8")
    alphabet = {c: k for k, c in enumerate(sorted(set(text)))}
    numbers = numpy.array([alphabet[c] for c in text], numpy.int32)
    length = Cut().context
    rows = len(numbers) // length - 1
    starts = numpy.arange(rows)[:960, None] * length + numpy.arange(length)
    return numbers[starts], numbers[starts + 1]


class _Draws:
    """Initial values, with PyTorch's names."""

    def __init__(self) -> None:
        self.rng = numpy.random.default_rng(1)
        self.state: State = {}

    def weight(self, name: str, *shape: int) -> None:
        fan_in = int(numpy.prod(shape[1:]))
        drawn = self.rng.normal(size=shape) / numpy.sqrt(fan_in)
        self.state[f"{name}.weight"] = drawn.astype(numpy.float32)

    def linear(self, name: str, *shape: int) -> None:
        self.weight(name, *shape)
        self.state[f"{name}.bias"] = numpy.zeros(shape[0], numpy.float32)

    def norm(self, name: str, width: int) -> None:
        self.state[f"{name}.weight"] = numpy.ones(width, numpy.float32)
        self.state[f"{name}.bias"] = numpy.zeros(width, numpy.float32)


def _mlp_state() -> State:
    draws = _Draws()
    draws.linear("layers.0", 128, 784)
    draws.linear("layers.1", 10, 128)
    return draws.state


def _cnn_state() -> State:
    draws = _Draws()
    draws.linear("conv1", 32, 1, 3, 3)
    draws.linear("conv2", 64, 32, 3, 3)
    draws.linear("fc1", 128, 7 * 7 * 64)
    draws.linear("fc2", 10, 128)
    return draws.state


def _transformer_state() -> State:
    draws, c = _Draws(), Cut()
    draws.weight("wte", c.vocabulary, c.width)
    draws.weight("wpe", c.context, c.width)
    for k in range(c.layers):
        at = f"h.{k}."
        for part in "qkv":
            draws.linear(f"{at}self_attn.{part}_proj", c.width, c.width)
        draws.linear(f"{at}self_attn.out_proj", c.width, c.width)
        draws.linear(f"{at}linear1", 4 * c.width, c.width)
        draws.linear(f"{at}linear2", c.width, 4 * c.width)
        draws.norm(f"{at}norm1", c.width)
        draws.norm(f"{at}norm2", c.width)
    draws.norm("ln_f", c.width)
    return draws.state


TASKS = {
    "mlp": Task("784-128-10, 4992 images, batches of 32, Adam", _rows, _mlp_state, 32),
    "cnn": Task(
        "conv 32, pool, conv 64, pool, 128, 10; 2560 images, batches of 32, Adam",
        lambda: _images(2560), _cnn_state, 32,
    ),
    "transformer": Task(
        "3 causal layers of width 128 over 71 characters, 960 windows of 64, batches of 16, Adam",
        _text, _transformer_state, 16,
    ),
}  # fmt: skip
