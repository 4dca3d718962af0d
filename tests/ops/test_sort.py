from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core.dtypes import int32, int64
from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.view import Opaque
from fxla.ops import sort as ops
from fxla.ops.arithmetic import mul
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 5, 3))


@pytest.mark.parametrize("dimension", [0, 1, 2])
@pytest.mark.parametrize("is_stable", [False, True])
def test_sort_one(dimension: int, is_stable: bool) -> None:
    params = {"dimension": dimension, "num_keys": 1, "is_stable": is_stable}
    p = ops.sort_p
    np.testing.assert_array_equal(p.impl(X, **params)[0], np.sort(X, dimension))
    check_shapes(p, X, **params)
    check_jvp(p, X, **params)
    check_batch(p, X, **params)
    assert isinstance(p.lower(**params), Opaque)


@pytest.mark.parametrize("num_keys", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_sort_together(num_keys: int, axis: int) -> None:
    """By Python's stable sort of tuples."""
    keys = [RNG.integers(0, 3, (6, 4)).astype(float) for _ in range(2)]
    xs = [*keys, RNG.standard_normal((6, 4))]
    got = ops.sort(xs, axis, num_keys)
    lines = np.moveaxis(np.stack(xs), axis + 1, -1).reshape(3, -1, xs[0].shape[axis])
    expected = np.empty_like(lines)
    for k in range(lines.shape[1]):
        rows = sorted(lines[:, k].T.tolist(), key=lambda row: row[:num_keys])
        expected[:, k] = np.array(rows).T
    for out, e in zip(got, expected, strict=True):
        np.testing.assert_array_equal(np.moveaxis(out, axis, -1).reshape(e.shape), e)
    params = {"dimension": axis, "num_keys": num_keys, "is_stable": True}
    distinct = [RNG.permutation(np.arange(24.0)).reshape(6, 4) for _ in xs]
    check_shapes(ops.sort_p, *xs, **params)
    check_batch(ops.sort_p, *distinct, **params)


def test_sort_together_permutes_each_tangent() -> None:
    x, y, t, u = RNG.standard_normal((4, 3, 5))
    order = np.argsort(x, 1)
    for tangents in [(t, u), (t, np.zeros_like(u))]:
        _, got = jvp(lambda a, b: ops.sort((a, b), 1), (x, y), tangents)
        for tangent, given in zip(got, tangents, strict=True):
            np.testing.assert_array_equal(tangent, np.take_along_axis(given, order, 1))
    # an operand without a tangent has none afterwards
    _, (of_keys, of_values) = jvp(lambda b: ops.sort((x, b), 1), (y,), (u,))
    assert not np.any(of_keys)
    np.testing.assert_array_equal(of_values, np.take_along_axis(u, order, 1))


def test_nan_comes_last() -> None:
    x = np.array([np.nan, 1.0, -np.inf, np.nan, np.inf, 0.0])
    (out,) = ops.sort((x,), 0)
    np.testing.assert_array_equal(out, [-np.inf, 0, 1, np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(ops.argsort(x, 0), [2, 5, 1, 4, 0, 3])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", ml_dtypes.bfloat16])
def test_dtypes(dtype: Any) -> None:
    x = np.array([3, 0, 2, 1]).astype(dtype)
    got = np.asarray(ops.sort((x,), 0)[0])
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got.astype(float), np.sort(x.astype(float)))
    order = ops.argsort(x, 0, index_dtype=int32)
    assert order.dtype == int32
    np.testing.assert_array_equal(order, np.argsort(x.astype(float), kind="stable"))


def test_sort_twice_differentiable() -> None:
    """d/dx of the sum of weights times squares of the sorted elements."""
    x, w, t = np.array([3.0, 1.0, 2.0]), np.array([1.0, 10.0, 100.0]), np.eye(3)

    def f(y: Any) -> Any:
        (s,) = ops.sort((y,), 0)
        return mul(mul(s, s), w)

    def slope(y: Any, u: Any) -> Any:
        return jvp(f, (y,), (u,))[1]

    hessian = [jvp(lambda y, u=u: slope(y, u), (x,), (u,))[1] for u in t]
    np.testing.assert_array_equal(hessian, [[0, 0, 200], [2, 0, 0], [0, 20, 0]])


def test_sort_rejects() -> None:
    a, b = typeof(np.zeros(3)), typeof(np.zeros(4))
    with pytest.raises(ShapeError, match="do not fit"):
        ops.sort_p.abstract_eval(a, b, dimension=0, num_keys=1, is_stable=True)
    with pytest.raises(ShapeError, match="keys"):
        ops.sort_p.abstract_eval(a, dimension=0, num_keys=2, is_stable=True)


@pytest.mark.parametrize("k", [0, 1, 3, 5])
def test_top_k(k: int) -> None:
    x = RNG.standard_normal((2, 3, 5))
    params: Any = {"k": k, "index_dtype": int64}
    values, places = ops.top_k_p.impl(x, **params)
    np.testing.assert_array_equal(values, np.sort(x)[..., ::-1][..., :k])
    np.testing.assert_array_equal(np.take_along_axis(x, places, -1), values)
    check_shapes(ops.top_k_p, x, **params)
    check_jvp(ops.top_k_p, x, **params)
    check_batch(ops.top_k_p, x, **params)


@pytest.mark.parametrize("dtype", ["float64", "int8", "uint8"])
def test_top_k_of_many_with_ties(dtype: str) -> None:
    x = RNG.integers(0, 9, (3, 2, 80)).astype(dtype)
    values, places = ops.top_k(x, 7)
    expected = np.argsort(-x.astype(int), axis=-1, kind="stable")[..., :7]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, -1))


