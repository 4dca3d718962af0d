from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops.conv import ConvDims, ConvParams, conv_general_dilated, conv_general_dilated_p
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose, normal

NCW = ConvDims.of("NCW", "OIW", "NCW")
NCHW = ConvDims.of("NCHW", "OIHW", "NCHW")
NHWC = ConvDims.of("NHWC", "HWIO", "NHWC")
MIXED = ConvDims.of("CHNW", "IWOH", "WNCH")


def params(dims: ConvDims, **changes: Any) -> ConvParams:
    n = dims.spatial
    fields: dict[str, Any] = {
        "strides": (1,) * n,
        "padding": ((0, 0),) * n,
        "lhs_dilation": (1,) * n,
        "rhs_dilation": (1,) * n,
        "dims": dims,
    }
    return ConvParams(**(fields | changes))


# (batch, features, spatial), (outputs, inputs, spatial), in this order whatever the layout
CASES = [
    ((2, 3), (4, 3), params(ConvDims.of("NC", "OI", "NC"))),
    ((2, 3), (4, 3), params(ConvDims.of("CN", "IO", "CN"))),
    ((2, 3, 7), (4, 3, 3), params(NCW)),
    ((2, 3, 7), (4, 3, 3), params(NCW, strides=(2,), padding=((1, 2),))),
    ((1, 2, 5), (3, 2, 2), params(NCW, lhs_dilation=(2,), rhs_dilation=(3,), padding=((2, 1),))),
    ((1, 2, 7), (3, 2, 2), params(NCW, padding=((-1, -2),), strides=(2,))),
    ((1, 2, 4), (3, 2, 2), params(NCW, padding=((-1, 3),), lhs_dilation=(3,))),
    ((1, 4, 6), (6, 2, 3), params(NCW, feature_groups=2, padding=((1, 1),))),
    ((2, 4, 6), (8, 1, 3), params(NCW, feature_groups=4, strides=(2,))),
    ((4, 3, 6), (6, 3, 2), params(NCW, batch_groups=2, strides=(2,))),
    ((2, 3, 2), (2, 3, 5), params(NCW)),
    ((2, 3, 5, 4), (2, 3, 3, 2), params(NCHW, strides=(1, 2), padding=((1, 1), (0, 1)))),
    ((2, 3, 5, 4), (2, 3, 3, 2), params(NHWC, strides=(2, 1), padding=((1, 1), (0, 1)))),
    ((2, 4, 5, 4), (4, 2, 3, 2), params(MIXED, rhs_dilation=(2, 1), feature_groups=2)),
    ((4, 2, 4, 3), (4, 2, 2, 2), params(MIXED, lhs_dilation=(1, 2), batch_groups=2)),
    ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), params(
        ConvDims.of("NCDHW", "OIDHW", "NDHWC"), padding=((0, 1), (1, 0), (0, 0))
    )),
]  # fmt: skip


def operands(lhs: Any, rhs: Any, conv: ConvParams, dtype: str = "float64") -> tuple[Any, Any]:
    rng = np.random.default_rng(11)
    x, y = normal(rng, lhs, dtype), normal(rng, rhs, dtype)
    return (
        np.ascontiguousarray(np.transpose(x, np.argsort(conv.dims.lhs))),
        np.ascontiguousarray(np.transpose(y, np.argsort(conv.dims.rhs))),
    )


