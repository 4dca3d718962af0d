"""How many processors there are to compute and to compile with."""

from __future__ import annotations

import os
import sys

__all__ = ["default_threads"]


def default_threads() -> int:
    """How many threads compute: ``FXLA_NUM_THREADS``, or the processors this process may use.

    Raises:
        ValueError: if the variable is not a positive number.
    """
    if sys.platform == "win32":
        return 1
    chosen = os.environ.get("FXLA_NUM_THREADS", "").strip()
    if chosen:
        if not chosen.isdecimal() or int(chosen) < 1:
            raise ValueError(f"FXLA_NUM_THREADS={chosen!r}: expected a positive number")
        return int(chosen)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
