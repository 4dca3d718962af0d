"""Convolutions written as products of windows and kernel: same values, and only where it pays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.passes.convolution import products_for_convolutions
from fxla.compile.program import Gemm, walk_instructions
from fxla.control.programs import executable_of
from fxla.core.jaxpr import Jaxpr
from fxla.transforms.dce import dce_jaxpr

RNG = np.random.default_rng(0)


def jaxpr_of(x: Any, k: Any, **options: Any) -> Jaxpr:
    f = lambda x, k: lax.conv_general_dilated(x, k, **options)  # noqa: E731
    return fxla.make_jaxpr(f)(x, k).jaxpr


CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "plain": ((2, 8, 12, 12), (8, 8, 3, 3), {"window_strides": (1, 1), "padding": "VALID"}),
    "same": ((2, 8, 12, 12), (8, 8, 3, 3), {"window_strides": (1, 1), "padding": "SAME"}),
    "strides": ((2, 8, 13, 12), (8, 8, 3, 2), {"window_strides": (2, 3), "padding": "SAME"}),
    "dilated": ((2, 8, 14, 14), (8, 8, 3, 3), {
        "window_strides": (1, 1), "padding": ((2, 1), (0, 3)), "rhs_dilation": (2, 1)}),
    "spread": ((2, 8, 7, 7), (8, 8, 3, 3), {
        "window_strides": (1, 1), "padding": ((2, 2), (2, 2)), "lhs_dilation": (2, 2)}),
    "groups": ((2, 8, 12, 12), (16, 4, 3, 3), {
        "window_strides": (1, 1), "padding": "SAME", "feature_group_count": 2}),
    "batch groups": ((4, 8, 12, 12), (8, 8, 3, 3), {
        "window_strides": (1, 1), "padding": "SAME", "batch_group_count": 2}),
    "channels last": ((2, 12, 12, 8), (3, 3, 8, 8), {
        "window_strides": (1, 1), "padding": "SAME",
        "dimension_numbers": ("NHWC", "HWIO", "NHWC")}),
    "one axis": ((4, 16, 40), (16, 16, 5), {"window_strides": (1,), "padding": "SAME"}),
    "negative padding": ((2, 8, 14, 14), (8, 8, 3, 3), {
        "window_strides": (1, 1), "padding": ((-1, 2), (0, -2))}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_is_the_convolution(name: str) -> None:
    xs, ks, options = CASES[name]
    x, k = (RNG.integers(-3, 4, s).astype(float) for s in (xs, ks))
    jaxpr = jaxpr_of(x, k, **options)
    product = products_for_convolutions(jaxpr)
    assert "conv_windows" in [e.primitive.name for e in product.eqns]
    assert product.out_avals == jaxpr.out_avals
    run = executable_from(build_program(jaxpr))
    assert any(isinstance(i, Gemm) for i in walk_instructions(run.program.body))
    want = lax.conv_general_dilated(x, k, **options)
    np.testing.assert_array_equal(run(x, k)[0], want)


LAYOUTS = {
    "kernel last": ("NHWC", "HWIO", "NHWC"),
    "kernel first": ("NHWC", "OHWI", "NHWC"),
    "features last only after": ("NCHW", "OIHW", "NHWC"),
}


@pytest.mark.parametrize("name", [n for n in CASES if "groups" not in n])
def test_tiles_read_shifted_views(name: str) -> None:
    xs, ks, options = CASES[name]
    x, k = (RNG.integers(-3, 4, s).astype(float) for s in (xs, ks))
    run = executable_from(build_program(jaxpr_of(x, k, **options), tiles=True))
    assert any("by tiles" in line for line in run.program.notes)
    assert not any(isinstance(i, Gemm) for i in walk_instructions(run.program.body))
    want = lax.conv_general_dilated(x, k, **options)
    np.testing.assert_array_equal(run(x, k)[0], want)


@pytest.mark.parametrize("name", list(LAYOUTS))
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (1, 3)])
def test_tiles_in_every_layout(name: str, strides: tuple[int, int]) -> None:
    sizes = {"N": 2, "C": 5, "H": 11, "W": 19, "I": 5, "O": 21}
    lhs, rhs, _ = LAYOUTS[name]
    x = RNG.integers(-3, 4, [sizes[c] for c in lhs]).astype("f4")
    k = RNG.integers(-3, 4, [{"H": 3, "W": 2}.get(c, sizes[c]) for c in rhs]).astype("f4")
    options: Any = {
        "window_strides": strides,
        "padding": ((1, 0), (2, 1)),
        "dimension_numbers": LAYOUTS[name],
    }
    run = executable_from(build_program(jaxpr_of(x, k, **options), tiles=True))
    assert any("by tiles" in line for line in run.program.notes)
    np.testing.assert_array_equal(run(x, k)[0], lax.conv_general_dilated(x, k, **options))


@pytest.mark.parametrize(
    ("xs", "ks", "options"),
    [
        ((1, 2, 5, 5), (2, 2, 2, 2), {}),  # tiny
        ((4, 16, 20, 20), (16, 1, 3, 3), {"feature_group_count": 16}),  # depthwise
    ],
)
def test_what_does_not_pay_stays_a_loop(xs: Any, ks: Any, options: Any) -> None:
    x, k = (RNG.integers(-3, 4, s).astype(float) for s in (xs, ks))
    options = {"window_strides": (1, 1), "padding": "SAME", **options}
    jaxpr = jaxpr_of(x, k, **options)
    assert [e.primitive.name for e in products_for_convolutions(jaxpr).eqns] == [
        e.primitive.name for e in jaxpr.eqns
    ]
    np.testing.assert_array_equal(
        executable_of(jaxpr)(x, k)[0], lax.conv_general_dilated(x, k, **options)
    )


def test_gradients_are_products_too() -> None:
    x, k = RNG.integers(-3, 4, (2, 8, 12, 12)).astype(float), np.ones((8, 8, 3, 3))
    f = fxla.grad(lambda x, k: (lax.conv(x, k, (1, 1), "SAME") ** 2).sum(), (0, 1))
    for a, b in zip(fxla.jit(f)(x, k), f(x, k), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-9)


def test_a_large_kernel_that_meets_few_places_meets_windows() -> None:
    x, k = (RNG.integers(-3, 4, s).astype(float) for s in ((2, 5, 5, 64), (3, 3, 64, 128)))
    options: Any = {
        "window_strides": (1, 1),
        "padding": "SAME",
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
    }
    for batch, windows in ((2, True), (20, False)):
        many = np.repeat(x[:1], batch, 0)
        jaxpr = jaxpr_of(many, k, **options)
        names = [e.primitive.name for e in products_for_convolutions(jaxpr, tiles=True).eqns]
        assert ("conv_windows" in names) == windows
    run = executable_from(build_program(jaxpr_of(x, k, **options), tiles=True))
    np.testing.assert_array_equal(run(x, k)[0], lax.conv_general_dilated(x, k, **options))


@pytest.mark.parametrize(
    ("side", "features", "taps", "stride", "padding"),
    [
        (16, 3, 7, 2, ((2, 3), (2, 3))),
        (17, 5, 3, 2, ((0, 0), (0, 0))),
        (18, 2, 5, 3, ((1, 0), (0, 2))),
        (16, 3, 3, 1, ((-1, -2), (-1, -1))),
        (12, 1, 4, 1, ((1, 1), (1, 1))),
        (12, 16, 3, 1, ((1, 1), (1, 1))),
        (13, 20, 3, 2, ((0, 2), (1, 0))),
    ],
)
def test_few_features_and_places_are_rows_together(
    side: int, features: int, taps: int, stride: int, padding: Any
) -> None:
    """A kernel's derivative, against the sum over all places."""
    x = RNG.integers(-3, 4, (4, side, side, features)).astype("f4")
    k = RNG.integers(-3, 4, (taps, taps, features, 16)).astype("f4")
    dims = ("NHWC", "HWIO", "NHWC")
    f = lambda k: lax.conv_general_dilated(  # noqa: E731
        x, k, (stride, stride), padding, dimension_numbers=dims
    )
    ct = RNG.integers(-3, 4, f(k).shape).astype("f4")
    around = [(max(low, 0), max(high, 0)) for low, high in padding]
    wide = np.pad(x, ((0, 0), *around, (0, 0)))
    (top, _), (left, _) = padding
    wide = wide[:, max(-top, 0) :, max(-left, 0) :]
    _, rows, columns, _ = ct.shape
    want = np.zeros_like(k)
    for i, j in np.ndindex(taps, taps):
        part = wide[:, i : i + (rows - 1) * stride + 1 : stride]
        part = part[:, :, j : j + (columns - 1) * stride + 1 : stride]
        want[i, j] = np.einsum("nhwc,nhwo->co", part, ct)
    jaxpr = fxla.make_jaxpr(lambda ct: fxla.vjp(f, k)[1](ct)[0])(ct).jaxpr
    seen = products_for_convolutions(jaxpr, tiles=True)
    assert any(e.primitive.name == "conv_general_dilated" for e in seen.eqns)
    np.testing.assert_array_equal(fxla.jit(lambda ct: fxla.vjp(f, k)[1](ct)[0])(ct), want)


