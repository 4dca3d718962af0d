"""What is done to the elements on their way: mapped, filtered, batched, shuffled, repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.data.collate import stack
from fxla.data.cursor import Cursor, Indexed, IndexedCursor, Snapshot, Source, Task, noted

__all__ = [
    "Batched",
    "Filtered",
    "Joined",
    "Mapped",
    "Repeated",
    "Selected",
    "Shuffled",
    "Zipped",
    "batched",
    "permutation",
]


def permutation(seed: int, epoch: int, n: int) -> Any:
    """The order in which the `n` elements of a shuffled epoch come."""
    bits = np.random.Philox(np.random.SeedSequence([seed, epoch]))
    return np.random.Generator(bits).permutation(n)


def batched(source: Source) -> bool:
    """Whether a source's elements are batches that a stage of it made."""
    parts = [*getattr(source, "sources", ()), *filter(None, [getattr(source, "source", None)])]
    return isinstance(source, Batched) or any(batched(s) for s in parts)


class _ByIndex(Source):
    """A stage that knows its elements by number whenever its source does."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        elements = self.indexed(epoch)
        if elements is None:
            return self.follow(epoch, at)
        return IndexedCursor(elements, at or 0)

    def follow(self, epoch: int, at: Snapshot) -> Cursor:
        """A cursor that moves with one of the source, which is read in order."""
        raise NotImplementedError


class Mapped(_ByIndex):
    """A function of each element."""

    def __init__(self, source: Source, f: Callable[[Any], Any]) -> None:
        super().__init__(source)
        self.f = f

    def indexed(self, epoch: int) -> Indexed | None:
        elements = self.source.indexed(epoch)
        return None if elements is None else _MappedElements(elements, self)

    def follow(self, epoch: int, at: Snapshot) -> Cursor:
        at = at or {"source": None, "number": 0}
        return _MappedCursor(self.source.open(epoch, at["source"]), at["number"], self)

    def length(self) -> int | None:
        return self.source.length()

    def apply(self, item: Any, number: int) -> Any:
        try:
            return self.f(item)
        except Exception as error:
            name = getattr(self.f, "__name__", type(self.f).__name__)
            noted(error, f"raised by {name} for element {number}")
            raise


class _MappedElements(Indexed):
    def __init__(self, elements: Indexed, stage: Mapped) -> None:
        self.elements = elements
        self.stage = stage

    def __len__(self) -> int:
        return len(self.elements)

    def get(self, index: int) -> Any:
        return self.stage.apply(self.elements.get(index), index)


class _MappedCursor(Cursor):
    def __init__(self, source: Cursor, number: int, stage: Mapped) -> None:
        self.source = source
        self.number = number
        self.stage = stage

    def task(self) -> Task:
        inner, number = self.source.task(), self.number
        self.number += 1
        return lambda: self.stage.apply(inner(), number)

    def snapshot(self) -> Snapshot:
        return {"source": self.source.snapshot(), "number": self.number}

    def close(self) -> None:
        self.source.close()


class Filtered(Source):
    """The elements of which a predicate is true; only reading tells how many there are."""

    def __init__(self, source: Source, keep: Callable[[Any], Any]) -> None:
        self.source = source
        self.keep = keep

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return _FilteredCursor(self.source.open(epoch, at), self.keep)


class _FilteredCursor(Cursor):
    def __init__(self, source: Cursor, keep: Callable[[Any], Any]) -> None:
        self.source = source
        self.keep = keep

    def task(self) -> Task:
        while True:
            item = self.source.task()()
            if self.keep(item):
                return lambda: item

    def snapshot(self) -> Snapshot:
        return self.source.snapshot()

    def close(self) -> None:
        self.source.close()


class Batched(_ByIndex):
    """So many elements at a time, stacked; what is left over is a smaller last batch."""

    def __init__(
        self,
        source: Source,
        size: int,
        drop_remainder: bool,
        collate: Callable[[Sequence[Any]], Any] | None,
    ) -> None:
        super().__init__(source)
        self.size = size
        self.drop_remainder = drop_remainder
        self.collate = collate

    def indexed(self, epoch: int) -> Indexed | None:
        elements = self.source.indexed(epoch)
        return None if elements is None else _BatchedElements(elements, self)

    def follow(self, epoch: int, at: Snapshot) -> Cursor:
        return _BatchedCursor(self.source.open(epoch, at), self)

    def length(self) -> int | None:
        n = self.source.length()
        if n is None:
            return None
        return n // self.size if self.drop_remainder else -(-n // self.size)

    def batch(self, examples: Sequence[Any]) -> Any:
        return (self.collate or stack)(examples)


class _BatchedElements(Indexed):
    def __init__(self, elements: Indexed, stage: Batched) -> None:
        self.elements = elements
        self.stage = stage

    def __len__(self) -> int:
        n, size = len(self.elements), self.stage.size
        return n // size if self.stage.drop_remainder else -(-n // size)

    def get(self, index: int) -> Any:
        size = self.stage.size
        chosen = range(index * size, min((index + 1) * size, len(self.elements)))
        if self.stage.collate is None:
            together = self.elements.take(np.asarray(chosen))
            if together is not None:
                return together
        return self.stage.batch([self.elements.get(i) for i in chosen])


class _BatchedCursor(Cursor):
    def __init__(self, source: Cursor, stage: Batched) -> None:
        self.source = source
        self.stage = stage

    def task(self) -> Task:
        tasks: list[Task] = []
        while len(tasks) < self.stage.size:
            try:
                tasks.append(self.source.task())
            except StopIteration:
                if not tasks or self.stage.drop_remainder:
                    raise
                break
        return lambda: self.stage.batch([t() for t in tasks])

    def snapshot(self) -> Snapshot:
        return self.source.snapshot()

    def close(self) -> None:
        self.source.close()


class Selected(_ByIndex):
    """Some elements of a source that is known by number, in a given order."""

    def __init__(self, source: Source, order: Callable[[int, int], Any]) -> None:
        super().__init__(source)
        self.order = order

    def indexed(self, epoch: int) -> Indexed | None:
        elements = self.source.indexed(epoch)
        assert elements is not None
        return _SelectedElements(elements, self.order(epoch, len(elements)))


class _SelectedElements(Indexed):
    def __init__(self, elements: Indexed, order: Any) -> None:
        self.elements = elements
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def get(self, index: int) -> Any:
        return self.elements.get(int(self.order[index]))

    def take(self, indices: Any) -> Any:
        return self.elements.take(self.order[indices])


class Shuffled(Source):
    """A stream shuffled within a window: each element is one of the next `window` ones.

    The cursor's position is the number of elements delivered: continuing reads the epoch again.
    """

    def __init__(self, source: Source, seed: int, window: int) -> None:
        self.source = source
        self.seed = seed
        self.window = window

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        bits = np.random.Philox(np.random.SeedSequence([self.seed, epoch]))
        cursor = _ShuffledCursor(
            self.source.open(epoch, None), np.random.Generator(bits), self.window
        )
        for _ in range(at or 0):
            cursor.task()
        return cursor

    def length(self) -> int | None:
        return self.source.length()


class _ShuffledCursor(Cursor):
    def __init__(self, source: Cursor, draws: np.random.Generator, window: int) -> None:
        self.source = source
        self.draws = draws
        self.window = window
        self.waiting: list[Task] = []
        self.delivered = 0

    def task(self) -> Task:
        while len(self.waiting) < self.window:
            try:
                self.waiting.append(self.source.task())
            except StopIteration:
                break
        if not self.waiting:
            raise StopIteration
        k = int(self.draws.integers(len(self.waiting)))
        self.waiting[k], self.waiting[-1] = self.waiting[-1], self.waiting[k]
        self.delivered += 1
        return self.waiting.pop()

    def snapshot(self) -> Snapshot:
        return self.delivered

    def close(self) -> None:
        self.source.close()


class Repeated(Source):
    """Several epochs of a source, or all of them, as one."""

    def __init__(self, source: Source, times: int | None) -> None:
        self.source = source
        self.times = times

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return _RepeatedCursor(self, epoch, at or {"pass": 0, "at": None})

    def length(self) -> int | None:
        n = self.source.length()
        return None if n is None or self.times is None else n * self.times


class _RepeatedCursor(Cursor):
    def __init__(self, stage: Repeated, epoch: int, at: Snapshot) -> None:
        self.stage = stage
        self.epoch = epoch
        self.number = at["pass"]
        self.source = self.opened(at["at"])

    def opened(self, at: Snapshot) -> Cursor:
        return self.stage.source.open(self.epoch * (self.stage.times or 0) + self.number, at)

    def task(self) -> Task:
        if self.stage.times == 0:
            raise StopIteration
        try:
            return self.source.task()
        except StopIteration:
            if self.stage.times is not None and self.number + 1 >= self.stage.times:
                raise
        self.source.close()
        self.number += 1
        self.source = self.opened(None)
        return self.source.task()  # an empty source ends here, and is not repeated for ever

    def snapshot(self) -> Snapshot:
        return {"pass": self.number, "at": self.source.snapshot()}

    def close(self) -> None:
        self.source.close()


class Zipped(Source):
    """Tuples of corresponding elements; the shortest source ends it."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        places = at or [None] * len(self.sources)
        return _ZippedCursor([s.open(epoch, p) for s, p in zip(self.sources, places, strict=True)])

    def indexed(self, epoch: int) -> Indexed | None:
        elements = [e for e in (s.indexed(epoch) for s in self.sources) if e is not None]
        return _ZippedElements(elements) if len(elements) == len(self.sources) else None

    def length(self) -> int | None:
        known = [n for n in (s.length() for s in self.sources) if n is not None]
        return min(known) if len(known) == len(self.sources) else None


