from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.check import check_jaxpr
from fxla.core.dtypes import float0
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.errors import DtypeError, ShapeError
from fxla.ops.arithmetic import floor, mul
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.logic import eq, lt, select
from fxla.ops.structure import reduce_sum
from fxla.ops.transcendental import exp, sin
from fxla.transforms.jvp import jvp, jvp_jaxpr
from tests.laws.differences import difference
from tests.laws.sample import assert_close

X = np.array([0.3, -1.2, 2.0])
T = np.array([1.0, 0.5, -2.0])
VECTOR = Aval((3,), np.dtype("float64"))


def test_trees_in_and_out() -> None:
    def f(params: Any, scale: Any) -> Any:
        return {"y": mul(sin(params["w"]), scale), "same": (params["b"],)}

    primals = ({"w": X, "b": T}, 3.0)
    tangents = ({"w": T, "b": X}, 2.0)
    value, tangent = jvp(f, primals, tangents)
    np.testing.assert_array_equal(value["y"], np.sin(X) * 3.0)
    np.testing.assert_allclose(tangent["y"], 3 * np.cos(X) * T + 2 * np.sin(X), rtol=1e-14)
    np.testing.assert_array_equal(tangent["same"][0], X)


def test_constant_results_have_zero_tangents() -> None:
    value, tangent = jvp(lambda x: (np.ones(2), 5.0), (X,), (T,))
    assert value[1] == 5.0
    np.testing.assert_array_equal(tangent[0], np.zeros(2))
    assert tangent[1] == 0.0


def test_step_functions_have_zero_tangents() -> None:
    _, tangent = jvp(floor, (X,), (T,))
    np.testing.assert_array_equal(tangent, np.zeros(3))


def test_integers_have_float0_tangents() -> None:
    _, tangent = jvp(lambda x: (lt(x, 0.0), convert(x, np.dtype("int32"))), (X,), (T,))
    assert [t.dtype for t in tangent] == [float0, float0]
    assert tangent[0].shape == (3,)


def test_integer_inputs_take_float0_tangents() -> None:
    n = np.arange(3)
    zero = np.zeros(3, float0)
    _, tangent = jvp(lambda n, x: mul(convert(n, np.dtype("float64")), x), (n, X), (zero, T))
    np.testing.assert_array_equal(tangent, n * T)


def test_a_python_branch_on_a_concrete_value() -> None:
    def f(x: Any) -> Any:
        return mul(x, x) if lt(x, 1.0) else sin(x)

    assert jvp(f, (0.5,), (1.0,)) == (0.25, 1.0)
    assert jvp(f, (2.0,), (1.0,))[1] == np.cos(2.0)


def test_aux_is_not_differentiated() -> None:
    value, tangent, aux = jvp(lambda x: (sin(x), {"seen": mul(x, 2.0), "n": 3}), (X,), (T,), True)
    np.testing.assert_array_equal(tangent, np.cos(X) * T)
    assert type(aux["seen"]).__name__ == "Array"
    np.testing.assert_array_equal(aux["seen"], 2 * X)
    assert aux["n"] == 3
    assert value.shape == (3,)


def test_perturbations_are_not_confused() -> None:
    """d/dx (x * d/dy (x + y)) is 1; a system that confuses the two says 2."""

    def outer(x: Any) -> Any:
        return mul(x, jvp(lambda y: add(x, y), (1.0,), (1.0,))[1])

    assert jvp(outer, (3.0,), (1.0,)) == (3.0, 1.0)


def test_perturbations_are_not_confused_through_a_closure_that_escapes() -> None:
    """Siskind and Pearlmutter's example: d/dx d/dy (x * y) through a returned function."""

    def first(x: Any) -> Any:
        def inner(y: Any) -> Any:
            return mul(x, mul(y, y))

        return jvp(inner, (x,), (1.0,))[1]  # 2 x^2

    assert jvp(first, (3.0,), (1.0,)) == (18.0, 12.0)


@pytest.mark.parametrize(
    "order, expected", [(1, np.cos), (2, lambda x: -np.sin(x)), (3, lambda x: -np.cos(x))]
)
def test_derivatives_of_derivatives(order: int, expected: Any) -> None:
    f: Any = sin
    for _ in range(order):
        f = lambda x, f=f: jvp(f, (x,), (np.ones(3),))[1]  # noqa: E731
    np.testing.assert_allclose(f(X), expected(X), rtol=1e-14)


def test_nan_in_the_branch_not_taken_does_not_spread() -> None:
    def f(x: Any) -> Any:
        return select(eq(x, 0.0), np.zeros(3), exp(mul(x, 1e3)))

    with np.errstate(all="ignore"):
        _, tangent = jvp(f, (np.array([0.0, -1.0, -2.0]),), (np.ones(3),))
    assert np.isfinite(tangent).all()


def test_of_a_program() -> None:
    jaxpr = trace_to_jaxpr(lambda x, y: [mul(sin(x), y), y], [VECTOR, VECTOR]).jaxpr
    derived, nonzero = jvp_jaxpr(jaxpr, [True, False])
    check_jaxpr(derived)
    assert nonzero == [True, False]
    out, same, tangent = eval_jaxpr(derived, X, T, T)
    np.testing.assert_array_equal(same, T)
    expected = difference(lambda x: (np.sin(x) * T,), (X,), (0,), (T,))
    assert_close(tangent, expected[0], 1e-10)
    np.testing.assert_array_equal(out, np.sin(X) * T)
    _, forced = jvp_jaxpr(jaxpr, [True, False], True)
    assert forced == [True, True]


def test_forced_tangents_are_zeros() -> None:
    jaxpr = trace_to_jaxpr(lambda x: [floor(x)], [VECTOR]).jaxpr
    derived, nonzero = jvp_jaxpr(jaxpr, [True], True)
    assert nonzero == [True]
    np.testing.assert_array_equal(eval_jaxpr(derived, X, T)[1], np.zeros(3))


@pytest.mark.parametrize(
    "tangents, error, match",
    [
        ((np.ones(2),), ShapeError, r"tangent f64\[2\] does not match f64\[3\]"),
        ((np.ones(3, np.float32),), DtypeError, r"f32\[3\] does not match f64\[3\]"),
        (([np.ones(3)],), TypeError, "differ in structure"),
        ((T, T), TypeError, "differ in structure"),
        (T, TypeError, "must be tuples or lists"),
    ],
)
def test_bad_tangents(tangents: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        jvp(sin, (X,), tangents)


def test_has_aux_needs_a_pair() -> None:
    with pytest.raises(TypeError, match="must return a pair"):
        jvp(sin, (X,), (T,), has_aux=True)


def test_what_is_not_an_array_is_named() -> None:
    with pytest.raises(TypeError, match=r"args\[0\]\['name'\] is a str"):
        jvp(lambda p: p["x"], ({"x": X, "name": "text"},), ({"x": T, "name": "text"},))
    with pytest.raises(TypeError, match=r"^jvp of <lambda>: args\[1\] is an object"):
        jvp(lambda x, y: x, (X, object()), (T, T))
    with pytest.raises(TypeError, match="returned a set"):
        jvp(lambda x: {1, 2}, (X,), (T,))


def test_gradient_of_a_sum_along_a_direction() -> None:
    _, tangent = jvp(lambda x: reduce_sum(mul(x, x), (0,)), (X,), (T,))
    np.testing.assert_allclose(tangent, np.sum(2 * X * T), rtol=1e-14)
