"""Layouts are looked at, and a different one is noticed."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
import pytest

import fxla
from fxla.compile.calls import entry_probe
from fxla.compile.calls.entry_layout import ARRAY
from fxla.core.uncollected import uncollected


def test_this_interpreter_is_known() -> None:
    assert entry_probe.unexpected() == ""


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_a_moved_field_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARRAY, name, ARRAY[name] - 8)
    assert entry_probe.unexpected() == "an array is laid out differently"


def test_another_interpreter_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_probe, "unusual", lambda: "it is a snake")
    assert entry_probe.unexpected() == "it is a snake"


def test_slots_are_found() -> None:
    class Slotted:
        __slots__ = ("__dict__", "first", "second")

    x: Any = Slotted()
    held = object()
    x.second = held
    offset = entry_probe.slot_offset(x, held)
    assert offset is not None
    assert ctypes.c_void_p.from_address(id(x) + offset).value == id(held)
    x.first = held
    assert entry_probe.slot_offset(x, held) is None  # which of the two?
    assert entry_probe.slot_offset(Slotted(), held) is None


def test_functions_of_c_are_found() -> None:
    found = entry_probe.c_api("Py_IncRef", "Py_DecRef") | entry_probe.numpy_api()
    assert len(set(found.values())) == len(found) and all(found.values())
    x = object()
    before = sys.getrefcount(x)
    for name, change in (("Py_IncRef", 1), ("Py_DecRef", 0)):
        ctypes.PYFUNCTYPE(None, ctypes.py_object)(found[name])(x)
        assert sys.getrefcount(x) == before + change


def test_scalars_hold_their_value() -> None:
    for dtype in entry_probe.SCALARS:
        x = dtype.type(3)
        raw = ctypes.string_at(id(x) + 16, dtype.itemsize)
        assert np.frombuffer(raw, dtype)[0] == x


def test_an_array_may_become_one_of_a_subclass_that_adds_nothing() -> None:
    class Finalized(np.ndarray[Any, Any]):
        __slots__ = ()

        def __array_finalize__(self, x: Any) -> None:
            """Have NumPy call something."""

    class Followed(np.ndarray[Any, Any]):
        __slots__ = ()

    assert entry_probe.may_become(np.ndarray, fxla.Array)
    assert not entry_probe.may_become(np.ndarray, uncollected(Finalized))
    assert not entry_probe.may_become(np.ndarray, Followed)
    assert not entry_probe.may_become(fxla.Array, np.ndarray)
