"""The text of native calls."""

from __future__ import annotations

import re

import llvmlite.binding as llvm

from fxla.compile.calls.entry_layout import ENTRY, GLOBALS, OP, TABLE, TREE
from fxla.compile.calls.entry_text import entry_text


def test_it_is_valid_and_depends_on_the_slot_alone() -> None:
    text = entry_text(24)
    llvm.parse_assembly(text).verify()
    assert text == entry_text(24)
    different = [
        (a, b)
        for a, b in zip(text.splitlines(), entry_text(4711).splitlines(), strict=True)
        if a != b
    ]
    assert len(different) == 1 and "%self" in different[0][0]


def test_abbreviations_are_written_out() -> None:
    text = entry_text(24)
    assert not re.search(r"= field |\bset (ptr|i64)|\$", text)
    places = re.findall(r"(%f\d+) = ", text)
    assert len(places) == len(set(places)) > 100


def test_layouts_have_no_overlaps() -> None:
    for layout in (ENTRY, GLOBALS, TABLE, TREE):
        assert sorted(layout.values()) == [8 * k for k in range(len(layout))]
    assert sorted(OP.values()) == list(range(len(OP)))
