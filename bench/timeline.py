"""`python -m bench stages`: where a program's time goes, on which thread, and who waits.

A program's driver calls everything by a table of addresses. Here these are exchanged, for some
calls, for functions that note when they begin and end and on which thread, and then call what was
there. Nothing is compiled anew, so what is seen is what runs without.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

import fxla
from bench.page import machine, readable, table
from bench.peers import FXLA, Fxla
from bench.timeline_text import CHUNK, FIELDS, JOB, KERNEL, exchanged_text
from bench.workloads import Workload
from fxla.compile.backend.improve import wait_for_improvements
from fxla.compile.backend.native import compile_text
from fxla.compile.backend.pool import pool
from fxla.compile.executable import Executable, compile_jaxpr
from fxla.compile.image import HostFunction

__all__ = ["Stage", "stages", "stages_page", "stages_table"]

ROOM = 1 << 18
"""Notes that there is memory for."""
CALLS = 20
WARM = 3
"""Calls before: what was compiled in haste is compiled well after some."""


@dataclass
class Stage:
    """What one instruction of a program took, over all calls.

    Attributes:
        name: of the kernel or routine.
        chunks: that it was cut into.
        runs: how often it ran.
        seconds: that it took.
        busy: seconds that each thread computed, by thread.
    """

    name: str
    chunks: int
    runs: int = 0
    seconds: float = 0.0
    busy: dict[int, float] = field(default_factory=dict)

    def idle(self, threads: int) -> float:
        """The share of the threads' time in which they had nothing to do."""
        return max(0.0, 1 - sum(self.busy.values()) / (threads * self.seconds or 1.0))


@dataclass
class _Log:
    """What is noted while a program runs, and what the numbers mean.

    Attributes:
        notes: rows of `FIELDS` numbers.
        count: gives how many there are.
        names: of what was exchanged, by its number, and of other functions, by their addresses.
        tick: seconds of one step of the processor's counter.
    """

    notes: Any
    count: Callable[[], int]
    names: dict[int, str]
    tick: float


def _tick(now: Callable[[], int]) -> float:
    """Seconds of one step of the counter."""
    began, first = time.perf_counter(), now()
    time.sleep(0.02)
    return (time.perf_counter() - began) / max(now() - first, 1)


@contextlib.contextmanager
def _noted(executable: Executable) -> Iterator[_Log]:
    """Note what an executable's calls do."""
    functions = executable.image.functions
    table = (ctypes.c_uint64 * len(functions)).from_address(executable.function_table)
    was = list(table)
    kernels = executable.program.kernels()
    slots: list[int] = []
    hosts: list[bool] = []
    names: dict[int, str] = {}
    for slot, what in enumerate(functions):
        if isinstance(what, str):
            if was[slot]:
                names[was[slot]] = what
        elif isinstance(what, HostFunction) or executable.kernels[what].packed:
            names[len(slots)] = kernels[what].name if isinstance(what, int) else "host call"
            slots.append(slot)
            hosts.append(isinstance(what, HostFunction))
    defined = [f"{stem}_{k}" for k in range(len(slots)) for stem in ("set", "instead")]
    code = compile_text(exchanged_text(hosts), ["begin", "now", "count", "share", *defined])
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    notes = numpy.zeros((ROOM, FIELDS), numpy.int64)
    begin = ctypes.CFUNCTYPE(None, pointer, number, pointer)(code["begin"])
    begin(notes.ctypes.data, ROOM, pool().parallel_for)
    for k, slot in enumerate(slots):
        ctypes.CFUNCTYPE(None, pointer)(code[f"set_{k}"])(was[slot])
        table[slot] = code[f"instead_{k}"]
        names[code[f"instead_{k}"]] = names[k]
    for slot, what in enumerate(functions):
        if what == "parallel_for" and was[slot]:
            table[slot] = code["share"]
    now = ctypes.CFUNCTYPE(number)(code["now"])
    try:
        yield _Log(notes, ctypes.CFUNCTYPE(number)(code["count"]), names, _tick(now))
    finally:
        table[:] = was


