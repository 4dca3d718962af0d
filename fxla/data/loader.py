"""Datasets of whatever is given, and batches of them as PyTorch's `DataLoader` makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.pytree import tree_flatten
from fxla.core.trace import where_am_i
from fxla.data.dataset import Dataset
from fxla.transforms.api import kind_of

__all__ = ["DataLoader", "as_dataset"]


def as_dataset(data: Any) -> Dataset:
    """A dataset of anything that has elements.

    Args:
        data: a `Dataset` (itself); arrays, or a tuple or dict of them, for their rows; what has
            ``len`` and ``[i]``, as lists, grain's ``MapDataset`` and PyTorch's map-style datasets
            do; any iterable of pytrees, as grain's loaders and PyTorch's ``DataLoader`` are; or a
            function without arguments that makes one.

    Raises:
        TypeError: for anything else.

    Example:
        >>> len(as_dataset((np.zeros((5, 2)), np.arange(5))))
        5
        >>> list(as_dataset(range(3)).batch(2))
        [array([0, 1]), array([2])]
    """
    if isinstance(data, Dataset):
        return data
    if _is_array(data) or (isinstance(data, (tuple, dict)) and _all_arrays(data)):
        return Dataset.from_arrays(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, dict):
        return Dataset.from_sequence(data)
    if hasattr(data, "__iter__") or callable(data):
        return Dataset.from_iterable(data)
    raise TypeError(
        f"fxla.data: {kind_of(data)} is not a dataset{where_am_i()}. Give arrays (x, "
        "y), a sequence, an iterable of batches, or a function that makes one."
    )


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or (hasattr(x, "__dlpack__") and hasattr(x, "shape"))


def _all_arrays(tree: Any) -> bool:
    leaves = tree_flatten(tree)[0]
    return bool(leaves) and all(_is_array(x) for x in leaves)


class DataLoader(Dataset):
    """Batches of a dataset: shuffled, collated by threads, and ready before they are asked for.

    Args:
        dataset: what `as_dataset` takes.
        batch_size: examples in a batch; None: the elements are batches already.
        shuffle: whether each epoch has an order of its own.
        seed: chooses the orders.
        drop_remainder: leave a smaller last batch out.
        workers: how many threads compute batches; 0: they are computed when asked for.
        prefetch: how many batches wait, if `workers` is not 0.
        collate: makes a batch of a list of examples; default: `fxla.data.stack`.

    Raises:
        TypeError: if it is to shuffle elements that can only be read in order.

    Example:
        >>> loader = DataLoader((np.arange(6.0), np.arange(6)), batch_size=4, shuffle=True, seed=3)
        >>> [y.shape for x, y in loader]
        [(4,), (2,)]
        >>> len(loader), loader.state()
        (2, {'epoch': 1, 'at': None})
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        seed: int = 0,
        drop_remainder: bool = False,
        workers: int = 0,
        prefetch: int = 2,
        collate: Callable[[Sequence[Any]], Any] | None = None,
    ) -> None:
        stages = as_dataset(dataset)
        if shuffle:
            stages = stages.shuffle(seed)
        if batch_size is not None:
            stages = stages.batch(batch_size, drop_remainder=drop_remainder, collate=collate)
        if workers:
            stages = stages.prefetch(prefetch, workers=workers)
        super().__init__(stages.source)
