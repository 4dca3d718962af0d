from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from fxla.errors import InternalError
from fxla.loops.extents import (
    SMALL,
    canonical,
    kernel_key,
    normal_form,
    parametrise,
    signature,
)
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Buffer,
    Const,
    Extent,
    For,
    Kernel,
    Load,
    Store,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.rewrite import Numbering, Rewriter, stmt_exprs
from fxla.loops.view import const, extent, fresh_index, fresh_local, op
from tests.loops.nests import MAKERS, row_map, scatter_add, total

F8 = np.dtype("float64")


def test_kernels_that_differ_in_large_sizes_become_equal():
    a, small = parametrise(row_map(10, 20).kernel)
    b, large = parametrise(row_map(1000, 77).kernel)
    assert (small, large) == ((10, 20), (1000, 77))
    assert [e.name for e in a.extents] == ["n0", "n1"]
    assert canonical(a) == canonical(b)
    assert str(canonical(a)) == str(canonical(b))
    assert kernel_key(a) == kernel_key(b)


def test_small_sizes_stay_constants_and_equal_ones_share_a_name():
    kernel, sizes = parametrise(row_map(SMALL, SMALL + 1).kernel)
    assert sizes == (SMALL + 1,)
    assert kernel.inputs[0].shape == (Const(INDEX, SMALL), Extent(INDEX, 0, "n0"))
    square, sizes = parametrise(row_map(30, 30).kernel)
    assert sizes == (30,) and len(square.extents) == 1
    assert kernel_key(square) != kernel_key(parametrise(row_map(30, 31).kernel)[0])


def test_no_literal_extent_is_left():
    for make in MAKERS.values():
        kernel, _ = parametrise(make().kernel)
        for s in walk_stmts(kernel.body):
            for e in stmt_exprs(s):
                for node in walk_exprs(e):
                    assert not (isinstance(node, Extent) and node.name is None)


def test_scratch_keeps_constant_shapes():
    scratch = Buffer("scratch", F8, (extent(64),))
    out = Buffer("out", F8, (extent(64),))
    i = fresh_index()
    copy = Store(out, (i,), Load(F8, scratch, (i,)))
    kernel = Kernel("k", (), (out,), (), (Alloc(scratch), For(i, extent(64), (copy,))))
    new, sizes = parametrise(kernel)
    assert sizes == (64,)
    alloc, loop = new.body
    assert alloc.buffer.shape == (Const(INDEX, 64),)
    assert loop.body[0].value.buffer is alloc.buffer


def scratch_copy(n):
    """A kernel with a scratch array as long as a row."""
    x, out = (Buffer(name, F8, (extent(n),)) for name in ("x", "out"))
    row = Buffer("row", F8, (extent(n),))
    i, j = fresh_index(), fresh_index()
    keep = For(i, extent(n), (Store(row, (i,), Load(F8, x, (i,))),), "vector")
    copy = For(j, extent(n), (Store(out, (j,), Load(F8, row, (j,))),), "vector")
    return Kernel("k", (x,), (out,), (), (Alloc(row), keep, copy))


@pytest.mark.parametrize(
    "kernel", [*[make().kernel for make in MAKERS.values()], scratch_copy(64), scratch_copy(5)]
)
def test_a_signature_is_that_of_the_normal_form(kernel):
    normal, sizes = normal_form(kernel)
    found = signature(kernel)
    assert (found.key, found.sizes) == (kernel_key(normal), sizes)


def test_a_signature_knows_which_sizes_are_equal_and_what_they_are_for():
    square, oblong = signature(row_map(30, 30).kernel), signature(row_map(30, 31).kernel)
    assert (square.sizes, oblong.sizes) == ((30,), (30, 31))
    assert square.key != oblong.key
    assert signature(row_map(40, 41).kernel).key == oblong.key
    x, out = (Buffer(name, F8, (extent(64),)) for name in ("x", "out"))

    def chunked(role):
        i = fresh_index()
        loop = For(i, Extent(INDEX, 64, role=role), (Store(out, (i,), Load(F8, x, (i,))),))
        return signature(Kernel("k", (x,), (out,), (), (loop,)))

    assert (chunked("").sizes, chunked("rows").sizes) == ((64,), (64, 64))
    assert signature(scratch_copy(64)).key != signature(scratch_copy(65)).key


