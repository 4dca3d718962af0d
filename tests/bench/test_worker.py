from __future__ import annotations

import io
import json
from typing import Any

import pytest

from bench.worker import serve


def ask(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    answers = io.StringIO()
    serve("fxla", io.StringIO("".join(json.dumps(r) + "\n" for r in requests)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_describe_load_round() -> None:
    described, loaded, timed = ask(
        {"do": "describe"},
        {"do": "load", "name": "x + 1, 10 floats"},
        {"do": "round", "seconds": 0.01},
    )
    assert described["version"]
    assert loaded["sums"] == [pytest.approx(11.377640902996063, rel=1e-6)]
    assert 0 < timed["seconds"] < 0.01
    assert timed["calls"] > 1


def test_a_failure_is_an_answer_and_the_next_request_is_served() -> None:
    failed, described = ask({"do": "load", "name": "no such workload"}, {"do": "describe"})
    assert "KeyError" in failed["error"]
    assert described["version"]
