from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from bench.measure import Effort, agree, measure
from bench.workloads import TUNED

BRIEF = Effort(rounds=2, seconds=0.01, firsts=2)

FAKE = """
import json, sys
import numpy
for line in sys.stdin:
    request = json.loads(line)
    answers = {
        "describe": {"version": "fake 1", "start_up": 0.5},
        "load": {"first_call": 2.0, "code": 0},
        "round": {"seconds": 100.0, "least": 50.0, "calls": 1},
        "memory": {"peak": 123},
    }
    if request["do"] == "load" and request.get("save"):
        numpy.savez(request["save"], numpy.zeros(10, numpy.float32))
    print(json.dumps(answers[request["do"]]), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path) -> str:
    """An interpreter whose package answers the same to every workload."""
    (tmp_path / "fake.py").write_text(FAKE)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/fake.py"\n')
    python.chmod(0o755)
    return str(python)


def test_a_slow_wrong_peer(fake: str) -> None:
    pythons = {"fxla": sys.executable, "jax": fake}
    name = "x + 1, 10 floats"
    measured, described = measure(name, TUNED[name], pythons, BRIEF)
    assert described["jax"] == {"version": "fake 1", "start_up": 0.5}
    assert measured.first_call["jax"] == [2.0, 2.0]
    assert measured.rounds["jax"] == [100.0, 100.0]
    speed_up = measured.speed_up("jax")
    assert speed_up is not None and speed_up > 1000
    assert measured.memory["jax"] == 123
    assert measured.second_process["jax"] == [2.0, 2.0]
    assert len(measured.first_call["fxla"]) == len(measured.second_process["fxla"]) == 2
    assert set(measured.second_process) == {"fxla", "jax"}
    assert measured.code is not None and measured.code > 0
    assert measured.generator is not None and measured.generator > 0
    (note,) = measured.notes
    assert note.startswith("jax differs from fxla: result 0 by ")


def test_a_peer_that_dies_between_rounds_is_noted_and_left_out(fake: str, tmp_path: Path) -> None:
    dying = "    if request['do'] == 'round': sys.exit('gone')\n    answers = {"
    (tmp_path / "fake.py").write_text(FAKE.replace("    answers = {", dying))
    name = "x + 1, 10 floats"
    effort = Effort(rounds=2, seconds=0.01, firsts=1, second=False)
    measured, _ = measure(name, TUNED[name], {"fxla": sys.executable, "jax": fake}, effort)
    assert len(measured.rounds["fxla"]) == 2
    assert "jax" not in measured.rounds
    assert "jax, round: the process ended with status 1: gone" in measured.notes


def test_peers_without_the_workload_are_not_started(fake: str) -> None:
    pythons = {"fxla": sys.executable, "autograd": "/no/such/python"}
    name = "x + 1, 10 floats"
    measured, described = measure(
        name, TUNED[name], pythons, Effort(1, 0.01, firsts=1, second=False)
    )
    assert list(described) == ["fxla"]
    assert measured.second_process == {}
    assert measured.notes == []


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([1.0, 2.0], ""),
        ([1.0, 2.1], "result 0 by 0.1, elements being up to 2.1"),
        ([1.0, float("nan")], "result 0 by nan, elements being up to nan"),
        ([1.0], "shapes [(2,)] and [(1,)]"),
    ],
)
def test_agree(theirs: list[float], said: str) -> None:
    assert agree([numpy.array([1.0, 2.0])], [numpy.array(theirs)], 1e-3) == said


@pytest.mark.peers
@pytest.mark.parametrize("peer", ["jax", "torch", "numpy", "autograd", "numba"])
@pytest.mark.parametrize("name", list(TUNED))
def test_peers_agree(name: str, peer: str) -> None:
    if not TUNED[name].has(peer):
        pytest.skip(f"not written for {peer}")
    pythons = {"fxla": sys.executable, peer: os.environ["FXLA_PEERS_PYTHON"]}
    effort: dict[str, Any] = {"rounds": 1, "seconds": 0.01, "firsts": 1, "second": False}
    measured, _ = measure(name, TUNED[name], pythons, Effort(**effort))
    assert measured.notes == []
