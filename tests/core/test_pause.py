"""Scopes in which the interpreter does less on the side."""

from __future__ import annotations

import gc
import sys

import pytest

import fxla
from fxla.core.pause import TURN, no_collection, quick_turns


def test_nested_scopes_end_together() -> None:
    assert gc.isenabled()
    with no_collection():
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_switches_it_on_again() -> None:
    with pytest.raises(KeyError), no_collection():
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_lasts_is_not_walked_by_the_next_collection() -> None:
    gc.collect()
    with no_collection(lasting=True):
        made = [[i] for i in range(3000)]
        assert gc.get_count()[0] > 2000
    assert gc.get_count()[0] < 2000
    assert gc.get_freeze_count() == 0
    assert any(x is made[0] for x in gc.get_objects(generation=2))


def test_tracing_and_compiling_leave_it_on() -> None:
    seen: list[bool] = []
    fxla.jit(lambda x: seen.append(gc.isenabled()) or x + 1)(1.0)
    assert seen == [False]
    assert gc.isenabled()


def test_scopes_of_quick_turns_end_together() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), quick_turns():
        with quick_turns():
            assert sys.getswitchinterval() == pytest.approx(TURN)
        assert sys.getswitchinterval() == pytest.approx(TURN)
        raise KeyError
    assert sys.getswitchinterval() == before


def test_turns_that_are_quicker_stay_so() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN / 5)
    quicker = sys.getswitchinterval()
    try:
        with quick_turns():
            assert sys.getswitchinterval() == quicker
        assert sys.getswitchinterval() == quicker
    finally:
        sys.setswitchinterval(before)


def test_other_turns_are_what_they_were() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0071)
    longer = sys.getswitchinterval()
    try:
        with quick_turns():
            assert sys.getswitchinterval() < longer
        assert sys.getswitchinterval() == longer
    finally:
        sys.setswitchinterval(before)
