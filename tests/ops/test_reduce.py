from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core.dtypes import int64
from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops import reduce as ops
from fxla.transforms.jvp import jvp
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes

RNG = np.random.default_rng(4)
X = RNG.standard_normal((3, 4, 2))
AXES = [(0,), (1,), (0, 2), (1, 2), (0, 1, 2)]
FLOATS: dict[Any, Any] = {
    ops.reduce_max_p: np.max, ops.reduce_min_p: np.min, ops.reduce_prod_p: np.prod
}  # fmt: skip
BITS: dict[Any, Any] = {
    ops.reduce_and_p: np.bitwise_and,
    ops.reduce_or_p: np.bitwise_or,
    ops.reduce_xor_p: np.bitwise_xor,
}


@pytest.mark.parametrize("p", FLOATS, ids=str)
@pytest.mark.parametrize("axes", AXES)
def test_floats(p: ops.Reduction, axes: Any) -> None:
    np.testing.assert_allclose(p.impl(X, axes=axes)[0], FLOATS[p](X, axis=axes), rtol=1e-14)
    check_shapes(p, X, axes=axes)
    check_jvp(p, X, axes=axes)
    check_batch(p, X, axes=axes)
    check_lower(p, X, axes=axes, rtol=1e-14)


@pytest.mark.parametrize("p", BITS, ids=str)
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32"])
def test_bits(p: ops.Reduction, axes: Any, dtype: str) -> None:
    x = RNG.integers(-9, 9, (3, 4, 2)).astype(dtype)
    np.testing.assert_array_equal(p.impl(x, axes=axes)[0], BITS[p].reduce(x, axis=axes))
    check_shapes(p, x, axes=axes)
    check_batch(p, x, axes=axes)
    check_lower(p, x, axes=axes)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", ml_dtypes.bfloat16])
@pytest.mark.parametrize("p", FLOATS, ids=str)
def test_dtypes(p: ops.Reduction, dtype: Any) -> None:
    x = np.array([[1, 0, 2], [3, 1, 1]]).astype(dtype)
    check_shapes(p, x, axes=(1,))
    check_lower(p, x, axes=(1,))


def test_kinds() -> None:
    with pytest.raises(DtypeError, match="not defined for c128"):
        ops.reduce_max_p.abstract_eval(typeof(X + 0j), axes=(0,))
    with pytest.raises(DtypeError, match="not defined for f64"):
        ops.reduce_and_p.abstract_eval(typeof(X), axes=(0,))
    with pytest.raises(ShapeError, match="do not fit"):
        ops.reduce_max_p.abstract_eval(typeof(X), axes=(3,))


def test_nan_wins() -> None:
    x = np.array([[1.0, np.nan, 3.0], [-np.inf, 2.0, np.inf], [np.nan, np.nan, 0.0]])
    for p in FLOATS:
        check_lower(p, x, axes=(1,))
    np.testing.assert_array_equal(ops.reduce_max(x, (1,)), [np.nan, np.inf, np.nan])


@pytest.mark.parametrize("p", [ops.reduce_max_p, ops.reduce_min_p], ids=str)
def test_empty(p: ops.Reduction) -> None:
    """NumPy's error, traced or not, and its results where nothing is asked of nothing."""
    x = np.zeros((0, 3))
    for call in (p.impl, lambda x, axes: p.abstract_eval(typeof(x), axes=axes)):
        with pytest.raises(ValueError, match="zero-size array to reduction operation m"):
            call(x, axes=(0,))
        with pytest.raises(ValueError, match="zero-size array"):
            call(x, axes=(0, 1))
    check_shapes(p, x, axes=(1,))
    assert ops.reduce_prod(x, (0,)).tolist() == [1, 1, 1]
    assert ops.reduce_or(x.astype(bool), (0,)).tolist() == [False] * 3
    check_lower(ops.reduce_prod_p, x, axes=(0,))
    check_lower(ops.reduce_and_p, x.astype(np.uint8), axes=(0,))


def test_extremes_share_ties() -> None:
    x, t = np.array([[2.0, 1.0, 2.0], [3.0, 3.0, 3.0]]), np.array([[1.0, 9.0, 2.0], [3, 6, 12]])
    _, got = jvp(lambda y: ops.reduce_max(y, (1,)), (x,), (t,))
    np.testing.assert_array_equal(got, [1.5, 7.0])
    _, got = jvp(lambda y: ops.reduce_min(y, (0, 1)), (-x,), (t,))
    np.testing.assert_array_equal(got, 7.0)


def test_extreme_ignores_infinite_tangents_elsewhere() -> None:
    x, t = np.array([1.0, 2.0]), np.array([np.inf, 3.0])
    assert jvp(lambda y: ops.reduce_max(y, (0,)), (x,), (t,))[1] == 3.0


@pytest.mark.parametrize("x", [[2.0, 3, 4], [2, 0, 4], [0, 3, 0], [0, 0, 0], []])
def test_prod_derivatives_at_zeros(x: Any) -> None:
    x = np.array(x, float)
    n = len(x)
    t, u = RNG.standard_normal((2, n))

    def without(*k: int) -> float:
        return float(np.prod(np.delete(x, k)))

    first = sum(t[i] * without(i) for i in range(n))
    second = sum(t[i] * u[j] * without(i, j) for i in range(n) for j in range(n) if i != j)

    def tangent(y: Any) -> Any:
        return jvp(lambda z: ops.reduce_prod(z, (0,)), (y,), (t,))[1]

    got, got_second = jvp(tangent, (x,), (u,))
    np.testing.assert_allclose(got, first, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(got_second, second, rtol=1e-13, atol=1e-13)


ARGS: dict[Any, Any] = {ops.argmax_p: np.argmax, ops.argmin_p: np.argmin}


@pytest.mark.parametrize("p", ARGS, ids=str)
@pytest.mark.parametrize("dimension", [0, 1, 2])
@pytest.mark.parametrize("index_dtype", ["int32", "int64", "uint8"])
def test_arg_reductions(p: ops.ArgReduction, dimension: int, index_dtype: str) -> None:
    params: Any = {"dimension": dimension, "index_dtype": np.dtype(index_dtype)}
    np.testing.assert_array_equal(p.impl(X, **params)[0], ARGS[p](X, dimension))
    check_shapes(p, X, **params)
    check_jvp(p, X, **params)
    check_batch(p, X, **params)
    check_lower(p, X, **params)


@pytest.mark.parametrize(
    "x",
    [
        [1.0, 3.0, 3.0, 1.0],
        [2.0, np.nan, 5.0, np.nan],
        [np.nan, 1.0],
        [-np.inf, -np.inf],
        [np.inf, np.inf],
        [-0.0, 0.0],
        [False, True, True],
        [3, 1, 3, 1],
        np.array([1, 2, 2]).astype(ml_dtypes.bfloat16),
        np.array([1, np.nan, np.nan]).astype(ml_dtypes.bfloat16),
    ],
)
def test_arg_reduction_first_and_nan(x: Any) -> None:
    x = np.array(x)
    for p in ARGS:
        assert p.impl(x, dimension=0, index_dtype=int64)[0] == ARGS[p](x)
        check_lower(p, x, dimension=0, index_dtype=int64)


def test_arg_reduction_of_nothing() -> None:
    x = np.zeros((0, 3))
    for p in ARGS:
        for call in (p.impl, lambda x, p=p, **kw: p.abstract_eval(typeof(x), **kw)):
            with pytest.raises(ValueError, match=f"attempt to get {p.name} of an empty sequence"):
                call(x, dimension=0, index_dtype=int64)
        check_shapes(p, x, dimension=1, index_dtype=int64)
