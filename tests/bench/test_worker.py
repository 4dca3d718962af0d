from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from bench.worker import serve


def ask(package: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    answers = io.StringIO()
    serve(package, io.StringIO("".join(json.dumps(r) + "\n" for r in requests)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


@pytest.mark.parametrize("package", ["fxla", "numpy"])
def test_describe_load_round_memory(package: str, tmp_path: Path) -> None:
    path = str(tmp_path / "results.npz")
    described, loaded, timed, memory = ask(
        package,
        {"do": "describe"},
        {"do": "load", "name": "x + 1, 10 floats", "save": path},
        {"do": "round", "seconds": 0.01},
        {"do": "memory"},
    )
    assert described["version"]
    assert loaded["first_call"] > 0
    with numpy.load(path) as saved:
        expected = numpy.random.default_rng(0).normal(size=10).astype("f4") + 1
        numpy.testing.assert_array_equal(saved["arr_0"], expected)
    assert 0 < timed["least"] <= timed["seconds"] < 0.01
    assert timed["calls"] > 1
    assert memory["peak"] >= 0


def test_memory_counts_what_a_call_holds() -> None:
    _, memory = ask(
        "numpy",
        {"do": "load", "name": "saxpy, 1e6", "sizes": {"n": 10_000_000}},
        {"do": "memory"},
    )
    # Two arguments and a result of 40 MB each.
    assert 115e6 < memory["peak"] < 200e6


def test_fxla_counts_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path))
    first, generated = ask(
        "fxla",
        {"do": "load", "name": "softmax 10000x100", "sizes": {"rows": 3, "columns": 5}},
        {"do": "generate"},
    )
    assert 0 <= first["code"] < 1e6  # nothing, if the process has compiled these kernels before
    assert generated["seconds"] > 0


def test_a_failure_is_an_answer_and_the_next_request_is_served() -> None:
    unknown, absent, described = ask(
        "numpy",
        {"do": "load", "name": "no such workload"},
        {"do": "load", "name": "MLP 784-128-10 SGD step, batch 32"},
        {"do": "describe"},
    )
    assert "KeyError" in unknown["error"]
    assert absent["error"].startswith("Absent")
    assert described["version"] == numpy.__version__


def test_sizes_are_first_calls_of_one_program() -> None:
    (told,) = ask(
        "fxla",
        {"do": "sizes", "name": "saxpy, 1e6", "every": [{"n": n} for n in (3, 4, 5)]},
    )
    assert 0 < told["median"] <= told["slowest"] <= told["total"]