class _ZippedElements(Indexed):
    def __init__(self, parts: list[Indexed]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return min(len(p) for p in self.parts)

    def get(self, index: int) -> Any:
        return tuple(p.get(index) for p in self.parts)

    def take(self, indices: Any) -> Any:
        taken = tuple(p.take(indices) for p in self.parts)
        return None if any(t is None for t in taken) else taken


class _ZippedCursor(Cursor):
    def __init__(self, parts: list[Cursor]) -> None:
        self.parts = parts

    def task(self) -> Task:
        tasks = [p.task() for p in self.parts]
        return lambda: tuple(t() for t in tasks)

    def snapshot(self) -> Snapshot:
        return [p.snapshot() for p in self.parts]

    def close(self) -> None:
        for p in self.parts:
            p.close()


class Joined(Source):
    """One source after the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return _JoinedCursor(self.sources, epoch, at or {"part": 0, "at": None})

    def indexed(self, epoch: int) -> Indexed | None:
        elements = [e for e in (s.indexed(epoch) for s in self.sources) if e is not None]
        return _JoinedElements(elements) if len(elements) == len(self.sources) else None

    def length(self) -> int | None:
        known = [n for n in (s.length() for s in self.sources) if n is not None]
        return sum(known) if len(known) == len(self.sources) else None


class _JoinedElements(Indexed):
    def __init__(self, parts: list[Indexed]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(p) for p in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def get(self, index: int) -> Any:
        part = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[part].get(index - (int(self.ends[part - 1]) if part else 0))


class _JoinedCursor(Cursor):
    def __init__(self, sources: Sequence[Source], epoch: int, at: Snapshot) -> None:
        self.sources = sources
        self.epoch = epoch
        self.part: int = at["part"]
        self.current: Cursor = sources[self.part].open(epoch, at["at"])

    def task(self) -> Task:
        while True:
            try:
                return self.current.task()
            except StopIteration:
                if self.part + 1 == len(self.sources):
                    raise
            self.current.close()
            self.part += 1
            self.current = self.sources[self.part].open(self.epoch, None)

    def snapshot(self) -> Snapshot:
        return {"part": self.part, "at": self.current.snapshot()}

    def close(self) -> None:
        self.current.close()
