"""Programs that nobody tunes on: what public tutorials compute, in our own words.

Each docstring names the page. They are run and reported beside the tuned set, so that the distance
between the two shows what tuning alone has brought; do not look at their kernels to improve them.
"""

from __future__ import annotations

from bench.heldout.jax_tutorials import (
    Elbo,
    HessianProduct,
    Smoothing,
    TemporalDifference,
    TwoHidden,
)
from bench.heldout.torch_tutorials import Ensemble, Generator, Polynomial, QLearning, Style
from bench.workloads import Workload

__all__ = ["HELD_OUT"]

HELD_OUT: dict[str, Workload] = {
    workload.name: workload
    for workload in [
        Elbo(),
        TwoHidden(),
        HessianProduct(),
        Smoothing(),
        TemporalDifference(),
        Polynomial(),
        Ensemble(),
        Style(),
        QLearning(),
        Generator(),
    ]
}
"""What is measured and not tuned on, by name."""
