"""Shapes of convolutions, local kernels and ragged products, against loops in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import lax
from fxla.errors import ShapeError


def test_shapes_of_results() -> None:
    assert lax.conv_shape_tuple((2, 3, 9, 9), (4, 3, 3, 3), (2, 2), "VALID") == (2, 4, 4, 4)
    layouts = ("NHWC", "HWIO", "NHWC")
    args = ((2, 9, 9, 3), (3, 3, 3, 4), (3, 3), "SAME", layouts)
    assert lax.conv_general_shape_tuple(*args) == (2, 3, 3, 4)
    assert lax.conv_transpose_shape_tuple(*args) == (2, 27, 27, 4)
    assert lax.conv_general_permutations(layouts).rhs_spec == (3, 2, 0, 1)


@pytest.mark.parametrize("layouts", [("NCH", "OIH", "NCH"), ("NHC", "HIO", "NHC")])
def test_a_kernel_at_every_place(layouts: tuple[str, str, str]) -> None:
    rng = np.random.default_rng(0)
    x, kernels = rng.normal(size=(2, 3, 8)), rng.normal(size=(5, 3 * 4, 3))
    want = np.empty((2, 5, 3))
    for place in range(3):
        window = x[:, :, 2 * place : 2 * place + 4].reshape(2, 12)
        want[:, :, place] = window @ kernels[:, :, place].T
    last = layouts[0] == "NHC"
    given = x.transpose(0, 2, 1) if last else x
    rhs = kernels.transpose(2, 1, 0) if last else kernels
    got = fxla.jit(
        lambda a, b: lax.conv_general_dilated_local(
            a, b, (2,), "VALID", (4,), dimension_numbers=layouts
        )
    )(given, rhs)
    np.testing.assert_allclose(got, want.transpose(0, 2, 1) if last else want, rtol=1e-12)


def test_ragged_groups() -> None:
    rng = np.random.default_rng(1)
    x, w, sizes = rng.normal(size=(9, 4)), rng.normal(size=(3, 4, 5)), np.array([2, 0, 5])
    want = np.zeros((9, 5))
    want[:2], want[2:7] = x[:2] @ w[0], x[2:7] @ w[2]
    np.testing.assert_allclose(fxla.jit(lax.ragged_dot)(x, w, sizes), want, atol=1e-12)
    with pytest.raises(ShapeError, match="the shapes do not fit"):
        lax.ragged_dot(x, w, sizes[:2])
