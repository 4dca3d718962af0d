"""Loops cut where a select changes sides."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.loops.ir import BOOL, INDEX, Buffer, For, Index, Load, Store
from fxla.loops.native.segments import boundary_of, decided_value
from fxla.loops.view import compare, extent, int_const, op, select

N = extent(100)
F8 = np.dtype(float)
AT = Index(INDEX, "i")
X, Y, OUT = (Buffer(name, F8, (N,)) for name in ("x", "y", "out"))


def loop(condition):
    value = select(condition, Load(F8, X, (AT,)), Load(F8, Y, (AT,)))
    return For(AT, N, (Store(OUT, (AT,), value),), "vector")


@pytest.mark.parametrize(
    ("name", "place", "before"),
    [("lt", 7, True), ("le", 8, True), ("ge", 7, False), ("gt", 8, False)],
)
def test_the_place_of_each_comparison(name: str, place: int, before: bool) -> None:
    found = boundary_of(loop(compare(name, AT, int_const(7))), {})
    assert found is not None
    assert (found.place, found.holds_before) == (int_const(place), before)
    turned = {"lt": "gt", "le": "ge", "ge": "le", "gt": "lt"}[name]
    assert boundary_of(loop(compare(turned, int_const(7), AT)), {}) == found


def test_both_sides_of_a_conjunction_are_cut() -> None:
    low, high = compare("ge", AT, int_const(2)), compare("lt", AT, int_const(9))
    nest = loop(op("and", BOOL, low, high))
    first = boundary_of(nest, {})
    second = boundary_of(nest, {first.key: True})
    assert {first.place, second.place} == {int_const(2), int_const(9)}
    assert boundary_of(nest, {first.key: True, second.key: True}) is None
    assert decided_value(low, {first.key: True}) is True


def test_what_depends_on_values_is_not_cut() -> None:
    assert boundary_of(loop(compare("lt", Load(F8, X, (AT,)), Load(F8, Y, (AT,)))), {}) is None
    inner = compare("lt", AT, Load(INDEX, Buffer("k", INDEX, ()), ()))
    assert boundary_of(loop(inner), {}) is None


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (1, 1), (7, 100), (1000, 3), (64, 64, 64)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "?"])
def test_parts_of_every_size(sizes: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 2, n).astype(dtype) for n in sizes]
    np.testing.assert_array_equal(
        fxla.jit(lambda *xs: fnp.concatenate(xs))(*parts), np.concatenate(parts)
    )


def test_parts_inside_chunks_of_threads() -> None:
    x = np.arange(300_001.0)
    got = fxla.jit(lambda x: fnp.roll(fnp.concatenate([x, -x, x[:5]]), 77))(x)
    np.testing.assert_array_equal(got, np.roll(np.concatenate([x, -x, x[:5]]), 77))


def test_more_parts_than_are_worth_a_copy() -> None:
    parts = [np.full(k, float(k)) for k in range(1, 15)]
    got = fxla.jit(lambda *xs: 2 * fnp.concatenate(xs))(*parts)
    np.testing.assert_array_equal(got, 2 * np.concatenate(parts))
