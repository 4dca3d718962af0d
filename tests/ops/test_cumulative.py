from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
from fxla.core.primitive import Linear
from fxla.core.trace import typeof
from fxla.errors import DtypeError, InternalError, ShapeError
from fxla.ops import cumulative as ops
from fxla.transforms.jvp import jvp
from tests.ops.interpret import check_lower
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose

RNG = np.random.default_rng(1)
X = RNG.standard_normal((4, 3, 2))
MEMBERS = [ops.cumsum_p, ops.cumprod_p, ops.cummax_p, ops.cummin_p, ops.cumlogsumexp_p]
ORACLES: dict[str, Any] = {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "cummax": np.maximum.accumulate,
    "cummin": np.minimum.accumulate,
    "cumlogsumexp": np.logaddexp.accumulate,
}


@pytest.mark.parametrize("p", MEMBERS, ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_rules(p: ops.Cumulative, axis: int, reverse: bool) -> None:
    params = {"axis": axis, "reverse": reverse}
    expected = ORACLES[p.name](np.flip(X, axis) if reverse else X, axis=axis)
    expected = np.flip(expected, axis) if reverse else expected
    np.testing.assert_array_equal(p.impl(X, **params)[0], expected)
    check_shapes(p, X, **params)
    check_jvp(p, X, **params)
    check_batch(p, X, **params)
    check_lower(p, X, rtol=1e-14, **params)


@pytest.mark.parametrize("reverse", [False, True])
def test_transpose(reverse: bool) -> None:
    check_transpose(ops.cumsum_p, X, axis=1, reverse=reverse)
    with pytest.raises(InternalError, match="not linear"):
        ops.cumprod_p.transpose((X,), Linear(typeof(X)), axis=0, reverse=reverse)


@pytest.mark.parametrize("x", [[2, 0, 3, 4.0], [0, 0, 5, 1.0], [1, 2, 0, 0.0], [0.0], []])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumprod_jvp_at_zeros(x: Any, reverse: bool) -> None:
    """The derivative is a sum of products, written out; the second one as well."""
    x = np.array(x, float)
    n = len(x)
    t, u = RNG.standard_normal((2, n))

    def members(i: int) -> Any:
        return range(i, n) if reverse else range(i + 1)

    def product(i: int, without: set[int]) -> float:
        return float(np.prod([x[k] for k in members(i) if k not in without]))

    first = [sum(t[j] * product(i, {j}) for j in members(i)) for i in range(n)]
    second = [
        sum(t[j] * u[k] * product(i, {j, k}) for j in members(i) for k in members(i) if j != k)
        for i in range(n)
    ]

    def tangent(y: Any) -> Any:
        return jvp(lambda z: ops.cumprod(z, 0, reverse), (y,), (t,))[1]

    got, got_second = jvp(tangent, (x,), (u,))
    np.testing.assert_allclose(got, first, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(got_second, second, rtol=1e-13, atol=1e-13)


def test_extreme_jvp_shares_ties() -> None:
    x, t = np.array([1.0, 1.0, 0.0, 2.0, 2.0]), np.array([1.0, 2.0, 10.0, 4.0, 8.0])
    _, got = jvp(lambda y: ops.cummax(y, 0), (x,), (t,))
    np.testing.assert_array_equal(got, [1, 1.5, 1.5, 4, 6])
    _, got = jvp(lambda y: ops.cummin(y, 0), (-x,), (t,))
    np.testing.assert_array_equal(got, [1, 1.5, 1.5, 4, 6])


def test_nan_and_infinity() -> None:
    x = np.array([-np.inf, -np.inf, 1.0, np.nan, 2.0, np.inf])
    for p in MEMBERS:
        check_lower(p, x, rtol=1e-15, axis=0, reverse=False)
        check_lower(p, x, rtol=1e-15, axis=0, reverse=True)
    y = np.array([-np.inf, -np.inf, 0.0, np.log(3.0)])
    _, got = jvp(lambda z: ops.cumlogsumexp(z, 0), (y,), (np.array([1.0, 1.0, 2.0, 6.0]),))
    np.testing.assert_allclose(got, [0, 0, 2, 5], rtol=1e-15)


def test_logsumexp_is_stable() -> None:
    x = np.array([1000.0, 1000.0, -1000.0])
    value, t = jvp(lambda z: ops.cumlogsumexp(z, 0), (x,), (np.array([1.0, 3.0, 5.0]),))
    np.testing.assert_allclose(value, 1000 + np.log([1, 2, 2]), rtol=1e-15)
    np.testing.assert_allclose(t, [1, 2, 2], rtol=1e-12)  # an ulp of 1000 is 1e-13


@pytest.mark.parametrize("dtype", ["int8", "uint32", "bool", "complex64", ml_dtypes.bfloat16])
def test_dtypes(dtype: Any) -> None:
    x = np.array([3, 0, 2, 2, 1]).astype(dtype)
    for p in MEMBERS:
        try:
            p.abstract_eval(typeof(x), axis=0, reverse=False)
        except DtypeError:
            assert x.dtype.kind == "c" or p is ops.cumlogsumexp_p
            continue
        check_shapes(p, x, axis=0, reverse=False)
        check_lower(p, x, rtol=1e-2, axis=0, reverse=False)


@pytest.mark.parametrize("axis", [-1, 3])
def test_axis_out_of_bounds(axis: int) -> None:
    with pytest.raises(ShapeError, match="out of bounds"):
        ops.cumsum_p.abstract_eval(typeof(X), axis=axis, reverse=False)


LONGER = ops.LONG + 777


def along(ufunc: Any, x: Any, axis: int, reverse: bool) -> Any:
    return (
        np.flip(ufunc.accumulate(np.flip(x, axis), axis), axis)
        if reverse
        else (ufunc.accumulate(x, axis))
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((LONGER,), 0), ((2, LONGER), 1), ((LONGER, 3), 0)])
def test_long_rows_in_blocks(shape: tuple[int, ...], axis: int, reverse: bool) -> None:
    whole = RNG.integers(-9, 9, shape)
    sums = fxla.jit(lambda x: ops.cumsum(x, axis, reverse))
    np.testing.assert_array_equal(sums(whole), along(np.add, whole, axis, reverse))
    x = RNG.standard_normal(shape)
    np.testing.assert_allclose(sums(x), along(np.add, x, axis, reverse), rtol=0, atol=1e-10)
    largest = fxla.jit(lambda x: ops.cummax(x, axis, reverse))
    np.testing.assert_array_equal(largest(x), along(np.maximum, x, axis, reverse))
    log_sums = fxla.jit(lambda x: ops.cumlogsumexp(x, axis, reverse))(x)
    np.testing.assert_allclose(log_sums, along(np.logaddexp, x, axis, reverse), rtol=1e-11)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((100,), 0), ((3, 37), 1), ((32, 2), 0)])
