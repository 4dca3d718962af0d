"""What was measured, as Markdown: three tables, a summary, and how to read them."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.peers import FXLA, JAX, PEERS
from bench.record import Measured, geometric_mean

__all__ = ["machine", "markdown", "readable", "summary", "table"]

READING = """\
Speed: medians over alternating rounds, each package in a process of its own. `over X` is how many
times as long X takes, the median of the rounds' ratios: above 1 fxla is faster, below 1 (bold) it
is slower. A call ends when its result is there. A turn begins when the cores are as fast side by
side as they have been: a host may run both on one of its own. `over torch` is over the faster of
PyTorch's modes: eager, and `torch-compile`, which compiles for fixed sizes, on one thread, and is
given up where a first call takes more than 90 s. numba's programs are written by hand as loops.

First call: tracing, compiling with empty caches, and running, in a new process after the package's
start-up (its import and a first trivial program). Second process: the first call of another process
that finds fxla's cache filled, and JAX's persistent compilation cache, which is off by default,
switched on and filled. Both are medians over several processes of fxla and JAX, in turns.

Memory: the high-water mark of resident memory during three calls, above what the process held
before the workload's arguments were made. Generator: tracing, fusing, scheduling and printing once
more in the same process. Code: the object files of the program, wherever they come from.
"""


MINIMA = """\
Here times are minima, not medians, and ratios are those of the minima: other work ran beside this.
"""


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


def sized(count: float | None) -> str:
    """Bytes with a unit.

    Example:
        >>> sized(2_500_000), sized(1234), sized(None)
        ('2.5 MB', '1.2 kB', '-')
    """
    if count is None:
        return "-"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def times(ratio: float | None, worse: bool = False) -> str:
    """A ratio; one that is `worse`, here below 1, stands out."""
    if ratio is None:
        return "-"
    return f"**{ratio:.2f}**" if worse else f"{ratio:.2f}"


def gain(ratio: float | None) -> str:
    """A speed-up; one below 1 stands out."""
    return times(ratio, ratio is not None and ratio < 1)


def share(ratio: float | None, goal: float) -> str:
    """A share of the peer's time; one above `goal` stands out."""
    return times(ratio, ratio is not None and ratio > goal)


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
    text = f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"
    if hasattr(os, "getloadavg"):
        text += f", {os.getloadavg()[2]:.1f} processes running on average before"
    return text


def table(rows: list[list[str]]) -> str:
    """Rows, the first of which is the head, in Markdown; all columns but the first to the right."""
    head, *body = rows
    ruled = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def summary(measured: dict[str, list[Measured]]) -> str:
    """Geometric means of each set side by side, and the workloads where a peer is faster."""
    columns: dict[str, Callable[[Measured], float | None]] = {
        "over JAX": lambda m: m.speed_up(JAX),
        "over torch's best": lambda m: m.over_torch(),
        "over the best peer": lambda m: m.over_best(),
        "first call, of JAX's": lambda m: m.first_ratio(JAX),
        "second process, of JAX's first": lambda m: m.second_ratio(JAX),
    }
    rows = [["geometric means", "workloads", *columns, "behind the best peer"]]
    explained = []
    for title, some in measured.items():
        behind = [m for m in some if (m.over_best() or 1.0) < 1.0]
        means = [mean_of(column(m) for m in some) for column in columns.values()]
        rows.append([title, str(len(some)), *means, str(len(behind))])
        for m in sorted(behind, key=lambda m: m.over_best() or 1.0):
            reason = m.why or "unexplained"
            explained.append(f"- {m.name}: {times(m.over_best())} of {m.best()}'s speed: {reason}")
    return "\n".join([table(rows), *(["", *explained] if explained else [])]) + "\n"


def mean_of(ratios: Iterable[float | None]) -> str:
    """Their geometric mean, and of how many where some are missing."""
    every = list(ratios)
    known = [r for r in every if r is not None]
    text = times(geometric_mean(known))
    return f"{text} (of {len(known)})" if 0 < len(known) < len(every) else text


def speeds(measured: list[Measured], peers: list[str]) -> str:
    """The table of times."""
    rows = [["workload", FXLA, *peers]]
    ratios = [f"over {JAX}"] if JAX in peers else []
    ratios += ["over torch"] if "torch" in peers else []
    ratios += ["over best"] if peers else []
    rows[0] += ratios
    for m in measured:
        row = [m.name, readable(m.typical(FXLA)), *(readable(m.typical(p)) for p in peers)]
        cells = {
            f"over {JAX}": m.speed_up(JAX),
            "over torch": m.over_torch(),
            "over best": m.over_best(),
        }
        rows.append(row + [gain(cells[ratio]) for ratio in ratios])
    return table(rows)


def first_calls(measured: list[Measured], peers: list[str]) -> str:
    """The table of first calls."""
    peers = [p for p in peers if p in (JAX, "torch-compile")]
    beside = JAX in peers
    head = ["workload", FXLA, *peers, *(["of JAX's"] if beside else []), "second process"]
    rows = [head + (["of JAX's first", "JAX's, cached"] if beside else [])]
    for m in measured:
        row = [m.name, readable(m.first(FXLA))]
        row += [readable(m.first(p)) for p in peers]
        row += [share(m.first_ratio(JAX), 0.5)] if beside else []
        row.append(readable(m.second(FXLA)))
        if beside:
            row.append(share(m.second_ratio(JAX), 0.1))
            row.append(readable(m.second(JAX)))
        rows.append(row)
    return table(rows)


def sizes(measured: list[Measured], peers: list[str]) -> str:
    """The table of memory, generator and code."""
    peers = [p for p in peers if p in (JAX, "torch", "torch-compile")]
    rows = [["workload", "memory: fxla", *peers, "generator", "code"]]
    for m in measured:
        row = [m.name, *(sized(m.memory.get(p)) for p in (FXLA, *peers))]
        rows.append([*row, readable(m.generator), sized(m.code)])
    return table(rows)


def markdown(
    measured: dict[str, list[Measured]],
    versions: dict[str, str],
    start_up: dict[str, float],
    installed: str = "",
) -> str:
    """A page with the tables of each set, what they were measured on and how to read them.

    Args:
        measured: by the title of each set.
        versions: of the packages.
        start_up: seconds of each.
        installed: a line on what fxla's processes found compiled.
    """
    peers = [p for p in PEERS if p in versions]
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    started = ", ".join(f"{package} {readable(s)}" for package, s in start_up.items() if s > 1e-3)
    parts = [f"# {named}\n", f"{datetime.date.today().isoformat()}; {machine()}.\n"]
    parts.append(summary(measured))
    minima = any(m.minima for some in measured.values() for m in some)
    parts += [READING, *([MINIMA] if minima else []), f"Start-up: {started}.\n"]
    parts += [f"{installed}\n"] if installed else []
    for title, some in measured.items():
        parts += [f"## {title.capitalize()}: speed\n", speeds(some, peers) + "\n"]
        parts += [f"## {title.capitalize()}: first calls\n", first_calls(some, peers) + "\n"]
        parts += [f"## {title.capitalize()}: memory and code\n", sizes(some, peers) + "\n"]
    notes = [
        f"- {m.name}: {note}\n" for some in measured.values() for m in some for note in m.notes
    ]
    return "\n".join(parts) + ("\n## Notes\n\n" + "".join(notes) if notes else "")
