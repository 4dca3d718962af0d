"""Rules derived once: the same derivative as the primitives' own rules, by differences."""

from __future__ import annotations

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla.core.aval import Aval
from fxla.core.dtypes import float64
from fxla.core.jaxpr import Jaxpr
from fxla.core.trace import eval_trace
from fxla.ops.arithmetic import mul_p
from fxla.ops.transcendental import tanh_p
from fxla.transforms.linear_rules import known_rule, one_equation_program

VECTOR = Aval((3,), float64)


def traced(f: object) -> Jaxpr:
    """The program of a function of two vectors."""
    return fxla.make_jaxpr(f)(np.ones(3), np.ones(3)).jaxpr  # type: ignore[arg-type]


def test_a_rule_is_made_when_it_is_asked_for_again() -> None:
    program = traced(lambda x, y: x * fnp.sin(y))
    found = [known_rule(program, (0, 1)) for _ in range(6)]
    assert found[0] is None and found[-1] is not None and found[-1] is found[-2]
    assert known_rule(program, (1,), now=True) is not found[-1]


def test_known_and_linear_part() -> None:
    program = traced(lambda x, y: x * fnp.sin(y))
    rule = known_rule(program, (1,), now=True)
    assert rule is not None and rule.n_tangents == 1
    x, y, t = np.arange(3.0), np.array([0.1, 0.2, 0.3]), np.ones(3)
    found = eval_trace.run(rule.known, [x, y])
    residuals = [found[p] if p >= 0 else (x, y)[~p] for p in rule.residuals]
    (place, aval, tangent), *_ = rule.results
    np.testing.assert_allclose(found[place], x * np.sin(y))
    assert (aval, tangent) == (VECTOR, 0)
    (slope,) = eval_trace.run(rule.linear, [*residuals, t])
    np.testing.assert_allclose(slope, x * np.cos(y))
    pullback = rule.pullback((1, 0))
    (ct,) = eval_trace.run(pullback.program, [*residuals, np.full(3, 2.0)])
    np.testing.assert_allclose(ct, 2.0 * x * np.cos(y))
    assert pullback.results == ((0, 0, None),)


def test_an_input_that_is_kept_is_not_computed() -> None:
    """A product keeps its operands themselves."""
    rule = known_rule(traced(lambda x, y: x * y), (0, 1), now=True)
    assert rule is not None and set(rule.residuals) == {~0, ~1}
    assert len(rule.known.outs) == 1


def test_masks_pass_through_a_rule() -> None:
    rule = known_rule(traced(lambda x, y: fnp.where(y > 0, x, 0.0)), (0,), now=True)
    assert rule is not None
    ((k, ct, mask),) = rule.pullback((1, 0)).results
    assert (k, ct) == (0, 0) and mask is not None


def test_programs_of_one_equation() -> None:
    unseen = Aval((2, 1, 3, 1, 7), float64)  # other tests may have asked for programs of vectors
    asked = [one_equation_program(tanh_p, (unseen,), {}) for _ in range(6)]
    assert asked[0] is None and isinstance(asked[-1], Jaxpr)
    assert [e.primitive for e in asked[-1].eqns] == [tanh_p]
    assert one_equation_program(mul_p, (VECTOR, VECTOR), {"unhashable": []}) is None
    assert one_equation_program(mul_p, (VECTOR, VECTOR), {"rule": lambda: None}) is None
