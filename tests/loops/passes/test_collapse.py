"""Loops that walk memory as one become one; those that do not stay."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.loops.check import check_kernel
from fxla.loops.extents import canonical
from fxla.loops.ir import Assign, Buffer, For, Kernel, Let, Load, Local, Store, walk_stmts
from fxla.loops.passes.collapse import collapse
from fxla.loops.view import binary, cast, const, extent, fresh_index, fresh_local, int_const, op
from tests.loops.running import run_kernel

F8 = np.dtype("float64")
SHAPE = (3, 4, 5)


def buffer(name: str, *shape: int) -> Buffer:
    return Buffer(name, F8, tuple(extent(n) for n in shape))


def map_kernel(make: Any, inputs: list[Buffer], out: Buffer, extents: Any = SHAPE) -> Kernel:
    """``out[i] = make(i)`` over nested loops."""
    index = tuple(fresh_index() for _ in extents)
    body: Any = (Store(out, index, make(index)),)
    for k, (i, n) in reversed(list(enumerate(zip(index, extents, strict=True)))):
        kind = "vector" if k == len(extents) - 1 else "parallel" if k == 0 else "serial"
        body = (For(i, extent(n), body, kind),)
    return Kernel("map", tuple(inputs), (out,), (), body)


def loops(kernel: Kernel) -> list[For]:
    return [s for s in walk_stmts(kernel.body) if isinstance(s, For)]


def same(kernel: Kernel, *arrays: Any) -> Kernel:
    """The collapsed kernel, which computes what the given one does."""
    small = collapse(kernel)
    check_kernel(small, "collapsing")
    for a, b in zip(run_kernel(small, *arrays), run_kernel(kernel, *arrays), strict=True):
        np.testing.assert_array_equal(a.ravel(), b.ravel())
    return small


def test_an_elementwise_map_is_one_long_loop(accepted: Any) -> None:
    x, y, out = (buffer(n, *SHAPE) for n in ("x", "y", "out"))
    kernel = map_kernel(lambda i: op("add", F8, Load(F8, x, i), Load(F8, y, i)), [x, y], out)
    small = same(kernel, np.arange(60.0), np.ones(60))
    (only,) = loops(small)
    assert only.kind == "vector"
    accepted.check("collapse_map", str(canonical(small)))


def test_a_bias_keeps_its_axis(accepted: Any) -> None:
    x, b, out = buffer("x", *SHAPE), buffer("b", 5), buffer("out", *SHAPE)
    kernel = map_kernel(lambda i: op("add", F8, Load(F8, x, i), Load(F8, b, i[2:])), [x, b], out)
    small = same(kernel, np.arange(60.0), np.arange(5.0))
    assert [lp.kind for lp in loops(small)] == ["parallel", "vector"]
    accepted.check("collapse_bias", str(canonical(small)))


def test_a_transpose_stays() -> None:
    x, out = buffer("x", 4, 3), buffer("out", 3, 4)
    kernel = map_kernel(lambda i: Load(F8, x, (i[1], i[0])), [x], out, (3, 4))
    assert len(loops(same(kernel, np.arange(12.0)))) == 2


def test_a_window_of_a_wider_row_stays() -> None:
    """The second axis of x is longer than the loop: rows do not follow each other."""
    x, out = buffer("x", 3, 6), buffer("out", 3, 4)
    kernel = map_kernel(lambda i: Load(F8, x, i), [x], out, (3, 4))
    assert len(loops(same(kernel, np.arange(18.0)))) == 2
    wider = buffer("wider", 3, 6)
    kernel = map_kernel(lambda i: Load(F8, wider, (i[0], binary("add", i[1], int_const(1)))),
                        [wider], out, (3, 4))  # fmt: skip
    assert len(loops(same(kernel, np.arange(18.0)))) == 2


def test_an_index_used_as_a_number_stays() -> None:
    x, out = buffer("x", 3, 4), buffer("out", 3, 4)
    kernel = map_kernel(lambda i: op("mul", F8, Load(F8, x, i), cast(i[0], F8)), [x], out, (3, 4))
    assert len(loops(same(kernel, np.arange(12.0)))) == 2


def test_a_buffer_read_at_two_places_stays() -> None:
    x, out = buffer("x", 3, 4), buffer("out", 3, 4)
    first = (int_const(0), int_const(0))
    kernel = map_kernel(
        lambda i: op("sub", F8, Load(F8, x, i), Load(F8, x, first)), [x], out, (3, 4)
    )
    assert len(loops(same(kernel, np.arange(1.0, 13.0)))) == 2


def test_an_element_stored_by_every_iteration_is_not_parallel() -> None:
    """``last[0] = x[i, j]``: which one is last matters."""
    x, out, last = buffer("x", 3, 4, 5), buffer("out", 3, 4, 5), buffer("last", 5)
    i, j, k = (fresh_index() for _ in range(3))
    both = (Store(out, (i, j, k), Load(F8, x, (i, j, k))),
            Store(last, (k,), Load(F8, x, (i, j, k))))  # fmt: skip
    nest = For(i, extent(3), (For(j, extent(4), (For(k, extent(5), both, "vector"),)),), "parallel")
    small = collapse(Kernel("last", (x,), (out, last), (), (nest,)))
    assert [lp.kind for lp in loops(small)] == ["serial", "vector"]


def test_a_reduction_over_two_axes_is_one_loop() -> None:
    x, out = buffer("x", *SHAPE), buffer("out", 3)
    i, j, k = (fresh_index() for _ in range(3))
    total: Local = fresh_local(F8, "acc")
    add = Assign(total, op("add", F8, total, Load(F8, x, (i, j, k))))
    inner = For(j, extent(4), (For(k, extent(5), (add,), "vector"),))
    body = (Let(total, const(0.0, F8), mutable=True), inner, Store(out, (i,), total))
    kernel = Kernel("sum", (x,), (out,), (), (For(i, extent(3), body, "parallel"),))
    assert len(loops(same(kernel, np.arange(60.0)))) == 2
