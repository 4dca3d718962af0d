"""Programs that nobody tunes on: taken from public tutorials, in our own words."""

from __future__ import annotations

from bench.workloads import Workload

__all__ = ["HELD_OUT"]

HELD_OUT: dict[str, Workload] = {}
