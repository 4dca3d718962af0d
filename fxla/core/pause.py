"""Scopes in which the interpreter does less on the side, or turns to other threads sooner.

Tracing and compiling make many small objects, nearly all of which stay alive to the end. Each
collection they cause walks everything the process has imported, which takes longer than what it
interrupts. And threads that compile need the interpreter for moments only: they would wait 5 ms for
each.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

__all__ = ["no_collection", "quick_turns"]

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


TURN = 0.0005
"""Seconds that a thread may wait for the interpreter in a scope of `quick_turns`."""

_turning = 0
_turn_before = TURN


@contextlib.contextmanager
def quick_turns() -> Iterator[None]:
    """Have threads change places more often until the end of the last such scope of all threads.

    Example:
        >>> import sys
        >>> before = sys.getswitchinterval()
        >>> with quick_turns():
        ...     sys.getswitchinterval() <= 0.0005
        True
        >>> sys.getswitchinterval() == before
        True
    """
    global _turning, _turn_before
    with _lock:
        if _turning == 0:
            _turn_before = sys.getswitchinterval()
            if _turn_before > TURN:
                sys.setswitchinterval(TURN)
        _turning += 1
    try:
        yield
    finally:
        with _lock:
            _turning -= 1
            if _turning == 0 and _turn_before > TURN:
                sys.setswitchinterval(_turn_before + 5e-7)  # whole microseconds, rounded down
