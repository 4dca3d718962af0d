from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr
from fxla.core.primitive import Linear, Zero, is_zero
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.ops.arithmetic import mul, neg, sub
from fxla.ops.elementwise import add
from fxla.ops.structure import broadcast_in_dim, reduce_sum, reshape, transpose
from fxla.ops.transcendental import sin
from fxla.transforms.transpose import add_cotangents, backward, transpose_jaxpr

VECTOR = Aval((3,), np.dtype("float64"))
X, Y, C = (np.random.default_rng(k).standard_normal(3) for k in range(3))


def test_a_value_used_twice_gets_the_sum() -> None:
    jaxpr = trace_to_jaxpr(lambda x: [add(mul(x, 2.0), neg(x))], [VECTOR]).jaxpr
    (ct,) = backward(jaxpr, [Linear(VECTOR)], [C])
    np.testing.assert_array_equal(ct, C)


def test_known_operands_have_no_cotangent() -> None:
    jaxpr = trace_to_jaxpr(lambda x, y: [mul(sin(x), y)], [VECTOR, VECTOR]).jaxpr
    none, ct = backward(jaxpr, [X, Linear(VECTOR)], [C])
    assert none is None
    np.testing.assert_array_equal(ct, np.sin(X) * C)


def test_unused_operands_get_a_structural_zero() -> None:
    jaxpr = trace_to_jaxpr(lambda x, y: [neg(x)], [VECTOR, VECTOR]).jaxpr
    _, ct = backward(jaxpr, [Linear(VECTOR), Linear(VECTOR)], [C])
    assert is_zero(ct)
    assert ct.aval == VECTOR


def test_zero_cotangents_cost_nothing() -> None:
    jaxpr = trace_to_jaxpr(lambda x: [neg(x), mul(x, 3.0)], [VECTOR]).jaxpr
    (ct,) = backward(jaxpr, [Linear(VECTOR)], [Zero(VECTOR), C])
    np.testing.assert_array_equal(ct, 3 * C)
    (nothing,) = backward(jaxpr, [Linear(VECTOR)], [Zero(VECTOR), Zero(VECTOR)])
    assert is_zero(nothing)


def test_an_operand_that_is_also_a_result() -> None:
    jaxpr = trace_to_jaxpr(lambda x: [x, x, neg(x)], [VECTOR]).jaxpr
    (ct,) = backward(jaxpr, [Linear(VECTOR)], [C, C, C])
    np.testing.assert_array_equal(ct, C)


def test_the_inner_products_agree_over_a_program() -> None:
    def f(x: Any) -> list[Any]:
        wide = broadcast_in_dim(x, (2, 3), (1,))
        table = np.arange(6.0).reshape(2, 3)
        turned = transpose(mul(wide, table), (1, 0))
        return [reshape(turned, (6,)), reduce_sum(sub(turned, 0.0), (0, 1))]

    jaxpr = trace_to_jaxpr(f, [VECTOR])
    rng = np.random.default_rng(5)
    outs = eval_jaxpr(jaxpr.jaxpr, *jaxpr.consts, X)
    cts = [rng.standard_normal(np.shape(o)) for o in outs]
    found = backward(jaxpr.jaxpr, [*jaxpr.consts, Linear(VECTOR)], cts)
    left = sum(float(np.sum(c * o)) for c, o in zip(cts, outs, strict=True))
    np.testing.assert_allclose(np.sum(found[-1] * X), left, rtol=1e-13)


@pytest.mark.parametrize("nonzero", [None, [True, False], [False, True]])
def test_as_a_program(nonzero: Any) -> None:
    jaxpr = trace_to_jaxpr(lambda x, y: [mul(x, y), add(y, y)], [VECTOR, VECTOR]).jaxpr
    transposed = transpose_jaxpr(jaxpr, [False, True], nonzero)
    check_jaxpr(transposed)
    given = nonzero or [True, True]
    (ct,) = eval_jaxpr(transposed, X, *[C for g in given if g])
    np.testing.assert_allclose(ct, given[0] * X * C + given[1] * 2 * C, rtol=1e-14)


def test_add_cotangents() -> None:
    zero = Zero(VECTOR)
    assert add_cotangents(None, C) is C
    assert add_cotangents(C, None) is C
    assert add_cotangents(zero, C) is C
    assert add_cotangents(C, zero) is C
    np.testing.assert_array_equal(add_cotangents(C, C), 2 * C)
