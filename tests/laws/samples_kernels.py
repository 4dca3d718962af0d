"""Samples of the primitives of numba-style functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
from fxla.kernels.api import kernel
from tests.laws.sample import Draw, Sample, draw_float

__all__ = ["SAMPLES"]


def _sample(label: str, call: Any, oracle: Any, *draws: Any, **more: Any) -> Sample:
    operands: Draw = lambda rng: tuple(d(rng) for d in draws)  # noqa: E731
    more = {"differentiable": tuple(range(len(draws)))} | more
    return Sample(label, operands, oracle=oracle, ulps=64, kernel_ulps=64, whole=True, call=call,
                  **more)  # fmt: skip


@kernel
def recurrence(x: Any, a: Any) -> Any:
    y = np.empty_like(x)
    state = 1.0
    for i in range(x.shape[0]):
        state = a * state + x[i] * state
        y[i] = state
    return y, state


def recurrence_in_numpy(x: Any, a: Any) -> Any:
    y = np.cumprod(x + a)
    return y, y[-1]


@kernel
def polynomial(x: Any, y: Any) -> Any:
    if x > y:
        z = x * y
    else:
        z = x - y
    return z * z


def polynomial_in_numpy(x: Any, y: Any) -> Any:
    return np.where(x > y, x * y, x - y) ** 2


def along(x: Any, a: Any, t: Any, s: Any) -> Any:
    return fxla.jvp(recurrence, (x, a), (t, s))[1]


def along_in_numpy(x: Any, a: Any, t: Any, s: Any) -> Any:
    y = np.cumprod(x + a)
    change = y * np.cumsum((t + s) / (x + a))
    return change, change[-1]


@kernel(out=lambda x: fxla.ShapeDtypeStruct(x.shape, x.dtype))
def by_name(x: Any) -> Any:
    counts = {"a": 2.0}
    return x * counts["a"]


VECTOR = draw_float((4,), low=0.5, high=1.5)
NUMBER = draw_float((), low=0.3, high=0.9)
SAMPLES = {
    "kernel": [
        _sample("loop", recurrence, recurrence_in_numpy, VECTOR, NUMBER),
        _sample("expression", lambda x, y: [polynomial(x, y)], polynomial_in_numpy, NUMBER, NUMBER),
    ],
    "kernel_linear": [
        _sample("loop", along, along_in_numpy, VECTOR, NUMBER, VECTOR, NUMBER),
    ],
    "host_kernel": [
        _sample(
            "dictionary",
            lambda x: [by_name(x)],
            lambda x: x * 2.0,
            VECTOR,
            differentiable=(),
            reverse=False,
            forward=False,
        ),
    ],
}
