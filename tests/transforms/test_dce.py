from __future__ import annotations

import numpy as np

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.ops.arithmetic import mul
from fxla.ops.transcendental import cos, exp, sin
from fxla.transforms.dce import dce_jaxpr

VECTOR = Aval((3,), np.dtype("float64"))
X, Y = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])


def _program() -> object:
    def f(x: object, y: object) -> list[object]:
        exp(x)  # nobody uses it
        return [mul(sin(x), 2.0), cos(y)]

    return trace_to_jaxpr(f, [VECTOR, VECTOR]).jaxpr


def _names(jaxpr: object) -> list[str]:
    return [e.primitive.name for e in jaxpr.eqns]  # type: ignore[attr-defined]


def test_unused_equations_go() -> None:
    jaxpr, used = dce_jaxpr(_program(), [True, True])  # type: ignore[arg-type]
    assert _names(jaxpr) == ["sin", "mul", "cos"]
    assert used == [True, True]
    check_jaxpr(jaxpr)


def test_unwanted_outputs_go_with_what_they_need() -> None:
    jaxpr, used = dce_jaxpr(_program(), [False, True])  # type: ignore[arg-type]
    assert _names(jaxpr) == ["cos"]
    assert used == [False, True]
    np.testing.assert_array_equal(eval_jaxpr(jaxpr, Y)[0], np.cos(Y))


def test_inputs_can_be_kept() -> None:
    jaxpr, used = dce_jaxpr(_program(), [False, True], [True, False])  # type: ignore[arg-type]
    assert used == [True, True]
    assert len(jaxpr.invars) == 2
    jaxpr, used = dce_jaxpr(_program(), [False, False], True)  # type: ignore[arg-type]
    assert (len(jaxpr.invars), jaxpr.eqns) == (2, ())


def test_literal_and_input_outputs() -> None:
    jaxpr = trace_to_jaxpr(lambda x, y: [y, 1.0], [VECTOR, VECTOR]).jaxpr
    smaller, used = dce_jaxpr(jaxpr, [True, True])
    assert used == [False, True]
    out, one = eval_jaxpr(smaller, Y)
    assert out is Y
    assert one == 1.0
