from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import AxisFrame, axis_frame, current_trace, eval_trace, named_axis, typeof
from fxla.errors import (
    ConcretizationError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)
from fxla.ops.elementwise import add
from fxla.ops.transcendental import sin
from fxla.transforms.jvp import jvp

SCALAR = Aval((), np.dtype("float64"))
VECTOR = Aval((3,), np.dtype("float64"))


@pytest.mark.parametrize(
    "x, text, weak",
    [
        (3.0, "f64[]", True),
        (3, "i64[]", True),
        (True, "bool[]", False),
        (2j, "c128[]", True),
        (np.float32(1), "f32[]", False),
        (np.float64(1), "f64[]", False),
        (np.zeros((2, 0), np.int8), "i8[2,0]", False),
    ],
)
def test_typeof(x: Any, text: str, weak: bool) -> None:
    assert str(typeof(x)) == text
    assert typeof(x).weak_type == weak


def test_typeof_of_something_else_names_it() -> None:
    with pytest.raises(TypeError, match=r"got str"):
        typeof("text")


def tracing(f: Any, aval: Aval = SCALAR) -> None:
    trace_to_jaxpr(lambda x: [f(x)], [aval])


@pytest.mark.parametrize(
    "use, error",
    [
        (bool, TracerBoolConversionError),
        (lambda x: 1 if x else 2, TracerBoolConversionError),
        (lambda x: not x, TracerBoolConversionError),
        (int, TracerIntegerConversionError),
        (float, TracerIntegerConversionError),
        (complex, TracerIntegerConversionError),
        (range, TracerIntegerConversionError),
        (lambda x: [1, 2, 3][x], TracerIntegerConversionError),
        (np.asarray, TracerArrayConversionError),
    ],
)
def test_what_needs_a_concrete_value_is_refused_under_staging(use: Any, error: Any) -> None:
    with pytest.raises(error):
        tracing(use)


def test_concrete_values_are_there_under_forward_mode() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.extend([bool(x), int(x), float(x), complex(x)])
        return sin(x)

    jvp(f, (2.5,), (1.0,))
    assert seen == [True, 2, 2.5, 2.5 + 0j]


def test_asarray_is_refused_even_where_the_value_is_known() -> None:
    with pytest.raises(TracerArrayConversionError, match="stay traced for the derivative"):
        jvp(lambda x: x.__array__(), (2.5,), (1.0,))


ZEROS = np.zeros(3)


def store(x: Any) -> Any:
    a = ZEROS.copy()
    a[0] = x
    return a[0]


def test_a_number_stored_in_a_numpy_array_is_refused() -> None:
    """NumPy takes ``float(x)`` for ``a[0] = x``, which would lose the derivative silently."""
    with pytest.raises(ValueError, match="setting an array element") as staged:
        tracing(store)
    assert isinstance(staged.value.__cause__, ConcretizationError)
    with pytest.raises(ValueError, match="setting an array element") as forward:
        jvp(store, (2.5,), (1.0,))
    assert "`a = np.array(a)`" in str(forward.value.__cause__)


def test_a_number_may_be_stored_elsewhere() -> None:
    def f(x: Any) -> Any:
        held: list[Any] = [0.0]
        held[0] = x
        table = {"f": float(x)}
        table["x"] = x
        np.zeros(3)[int(x)] = float(x)
        return add(held[0], table["x"])

    out, tangent = jvp(f, (2.5,), (1.0,))
    assert (float(out), float(tangent)) == (5.0, 2.0)


def test_attributes_are_those_of_an_array() -> None:
    def f(x: Any) -> Any:
        assert (x.shape, x.ndim, x.size, len(x)) == ((3,), 1, 3, 3)
        assert (x.dtype, x.itemsize, x.nbytes) == (np.dtype("float64"), 8, 24)
        assert repr(x) == "Tracer<f64[3]>"
        assert f"{x}" == "Tracer<f64[3]>"
        assert hash(x) == hash(x)
        return x

    tracing(f, VECTOR)


def test_scalars_have_no_length_and_cannot_be_iterated() -> None:
    with pytest.raises(TypeError, match=r"len\(\) of unsized object"):
        tracing(len)
    with pytest.raises(TypeError, match="iteration over a 0-d array"):
        tracing(list)


def test_axis_names_nest_and_the_innermost_wins() -> None:
    with named_axis(AxisFrame("i", 2)), named_axis(AxisFrame("j", 3)):
        assert axis_frame("i").size == 2
        with named_axis(AxisFrame("i", 5)):
            assert axis_frame("i").size == 5
        assert axis_frame("i").size == 2
        with pytest.raises(NameError, match=r"Names in scope: 'i', 'j'"):
            axis_frame("k")


def test_traces_belong_to_a_thread() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: seen.append(current_trace()))
        thread.start()
        thread.join()
        return add(x, 1.0)

    tracing(f)
    assert seen == [eval_trace]


def test_a_number_that_fills_a_numpy_array_is_refused() -> None:
    """``a.fill(x)`` asks for ``float(x)`` too; ``a.fill(float(x))`` says that it is meant."""

    def fill(x: Any) -> Any:
        a = ZEROS.copy()
        a.fill(x)
        return a[0]

    def fill_with_number(x: Any) -> Any:
        a = ZEROS.copy()
        a.fill(float(x))
        return add(x, float(a[0]))

    with pytest.raises(ValueError, match="setting an array element") as refused:
        jvp(fill, (2.5,), (1.0,))
    assert "`a = np.array(a)`" in str(refused.value.__cause__)
    out, tangent = jvp(fill_with_number, (2.5,), (1.0,))
    assert (float(out), float(tangent)) == (5.0, 1.0)
