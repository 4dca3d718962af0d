"""Random programs: a list of steps, each an operation on values made before it.

A program is data (hypothesis shrinks it) that `run` interprets with any array namespace. Values are
kept near one by `tanh` after steps that grow, so that programs of any length stay finite, and
steps that are not smooth act on values that are apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

__all__ = ["RandomProgram", "programs", "run"]

SHAPES = [(), (3,), (4, 3), (1, 3), (4, 1), (2, 4, 3)]


@dataclass(frozen=True)
class RandomProgram:
    """Steps of (operation, operands by position, a small number that the operation may use).

    Attributes:
        shapes: of the inputs.
        steps: the operations.
        seed: of the inputs' values.
    """

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[tuple[str, int, int, int], ...]
    seed: int

    def inputs(self, dtype: Any = "float64") -> tuple[Any, ...]:
        """Values for the inputs."""
        rng = np.random.default_rng(self.seed)
        return tuple(np.asarray(rng.uniform(-1.5, 1.5, s)).astype(dtype) for s in self.shapes)


def _pick_axis(x: Any, k: int) -> int:
    return k % x.ndim


def _take_rows(np_: Any, x: Any, k: int) -> Any:
    if x.ndim == 0:
        return x
    index = np.array([k % x.shape[0], 0, x.shape[0] - 1])
    return x[index]


def _roll(np_: Any, x: Any, k: int) -> Any:
    if x.ndim == 0:
        return x
    n = x.shape[-1]
    return np_.concatenate([x[..., k % n :], x[..., : k % n]], -1)


def _every_other(x: Any) -> Any:
    return np.arange(x.shape[-1]) % 2 == 0 if x.ndim else True


def _matmul(np_: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 and y.ndim == 2 and x.shape[1] == y.shape[1]:
        return x @ y.T / x.shape[1]
    return x - y


UNARY: dict[str, Callable[[Any, Any, int], Any]] = {
    "sin": lambda np_, x, k: np_.sin(x),
    "exp": lambda np_, x, k: np_.exp(np_.tanh(x)),
    "log": lambda np_, x, k: np_.log(x * x + 1.5),
    "sqrt": lambda np_, x, k: np_.sqrt(x * x + 0.5),
    "negative": lambda np_, x, k: -x,
    "square": lambda np_, x, k: np_.tanh(x) ** 2,
    "reciprocal": lambda np_, x, k: 1.0 / (x * x + 1.0),
    "transpose": lambda np_, x, k: np_.swapaxes(np_.swapaxes(x, 0, -1), 0, -1) if x.ndim else x,
    "sum": lambda np_, x, k: x.sum(_pick_axis(x, k), keepdims=True) / 4 if x.ndim else x,
    "mean": lambda np_, x, k: x.mean(),
    "centred": lambda np_, x, k: x - x.mean(_pick_axis(x, k), keepdims=True) if x.ndim else x,
    "cumsum": lambda np_, x, k: np_.cumsum(x, _pick_axis(x, k)) / 4 if x.ndim else x,
    "flip": lambda np_, x, k: x[::-1] if x.ndim else x,
    "rows": _take_rows,
    "roll": _roll,
    "softmax": lambda np_, x, k: np_.exp(np_.tanh(x)) / np_.exp(np_.tanh(x)).sum(),
    "widened": lambda np_, x, k: x[..., None] * np.array([1.0, -0.5], x.dtype) if x.ndim < 2 else x,
    "flat": lambda np_, x, k: x.reshape(-1)[:4],
}
BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda np_, x, y: x + y,
    "multiply": lambda np_, x, y: np_.tanh(x) * y,
    "divide": lambda np_, x, y: x / (y * y + 1.0),
    "hypot": lambda np_, x, y: np_.sqrt(x * x + y * y + 0.25),
    "where": lambda np_, x, y: np_.where(_every_other(x), x, np_.tanh(y) * 0.5),
    "matmul": _matmul,
    "atan2": lambda np_, x, y: np_.arctan2(x, y * y + 0.5),
}


def run(np_: Any, program: RandomProgram, inputs: Any) -> Any:
    """Interpret a program with the functions of a namespace; a scalar and an array result."""
    values = list(inputs)
    for name, a, b, k in program.steps:
        x, y = values[a % len(values)], values[b % len(values)]
        if name in UNARY:
            value = UNARY[name](np_, x, k)
        else:
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                y = y.mean()
            value = BINARY[name](np_, x, y)
        values.append(value if value.size < 200 else value.mean())
    return values[-1], sum((v.sum() for v in values[1:]), values[0].sum())


def programs() -> st.SearchStrategy[RandomProgram]:
    """Programs of up to 12 steps on up to 3 inputs."""
    number = st.integers(0, 31)
    step = st.tuples(st.sampled_from([*UNARY, *BINARY]), number, number, number)
    return st.builds(
        RandomProgram,
        st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3).map(tuple),
        st.lists(step, min_size=1, max_size=12).map(tuple),
        st.integers(0, 2**16),
    )