def test_top_k_ties_and_nan() -> None:
    values, places = ops.top_k(np.array([1.0, 2.0, np.nan, 2.0, 1.0]), 4)
    np.testing.assert_array_equal(values, [np.nan, 2, 2, 1])
    np.testing.assert_array_equal(places, [2, 1, 3, 0])
    _, places = ops.top_k(np.array([0, 255, 255], np.uint8), 2)
    np.testing.assert_array_equal(places, [1, 2])
    with pytest.raises(ShapeError, match="k=4"):
        ops.top_k_p.abstract_eval(typeof(np.zeros(3)), k=4, index_dtype=int64)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 8, 9])
def test_searchsorted(side: str, n: int) -> None:
    a = np.sort(RNG.integers(0, 5, n)).astype(float)
    v = np.arange(-1, 6, 0.5).reshape(2, 7)
    params: Any = {"side": side, "batch_dims": 0, "index_dtype": int64}
    p = ops.searchsorted_p
    np.testing.assert_array_equal(p.impl(a, v, **params)[0], np.searchsorted(a, v, side))
    check_shapes(p, a, v, **params)
    check_lower(p, a, v, **params)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_batches(side: Any) -> None:
    a = np.sort(RNG.integers(0, 5, (3, 6)).astype(float))
    v = np.array([0.0, 2.0, 4.5, 5.0])
    params: Any = {"side": side, "batch_dims": 1, "index_dtype": int32}
    rows = np.tile(v, (3, 1))
    check_shapes(ops.searchsorted_p, a, rows, **params)
    check_lower(ops.searchsorted_p, a, rows, **params)
    expected = np.stack([np.searchsorted(row, v, side) for row in a])
    np.testing.assert_array_equal(vmap(lambda row: ops.searchsorted(row, v, side))(a), expected)
    twice = vmap(lambda row: vmap(lambda x: ops.searchsorted(row, x, side))(v))(a)
    np.testing.assert_array_equal(twice, expected)
    inner = vmap(lambda x: vmap(lambda row: ops.searchsorted(row, x, side))(a))(v)
    np.testing.assert_array_equal(inner, expected.T)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "float64"])
def test_searchsorted_nan_and_dtypes(side: str, dtype: str) -> None:
    a = np.array([0, 1, 1, np.nan, np.nan] if dtype[0] == "f" else [0, 1, 1, 1, 1]).astype(dtype)
    v = np.array([0, 1, np.nan, np.inf] if dtype[0] == "f" else [0, 1, 0, 1]).astype(dtype)
    params: Any = {"side": side, "batch_dims": 0, "index_dtype": int64}
    np.testing.assert_array_equal(ops.searchsorted(a, v, side), np.searchsorted(a, v, side))
    check_lower(ops.searchsorted_p, a, v, **params)


def test_searchsorted_rejects() -> None:
    params: Any = {"batch_dims": 0, "index_dtype": int64}
    a = typeof(np.zeros(3))
    with pytest.raises(ValueError, match="side"):
        ops.searchsorted_p.abstract_eval(a, a, side="middle", **params)
    with pytest.raises(DtypeError, match="dtypes differ"):
        ops.searchsorted_p.abstract_eval(a, typeof(np.zeros(3, int)), side="left", **params)
    with pytest.raises(ShapeError, match="do not fit"):
        ops.searchsorted_p.abstract_eval(typeof(np.zeros((2, 3))), a, side="left", **params)
