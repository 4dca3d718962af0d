"""Loops whose index is taken apart: the split nests compute the same, without divisions."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.loops.ir import INDEX, Buffer, For, Kernel, Let, Load, Op, Store, walk_stmts
from fxla.loops.passes.collapse import collapse
from fxla.loops.passes.undivide import undivide, unroll_short
from fxla.loops.rewrite import postorder, stmt_exprs
from fxla.loops.view import binary, cast, extent, fresh_index, fresh_local, int_const, unravel
from tests.loops.running import run_kernel

F4 = np.dtype(np.float32)


def buffer(name, *shape):
    return Buffer(name, F4, tuple(map(extent, shape)))


def gathered(out_shape, in_shape, element):
    """A map from an index to an element of x, as a kernel."""
    x, out = buffer("x", *in_shape), buffer("out", *out_shape)
    index = tuple(fresh_index() for _ in out_shape)
    body = (Store(out, index, Load(F4, x, tuple(element(*index)))),)
    for k, (i, n) in reversed(list(enumerate(zip(index, out_shape, strict=True)))):
        body = (For(i, extent(n), body, "serial" if k < len(out_shape) - 1 else "vector"),)
    return Kernel("moved", (x,), (out,), (), body)


def divisions(kernel):
    return sum(
        isinstance(e, Op) and e.name in ("floordiv", "mod")
        for s in walk_stmts(kernel.body)
        for e in postorder(stmt_exprs(s))
    )


def position(index, shape):
    flat = int_const(0)
    for i, n in zip(index, shape, strict=True):
        flat = binary("add", binary("mul", flat, extent(n)), i)
    return flat


CASES = {
    "repeat": (
        gathered((60,), (20,), lambda k: [binary("floordiv", k, extent(3))]),
        lambda x: np.repeat(x, 3),
        (20,),
    ),
    "tile": (
        gathered((60,), (20,), lambda k: [binary("mod", k, extent(20))]),
        lambda x: np.tile(x, 3),
        (20,),
    ),
    "reshaped transpose": (
        gathered((20, 42), (10, 12, 7), lambda i, j: [
            unravel(position((i, j), (20, 42)), (12, 10, 7))[k] for k in (1, 0, 2)
        ]),
        lambda x: x.transpose(1, 0, 2).reshape(20, 42),
        (10, 12, 7),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_no_division_is_left(name: str) -> None:
    kernel, want, shape = CASES[name]
    x = np.arange(np.prod(shape), dtype=F4).reshape(shape)
    split = undivide(collapse(kernel))
    assert divisions(kernel) and not divisions(split)
    (got,) = run_kernel(split, x)
    np.testing.assert_array_equal(got.reshape(want(x).shape), want(x))


def test_a_loop_divided_by_two_sizes_stays() -> None:
    def element(k):
        return [binary("add", binary("floordiv", k, extent(3)), binary("mod", k, extent(4)))]

    kernel = gathered((12,), (8,), element)
    assert undivide(kernel) is kernel


def test_a_loop_that_needs_its_index_stays() -> None:
    x, out = buffer("x", 4), buffer("out", 12)
    k = fresh_index()
    value = Op(F4, "add", (cast(k, F4), Load(F4, x, (binary("floordiv", k, extent(3)),))))
    kernel = Kernel("k", (x,), (out,), (), (For(k, extent(12), (Store(out, (k,), value),)),))
    got = undivide(kernel)
    (y,) = run_kernel(got, np.ones(4, F4))
    np.testing.assert_array_equal(y.reshape(-1), np.arange(12) + 1)


def test_an_access_that_keeps_its_axis_is_written_as_a_sum() -> None:
    """Another access of x does not allow its axis to be split."""
    x, out = buffer("x", 60), buffer("out", 60)
    k = fresh_index()
    third = Load(F4, x, (binary("floordiv", k, extent(3)),))
    value = Op(F4, "add", (Load(F4, x, (k,)), third))
    kernel = Kernel("k", (x,), (out,), (), (For(k, extent(60), (Store(out, (k,), value),)),))
    split = undivide(kernel)
    a = np.arange(60, dtype=F4)
    (y,) = run_kernel(split, a)
    assert not divisions(split)
    np.testing.assert_array_equal(y.reshape(-1), a + a[np.arange(60) // 3])


def test_an_index_that_is_itself_a_value_becomes_a_position() -> None:
    x, out = buffer("x", 4), buffer("out", 12)
    places = Buffer("places", INDEX, (extent(12),))
    k, t = fresh_index(), fresh_local(INDEX)
    body = (
        Store(out, (k,), Load(F4, x, (binary("floordiv", k, extent(3)),))),
        Let(t, k),
        Store(places, (k,), t),
    )
    kernel = Kernel("k", (x,), (out, places), (), (For(k, extent(12), body),))
    y, found = run_kernel(undivide(kernel), np.arange(4, dtype=F4))
    np.testing.assert_array_equal(y.reshape(-1), np.repeat(np.arange(4), 3))
    np.testing.assert_array_equal(found.reshape(-1), np.arange(12))


def test_lanes_go_to_the_loop_around_a_short_one() -> None:
    kernel = unroll_short(undivide(CASES["repeat"][0]))
    outer = kernel.body[0]
    assert isinstance(outer, For) and outer.kind == "vector"
    assert isinstance(outer.body[0], For) and outer.body[0].kind == "unroll"
    (y,) = run_kernel(kernel, np.arange(20, dtype=F4))
    np.testing.assert_array_equal(y.reshape(-1), np.repeat(np.arange(20), 3))


def test_a_size_that_does_not_divide_the_loop_leaves_it_whole():
    kernel = gathered((61,), (21,), lambda k: [binary("floordiv", k, extent(3))])
    assert undivide(kernel) is kernel
    x = np.arange(21, dtype=F4)
    np.testing.assert_array_equal(run_kernel(kernel, x)[0], np.repeat(x, 3)[:61])
