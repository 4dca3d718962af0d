"""Exchanges between the examples of a mapped axis: gathers, of which an example takes its part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.control.collectives import all_gather, axis_index, axis_size, psum
from fxla.core.dtypes import int64
from fxla.core.pytree import tree_map
from fxla.core.trace import Value, typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops.casts import convert
from fxla.ops.dynamic import dynamic_slice
from fxla.ops.index import take
from fxla.ops.logic import ge, select
from fxla.ops.structure import broadcast_in_dim, move_axis, reshape, zeros_of

__all__ = ["all_to_all", "ppermute", "pshuffle", "psum_scatter", "pswapaxes"]


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Values sent from example to example; those that nothing is sent to get zeros.

    Args:
        x: tree of arrays.
        axis_name: of the mapped axis.
        perm: pairs of the index of a sender and that of a receiver, each at most once.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> ring = [(0, 1), (1, 2), (2, 0)]
        >>> fxla.vmap(lambda x: fxla.lax.ppermute(x, "i", ring), axis_name="i")(np.arange(3.0))
        Array([2., 0., 1.])
    """
    n = axis_size(axis_name)
    sources, targets = [s for s, _ in perm], [t for _, t in perm]
    if len(set(sources)) < len(perm) or len(set(targets)) < len(perm):
        raise ValueError(f"lax.ppermute: an example sends or receives twice: {perm}{where_am_i()}")
    table = np.full(n, -1, np.int64)
    table[targets] = sources
    source = take(table, _index(axis_name), 0)

    def moved(leaf: Value) -> Value:
        shape = typeof(leaf).shape
        every = all_gather(leaf, axis_name)
        found = take(every, select(ge(source, np.int64(0)), source, np.int64(0)), 0)
        there = broadcast_in_dim(ge(source, np.int64(0)), shape, ())
        return select(there, found, zeros_of(typeof(leaf)))

    return tree_map(moved, x)


def pshuffle(x: Any, axis_name: Any, perm: Sequence[int]) -> Any:
    """Example i gets the value of example ``perm[i]``.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> fxla.vmap(lambda x: fxla.lax.pshuffle(x, "i", [2, 0, 1]), axis_name="i")(np.arange(3.0))
        Array([2., 0., 1.])
    """
    if sorted(perm) != list(range(axis_size(axis_name))):
        raise ValueError(f"lax.pshuffle: not a permutation of the axis: {perm}{where_am_i()}")
    return ppermute(x, axis_name, [(int(s), i) for i, s in enumerate(perm)])


def all_to_all(
    x: Any, axis_name: Any, split_axis: int, concat_axis: int, *, tiled: bool = False
) -> Any:
    """Every example sends a part of its array to every example.

    Args:
        x: tree of arrays.
        axis_name: of the mapped axis.
        split_axis: the axis that is split into the parts; of the size of the mapped axis.
        concat_axis: where what arrives is stacked.
        tiled: the axis is split into pieces of equal length, which are concatenated.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> x = np.arange(4.0).reshape(2, 2)
        >>> fxla.vmap(lambda r: fxla.lax.all_to_all(r, "i", 0, 0), axis_name="i")(x)
        Array([[0., 2.],
               [1., 3.]])
    """
    n = axis_size(axis_name)

    def exchanged(leaf: Value) -> Value:
        shape = typeof(leaf).shape
        split, concat = split_axis % len(shape), concat_axis % len(shape)
        piece, rest = divmod(shape[split], n)
        if rest or (not tiled and piece != 1):
            raise ShapeError(
                f"lax.all_to_all: axis {split} of {typeof(leaf)} cannot be split among the {n} "
                f"examples of axis {axis_name!r}{where_am_i()}"
            )
        every = all_gather(leaf, axis_name)
        part = _piece(every, axis_name, split + 1, piece)
        if not tiled:
            part = reshape(part, (n, *(d for k, d in enumerate(shape) if k != split)))
            return move_axis(part, 0, concat)
        sizes = [piece if k == split else d for k, d in enumerate(shape)]
        sizes[concat] *= n
        return reshape(move_axis(part, 0, concat), tuple(sizes))

    return tree_map(exchanged, x)


def pswapaxes(x: Any, axis_name: Any, axis: int) -> Any:
    """The mapped axis and an axis of the arrays exchanged; both have one size.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> x = np.arange(4.0).reshape(2, 2)
        >>> fxla.vmap(lambda r: fxla.lax.pswapaxes(r, "i", 0), axis_name="i")(x)
        Array([[0., 2.],
               [1., 3.]])
    """
    return all_to_all(x, axis_name, axis, axis)


def psum_scatter(x: Any, axis_name: Any, *, scatter_dimension: int = 0, tiled: bool = False) -> Any:
    """The sum over all examples, of which each example keeps its own part.

    Args:
        x: tree of arrays.
        axis_name: of the mapped axis.
        scatter_dimension: the axis along which the sum is shared out.
        tiled: the axis stays, with the length of a piece; else it has the size of the mapped axis,
            and goes.

    Example:
        >>> import fxla, fxla.numpy as np
        >>> x = np.arange(4.0).reshape(2, 2)
        >>> fxla.vmap(lambda r: fxla.lax.psum_scatter(r, "i"), axis_name="i")(x)
        Array([2., 4.])
    """
    n = axis_size(axis_name)

    def shared(leaf: Value) -> Value:
        shape = typeof(leaf).shape
        at = scatter_dimension % len(shape)
        piece, rest = divmod(shape[at], n)
        if rest or (not tiled and piece != 1):
            raise ShapeError(
                f"lax.psum_scatter: axis {at} of {typeof(leaf)} cannot be shared among the {n} "
                f"examples of axis {axis_name!r}{where_am_i()}"
            )
        part = _piece(psum(leaf, axis_name), axis_name, at, piece)
        return part if tiled else reshape(part, (*shape[:at], *shape[at + 1 :]))

    return tree_map(shared, x)


def _index(axis_name: Any) -> Value:
    return convert(axis_index(axis_name), int64)


def _piece(x: Value, axis_name: Any, axis: int, size: int) -> Value:
    """The part of `x` along an axis that belongs to this example."""
    shape = list(typeof(x).shape)
    starts: list[Any] = [np.int64(0)] * len(shape)
    starts[axis] = _index(axis_name) * np.int64(size)
    shape[axis] = size
    return dynamic_slice(x, starts, shape)
