"""Waiting until the machine's cores are its own.

A virtual machine's processors may be put on one core of the host for seconds: two threads that
multiply then take exactly twice their time, whatever runs here. Turns begin when they do not.
"""

from __future__ import annotations

import ctypes
import functools
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy

from bench.ceilings import fma_text, lanes, threads_here
from fxla.compile.backend.native import compile_text

__all__ = ["Cores", "cores_here"]

SLOWER = 1.35
"""How much longer than ever before threads may take side by side."""
STEPS = 600_000
"""Of a probe: two milliseconds."""
PROBES = 5
PAUSE = 0.5
"""Seconds between probes that were too slow."""


class Cores:
    """Whether all threads run at the speed they have run at before.

    Args:
        threads: side by side.
        probe: seconds that they take; default: for multiply-adds in registers.
        sleep: how to wait.
    """

    def __init__(
        self,
        threads: int,
        probe: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.threads = threads
        self.least = float("inf")
        self.waited = 0.0
        self._probe = probe or self._multiply
        self._sleep = sleep

    def settle(self, patience: float = 20.0) -> bool:
        """Wait until the cores are as fast as they have been; whether they became so.

        Args:
            patience: seconds to wait at most.
        """
        waited = 0.0
        while True:
            took = self._probe()
            self.least = min(self.least, took)
            if took <= SLOWER * self.least:
                return True
            if waited >= patience:
                return False
            self._sleep(PAUSE)
            waited += PAUSE
            self.waited += PAUSE

    def _multiply(self) -> float:
        entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        kernel = entry(compile_text(fma_text("float32"), ["fma"])["fma"])

        def alone(_: int) -> float:
            operands = numpy.full(2 * lanes("float32"), 0.5, numpy.float32)
            out = numpy.zeros(lanes("float32"), numpy.float32)
            times = []
            for _ in range(PROBES):
                began = time.perf_counter()
                kernel(out.ctypes.data, operands.ctypes.data, STEPS)
                times.append(time.perf_counter() - began)
            return statistics.median(times)

        with ThreadPoolExecutor(self.threads) as pool:
            return max(pool.map(alone, range(self.threads)))


@functools.cache
def cores_here() -> Cores:
    """Those of the threads that fxla uses."""
    return Cores(threads_here())
