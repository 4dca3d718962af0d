"""The standard's special cases, of compiled functions: what NumPy gets right, fxla does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.conformance import jitted, special_cases

TEXT = special_cases.standard()
CASES = special_cases.cases(TEXT)[0] if TEXT else []
FUNCTIONS = sorted({case.function for case in CASES})


@pytest.mark.skipif(
    TEXT is None, reason="the standard's text is not installed: pip install array-api"
)
def test_most_sentences_are_read():
    known, unknown = special_cases.cases(TEXT)
    assert len(known) > 380 and len(unknown) < 80


@pytest.mark.skipif(
    TEXT is None, reason="the standard's text is not installed: pip install array-api"
)
@pytest.mark.parametrize("function", FUNCTIONS or ["none"])
def test_special_cases(function):
    for case in CASES:
        if case.function == function and special_cases.failures(np, case) is None:
            assert special_cases.failures(jitted, case) is None, case.sentence


SENTENCES = '''
class atan2(Protocol):
    """Documentation.

    - If ``x1_i`` is greater than ``0`` and ``x2_i`` is ``+0``, the result is an
      implementation-dependent approximation to ``+π/2``.
    - If either ``x1_i`` or ``x2_i`` is ``NaN``, the result is ``NaN``.
    - If ``x1_i`` is blue, the result is ``NaN``.
    """
'''


def test_sentences_are_understood():
    known, unknown = special_cases.cases(SENTENCES)
    assert [c.function for c in known] == ["atan2", "atan2"] and len(unknown) == 1
    first, second = known
    assert first.applies({"x1_i": 3.0, "x2_i": 0.0})
    assert not first.applies({"x1_i": 3.0, "x2_i": -0.0})
    assert first.wants(math.pi / 2, {}) and not first.wants(0.0, {})
    assert second.applies({"x1_i": 1.0, "x2_i": math.nan}) and not second.wants(1.0, {})


def test_a_wrong_namespace_is_found_out():
    class Wrong:
        asarray = staticmethod(np.asarray)
        atan2 = staticmethod(np.add)

    known, _ = special_cases.cases(SENTENCES)
    assert special_cases.failures(Wrong, known[0]) is not None
    assert special_cases.failures(np, known[0]) is None
