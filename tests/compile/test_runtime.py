"""fxla's own code as objects: whole for every level, the same each time, and what programs use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fxla.compile.levels import LEVELS, Level, level_of
from fxla.compile.llvm import host_isa
from fxla.compile.runtime import compile_level, main, own_modules
from fxla.compile.shipped import shipped_objects
from fxla.loops.native_tiles import TILE_PREFIX

MACHINES = {"x86_64": b"\x3e\x00", "aarch64": b"\xb7\x00"}
"""What ELF's header calls them."""


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_level_s_file(level: Level, tmp_path: Path) -> None:
    path = compile_level(level, tmp_path)
    found = shipped_objects(path)
    assert len(found) == len(list(own_modules(level)))
    for _, content in found.values():
        names, _, code = content.partition(b"\0")
        assert code[:4] == b"\x7fELF" and code[18:20] == MACHINES[level.machine]
        assert all(name in code for name in names.split(b"\n"))
    assert 10_000 < path.stat().st_size < 250_000
    assert compile_level(level, tmp_path / "again").read_bytes() == path.read_bytes()


def test_keys_are_of_the_level(tmp_path: Path) -> None:
    """Tiles of one vector width must not be found for another."""
    keys = [{m.key for m in own_modules(level) if TILE_PREFIX in m.text} for level in LEVELS[:3]]
    assert len(set.union(*keys)) == sum(map(len, keys)) == 6


PROGRAM = """
import numpy as np
import fxla, fxla.compile.native as native
emitted = []
emit = native.emit_object
native.emit_object = lambda text, *a: emitted.append(text) or emit(text, *a)
f = fxla.jit(lambda x, w: fxla.numpy.tanh(x @ w).sum())
x = np.ones((600, 600), np.float32)
for _ in range(3):
    f(x, x)
fxla.jit(lambda a: a + 1)(np.ones(1_000_000))
fxla.jit(lambda a, b: a @ b)(np.ones((9, 9), np.complex64), np.ones((9, 9), np.complex64))
for text in emitted:
    defined = [line for line in text.splitlines() if line.startswith("define")]
    print(*[line for line in defined if "internal" not in line], sep="\\n")
"""


def test_programs_compile_nothing_of_it(tmp_path: Path) -> None:
    """A new process compiles kernels and drivers, and no line of what is installed."""
    if level_of(host_isa()) is None:
        pytest.skip("no object files are made for this processor")
    main([str(tmp_path / "objects")])
    found = "import fxla.compile.shipped as s, pathlib\n"
    found += f"s.OBJECTS = pathlib.Path({str(tmp_path / 'objects')!r})\n"
    words = [sys.executable, "-c", found + PROGRAM]
    cold = {**os.environ, "FXLA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300, env=cold)
    lines = done.stdout.splitlines()
    assert any("kernel." in line for line in lines) and any("@program" in line for line in lines)
    assert [line for line in lines if "kernel." not in line and "@program" not in line] == []
