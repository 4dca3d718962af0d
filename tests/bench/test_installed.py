from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from bench import installed
from fxla.compile.backend.levels import LEVELS
from fxla.compile.runtime import OwnModule


@pytest.mark.parametrize("level", [LEVELS[0], None])
def test_the_line_says_what_is_there(
    level: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def compile_level(what: object, modules: Iterable[OwnModule]) -> Path:
        assert what is LEVELS[0] and "gemm" in {name for m in modules for name in m.names}
        path = tmp_path / "the-level"
        path.write_bytes(bytes(45_678))
        return path

    monkeypatch.setattr(installed, "level_of", lambda isa: level)
    monkeypatch.setattr(installed, "compile_level", compile_level)
    line = installed.own_objects()
    assert ("45.7 kB of objects (the-level)" in line) == (level is not None)
    assert ("compile" in line) == (level is None)
