"""Sample calls of the whole surface are found by trying."""

from __future__ import annotations

import numpy as np

import fxla.numpy as fnp
from bench import surface


def test_a_function_is_compared_with_numpys(monkeypatch) -> None:
    monkeypatch.setattr(surface, "SIZE", 10_000)
    monkeypatch.setattr(surface, "_SECONDS", 0.0)
    x = np.linspace(0.1, 0.9, 10_000)
    found = surface.compare("add", fnp.add, np.add, (x, 3))
    assert found is not None
    assert found.arguments == "float64[10000], float64[10000]"
    assert found.ratio == found.fxla / found.numpy > 0


def test_outer_products_and_failures_are_left_out(monkeypatch) -> None:
    monkeypatch.setattr(surface, "SIZE", 10_000)
    x = np.linspace(0.1, 0.9, 10_000)
    assert surface.compare("outer", fnp.outer, np.outer, (x,)) is None
    assert surface.compare("solve", fnp.linalg.solve, np.linalg.solve, (x,)) is None
