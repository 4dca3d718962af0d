"""Kernels that were compiled in haste are compiled again, well, while their program runs.

A program that is called again is worth good code. A thread compiles its kernels one module at a
time; when they are there, the program's table of functions gets their addresses. Both kinds of code
compute the same bits: what LLVM's optimisation may do to arithmetic, contracting a product and a
sum, it does to hasty code too. A program that is called once is left as it is, and the thread ends
with the main one, after the module that it is compiling.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from fxla.compile.backend.compiled import CompiledKernel
from fxla.compile.backend.llvm import host_isa, pausing_links
from fxla.compile.backend.native import MODULE_LINES, Batch, Printed, pausing_loads
from fxla.core.background import in_background

__all__ = ["improve_later", "wait_for_improvements"]

_lock = threading.Lock()
_waiting: deque[tuple[Sequence[CompiledKernel], Callable[[], None]]] = deque()
_thread: threading.Thread | None = None


def improve_later(kernels: Sequence[CompiledKernel], done: Callable[[], None]) -> None:
    """Have another thread compile kernels again.

    Args:
        kernels: of a program; those that are good already are left alone.
        done: called by that thread when all their addresses are those of good code.
    """
    global _thread
    with _lock:
        _waiting.append((kernels, done))
        if _thread is None:
            _thread = in_background(_work, "fxla-improve")


def wait_for_improvements() -> None:
    """Return when all kernels of programs that were called again are good."""
    thread = _thread
    if thread is not None:
        thread.join()


def _work() -> None:
    """Improve programs until none is waiting, or the main thread has ended."""
    global _thread
    while True:
        with _lock:
            if not _waiting or not _wanted():
                _thread = None
                return
            kernels, done = _waiting[0]
        _improve(kernels, done)
        with _lock:
            _waiting.popleft()


def _wanted() -> bool:
    return threading.main_thread().is_alive()


def _improve(kernels: Sequence[CompiledKernel], done: Callable[[], None]) -> None:
    isa = host_isa()
    hasty = [k.hasty for k in kernels if k.hasty is not None]
    addresses: dict[Printed, int] = {}
    try:
        for group in _modules(hasty):
            if not _wanted():
                return
            batch = Batch(isa, helpers=0)
            for printed in group:
                batch.want(printed)
            batch.finish()
            addresses |= {printed: batch.address(printed) for printed in group}
        for k in kernels:
            if k.hasty is not None:
                k.address, k.hasty = addresses[k.hasty], None
        done()
    except Exception:  # the program goes on with the code that it has, which is right
        for k in kernels:
            k.hasty = None


def _modules(hasty: Sequence[Printed]) -> Iterator[list[Printed]]:
    """Kernels in groups of at least so many lines that a module has little cost of its own."""
    group: list[Printed] = []
    lines = 0
    for printed in hasty:
        group.append(printed)
        lines += printed.text.count("\n")
        if lines >= MODULE_LINES:
            yield group
            group, lines = [], 0
    if group:
        yield group


_LOCKS = (pausing_loads(), pausing_links(), _lock)
"""What a child must not find held by a thread that it does not have, in the order of taking."""


def _before_fork() -> None:
    for lock in _LOCKS:
        lock.__enter__()


def _after_fork() -> None:
    for lock in reversed(_LOCKS):
        lock.__exit__(None, None, None)


def _after_fork_in_child() -> None:
    global _thread
    _thread = None  # what is waiting is improved when the child has more
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )
