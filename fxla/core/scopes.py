"""How many scopes are open in which a call may mean something else than it usually does.

Such are a trace, a named axis, another default precision, ``disable_jit``. Native code that serves
calls of compiled functions looks at the length of one list, and while it is not empty it leaves
every call to Python. The list belongs to the process, not to a thread: then a scope costs other
threads some speed, and nothing can be overlooked. A list, because its ``append`` and ``pop`` are
one step each under the interpreter's lock, which ``n += 1`` is not.
"""

from __future__ import annotations

__all__ = ["special"]

special: list[None] = []
"""One element for each open scope. Only ``append`` and ``pop`` may change it."""
