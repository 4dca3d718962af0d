"""Modules imported when they are first used."""

from __future__ import annotations

import sys

import pytest

from fxla.core.deferred import deferred, deferred_name


def test_a_deferred_module_is_imported_by_its_first_attribute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    colours = deferred("colorsys")
    assert "colorsys" not in sys.modules
    assert colours.hsv_to_rgb(0.0, 1.0, 1.0) == (1.0, 0.0, 0.0)
    assert "colorsys" in sys.modules
    with pytest.raises(AttributeError, match="colorsys"):
        _ = colours.nothing


def test_a_deferred_name_is_a_module_or_an_attribute() -> None:
    places = {"inner": "xml.dom", "node": "xml.dom:Node"}
    assert deferred_name("outer", places, "inner").__name__ == "xml.dom"
    assert deferred_name("outer", places, "node").ELEMENT_NODE == 1
    with pytest.raises(AttributeError, match="module 'outer' has no attribute 'other'"):
        deferred_name("outer", places, "other")
