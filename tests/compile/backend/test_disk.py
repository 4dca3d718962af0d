"""Entries of the cache directory, and how many there may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fxla.compile.backend.disk import read_entry, trim, write_entry


def names(directory: Path) -> set[str]:
    return {p.name for p in directory.rglob("*") if p.is_file()}


def test_the_oldest_entries_are_deleted_down_to_half(tmp_path: Path) -> None:
    for k in range(10):
        path = tmp_path / "kind" / f"{k}"
        write_entry(path, b"x" * (1000 - 32))
        os.utime(path, (k, k))
    trim(tmp_path, 10_000)
    assert len(names(tmp_path)) == 10
    trim(tmp_path, 9_000)
    assert names(tmp_path) == {"6", "7", "8", "9"}


def test_a_file_of_several_names_is_counted_once(tmp_path: Path) -> None:
    first, *others = [tmp_path / str(k) / "entry" for k in range(5)]
    write_entry(first, b"y" * 1000, others)
    assert [read_entry(p) for p in (first, *others)] == [b"y" * 1000] * 5
    trim(tmp_path, 1100)
    assert all(p.exists() for p in (first, *others))


def test_a_process_trims_what_it_wrote_to(tmp_path: Path) -> None:
    code = (
        "import fxla, fxla.compile.backend.disk as d; d.MAX_BYTES = 100;"
        "fxla.jit(lambda x: x + 1)(1.0);"
        "assert [p for p in d.cache_directory().rglob('*') if p.is_file()]"
    )
    environment = {**os.environ, "FXLA_CACHE_DIR": str(tmp_path), "FXLA_CACHE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert names(tmp_path) == set()
