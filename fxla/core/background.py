"""Work that nobody waits for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

__all__ = ["in_background"]


def in_background(work: Callable[[], object], name: str) -> threading.Thread:
    """Have another thread do some work, unless the interpreter is about to end.

    The interpreter waits for the thread when it ends, so that no native code runs in a process that
    is being taken down.

    Args:
        work: without arguments; its result is not kept.
        name: of the thread.

    Example:
        >>> seen = []
        >>> in_background(lambda: seen.append(1), "fxla-example").join()
        >>> seen
        [1]
    """
    thread = threading.Thread(target=work, name=name)
    with contextlib.suppress(RuntimeError):  # no thread can start any more
        thread.start()
    return thread
