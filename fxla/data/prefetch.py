"""Elements computed ahead by threads, in their order.

One thread, the reader, moves the source's cursor on; the others compute elements. The position is
noted with every element, so what was prefetched but never delivered is read again after a restart.
"""

from __future__ import annotations

import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fxla.data.cursor import Cursor, Snapshot, Source, Task

__all__ = ["Prefetched"]


class Prefetched(Source):
    """A source whose next `depth` elements are on their way while one is being used."""

    def __init__(self, source: Source, depth: int, workers: int) -> None:
        self.source = source
        self.depth = max(depth, workers, 1)
        self.workers = workers

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return _PrefetchedCursor(self.source.open(epoch, at), at, self.depth, self.workers)

    def length(self) -> int | None:
        return self.source.length()


@dataclass(frozen=True)
class _Read:
    """An element on its way: what it will be, and the position after it. None: the end."""

    element: Future[Any] | None
    after: Snapshot


class _PrefetchedCursor(Cursor):
    def __init__(self, source: Cursor, at: Snapshot, depth: int, workers: int) -> None:
        self.at = at
        self.source = source
        self.reader = ThreadPoolExecutor(1, "fxla-data-reader")
        self.pool = ThreadPoolExecutor(workers, "fxla-data-worker") if workers > 1 else None
        self.ahead: deque[Future[_Read]] = deque()
        # Refers to no attribute that leads back here, or nothing would ever be collected.
        self.end = weakref.finalize(self, _end, self.ahead, self.reader, self.pool, source)
        self.end.atexit = False  # the interpreter's end is the executors' own affair
        for _ in range(depth):
            self.read_on()

    def read_on(self) -> None:
        self.ahead.append(self.reader.submit(_read, self.source, self.pool))

    def task(self) -> Task:
        if not self.ahead:
            raise StopIteration
        try:
            read = self.ahead.popleft().result()
            if read.element is None:
                raise StopIteration
            element = read.element.result()
        except BaseException:  # the end, an error of the user's function, Ctrl-C while waiting
            self.close()
            raise
        self.at = read.after
        self.read_on()
        return lambda: element

    def snapshot(self) -> Snapshot:
        return self.at

    def close(self) -> None:
        self.end()


def _read(source: Cursor, pool: ThreadPoolExecutor | None) -> _Read:
    """Move on by one element, on the reader's thread."""
    try:
        task = source.task()
    except StopIteration:
        return _Read(None, None)
    after = source.snapshot()
    if pool is not None:
        return _Read(pool.submit(task), after)
    done: Future[Any] = Future()
    try:
        done.set_result(task())
    except Exception as error:
        done.set_exception(error)
    return _Read(done, after)


def _end(
    ahead: deque[Future[_Read]],
    reader: ThreadPoolExecutor,
    pool: ThreadPoolExecutor | None,
    source: Cursor,
) -> None:
    """Let the threads finish what they are at, and no more; the source ends on its own thread."""
    while ahead:
        ahead.pop().cancel()
    reader.submit(source.close)
    reader.shutdown(wait=False)
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)
