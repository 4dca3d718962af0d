"""Loops written out, and small arrays as locals."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxla.loops.check import check_kernel
from fxla.loops.ir import (
    Alloc,
    Assign,
    Buffer,
    For,
    Kernel,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    walk_stmts,
)
from fxla.loops.passes.unroll import declare, in_registers, unrolled, unrolled_size
from fxla.loops.view import binary, const, extent, fresh_index, int_const, op, select
from fxla.loops.view import compare as compared

f8 = np.dtype("f8")


def product_of_matrices(n: int) -> tuple[Stmt, ...]:
    """c = a b, for flat arrays of n x n; a and b are arguments, c is scratch, then stored."""
    i, j, k, m = (fresh_index() for _ in range(4))
    total = Local(f8, "total")

    def at(r: Any, c: Any) -> tuple[Any]:
        return (binary("add", binary("mul", r, extent(n)), c),)

    term = op("mul", f8, Load(f8, A, at(i, k)), Load(f8, B, at(k, j)))
    inner = (
        Let(total, const(0, f8), mutable=True),
        For(k, extent(n), (Assign(total, op("add", f8, total, term)),), "vector"),
        Store(C, at(i, j), total),
    )
    first = For(i, extent(n), (For(j, extent(n), inner),))
    return first, For(m, extent(n * n), (Store(OUT, (m,), Load(f8, C, (m,))),), "vector")


A, B, C, OUT = (Buffer(name, f8, (extent(9),)) for name in ("a", "b", "c", "out"))


def test_small_loops_are_written_out() -> None:
    stmts = unrolled(product_of_matrices(2))
    assert not any(isinstance(s, For) for s in walk_stmts(stmts))
    names = [s.local.name for s in walk_stmts(stmts) if isinstance(s, Let)]
    assert len(names) == len(set(names)) == 4
    assert unrolled_size(stmts) == 4 * (1 + 2 * 5 + 1) + 4 * 2


def test_large_loops_stay() -> None:
    i = fresh_index()
    loop = For(i, extent(1000), (Store(OUT, (i,), Load(f8, A, (i,))),), "vector")
    assert unrolled((loop,)) == (loop,)
    assert unrolled_size((loop,)) == unrolled_size(loop.body) + 1


def test_an_array_at_constant_places_is_locals() -> None:
    stmts = unrolled(product_of_matrices(2))
    stmts, made = in_registers(stmts, [Buffer("c", f8, (int_const(4),))])
    stmts = declare(stmts, made)
    assert len(made) == 4
    assert not any(isinstance(s, Store) and s.buffer.name == "c" for s in walk_stmts(stmts))
    check_kernel(Kernel("product", (A, B), (OUT,), (), stmts))


def test_an_array_at_a_computed_place_is_scratch() -> None:
    stmts, made = in_registers(product_of_matrices(3), [Buffer("c", f8, (int_const(9),))])
    assert made == []
    assert isinstance(stmts[0], Alloc)
    assert stmts[0].buffer.name == "c"


def test_what_is_out_of_an_array_is_never_read() -> None:
    i = fresh_index()
    inside = compared("lt", i, int_const(2))
    value = select(inside, Load(f8, C, (i,)), Load(f8, A, (i,)))
    loop = For(i, extent(3), (Store(C, (i,), Load(f8, A, (i,))), Store(OUT, (i,), value)))
    stmts, made = in_registers(unrolled((loop,)), [Buffer("c", f8, (int_const(3),))])
    kernel = Kernel("edge", (A,), (OUT,), (), declare(stmts, made))
    check_kernel(kernel)
    assert str(kernel).count("a[2]") == 2  # for the store into c, and for the arm that is taken


def test_a_local_of_one_loop_is_bound_in_it() -> None:
    i = fresh_index()
    x = Local(f8, "x")
    loop = For(i, extent(100), (Assign(x, Load(f8, A, (i,))), Store(OUT, (i,), x)))
    (found,) = declare((loop,), [x])
    assert isinstance(found, For)
    assert found.body[0] == Let(x, Load(f8, A, (i,)))


def test_a_local_that_is_carried_is_bound_before_the_loop() -> None:
    i = fresh_index()
    x = Local(f8, "x")
    start = Assign(x, Load(f8, A, (int_const(0),)))
    loop = For(i, extent(100), (Assign(x, op("mul", f8, x, x)),))
    found = declare((start, loop, Store(OUT, (int_const(0),), x)), [x])
    assert found[0] == Let(x, start.value, mutable=True)
    assert found[1] == loop
