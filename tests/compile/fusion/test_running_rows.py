"""Running results down the columns of arrays that come from memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.fusion.running_rows import suits_rows

RNG = np.random.default_rng(0)
F4, F8 = np.dtype("f4"), np.dtype("f8")


@pytest.mark.parametrize(
    ("shape", "axis", "dtype"),
    [
        ((1000, 7001), 0, "f4"),
        ((9, 3, 250_003), 0, "f4"),
        ((70, 130, 701), 1, "i4"),
        ((4001, 801), 0, "f8"),
        ((300, 5333), 0, "c16"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_sums(shape: tuple[int, ...], axis: int, dtype: str, reverse: bool) -> None:
    assert suits_rows(shape, np.dtype(dtype), axis)
    x = RNG.integers(-9, 10, shape).astype(dtype)
    got = fxla.jit(lambda x: lax.cumsum(x, axis, reverse=reverse))(x)
    turned = np.flip(x, axis) if reverse else x
    want = np.cumsum(turned, axis, dtype=dtype)
    np.testing.assert_array_equal(got, np.flip(want, axis) if reverse else want)


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_extremes_and_what_is_not_a_number(name: str) -> None:
    x = RNG.standard_normal((500, 13_001)).astype("f4")
    x[250, 7], x[0, 9], x[499, 13_000] = np.nan, np.inf, -np.inf
    ufunc = np.maximum if name == "cummax" else np.minimum
    got = fxla.jit(lambda x: getattr(lax, name)(x, 0))(x)
    np.testing.assert_array_equal(got, ufunc.accumulate(x, 0))


def test_the_gradient_of_a_product() -> None:
    x = RNG.uniform(0.5, 1.5, (16, 200_000))
    weights = RNG.standard_normal(x.shape)
    slope = fxla.jit(fxla.grad(lambda x: fnp.sum(fnp.cumprod(x, 0) * weights)))(x)
    later = np.flip(np.cumsum(np.flip(np.cumprod(x, 0) * weights, 0), 0), 0)
    np.testing.assert_allclose(slope, later / x, rtol=1e-9, atol=1e-10)


def test_what_is_fused_into_it() -> None:
    x, w = RNG.standard_normal((800, 8000)).astype("f4"), RNG.standard_normal(8000).astype("f4")
    got: Any = fxla.jit(lambda x, w: fnp.cumsum(x * w, axis=0))(x, w)
    np.testing.assert_allclose(got, np.cumsum(x * w, 0), rtol=1e-3, atol=1e-3)


def test_strips_serve_the_rest() -> None:
    assert suits_rows((100, 100_000), F4, 0)
    assert not suits_rows((100, 100_000), F4, 1)
    assert not suits_rows((1000, 1000), F4, 0)
    assert not suits_rows((4, 10_000_000), F4, 0)
    assert not suits_rows((1_000_000, 10), F8, 0)
    assert not suits_rows((1000, 100_000), np.dtype("f2"), 0)


def test_bits_do_not_depend_on_threads() -> None:
    x = RNG.standard_normal((600, 11_003)).astype("f4")
    program = fxla.jit(lambda x: fnp.cumsum(x, axis=0))
    assert " chunks (" in program.inspect(x).threads
    found = []
    for n in (1, 2, 3):
        with fxla.threads(n):
            found.append(program(x))
    np.testing.assert_array_equal(found[0].view("i4"), found[1].view("i4"))
    np.testing.assert_array_equal(found[0].view("i4"), found[2].view("i4"))
