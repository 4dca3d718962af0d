from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import command
from bench.command import main
from bench.record import Measured
from bench.workloads import TUNED


def test_list_names_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--only", "SOFTMAX"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [
        "softmax 10000x100",
        "softmax 10000x100, gradient",
    ]
    assert main(["list", "--family", "dispatch"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == [name for name, w in TUNED.items() if w.family == "dispatch"]


def test_run_alone_prints_and_writes_a_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "own_objects", lambda: "so many objects")
    arguments = ["--alone", "--only", "x + 1, 10", "--rounds", "1", "--seconds", "0.01"]
    assert main([*arguments, "--no-second", "--write"]) == 0
    out = capsys.readouterr().out
    assert "| x + 1, 10 floats | " in out
    assert "| tuned | 1 | " in out and "so many objects\n" in out
    (page,) = tmp_path.glob("*-part.md")
    assert page.read_text().startswith(out.strip())
    assert list(tmp_path.glob("*-part.svg"))


def test_a_run_that_is_stopped_prints_what_it_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measured_once(name: str, *_: object) -> tuple[Measured, dict[str, dict[str, Any]]]:
        asked.append(name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        found = Measured(name, rounds={"fxla": [1e-3]})
        return found, {"fxla": {"version": "0", "start_up": 0.1}}

    monkeypatch.setattr(command, "measure", measured_once)
    monkeypatch.setattr(command, "own_objects", lambda: "")
    assert main(["--alone", "--only", "softmax"]) == 1
    assert "| softmax 10000x100 | 1 ms |" in capsys.readouterr().out
    assert asked == ["softmax 10000x100", "softmax 10000x100, gradient"]


def test_peers_are_installed_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []

    def record(words: list[str], check: bool) -> None:
        commands.append(words)

    monkeypatch.setattr(subprocess, "run", record)
    assert main(["peers", "--env", str(tmp_path), "--peers", "jax", "torch-compile", "numpy"]) == 0
    made, installed = commands
    assert made == [sys.executable, "-m", "venv", str(tmp_path)]
    assert installed[-4:] == ["jax", "optax", "scipy", "torch"]
    assert installed[0] == str(tmp_path / "bin" / "python")