@pytest.mark.parametrize(
    ("features", "padding", "rows"), [(16, "SAME", 48), (16, "VALID", 16), (65, "SAME", 65)]
)
def test_rows_are_joined_where_an_operand_is_written_anyway(
    features: int, padding: str, rows: int
) -> None:
    dims = ("NHWC", "HWIO", "NHWC")
    f = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), padding, dimension_numbers=dims)  # noqa: E731
    x, k = np.ones((2, 20, 20, features), "f4"), np.ones((3, 3, features, 32), "f4")
    jaxpr = fxla.make_jaxpr(lambda ct: fxla.vjp(f, x, k)[1](ct)[1])(f(x, k)).jaxpr
    seen = products_for_convolutions(dce_jaxpr(jaxpr, [True])[0], tiles=True)
    (conv,) = [e for e in seen.eqns if e.primitive.name == "conv_general_dilated"]
    assert rows in conv.outputs[0].aval.shape


def test_a_sum_over_no_features_is_zero() -> None:
    x, k = np.ones((2, 6, 20, 0), "f4"), np.ones((3, 3, 0, 32), "f4")
    dims = ("NHWC", "HWIO", "NHWC")
    f = lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=dims)  # noqa: E731
    np.testing.assert_array_equal(fxla.jit(f)(x, k), np.zeros((2, 4, 18, 32), "f4"))
    assert "by tiles" not in fxla.jit(f).inspect(x, k).plan


def test_what_is_read_across_memory_is_stored_before_it_is_padded() -> None:
    """The derivative by pictures pads a cotangent that another convolution left transposed."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 40, 40)).astype(np.float32)
    w = rng.standard_normal((24, 3, 3, 3)).astype(np.float32)
    names = ("NCHW", "OIHW", "NCHW")

    def loss(x: Any) -> Any:
        y = lax.conv_general_dilated(x, w.astype(x.dtype), (1, 1), "SAME", dimension_numbers=names)
        return fnp.sin(y).sum()

    plan = fxla.jit(fxla.grad(loss)).inspect(x).plan
    assert "cos f32[2,24,40,40] (work 16, 1 reader): stored" in plan
    assert "pad_in_memory f32[2,24,42,42]" in plan
    step = 1e-2
    at = np.zeros_like(x)
    at[1, 2, 20, 0] = step
    slope = (loss(x.astype(float) + at) - loss(x.astype(float) - at)) / (2 * step)
    np.testing.assert_allclose(fxla.jit(fxla.grad(loss))(x)[1, 2, 20, 0], slope, rtol=1e-3)
