"""The one entry runs what it says, in this environment, and fails if anything fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import check


def test_tools_of_this_environment_come_first() -> None:
    beside = Path(sys.executable).parent / "pytest"
    meant = str(beside) if beside.exists() else "pytest"
    assert check.command(["pytest", "-n", "auto"]) == [meant, "-n", "auto"]
    assert check.command(["no-such-tool"]) == ["no-such-tool"]


def test_the_tests_come_last() -> None:
    assert list(check.CHECKS)[-1] == "tests"


@pytest.mark.parametrize("failing", [None, "types"])
def test_one_failure_fails_the_whole_and_the_rest_still_runs(
    failing: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in check.CHECKS:
        code = f"print('ran {name}'); raise SystemExit({int(name == failing)})"
        monkeypatch.setitem(check.CHECKS, name, [sys.executable, "-c", code])
    assert check.main([]) == (failing is not None)
    printed = capfd.readouterr()
    assert all(f"ran {name}" in printed.out for name in check.CHECKS)
    assert ("failed: types" in printed.err) == (failing is not None)


def test_a_check_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(check.CHECKS, "lint", [sys.executable, "-c", "print('linted')"])
    assert check.main(["lint"]) == 0
    assert "== lint" in capfd.readouterr().out
    with pytest.raises(SystemExit):
        check.main(["everything"])
