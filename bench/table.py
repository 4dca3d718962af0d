"""What was measured, as Markdown."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Measured", "machine", "markdown", "readable"]


@dataclass
class Measured:
    """One workload on each package.

    Attributes:
        name: the workload.
        first_call: seconds, by package.
        rounds: seconds of one call in each round, by package; rounds are in the same order.
        second_process: seconds of fxla's first call where an earlier process has filled the cache.
        notes: what went wrong, if anything.
    """

    name: str
    first_call: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    second_process: float | None = None
    notes: list[str] = field(default_factory=list)

    def typical(self, package: str) -> float | None:
        """The median over rounds."""
        return statistics.median(self.rounds[package]) if self.rounds.get(package) else None

    def ratio(self, package: str, peer: str) -> float | None:
        """The median of the rounds' ratios: both sides of each one met the same noise."""
        ours, theirs = self.rounds.get(package), self.rounds.get(peer)
        if not ours or not theirs:
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))

    def first_ratio(self, package: str, peer: str) -> float | None:
        """The ratio of the first calls."""
        ours, theirs = self.first_call.get(package), self.first_call.get(peer)
        return ours / theirs if ours and theirs else None


def readable(seconds: float | None) -> str:
    """Three significant digits with a unit.

    Example:
        >>> readable(0.0012345), readable(12.3e-6), readable(None)
        ('1.23 ms', '12.3 us', '-')
    """
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def times(ratio: float | None) -> str:
    """A ratio; one over 3 stands out."""
    if ratio is None:
        return "-"
    return f"**{ratio:.2f}**" if ratio > 3 else f"{ratio:.2f}"


def machine() -> str:
    """Processor, cores and Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def markdown(
    measured: list[Measured], versions: dict[str, str], start_up: dict[str, float], peer: str
) -> str:
    """A page with the table, what it was measured on and how to read it."""
    compared = peer in versions
    head = ["workload", "fxla", *([peer, "ratio"] if compared else []), "first call: fxla"]
    head += [peer, "ratio"] if compared else []
    head.append("second process: fxla")
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for m in measured:
        row = [m.name, readable(m.typical("fxla"))]
        if compared:
            row += [readable(m.typical(peer)), times(m.ratio("fxla", peer))]
        row.append(readable(m.first_call.get("fxla")))
        if compared:
            row += [readable(m.first_call.get(peer)), times(m.first_ratio("fxla", peer))]
        row.append(readable(m.second_process))
        rows.append(row)
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    started = ", ".join(f"{package} {readable(s)}" for package, s in start_up.items())
    notes = "".join(f"- {m.name}: {note}\n" for m in measured for note in m.notes)
    return (
        f"# {named}\n\n"
        f"{datetime.date.today().isoformat()}; {machine()}. float32.\n\n{table}\n\n"
        "Times are medians over alternating rounds, each package in a process of its own; a ratio"
        " is the median of the rounds' ratios, below 1 where fxla is faster, bold above 3. A first"
        " call traces, compiles with empty caches, and runs, after the package's start-up "
        f"(import and a first trivial program: {started}). In a second process the first call"
        " traces and finds its kernels on disk.\n" + (f"\n{notes}" if notes else "")
    )
