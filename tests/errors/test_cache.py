"""A corrupted or unwritable kernel cache costs time: never a wrong answer, never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import warnings
import numpy as np, fxla, fxla.numpy as fnp
from fxla.errors import CacheWarning
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    x = np.linspace(0.0, 1.0, 50)
    out = fxla.jit(lambda x: fnp.cumsum(fnp.sin(x) * 3.0) + fnp.exp(x).sum())(x)
assert all(issubclass(w.category, CacheWarning) for w in seen), seen
np.testing.assert_allclose(out, np.cumsum(np.sin(x) * 3.0) + np.exp(x).sum(), rtol=1e-13)
print(len(seen))
"""


def run(cache: Path, target: str) -> int:
    """How many warnings the program gives; it fails if its answer is wrong."""
    environment = os.environ | {"FXLA_CACHE_DIR": str(cache), "FXLA_TARGET": target}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def files(cache: Path) -> list[Path]:
    return sorted(p for p in cache.rglob("*") if p.is_file())


@pytest.mark.parametrize("target", ["native", "numba"])
def test_files_cut_flipped_emptied_or_replaced(tmp_path: Path, target: str) -> None:
    assert run(tmp_path, target) == 0
    written = files(tmp_path)
    assert written, "nothing was cached, so this test tests nothing"
    for damage in (
        lambda data: data[: len(data) // 2],
        lambda data: data[:-20] + bytes(b ^ 0xFF for b in data[-20:]),
        lambda data: b"",
        lambda data: os.urandom(len(data)),
    ):
        for path in written:
            path.write_bytes(damage(path.read_bytes()))
        run(tmp_path, target)
        assert run(tmp_path, target) == 0, "the damaged files were not replaced"


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    run(blocked / "cache", "native")
