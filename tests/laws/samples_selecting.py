"""Samples of what brings elements together, picks them by rank, and of common divisors.

The oracles are lists of Python numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.laws.sample import Sample, draw_bool, draw_distinct, draw_float, draw_int

__all__ = ["SAMPLES"]

SAMPLES: dict[str, list[Sample]] = {}
Shape = tuple[int, ...]


def _rows(shape: Shape) -> Any:
    return np.ndindex(*shape[:-1])


def _compact(lead: Shape, n: int, m: int, dtype: str = "f8") -> Sample:
    draw = draw_int if np.dtype(dtype).kind == "i" else draw_float

    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        mask = draw_bool((*lead, n))(rng)
        return draw((*lead, m), dtype)(rng), mask, draw((*lead, n), dtype)(rng)

    def oracle(rest: Any, mask: Any, x: Any) -> Any:
        out = rest.copy()
        for at in _rows(x.shape):
            chosen = [v for v, wanted in zip(x[at], mask[at], strict=True) if wanted]
            out[at] = [*chosen, *rest[at][len(chosen) :]][:m]
        return out

    exact = dtype == "f8"
    return Sample(
        f"{dtype}-{n}-into-{m}-{'x'.join(map(str, lead))}",
        operands,
        {},
        oracle,
        differentiable=(0, 2) if exact else (),
        linear=((0, 2),) if exact else (),
    )


SAMPLES["compact"] = [
    _compact((), 9, 9),
    _compact((), 9, 3),
    _compact((), 4, 9),
    _compact((2, 3), 5, 5),
    _compact((2,), 6, 2, "i4"),
    _compact((), 0, 4),
    _compact((), 5, 0),
]


def _rank(lead: Shape, n: int, ranks: list[int], dtype: str = "f8") -> Sample:
    draw = draw_int if np.dtype(dtype).kind == "i" else draw_distinct

    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        wanted = np.broadcast_to(np.array(ranks, np.int64), (*lead, len(ranks))).copy()
        return draw((*lead, n), dtype)(rng), wanted

    def oracle(x: Any, wanted: Any) -> Any:
        out = np.empty(wanted.shape, x.dtype)
        for at in _rows(x.shape):
            ordered = sorted(x[at].tolist())
            out[at] = [ordered[min(max(k, 0), n - 1)] for k in wanted[at]]
        return out

    return Sample(
        f"{dtype}-{n}-at-{'-'.join(map(str, ranks))}-{'x'.join(map(str, lead))}",
        operands,
        {},
        oracle,
        differentiable=(0,) if dtype == "f8" else (),
    )


SAMPLES["order_statistic"] = [
    _rank((), 9, [4]),
    _rank((), 9, [0, 8, 3]),
    _rank((2, 3), 5, [1, 2]),
    _rank((), 7, [3], "f4"),
    _rank((3,), 8, [7, 0], "i4"),
    _rank((), 1, [0]),
]


def _gcd(shape: Shape, dtype: str) -> Sample:
    def operands(rng: np.random.Generator) -> tuple[Any, ...]:
        low = -60 if np.dtype(dtype).kind == "i" else 0
        return draw_int(shape, dtype, low, 60)(rng), draw_int(shape, dtype, low, 60)(rng)

    def oracle(x: Any, y: Any) -> Any:
        pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
        return np.array([math.gcd(a, b) for a, b in pairs], dtype).reshape(shape)

    return Sample(f"{dtype}-{'x'.join(map(str, shape))}", operands, {}, oracle)


SAMPLES["gcd"] = [_gcd((17,), "i8"), _gcd((2, 5), "i1"), _gcd((7,), "u4"), _gcd((), "i4")]
