"""From what a user gives as data to batches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fxla.core.pytree import tree_flatten, tree_map
from fxla.core.trace import typeof, where_am_i
from fxla.data import DataLoader, Dataset, as_dataset
from fxla.data.stages import batched
from fxla.errors import ShapeError
from fxla.transforms.api import what_is

__all__ = ["Batch", "batch_of", "batches", "examples_given", "ready"]


class Batch(NamedTuple):
    """What a model is given, what it should give, and how much each example counts."""

    x: Any
    y: Any
    weight: Any = None


def batch_of(element: Any) -> Batch:
    """A loader's element as a batch of arrays.

    Raises:
        TypeError: if it is not a pair or a triple.
        ValueError: if its parts have different numbers of examples.
    """
    parts = isinstance(element, (tuple, list))
    if not parts or len(element) not in (2, 3):
        shown = f"{len(element)} parts" if parts else what_is(element)
        raise TypeError(
            "Trainer: the data must give batches (x, y) or (x, y, weight), and it gave "
            f"{shown}{where_am_i()}. Use `.map` to make pairs of its elements."
        )
    batch: Batch = tree_map(np.asarray, Batch(*element))
    sizes = {np.shape(a)[:1] for a in tree_flatten(batch)[0]}
    if () in sizes:
        raise ShapeError(
            "Trainer: the data give single examples, and not batches: a part has no "
            f"axes{where_am_i()}. Pass `batch_size=`, or use `.batch(n)`."
        )
    if len(sizes) > 1:
        shapes = ", ".join(str(typeof(a)) for a in tree_flatten(batch)[0])
        raise ShapeError(
            f"Trainer: parts of a batch differ in their numbers: {shapes}{where_am_i()}"
        )
    return batch


def ready(data: Any) -> bool:
    """Whether these are batches that a dataset made."""
    return isinstance(data, Dataset) and batched(data.source)


def examples_given(data: Any) -> bool:
    """Whether these are examples, and not batches, unless somebody says so."""
    return isinstance(data, (np.ndarray, tuple, dict, Dataset))


def batches(data: Any, batch_size: int | None, shuffle: bool | None, seed: int) -> Dataset:
    """Batches of whatever was given.

    Raises:
        ValueError: if they are batches already and are to be batched or shuffled.
    """
    dataset = as_dataset(data)
    if ready(data):
        if batch_size is not None or shuffle is not None:
            raise ValueError(
                "Trainer: the dataset gives batches already; say batch_size and shuffle where it "
                f"is made, or give the dataset of examples{where_am_i()}"
            )
        return dataset
    known = dataset.source.indexed(0) is not None
    if batch_size is None and not (examples_given(data) and known):
        if shuffle:
            raise ValueError(
                f"Trainer: shuffle=True needs batch_size=, to batch afterwards{where_am_i()}"
            )
        return dataset
    shuffle = known if shuffle is None else shuffle
    return DataLoader(dataset, batch_size or 32, shuffle=shuffle, seed=seed)
