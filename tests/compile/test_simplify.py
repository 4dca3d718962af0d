"""Each pass drops what its reason says, and leaves what the program computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla.compile.simplify import simplify
from fxla.core.check import check_jaxpr
from fxla.core.jaxpr import Jaxpr
from fxla.core.staging import eval_jaxpr


def simplified(f: Callable[..., Any], *args: Any) -> Jaxpr:
    """The program of `f` after all passes, checked, and giving what it gave before."""
    jaxpr = fxla.make_jaxpr(f)(*args).jaxpr
    small = simplify(jaxpr)
    check_jaxpr(small)
    for before, after in zip(eval_jaxpr(jaxpr, *args), eval_jaxpr(small, *args), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-15)
        np.testing.assert_array_equal(np.signbit(before), np.signbit(after))
    return small


def primitives(jaxpr: Jaxpr) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]


def test_calls_are_replaced_by_what_they_call() -> None:
    inner = fxla.jit(lambda x: fnp.sin(x) + 1.0)
    assert primitives(simplified(lambda x: inner(inner(x)), np.ones(3))) == ["sin", "add"] * 2


def test_what_leaves_its_operand_as_it_is_goes() -> None:
    small = simplified(lambda x: ((x * 1.0) / 1.0 - 0.0).T.T, np.ones((2, 3)))
    assert primitives(small) == []


def test_minus_negative_zero_is_kept() -> None:
    """-0.0 - (-0.0) is +0.0, so x - (-0.0) is not always x, bit for bit."""
    small = simplified(lambda x: x - (-0.0), np.array([-0.0, 1.0]))
    assert primitives(small) == ["sub"]


def test_a_repeated_scalar_times_one_is_still_repeated() -> None:
    def f(s: Any, v: Any) -> Any:
        return fnp.broadcast_to(s, (3,)) * fnp.ones(3) * fnp.sin(v) + v

    small = simplified(f, np.float64(2.0), np.arange(3.0))
    assert primitives(small).count("mul") == 1
    gradient = fxla.jit(fxla.grad(lambda s, v: fnp.sum(f(s, v))))(2.0, np.arange(3.0))
    np.testing.assert_allclose(gradient, np.sum(np.sin(np.arange(3.0))), rtol=1e-14)


def test_equal_equations_are_computed_once() -> None:
    small = simplified(lambda x: fnp.sin(x) * fnp.sin(x), np.ones(3))
    assert primitives(small) == ["sin", "mul"]


def test_what_no_output_needs_goes() -> None:
    def f(x: Any) -> Any:
        fnp.exp(x)
        return fnp.sin(x)

    assert primitives(simplified(f, np.ones(3))) == ["sin"]
