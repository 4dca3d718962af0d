"""What was measured of one workload, and the ratios that follow."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.peers import FXLA, TORCHES

__all__ = ["Measured", "geometric_mean"]


@dataclass
class Measured:
    """One workload on each package.

    Attributes:
        name: the workload.
        why: one line on what a peer does better, if one does.
        first_call: seconds in each process that was started for it, by package.
        rounds: seconds of one call in each round, by package; rounds are in the same order.
        second_process: the same where an earlier process has filled the cache.
        memory: bytes that calls held at most, beyond what the package holds without the workload.
        code: bytes of machine code that fxla made.
        generator: seconds that fxla took to trace and generate, in a process that had done so.
        notes: what went wrong, if anything.
        minima: whether to compare the fastest rounds, on a machine that others use too.
    """

    name: str
    why: str = ""
    first_call: dict[str, list[float]] = field(default_factory=dict)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    second_process: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    code: int | None = None
    generator: float | None = None
    notes: list[str] = field(default_factory=list)
    minima: bool = False

    def typical(self, package: str) -> float | None:
        """The median over rounds."""
        rounds = self.rounds.get(package)
        if not rounds:
            return None
        return min(rounds) if self.minima else statistics.median(rounds)

    def speed_up(self, peer: str) -> float | None:
        """How many times as long the peer takes: the median of the rounds' ratios.

        Both sides of each ratio met the same noise.
        """
        ours, theirs = self.rounds.get(FXLA), self.rounds.get(peer)
        if not ours or not theirs:
            return None
        if self.minima:
            return min(theirs) / min(ours)
        return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))

    def over_torch(self) -> float | None:
        """The speed-up over the faster of PyTorch's modes."""
        return self.over(TORCHES)

    def over_best(self) -> float | None:
        """The speed-up over the fastest peer."""
        return self.over(self.rounds)

    def over(self, peers: Iterable[str]) -> float | None:
        """The speed-up over the fastest of some peers."""
        ratios = [self.speed_up(peer) for peer in peers if peer != FXLA]
        return min((r for r in ratios if r is not None), default=None)

    def best(self) -> str | None:
        """The fastest peer."""
        ratios = {peer: self.speed_up(peer) for peer in self.rounds if peer != FXLA}
        return min(((r, peer) for peer, r in ratios.items() if r), default=(0.0, None))[1]

    def first(self, package: str) -> float | None:
        """The median of first calls with an empty cache."""
        return middle(self.first_call.get(package))

    def second(self, package: str) -> float | None:
        """The median of first calls with a filled cache."""
        return middle(self.second_process.get(package))

    def first_ratio(self, peer: str) -> float | None:
        """fxla's first call as a share of the peer's."""
        ours, theirs = self.first(FXLA), self.first(peer)
        return ours / theirs if ours and theirs else None

    def second_ratio(self, peer: str) -> float | None:
        """fxla's first call with a filled cache as a share of the peer's with an empty one."""
        ours, theirs = self.second(FXLA), self.first(peer)
        return ours / theirs if ours and theirs else None


def middle(every: list[float] | None) -> float | None:
    """The median, if there is one."""
    return statistics.median(every) if every else None


def geometric_mean(ratios: Iterable[float | None]) -> float | None:
    """Of those that are there.

    Example:
        >>> geometric_mean([1.0, None, 4.0])
        2.0
    """
    logs = [math.log(r) for r in ratios if r]
    return math.exp(statistics.fmean(logs)) if logs else None
