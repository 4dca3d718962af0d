"""`python -m bench scaling` and `sizes`: cost against size, against threads, and of new sizes."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from bench.page import machine, readable, table
from bench.peers import FXLA
from bench.processes import Package, WorkerError, workers
from bench.workloads import Workload

__all__ = ["new_sizes_page", "scaled", "scaling_page"]

FACTORS = (1 / 16, 1 / 4, 1.0, 4.0)
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


def least(package: Package, name: str, sizes: dict[str, int], seconds: float) -> float:
    """The fastest call at those sizes."""
    package.ask("load", name=name, sizes=sizes)
    return min(float(package.ask("round", seconds=seconds)["least"]) for _ in range(3))


def scaling_page(workloads: dict[str, Workload], seconds: float, threads: list[int]) -> str:
    """A row for each workload and size: the time on each number of threads, and ratios."""
    head = ["workload", "size", *(f"{n} thread{'s' if n > 1 else ''}" for n in threads)]
    rows = [[*head, "gain", "time / size, of the row above"]]
    for name, workload in workloads.items():
        before: float | None = None
        for sizes in scaled(workload):
            with tempfile.TemporaryDirectory(prefix="fxla-bench-") as cache:
                times = []
                for n in threads:
                    variables: dict[str, Any] = {"FXLA_NUM_THREADS": str(n)}
                    package = Package(FXLA, sys.executable, cache, workload.dtype, **variables)
                    try:
                        times.append(least(package, name, sizes, seconds))
                    finally:
                        package.stop()
            (size,) = sizes.values()
            each = times[-1] / size
            grown = f"{each / before:.2f}" if before else "-"
            before = each
            gain = f"{times[0] / times[-1]:.2f}"
            rows.append([name, str(size), *map(readable, times), gain, grown])
        print(name, file=sys.stderr, flush=True)
    return (
        f"# Cost against size and threads\n\n{machine()}.\n\n{table(rows)}\n\n"
        "Times are minima. The gain is the first number of threads over the last; the last column"
        " is 1 where time grows as the size does.\n"
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
