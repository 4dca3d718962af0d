"""Short sums written out: the same values, in lanes, whatever windows and rows look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import fxla
import fxla.numpy as fnp
from fxla import lax

SHAPES = [(1, 3, 6, 8), (2, 1, 17, 33)]
WINDOWS = [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 3)), ((5, 5), (5, 2)), ((1, 4), (2, 4))]
TARGETS = ["native", "numba"]


def windows(x: Any, size: tuple[int, int], stride: tuple[int, int], low: int, fill: float) -> Any:
    """Every window of the last two axes, as two axes more."""
    x = np.pad(x, ((0, 0), (0, 0), (low, low), (low, low)), constant_values=fill)
    return sliding_window_view(x, size, (2, 3))[:, :, :: stride[0], :: stride[1]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("low", [0, 1])
@pytest.mark.parametrize(("size", "stride"), WINDOWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pooling_and_its_derivative(
    shape: tuple[int, ...],
    size: tuple[int, int],
    stride: tuple[int, int],
    low: int,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Maxima and sums against NumPy; each cotangent arrives where its maximum was."""
    monkeypatch.setenv("FXLA_TARGET", target)
    rng = np.random.default_rng(0)
    x = rng.permutation(np.arange(np.prod(shape), dtype=np.float32)).reshape(shape)
    pads = ((0, 0), (0, 0), (low, low), (low, low))

    def pool(init: float, op: Any) -> Any:
        return lambda x: lax.reduce_window(x, init, op, (1, 1, *size), (1, 1, *stride), pads)

    seen = windows(x, size, stride, low, -np.inf)
    places = windows(np.arange(x.size).reshape(shape), size, stride, low, -1)
    best = seen.reshape(*seen.shape[:4], -1).argmax(-1)
    ct = rng.standard_normal(best.shape).astype(np.float32)
    value, pullback = fxla.vjp(fxla.jit(pool(-np.inf, lax.max)), x)
    np.testing.assert_array_equal(value, seen.max((-2, -1)))
    winners = np.take_along_axis(places.reshape(*places.shape[:4], -1), best[..., None], -1)
    some = winners[..., 0] >= 0  # there may be windows of padding alone
    expected = np.bincount(winners[..., 0][some], ct[some], x.size).reshape(shape)
    (found,) = fxla.jit(pullback)(ct)
    np.testing.assert_allclose(found, expected, atol=1e-5)

    value, pullback = fxla.vjp(fxla.jit(pool(0.0, lax.add)), x)
    np.testing.assert_allclose(value, windows(x, size, stride, low, 0).sum((-2, -1)), rtol=1e-5)
    there = places.reshape(*places.shape[:4], -1)
    weights = np.broadcast_to(ct[..., None], there.shape)[there >= 0]
    expected = np.bincount(there[there >= 0], weights, x.size).reshape(shape)
    (found,) = fxla.jit(pullback)(ct)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("columns", [2, 3, 5, 7, 8])
@pytest.mark.parametrize("rows", [1, 9, 33, 2000])
def test_passes_over_short_rows(
    rows: int, columns: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Softmax, and unit vectors with their derivative, rows in lanes."""
    monkeypatch.setenv("FXLA_TARGET", target)
    x = np.random.default_rng(rows).standard_normal((rows, columns))

    def softmax(x: Any) -> Any:
        e = fnp.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def units(x: Any) -> Any:
        return x / fnp.sqrt((x * x).sum(-1, keepdims=True))

    e = np.exp(x - x.max(-1, keepdims=True))
    np.testing.assert_allclose(fxla.jit(softmax)(x), e / e.sum(-1, keepdims=True), rtol=1e-13)
    norm = np.sqrt((x * x).sum(-1, keepdims=True))
    u, ct = x / norm, np.cos(x)
    found = fxla.jit(fxla.grad(lambda x: (units(x) * ct).sum()))(x)
    expected = (ct - u * (u * ct).sum(-1, keepdims=True)) / norm
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_window_of_what_is_not_a_number() -> None:
    """NaN wins, the first of them; a window of -inf has its first element as winner."""
    x = np.array([[1.0, np.nan, np.nan, 0.0], [-np.inf] * 4], np.float32)

    def pool(x: Any) -> Any:
        return lax.reduce_window(x, -np.inf, lax.max, (1, 4), (1, 4), "VALID")

    value, pullback = fxla.vjp(fxla.jit(pool), x)
    np.testing.assert_array_equal(value, [[np.nan], [-np.inf]])
    (found,) = pullback(np.ones((2, 1), np.float32))
    np.testing.assert_array_equal(found, [[0, 1, 0, 0], [1, 0, 0, 0]])
