from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.jaxpr import Eqn, Jaxpr, Literal, Var, format_jaxpr, sub_jaxprs
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import AxisFrame
from fxla.ops.arithmetic import mul
from fxla.ops.casts import convert
from fxla.ops.elementwise import add, add_p
from fxla.ops.structure import broadcast_in_dim, reduce_sum
from fxla.ops.transcendental import exp, sin
from fxla.transforms.jvp import jvp_jaxpr
from fxla.transforms.transpose import transpose_jaxpr
from fxla.transforms.vmap import vmap_jaxpr

F64, F32 = np.dtype("float64"), np.dtype("float32")
VECTOR = Aval((3,), F64)


def _program(x: Any, y: Any) -> list[Any]:
    return [add(sin(x), mul(y, 2.0)), reduce_sum(exp(x), (0,))]


def test_program(accepted: Any) -> None:
    accepted.check("jaxpr_program", str(trace_to_jaxpr(_program, [VECTOR, VECTOR])))


def test_consts_and_literals(accepted: Any) -> None:
    table = np.arange(3.0)
    closed = trace_to_jaxpr(lambda x: [add(mul(x, table), np.float64(0.5))], [VECTOR])
    assert len(closed.consts) == 1
    accepted.check("jaxpr_consts", str(closed))


def test_params(accepted: Any) -> None:
    closed = trace_to_jaxpr(lambda x: [convert(broadcast_in_dim(x, (2, 3), (1,)), F32)], [VECTOR])
    accepted.check("jaxpr_params", str(closed))


def test_derived_programs(accepted: Any) -> None:
    jaxpr = trace_to_jaxpr(lambda x: [mul(sin(x), x)], [VECTOR]).jaxpr
    forward, _ = jvp_jaxpr(jaxpr, [True])
    accepted.check("jaxpr_jvp", str(forward))
    batched, _ = vmap_jaxpr(jaxpr, AxisFrame(None, 4), [True])
    accepted.check("jaxpr_vmap", str(batched))
    linear = trace_to_jaxpr(lambda x, y: [mul(x, y)], [VECTOR, VECTOR]).jaxpr
    accepted.check("jaxpr_transpose", str(transpose_jaxpr(linear, [False, True])))


def test_nested_programs_are_indented(accepted: Any) -> None:
    inner = trace_to_jaxpr(lambda x: [sin(x)], [VECTOR]).jaxpr
    v, w = Var(VECTOR), Var(VECTOR)
    outer = Jaxpr((v,), (Eqn(add_p, (v,), {"length": 3, "body": inner}, (w,)),), (w,))
    assert [name for name, _ in sub_jaxprs(outer.eqns[0].params)] == ["body"]
    accepted.check("jaxpr_nested", format_jaxpr(outer))


def test_names_go_on_after_z() -> None:
    def chain(x: Any) -> list[Any]:
        for _ in range(30):
            x = sin(x)
        return [x]

    text = str(trace_to_jaxpr(chain, [VECTOR]))
    assert "z:f64[3]" in text
    assert "ba:f64[3]" in text
    assert "be:f64[3]" in text


def test_avals_of_a_closed_program_leave_out_the_consts() -> None:
    closed = trace_to_jaxpr(lambda x: [mul(x, np.arange(3.0))], [VECTOR])
    assert closed.in_avals == (VECTOR,)
    assert closed.out_avals == (VECTOR,)
    assert len(closed.jaxpr.in_avals) == 2


def test_an_identity_has_no_equations() -> None:
    closed = trace_to_jaxpr(lambda x: [x, x], [VECTOR])
    assert closed.eqns == ()
    assert str(closed) == "{ lambda ; a:f64[3] . let\n  in (a, a) }"


def test_programs_are_immutable_and_compared_by_identity() -> None:
    one = trace_to_jaxpr(lambda x: [x], [VECTOR]).jaxpr
    two = trace_to_jaxpr(lambda x: [x], [VECTOR]).jaxpr
    assert one != two
    with pytest.raises(AttributeError):
        one.outs = ()  # type: ignore[misc]


def test_literal_outputs() -> None:
    closed = trace_to_jaxpr(lambda x: [2.0], [VECTOR])
    (out,) = closed.jaxpr.outs
    assert isinstance(out, Literal)
    assert closed.out_avals[0].shape == ()
