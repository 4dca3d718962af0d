"""Walking and printing loop nests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.loops.extents import canonical
from fxla.loops.ir import (
    Assign,
    For,
    If,
    Let,
    Load,
    Stmt,
    Store,
    While,
    children,
    format_expr,
    walk_exprs,
    walk_stmts,
)  # fmt: skip
from fxla.loops.view import binary, compare, const, extent, fresh_index, int_const, op, select
from tests.loops import nests
from tests.loops.nests import MAKERS
from tests.loops.passes.test_collapse import F8, buffer


def test_walking_sees_every_expression_once() -> None:
    i = fresh_index()
    x = Load(F8, buffer("x", 9), (i,))
    shared = op("mul", F8, x, x)
    e = select(compare("lt", i, int_const(3)), op("add", F8, shared, shared), const(0.0, F8))
    seen = list(walk_exprs(e))
    assert len(seen) == len({id(n) for n in seen})
    assert sum(n is shared for n in seen) == 1
    assert children(e) == (e.condition, e.then, e.otherwise)  # type: ignore[attr-defined]
    assert children(i) == ()


def test_an_expression_shared_a_thousand_times_is_walked_in_no_time() -> None:
    e: Any = const(1.0, F8)
    for _ in range(1000):
        e = op("add", F8, e, e)
    assert sum(1 for _ in walk_exprs(e)) == 1001


def test_walking_goes_into_every_block() -> None:
    t = const(True, np.dtype(bool))
    out = buffer("out", 3)
    leaves = [Store(out, (int_const(k),), const(float(k), F8)) for k in range(5)]
    body: tuple[Stmt, ...] = (
        For(fresh_index(), extent(3), (leaves[0],)),
        While(t, (leaves[1],)),
        If(t, (leaves[2],), (leaves[3],)),
        leaves[4],
    )
    assert [s for s in walk_stmts(body) if isinstance(s, Store)] == leaves


def test_expressions_as_text() -> None:
    i = fresh_index("i")
    e = binary("add", binary("mul", i, extent(20)), int_const(1))
    assert format_expr(e) == f"(({i.name} * 20) + 1)"
    assert format_expr(op("maximum", F8, const(1.5, F8), const(2.0, F8))) == "maximum(1.5, 2.0)"
    with pytest.raises(TypeError, match="not an expression"):
        format_expr("x")  # type: ignore[arg-type]


def test_kernels_as_text(accepted: Any) -> None:
    """Every kind of statement, as a person reads it."""
    made = {name: make() for name, make in MAKERS.items()}
    shown = [nests.collatz(100), nests.scratch_rows(20), nests.row_softmax(20, 30)]
    accepted.check("ir_kernels", "\n\n".join(str(canonical(n.kernel)) for n in shown))
    kinds = {type(s) for n in made.values() for s in walk_stmts(n.kernel.body)}
    assert {For, Let, Assign, If, While, Store} <= kinds
