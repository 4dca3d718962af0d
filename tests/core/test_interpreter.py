"""What the interpreter confirms of its types, and what it does not."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from fxla.core import interpreter

TP_CALL, TP_CALL_SLOT, NB_ADD, NB_ADD_SLOT = 128, 50, 0, 7


class Called:
    """With two of the slots."""

    def __call__(self) -> str:
        return "called"

    def __add__(self, other: Any) -> str:
        return "added"


class Subtracted:
    """With the same ones from elsewhere."""

    def __call__(self) -> str:
        return "another"


def test_this_interpreter_is_usual() -> None:
    assert interpreter.unusual() == ""


def test_another_interpreter_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter.platform, "python_implementation", lambda: "PyPy")
    assert "CPython" in interpreter.unusual()


def test_a_build_without_the_lock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter.sys, "abiflags", "t", raising=False)
    assert "free-threaded" in interpreter.unusual()


def test_slots_are_where_the_interpreter_says() -> None:
    call = interpreter.slot(Called, TP_CALL, TP_CALL_SLOT)
    add = interpreter.slot(Called, NB_ADD, NB_ADD_SLOT, operator=True)
    assert call is not None and call.value == interpreter.get_slot(Called, TP_CALL_SLOT)
    assert add is not None and add.value == interpreter.get_slot(Called, NB_ADD_SLOT)
    assert interpreter.slot(Called, TP_CALL + 8, TP_CALL_SLOT) is None
    assert interpreter.slot(Called, NB_ADD + 8, NB_ADD_SLOT, operator=True) is None
    assert interpreter.slot(Subtracted, NB_ADD, NB_ADD_SLOT, operator=True) is None


def test_a_function_written_to_a_slot_is_called() -> None:
    @ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_void_p)
    def replaced(x: Any, args: Any, kwargs: Any) -> str:
        return "replaced"

    place = interpreter.slot(Called, TP_CALL, TP_CALL_SLOT)
    assert place is not None
    before = place.value
    place.value = ctypes.cast(replaced, ctypes.c_void_p).value or 0
    try:
        assert Called()() == "replaced"
    finally:
        place.value = before
    assert Called()() == "called"


def test_what_objects_hold_is_compared() -> None:
    class Plain(np.ndarray[Any, Any]):
        __slots__ = ()

    class Named(np.ndarray[Any, Any]):
        name: str

    class Wide(np.ndarray[Any, Any]):
        __slots__ = ("more",)

    assert interpreter.holds(Plain) == interpreter.holds(np.ndarray)
    assert len({interpreter.holds(c) for c in (Plain, Named, Wide)}) == 3