def stages(
    program: Callable[..., Any], arguments: Sequence[Any], calls: int = CALLS
) -> tuple[list[Stage], float]:
    """The stages of a program in the order in which they first run, and seconds of a call.

    Args:
        program: a jitted function.
        arguments: of it.
        calls: over which times are added up; the median of their times is given.
    """
    closed = fxla.make_jaxpr(program)(*arguments)
    executable = compile_jaxpr(closed.jaxpr)
    leaves = [*closed.consts, *fxla.tree.leaves(tuple(arguments))]
    for _ in range(WARM):
        executable(*leaves)
    wait_for_improvements()
    found: dict[tuple[str, int], Stage] = {}
    spans: list[float] = []
    with _noted(executable) as log:
        for _ in range(calls):
            first = log.count()
            executable(*leaves)
            spans.append(_add(found, log, log.notes[first : min(log.count(), ROOM)]))
    return list(found.values()), float(numpy.median(spans))


def _add(found: dict[tuple[str, int], Stage], log: _Log, notes: Any) -> float:
    """Add the notes of one call to the stages; returns its seconds."""
    if not len(notes):
        return 0.0
    notes = notes[numpy.argsort(notes[:, 3], kind="stable")]
    kernels, jobs, chunks = (notes[notes[:, 0] == kind] for kind in (KERNEL, JOB, CHUNK))
    if len(jobs):  # kernels that a job's chunks called are not stages
        at = numpy.searchsorted(jobs[:, 3], kernels[:, 3], "right") - 1
        kernels = kernels[(at < 0) | (kernels[:, 3] > jobs[numpy.maximum(at, 0), 4])]
    top = numpy.concatenate([jobs, kernels])
    for kind, which, thread, begun, ended, count in top[numpy.argsort(top[:, 3])].tolist():
        name = log.names.get(which & (1 << 64) - 1, "library")
        stage = found.setdefault((name, count), Stage(name, count))
        stage.runs += 1
        stage.seconds += (ended - begun) * log.tick
        stage.busy.setdefault(thread, 0.0)
        if kind == KERNEL:
            stage.busy[thread] += (ended - begun) * log.tick
            continue
        first, last = numpy.searchsorted(chunks[:, 3], [begun, ended])
        for _, _, worker, start, end, _ in chunks[first:last].tolist():
            stage.busy[worker] = stage.busy.get(worker, 0.0) + (end - start) * log.tick
    return float(top[:, 4].max() - top[:, 3].min()) * log.tick


def stages_table(
    program: Callable[..., Any], arguments: Sequence[Any], threads: int, calls: int = CALLS
) -> str:
    """A row for each stage: its part of a call, how it is shared, and what threads wait in it."""
    found, span = stages(program, arguments, calls)
    rows = [["stage", "runs", "chunks", "time", "of the call", "threads idle", "lost"]]
    total = lost = 0.0
    for s in found:
        each = s.seconds / calls
        waste = each * s.idle(threads)
        total, lost = total + each, lost + waste
        part = f"{each * calls / max(span * calls, 1e-12):.0%}"
        cells = [readable(each), part, f"{s.idle(threads):.0%}", readable(waste)]
        rows.append([s.name, f"{s.runs / calls:g}", str(s.chunks), *cells])
    return (
        f"{table(rows)}\n\nA call takes {readable(span)}, its stages {readable(total)} on"
        f" average; with no thread idle, they would take {readable(total - lost)}."
    )


def stages_page(workloads: dict[str, Workload], threads: int, calls: int = CALLS) -> str:
    """The stages of workloads on so many threads."""
    peer = Fxla(FXLA)
    parts = [
        f"# Where time goes\n\n{machine()}; {threads} threads.\n\n"
        "Idle is the share of the threads' time in a stage in which they wait: for work that one"
        " of them does alone, or for the last chunk. Lost is that share of the stage's time."
    ]
    with fxla.threads(threads):
        for name, workload in workloads.items():
            program = None if workload.eager else peer.program(workload)
            if program is None:
                continue
            arguments = peer.place(workload.arguments())
            parts.append(f"## {name}\n\n{stages_table(program, arguments, threads, calls)}")
            print(name, file=sys.stderr, flush=True)
    return "\n\n".join(parts) + "\n"
