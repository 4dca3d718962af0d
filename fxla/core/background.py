"""Work that nobody waits for."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

__all__ = ["in_background"]

_PATIENCE = 5.0
"""Seconds that a fork waits for a thread, which may itself wait for what the forking one holds."""
_brief: list[threading.Thread] = []


def in_background(work: Callable[[], object], name: str, brief: bool = False) -> threading.Thread:
    """Have another thread do some work, unless the interpreter is about to end.

    The interpreter waits for the thread when it ends, so that no native code runs in a process that
    is being taken down.

    Args:
        work: without arguments; its result is not kept.
        name: of the thread.
        brief: whether a fork waits for it, too. A child does not have the thread: what it was about
            to import, and has the lock for, could never be imported there.

    Example:
        >>> seen = []
        >>> in_background(lambda: seen.append(1), "fxla-example").join()
        >>> seen
        [1]
    """
    thread = threading.Thread(target=work, name=name)
    with contextlib.suppress(RuntimeError):  # no thread can start any more
        thread.start()
        if brief:
            _brief.append(thread)
    return thread


def _wait() -> None:
    while _brief:
        thread = _brief.pop()
        if thread is not threading.current_thread():
            thread.join(_PATIENCE)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)
