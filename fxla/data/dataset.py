"""Datasets: elements in an order that depends on a seed and the number of the epoch only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fxla.core.trace import where_am_i
from fxla.data.collate import stack
from fxla.data.cursor import Cursor, Source
from fxla.data.prefetch import Prefetched
from fxla.data.sources import Arrays, Items, Stream
from fxla.data.stages import (
    Batched,
    Filtered,
    Joined,
    Mapped,
    Repeated,
    Selected,
    Shuffled,
    Zipped,
    permutation,
)
from fxla.transforms.api import what_is

__all__ = ["Dataset", "Iteration", "State"]

State = dict[str, Any]
"""Where a dataset stands, as JSON has it, for example ``{"epoch": 2, "at": 17}``."""


class Iteration:
    """One loop over a dataset; `close` ends its threads before the loop's end."""

    def __init__(self, cursor: Cursor, epoch: int) -> None:
        self.cursor = cursor
        self.number = epoch
        self.finished = False

    def __iter__(self) -> Iteration:
        return self

    def __next__(self) -> Any:
        if self.finished:
            raise StopIteration
        try:
            task = self.cursor.task()
        except StopIteration:
            self.finished = True
            self.cursor.close()
            raise
        return task()

    def state(self) -> State:
        """The position after the last element delivered."""
        if self.finished:
            return {"epoch": self.number + 1, "at": None}
        return {"epoch": self.number, "at": self.cursor.snapshot()}

    def close(self) -> None:
        """End what reads ahead."""
        self.cursor.close()


