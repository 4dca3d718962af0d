"""One package in one process: takes requests on standard input, answers on standard output.

A request and its answer are one line of JSON each:

    {"do": "describe"}                          -> {"version": ..., "start_up": seconds}
    {"do": "load", "name": ..., "save": path}   -> {"first_call": seconds, "code": bytes}
    {"do": "round", "seconds": at least}        -> {"seconds": median, "least":, "calls":}
    {"do": "threads", "numbers": [..], "seconds":} -> {"least": seconds for each, fxla only}
    {"do": "sizes", "name": ..., "every": [..]} -> {"total": seconds, "slowest":, "median":}
    {"do": "memory"}                            -> {"peak": bytes}
    {"do": "first step", "name": of a model}    -> {"loss": of the first batch}
    {"do": "epoch", "seed": of the order}       -> {"seconds":, "loss": mean}
    {"do": "generate"}                          -> {"seconds": of tracing and generating, fxla only}

`load` saves the results of the first call as ``path``, a NumPy archive. A request that fails is
answered by {"error": message}. Run by `bench.processes`, as ``python -m bench.worker fxla``.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import IO, Any

import numpy

from bench.calls import SURFACE
from bench.heldout import HELD_OUT
from bench.memory import Peak
from bench.peers import start
from bench.training.tasks import TASKS, Task, batches
from bench.workloads import TUNED
from bench.workloads.workload import Arguments, Workload

__all__ = ["Worker", "serve"]

EVERY: dict[str, Workload] = {**TUNED, **HELD_OUT, **SURFACE}
SHORTEST = 1e-3
"""Seconds: calls that take less are timed several at once, so that the clock does not show."""
TURNS = 6
"""How often each number of threads is timed."""


class Absent(Exception):
    """The workload is not written for this package."""


def loaded_code() -> int:
    """Bytes of the object files of programs, if fxla has loaded any."""
    native = sys.modules.get("fxla.compile.backend.native")
    return 0 if native is None else int(native.loaded_code())


class Worker:
    """The state between requests: the package, and the workload that is loaded."""

    def __init__(self, package: str) -> None:
        self.peer, self.start_up = start(package)
        self.peak = Peak()
        self.call: Callable[[], Any] = lambda: None
        self.program: Callable[..., Any] = lambda: None
        self.placed: Arguments = ()
        self.task: Task
        self.train: Callable[[Any, Any], Callable[[], float]]

    def describe(self) -> dict[str, Any]:
        """Version, and seconds from the import to the end of a first trivial program."""
        return {"version": self.peer.version(), "start_up": self.start_up}

    def load(self, name: str, save: str = "", sizes: dict[str, int] | None = None) -> Any:
        """Build a workload and call it once: tracing, compiling and running."""
        workload = EVERY[name].resized(sizes or {})
        before = loaded_code()
        self.peak.begin()
        program = self.peer.program(workload)
        if program is None:
            raise Absent(name)
        self.program, self.placed = program, self.peer.place(workload.arguments())
        self.call = self.peer.waiting(workload, functools.partial(program, *self.placed))
        began = time.perf_counter()
        result = self.call()
        first_call = time.perf_counter() - began
        if save:
            numpy.savez(save, *self.peer.arrays(result))
        return {"first_call": first_call, "code": loaded_code() - before}

    def sizes(self, name: str, every: list[dict[str, int]]) -> dict[str, Any]:
        """First calls of one program at several sizes."""
        workloads = [EVERY[name].resized(sizes) for sizes in every]
        program = self.peer.program(workloads[0])
        if program is None:
            raise Absent(name)
        taken = []
        for workload in workloads:
            placed = self.peer.place(workload.arguments())
            call = self.peer.waiting(workload, functools.partial(program, *placed))
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
        median = statistics.median(taken)
        return {"total": sum(taken), "slowest": max(taken), "median": median}

    def round(self, seconds: float) -> dict[str, Any]:
        """The median and the least time of a call, over calls that take `seconds` together."""
        call = self.call
        call()
        began = time.perf_counter()
        call()
        at_once = max(1, int(SHORTEST / (time.perf_counter() - began)))
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 1 or time.perf_counter() < end:
            began = time.perf_counter()
            for _ in itertools.repeat(None, at_once):
                call()
            times.append((time.perf_counter() - began) / at_once)
        median, calls = statistics.median(times), len(times) * at_once
        return {"seconds": median, "least": min(times), "calls": calls}

    def threads(self, numbers: list[int], seconds: float) -> dict[str, Any]:
        """The least time of a call on each number of threads; they take turns."""
        least = [float("inf")] * len(numbers)
        for _ in range(TURNS):
            for k, n in enumerate(numbers):
                with self.peer.module.threads(n):
                    least[k] = min(least[k], float(self.round(seconds / TURNS)["least"]))
        return {"least": least}

    def memory(self) -> dict[str, Any]:
        """The most memory that calls held, beyond what the package holds without the workload."""
        return {"peak": self.peak.during(self.call)}

    def first_step(self, name: str) -> dict[str, Any]:
        """Train the model on one batch."""
        package = importlib.import_module(f"bench.training.with_{self.peer.name}")
        self.task = TASKS[name]
        self.train = package.stepper(name, self.task)
        return {"loss": self.train(*next(batches(self.task, 0)))()}

    def epoch(self, seed: int) -> dict[str, Any]:
        """Train an epoch; losses are asked for at its end."""
        given = list(batches(self.task, seed))
        began = time.perf_counter()
        losses = [self.train(x, y) for x, y in given]
        last = losses[-1]()
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "loss": statistics.fmean(x() for x in losses), "last": last}

    def generate(self) -> dict[str, Any]:
        """Seconds of tracing and generating once more, where the package can tell."""
        return {"seconds": self.peer.generate(self.program, self.placed)}


def serve(package: str, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    worker = Worker(package)
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "describe": worker.describe,
        "load": worker.load,
        "round": worker.round,
        "sizes": worker.sizes,
        "threads": worker.threads,
        "memory": worker.memory,
        "generate": worker.generate,
        "first step": worker.first_step,
        "epoch": worker.epoch,
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
