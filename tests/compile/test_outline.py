"""Programs without their numbers, and with others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.outline import outline, with_numbers
from fxla.core.jaxpr import Eqn, Jaxpr


def rows(x: Any) -> Any:
    """Reshapes, reductions, a loop whose body has sizes, and scalars that follow from sizes."""

    def step(carry: Any, row: Any) -> Any:
        return carry * 0.9 + row.reshape(2, -1).sum(0), carry.mean()

    return fxla.lax.scan(step, fnp.zeros(x.shape[1] // 2), x * 100)


def program(n: int, m: int) -> Jaxpr:
    return fxla.make_jaxpr(rows)(np.ones((n, m))).jaxpr


def outputs_of(x: Jaxpr | Eqn) -> Any:
    return x.outs if isinstance(x, Jaxpr) else x.outputs


def test_programs_that_differ_in_sizes_have_one_outline() -> None:
    one, other = outline(program(3, 40)), outline(program(5, 60))
    assert one is not None
    assert other is not None
    assert one.text == other.text
    assert one.numbers != other.numbers
    assert len(one.numbers) == len(other.numbers)
    hundred = ("float64", np.float64(100).tobytes())
    assert hundred in one.scalars
    assert one.scalars != other.scalars  # means of 20 and of 30


def test_numbers_of_one_program_make_it_of_another() -> None:
    wanted = program(5, 60)
    parts = outline(wanted)
    assert parts is not None
    made = with_numbers(program(3, 40), parts.numbers)
    again = outline(made)
    assert again is not None
    assert (again.text, again.numbers) == (parts.text, parts.numbers)
    for x, y in zip((made, *made.eqns), (wanted, *wanted.eqns), strict=True):
        assert [a.aval for a in outputs_of(x)] == [a.aval for a in outputs_of(y)]


@pytest.mark.parametrize(
    "other",
    [lambda x: x * 2.0, lambda x: x + 1.0, lambda x: x[:, ::-1] * 1.0, lambda x: x * np.float32(2)],
)
def test_other_programs_have_other_outlines(other: Any) -> None:
    one = outline(fxla.make_jaxpr(lambda x: x * 1.0)(np.ones((3, 4))).jaxpr)
    two = outline(fxla.make_jaxpr(other)(np.ones((3, 4))).jaxpr)
    assert one is not None
    assert two is not None
    assert one.text != two.text


@pytest.mark.parametrize("value", [object(), np.ones(3), {"a": 1}, print])
def test_a_program_that_is_known_by_identity_has_none(value: Any) -> None:
    jaxpr = fxla.make_jaxpr(fnp.sin)(np.ones(3)).jaxpr
    (eqn,) = jaxpr.eqns
    strange = Eqn(eqn.primitive, eqn.inputs, {"value": value}, eqn.outputs)
    assert outline(Jaxpr(jaxpr.invars, (eqn,), jaxpr.outs)) is not None
    assert outline(Jaxpr(jaxpr.invars, (strange,), jaxpr.outs)) is None
