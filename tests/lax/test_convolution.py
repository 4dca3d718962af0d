"""Convolutions against sums over windows written out, and against their own transposes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.signal

import fxla
from fxla import lax
from tests.lax.checks import agree, gradients_agree

RNG = np.random.default_rng(5)


def dilate(x, axes, factors):
    for a, f in zip(axes, factors, strict=True):
        shape = list(x.shape)
        shape[a] = (shape[a] - 1) * f + 1
        out = np.zeros(shape)
        out[(slice(None),) * a + (slice(None, None, f),)] = x
        x = out
    return x


def reference(x, w, strides, pads, lhs_dilation, rhs_dilation, groups=1, batch_groups=1):
    """NCHW, OIHW."""
    x, w = dilate(x, (2, 3), lhs_dilation), dilate(w, (2, 3), rhs_dilation)
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    n, outputs = x.shape[0] // batch_groups, w.shape[0]
    sizes = [(x.shape[i] - w.shape[i]) // strides[i - 2] + 1 for i in (2, 3)]
    out = np.zeros((n, outputs, *sizes))
    each = outputs // (groups * batch_groups)
    for b, o, i, j in itertools.product(range(n), range(outputs), *map(range, sizes)):
        group = o // each
        inputs = w.shape[1]
        channels = slice(group * inputs, (group + 1) * inputs) if groups > 1 else slice(None)
        example = group * n + b if batch_groups > 1 else b
        i0, j0 = i * strides[0], j * strides[1]
        window = x[example, channels, i0 : i0 + w.shape[2], j0 : j0 + w.shape[3]]
        out[b, o, i, j] = (window * w[o]).sum()
    return out


CASES = [
    ((2, 3, 6, 5), (4, 3, 3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1),
    ((2, 3, 6, 5), (4, 3, 3, 2), (2, 1), ((1, 2), (0, 1)), (1, 1), (1, 2), 1, 1),
    ((1, 2, 4, 4), (2, 2, 3, 3), (1, 2), ((2, 2), (1, 0)), (2, 3), (1, 1), 1, 1),
    ((2, 4, 5, 5), (6, 2, 2, 3), (1, 1), ((1, 0), (1, 1)), (1, 1), (1, 1), 2, 1),
    ((2, 3, 4, 4), (6, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), (1, 1), 3, 1),
    ((4, 2, 4, 4), (6, 2, 2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 2),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_values_and_derivatives(case):
    x_shape, w_shape, *options = CASES[case]
    x, w = RNG.standard_normal(x_shape), RNG.standard_normal(w_shape)
    strides, pads, dx, dw, groups, batch_groups = options

    def f(x, w):
        return lax.conv_general_dilated(x, w, strides, pads, dx, dw, None, groups, batch_groups)

    agree(f, lambda x, w: reference(x, w, *options), x, w)
    gradients_agree(f, x, w, rtol=1e-7)


def test_layouts():
    x, w = RNG.standard_normal((2, 3, 6, 5)), RNG.standard_normal((4, 3, 3, 2))
    expected = lax.conv(x, w, (1, 1), "SAME")
    moved = lax.conv_general_dilated(
        x.transpose(0, 2, 3, 1), w.transpose(2, 3, 1, 0), (1, 1), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    np.testing.assert_allclose(moved.transpose(0, 3, 1, 2), expected, rtol=1e-12)
    dims = lax.conv_dimension_numbers(
        x.transpose(0, 2, 3, 1).shape, w.shape, ("NHWC", "OIHW", "CNHW")
    )
    assert dims == lax.ConvDimensionNumbers((0, 3, 1, 2), (0, 1, 2, 3), (1, 0, 2, 3))
    mixed = lax.conv_general_dilated(
        x.transpose(0, 2, 3, 1), w, (1, 1), "SAME", dimension_numbers=dims
    )
    np.testing.assert_allclose(mixed.transpose(1, 0, 2, 3), expected, rtol=1e-12)


def test_one_and_three_dimensions():
    x, w = RNG.standard_normal(7), RNG.standard_normal(3)
    out = lax.conv_general_dilated(x[None, None], w[None, None], (1,), [(2, 2)])
    np.testing.assert_allclose(out[0, 0], np.correlate(x, w, "full"), rtol=1e-12)
    x, w = RNG.standard_normal((4, 5, 3)), RNG.standard_normal((2, 3, 2))
    out = lax.conv_general_dilated(x[None, None], w[None, None], (1, 1, 1), "VALID")
    np.testing.assert_allclose(out[0, 0], scipy.signal.correlate(x, w, "valid"), rtol=1e-12)


def test_named_padding():
    assert lax.padtype_to_pads((5, 6), (2, 3), (1, 2), "SAME") == [(0, 1), (0, 1)]
    assert lax.padtype_to_pads((5, 6), (2, 3), (1, 2), "SAME_LOWER") == [(1, 0), (1, 0)]
    assert lax.padtype_to_pads((5, 6), (2, 3), (1, 2), "valid") == [(0, 0), (0, 0)]
    for n, k, s in itertools.product(range(1, 9), range(1, 5), range(1, 4)):
        x, w = np.ones((1, 1, n)), np.ones((1, 1, k))
        assert lax.conv_general_dilated(x, w, (s,), "SAME").shape[2] == -(-n // s)
    with pytest.raises(ValueError, match="holes"):
        lax.conv_general_dilated(np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), "SAME", (2,))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("k", "s", "d"), [(3, 2, 1), (2, 2, 1), (5, 3, 1), (1, 2, 1), (3, 2, 2)])
def test_transposed_convolution_is_the_transpose(padding, k, s, d):
    w = RNG.standard_normal((k, 3, 4))  # HIO of the forward convolution
    n = 8

    def forward(x):
        return lax.conv_general_dilated(
            x, w, (s,), padding, rhs_dilation=(d,), dimension_numbers=("NHC", "HIO", "NHC")
        )

    y = RNG.standard_normal(forward(np.zeros((2, n, 3))).shape)
    (expected,) = fxla.linear_transpose(forward, np.zeros((2, n, 3)))(y)
    # 8 and the kernels are such that no element is left out at the end
    got = lax.conv_transpose(y, w, (s,), padding, (d,), transpose_kernel=True)
    m = min(got.shape[1], n)
    if padding == "VALID" or n % s == 0:
        np.testing.assert_allclose(got[:, :m], expected[:, :m], rtol=1e-12, atol=1e-12)
    gradients_agree(lambda y: lax.conv_transpose(y, w.transpose(0, 2, 1), (s,), padding, (d,)), y)


def test_patches_are_what_windows_see():
    x = RNG.standard_normal((2, 3, 5, 6))
    out = lax.conv_general_dilated_patches(x, (2, 3), (1, 2), "VALID")
    assert out.shape == (2, 18, 4, 2)
    window = x[1, :, 2:4, 2:5].reshape(-1)
    np.testing.assert_allclose(out[1, :, 2, 1], window)
    last = lax.conv_general_dilated_patches(
        x.transpose(0, 2, 3, 1), (2, 3), (1, 2), "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    np.testing.assert_allclose(last.transpose(0, 3, 1, 2), out)


def test_preferred_type_and_general_padding():
    x, w = np.ones((1, 1, 4), np.float32), np.ones((1, 1, 2), np.float32)
    assert lax.conv(x, w, (1,), "VALID", preferred_element_type="float64").dtype == np.float64
    out = lax.conv_with_general_padding(x, w, (1,), [(0, 1)], (2,), (1,))
    np.testing.assert_array_equal(out[0, 0], [1, 1, 1, 1, 1, 1, 1])


def test_errors():
    x, w = np.ones((1, 2, 4)), np.ones((1, 1, 2))
    with pytest.raises(ValueError, match="features"):
        lax.conv(x, w, (1,), "VALID")
    with pytest.raises(ValueError, match="three strings"):
        lax.conv_general_dilated(x, x, (1,), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    with pytest.raises(ValueError, match="strides"):
        lax.conv(x, x, (1, 1), "VALID")
