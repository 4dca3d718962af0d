"""What stands for the text of a module that fxla prints itself: the source that prints it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

__all__ = ["state_of_sources"]


@functools.cache
def state_of_sources(names: tuple[str, ...]) -> str:
    """The hash of modules ``native_*`` of this package; empty if they are not there as source.

    Example:
        >>> len(state_of_sources(("isa",)))
        64
    """
    try:
        files = [Path(__file__).with_name(f"native_{name}.py").read_bytes() for name in names]
    except OSError:
        return ""
    return hashlib.sha256(b"\0".join(files)).hexdigest()
