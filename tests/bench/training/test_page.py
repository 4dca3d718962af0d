"""The page of `python -m bench training`."""

from __future__ import annotations

import sys

import pytest

from bench.peers import FXLA
from bench.training import page
from bench.training.page import Trained, compared, training_page


def test_fxla_alone_trains_by_turns():
    found = compared("mlp", {FXLA: sys.executable}, 2)
    assert found.notes == [] and len(found.epochs[FXLA]) == 2
    assert found.first_step[FXLA] > max(found.epochs[FXLA]) > 0
    assert 0 < found.loss[FXLA] < 2.3


def test_a_package_that_fails_is_noted():
    found = compared("no such model", {FXLA: sys.executable}, 1)
    assert found.epochs == {} and found.notes == ["fxla: KeyError: 'no such model'"]


def test_the_page_has_times_ratios_and_notes(monkeypatch: pytest.MonkeyPatch):
    measured = Trained(
        {"fxla": 1.0, "jax": 2.0, "torch": 4.0},
        {"fxla": [0.4, 0.2], "jax": [0.1, 0.3], "torch": [0.4, 0.8]},
        {"fxla": 1.5, "jax": 1.5, "torch": 1.5},
        ["torch: a note"],
    )
    monkeypatch.setattr(page, "compared", lambda *_: measured)
    text = training_page(["cnn"], dict.fromkeys(("fxla", "jax", "torch"), "python"), 2)
    assert "| cnn | 200 ms | 100 ms | 400 ms | 2.00 | 0.50 | 1.5000 |" in text
    assert "| cnn | 1 s | 2 s | 4 s | 0.50 | 0.25 |" in text
    assert "- cnn: torch: a note" in text and "| mlp" not in text
