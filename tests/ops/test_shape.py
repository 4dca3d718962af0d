from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.primitive import Linear
from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops import shape as ops
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5, 3))

SLICES = [
    ((0, 0, 0), (4, 5, 3), (1, 2, 1)),
    ((1, 2, 0), (4, 5, 3), (2, 1, 3)),
    ((1, 0, 1), (1, 5, 2), (1, 4, 1)),
    ((3, 4, 2), (4, 5, 3), (1, 1, 1)),
    ((0, 1, 0), (4, 5, 3), (3, 3, 2)),
]


@pytest.mark.parametrize(("start", "limit", "strides"), SLICES)
def test_slice(start: Any, limit: Any, strides: Any) -> None:
    params = {"start": start, "limit": limit, "strides": strides}
    p = ops.slice_p
    expected = X[tuple(slice(*t) for t in zip(start, limit, strides, strict=True))]
    np.testing.assert_array_equal(p.impl(X, **params)[0], expected)
    check_shapes(p, X, **params)
    check_jvp(p, X, **params)
    check_transpose(p, X, **params)
    check_batch(p, X, **params)
    check_lower(p, X, **params)


@pytest.mark.parametrize(
    ("start", "limit", "strides"), [((0,), (6,), (1,)), ((3,), (2,), (1,)), ((0,), (2,), (0,))]
)
def test_slice_rejects(start: Any, limit: Any, strides: Any) -> None:
    with pytest.raises(ShapeError, match="slice"):
        ops.slice_p.abstract_eval(typeof(np.zeros(5)), start=start, limit=limit, strides=strides)


def test_slice_of_everything_is_the_operand() -> None:
    assert ops.slice_(X, (0, 0, 0), X.shape) is X
    np.testing.assert_array_equal(ops.slice_in_dim(X, 1, 4, 2, axis=1), X[:, 1:4:2])


PADS = [
    ((0, 1), (2, 0), (0, 0)),
    ((1, 0), (0, 1), (1, 2)),
    ((-1, 2), (1, -3), (0, 0)),
    ((-1, -2), (-1, -1), (2, 1)),
    ((-3, 0), (2, 0), (1, 0)),
    ((3, -5), (-4, 6), (0, 3)),
]


def padded(x: Any, value: Any, low: Any, high: Any, interior: Any) -> Any:
    """Pad by its definition: spread, surround, take away."""
    wide = [n + max(n - 1, 0) * k for n, k in zip(x.shape, interior, strict=True)]
    spread = np.full(wide, value, x.dtype)
    spread[tuple(slice(None, None, k + 1) for k in interior)] = x
    around = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    out = np.pad(spread, around, constant_values=value)
    cut = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for n, a, b in zip(out.shape, low, high, strict=True)
    )
    return out[cut]


@pytest.mark.parametrize(("low", "high", "interior"), PADS)
@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (1, 3)])
def test_pad(low: Any, high: Any, interior: Any, shape: Any) -> None:
    x, value = RNG.standard_normal(shape), np.float64(0.5)
    params = {"low": low, "high": high, "interior": interior}
    p = ops.pad_p
    if any(n < 0 for n in ops.padded_shape(shape, low, high, interior)):
        with pytest.raises(ShapeError, match="pad"):
            p.abstract_eval(typeof(x), typeof(value), **params)
        return
    expected = padded(x, value, low, high, interior)
    np.testing.assert_array_equal(p.impl(x, value, **params)[0], expected)
    check_shapes(p, x, value, **params)
    check_jvp(p, x, value, **params)
    zero = np.float64(0)
    check_transpose(p, x, zero, **params)
    check_transpose(p, np.zeros(shape), value, linear=(1,), **params)
    check_batch(p, x, value, **params)
    check_lower(p, x, value, **params)


def test_pad_of_nothing() -> None:
    params = {"low": (2,), "high": (1,), "interior": (3,)}
    x = np.zeros(0)
    np.testing.assert_array_equal(ops.pad_p.impl(x, 7.0, **params)[0], [7.0] * 3)
    check_lower(ops.pad_p, x, np.float64(7.0), **params)
    found = ops.pad_p.transpose(
        (np.arange(3.0),), Linear(typeof(x)), Linear(typeof(np.float64(0))), **params
    )
    assert found[0].shape == (0,)
    assert found[1] == 3.0