class Dataset:
    """Elements (pytrees of arrays), and where their reader stands.

    Each ``for`` over a dataset is an epoch: the first has number 0, the next number 1. The order
    of an epoch is a pure function of the seeds given to `shuffle` and of its number. `state` says
    how far the loop has come; a dataset made the same way continues there after `restore`.

    `fxla.data.as_dataset` makes one of whatever is given; `from_arrays`, `from_sequence` and
    `from_iterable` say what it is.

    Example:
        >>> squares = Dataset.from_arrays(np.arange(5)).map(lambda i: i * i)
        >>> [int(x) for x in squares]
        [0, 1, 4, 9, 16]
        >>> [b.tolist() for b in squares.batch(2)]
        [[0, 1], [4, 9], [16]]
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._begun = 0
        self._pending: State | None = None
        self._last: Iteration | None = None

    # -- where elements come from

    @staticmethod
    def from_arrays(tree: Any) -> Dataset:
        """The rows of arrays: element ``i`` is ``tree_map(lambda a: a[i], tree)``.

        Args:
            tree: a pytree of arrays that share their leading size.

        Raises:
            ValueError: if leading sizes differ.

        Example:
            >>> Dataset.from_arrays((np.arange(3), np.arange(3) > 1))[2]
            (np.int64(2), np.True_)
        """
        return Dataset(Arrays(tree))

    @staticmethod
    def from_sequence(items: Any) -> Dataset:
        """The items of anything with ``len`` and ``[i]``: a list, a PyTorch or grain map dataset.

        Example:
            >>> len(Dataset.from_sequence(["a", "bc"]))
            2
        """
        return Dataset(Items(items))

    @staticmethod
    def from_iterable(items: Iterable[Any] | Callable[[], Iterable[Any]]) -> Dataset:
        """The items of any iterable, in its order.

        Args:
            items: an iterable that can be read again each epoch, or a function that makes one. An
                iterator that knows its own position (``get_state`` and ``set_state``, as grain's)
                is put back there by `restore`; any other is read again up to the position.

        Example:
            >>> def lines():
            ...     yield from ("one", "two")
            >>> list(Dataset.from_iterable(lines))
            ['one', 'two']
        """
        return Dataset(Stream(items))

    @staticmethod
    def zip(*datasets: Dataset) -> Dataset:
        """Tuples of corresponding elements, as many as the shortest has.

        Example:
            >>> images, labels = Dataset.from_sequence("ab"), Dataset.from_sequence([1, 2, 3])
            >>> list(Dataset.zip(images, labels))
            [('a', 1), ('b', 2)]
        """
        return Dataset(Zipped([d.source for d in datasets]))

    @staticmethod
    def concatenate(*datasets: Dataset) -> Dataset:
        """The elements of one dataset after the other.

        Example:
            >>> list(Dataset.concatenate(Dataset.from_sequence("ab"), Dataset.from_sequence("c")))
            ['a', 'b', 'c']
        """
        return Dataset(Joined([d.source for d in datasets]))

    # -- what becomes of them

    def map(self, f: Callable[[Any], Any]) -> Dataset:
        """`f` of each element. An error of `f` keeps its traceback, and names the element.

        Example:
            >>> list(Dataset.from_sequence([1, 2]).map(lambda x: 10 * x))
            [10, 20]
        """
        return Dataset(Mapped(self.source, f))

    def filter(self, keep: Callable[[Any], Any]) -> Dataset:
        """The elements of which `keep` is true.

        Example:
            >>> list(Dataset.from_sequence([1, 2, 3]).filter(lambda x: x % 2))
            [1, 3]
        """
        return Dataset(Filtered(self.source, keep))

    def batch(
        self,
        size: int,
        *,
        drop_remainder: bool = False,
        collate: Callable[[Sequence[Any]], Any] | None = None,
    ) -> Dataset:
        """Batches of `size` elements, leaves stacked along a leading axis.

        Args:
            size: how many elements make a batch.
            drop_remainder: leave a smaller last batch out.
            collate: makes a batch of a list of elements; default: `fxla.data.stack`.

        Example:
            >>> list(Dataset.from_sequence([1, 2, 3]).batch(2))
            [array([1, 2]), array([3])]
        """
        if not isinstance(size, (int, np.integer)):
            raise TypeError(
                f"Dataset.batch: the size must be an integer, got {what_is(size)}{where_am_i()}"
            )
        if size < 1:
            raise ValueError(
                f"Dataset.batch: a batch has at least one element; size={size}{where_am_i()}"
            )
        return Dataset(Batched(self.source, size, drop_remainder, collate))

    def shuffle(self, seed: int = 0, *, window: int | None = None) -> Dataset:
        """Another order in every epoch, a pure function of `seed` and the epoch's number.

        Args:
            seed: chooses the orders.
            window: for elements that can only be read in order, how many wait to be drawn from;
                left out, elements are drawn from all, which must be known by number.

        Example:
            >>> numbers = Dataset.from_arrays(np.arange(6)).shuffle(seed=1)
            >>> sorted(int(i) for i in numbers)
            [0, 1, 2, 3, 4, 5]
        """
        if window is not None:
            return Dataset(Shuffled(self.source, seed, window))
        self._known("shuffle(window=...)")
        return Dataset(Selected(self.source, lambda epoch, n: permutation(seed, epoch, n)))

    def repeat(self, times: int | None = None) -> Dataset:
        """Several epochs as one, each in an order of its own; without `times`, no end.

        Example:
            >>> list(Dataset.from_sequence("ab").repeat(2))
            ['a', 'b', 'a', 'b']
        """
        return Dataset(Repeated(self.source, times))

    def __getitem__(self, index: Any) -> Any:
        """Element `index` of epoch 0, or with a slice a dataset of some elements."""
        elements = self._known("for")
        n = len(elements)
        if isinstance(index, slice):
            return Dataset(Selected(self.source, lambda _, n: np.arange(n)[index]))
        if not -n <= index < n:
            raise IndexError(f"fxla.data: element {index} of a dataset of {n}{where_am_i()}")
        return elements.get(index % n)

    def split(self, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two datasets without a common element, drawn by `seed`.

        Args:
            fraction: the share of the elements in the first.
            seed: chooses which.

        Example:
            >>> train, test = Dataset.from_arrays(np.arange(10)).split(0.8)
            >>> len(train), len(test), sorted(int(i) for i in [*train, *test]) == list(range(10))
            (8, 2, True)
        """
        if not 0 <= fraction <= 1:
            raise ValueError(
                f"Dataset.split: a fraction is between 0 and 1, not {fraction}{where_am_i()}"
            )
        n = len(self._known("split"))
        order = permutation(seed, 0, n)
        first = round(fraction * n)
        return self._chosen(order[:first]), self._chosen(order[first:])

    def _chosen(self, numbers: Any) -> Dataset:
        """The elements of these numbers, in the order they have here."""
        kept = np.sort(numbers)
        return Dataset(Selected(self.source, lambda _epoch, _n: kept))

    def prefetch(self, depth: int = 2, *, workers: int = 1) -> Dataset:
        """The same elements, the next `depth` of them computed by threads meanwhile.

        Order and position are not changed by it. Threads end with the loop, when the loop's
        iterator is dropped or closed, and when an element cannot be computed.

        Args:
            depth: how many elements wait.
            workers: how many threads compute elements.

        Example:
            >>> list(Dataset.from_sequence([1, 2, 3]).map(lambda x: -x).prefetch(workers=2))
            [-1, -2, -3]
        """
        return Dataset(Prefetched(self.source, depth, workers))

    # -- reading

    def __iter__(self) -> Iteration:
        """The next epoch, or the rest of the one that `restore` was told of."""
        state, self._pending = self._pending, None
        epoch = state["epoch"] if state else self._begun
        self._begun = epoch + 1
        self._last = Iteration(self.source.open(epoch, state["at"] if state else None), epoch)
        return self._last

    def epoch(self, number: int) -> Iteration:
        """Epoch `number`, whatever has been read before.

        Example:
            >>> shuffled = Dataset.from_arrays(np.arange(4)).shuffle(seed=7)
            >>> list(shuffled.epoch(3)) == list(shuffled.epoch(3))
            True
        """
        self._begun, self._pending = number, None
        return iter(self)

    def state(self) -> State:
        """How far the latest loop has come; what is prefetched but not delivered is not counted.

        Example:
            >>> numbers = Dataset.from_arrays(np.arange(5))
            >>> next(iter(numbers)), numbers.state()
            (np.int64(0), {'epoch': 0, 'at': 1})
        """
        if self._pending is not None:
            return dict(self._pending)
        return {"epoch": self._begun, "at": None} if self._last is None else self._last.state()

    def restore(self, state: State) -> None:
        """Let the next loop continue where `state` was taken.

        Args:
            state: what `state` gave on a dataset made the same way, in this process or another.

        Example:
            >>> numbers = Dataset.from_arrays(np.arange(5))
            >>> numbers.restore({"epoch": 0, "at": 3})
            >>> [int(x) for x in numbers]
            [3, 4]
        """
        self._pending = dict(state)

    def arrays(self) -> Any:
        """All elements of epoch 0 as one batch.

        Example:
            >>> Dataset.from_sequence([(1, 2.0), (3, 4.0)]).arrays()
            (array([1, 3]), array([2., 4.]))
        """
        elements = self.source.indexed(0)
        whole = None if elements is None else elements.take(np.arange(len(elements)))
        return stack(list(Iteration(self.source.open(0, None), 0))) if whole is None else whole

    def __len__(self) -> int:
        n = self.source.length()
        if n is None:
            raise TypeError(
                f"fxla.data: how many elements this dataset has only reading it tells{where_am_i()}"
            )
        return n

    def __bool__(self) -> bool:
        return True  # and not whether it is empty, which may be unknown

    def __repr__(self) -> str:
        n = self.source.length()
        return f"<{type(self).__name__} of {'unknown length' if n is None else f'{n} elements'}>"

    def _known(self, instead: str) -> Any:
        """The elements by number, or an error that says what to use for a stream."""
        elements = self.source.indexed(0)
        if elements is None:
            raise TypeError(
                "fxla.data: these elements are not known by number, they can only be read in "
                f"order: use `{instead}`, or make a list of them first{where_am_i()}"
            )
        return elements
