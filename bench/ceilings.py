"""What the machine can do: fused multiply-adds and bytes per second, by generated kernels.

Each kernel is LLVM text in vectors of the machine's width, compiled by fxla's own native target,
and run on as many threads as asked; ctypes lets go of Python's lock meanwhile. The best of several
runs counts.
"""

from __future__ import annotations

import ctypes
import functools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy

from bench.workloads.workload import Traffic
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import compile_text

__all__ = ["Ceilings", "best", "fma_text", "lanes", "stream_text", "threads_here"]

LLVM = {"float32": "float", "float64": "double"}
ACCUMULATORS = 12
"""Independent sums: enough to hide a multiply-add's latency, few enough for 16 registers."""
UNROLLED = 8
"""Vectors of a step of a stream."""


def threads_here() -> int:
    """As many threads as fxla uses."""
    chosen = os.environ.get("FXLA_NUM_THREADS")
    if chosen:
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lanes(dtype: str) -> int:
    """Elements of a vector register."""
    return host_isa().vector_bytes // numpy.dtype(dtype).itemsize


def fma_text(dtype: str) -> str:
    """``void fma(out, operands, steps)``: `ACCUMULATORS` multiply-adds of vectors in each step."""
    scalar = LLVM[dtype]
    vector = f"<{lanes(dtype)} x {scalar}>"
    call = f"call {vector} @llvm.fma.v{lanes(dtype)}f{8 * numpy.dtype(dtype).itemsize}"
    sums = range(ACCUMULATORS)
    loop = [f"  %s{k} = phi {vector} [ %b, %entry ], [ %t{k}, %loop ]" for k in sums]
    loop += [f"  %t{k} = {call}({vector} %s{k}, {vector} %a, {vector} %b)" for k in sums]
    total = [f"  %u0 = fadd {vector} %t0, %t1"]
    total += [f"  %u{k} = fadd {vector} %u{k - 1}, %t{k + 1}" for k in range(1, ACCUMULATORS - 1)]
    return "\n".join(
        [
            f"declare {vector} @llvm.fma.v{lanes(dtype)}f{8 * numpy.dtype(dtype).itemsize}"
            f"({vector}, {vector}, {vector})",
            "define void @fma(ptr %out, ptr %operands, i64 %steps) {",
            "entry:",
            f"  %a = load {vector}, ptr %operands, align 4",
            f"  %p = getelementptr {vector}, ptr %operands, i64 1",
            f"  %b = load {vector}, ptr %p, align 4",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [ 0, %entry ], [ %j, %loop ]",
            *loop,
            "  %j = add i64 %i, 1",
            "  %more = icmp ult i64 %j, %steps",
            "  br i1 %more, label %loop, label %done",
            "done:",
            *total,
            f"  store {vector} %u{ACCUMULATORS - 2}, ptr %out, align 4",
            "  ret void",
            "}",
        ]
    )


def stream_text(kind: str, past_cache: bool) -> str:
    """``void stream(to, from, vectors, passes)``: passes that read, write or copy bytes.

    Args:
        kind: "read", "write" or "copy".
        past_cache: whether writes go by the cache, which pays above its size.
    """
    vector = f"<{lanes('float32')} x float>"
    align = host_isa().vector_bytes
    hint = ", !nontemporal !0" if past_cache else ""
    steps: list[str] = []
    for k in range(UNROLLED):
        steps.append(f"  %k{k} = add i64 %i, {k}")
        if kind != "write":
            steps.append(f"  %f{k} = getelementptr {vector}, ptr %from, i64 %k{k}")
            steps.append(f"  %v{k} = load {vector}, ptr %f{k}, align {align}")
        if kind == "read":
            steps.append(f"  %t{k} = fadd {vector} %s{k}, %v{k}")
        else:
            value = f"%v{k}" if kind == "copy" else "zeroinitializer"
            steps.append(f"  %o{k} = getelementptr {vector}, ptr %to, i64 %k{k}")
            steps.append(f"  store {vector} {value}, ptr %o{k}, align {align}{hint}")
    sums = range(UNROLLED) if kind == "read" else range(0)
    phis = [f"  %s{k} = phi {vector} [ zeroinitializer, %pass ], [ %t{k}, %loop ]" for k in sums]
    stored = [f"  store {vector} %t{k}, ptr %to, align {align}" for k in sums]
    return "\n".join(
        [
            "define void @stream(ptr %to, ptr %from, i64 %vectors, i64 %passes) {",
            "entry:",
            "  br label %pass",
            "pass:",
            "  %p = phi i64 [ 0, %entry ], [ %q, %end ]",
            "  br label %loop",
            "loop:",
            "  %i = phi i64 [ 0, %pass ], [ %j, %loop ]",
            *phis,
            *steps,
            f"  %j = add i64 %i, {UNROLLED}",
            "  %more = icmp ult i64 %j, %vectors",
            "  br i1 %more, label %loop, label %end",
            "end:",
            *stored,
            "  %q = add i64 %p, 1",
            "  %again = icmp ult i64 %q, %passes",
            "  br i1 %again, label %pass, label %done",
            "done:",
            "  ret void",
            "}",
            "!0 = !{i32 1}",
        ]
    )


