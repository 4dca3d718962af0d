"""Bad input gives NumPy's exception type and a message of five parts, as it was accepted.

The parts (style page, rule 7): the call, the operands, the user's line, the function and the
transformation, and what to write instead. After looking at a difference, accept it with --accept.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from fxla.errors import FxlaError
from tests.errors import bad_input
from tests.errors.bad_input import CASES


def caught(f: Callable[[], Any], error: Any) -> BaseException:
    with pytest.raises(error) as info:
        f()
    raised: BaseException = info.value
    # NumPy wraps what `float(x)` raises in its own error; ours is its cause
    cause = raised.__cause__
    return cause if isinstance(cause, FxlaError) and not isinstance(raised, FxlaError) else raised


def where(message: str) -> list[int]:
    return [int(n) for n in re.findall(r"at bad_input\.py:(\d+)", message)]


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, accepted: Any) -> None:
    f, error = CASES[name]
    raised = caught(f, error)
    message = str(raised)
    lines, first = inspect.getsourcelines(f)
    numbers = where(message)
    assert len(numbers) == 1, f"names no line of the user's: {message}"
    assert first <= numbers[0] < first + len(lines), "names a line of somebody else's"
    _, _, after = message.partition(f":{numbers[0]}")
    remedy = re.sub(r'^, in "\S+" traced by \w+', "", after)
    assert len(remedy.split()) >= 4, f"says no remedy: {message}"
    text = message.replace(f"bad_input.py:{numbers[0]}", "bad_input.py:LINE")
    text = re.sub(r"in line \d+", "in line LINE", text)
    source = lines[numbers[0] - first].strip()
    accepted.check(name, f"{type(raised).__name__} at `{source}`\n\n{text}")


def test_every_exception_is_fxlas_or_pythons_own() -> None:
    for f, error in CASES.values():
        raised = caught(f, error)
        assert isinstance(raised, (FxlaError, TypeError, ValueError, NameError))


def test_the_cases_are_those_of_the_file() -> None:
    functions = [
        name
        for name, value in vars(bad_input).items()
        if inspect.isfunction(value) and value.__module__ == bad_input.__name__ and name != "raises"
    ]
    assert functions == list(CASES)
