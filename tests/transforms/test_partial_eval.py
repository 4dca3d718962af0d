from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.ops.arithmetic import mul
from fxla.ops.elementwise import add
from fxla.ops.transcendental import exp, sin
from fxla.transforms.partial_eval import partial_eval_flat, partial_eval_jaxpr

VECTOR = Aval((3,), np.dtype("float64"))
X, Y = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])


def program(x: Any, y: Any) -> list[Any]:
    return [sin(x), mul(exp(x), y), add(y, 1.0)]


def expected(x: Any, y: Any) -> list[Any]:
    return [np.sin(x), np.exp(x) * y, y + 1]


@pytest.mark.parametrize("unknown", [[True, False], [False, True], [True, True], [False, False]])
@pytest.mark.parametrize("force", [None, [True, False, False], [True, True, True]])
def test_the_halves_together_are_the_whole(unknown: list[bool], force: Any) -> None:
    jaxpr = trace_to_jaxpr(program, [VECTOR, VECTOR]).jaxpr
    split = partial_eval_jaxpr(jaxpr, unknown, force)
    check_jaxpr(split.known)
    check_jaxpr(split.unknown)
    args = [X, Y]
    known = eval_jaxpr(split.known, *[a for a, u in zip(args, unknown, strict=True) if not u])
    n = len(known) - split.n_residuals
    late = eval_jaxpr(
        split.unknown, *known[n:], *[a for a, u in zip(args, unknown, strict=True) if u]
    )
    first, second = iter(known[:n]), iter(late)
    outs = [next(second) if u else next(first) for u in split.out_unknown]
    for out, want in zip(outs, expected(X, Y), strict=True):
        np.testing.assert_array_equal(out, want)


def test_what_is_known_is_not_recorded() -> None:
    jaxpr = trace_to_jaxpr(program, [VECTOR, VECTOR]).jaxpr
    split = partial_eval_jaxpr(jaxpr, [False, True])
    assert split.out_unknown == (False, True, True)
    assert [e.primitive.name for e in split.unknown.eqns] == ["mul", "add"]
    assert {e.primitive.name for e in split.known.eqns} == {"sin", "exp"}
    assert split.n_residuals == 1


def test_known_values_are_evaluated_at_once() -> None:
    known, rest = partial_eval_flat(lambda x, y: program(x, y), [X, None], [VECTOR, VECTOR])
    np.testing.assert_array_equal(known[0], np.sin(X))
    assert known[1:] == [None, None]
    assert [e.primitive.name for e in rest.eqns] == ["mul", "add"]
    (residual,) = rest.consts
    np.testing.assert_array_equal(residual, np.exp(X))


def test_unused_residuals_are_dropped() -> None:
    def f(x: Any, y: Any) -> list[Any]:
        mul(exp(x), y)  # nobody uses it
        return [add(y, 1.0)]

    _, rest = partial_eval_flat(f, [X, None], [VECTOR, VECTOR])
    assert rest.consts == ()
    assert len(rest.eqns) == 1
