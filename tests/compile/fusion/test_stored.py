"""The storage plan: each of its four rules decides something, and says why."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program

X = np.random.default_rng(0).standard_normal((60, 50))


def plan(f: Any, *args: Any) -> list[str]:
    closed = fxla.make_jaxpr(f)(*args)
    got = fxla.jit(f)(*args)
    for a, b in zip(fxla.tree.leaves(got), fxla.tree.leaves(f(*args)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    return build_program(closed.jaxpr).notes


def stored(notes: list[str], primitive: str) -> list[str]:
    return [n for n in notes if n.startswith(f"{primitive} ") and is_stored(n)]


def is_stored(note: str) -> bool:
    return ": stored, " in note or ": kept in its kernel, " in note


def test_a_chain_is_fused_into_its_result(accepted: Any) -> None:
    notes = plan(lambda x: fnp.sin(fnp.exp(x) + 1) * 2, X)
    assert sum(is_stored(n) for n in notes) == 1
    accepted.check("plan_chain", "\n".join(notes))


def test_rule_1_what_is_not_a_pull_array_is_stored() -> None:
    notes = plan(lambda x: fnp.cumsum(x.sum(1)) + 1, X)
    assert stored(notes, "reduce_sum") == [
        "reduce_sum f64[60] (work 0, 1 reader): stored, is the result of a reduce"
    ]
    assert "is the result of a nest" in stored(notes, "cumsum")[0]
    notes = plan(lambda x: fnp.sort(fnp.sin(x)), X)
    assert stored(notes, "sin") == [
        "sin f64[60,50] (work 16, 1 reader): stored, is an operand of sort"
    ]
    notes = plan(lambda x: lax.scan(lambda c, y: (c + y, None), fnp.sin(x[0]), fnp.cos(x))[0], X)
    assert "is an operand of scan" in stored(notes, "cos")[0]
    assert "is a result of the program" in plan(fnp.sin, X)[0]


def test_rule_2_what_is_dear_and_read_often_is_stored() -> None:
    """sin of a row that 60 rows read; a sum that 5 rows read is computed again."""
    dear = plan(lambda x, y: fnp.sin(fnp.exp(y)) + x, X, X[0])
    assert any("cheaper to store than to compute" in n for n in dear)
    cheap = plan(lambda x, y: (y + 1) + x, X[:5], X[0])
    assert sum(is_stored(n) for n in cheap) == 1
    once = plan(lambda x: fnp.sin(fnp.exp(x)) + x, X)
    assert sum(is_stored(n) for n in once) == 1


def test_rule_2_in_a_product_written_as_loops() -> None:
    """Each element of an operand is read by every column: sin is not computed 9 times."""
    notes = plan(lambda a, b: fnp.sin(a) @ b, X[:9, :9], X[:9, :9])
    assert any(n.startswith("sin") and is_stored(n) for n in notes)


def test_rule_2_in_what_a_scatter_takes_one_by_one() -> None:
    """Numbers that are added one after the other are computed before, in vectors."""
    where = np.random.default_rng(1).integers(0, 9, 3000)
    dear = plan(lambda x, i: fnp.zeros(9).at[i].add(fnp.sin(x)), X.ravel(), where)
    assert any("cheaper to store than to compute" in n for n in dear if n.startswith("sin"))
    cheap = plan(lambda x, i: fnp.zeros(9).at[i].add(-x), X.ravel(), where)
    assert not any(is_stored(n) for n in cheap if n.startswith("neg"))
    rows = plan(lambda x, i: fnp.zeros((9, 50)).at[i].add(fnp.sin(x)), X, where[:60])
    assert not any(is_stored(n) for n in rows if n.startswith("sin"))


def test_rule_3_expressions_are_bounded() -> None:
    def deep(x: Any) -> Any:
        for _ in range(60):
            x = (fnp.sin(x) + fnp.roll(x, 1)) * 0.5
        return x

    notes = plan(deep, X[0])
    assert sum(is_stored(n) for n in notes) > 1

    def doubling(x: Any) -> Any:
        for _ in range(40):  # unfolded, 2^40 operations
            x = x[::-1] * x
        return x

    assert sum(is_stored(n) for n in plan(doubling, np.ones(30))) > 1


def test_a_long_program_computes_nothing_in_several_kernels() -> None:
    """Its gradient reads every sine's argument again, from the last to the first."""

    def pendulum(x: Any) -> Any:
        y = x
        for _ in range(100):
            x, y = 0.9 * y + 0.1 * fnp.sin(x), 0.9 * x - 0.1 * y
        return (x * y).sum()

    x = X[0]
    source = fxla.jit(fxla.grad(pendulum)).inspect(x).source
    assert source.count("def ") > 2
    assert source.count("sin(") == 100
    assert source.count("cos(") == 100
    numerically = (pendulum(x + 1e-6) - pendulum(x - 1e-6)) / 2e-6
    found = fxla.jit(fxla.grad(pendulum))(x).sum()
    np.testing.assert_allclose(found, numerically, rtol=1e-6)


def test_rule_4_within_a_kernel_nothing_is_computed_twice() -> None:
    notes = plan(lambda x: (fnp.exp(x) * 2, fnp.exp(x) + x), X)
    assert not stored(notes, "exp")


def test_every_value_has_its_line() -> None:
    """The plan is complete: no equation goes unmentioned."""
    f = lambda x: (fnp.sin(x).sum(0) * 2, fnp.cos(x))  # noqa: E731
    notes = plan(f, X)
    names = {n.split()[0] for n in notes}
    assert {"sin", "reduce_sum", "mul", "cos"} <= names
    assert all(is_stored(n) or ": fused into its readers" in n for n in notes)


def test_what_waits_in_a_kernel_is_told_from_what_has_memory() -> None:
    def softmax(x: Any) -> Any:
        e = fnp.exp(x)
        return e / e.sum(1, keepdims=True)

    notes = plan(softmax, X)
    assert notes[0] == (
        "exp f64[60,50] (work 12, 2 readers): kept in its kernel, "
        "is cheaper to keep than to compute 2.0 times"
    )
    assert "stored, is a result" in stored(notes, "div")[0]
