"""From the examples of a batch to arrays, and from other libraries' arrays to NumPy's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import bfloat16
from fxla.core.pytree import leaf_paths, tree_flatten, tree_map, tree_unflatten
from fxla.core.trace import where_am_i
from fxla.errors import ShapeError
from fxla.numpy.operands import describe

__all__ = ["as_arrays", "count", "stack"]


def as_array(leaf: Any) -> Any:
    """A leaf of an element as NumPy has it; other libraries' CPU arrays without a copy."""
    if isinstance(leaf, np.ndarray) or not hasattr(leaf, "__dlpack__"):
        return leaf
    try:
        return np.from_dlpack(leaf)
    except (BufferError, RuntimeError, TypeError, ValueError):
        if str(leaf.dtype) == "torch.bfloat16":  # NumPy's DLPack has no word for it
            return np.from_dlpack(leaf.view(sys.modules["torch"].int16)).view(bfloat16)
        return np.asarray(leaf)  # a device or a dtype that DLPack does not serve


def as_arrays(tree: Any) -> Any:
    """The same tree, with arrays of NumPy for those of PyTorch and others that speak DLPack.

    Example:
        >>> as_arrays({"x": np.ones(2), "n": 3})
        {'x': array([1., 1.]), 'n': 3}
    """
    return tree_map(as_array, tree)


def stack(examples: Sequence[Any]) -> Any:
    """A batch: corresponding leaves of the examples stacked along a leading axis.

    Args:
        examples: pytrees of one structure, whose corresponding leaves have one shape. Numbers
            become arrays of NumPy's default types; text stays a list.

    Raises:
        ValueError: if structures or shapes differ.

    Example:
        >>> stack([(np.zeros(2), 1), (np.ones(2), 2)])
        (array([[0., 0.],
               [1., 1.]]), array([1, 2]))
    """
    first, treedef = tree_flatten(examples[0])
    rows = [first]
    for k, example in enumerate(examples[1:], 1):
        leaves, other = tree_flatten(example)
        if other != treedef:
            raise ValueError(
                f"fxla.data: example {k} of the batch has the structure {other}, the first has "
                f"{treedef}{where_am_i()}. Pass `collate=` to say how to batch them."
            )
        rows.append(leaves)
    columns = []
    for position, column in enumerate(zip(*rows, strict=True)):
        shapes = {np.shape(x) for x in column}
        if len(shapes) > 1:
            path = leaf_paths(examples[0], "example")[position]
            raise ShapeError(
                f"fxla.data: {path} has different shapes in one batch: "
                f"{', '.join(map(str, sorted(shapes)))}{where_am_i()}. Pad them in `.map`, or pass "
                "`collate=`."
            )
        columns.append(list(column) if isinstance(column[0], str) else np.stack(column))
    return tree_unflatten(treedef, columns)


def count(batch: Any) -> int:
    """The number of examples in a batch: the leading size that its arrays share.

    Raises:
        ValueError: if its arrays have none, or different ones.

    Example:
        >>> count((np.zeros((3, 2)), np.zeros(3)))
        3
    """
    leaves = tree_flatten(batch)[0]
    sizes = {len(x) for x in leaves if np.ndim(x)}
    if len(sizes) != 1 or any(np.ndim(x) == 0 for x in leaves):
        shapes = ", ".join(
            f"{p}: {describe(x)}" for p, x in zip(leaf_paths(batch, "data"), leaves, strict=True)
        )
        raise ShapeError(
            "fxla.data: arrays of one dataset share their leading size; found "
            f"{shapes or 'none'}{where_am_i()}"
        )
    return sizes.pop()