def test_pad_rejects_another_dtype() -> None:
    with pytest.raises(DtypeError, match="pad"):
        ops.pad_p.abstract_eval(
            typeof(X), typeof(np.float32(0)), low=(0,) * 3, high=(0,) * 3, interior=(0,) * 3
        )


@pytest.mark.parametrize("sizes", [(1,), (2, 3), (1, 0, 2, 4, 1)])
@pytest.mark.parametrize("axis", [0, 1])
def test_concatenate(sizes: Any, axis: int) -> None:
    xs = [RNG.standard_normal((n, 2) if axis == 0 else (2, n)) for n in sizes]
    p = ops.concatenate_p
    np.testing.assert_array_equal(p.impl(*xs, dimension=axis)[0], np.concatenate(xs, axis))
    check_shapes(p, *xs, dimension=axis)
    check_jvp(p, *xs, dimension=axis)
    check_lower(p, *xs, dimension=axis)
    if len(xs) < 4:
        check_batch(p, *xs, dimension=axis)
    for k in range(len(xs)):
        alone = [x if i == k else np.zeros_like(x) for i, x in enumerate(xs)]
        check_transpose(p, *alone, linear=(k,), dimension=axis)


def test_concatenate_rejects() -> None:
    with pytest.raises(ShapeError, match="shapes differ"):
        ops.concatenate_p.abstract_eval(
            typeof(np.zeros((2, 3))), typeof(np.zeros((2, 4))), dimension=0
        )
    with pytest.raises(DtypeError, match="dtypes differ"):
        ops.concatenate_p.abstract_eval(
            typeof(np.zeros(3)), typeof(np.zeros(3, np.float32)), dimension=0
        )


def test_weak_if_all_are() -> None:
    weak, strong = (Aval((2,), np.dtype("f8"), w) for w in (True, False))
    assert ops.concatenate_p.abstract_eval(weak, weak, dimension=0)[0].weak_type
    assert not ops.concatenate_p.abstract_eval(weak, strong, dimension=0)[0].weak_type


@pytest.mark.parametrize("dimensions", [(), (0,), (2, 0), (0, 1, 2)])
def test_rev(dimensions: Any) -> None:
    p = ops.rev_p
    np.testing.assert_array_equal(p.impl(X, dimensions=dimensions)[0], np.flip(X, dimensions))
    check_shapes(p, X, dimensions=dimensions)
    check_jvp(p, X, dimensions=dimensions)
    check_transpose(p, X, dimensions=dimensions)
    check_batch(p, X, dimensions=dimensions)
    check_lower(p, X, dimensions=dimensions)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "complex128", ml_dtypes.bfloat16])
@pytest.mark.parametrize(("shape", "dimension"), [((4,), 0), ((2, 3), 0), ((2, 3), 1), ((0,), 0)])
def test_iota(dtype: Any, shape: Any, dimension: int) -> None:
    dtype = np.dtype(dtype)
    got = np.asarray(ops.iota(dtype, shape, dimension))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.astype("c16"), np.indices(shape)[dimension])
    check_lower(ops.iota_p, dtype=dtype, shape=shape, dimension=dimension)


def test_split_stack_tile() -> None:
    parts = ops.split(X, (2, 0, 3), axis=1)
    for got, expected in zip(parts, np.split(X, [2, 2], axis=1), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(ops.stack([X, X + 1], 2), np.stack([X, X + 1], 2))
    np.testing.assert_array_equal(ops.tile(X, (2, 1, 3)), np.tile(X, (2, 1, 3)))


def test_cropping_is_a_slice() -> None:
    got = ops.pad(X, 0, (-1, 0, 0), (0, -2, -1))
    np.testing.assert_array_equal(got, X[1:, :-2, :-1])
    assert ops.pad(X, 0, (0, 0, 0), (0, 0, 0)) is X
