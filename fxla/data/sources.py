"""Where elements come from: arrays, sequences, iterables."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fxla.core.pytree import tree_map
from fxla.core.trace import where_am_i
from fxla.data.collate import as_arrays, count
from fxla.data.cursor import Cursor, Indexed, IndexedCursor, Snapshot, Source, Task, noted

__all__ = ["Arrays", "Items", "Stream"]


class Arrays(Source, Indexed):
    """The rows of arrays, which are gathered many at a time."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree_map(np.asarray, as_arrays(tree))
        self.count = count(self.tree)

    def __len__(self) -> int:
        return self.count

    def get(self, index: int) -> Any:
        return tree_map(lambda a: a[index], self.tree)

    def take(self, indices: Any) -> Any:
        return tree_map(lambda a: a[indices], self.tree)

    def indexed(self, epoch: int) -> Indexed:
        return self

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return IndexedCursor(self, at or 0)


class Items(Source, Indexed):
    """The items of anything with a length and an index."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def get(self, index: int) -> Any:
        try:
            return as_arrays(self.items[index])
        except Exception as error:
            noted(error, f"raised by element {index} of a {type(self.items).__qualname__}")
            raise

    def indexed(self, epoch: int) -> Indexed:
        return self

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        return IndexedCursor(self, at or 0)


class Stream(Source):
    """The items of an iterable, in its own order."""

    def __init__(self, items: Iterable[Any] | Callable[[], Iterable[Any]]) -> None:
        self.items = items
        self.spent = False

    def open(self, epoch: int, at: Snapshot) -> Cursor:
        made = self.items() if callable(self.items) else self.items
        iterator = iter(made)
        if iterator is made and not callable(self.items):
            if self.spent:
                raise ValueError(
                    f"fxla.data: this {type(made).__qualname__} has been read, and an iterator can "
                    f"be read once{where_am_i()}. Pass a function that makes it, or a list of its "
                    "items."
                )
            self.spent = True
        return _StreamCursor(iterator, at)

    def length(self) -> int | None:
        try:
            return len(self.items)  # type: ignore[arg-type]  # not all iterables have one
        except (TypeError, NotImplementedError):
            return None


class _StreamCursor(Cursor):
    """Through an iterator, whose own position is kept where it has one."""

    def __init__(self, iterator: Iterator[Any], at: Snapshot) -> None:
        self.iterator = iterator
        self.read = 0
        self.get_state = getattr(iterator, "get_state", None)
        if at is None:
            return
        if "state" in at:
            iterator.set_state(_unpacked(at["state"]))  # type: ignore[attr-defined]
            self.read = at["read"]
            return
        for _ in range(at["read"]):
            next(self.iterator, None)
            self.read += 1

    def task(self) -> Task:
        try:
            item = next(self.iterator)
        except StopIteration:
            raise
        except Exception as error:
            noted(error, f"raised by item {self.read} of a {type(self.iterator).__qualname__}")
            raise
        self.read += 1
        return lambda: as_arrays(item)

    def snapshot(self) -> Snapshot:
        if self.get_state is None:
            return {"read": self.read}
        return {"read": self.read, "state": _packed(self.get_state())}

    def close(self) -> None:
        close = getattr(self.iterator, "close", None)
        if close is not None:
            close()


def _packed(state: Any) -> Any:
    """An iterator's state as JSON has it; grain's loaders give bytes."""
    return {"base64": base64.b64encode(state).decode()} if isinstance(state, bytes) else state


def _unpacked(state: Any) -> Any:
    if isinstance(state, dict) and state.keys() == {"base64"}:
        return base64.b64decode(state["base64"])
    return state
