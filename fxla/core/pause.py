"""A scope without the garbage collector.

Tracing and compiling make many small objects, nearly all of which stay alive to the end. Each
collection they cause walks everything the process has imported, which takes longer than what it
interrupts.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

__all__ = ["no_collection"]

_lock = threading.Lock()
_inside = 0
_was_enabled = False


@contextlib.contextmanager
def no_collection(lasting: bool = False) -> Iterator[None]:
    """Put garbage collection off to the end of the outermost such scope of all threads.

    Args:
        lasting: whether what is made is there to stay, as what is imported is. The first collection
            after such a scope does not walk it.

    Example:
        >>> import gc
        >>> with no_collection():
        ...     gc.isenabled()
        False
        >>> gc.isenabled()
        True
    """
    global _inside, _was_enabled
    with _lock:
        if _inside == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and lasting and gc.get_freeze_count() == 0:
                gc.freeze()  # puts all objects aside, at no cost for each,
                gc.unfreeze()  # and back among the oldest
            if _inside == 0 and _was_enabled:
                gc.enable()
