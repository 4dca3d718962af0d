from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops.dot import DotDims, dot_general, dot_general_p, matmul, matrix_transpose
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose, normal

CASES = [
    ((3, 4), (4, 5), DotDims((1,), (0,)), "ij,jk->ik"),
    ((4, 3), (5, 4), DotDims((0,), (1,)), "ji,kj->ik"),
    ((3,), (3,), DotDims((0,), (0,)), "i,i->"),
    ((3,), (4,), DotDims((), ()), "i,j->ij"),
    ((2, 3, 4), (2, 4, 5), DotDims((2,), (1,), (0,), (0,)), "bij,bjk->bik"),
    ((3, 2, 4), (4, 5, 2), DotDims((2,), (0,), (1,), (2,)), "ibj,jkb->bik"),
    ((2, 3, 4, 5), (5, 6, 3), DotDims((3, 1), (0, 2)), "aibj,jki->abk"),
    ((2, 3, 4, 5), (4, 3, 2, 6), DotDims((2,), (0,), (0, 1), (2, 1)), "abik,ibam->abkm"),
    ((0, 4), (4, 2), DotDims((1,), (0,)), "ij,jk->ik"),
    ((2, 0), (0, 3), DotDims((1,), (0,)), "ij,jk->ik"),
]
DTYPES = ["float64", "float32", "complex128", "int32", "bool"]


def operands(lhs: Any, rhs: Any, dtype: Any) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return normal(rng, lhs, dtype), normal(rng, rhs, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lhs, rhs, dims, text", CASES)
def test_values_are_those_of_einsum(
    lhs: Any, rhs: Any, dims: DotDims, text: str, dtype: str
) -> None:
    x, y = operands(lhs, rhs, dtype)
    check_shapes(dot_general_p, x, y, dims=dims, preferred_element_type=None)
    check_lower(dot_general_p, x, y, rtol=1e-5, atol=1e-6, dims=dims, preferred_element_type=None)
    got = dot_general(x, y, dims)
    want = (
        np.einsum(text, x.astype(np.int64), y.astype(np.int64)) > 0
        if dtype == "bool"
        else (np.einsum(text, x, y))
    )
    np.testing.assert_allclose(got, want, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("lhs, rhs, dims, text", CASES)
def test_derivatives(lhs: Any, rhs: Any, dims: DotDims, text: str, dtype: str) -> None:
    x, y = operands(lhs, rhs, dtype)
    check_jvp(dot_general_p, x, y, dims=dims, preferred_element_type=None)
    check_transpose(dot_general_p, x, y, linear=(0, 1), dims=dims, preferred_element_type=None)


@pytest.mark.parametrize("lhs, rhs, dims, text", CASES)
def test_batching_is_a_loop(lhs: Any, rhs: Any, dims: DotDims, text: str) -> None:
    x, y = operands(lhs, rhs, "float64")
    check_batch(dot_general_p, x, y, dims=dims, preferred_element_type=None)


def test_narrow_integers_are_summed_in_the_preferred_type() -> None:
    x = np.full((1, 300), 100, np.int8)
    dims = DotDims((1,), (1,))
    assert dot_general(x, x, dims, np.dtype(np.int32)).tolist() == [[3_000_000]]
    assert dot_general(x, x, dims).dtype == np.int8


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_small_floats_are_summed_in_float32(dtype: Any) -> None:
    x = np.ones((1, 4096), dtype)
    got = dot_general(x, x, DotDims((1,), (1,)))
    assert got.dtype == dtype
    assert float(got[0, 0]) == 4096.0


def test_a_widened_product_keeps_its_operands_dtype_in_the_transpose() -> None:
    x, y = operands((3, 4), (4, 2), "float32")
    dims = DotDims((1,), (0,))
    check_lower(
        dot_general_p, x, y, rtol=1e-6, dims=dims, preferred_element_type=np.dtype(np.float64)
    )
    check_transpose(
        dot_general_p, x, y, linear=(0, 1), rtol=1e-5,
        dims=dims, preferred_element_type=np.dtype(np.float64),
    )  # fmt: skip


def test_matmul_of_stacks_and_matrix_transpose() -> None:
    x, y = operands((2, 5, 3, 4), (2, 5, 4, 6), "float64")
    np.testing.assert_allclose(matmul(x, y), x @ y, rtol=1e-13)
    np.testing.assert_array_equal(matrix_transpose(x), np.swapaxes(x, -1, -2))


def test_what_does_not_fit_is_named() -> None:
    x, y = operands((3, 4), (5, 4), "float64")
    with pytest.raises(ShapeError, match="f64\\[3,4\\] along axis 1 has 4"):
        dot_general_p.abstract_eval(
            typeof(x), typeof(y), dims=DotDims((1,), (0,)), preferred_element_type=None
        )
    with pytest.raises(DtypeError, match="f64\\[3,4\\] and f32"):
        dot_general_p.abstract_eval(
            typeof(x), typeof(y.astype(np.float32)), dims=DotDims((1,), (1,)),
            preferred_element_type=None,
        )  # fmt: skip
