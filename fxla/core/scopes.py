"""How many scopes are open in which a call may mean something else than it usually does.

Such are a trace, a named axis, ``disable_jit``. Native code that serves
calls of compiled functions looks at the length of one list, and while it is not empty it leaves
every call to Python. The list belongs to the process, not to a thread: then a scope costs other
threads some speed, and nothing can be overlooked. A list, because its ``append`` and ``pop`` are
one step each under the interpreter's lock, which ``n += 1`` is not.
"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["enter_precision", "leave_precision", "precisions", "special"]

special: list[None] = []
"""One element for each open scope. Only ``append`` and ``pop`` may change it."""

precisions: list[tuple[int, Any]] = []
"""For each open scope of another default dtype the thread and that dtype, in the order of entering.

A call in such a scope is not special: native code compares the last one with its own thread.
"""

_lock = threading.Lock()


def enter_precision(dtype: Any) -> tuple[int, Any]:
    """Enter a scope of this thread; returns what `leave_precision` wants."""
    scope = (threading.get_ident(), dtype)
    with _lock:
        precisions.append(scope)
    return scope


def leave_precision(scope: tuple[int, Any]) -> None:
    """Leave a scope, the very one: others that are equal to it may be open."""
    with _lock:
        for k in reversed(range(len(precisions))):
            if precisions[k] is scope:
                del precisions[k]
                return
