"""`python -m bench import`: what importing costs, in fresh processes, beside other packages."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench.page import machine, readable, table
from bench.processes import environment

__all__ = ["import_page", "import_seconds"]

OURS = ("", "numpy", "numpy, scipy.linalg", "fxla")
THEIRS = ("jax", "torch", "numba")


def import_seconds(python: str, names: str) -> float:
    """The wall time of a process that imports those modules and nothing else."""
    words = [python, "-c", f"import {names}" if names else "pass"]
    began = time.perf_counter()
    subprocess.run(words, env=environment("fxla", ""), check=True, capture_output=True)
    return time.perf_counter() - began


def import_page(pythons: dict[str, str], rounds: int) -> str:
    """A row for each import: the median and the least over alternating rounds."""
    asked = dict.fromkeys(OURS, sys.executable)
    asked |= {name: pythons[name] for name in THEIRS if name in pythons}
    taken: dict[str, list[float]] = {names: [] for names in asked}
    for names, python in asked.items():
        import_seconds(python, names)  # leaves warm bytecode and a warm file cache
    for i in range(rounds):
        for names in list(asked) if i % 2 == 0 else reversed(asked):
            taken[names].append(import_seconds(asked[names], names))
    bare = taken[""]
    base = [b - a for a, b in zip(bare, taken["numpy, scipy.linalg"], strict=True)]
    rows = [["import", "median", "least", "over numpy and scipy.linalg"]]
    for names, times in taken.items():
        if names:
            beyond = [b - a for a, b in zip(bare, times, strict=True)]
            ratio = f"{min(beyond) / max(min(base), 1e-9):.2f}"
            rows.append([names, readable(statistics.median(beyond)), readable(min(beyond)), ratio])
    return (
        f"# Imports\n\n{machine()}.\n\n{table(rows)}\n\n"
        f"Beyond Python's own start of {readable(min(bare))}; ratios of minima.\n"
    )
