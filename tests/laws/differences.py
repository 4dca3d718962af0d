"""Derivatives without differentiation: central differences, the complex step, inner products.

The eight-point central stencil has an error of order h**8, so that with h near 0.01 both truncation
and rounding stay below 1e-10 for the smooth functions it is used on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["complex_step", "difference", "gradient", "inner", "shifted"]

_WEIGHTS = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))

Function = Callable[..., Sequence[Any]]


def shifted(
    operands: Sequence[Any], at: Sequence[int], tangents: Sequence[Any], h: complex
) -> list[Any]:
    """The operands with those at positions `at` moved by `h` along their tangents."""
    moved = [np.asarray(x) for x in operands]
    for k, t in zip(at, tangents, strict=True):
        moved[k] = np.asarray(moved[k] + h * t)
    return moved


def difference(
    f: Function,
    operands: Sequence[Any],
    at: Sequence[int],
    tangents: Sequence[Any],
    step: float = 5e-3,
) -> list[Any]:
    """d/dh f(x + h t) at h = 0, for each result."""
    total: list[Any] | None = None
    for k, weight in _WEIGHTS:
        up = f(*shifted(operands, at, tangents, k * step))
        down = f(*shifted(operands, at, tangents, -k * step))
        with np.errstate(invalid="ignore"):
            terms = [weight * (_wide(u) - _wide(d)) / step for u, d in zip(up, down, strict=True)]
        total = terms if total is None else [a + b for a, b in zip(total, terms, strict=True)]
    assert total is not None
    return total


def _wide(x: Any) -> Any:
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def complex_step(
    f: Function, operands: Sequence[Any], at: Sequence[int], tangents: Sequence[Any]
) -> list[Any]:
    """Im f(x + i h t) / h with h so small that nothing is cancelled; f holomorphic, x real."""
    h = 1e-30
    moved = [x.astype(np.complex128) for x in map(np.asarray, operands)]
    for k, t in zip(at, tangents, strict=True):
        moved[k] = np.asarray(moved[k] + 1j * h * t)
    return [np.asarray(out).imag / h for out in f(*moved)]


def gradient(f: Callable[[Any], Any], x: Any, step: float = 5e-3) -> Any:
    """All partial derivatives of a function with one real result, by differences."""
    x = np.asarray(x, np.float64)
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        t = np.zeros_like(x)
        t[index] = 1.0
        found[index] = difference(lambda y: (f(y),), (x,), (0,), (t,), step)[0]
    return found


def inner(cts: Sequence[Any], tangents: Sequence[Any]) -> float:
    """The pairing of cotangents and tangents: Re sum(ct * t), without conjugation."""
    return float(
        sum(np.sum(np.asarray(c) * np.asarray(t)).real for c, t in zip(cts, tangents, strict=True))
    )