def best(run: Callable[[], Any], seconds: float) -> float:
    """The least time of a run, over runs that take `seconds` together."""
    end = time.perf_counter() + seconds
    least = float("inf")
    while time.perf_counter() < end or least == float("inf"):
        began = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - began)
    return least


def aligned(count: int) -> Any:
    """That many bytes of float32, from a multiple of 64, touched."""
    raw = numpy.ones(count // 4 + 16, numpy.float32)
    start = -(raw.__array_interface__["data"][0] // 4) % 16
    return raw[start : start + count // 4]


class Ceilings:
    """Measured rates, each measured when first asked for.

    Args:
        seconds: how long to try for each.
    """

    def __init__(self, seconds: float = 0.3) -> None:
        self.seconds = seconds
        self.flops = functools.cache(self._flops)
        self.rate = functools.cache(self._rate)

    def _flops(self, dtype: str, threads: int) -> float:
        """Floating-point operations per second, a multiply-add being two."""
        entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        kernel = entry(compile_text(fma_text(dtype), ["fma"])["fma"])
        steps = 300_000  # a millisecond

        def alone(_: int) -> float:
            operands, out = (
                numpy.full(2 * lanes(dtype), 0.5, dtype),
                numpy.zeros(lanes(dtype), dtype),
            )
            places = out.ctypes.data, operands.ctypes.data
            return best(lambda: kernel(*places, steps), self.seconds)

        # Threads share nothing here, so the best of each may come at another moment.
        with ThreadPoolExecutor(threads) as pool:
            times = list(pool.map(alone, range(threads)))
        return sum(2.0 * ACCUMULATORS * lanes(dtype) * steps / took for took in times)

    def _rate(self, kind: str, size: int, threads: int) -> float:
        """Bytes read and written per second by passes that touch `size` bytes."""
        counts = (ctypes.c_int64, ctypes.c_int64)
        entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *counts)
        step = UNROLLED * host_isa().vector_bytes
        arrays = 2 if kind == "copy" else 1
        part = max(size // arrays // threads // step, 1) * step
        passes = max(1, 20_000_000 // part)  # a millisecond at least
        least = float("inf")
        for past_cache in (False, True) if kind != "read" else (False,):
            kernel = entry(compile_text(stream_text(kind, past_cache), ["stream"])["stream"])
            pairs = [(aligned(part), aligned(part)) for _ in range(threads)]
            places = [(a.ctypes.data, b.ctypes.data) for a, b in pairs]

            def work(place: tuple[int, int], kernel: Any = kernel) -> None:
                kernel(*place, part // host_isa().vector_bytes, passes)

            with ThreadPoolExecutor(threads) as pool:
                run = functools.partial(lambda p, w, at: list(p.map(w, at)), pool, work, places)
                least = min(least, best(run, self.seconds))
        return arrays * part * threads * passes / least

    def least_seconds(
        self, flops: float | None, traffic: Traffic | None, dtype: str, threads: int
    ) -> float | None:
        """The time that arithmetic and memory allow, whichever takes longer."""
        bounds = []
        if flops:
            bounds.append(flops / self.flops(dtype, threads))
        if traffic:
            # A power of two, so that a size measured once serves its neighbours.
            size = 1 << round(numpy.log2(max(traffic.read + traffic.written, 1 << 14)))
            rates = {kind: self.rate(kind, size, threads) for kind in ("read", "write", "copy")}
            both = min(traffic.read, traffic.written)
            read = (traffic.read - both) / rates["read"]
            written = (traffic.written - both) / rates["write"]
            bounds.append(2 * both / rates["copy"] + read + written)
        return max(bounds, default=None)
