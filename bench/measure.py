"""One workload on every package, in alternating rounds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from bench.peers import FXLA, JAX
from bench.processes import Package, WorkerError, workers
from bench.quiet import cores_here
from bench.record import Measured
from bench.workloads import Workload

__all__ = ["Effort", "agree", "measure"]

CACHED = "jax, cached"
"""JAX with its persistent compilation cache."""


@dataclass(frozen=True)
class Effort:
    """How long to measure, and what.

    Attributes:
        rounds: how often each package has its turn.
        seconds: of each turn.
        firsts: how many processes of fxla and JAX make a first call.
        second: whether first calls of second processes are measured.
        minima: whether the fastest call counts, not the median one.
    """

    rounds: int = 7
    seconds: float = 0.25
    firsts: int = 3
    second: bool = True
    minima: bool = False


def agree(ours: list[Any], theirs: list[Any], tolerance: float) -> str:
    """How two packages' results differ, or nothing."""
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        return f"shapes {[a.shape for a in ours]} and {[b.shape for b in theirs]}"
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.size == 0:
            continue
        apart = float(numpy.max(numpy.abs(a.astype(b.dtype) - b)))
        scale = max(float(numpy.max(numpy.abs(b))), 1e-6)
        if not apart <= tolerance * scale:
            return f"result {i} by {apart:.3g}, elements being up to {scale:.3g}"
    return ""


def measure(
    name: str, workload: Workload, pythons: dict[str, str], effort: Effort
) -> tuple[Measured, dict[str, dict[str, Any]]]:
    """One workload on every package that has it; also what each package says of itself."""
    result = Measured(name, workload.why, minima=effort.minima)
    asked = {peer: python for peer, python in pythons.items() if workload.has(peer)}
    with tempfile.TemporaryDirectory(prefix="fxla-bench-") as scratch:
        with workers(asked, scratch, workload.dtype) as started:
            described = loaded(result, started, workload, scratch)
            run(result, {p: w for p, w in started.items() if p in result.first_call}, effort)
        further_first_calls(result, workload, pythons, effort, scratch)
    return result, described


def loaded(
    result: Measured, started: dict[str, Package], workload: Workload, scratch: str
) -> dict[str, dict[str, Any]]:
    """First calls, one after the other, and whether their results agree.

    The first waits until every package has started: imports beside it would take the processor.
    """
    described: dict[str, dict[str, Any]] = {}
    for package, worker in started.items():
        try:
            described[package] = worker.ask("describe")
        except WorkerError as error:
            result.notes.append(f"{package}: {error}")
    ours: list[Any] = []
    for package in described:
        save = str(Path(scratch) / f"{package}.npz")
        try:
            answer = started[package].ask("load", name=result.name, save=save)
        except WorkerError as error:
            if not str(error).startswith("Absent"):
                result.notes.append(f"{package}: {error}")
            continue
        result.first_call[package] = [answer["first_call"]]
        if package == FXLA:
            result.code = answer["code"]
        with numpy.load(save) as archive:
            results = [archive[key] for key in archive]
        ours = ours or results
        if workload.comparable:
            apart = agree(ours, results, workload.tolerance)
            if apart:
                result.notes.append(f"{package} differs from {next(iter(started))}: {apart}")
    return described


def run(result: Measured, working: dict[str, Package], effort: Effort) -> None:
    """Alternating rounds, then memory. A package that fails is noted and left out."""
    kept = "least" if effort.minima else "seconds"

    def asked(package: str, do: str, **arguments: Any) -> dict[str, Any]:
        try:
            return working[package].ask(do, **arguments)
        except WorkerError as error:
            result.notes.append(f"{package}, {do}: {error}")
            result.rounds.pop(package, None)
            del working[package]
            return {}

    cores, shared = cores_here(), 0
    for i in range(effort.rounds):
        for package in list(working) if i % 2 == 0 else list(working)[::-1]:
            shared += not cores.settle()
            answer = asked(package, "round", seconds=effort.seconds)
            if answer:
                result.rounds.setdefault(package, []).append(answer[kept])
    if shared:
        result.notes.append(f"{shared} turns began though the cores were slower than before")
    for package in list(working):
        answer = asked(package, "memory")
        if answer:
            result.memory[package] = answer["peak"]
    if FXLA in working:
        result.generator = asked(FXLA, "generate").get("seconds")


def further_first_calls(
    result: Measured, workload: Workload, pythons: dict[str, str], effort: Effort, scratch: str
) -> None:
    """First calls of more processes of fxla and JAX, in turns: with empty caches, then with filled.

    Where fxla's cache is filled the process before has left its programs in `scratch`; JAX, whose
    cache is off by default, has to run once more for that.
    """
    asked = [package for package in (FXLA, JAX) if package in result.first_call]

    def first(package: str, cache: str) -> list[float]:
        python = pythons[JAX if package == CACHED else package]
        try:
            with workers({package: python}, cache, workload.dtype) as started:
                return [float(started[package].ask("load", name=result.name)["first_call"])]
        except WorkerError as error:
            result.notes.append(f"{package}, a further process: {error}")
            return []

    for _ in range(effort.firsts - 1):
        for package in asked:
            with tempfile.TemporaryDirectory(prefix="fxla-bench-") as empty:
                result.first_call[package] += first(package, empty)
    if not effort.second:
        return
    if JAX in asked:
        first(CACHED, scratch)
    for _ in range(effort.firsts):
        for package in asked:
            found = first(CACHED if package == JAX else package, scratch)
            result.second_process.setdefault(package, []).extend(found)
