from __future__ import annotations

import functools
import sys

import numpy as np

from fxla.core.source import Source, is_storing, user_source


def test_finds_the_callers_line() -> None:
    source = user_source()
    assert source is not None
    line = sys._getframe().f_lineno - 2
    assert (source.file, source.line) == ("test_source.py", line)
    assert str(source) == f"test_source.py:{line}"
    assert source.function == "test_finds_the_callers_line"


def test_lines_of_one_function_are_told_apart() -> None:
    first = user_source()
    second = user_source()
    assert first is not None
    assert second is not None
    assert second.line == first.line + 1
    assert first.code is second.code


def test_goes_through_functools() -> None:
    found = functools.partial(user_source)()
    assert found is not None
    assert found.file == "test_source.py"


def test_an_unknown_instruction_gives_the_first_line() -> None:
    def f() -> None: ...

    assert Source(f.__code__, 10_000).line == f.__code__.co_firstlineno


class Asked:
    """What arrays ask for a number; it notes whether the line that made them ask stores it."""

    stores = False

    def __float__(self) -> float:
        self.stores = is_storing(sys._getframe(1))
        return 1.0


def test_stores_are_told_from_conversions() -> None:
    array, number = np.zeros(2), Asked()
    array[0] = number
    assert number.stores
    float(number)
    assert not number.stores
    array.fill(number)
    assert number.stores
    array.fill(float(number))
    assert not number.stores
