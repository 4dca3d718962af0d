"""Samples of callbacks and of functions with their own batching; a batching rule agrees with the
function, as the laws ask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fxla.control.callback import debug_callback, pure_callback
from fxla.control.custom_vmap import custom_vmap
from fxla.ops.arithmetic import mul
from fxla.ops.transcendental import sin
from tests.laws.samples_control import OTHER, VECTOR, _sample

__all__ = ["SAMPLES"]


def _halves(x: Any, y: Any) -> Any:
    return (x + y) / 2


def _asked(x: Any, y: Any) -> Any:
    return [pure_callback(_halves, x, x, y, vmap_method="sequential")]


def _noted(x: Any) -> Any:
    debug_callback(lambda x: None, x)
    return [mul(x, x)]


_wave = custom_vmap(lambda x, y: mul(sin(x), y))


@_wave.def_vmap
def _wave_rule(size: int, batched: list[bool], x: Any, y: Any) -> Any:
    mapped = [
        v if b else np.broadcast_to(v, (size, *v.shape))
        for v, b in zip((x, y), batched, strict=True)
    ]
    return mul(sin(mapped[0]), mapped[1]), True


SAMPLES = {
    "pure_callback": [
        replace(_sample("mean", _asked, _halves, VECTOR, OTHER, differentiable=()), defined=False)
    ],
    "debug_callback": [_sample("noted", _noted, lambda x: x * x, VECTOR)],
    "custom_vmap_call": [
        _sample("wave", lambda x, y: [_wave(x, y)], lambda x, y: np.sin(x) * y, VECTOR, OTHER),
    ],
}
