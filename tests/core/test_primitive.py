from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.primitive import Linear, Primitive, Zero, is_linear, is_zero, not_linear, registered
from fxla.errors import InternalError
from fxla.ops.elementwise import add_p
from fxla.ops.transcendental import sin_p


class WithoutLower(Primitive):
    """Has every rule but `lower`."""

    name = "test_without_lower"

    def abstract_eval(self, *avals: Any, **params: Any) -> Any: ...
    def impl(self, *args: Any, **params: Any) -> Any: ...
    def jvp(self, primals: Any, tangents: Any, **params: Any) -> Any: ...
    def batch(self, axis: Any, operands: Any, axes: Any, **params: Any) -> Any: ...

    transpose = not_linear


def test_a_missing_rule_fails_at_once() -> None:
    with pytest.raises(TypeError, match="lower"):
        WithoutLower()  # type: ignore[abstract]
    assert "test_without_lower" not in registered


def test_names_are_unique() -> None:
    class SecondSine(WithoutLower):
        name = "sin"

        def lower(self, *views: Any, **params: Any) -> Any: ...

    with pytest.raises(InternalError, match="two primitives are named 'sin'"):
        SecondSine()
    assert registered["sin"] is sin_p


def test_a_rule_that_is_stated_not_to_exist_says_so() -> None:
    class Nonlinear(WithoutLower):
        name = "test_nonlinear"

        def lower(self, *views: Any, **params: Any) -> Any: ...

    try:
        with pytest.raises(InternalError, match="test_nonlinear is not linear"):
            Nonlinear().transpose((1.0,), Linear(Aval((), np.dtype("float64"))))
    finally:
        registered.pop("test_nonlinear")


def test_bind_evaluates_when_nothing_traces() -> None:
    (out,) = add_p.bind(np.arange(3.0), np.ones(3))
    assert out.tolist() == [1.0, 2.0, 3.0]
    assert repr(add_p) == "add"


def test_marks() -> None:
    aval = Aval((2,), np.dtype("float32"))
    assert is_zero(Zero(aval))
    assert not is_zero(Linear(aval))
    linear = Linear(aval)
    assert is_linear(linear)
    assert (linear.shape, linear.dtype, linear.ndim) == ((2,), np.dtype("float32"), 1)
