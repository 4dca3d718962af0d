"""How much memory a workload needs beyond what its package holds without it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Peak"]

STATUS = Path("/proc/self/status")


def status(field: str) -> int:
    """Bytes, by Linux's record of this process."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def give_back() -> None:
    """Return what was freed to the system, so that it is not counted."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Peak:
    """The peak of resident memory above a start.

    Linux's high-water mark is set back before the calls, so what compiling took and gave back does
    not count. Elsewhere the mark cannot be set back, and it does.

    Example:
        >>> peak = Peak()
        >>> peak.begin()
        >>> peak.during(lambda: bytearray(50_000_000)) > 40_000_000
        True
    """

    def __init__(self) -> None:
        self.start = 0

    def begin(self) -> None:
        """Count from here."""
        give_back()
        self.start = status("VmRSS:") if STATUS.exists() else most()

    def during(self, call: Callable[[], Any], calls: int = 3) -> int:
        """The peak during some calls, above the start."""
        give_back()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        for _ in range(calls):
            call()
        return max(0, (status("VmHWM:") if STATUS.exists() else most()) - self.start)


def most() -> int:
    """The most memory this process ever had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