def test_twice_is_refused():
    kernel, _ = parametrise(row_map(10, 20).kernel)
    with pytest.raises(InternalError, match="parametrised already"):
        parametrise(kernel)


def test_canonical_names_do_not_clash_with_buffers():
    x, out = Buffer("i0", F8, (extent(20),)), Buffer("t0", F8, (extent(20),))
    i = fresh_index()
    kernel = Kernel(
        "k", (x,), (out,), (), (For(i, extent(20), (Store(out, (i,), Load(F8, x, (i,))),)),)
    )
    text = str(canonical(kernel))
    assert "for i_0 < 20" in text and "t0[i_0] = i0[i_0]" in text


def test_a_key_knows_everything_but_names():
    kernel = parametrise(total(50).kernel)[0]
    key = kernel_key(kernel)
    renamed = Rewriter(lambda e: e, lambda b: replace(b, name=b.name + "_")).kernel(kernel)
    assert kernel_key(replace(renamed, name="other")) == key
    others = [
        parametrise(total(50, "serial").kernel)[0],
        parametrise(total(50, "vector", np.dtype("float32")).kernel)[0],
        parametrise(total(5).kernel)[0],
        parametrise(scatter_add(50, 9).kernel)[0],
    ]
    assert len({key, *map(kernel_key, others)}) == 5


def test_a_key_distinguishes_zeros_and_dtypes_of_constants():
    out = Buffer("out", F8, ())

    def key(value):
        return kernel_key(Kernel("k", (), (out,), (), (Store(out, (), value),)))

    zeros = [Const(F8, 0.0), Const(F8, -0.0), op("add", F8, Const(F8, 0.0), Const(F8, -0.0))]
    assert len(set(map(key, zeros))) == 3


def chain(depth):
    """A kernel whose value has depth nodes and 2**depth paths."""
    x, out = Buffer("x", F8, (extent(100),)), Buffer("out", F8, (extent(100),))
    i = fresh_index()
    e = Load(F8, x, (i,))
    for _ in range(depth):
        e = op("add", F8, e, e)
    return Kernel("chain", (x,), (out,), (), (For(i, extent(100), (Store(out, (i,), e),)),))


def test_shared_expressions_cost_linear_time_and_stay_shared():
    start = time.perf_counter()
    kernel, _ = parametrise(chain(5000))
    kernel = canonical(kernel)
    kernel_key(kernel)
    assert time.perf_counter() - start < 5
    value = kernel.body[0].body[0].value
    assert value.args[0] is value.args[1]
    assert sum(1 for _ in walk_exprs(value)) == 5002


def test_sharing_does_not_change_the_key():
    out = Buffer("out", F8, ())
    t = fresh_local(F8)

    def leaf():
        return op("exp", F8, const(2.0, F8))

    shared = leaf()
    del t
    keys = {
        kernel_key(Kernel("k", (), (out,), (), (Store(out, (), op("add", F8, a, b)),)))
        for a, b in ((shared, shared), (leaf(), leaf()))
    }
    assert len(keys) == 1


def test_numbers_are_equal_for_equal_structure_only():
    numbering = Numbering()
    one, two = const(1.0, F8), const(2.0, F8)
    assert numbering.number(op("add", F8, one, two)) == numbering.number(
        op("add", F8, const(1.0, F8), const(2.0, F8))
    )
    assert numbering.number(op("add", F8, one, two)) != numbering.number(op("add", F8, two, one))


@pytest.mark.parametrize("name", list(MAKERS))
def test_normal_form_is_both_steps(name: str) -> None:
    kernel = MAKERS[name]().kernel
    assert normal_form(kernel) == parametrise(canonical(kernel))
