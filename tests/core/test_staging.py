from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.jaxpr import Literal
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, axis_frame, current_trace, eval_trace, is_tracing, state
from fxla.errors import LeakedTracerError
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add
from fxla.ops.transcendental import sin

VECTOR = Aval((3,), np.dtype("float64"))
SCALAR = Aval((), np.dtype("float64"))


def test_replay_gives_the_same_numbers() -> None:
    x = np.array([0.1, 0.2, 0.3])
    closed = trace_to_jaxpr(lambda v: [add(sin(v), mul(v, v)), v], [VECTOR])
    out, same = eval_jaxpr(closed.jaxpr, *closed.consts, x)
    np.testing.assert_array_equal(out, np.sin(x) + x * x)
    np.testing.assert_array_equal(same, x)


def test_scalars_become_literals_and_arrays_consts() -> None:
    table = np.arange(3.0)
    closed = trace_to_jaxpr(lambda v: [add(mul(v, table), np.float64(2.0))], [VECTOR])
    assert closed.consts == (table,)
    literals = [a for e in closed.eqns for a in e.inputs if isinstance(a, Literal)]
    assert [float(a.value) for a in literals] == [2.0]


def test_an_array_captured_twice_is_one_const() -> None:
    table = np.arange(3.0)
    closed = trace_to_jaxpr(lambda v: [add(mul(v, table), table)], [VECTOR])
    assert len(closed.consts) == 1


def test_a_captured_scalar_array_is_not_frozen_when_it_is_a_view() -> None:
    storage = np.zeros(3)
    closed = trace_to_jaxpr(lambda v: [add(v, storage[1:2].reshape(()))], [SCALAR])
    assert len(closed.consts) == 1


def test_nothing_of_an_outer_trace_is_evaluated() -> None:
    inner_programs = []

    def outer(x: Any) -> list[Any]:
        closed = trace_to_jaxpr(lambda y: [add(x, y)], [VECTOR])
        inner_programs.append(closed)
        return list(eval_jaxpr(closed.jaxpr, *closed.consts, x))

    program = trace_to_jaxpr(outer, [VECTOR])
    assert [e.primitive.name for e in program.eqns] == ["add"]
    assert len(inner_programs[0].consts) == 1


def test_the_trace_ends_even_after_an_exception() -> None:
    def bad(x: Any) -> Any:
        assert is_tracing()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trace_to_jaxpr(bad, [VECTOR])
    assert current_trace() is eval_trace
    assert state.axes == ()


def test_axes_are_in_scope_inside_only() -> None:
    seen = []

    def f(x: Any) -> list[Any]:
        seen.append(axis_frame("i").size)
        return [x]

    trace_to_jaxpr(f, [VECTOR], axes=[AxisFrame("i", 5)])
    assert seen == [5]
    with pytest.raises(NameError, match="axis name 'i' is not bound"):
        axis_frame("i")


def test_a_tracer_that_outlives_its_trace_is_refused_by_the_next() -> None:
    kept: list[Any] = []
    trace_to_jaxpr(lambda x: kept.append(x) or [x], [VECTOR], "jit", "f")
    with pytest.raises(LeakedTracerError, match=r'f64\[3\] of jit of "f"'):
        trace_to_jaxpr(lambda y: [add(y, kept[0])], [VECTOR])
    with pytest.raises(LeakedTracerError):
        add(kept[0], np.ones(3))


def test_equations_remember_the_users_line() -> None:
    closed = trace_to_jaxpr(lambda x: [sin(x)], [VECTOR])
    source = closed.eqns[0].source
    assert source is not None
    assert source.file == "test_staging.py"
    assert "test_equations_remember_the_users_line" in source.function


def test_what_nobody_asks_for_is_not_computed() -> None:
    """A mask of 10**12 elements, captured by the derivative's traces."""
    n = 10**6
    x = fxla.ShapeDtypeStruct((n, 4), np.float32)

    def f(x: Any) -> Any:
        mask = fnp.arange(n)[:, None] >= fnp.arange(n)
        return fnp.sum(fnp.where(mask, x @ x.T, 0.0) ** 2)

    shapes = [v.aval.shape for e in fxla.make_jaxpr(fxla.grad(f))(x).eqns for v in e.outputs]
    assert (n, n) in shapes


def test_what_has_an_effect_is_not_evaluated_while_tracing() -> None:
    """Its result is computed from no argument, but computing it would have the effect once more."""
    seen: list[float] = []

    @fxla.jit
    def noisy(x: Any) -> Any:
        fxla.debug.callback(lambda v: seen.append(float(v)), x)
        return x + 1

    def f(x: Any) -> Any:
        y = noisy(fnp.zeros(3).sum())
        with pytest.raises(TypeError, match="not known while tracing"):
            bool(y > 0)
        return x + y

    program = fxla.make_jaxpr(f)(1.0)
    assert seen == []
    assert [e.primitive.name for e in program.eqns].count("jit") == 1
