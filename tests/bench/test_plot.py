from __future__ import annotations

from pathlib import Path

import pytest

from bench.plot import draw
from bench.record import Measured

pytest.importorskip("matplotlib")


def test_the_plot_names_the_workloads_and_is_reproducible(tmp_path: Path) -> None:
    rounds = {"fxla": [1.0], "jax": [3.0], "torch": [0.5]}
    measured = [Measured("softmax", rounds=rounds), Measured("lonely", rounds={"fxla": [1.0]})]
    draw(measured, tmp_path / "a.svg")
    draw(measured, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "softmax" in text
    assert "lonely" not in text
    assert text == (tmp_path / "b.svg").read_text()
