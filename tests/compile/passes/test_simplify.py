"""Each pass does its work, and none changes what a program computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.passes.simplify import eliminate_common, fold, inline_calls, simplify
from fxla.core.jaxpr import Jaxpr, Literal
from fxla.core.staging import eval_jaxpr
from tests.compositions.programs import PROGRAMS


def jaxpr_of(f: Any, *args: Any) -> Jaxpr:
    closed = fxla.make_jaxpr(f)(*args)
    assert not closed.consts
    return closed.jaxpr


def names(jaxpr: Jaxpr) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


X = np.array([0.5, -1.5, 2.0])


def test_calls_are_inlined_at_any_depth() -> None:
    inner = fxla.jit(lambda x: (fnp.sin(x), x))
    f = fxla.jit(lambda x: fxla.checkpoint(lambda x: inner(x)[0] * inner(x)[1])(x))
    jaxpr = jaxpr_of(f, X)
    assert names(jaxpr) == ["jit"]
    flat = inline_calls(jaxpr)
    assert names(flat) == ["sin", "mul"] or names(flat) == ["sin", "sin", "mul"]
    np.testing.assert_array_equal(eval_jaxpr(flat, X)[0], np.sin(X) * X)
    assert inline_calls(flat) is flat


def test_one_program_called_twice_gets_variables_of_its_own() -> None:
    inner = fxla.jit(lambda x: x * 2.0)
    flat = inline_calls(jaxpr_of(lambda x: inner(inner(x)), X))
    bound = [v for e in flat.eqns for v in e.outputs]
    assert len(set(bound)) == len(bound) == 2
    np.testing.assert_array_equal(eval_jaxpr(flat, X)[0], 4 * X)


def test_constants_are_computed_now() -> None:
    def f(x: Any) -> Any:
        c = lax.add(lax.sin(np.float32(0.5)), np.float32(1.0))
        return x * c

    folded = fold(jaxpr_of(f, X.astype(np.float32)))
    assert "sin" not in names(folded)
    (literal,) = [a for e in folded.eqns for a in e.inputs if isinstance(a, Literal)]
    assert literal.value == np.float32(np.sin(np.float32(0.5)) + np.float32(1))
    with np.errstate(all="raise"):  # an infinity is a value, not an error of the compiler
        folded = fold(jaxpr_of(lambda x: x + lax.log(np.float64(0.0)), 1.0))
    assert eval_jaxpr(folded, 1.0) == (-np.inf,)


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda x: x * 1.0, False),
        (lambda x: 1.0 * x, False),
        (lambda x: x / 1.0, False),
        (lambda x: x - 0.0, False),
        (lambda x: x + 0.0, True),  # -0.0 + 0.0 is 0.0
        (lambda x: x - (-0.0), True),  # so is -0.0 - -0.0
        (lambda x: 0.0 - x, True),
        (lambda x: 1.0 / x, True),
        (lambda x: x * 0.0, True),  # NaN and infinities
        (lambda x: x * 2.0, True),
    ],
)
def test_what_changes_nothing_is_dropped(f: Any, kept: bool) -> None:
    jaxpr = jaxpr_of(f, X)
    folded = fold(jaxpr)
    assert bool(set(names(folded)) & {"mul", "div", "sub", "add"}) is kept
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5])
    wide = jaxpr_of(f, x)
    with np.errstate(all="ignore"):
        a, b = np.asarray(eval_jaxpr(fold(wide), x)[0]), np.asarray(f(x))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.signbit(a[:4]), np.signbit(b[:4]))


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda x: lax.select(lax.gt(np.float64(1.0), np.float64(0.0)), x, x + 1), False),
        (lambda x: lax.select(lax.gt(np.float64(0.0), np.float64(1.0)), x + 1, x), False),
        (lambda x: (x > 0) & True, False),
        (lambda x: False | (x > 0), False),
        (lambda x: (x > 0) & False, True),
        (lambda x: (x > 0) | True, True),
        (lambda x: fnp.where(x > 0, 1.0, 1.0) * x, False),
        (lambda x: fnp.where(x > 0, 0.0, -0.0) * x, True),
        (lambda x: fnp.where(x > 0, fnp.sin(x), fnp.sin(x)) * x, True),  # equal, as is known later
        (lambda x: x.astype(int) & 1, True),
    ],
)
def test_choices_that_are_known_are_made(f: Any, kept: bool) -> None:
    x = np.array([0.0, -0.0, 2.0, -1.5])
    folded = fold(inline_calls(jaxpr_of(f, x)))
    assert bool(set(names(folded)) & {"select", "and", "or"}) is kept
    a, b = np.asarray(eval_jaxpr(folded, x)[0]), np.asarray(f(x))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


def test_complex_products_with_one_stay() -> None:
    """(inf + 1i) (1 + 0i) has an imaginary part inf * 0."""
    x = np.array([np.inf + 1j, -0.0 - 0.0j])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(fxla.jit(lambda x: x * 1)(x), x * 1)


def test_transposes_meet() -> None:
    x = np.ones((2, 3, 4))
    assert names(simplify(jaxpr_of(lambda x: x.T.T, x))) == []
    composed = fold(jaxpr_of(lambda x: x.transpose(1, 2, 0).transpose(1, 2, 0), x))
    assert [e.params["perm"] for e in composed.eqns if e.primitive.name == "transpose"][-1] == (
        2, 0, 1,
    )  # fmt: skip
    small = simplify(jaxpr_of(lambda x: x.transpose(1, 2, 0).transpose(1, 2, 0), x))
    assert names(small) == ["transpose"]
    np.testing.assert_array_equal(eval_jaxpr(small, x)[0], x.transpose(1, 2, 0).transpose(1, 2, 0))


def test_equal_equations_are_computed_once() -> None:
    jaxpr = jaxpr_of(lambda x: fnp.sin(x) * fnp.exp(fnp.sin(x)) + fnp.exp(fnp.sin(x)), X)
    assert names(eliminate_common(jaxpr)) == ["sin", "exp", "mul", "add"]


def test_equations_that_differ_stay_apart() -> None:
    """In params, in the sign of a zero, in the type of a constant, in the order of operands."""

    def f(x: Any) -> Any:
        return (
            x.sum(0), x.sum(1), x + 0.0, x + -0.0, x - 1.0, 1.0 - x,
            x.astype(np.float32), x.astype(np.int32),
        )  # fmt: skip

    jaxpr = jaxpr_of(f, np.ones((2, 2)))
    assert len(eliminate_common(jaxpr).eqns) == len(jaxpr.eqns)


def test_recomputation_is_not_undone() -> None:
    f = fxla.checkpoint(lambda x: fnp.sin(fnp.sin(x)))
    small = simplify(jaxpr_of(fxla.grad(lambda x: f(x).sum()), X))
    assert names(small).count("sin") >= 1
    both = simplify(jaxpr_of(lambda x: fxla.value_and_grad(lambda x: f(x).sum())(x), X))
    assert names(both).count("sin") == 3  # two there, one again on the way back


def test_what_nobody_reads_is_dropped() -> None:
    small = simplify(jaxpr_of(lambda x, y: (fnp.sin(x), fnp.exp(y))[0], X, X))
    assert names(small) == ["sin"]
    assert len(small.invars) == 2


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_programs_keep_their_values(name: str) -> None:
    x = PROGRAMS[name].x
    closed = fxla.make_jaxpr(PROGRAMS[name].f)(x)
    a = eval_jaxpr(closed.jaxpr, *closed.consts, x)
    b = eval_jaxpr(simplify(closed.jaxpr), *closed.consts, x)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-14)
