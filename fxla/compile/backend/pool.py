"""The fork-join pool that runs programs on all cores, and `threads`, which limits it.

    void parallel_for(ptr pool, ptr function, ptr args, i64 n, i64 grain)

calls ``function(args, begin, end)`` on ``[0, grain), [grain, 2 grain), ...`` up to `n` and returns
when all are done. The borders depend on `n` and `grain` alone, so results do not depend on how many
threads there are. The caller works too; whoever finds the pool busy works alone.

Workers are Python daemon threads that live in native code, without the interpreter's lock: they
look for work for about 30 microseconds and then sleep on a futex (on other systems than Linux, on
a condition variable). They start when there is first something to share, and a child of a fork
starts its own. ``FXLA_NUM_THREADS`` says how many threads compute, the caller included; by default
as many as the process may run on. With 1 there are no workers. Windows has none yet either.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import platform
import sys
import threading
import time
from types import TracebackType

from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import compile_text, module_entry
from fxla.compile.backend.pool_text import FUTEX_CALL, LAYOUT, STATE_BYTES, pool_text
from fxla.compile.backend.processors import default_threads

__all__ = ["POOL_NAMES", "Pool", "default_threads", "pool", "pool_entries", "threads"]

SPIN_SECONDS = 30e-6
"""How long a thread looks for work, or for the end of a job, before it sleeps."""
POOL_NAMES = ("parallel_for", "worker", "wake_all", "prepare", "spin")
"""The functions of `pool_text`."""


class Pool:
    """Worker threads and the memory by which they share work.

    Attributes:
        parallel_for: address of the function described in the module's docstring.
        state: address of the pool, its first argument. It stays valid for the life of the process.
        size: how many threads may compute, the caller included.
    """

    def __init__(self, size: int | None = None, futex: bool | None = None) -> None:
        """Prepare a pool; no thread starts before there is work.

        Args:
            size: by default `default_threads`.
            futex: whether to sleep on a futex; by default where there is one.
        """
        futex = _has_futex() if futex is None else futex
        code = compile_text(pool_text(futex), POOL_NAMES, effort=0)
        self.parallel_for = code["parallel_for"]
        pointer = ctypes.c_void_p
        self._worker = ctypes.CFUNCTYPE(None, pointer, ctypes.c_int32)(code["worker"])
        self._wake_all = ctypes.CFUNCTYPE(None, pointer)(code["wake_all"])
        self._prepare = ctypes.CFUNCTYPE(None, pointer)(code["prepare"])
        self._spin = ctypes.CFUNCTYPE(None, ctypes.c_int64)(code["spin"])
        self._memory = ctypes.create_string_buffer(STATE_BYTES + 64)
        self.state = -(-ctypes.addressof(self._memory) // 64) * 64
        self.size = default_threads() if size is None else size
        self._start_function = ctypes.CFUNCTYPE(None)(self._start)
        self._stopped = False
        self._lock = threading.Lock()
        self._workers: list[threading.Thread] = []
        self._clear(self.size)

    def reset(self) -> None:
        """Forget all workers, as a child of a fork must: its parent's threads are not in it."""
        self._lock = threading.Lock()
        self._workers = []
        self._clear(self.limit)

    def _clear(self, limit: int) -> None:
        """The state of a pool without workers."""
        ctypes.memset(self.state, 0, STATE_BYTES)
        self._prepare(self.state)
        self._set_limit(limit)

    def _word(self, name: str) -> ctypes.c_int32:
        return ctypes.c_int32.from_address(self.state + LAYOUT[name])

    def _set_limit(self, n: int) -> None:
        """Let `n` threads compute, and have the workers started that this takes."""
        if sys.platform == "win32":
            n = 1
        wanted = n - 1 > len(self._workers) and not self._stopped
        address = ctypes.cast(self._start_function, ctypes.c_void_p).value
        start = ctypes.c_void_p.from_address(self.state + LAYOUT["start"])
        start.value = address if wanted else None
        self._word("limit").value = n

    @property
    def limit(self) -> int:
        """How many threads compute now. Setting it starts more workers if they are missing."""
        return self._word("limit").value

    @limit.setter
    def limit(self, n: int) -> None:
        with self._lock:
            self._set_limit(n)

    @property
    def workers(self) -> int:
        """How many workers were started."""
        return len(self._workers)

    def _start(self) -> None:
        """Start the missing workers; called by the first `parallel_for` that could use them."""
        with self._lock:
            if self._stopped:
                return
            self._word("spin").value = self._turns(SPIN_SECONDS)
            with contextlib.suppress(RuntimeError):  # no more threads: those there are must do
                for number in range(len(self._workers) + 1, self.limit):
                    worker = threading.Thread(
                        target=self._worker, args=(self.state, number),
                        name=f"fxla-worker-{number}", daemon=True,
                    )  # fmt: skip
                    worker.start()
                    self._workers.append(worker)
            self._word("workers").value = len(self._workers)
            ctypes.c_void_p.from_address(self.state + LAYOUT["start"]).value = None

    def _turns(self, seconds: float) -> int:
        """How many turns of a waiting loop take that long."""
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            self._spin(1000)
            times.append(time.perf_counter() - begin)
        return max(10, min(1_000_000, int(1000 * seconds / max(min(times), 1e-9))))

    def stop(self) -> None:
        """End the workers; from now on callers work alone."""
        with self._lock:
            self._stopped = True
            self._word("workers").value = 0
            self._set_limit(1)
            self._word("stop").value = 1
            self._wake_all(self.state)
            for worker in self._workers:
                worker.join(1.0)
            self._workers = []

    def run(self, function: int, args: int, n: int, grain: int) -> None:
        """Call ``parallel_for`` on the C function at an address."""
        kinds = (ctypes.c_void_p,) * 3 + (ctypes.c_int64,) * 2
        ctypes.CFUNCTYPE(None, *kinds)(self.parallel_for)(self.state, function, args, n, grain)


def _has_futex() -> bool:
    return sys.platform == "linux" and platform.machine() in FUTEX_CALL


_pool: Pool | None = None
_pool_lock = threading.Lock()


def pool() -> Pool:
    """The process's pool."""
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = Pool()
            atexit.register(_pool.stop)
        return _pool


def pool_entries() -> list[bytes]:
    """The object file of the process's pool, unless there is one: it may be linked with others."""
    if _pool is not None:
        return []
    text = pool_text(_has_futex())
    return [module_entry(text, POOL_NAMES, lambda: text, host_isa(), effort=0)]


def _after_fork() -> None:
    global _pool_lock
    _pool_lock = threading.Lock()
    if _pool is not None:
        _pool.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class threads:
    """Let `n` threads compute, from now on or for the length of a ``with`` block.

    It holds for the whole process. Results are the same to the bit whatever the number.

    Args:
        n: how many, the calling thread included; None for as many as at the start.

    Example:
        >>> with threads(1):
        ...     pool().limit
        1
    """

    def __init__(self, n: int | None = None) -> None:
        if n is not None and n < 1:
            raise ValueError(f"fxla.threads: {n} threads cannot compute; it takes at least 1")
        shared = pool()
        self.before = shared.limit
        shared.limit = shared.size if n is None else n

    def __enter__(self) -> threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        pool().limit = self.before
