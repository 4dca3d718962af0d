"""Where a pass over a dataset stands: what gives the next element, and says where it is.

A cursor separates what must happen in order, moving on, from the work on an element, which threads
may share: `task` moves on and gives a function that computes the element it stepped over.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Cursor", "Indexed", "IndexedCursor", "Snapshot", "Source", "Task", "noted"]

Task: TypeAlias = Callable[[], Any]
"""Computes one element; called once, on any thread."""

Snapshot: TypeAlias = Any
"""A position, made of what JSON can hold."""


class Cursor(abc.ABC):
    """A pass over a dataset, somewhere on its way."""

    @abc.abstractmethod
    def task(self) -> Task:
        """Step over the next element, and give what computes it.

        Raises:
            StopIteration: at the end of the pass.
        """

    @abc.abstractmethod
    def snapshot(self) -> Snapshot:
        """The position after the last element that was stepped over."""

    def close(self) -> None:  # noqa: B027 - most cursors have nothing to end
        """End what the cursor started: threads, open iterators."""


class Indexed(abc.ABC):
    """The elements of one pass by their number."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def get(self, index: int) -> Any:
        """Element `index` of the pass."""

    def take(self, indices: Any) -> Any:
        """Several elements stacked at once, where that is quicker than one by one, else None."""
        return None


class IndexedCursor(Cursor):
    """Through the elements of an `Indexed` in their order."""

    def __init__(self, elements: Indexed, position: int) -> None:
        self.elements = elements
        self.position = position

    def task(self) -> Task:
        index = self.position
        if index >= len(self.elements):
            raise StopIteration
        self.position += 1
        return lambda: self.elements.get(index)

    def snapshot(self) -> Snapshot:
        return self.position


class Source(abc.ABC):
    """What a dataset reads: elements in an order that depends on the number of the epoch only."""

    @abc.abstractmethod
    def open(self, epoch: int, at: Snapshot) -> Cursor:
        """A cursor through an epoch, from its beginning (None) or from a cursor's snapshot."""

    def indexed(self, epoch: int) -> Indexed | None:
        """The elements of an epoch by number, where they can be had so."""
        return None

    def length(self) -> int | None:
        """The number of elements of an epoch; None where only reading them would tell."""
        elements = self.indexed(0)
        return None if elements is None else len(elements)


def noted(error: Exception, what: str) -> None:
    """Add to an error of the user's code which element it was about; the innermost call knows."""
    if not any(n.startswith("fxla.data: ") for n in getattr(error, "__notes__", ())):
        error.add_note(f"fxla.data: {what}")
