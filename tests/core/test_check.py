from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr, checked, checks_enabled
from fxla.core.jaxpr import Eqn, Jaxpr, Var
from fxla.core.staging import trace_to_jaxpr
from fxla.errors import InternalError
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add, add_p
from fxla.ops.transcendental import sin, sin_p

VECTOR = Aval((3,), np.dtype("float64"))
MATRIX = Aval((2, 3), np.dtype("float64"))


def test_a_traced_program_is_well_typed() -> None:
    check_jaxpr(trace_to_jaxpr(lambda x, y: [add(sin(x), mul(x, y))], [VECTOR, VECTOR]).jaxpr)


def test_a_variable_from_nowhere() -> None:
    a, out, stranger = Var(VECTOR), Var(VECTOR), Var(VECTOR)
    broken = Jaxpr((a,), (Eqn(add_p, (a, stranger), {}, (out,)),), (out,))
    with pytest.raises(InternalError, match=r"used before it is bound"):
        check_jaxpr(broken)


def test_equations_in_the_wrong_order() -> None:
    jaxpr = trace_to_jaxpr(lambda x: [sin(sin(x))], [VECTOR]).jaxpr
    with pytest.raises(InternalError, match="used before it is bound"):
        check_jaxpr(Jaxpr(jaxpr.invars, jaxpr.eqns[::-1], jaxpr.outs))


def test_an_output_from_nowhere() -> None:
    a = Var(VECTOR)
    with pytest.raises(InternalError, match="used before it is bound"):
        check_jaxpr(Jaxpr((a,), (), (Var(VECTOR),)))


def test_a_variable_bound_twice() -> None:
    a, out = Var(VECTOR), Var(VECTOR)
    eqn = Eqn(sin_p, (a,), {}, (out,))
    with pytest.raises(InternalError, match="bound twice"):
        check_jaxpr(Jaxpr((a,), (eqn, eqn), (out,)))
    with pytest.raises(InternalError, match="bound twice"):
        check_jaxpr(Jaxpr((a, a), (), (a,)))


@pytest.mark.parametrize(
    "wrong", [MATRIX, Aval((3,), np.dtype("float32")), Aval((), np.dtype("float64"))]
)
def test_an_output_of_the_wrong_type(wrong: Aval) -> None:
    a, out = Var(VECTOR), Var(wrong)
    with pytest.raises(InternalError, match=r"sin gives \(f64\[3\]\) but is bound to"):
        check_jaxpr(Jaxpr((a,), (Eqn(sin_p, (a,), {}, (out,)),), (out,)))


def test_a_wrong_number_of_outputs() -> None:
    a = Var(VECTOR)
    with pytest.raises(InternalError, match="is bound to"):
        check_jaxpr(Jaxpr((a,), (Eqn(sin_p, (a,), {}, (Var(VECTOR), Var(VECTOR))),), (a,)))


def test_a_program_inside_a_param_is_checked() -> None:
    a, out = Var(VECTOR), Var(VECTOR)
    inner = Jaxpr((a,), (), (Var(VECTOR),))
    b = Var(VECTOR)
    outer = Jaxpr((b,), (Eqn(sin_p, (b,), {"body": inner}, (out,)),), (out,))
    with pytest.raises(InternalError, match="used before it is bound"):
        check_jaxpr(outer)


def test_the_message_shows_neighbours_stage_and_line(accepted: Any) -> None:
    jaxpr = trace_to_jaxpr(lambda x: [sin(mul(add(x, 1.0), 2.0))], [VECTOR]).jaxpr
    eqns = list(jaxpr.eqns)
    wrong = Var(MATRIX)
    eqns[1] = Eqn(eqns[1].primitive, eqns[1].inputs, {}, (wrong,), eqns[1].source)
    with pytest.raises(InternalError) as caught:
        check_jaxpr(Jaxpr(jaxpr.invars, tuple(eqns), jaxpr.outs), "vmap")
    message = str(caught.value)
    line = jaxpr.eqns[1].source
    assert line is not None
    assert f"(from test_check.py:{line.line})" in message
    accepted.check("check_message", message.replace(f".py:{line.line}", ".py:LINE"))


def test_checks_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Var(VECTOR)
    broken = Jaxpr((a,), (), (Var(VECTOR),))
    monkeypatch.setenv("FXLA_CHECK", "0")
    assert not checks_enabled()
    assert checked(broken, "nothing") is broken
    monkeypatch.setenv("FXLA_CHECK", "1")
    assert checks_enabled()
    with pytest.raises(InternalError, match="ill-typed jaxpr after nothing"):
        checked(broken, "nothing")
