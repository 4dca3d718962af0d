"""Which loops go to a grid."""

from __future__ import annotations

import numpy as np

from fxla.loops.check import check_kernel
from fxla.loops.ir import Buffer, For, Kernel, Load, Op, Store
from fxla.loops.passes.spread import spread
from fxla.loops.view import binary, extent, fresh_index, int_const

F8 = np.dtype("f8")
A, B, C = fresh_index(), fresh_index(), fresh_index()


def array(name, *sizes):
    return Buffer(name, F8, tuple(map(extent, sizes)))


def kinds(kernel):
    """Kinds of the nested loops, outermost first."""
    check_kernel(kernel)
    found, body = [], kernel.body
    while len(body) == 1 and isinstance(body[0], For):
        found.append(body[0].kind)
        body = body[0].body
    return found


def nest(out, stores, *loops):
    body = tuple(stores)
    for index, size, kind in reversed(loops):
        body = (For(index, size if not isinstance(size, int) else extent(size), body, kind),)
    x = array("x", 20, 30, 40)
    return spread(Kernel("k", (x,), (out,), (), body))


X = Load(F8, array("x", 20, 30, 40), (A, B, C))


def test_a_map_is_spread_over_all_its_axes():
    out = array("out", 20, 30, 40)
    loops = (A, 20, "parallel"), (B, 30, "serial"), (C, 40, "vector")
    assert kinds(nest(out, [Store(out, (A, B, C), X)], *loops)) == ["parallel"] * 3


def test_a_transposed_map_is_too():
    out = array("out", 40, 20, 30)
    loops = (A, 20, "serial"), (B, 30, "serial"), (C, 40, "serial")
    assert kinds(nest(out, [Store(out, (C, A, B), X)], *loops)) == ["parallel"] * 3


def test_a_loop_that_reads_what_another_iteration_wrote_is_not():
    out = array("out", 20, 31, 40)
    before = Load(F8, out, (A, B, C))
    after = Store(out, (A, binary("add", B, int_const(1)), C), Op(F8, "add", (before, X)))
    loops = (A, 20, "parallel"), (B, 30, "serial"), (C, 40, "vector")
    assert kinds(nest(out, [after], *loops)) == ["parallel", "serial", "vector"]


def test_a_loop_that_adds_to_one_place_is_not():
    out = array("out", 20, 30)
    total = Store(out, (A, B), Op(F8, "add", (Load(F8, out, (A, B)), X)))
    loops = (A, 20, "serial"), (B, 30, "serial"), (C, 40, "serial")
    assert kinds(nest(out, [total], *loops)) == ["parallel", "parallel", "serial"]


def test_an_axis_must_be_the_same_in_every_access():
    out = array("out", 20, 20)
    mirrored = Store(out, (A, B), Load(F8, out, (B, A)))
    loops = (A, 20, "serial"), (B, 20, "serial")
    assert kinds(nest(out, [mirrored], *loops)) == ["serial", "serial"]


def test_an_extent_that_depends_on_the_outer_index_ends_the_grid():
    out = array("out", 20, 30, 40)
    loops = (A, 20, "serial"), (B, binary("add", A, int_const(1)), "parallel"), (C, 40, "vector")
    kernel = nest(out, [Store(out, (A, B, C), X)], *loops)
    assert kinds(kernel) == ["parallel", "serial", "vector"]
