from __future__ import annotations

from examples import pytorch_style


def test_reads_digits_it_has_not_seen() -> None:
    figures = pytorch_style.main(["--quiet"])
    assert figures["accuracy"] >= 0.97
    assert figures["losses"][-1] < 0.02 < figures["losses"][0]
