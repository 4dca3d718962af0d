"""Operations on jaxprs that are remembered with them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np

from fxla.control.programs import (
    executable_of,
    forwarded,
    jvp_of,
    rearranged,
    remembered,
    vmap_of,
    with_unused_inputs,
)
from fxla.core.aval import Aval
from fxla.core.jaxpr import Jaxpr
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import AxisFrame, named_axis
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add
from fxla.ops.transcendental import sin

F64 = Aval((), np.dtype("float64"))


def program() -> Jaxpr:
    return trace_to_jaxpr(lambda x, y: [add(sin(x), y), y], [F64, F64]).jaxpr


def test_made_once_and_collected_with_the_program() -> None:
    """Also when what was made holds the program."""
    jaxpr = program()
    made: list[Any] = []

    def make(held: Jaxpr = jaxpr) -> Any:
        made.append(1)
        return [held]

    holder = weakref.ref(jaxpr)
    first = remembered(jaxpr, "key", make)
    assert remembered(jaxpr, "key", make) is first
    assert made == [1]
    assert executable_of(jaxpr) is executable_of(jaxpr)
    assert jvp_of(jaxpr, [True, False])[0] is jvp_of(jaxpr, [True, False])[0]
    assert jvp_of(jaxpr, [True, False])[0] is not jvp_of(jaxpr, [True, True])[0]
    del jaxpr, first, make
    gc.collect()
    assert holder() is None


def test_axes_in_scope_are_part_of_the_key() -> None:
    jaxpr = program()
    frame = AxisFrame("i", 3)
    plain = vmap_of(jaxpr, frame, [True, False])[0]
    with named_axis(AxisFrame("j", 2)):
        assert vmap_of(jaxpr, frame, [True, False])[0] is not plain
    assert vmap_of(jaxpr, AxisFrame("i", 4), [True, False])[0] is not plain
    assert vmap_of(jaxpr, frame, [True, False])[0] is plain


def test_rearranging() -> None:
    jaxpr = program()
    turned = rearranged(jaxpr, [1, 0], [1])
    assert eval_jaxpr(turned, 5.0, 0.0) == (5.0,)
    wider = with_unused_inputs(jaxpr, [1, None, 0], [F64, F64, F64])
    assert eval_jaxpr(wider, 5.0, 99.0, 0.0) == (5.0, 5.0)
    closed = trace_to_jaxpr(lambda x, y: [y, mul(x, y), x, 2.0], [F64, F64])
    assert forwarded(closed.jaxpr, closed.jaxpr.outs) == [1, None, 0, None]
