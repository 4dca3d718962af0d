"""One package in one process: takes requests on standard input, answers on standard output.

A request and its answer are one line of JSON each:

    {"do": "describe"}                     -> {"version": ..., "start_up": seconds}
    {"do": "load", "name": workload}       -> {"first_call": seconds, "sums": [...]}
    {"do": "round", "seconds": at least}   -> {"seconds": of one call, "calls": how many were made}

A request that fails is answered by {"error": message}. Run by `bench.__main__`, as
``python -m bench.worker fxla`` or ``python -m bench.worker jax``.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import IO, Any

import numpy

from bench.workloads import WORKLOADS

__all__ = ["Worker", "serve"]

SHORTEST = 1e-3
"""Seconds: calls that take less are timed several at once, so that the clock does not show."""


def leaves(tree: Any) -> list[Any]:
    """The arrays of a result, in order."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree]


def wait(result: Any) -> None:
    """Until a result is there. One leaf is enough: a program's results come together."""
    while isinstance(result, (dict, list, tuple)):
        result = next(iter(result.values() if isinstance(result, dict) else result))
    if hasattr(result, "block_until_ready"):
        result.block_until_ready()


class Worker:
    """The state between requests: the package, and the workload that is loaded."""

    def __init__(self, package: str) -> None:
        began = time.perf_counter()
        self.xla = importlib.import_module(package)
        self.np = importlib.import_module(f"{package}.numpy")
        self.lax = importlib.import_module(f"{package}.lax")
        # The first compilation in a process also starts the compiler; that is start-up's time.
        wait(self.xla.jit(lambda x: x * 2)(self.np.ones(3, self.np.float32)))
        self.start_up = time.perf_counter() - began
        self.call: Callable[[], Any] = lambda: None

    def describe(self) -> dict[str, Any]:
        """Version, and seconds from the import to the end of a first trivial program."""
        return {"version": self.xla.__version__, "start_up": self.start_up}

    def load(self, name: str) -> dict[str, Any]:
        """Build a workload and call it once: tracing, compiling and running."""
        function, arguments = WORKLOADS[name].build(self.np, self.lax, self.xla)
        placed = self.xla.tree.map(self.np.asarray, arguments)
        for leaf in leaves(placed):
            wait(leaf)
        self.call = lambda: function(*placed)
        began = time.perf_counter()
        result = self.call()
        wait(result)
        first_call = time.perf_counter() - began
        sums = [float(numpy.sum(numpy.abs(numpy.asarray(x, "f8")))) for x in leaves(result)]
        return {"first_call": first_call, "sums": sums}

    def round(self, seconds: float) -> dict[str, Any]:
        """The median time of a call, over calls that take `seconds` together."""
        call = self.call
        wait(call())
        began = time.perf_counter()
        wait(call())
        at_once = max(1, int(SHORTEST / (time.perf_counter() - began)))
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            began = time.perf_counter()
            for _ in range(at_once):
                wait(call())
            times.append((time.perf_counter() - began) / at_once)
        return {"seconds": statistics.median(times), "calls": len(times) * at_once}


def serve(package: str, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    worker = Worker(package)
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "describe": worker.describe,
        "load": worker.load,
        "round": worker.round,
    }
    for line in requests:
        request = json.loads(line)
        try:
            answer = actions[request.pop("do")](**request)
        except Exception as error:  # the parent reports it and goes on with the next workload
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # What a library prints must not be taken for an answer.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.argv[1], sys.stdin, channel)