def by_definition(lhs: Any, rhs: Any, conv: ConvParams) -> Any:
    """The loop that the words describe, in the canonical order of axes."""
    x, y = np.transpose(lhs, conv.dims.lhs), np.transpose(rhs, conv.dims.rhs)
    out = np.zeros(
        (x.shape[0] // conv.batch_groups, y.shape[0], *conv.spatial_shape(lhs.shape, rhs.shape))
    )
    for n, o, *i in np.ndindex(out.shape):
        group = o // (y.shape[0] // conv.groups)
        for c, *k in itertools.product(*map(range, y.shape[1:])):
            feature = c + (group * y.shape[1] if conv.feature_groups > 1 else 0)
            example = n + (group * out.shape[0] if conv.batch_groups > 1 else 0)
            at = [
                a * s + b * d - low
                for a, b, s, d, (low, _) in zip(
                    i, k, conv.strides, conv.rhs_dilation, conv.padding, strict=True
                )
            ]
            if any(a % d for a, d in zip(at, conv.lhs_dilation, strict=True)):
                continue
            at = [a // d for a, d in zip(at, conv.lhs_dilation, strict=True)]
            if all(0 <= a < m for a, m in zip(at, x.shape[2:], strict=True)):
                out[(n, o, *i)] += x[(example, feature, *at)] * y[(o, c, *k)]
    return np.transpose(out, np.argsort(conv.dims.out))


@pytest.mark.parametrize("lhs, rhs, conv", CASES)
def test_values_are_those_of_the_definition(lhs: Any, rhs: Any, conv: ConvParams) -> None:
    x, y = operands(lhs, rhs, conv)
    got = conv_general_dilated(x, y, conv)
    np.testing.assert_allclose(got, by_definition(x, y, conv), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lhs, rhs, conv", CASES)
def test_rules(lhs: Any, rhs: Any, conv: ConvParams) -> None:
    x, y = operands(lhs, rhs, conv)
    given: dict[str, Any] = {"conv": conv, "preferred_element_type": None}
    check_shapes(conv_general_dilated_p, x, y, **given)
    check_jvp(conv_general_dilated_p, x, y, **given)
    check_transpose(conv_general_dilated_p, x, y, linear=(0, 1), **given)
    check_batch(conv_general_dilated_p, x, y, **given)
    if x.size * y.size < 4000:
        check_lower(conv_general_dilated_p, x, y, rtol=1e-12, atol=1e-12, **given)


@pytest.mark.parametrize("dtype", ["float32", "float16", "complex128", "int32"])
def test_other_dtypes(dtype: str) -> None:
    conv = CASES[11][2]
    x, y = operands(*CASES[11][:2], conv, dtype)
    given: dict[str, Any] = {"conv": conv, "preferred_element_type": None}
    check_shapes(conv_general_dilated_p, x, y, **given)
    tolerance = {"float16": 2e-2, "float32": 1e-5}.get(dtype, 1e-12)
    check_lower(conv_general_dilated_p, x, y, rtol=tolerance, atol=tolerance, **given)
    if dtype == "complex128":
        check_transpose(conv_general_dilated_p, x, y, linear=(0, 1), **given)


def test_narrow_integers_are_summed_in_the_preferred_type() -> None:
    x, y = np.full((1, 1, 300), 100, np.int8), np.full((1, 1, 300), 100, np.int8)
    got = conv_general_dilated(x, y, params(NCW), np.dtype(np.int32))
    assert got.tolist() == [[[3_000_000]]]


def test_a_large_batch_is_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = CASES[7][2]
    x, y = operands((5, 4, 6), (6, 2, 3), conv)
    whole = conv_general_dilated(x, y, conv)
    monkeypatch.setattr("fxla.ops.conv._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(conv_general_dilated(x, y, conv), whole)


def test_no_windows_give_no_output_and_zero_cotangents() -> None:
    conv = params(NCW)
    x, y = operands((2, 3, 2), (4, 3, 5), conv)
    assert conv_general_dilated(x, y, conv).shape == (2, 4, 0)


def test_layouts_print_and_parse() -> None:
    assert str(NHWC) == "NHWC,HWIO->NHWC"
    assert str(ConvDims.of("CWNH", "IHOW", "HNCW")) == "CWNH,IHOW->HNCW"
    with pytest.raises(ShapeError, match="'NHC'"):
        ConvDims.of("NHC", "HWIO", "NHWC")


def test_what_does_not_fit_is_named() -> None:
    x, y = np.ones((1, 3, 5)), np.ones((4, 2, 2))
    with pytest.raises(ShapeError, match="3 features, but the kernel f64\\[4,2,2\\] takes 2"):
        params(NCW).check(typeof(x), typeof(y))
    with pytest.raises(DtypeError, match="f32"):
        params(NCW).check(typeof(x), typeof(y.astype(np.float32)))
    with pytest.raises(ShapeError, match="axes of NHWC"):
        params(NHWC).check(typeof(x), typeof(y))
