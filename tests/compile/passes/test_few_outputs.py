"""Convolutions whose operands change places: sums over images for kernels with few outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.backend.compiled import target
from fxla.compile.passes.few_outputs import exchanged

RNG = np.random.default_rng(0)
LAYOUT = ("NHWC", "HWIO", "NHWC")
Pads = tuple[tuple[int, int], tuple[int, int]]


def derivative(x: Any, dy: Any, kernel: tuple[int, ...], stride: int, pads: Pads) -> Any:
    """The gradient of ``sum(conv(x, kernel) * dy)`` for the kernel, a position at a time."""
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    out = np.zeros(kernel)
    high, wide = (stride * (n - 1) + 1 for n in dy.shape[1:3])
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            met = x[:, i : i + high : stride, j : j + wide : stride]
            out[i, j] = np.tensordot(met, dy, ((0, 1, 2), (0, 1, 2)))
    return out


def gradient(stride: int, pads: Pads) -> Any:
    def f(k: Any, x: Any, dy: Any) -> Any:
        y = lax.conv_general_dilated(x, k, (stride, stride), pads, dimension_numbers=LAYOUT)
        return fnp.sum(y * dy)

    return fxla.jit(fxla.grad(f))


@pytest.mark.parametrize(("outputs", "dtype"), [(1, "f4"), (3, "f4"), (2, "f8")])
@pytest.mark.parametrize(
    ("kernel", "stride", "pads"),
    [
        ((3, 3), 1, ((1, 1), (1, 1))),
        ((5, 2), 1, ((0, 0), (0, 0))),
        ((3, 4), 1, ((2, 0), (0, 3))),
        ((3, 3), 2, ((1, 1), (0, 1))),
        ((4, 3), 3, ((0, 2), (1, 0))),
        ((1, 1), 1, ((0, 0), (0, 0))),
    ],
)
def test_sums_over_images(
    outputs: int, kernel: tuple[int, int], stride: int, pads: Pads, dtype: str
) -> None:
    x = RNG.integers(-3, 4, (6, 17, 19, 12)).astype(dtype)
    high, wide = (
        (n + sum(p) - k) // stride + 1 for n, p, k in zip((17, 19), pads, kernel, strict=True)
    )
    dy = RNG.integers(-3, 4, (6, high, wide, outputs)).astype(dtype)
    shape = (*kernel, 12, outputs)
    got = gradient(stride, pads)(np.ones(shape, dtype), x, dy)
    np.testing.assert_array_equal(got, derivative(x, dy, shape, stride, pads))


@pytest.mark.skipif(target() != "native", reason="other targets print no tiles")
def test_they_are_contractions_of_tiles() -> None:
    x, dy, k = np.ones((6, 17, 19, 12), "f4"), np.ones((6, 17, 19, 3), "f4"), np.ones((3, 3, 12, 3))
    plan = gradient(1, ((1, 1), (1, 1))).inspect(k.astype("f4"), x, dy).plan
    assert "conv_general_dilated f32[3,9,1,12]: computed by tiles" in plan


def test_what_does_not_commute_is_left() -> None:
    def eqn(x: tuple[int, ...], k: tuple[int, ...], **options: Any) -> Any:
        f = lambda x, k: lax.conv_general_dilated(x, k, **options)  # noqa: E731
        return fxla.make_jaxpr(f)(np.ones(x), np.ones(k)).jaxpr.eqns[-1]

    beside = {"padding": ((0, 0),), "dimension_numbers": ("CWN", "IWO", "WNC")}
    assert exchanged(eqn((4, 9, 8), (4, 3, 2), window_strides=(1,), **beside)) is not None
    assert exchanged(eqn((4, 9, 8), (4, 3, 2), window_strides=(2,), **beside)) is None
    spread = {"lhs_dilation": (2,), **beside}
    assert exchanged(eqn((4, 9, 8), (4, 3, 2), window_strides=(1,), **spread)) is None
    apart = {"padding": "VALID", "dimension_numbers": ("NWC", "WIO", "NWC")}
    assert exchanged(eqn((4, 9, 8), (3, 8, 2), window_strides=(1,), **apart)) is None
