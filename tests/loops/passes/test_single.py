"""Loops of one iteration leave, and what was asked of them is asked of others."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.loops.check import check_kernel
from fxla.loops.ir import AxisKind, Buffer, For, If, Kernel, Load, Stmt, Store, walk_stmts
from fxla.loops.passes.single import without_single_loops
from fxla.loops.view import compare, extent, fresh_index, int_const

F8 = np.dtype(np.float64)


def copy(sizes: tuple[int, ...], kinds: tuple[AxisKind, ...]) -> Kernel:
    x, out = (Buffer(n, F8, tuple(map(extent, sizes))) for n in ("x", "out"))
    index = tuple(fresh_index() for _ in sizes)
    body: tuple[Stmt, ...] = (Store(out, index, Load(F8, x, index)),)
    for i, n, kind in reversed(list(zip(index, sizes, kinds, strict=True))):
        body = (For(i, extent(n), body, kind),)
    return Kernel("copy", (x,), (out,), (), body)


@pytest.mark.parametrize(
    ("sizes", "kinds", "left"),
    [
        ((20, 1), ("serial", "vector"), ["vector"]),
        ((20, 1), ("parallel", "vector"), ["parallel"]),
        ((1, 20, 30), ("parallel", "serial", "vector"), ["parallel", "vector"]),
        ((1, 1), ("parallel", "vector"), []),
        ((3, 1, 30), ("parallel", "serial", "vector"), ["parallel", "vector"]),
        ((3, 4), ("parallel", "vector"), ["parallel", "vector"]),
    ],
)
def test_kinds_move(sizes: tuple[int, ...], kinds: tuple[AxisKind, ...], left: list[str]) -> None:
    kernel = without_single_loops(copy(sizes, kinds))
    check_kernel(kernel, "")
    assert [s.kind for s in walk_stmts(kernel.body) if isinstance(s, For)] == left


def test_inside_a_condition() -> None:
    inner = copy((1,), ("serial",))
    branch = If(compare("lt", int_const(0), int_const(1)), inner.body)
    kernel = without_single_loops(Kernel("copy", inner.inputs, inner.outputs, (), (branch,)))
    assert not any(isinstance(s, For) for s in walk_stmts(kernel.body))
