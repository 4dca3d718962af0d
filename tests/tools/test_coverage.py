"""The coverage page says what is so."""

from __future__ import annotations

import pytest

from tools import coverage


@pytest.fixture(scope="module")
def found() -> dict[str, list[coverage.Row]]:
    return coverage.rows()


def test_the_page_is_not_stale(found: dict[str, list[coverage.Row]]) -> None:
    assert coverage.page(found) == coverage.PAGE.read_text(), "run python tools/coverage.py"


def test_what_is_known_is_found(found: dict[str, list[coverage.Row]]) -> None:
    by_name = {r.name: r for rows in found.values() for r in rows}
    assert by_name["numpy.sin"] == coverage.Row(
        "numpy.sin", "function", True, True, True, True, "kernels"
    )
    assert by_name["numpy.fft.fft"].cuda == "host"
    assert by_name["numpy.nonzero"].batch is False
    assert by_name["numpy.floor_divide"].jit and by_name["numpy.pi"].kind == "value"
    assert by_name["numpy.matrix"].kind == "absent" and by_name["numpy.matrix"].note


def test_a_function_without_rules_is_not_called_complete() -> None:
    def opaque(x):
        return coverage.np.asarray(x, float) * 2.0 if type(x).__name__ == "ndarray" else 1 / 0

    row = coverage._row("numpy.opaque", opaque, coverage.np.sin)
    assert (row.kind, row.jit, row.jvp, row.batch) == ("function", False, False, False)
