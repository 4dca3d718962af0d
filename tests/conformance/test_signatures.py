"""Every function of the standard is there, and takes what the standard says."""

from __future__ import annotations

import types

import pytest

import fxla.numpy as fnp
from tests.conformance import signatures, special_cases

TEXT = special_cases.standard()


@pytest.mark.skipif(
    TEXT is None, reason="the standard's text is not installed: pip install array-api"
)
def test_names_and_signatures():
    functions = signatures.functions(TEXT)
    assert len(functions) > 160
    assert [m for f in functions if (m := signatures.missing(fnp, f))] == []


def test_what_is_missing_is_found():
    text = """
class add[TArray](Protocol):
    @abstractmethod
    def __call__(self, x1: TArray, x2: TArray, /, *, flag: bool = False) -> TArray: ...
"""
    (add,) = signatures.functions(text)
    assert (add.name, add.operands, add.keywords) == ("add", 2, ("flag",))
    empty = types.SimpleNamespace()
    assert signatures.missing(empty, add) == "add is not there"
    empty.add = lambda x1: x1
    assert signatures.missing(empty, add) == "add does not take flag"
    empty.add = lambda x1, flag: x1
    assert signatures.missing(empty, add) is None
    empty.add = lambda flag: flag
    assert "takes 1 operands" in signatures.missing(empty, add)
