"""Sums of narrow products by pairs: NumPy's, in every layout, for odd and even numbers of terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.loops.contraction import block_contraction
from fxla.loops.ir import (
    Assign,
    Cast,
    Const,
    Expr,
    For,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
)
from fxla.loops.native.isa import Isa
from fxla.loops.native.pairs import pair_functions
from fxla.loops.native.tiles import tile_shape
from fxla.loops.tile_kinds import NARROW, TILE_KINDS, tile_kind
from fxla.loops.view import binary, extent, int_const
from tests.loops.test_contraction import K, L, X, Y, array, machines, run, whole

INT32 = np.dtype("i4")


def narrow_product(
    left: Load, right: Load, m: int, n: int, levels: list[Any], total: Any = INT32
) -> Kernel:
    """``out[i, j] = sum of total(left) * total(right)`` over the levels."""
    dtype = np.dtype(total)
    sums, out = Local(dtype, "sum"), array("out", dtype, m, n)
    wide: list[Expr] = [Cast(dtype, left), Cast(dtype, right)]
    inner: tuple[Stmt, ...] = (
        Assign(sums, Op(dtype, "add", (sums, Op(dtype, "mul", (wide[0], wide[1]))))),
    )
    for index, count in reversed(levels):
        inner = (For(index, extent(count), inner),)
    body = (Let(sums, Const(dtype, dtype.type(0)), True), *inner, Store(out, (Y, X), sums))
    nest = For(Y, extent(m), (For(X, extent(n), body),))
    return Kernel("product", (left.buffer, right.buffer), (out,), (), (nest,))


def by_numpy(a: Any, b: Any, total: Any = INT32) -> Any:
    return a.astype(total) @ b.astype(total)


@pytest.mark.parametrize("isa", machines())
@pytest.mark.parametrize("name", NARROW)
def test_products_of_every_remainder(isa: Isa, name: str) -> None:
    """Rows, columns and terms one around every tile and vector, up to the ends of the dtype."""
    kind = tile_kind(INT32, np.dtype(name))
    assert kind is not None
    assert kind.pairs
    shape = tile_shape(isa, kind)
    lanes = shape.lanes
    for m in [1, 3, shape.rows - 1, shape.rows, 2 * shape.rows + 3]:
        for n in [1, lanes - 1, lanes, lanes + 1, 100]:
            k = int(RNG.choice([1, 2, lanes, 2 * lanes - 1, 2 * lanes, 2 * lanes + 1, 77]))
            a, b = whole(m, k, dtype=name), whole(k, n, dtype=name)
            x, y = array("a", name, m, k), array("b", name, k, n)
            kernel = narrow_product(
                Load(x.dtype, x, (Y, K)), Load(x.dtype, y, (K, X)), m, n, [(K, k)]
            )
            got = run(kernel, isa, np.full((m, n), 77, INT32), a, b)
            np.testing.assert_array_equal(got, by_numpy(a, b))


RNG = np.random.default_rng(1)


@pytest.mark.parametrize("isa", machines())
@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize(
    ("m", "n", "k"),
    [
        (70, 70, 1100),  # terms in blocks, the last of them short
        (533, 70, 301),  # several chunks of rows, an odd number of terms
        (30, 1100, 64),  # several chunks of columns
    ],
)
def test_left_operands_in_every_layout(isa: Isa, name: str, m: int, n: int, k: int) -> None:
    a, b = whole(m, k, dtype=name), whole(k, n, dtype=name)
    y = array("b", name, k, n)
    right = Load(y.dtype, y, (K, X))
    rows, columns, apart = (
        array("a", name, m, k),
        array("a", name, k, m),
        array("a", name, m, 2 * k),
    )
    spread = np.zeros((m, 2 * k), name)
    spread[:, ::2] = a
    twice = binary("mul", K, int_const(2))
    for left, stored in (
        (Load(y.dtype, rows, (Y, K)), a),
        (Load(y.dtype, columns, (K, Y)), np.ascontiguousarray(a.T)),
        (Load(y.dtype, apart, (Y, twice)), spread),
    ):
        kernel = narrow_product(left, right, m, n, [(K, k)])
        got = run(kernel, isa, np.full((m, n), 77, INT32), stored, b, ranges=3)
        np.testing.assert_array_equal(got, by_numpy(a, b))


@pytest.mark.parametrize("isa", machines())
def test_levels_are_added_up(isa: Isa) -> None:
    """A convolution: out[i, j] = sum over k, l of x[i + k, l] * w[k, l, j], in uint32."""
    x, w = array("x", "u1", 30, 5), array("w", "u1", 4, 5, 21)
    left = Load(x.dtype, x, (binary("add", Y, K), L))
    right = Load(x.dtype, w, (K, L, X))
    kernel = narrow_product(left, right, 27, 21, [(K, 4), (L, 5)], "u4")
    xs, ws = whole(30, 5, dtype="u1"), whole(4, 5, 21, dtype="u1")
    want = sum(by_numpy(xs[k : k + 27], ws[k], "u4") for k in range(4))
    got = run(kernel, isa, np.full((27, 21), 77, "u4"), xs, ws)
    np.testing.assert_array_equal(got, want)


def test_what_does_not_fit_is_no_contraction() -> None:
    """uint16 does not fit int16, and sums of 16 bits are not summed in 32."""
    for name, total in (("u2", "i4"), ("i1", "i2"), ("i1", "i8"), ("f2", "f4")):
        x, y = array("a", name, 20, 20), array("b", name, 20, 20)
        left, right = Load(x.dtype, x, (Y, K)), Load(y.dtype, y, (K, X))
        kernel = narrow_product(left, right, 20, 20, [(K, 20)], total)
        assert block_contraction(kernel) is None


def test_other_tiles_have_no_pairs() -> None:
    declared: dict[str, None] = {}
    host = machines()[0].values[0]
    assert [bool(pair_functions(kind, host, declared)) for kind in TILE_KINDS] == [
        kind.pairs for kind in TILE_KINDS
    ]
