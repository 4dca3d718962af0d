"""`python -m bench training`: one epoch beside JAX with optax and beside PyTorch.

Each package has a process of its own for each model, with an empty cache. The time to the first
finished step runs from the start of the process: importing, tracing, compiling, one step. Then the
packages train an epoch by turns; a ratio is of least times, and above 1 fxla is slower.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.page import machine, readable, table
from bench.peers import FXLA, JAX
from bench.processes import Package, WorkerError
from bench.training.tasks import TASKS

__all__ = ["Trained", "compared", "training_page"]

PACKAGES = (FXLA, JAX, "torch")
APART = 0.02
"""Losses after the first epoch that differ by more, relatively, are noted."""


@dataclass
class Trained:
    """One model in every package.

    Attributes:
        first_step: seconds from the start of a process to its first finished step.
        epochs: seconds of each epoch.
        loss: mean over the first epoch.
        notes: what failed.
    """

    first_step: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, list[float]] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def compared(name: str, pythons: dict[str, str], rounds: int) -> Trained:
    """Train one model in every package, by turns."""
    result = Trained()
    started: dict[str, Package] = {}
    with tempfile.TemporaryDirectory(prefix="fxla-bench-") as scratch:
        try:
            for package in [p for p in PACKAGES if p in pythons]:
                began = time.perf_counter()
                started[package] = Package(package, pythons[package], str(Path(scratch) / package))
                try:
                    started[package].ask("first step", name=name)
                except WorkerError as error:
                    result.notes.append(f"{package}: {error}")
                    continue
                result.first_step[package] = time.perf_counter() - began
            for k in range(rounds):
                turns = list(result.first_step)
                for package in turns if k % 2 == 0 else reversed(turns):
                    answer = started[package].ask("epoch", seed=k)
                    result.epochs.setdefault(package, []).append(answer["seconds"])
                    result.loss.setdefault(package, answer["loss"])
        finally:
            for worker in started.values():
                worker.stop()
    ours = result.loss.get(FXLA)
    for package, loss in result.loss.items():
        if ours is not None and abs(loss - ours) > APART * abs(ours):
            result.notes.append(f"{package}'s loss is {loss:.4f}, fxla's {ours:.4f}")
    return result


def training_page(words: list[str], pythons: dict[str, str], rounds: int) -> str:
    """A row for each model: epochs and first steps, and fxla's time over the peers'."""
    peers = [p for p in PACKAGES if p in pythons and p != FXLA]
    epochs = [["model", *(f"{p}" for p in (FXLA, *peers)), *(f"over {p}" for p in peers), "loss"]]
    first = [["model", *(FXLA, *peers), *(f"over {p}" for p in peers)]]
    notes = []
    for name in [n for n in TASKS if any(word in n for word in words)]:
        found = compared(name, pythons, rounds)
        print(name, file=sys.stderr, flush=True)
        least = {package: min(times) for package, times in found.epochs.items()}
        loss = f"{found.loss.get(FXLA, float('nan')):.4f}"
        epochs.append([name, *_row(least, peers), loss])
        first.append([name, *_row(found.first_step, peers)])
        notes += [f"- {name}: {note}" for note in found.notes]
    said = "\n".join(f"- {name}: {task.why}" for name, task in TASKS.items())
    return (
        f"# Training beside PyTorch and JAX with optax\n\n{machine()}. float32, {rounds} "
        f"alternating rounds, least times; ratios are fxla's time over the peer's.\n\n{said}\n\n"
        f"## One epoch\n\n{table(epochs)}\n\nThe loss is the mean over the first epoch.\n\n"
        "## From the start of a process with an empty cache to the first finished step\n\n"
        f"{table(first)}\n" + ("\n" + "\n".join(notes) + "\n" if notes else "")
    )


def _row(seconds: dict[str, float], peers: list[str]) -> list[str]:
    times = [readable(seconds[p]) if p in seconds else "-" for p in (FXLA, *peers)]
    ratios = [
        f"{seconds[FXLA] / seconds[p]:.2f}" if p in seconds and FXLA in seconds else "-"
        for p in peers
    ]
    return [*times, *ratios]
