"""Convolutions of operands with holes, phase by phase: the same values, and no holes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.passes.phases import without_holes
from fxla.core.jaxpr import Jaxpr
from fxla.core.staging import eval_jaxpr

RNG = np.random.default_rng(0)


def whole(*shape: int) -> Any:
    """Integers, whose products are summed exactly."""
    return RNG.integers(-3, 4, shape).astype(float)


def jaxpr_of(x: Any, k: Any, **options: Any) -> Jaxpr:
    f = lambda x, k: lax.conv_general_dilated(x, k, **options)  # noqa: E731
    return fxla.make_jaxpr(f)(x, k).jaxpr


def convolutions(jaxpr: Jaxpr) -> list[Any]:
    return [e.params["conv"] for e in jaxpr.eqns if e.primitive.name == "conv_general_dilated"]


def by_loops(x: Any, k: Any, low: int, high: int, b: int) -> Any:
    """One dimension: x [n, c, i], k [o, c, j], b - 1 zeros between the elements of x."""
    spread = np.zeros((*x.shape[:2], low + (x.shape[2] - 1) * b + 1 + high))
    spread[:, :, low : low + (x.shape[2] - 1) * b + 1 : b] = x
    places = spread.shape[2] - k.shape[2] + 1
    windows = [spread[:, :, i : i + k.shape[2]] for i in range(places)]
    return np.stack([np.einsum("ncj,ocj->no", w, k) for w in windows], -1)


@pytest.mark.parametrize("b", [2, 3, 5])
@pytest.mark.parametrize("taps", [1, 2, 3, 7])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 2), (3, 0), (6, 5)])
def test_every_phase_of_one_dimension(b: int, taps: int, low: int, high: int) -> None:
    x, k = whole(2, 3, 6), whole(4, 3, taps)
    options = {"window_strides": (1,), "padding": ((low, high),), "lhs_dilation": (b,)}
    phases = without_holes(jaxpr_of(x, k, **options))
    assert all(conv.lhs_dilation == (1,) for conv in convolutions(phases))
    assert len(convolutions(phases)) == min(b, taps)
    np.testing.assert_array_equal(eval_jaxpr(phases, x, k)[0], by_loops(x, k, low, high, b))


@pytest.mark.parametrize("padding", [((1, 1), (0, 2)), ((2, 0), (1, 1))])
def test_two_dimensions(padding: Any) -> None:
    x, k = whole(2, 8, 7, 6), whole(16, 8, 3, 3)
    for dilation, parts in (((2, 2), 4), ((1, 3), 3), ((2, 1), 2)):
        options = {"window_strides": (1, 1), "padding": padding, "lhs_dilation": dilation}
        jaxpr = jaxpr_of(x, k, **options)
        assert len(convolutions(without_holes(jaxpr))) == parts
        want = eval_jaxpr(jaxpr, x, k)[0]
        run = executable_from(build_program(jaxpr, tiles=True))
        np.testing.assert_array_equal(run(x, k)[0], want)


def test_what_stays_as_it_is() -> None:
    x, k = whole(2, 8, 7, 6), whole(16, 8, 3, 3)
    for options in (
        {"window_strides": (1, 1), "padding": "SAME"},
        {"window_strides": (2, 2), "padding": ((1, 1), (1, 1)), "lhs_dilation": (2, 2)},
        {"window_strides": (1, 1), "padding": ((9, 9), (9, 9)), "lhs_dilation": (4, 4)},
    ):
        jaxpr = jaxpr_of(x, k, **options)
        assert len(without_holes(jaxpr).eqns) == len(jaxpr.eqns)


def test_the_derivative_of_strides() -> None:
    """Against differences, which are exact for what is linear, up to rounding."""
    x, k, ct = whole(2, 9, 8, 8), whole(3, 3, 8, 16), whole(2, 4, 3, 16)

    def f(x: Any) -> Any:
        dims = ("NHWC", "HWIO", "NHWC")
        return (lax.conv_general_dilated(x, k, (2, 2), "VALID", dimension_numbers=dims) * ct).sum()

    gradient = fxla.jit(fxla.grad(f))(x)
    for at in [(0, 0, 0, 0), (1, 3, 4, 5), (0, 8, 6, 7), (1, 8, 7, 2), (0, 4, 2, 1)]:
        e = np.zeros_like(x)
        e[at] = 1.0
        np.testing.assert_allclose(gradient[at], f(x + e) - f(x), atol=1e-9)
