from __future__ import annotations

import sys

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.core.located import locate
from fxla.core.trace import axis_frame
from fxla.errors import ShapeError


def raised(f: object, *args: object) -> str:
    with pytest.raises((TypeError, ValueError, IndexError)) as info:
        fxla.jit(f)(*args)
    return str(info.value)


def test_what_a_primitive_refuses_names_the_users_line() -> None:
    def model(x: fxla.Array) -> fxla.Array:
        return lax.dynamic_slice(x, (0,), (5,))

    line = model.__code__.co_firstlineno + 1
    assert raised(model, np.ones(3)) == (
        "dynamic_slice: a slice of (5,) at 1 starts does not fit f64[3], "
        f'at test_located.py:{line}, in "model" traced by jit. It takes a start and a size for '
        "each axis, and no size may be larger than the axis."
    )


def test_the_innermost_function_is_named() -> None:
    def body(total: fxla.Array, _: None) -> tuple[fxla.Array, None]:
        return total + lax.dynamic_slice(total, (0,), (5,)), None

    def model(x: fxla.Array) -> object:
        return lax.scan(body, x, None, 3)

    line = body.__code__.co_firstlineno + 1
    message = raised(model, np.ones(3))
    assert f'f64[3], at test_located.py:{line}, in "body" traced by scan. It takes' in message
    assert message.count(", at ") == 1


def test_numpys_words_get_a_line_before_their_full_stop() -> None:
    message = raised(lambda x: fnp.histogram2d(x, x[:1]), np.ones(3))
    line = sys._getframe().f_lineno - 1
    assert message == (
        f"np.histogram2d: x and y must have the same length, at test_located.py:{line}, "
        'in "<lambda>" traced by jit'
    )


def test_the_line_comes_before_the_remedy() -> None:
    message = raised(lambda x: fnp.stack([x, x[:1]]), np.ones((2, 3)))
    assert "traced by jit. Pad, slice or reshape them to one shape" in message
    assert message.endswith("`np.concatenate`.")


def test_an_axis_error_shows_it_too() -> None:
    with pytest.raises(np.exceptions.AxisError, match=r"bounds.*, at test_located\.py:\d+, in"):
        fxla.jit(lambda x: fnp.rollaxis(x, 0, 9))(np.ones((2, 3)))


def test_errors_of_the_user_and_of_others_stay_as_they_are() -> None:
    def own(x: fxla.Array) -> fxla.Array:
        raise ValueError("my own words")

    def another(x: fxla.Array) -> fxla.Array:
        return x + int("twelve")

    assert raised(own, 1.0) == "my own words"
    assert raised(another, 1.0) == "invalid literal for int() with base 10: 'twelve'"


def test_what_a_primitive_refuses_names_the_line_in_eager_code_too() -> None:
    with pytest.raises(ValueError, match=r"^dynamic_slice: ") as info:
        lax.dynamic_slice(fnp.ones(3), (0,), (5,))
    line = sys._getframe().f_lineno - 1
    assert f"does not fit f64[3], at test_located.py:{line}. It takes a start" in str(info.value)


@pytest.mark.parametrize(
    ("message", "located"),
    [
        ("an ellipsis (`...`) is an index", "an ellipsis (`...`) is an index, AT"),
        ("linalg.Solver: no such name", "linalg.Solver: no such name, AT"),
        ("it is 2.5. Give 2", "it is 2.5, AT. Give 2"),
        ("it is so. Write `x`.", "it is so, AT. Write `x`."),
        ("it is so.", "it is so, AT"),
    ],
)
def test_the_line_ends_the_first_sentence(message: str, located: str) -> None:
    error = ShapeError(message)
    try:
        axis_frame(error)
    except NameError as raised:  # raised in the package, as what is located must be
        error.__traceback__ = raised.__traceback__
    locate(error)
    line = sys._getframe().f_lineno - 1
    found = str(error).replace(f", at test_located.py:{line - 3}", ", AT")
    assert found == located