def test_blocks_do_not_depend_on_each_other(
    shape: tuple[int, ...], axis: int, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter runs them backwards."""
    monkeypatch.setattr(ops, "BLOCK", 8)
    monkeypatch.setattr(ops, "LONG", 16)
    x = RNG.standard_normal(shape)
    for p in (ops.cumsum_p, ops.cummin_p, ops.cumlogsumexp_p):
        check_lower(p, x, rtol=1e-12, axis=axis, reverse=reverse)
    assert ops.cumsum_p.lower(x, axis=axis, reverse=reverse).before
    assert not ops.cumprod_p.lower(x, axis=axis, reverse=reverse).before


def test_long_rows_with_what_is_not_finite() -> None:
    x = np.ones(LONGER)
    x[50_000], x[100_000] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        want = np.cumsum(x)
    np.testing.assert_array_equal(fxla.jit(lambda x: ops.cumsum(x, 0))(x), want)
    x[70_000] = np.nan
    np.testing.assert_array_equal(fxla.jit(lambda x: ops.cummin(x, 0))(x), np.minimum.accumulate(x))
    zeros = np.full(LONGER, -0.0)
    assert np.signbit(fxla.jit(lambda x: ops.cumsum(x, 0))(zeros)).all()


def test_parts_of_a_product_do_not_overflow() -> None:
    """The first thousand make it small, so the next may be large."""
    x = np.ones(LONGER)
    x[:1000], x[20_000:21_000] = 0.5, 2.0
    x[40_000:40_500] = 2.0**2
    x[50_000] = 0.0
    x[60_000:62_000] = 4.0
    np.testing.assert_array_equal(fxla.jit(lambda x: ops.cumprod(x, 0))(x), np.cumprod(x))
    whole = RNG.integers(1, 3, LONGER)
    np.testing.assert_array_equal(fxla.jit(lambda x: ops.cumprod(x, 0))(whole), np.cumprod(whole))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_linear_recurrence(axis: int, reverse: bool) -> None:
    a, b = RNG.standard_normal((2, 4, 3))
    a[1, 2] = 0
    params = {"axis": axis, "reverse": reverse}
    p = ops.linear_recurrence_p
    lines = np.moveaxis(np.stack([a, b]), axis + 1, -1)
    lines = lines[..., ::-1] if reverse else lines
    y = np.zeros(lines.shape[1:])
    for i in range(y.shape[-1]):
        y[..., i] = lines[1][..., i]
        if i:
            y[..., i] += lines[0][..., i] * y[..., i - 1]
    y = np.moveaxis(y[..., ::-1] if reverse else y, -1, axis)
    np.testing.assert_allclose(p.impl(a, b, **params)[0], y, rtol=1e-15)
    check_shapes(p, a, b, **params)
    check_jvp(p, a, b, **params)
    check_transpose(p, a, b, linear=(1,), **params)
    check_batch(p, a, b, **params)
    check_lower(p, a, b, rtol=1e-14, **params)
