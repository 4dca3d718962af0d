"""The speed-ups as bars, for those who have matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.peers import JAX
from bench.record import Measured

__all__ = ["draw"]

SERIES = ((f"over {JAX}", "#1f77b4"), ("over the best of torch", "#ff7f0e"))


def draw(measured: list[Measured], path: Path) -> None:
    """Write an SVG: a bar for each workload and peer, on a logarithmic scale.

    Raises:
        ImportError: if matplotlib is not there; the extra `bench` brings it.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = [m for m in measured if m.speed_up(JAX) or m.over_torch()][::-1]
    # The same results give the same file: no date, no random names of elements.
    with rc_context({"svg.hashsalt": "fxla", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(8, 1.2 + 0.3 * len(shown)), layout="constrained")
        axes: Any = figure.add_subplot()
        for i, (label, colour) in enumerate(SERIES):
            ratios = [m.speed_up(JAX) if i == 0 else m.over_torch() for m in shown]
            bars = [(k, r) for k, r in enumerate(ratios) if r]
            axes.barh(
                [k + 0.2 - 0.4 * i for k, _ in bars],
                [r - 1 for _, r in bars],
                left=1,
                height=0.38,
                color=colour,
                label=label,
            )
        axes.set_xscale("log")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(range(len(shown)), [m.name for m in shown])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.set_xlabel("times as fast as the peer")
        axes.legend(loc="lower right")
        figure.savefig(path, format="svg", metadata={"Date": None})
