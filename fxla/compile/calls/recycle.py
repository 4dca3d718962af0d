"""Memory of large results, used again: an allocator for NumPy arrays that keeps what is freed.

Fresh memory of 50 MB costs as much time, in page faults, as computing 50 MB of results. A result of
`LARGE` bytes or more is therefore an array whose memory NumPy asks from here (NEP 49): it owns its
data as any array does, and when it dies its block is kept for the next result of about that size.
Sizes are rounded up by at most an eighth, so that they meet. What is kept is limited to a part of
the machine's memory, and `release_memory` gives it back.

Only results of programs come from here; NumPy's own allocator, or a user's, is in place again when
a call returns. The lists are guarded by one flag, which nobody waits for: who finds it taken
goes to the system, so a fork at any moment blocks no child.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

from fxla.compile.backend.own_text import OwnText, loaded
from fxla.compile.calls.entry_probe import c_api
from fxla.compile.calls.recycler_layout import CLASSES, STATE
from fxla.errors import InternalError

__all__ = ["RECYCLER", "RECYCLER_OPTIONS", "Recycler", "recycler", "release_memory"]

_DEFAULT_LIMIT = 1 << 30
_MADVISE = hasattr(ctypes.pythonapi, "madvise")


def _symbols() -> dict[str, int]:
    names = ("PyMem_RawMalloc", "PyMem_RawFree", "madvise")
    return c_api(*names[: 3 if _MADVISE else 2])


RECYCLER = OwnText(
    "calls.recycler_text",
    ("allocate", "allocate_zeros", "reallocate", "deallocate", "release"),
    ("compile/calls/recycler_text", "compile/calls/recycler_layout", "compile/backend/native_text"),
    _symbols,
)
"""The native part, of which the first four functions are NumPy's, in its order."""
RECYCLER_OPTIONS = (_MADVISE,)


class _Handler(ctypes.Structure):
    """``PyDataMem_Handler``."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


class Recycler:
    """The allocator of this process.

    Attributes:
        handler: the capsule that NumPy takes.
        state: its lists and numbers. Arrays may be freed until the very end of the process, so this
            memory is never given back.
    """

    def __init__(self, handler: Any, state: Any, release_function: Any) -> None:
        self.handler = handler
        self.state = state
        self.release_function = release_function

    def _word(self, name: str) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(ctypes.addressof(self.state) + STATE[name])

    @property
    def kept(self) -> int:
        """Bytes that are kept and in no array."""
        return self._word("kept").value

    @property
    def reused(self) -> int:
        """How many blocks were used again."""
        return self._word("reused").value

    @property
    def limit(self) -> int:
        """The most bytes to keep."""
        return self._word("limit").value

    @limit.setter
    def limit(self, nbytes: int) -> None:
        self._word("limit").value = nbytes

    def release(self) -> None:
        """Give what is kept back to the system."""
        self.release_function(ctypes.addressof(self.state))

    def after_fork(self) -> None:
        """In a child: if another thread was at the lists just then, start with empty ones."""
        if self._word("lock").value:
            limit = self.limit
            ctypes.memset(self.state, 0, ctypes.sizeof(self.state))
            self.limit = limit


def _made() -> Recycler | None:
    try:
        code = loaded(RECYCLER, *RECYCLER_OPTIONS)
    except InternalError:
        return None
    state = (ctypes.c_uint8 * (STATE["heads"] + 8 * (CLASSES + 1)))()
    handler = _Handler(b"fxla", 1, ctypes.addressof(state), *[code[n] for n in RECYCLER.names[:4]])
    for immortal in (state, handler):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(immortal))
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = new(ctypes.addressof(handler), b"mem_handler", None)
    release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code["release"])
    found = Recycler(capsule, state, release)
    found.limit = min(_DEFAULT_LIMIT, _memory() // 8)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=found.after_fork)
    return found


def _memory() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * _DEFAULT_LIMIT


_lock = threading.Lock()
_recyclers: list[Recycler | None] = []


def recycler() -> Recycler | None:
    """The process's allocator; None where native code cannot be loaded."""
    with _lock:
        if not _recyclers:
            _recyclers.append(_made())
        return _recyclers[0]


def release_memory() -> None:
    """Give the memory that compiled functions keep for their next results back to the system.

    Results of 64 KB or more are made in memory of results that are gone: fresh memory costs
    more time than many a computation. At most an eighth of the machine's memory is kept, and at
    most a gigabyte.

    Example:
        >>> import fxla, numpy as np
        >>> f = fxla.jit(lambda x: x + 1)
        >>> _ = [f(np.ones(1_000_000)) for _ in range(3)]
        >>> fxla.release_memory()
    """
    for one in _recyclers:
        if one is not None:
            one.release()
