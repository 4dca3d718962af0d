"""Convolutions whose phases are one contraction: the values, and which ones they are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.passes.convolution import products_for_convolutions
from fxla.core.jaxpr import Jaxpr

RNG = np.random.default_rng(0)


def whole(*shape: int) -> Any:
    """Integers, whose products are summed exactly."""
    return RNG.integers(-3, 4, shape).astype("f4")


def jaxpr_of(x: Any, k: Any, **options: Any) -> Jaxpr:
    f = lambda x, k: lax.conv_general_dilated(x, k, **options)  # noqa: E731
    return fxla.make_jaxpr(f)(x, k).jaxpr


def by_loops(x: Any, w: Any, padding: Any, dilation: tuple[int, ...]) -> Any:
    """``x [n, s.., c]``, ``w [k.., c, o]``, with dilation - 1 zeros between elements of x."""
    rank = len(dilation)
    sizes = [
        max(low, 0) + (n - 1) * b + 1 + max(high, 0)
        for n, b, (low, high) in zip(x.shape[1:], dilation, padding, strict=False)
    ]
    spread = np.zeros((x.shape[0], *sizes, x.shape[-1]), x.dtype)
    places = [
        slice(max(low, 0), max(low, 0) + (n - 1) * b + 1, b)
        for n, b, (low, _) in zip(x.shape[1:], dilation, padding, strict=False)
    ]
    spread[(slice(None), *places)] = x
    cut = [
        slice(max(-low, 0), size - max(-high, 0))
        for size, (low, high) in zip(sizes, padding, strict=True)
    ]
    spread = spread[(slice(None), *cut)]
    counts = [n - k + 1 for n, k in zip(spread.shape[1:-1], w.shape, strict=False)]
    out = np.zeros((x.shape[0], *counts, w.shape[-1]), x.dtype)
    for tap in itertools.product(*map(range, w.shape[:rank])):
        part = spread[(slice(None), *[slice(k, k + n) for k, n in zip(tap, counts, strict=True)])]
        out += part @ w[tap]
    return out


LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
# operand, kernel, padding, dilation
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "doubled": ((2, 8, 8, 16), (4, 4, 16, 24), ((2, 2), (2, 2)), (2, 2)),
    "doubled, odd start": ((2, 8, 8, 16), (4, 4, 16, 24), ((3, 3), (3, 3)), (2, 2)),
    "different starts": ((2, 8, 7, 16), (4, 2, 16, 24), ((3, 1), (0, 2)), (2, 2)),
    "cut off": ((2, 9, 8, 16), (2, 4, 16, 24), ((-1, 1), (2, -2)), (2, 2)),
    "in one dimension": ((2, 8, 9, 16), (4, 3, 16, 24), ((2, 2), (1, 0)), (2, 1)),
    "tripled": ((3, 20, 16), (6, 16, 24), ((5, 2),), (3,)),
    "cubes": ((2, 4, 3, 5, 8), (2, 2, 4, 8, 12), ((1, 1), (1, 1), (2, 2)), (2, 2, 2)),
    "one element": ((5, 1, 1, 30), (4, 3, 30, 40), ((3, 3), (2, 2)), (1, 1)),
    "one element in one dimension": ((5, 9, 1, 30), (4, 3, 30, 40), ((0, 1), (2, 2)), (1, 1)),
    "few features": ((2, 14, 15, 16), (4, 4, 16, 3), ((2, 2), (2, 2)), (2, 2)),
    "one feature": ((8, 30, 16), (4, 16, 1), ((3, 1),), (2,)),
}


def options_of(name: str) -> tuple[Any, Any, dict[str, Any]]:
    xs, ks, padding, dilation = CASES[name]
    options = {
        "window_strides": (1,) * len(dilation),
        "padding": padding,
        "lhs_dilation": dilation,
        "dimension_numbers": LAYOUTS[len(dilation)],
    }
    return whole(*xs), whole(*ks), options


@pytest.mark.parametrize("name", list(CASES))
def test_all_phases_at_once(name: str) -> None:
    x, w, options = options_of(name)
    jaxpr = jaxpr_of(x, w, **options)
    names = [e.primitive.name for e in products_for_convolutions(jaxpr, tiles=True).eqns]
    assert "interleaved_conv" in names
    assert "conv_general_dilated" not in names
    run = executable_from(build_program(jaxpr, tiles=True))
    want = by_loops(x, w, options["padding"], options["lhs_dilation"])
    np.testing.assert_array_equal(run(x, w)[0], want)


@pytest.mark.parametrize("name", ["doubled", "few features", "one element"])
def test_in_another_layout(name: str) -> None:
    x, w, options = options_of(name)
    want = np.moveaxis(by_loops(x, w, options["padding"], options["lhs_dilation"]), -1, 1)
    options["dimension_numbers"] = ("NCHW", "OIHW", "NCHW")
    x, w = np.moveaxis(x, -1, 1).copy(), w.transpose(3, 2, 0, 1).copy()
    run = executable_from(build_program(jaxpr_of(x, w, **options), tiles=True))
    np.testing.assert_array_equal(run(x, w)[0], want)


@pytest.mark.parametrize(
    ("taps", "low", "high", "dilation"),
    [
        (3, 1, 1, 2),  # phases meet one element of the kernel, or two
        (4, 2, 1, 2),  # there is one result more of one phase
        (6, 4, 3, 3),  # phases begin at places that no line goes through
    ],
)
def test_what_is_done_phase_by_phase(taps: int, low: int, high: int, dilation: int) -> None:
    x, w = whole(3, 20, 16), whole(taps, 16, 24)
    options: Any = {
        "window_strides": (1,),
        "padding": ((low, high),),
        "lhs_dilation": (dilation,),
        "dimension_numbers": LAYOUTS[1],
    }
    jaxpr = jaxpr_of(x, w, **options)
    names = [e.primitive.name for e in products_for_convolutions(jaxpr, tiles=True).eqns]
    assert names.count("conv_general_dilated") == dilation
    run = executable_from(build_program(jaxpr, tiles=True))
    np.testing.assert_array_equal(run(x, w)[0], by_loops(x, w, ((low, high),), (dilation,)))


def test_what_follows_is_part_of_it() -> None:
    x, w, options = options_of("doubled")
    bias = whole(24)

    def f(x: Any, w: Any, bias: Any) -> Any:
        return fxla.numpy.maximum(lax.conv_general_dilated(x, w, **options) + bias, 0.0)

    seen = fxla.jit(f).inspect(x, w, bias)
    assert "kernel interleaved_conv_max" in str(seen.loops)
    want = np.maximum(by_loops(x, w, options["padding"], options["lhs_dilation"]) + bias, 0.0)
    np.testing.assert_array_equal(fxla.jit(f)(x, w, bias), want)
