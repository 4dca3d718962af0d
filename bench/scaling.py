"""`python -m bench scaling` and `sizes`: cost against threads, against size, and of new sizes."""

from __future__ import annotations

import sys
import tempfile

from bench.page import machine, readable, table
from bench.peers import FXLA
from bench.processes import Package, WorkerError, workers
from bench.quiet import cores_here
from bench.record import geometric_mean
from bench.workloads import Workload

__all__ = ["new_sizes_page", "scaled", "scaling_page", "threads_table"]

FACTORS = (1 / 16, 1 / 4, 1.0, 4.0)
LONG = 1e-3
"""Seconds on the first number of threads from which a workload is in the table of threads."""
GOAL = 1.8
"""The gain of a second thread that needs no explanation."""
STEP = "MLP 784-128-10 SGD step, batch 128"


def scaled(workload: Workload) -> list[dict[str, int]]:
    """The sizes at which a workload is timed.

    Example:
        >>> from bench.workloads.products import Gemm
        >>> scaled(Gemm(1024))
        [{'n': 64}, {'n': 256}, {'n': 1024}, {'n': 4096}]
    """
    if not workload.scales:
        return []
    size = getattr(workload, workload.scales)
    return [{workload.scales: max(1, round(size * factor))} for factor in FACTORS]


def times(
    name: str, workload: Workload, sizes: list[dict[str, int]], seconds: float, threads: list[int]
) -> list[list[float]]:
    """The fastest calls at each of the sizes, by number of threads, which take turns."""
    with tempfile.TemporaryDirectory(prefix="fxla-bench-") as cache:
        package = Package(FXLA, sys.executable, cache, workload.dtype)
        try:
            found = []
            for some in sizes:
                package.ask("load", name=name, sizes=some)
                cores_here().settle()
                told = package.ask("threads", numbers=threads, seconds=seconds)
                found.append([float(t) for t in told["least"]])
            return found
        finally:
            package.stop()


def counted(threads: list[int]) -> list[str]:
    """Heads of columns."""
    return [f"{n} thread{'s' if n > 1 else ''}" for n in threads]


def threads_table(workloads: dict[str, Workload], seconds: float, threads: list[int]) -> str:
    """What several threads gain where one takes `LONG` or more, and why it is little."""
    rows = [["workload", *counted(threads), "gain"]]
    gains: list[float] = []
    little: list[str] = []
    for name, workload in workloads.items():
        try:
            (found,) = times(name, workload, [{}], seconds, threads)
        except WorkerError as error:
            rows.append([name, str(error), *["-"] * len(threads)])
            continue
        if found[0] < LONG:
            continue
        gains.append(found[0] / found[-1])
        short = gains[-1] < GOAL
        gain = f"**{gains[-1]:.2f}**" if short else f"{gains[-1]:.2f}"
        rows.append([name, *map(readable, found), gain])
        if short:
            little.append(f"- {name}, {gains[-1]:.2f}: {workload.serial or 'unexplained'}")
        print(name, file=sys.stderr, flush=True)
    mean = f"Geometric mean of the gains: {geometric_mean(gains):.2f}." if gains else ""
    return "\n".join([table(rows), "", mean, "", *little])


def sizes_table(workloads: dict[str, Workload], seconds: float, threads: list[int]) -> str:
    """A row for each workload and size: the time on each number of threads, and ratios."""
    head = ["workload", "size", *counted(threads)]
    rows = [[*head, "gain", "time / size, of the row above"]]
    for name, workload in workloads.items():
        sizes = scaled(workload)
        if not sizes:
            continue
        before: float | None = None
        for some, found in zip(sizes, times(name, workload, sizes, seconds, threads), strict=True):
            (size,) = some.values()
            each = found[-1] / size
            grown = f"{each / before:.2f}" if before else "-"
            before = each
            gain = f"{found[0] / found[-1]:.2f}"
            rows.append([name, str(size), *map(readable, found), gain, grown])
        print(name, file=sys.stderr, flush=True)
    return table(rows)


def scaling_page(workloads: dict[str, Workload], seconds: float, threads: list[int]) -> str:
    """Cost against the number of threads, and against size."""
    by_threads = threads_table(workloads, seconds, threads)
    by_size = sizes_table(workloads, seconds, threads)
    return (
        f"# Cost against threads and size\n\n{machine()}.\n\n"
        "Times are minima of calls in one process, in which numbers of threads take turns. The gain"
        f" is the first of them over the last.\n\n## Threads\n\nWorkloads of"
        f" {readable(LONG)} and more on {counted(threads[:1])[0]}. Gains below {GOAL} are bold and"
        f" explained below.\n\n{by_threads}\n\n## Size\n\n{by_size}\n\n"
        "The last column is 1 where time grows as the size does.\n"
    )


def new_sizes_page(pythons: dict[str, str], count: int) -> str:
    """The step of a perceptron on `count` batch sizes that were not seen before, first calls."""
    rows = [["package", f"{count} sizes", "slowest", "median"]]
    asked = {p: python for p, python in pythons.items() if p in (FXLA, "jax", "torch")}
    with (
        tempfile.TemporaryDirectory(prefix="fxla-bench-") as cache,
        workers(asked, cache, "float32") as started,
    ):
        for package, worker in started.items():
            try:
                sizes = [{"batch": 16 + i} for i in range(count)]
                told = worker.ask("sizes", name=STEP, every=sizes)
            except WorkerError as error:
                rows.append([package, str(error), "-", "-"])
                continue
            rows.append([package, *(readable(told[key]) for key in ("total", "slowest", "median"))])
    return (
        f"# New sizes\n\n{machine()}.\n\n{table(rows)}\n\n"
        f"{STEP.partition(',')[0]}: one jitted function, called once with each batch size, in a"
        " process with an empty cache, after the package's start-up.\n"
    )
