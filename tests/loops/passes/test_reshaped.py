"""Reshapes that join axes and split them elsewhere, fused into what reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

RESHAPES = [
    ((4, 6, 5, 7), (4, 3, -1)),
    ((4, 6, 5, 7), (2, 12, 35)),
    ((6, 4), (3, 8)),
    ((3, 10, 14), (30, 2, 7)),
    ((2, 3, 4, 5), (5, 24)),
    ((1, 6, 1, 35), (2, 105)),
]


@pytest.mark.parametrize("target", ["native", "numba"])
@pytest.mark.parametrize(("shape", "to"), RESHAPES)
def test_rows_of_a_reshape(
    shape: tuple[int, ...], to: tuple[int, ...], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Group normalisation: means of rows, and what is left, beside maps and sums down columns."""
    monkeypatch.setenv("FXLA_TARGET", target)
    x = np.random.default_rng(0).standard_normal(shape)

    def normalised(xp: Any, x: Any) -> Any:
        y = x.reshape(to)
        centred = y - y.mean(-1, keepdims=True)
        return (centred * centred + x.sum()).reshape(shape), y.sum(0), xp.cos(y), y[..., ::-1]

    found = fxla.jit(lambda x: normalised(fnp, x))(x)
    for a, b in zip(found, normalised(np, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_groups_of_channels_are_read_without_divisions() -> None:
    """The kernel reads the array as rows of groups."""
    x = np.ones((8, 32, 56, 56), np.float32)
    seen = fxla.jit(lambda x: x.reshape(8, 8, -1).mean(-1)).inspect(x)
    assert "//" not in seen.loops.split("\n", 1)[1].replace("// 128", "")
    assert "%" not in seen.loops


@pytest.mark.parametrize("target", ["native", "numba"])
def test_a_reshape_of_a_reshape(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of group normalisation reshapes back and forth: no division is left."""
    monkeypatch.setenv("FXLA_TARGET", target)
    x = np.random.default_rng(0).standard_normal((3, 6, 10, 11))

    def loss(x: Any) -> Any:
        y = x.reshape(3, 2, -1)
        y = (y - y.mean(-1, keepdims=True)).reshape(x.shape)
        return (y * y * x).sum()

    f = fxla.jit(fxla.grad(loss))
    step = 1e-6
    for place in ((0, 0, 0, 0), (2, 3, 9, 10), (1, 5, 4, 7)):
        d = np.zeros_like(x)
        d[place] = step
        slope = (loss(x + d) - loss(x - d)) / (2 * step)
        np.testing.assert_allclose(f(x)[place], slope, rtol=1e-6)
    assert "%" not in f.inspect(x).loops


def test_the_derivative_of_a_repeat_divides_nothing() -> None:
    """Each element reads its copies, of which all are itself."""
    x = np.random.default_rng(0).standard_normal((5, 90))
    f = fxla.jit(fxla.grad(lambda x: (fnp.repeat(x, 4, 1) ** 2).sum()))
    np.testing.assert_allclose(f(x), 8 * x, rtol=1e-14)
    assert "//" not in f.inspect(x).loops
