"""`python -m bench surface`: every function on a million elements, compiled, beside NumPy and JAX.

The calls are those of `bench.calls`. Each package has a process of its own; they take turns, and
least times are compared. A ratio is fxla's time over the peer's: above 1 fxla is slower.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.calls import SURFACE, WHY
from bench.page import machine, readable, table
from bench.peers import FXLA, JAX
from bench.processes import Package, WorkerError, workers
from bench.record import geometric_mean

__all__ = ["Compared", "Turns", "compare", "surface_page", "text_of"]

NUMPY = "numpy"
SLOW = 1.5
"""A call slower than this many times NumPy's time is listed by name, with its reason."""
KEPT = 20
"""After so many more calls the page is written."""
ENDS = 10
"""How many of the best and of the worst ratios are listed."""


@dataclass(frozen=True)
class Compared:
    """One call by several packages.

    Attributes:
        name: the expression.
        least: the least time of each package that ran it, in seconds.
        failures: what the others said.
    """

    name: str
    least: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def over(self, peer: str) -> float | None:
        """fxla's time over the peer's."""
        ours, theirs = self.least.get(FXLA), self.least.get(peer)
        return ours / theirs if ours and theirs else None


@dataclass(frozen=True)
class Turns:
    """How long each call is timed: in `rounds` turns of `seconds`."""

    rounds: int
    seconds: float


def compare(name: str, started: dict[str, Package], turns: Turns) -> Compared:
    """Time one call in every process, by turns.

    The processes trace and compile at the same time; while one times its call the others wait.
    """
    result = Compared(SURFACE[name].name)

    def load(package: str) -> str:
        try:
            started[package].ask("load", name=name)
        except WorkerError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(started)) as threads:
        said = dict(zip(started, threads.map(load, started), strict=True))
    result.failures.update({package: why for package, why in said.items() if why})
    ready = [package for package, why in said.items() if not why]
    for i in range(turns.rounds):
        for package in ready if i % 2 == 0 else ready[::-1]:
            least = float(started[package].ask("round", seconds=turns.seconds)["least"])
            result.least[package] = min(least, result.least.get(package, least))
    return result


def surface_page(
    words: list[str], pythons: dict[str, str], turns: Turns, keep: Callable[[str], object]
) -> str:
    """Time the calls and write the page.

    Args:
        words: parts of calls; one is timed if it contains one of them.
        pythons: of the packages; fxla, NumPy and JAX are asked.
        turns: of each package, for each call.
        keep: takes the page of what has been timed so far, every few calls.
    """
    chosen = [n for n, c in SURFACE.items() if any(word in c.name for word in words)]
    asked = {FXLA: pythons[FXLA], NUMPY: pythons[FXLA]}
    asked |= {JAX: pythons[JAX]} if JAX in pythons else {}
    found: list[Compared] = []
    page = "no call has such a name"
    with (
        tempfile.TemporaryDirectory(prefix="fxla-bench-") as scratch,
        workers(asked, scratch, "float64") as started,
    ):
        for k, name in enumerate(chosen, 1):
            found.append(compare(name, started, turns))
            print(f"{k}/{len(chosen)} {SURFACE[name].name}", file=sys.stderr, flush=True)
            if k % KEPT == 0 or k == len(chosen):
                page = text_of(found, list(asked)[1:], turns)
                keep(page)
    return page


def text_of(found: list[Compared], peers: list[str], turns: Turns) -> str:
    """The page: a summary, the ends of the list, what is slow and why, and all times."""
    timed = sorted(
        (c for c in found if c.over(NUMPY) is not None), key=lambda c: -(c.over(NUMPY) or 0.0)
    )
    slow = [c for c in timed if (c.over(NUMPY) or 0.0) > SLOW]
    parts = [
        "# Every function beside NumPy and JAX, at about a million elements\n",
        f"{machine()}.\n",
        f"{len(timed)} calls, each jitted. Least times over {turns.rounds} turns of "
        f"{turns.seconds} s, every package in a process of its own. Ratios are fxla's time over "
        "the peer's: below 1 fxla is faster. Where NumPy gives a view, its time is that of a copy "
        "in the order of its elements, because results of compiled functions are such arrays. "
        "Where JAX cannot compile a call, because a size depends on values, its time is that of "
        "its eager functions.\n",
        table([["", *[f"over {p}" for p in peers]], *_summary(timed, peers)]) + "\n",
        f"## Slower than {SLOW} times NumPy\n",
        "\n".join(_reason(c) for c in slow) + "\n" if slow else "None.\n",
    ]
    for title, some in (("best", timed[::-1][:ENDS]), ("worst", timed[:ENDS])):
        parts += [f"## The {ENDS} {title}, beside NumPy\n", _times(some, peers)]
    beside = sorted((c for c in timed if c.over(JAX)), key=lambda c: -(c.over(JAX) or 0.0))
    if beside:
        for title, some in (("best", beside[::-1][:ENDS]), ("worst", beside[:ENDS])):
            parts += [f"## The {ENDS} {title}, beside JAX\n", _times(some, peers)]
    failed = [f"- `{c.name}`: {p}: {why}" for c in found for p, why in c.failures.items()]
    if failed:
        parts += ["## Not timed\n", "\n".join(failed) + "\n"]
    parts += ["## All, the slowest ratio first\n", _times(timed, peers)]
    return "\n".join(parts)


def _summary(timed: list[Compared], peers: list[str]) -> list[list[str]]:
    """Geometric means, and how many calls are on which side."""
    columns = [[r for c in timed if (r := c.over(p)) is not None] for p in peers]
    return [
        ["calls", *[str(len(ratios)) for ratios in columns]],
        ["geometric mean", *[f"{geometric_mean(ratios) or 0.0:.2f}" for ratios in columns]],
        ["as fast or faster", *[_share(ratios, 0.0, 1.0) for ratios in columns]],
        [f"slower than {SLOW} times", *[_share(ratios, SLOW, float("inf")) for ratios in columns]],
    ]


def _share(ratios: Iterable[float], low: float, high: float) -> str:
    return str(sum(low < r <= high for r in ratios))


def _reason(c: Compared) -> str:
    why = next((why for part, why in WHY.items() if part in c.name), "unexplained")
    return f"- `{c.name}`: {c.over(NUMPY):.2f}: {why}"


def _times(some: list[Compared], peers: list[str]) -> str:
    rows = [["call", FXLA, *peers, *[f"over {p}" for p in peers]]]
    for c in some:
        ratios = [c.over(p) for p in peers]
        rows.append(
            [
                "`" + c.name.replace("|", "\\|") + "`",
                *[readable(c.least.get(p)) for p in (FXLA, *peers)],
                *["-" if r is None else f"{r:.2f}" for r in ratios],
            ]
        )
    return table(rows) + "\n"
