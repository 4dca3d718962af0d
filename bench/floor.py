"""`python -m bench --floor`: how close each workload comes to what the machine can do."""

from __future__ import annotations

import sys
import tempfile

from bench.ceilings import Ceilings, threads_here
from bench.page import machine, readable, table
from bench.peers import FXLA
from bench.processes import workers
from bench.workloads import Workload

__all__ = ["ceilings_page", "floor_page"]

LARGE = {"read": 40_000_000, "write": 40_000_000, "copy": 80_000_000}
"""Bytes of passes over 1e7 float32."""


def ceilings_page(ceilings: Ceilings, most: int) -> str:
    """The ceilings on one thread and on `most`."""
    counts = sorted({1, most})
    rows = [["ceiling", *(f"{n} thread{'s' if n > 1 else ''}" for n in counts)]]
    for dtype in ("float32", "float64"):
        rates = [f"{ceilings.flops(dtype, n) / 1e9:.0f} GFLOP/s" for n in counts]
        rows.append([f"multiply-adds, {dtype}", *rates])
    for kind in ("read", "write", "copy"):
        rates = [f"{ceilings.rate(kind, LARGE[kind], n) / 1e9:.1f} GB/s" for n in counts]
        rows.append([f"{kind}, 1e7 float32", *rates])
    return table(rows)


def rate(workload: Workload, seconds: float) -> str:
    """What a workload achieved."""
    flops, traffic = workload.flops(), workload.traffic()
    if flops and not traffic:
        return f"{flops / seconds / 1e9:.0f} GFLOP/s"
    return f"{sum(traffic) / seconds / 1e9:.1f} GB/s" if traffic else "-"


def floor_page(workloads: dict[str, Workload], seconds: float) -> str:
    """The ceilings, and each workload's share of its own."""
    ceilings, threads = Ceilings(), threads_here()
    rows = [["workload", "fxla", "rate", "floor", "share"]]
    for name, workload in workloads.items():
        floor = ceilings.least_seconds(
            workload.flops(), workload.traffic(), workload.dtype, threads
        )
        if floor is None:
            continue
        with (
            tempfile.TemporaryDirectory(prefix="fxla-bench-") as cache,
            workers({FXLA: sys.executable}, cache, workload.dtype) as started,
        ):
            started[FXLA].ask("load", name=name)
            took = min(started[FXLA].ask("round", seconds=seconds)["least"] for _ in range(3))
        cells = [readable(took), rate(workload, took), readable(floor), f"{floor / took:.0%}"]
        rows.append([name, *cells])
        print(f"{len(rows) - 1} {name}", file=sys.stderr, flush=True)
    return (
        f"# Ceilings and how close fxla comes\n\n{machine()}.\n\n"
        f"{ceilings_page(ceilings, threads)}\n\n{table(rows)}\n\n"
        "The floor is the longer of two times: of the arithmetic that cannot be avoided, at the"
        " measured rate of multiply-adds, and of the bytes that must be moved, at the rates of"
        " passes over as many bytes: arguments and results, each once. Times are minima.\n"
    )
