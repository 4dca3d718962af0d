"""Gather and scatter with XLA's dimension numbers."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxla.core.trace import typeof, where_am_i
from fxla.errors import ShapeError
from fxla.ops import index as ops
from fxla.ops.arithmetic import neg
from fxla.ops.casts import convert
from fxla.ops.gather_dims import GatherDims

__all__ = [
    "GatherDimensionNumbers",
    "GatherScatterMode",
    "ScatterDimensionNumbers",
    "gather",
    "index_take",
    "scatter",
    "scatter_add",
    "scatter_apply",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
]

GatherDimensionNumbers = GatherDims


@dataclass(frozen=True)
class ScatterDimensionNumbers:
    """Dimension numbers of a scatter, named from the updates' side.

    Attributes:
        update_window_dims: axes of the updates that run over a window.
        inserted_window_dims: operand axes whose window has size 1 and no axis in the updates.
        scatter_dims_to_operand_dims: operand axis of each component of an index vector.
        operand_batching_dims: operand axes that go along with a batch axis of the indices.
        scatter_indices_batching_dims: those batch axes.

    Example:
        Whole rows, at indices that are vectors of one component.

        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> rows = lax.ScatterDimensionNumbers((1,), (0,), (0,))
        >>> lax.scatter_add(fnp.zeros((3, 2)), fnp.array([[2]]), fnp.ones((1, 2)), rows)
        Array([[0., 0.],
               [0., 0.],
               [1., 1.]])
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()

    def as_gather(self) -> GatherDims:
        """The gather that reads the windows this scatter writes."""
        return GatherDims(
            tuple(self.update_window_dims),
            tuple(self.inserted_window_dims),
            tuple(self.scatter_dims_to_operand_dims),
            tuple(self.operand_batching_dims),
            tuple(self.scatter_indices_batching_dims),
        )


class GatherScatterMode(enum.Enum):
    """What happens to a window that is not inside the operand.

    Attributes:
        CLIP: it is moved inside.
        FILL_OR_DROP: what is read outside is a fill value; what is written there is dropped.
        PROMISE_IN_BOUNDS: the caller says that there is none.

    Example:
        >>> from fxla import lax
        >>> lax.GatherScatterMode.from_any("drop")
        <GatherScatterMode.FILL_OR_DROP: 'fill'>
    """

    CLIP = "clip"
    FILL_OR_DROP = "fill"
    PROMISE_IN_BOUNDS = "promise_in_bounds"

    @staticmethod
    def from_any(mode: Any) -> GatherScatterMode:
        """A mode from a mode, its name, or None (for the default)."""
        if isinstance(mode, GatherScatterMode):
            return mode
        names = {"clip": "clip", "fill": "fill", "drop": "fill", None: "fill",
                 "promise_in_bounds": "promise_in_bounds"}  # fmt: skip
        if mode not in names:
            raise ValueError(
                f"mode={mode!r}: expected 'clip', 'fill', 'drop' or None{where_am_i()}"
            )
        return GatherScatterMode(names[mode])


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDims,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Any = None,
    fill_value: Any = None,
) -> Any:
    """One window of the operand for each index vector.

    Args:
        operand: an array.
        start_indices: integers; the last axis is the index vector.
        dimension_numbers: which axis is which, see `GatherDimensionNumbers`.
        slice_sizes: size of a window along each operand axis.
        unique_indices: promise that no two windows overlap.
        indices_are_sorted: accepted for compatibility with JAX.
        mode: for windows out of bounds; "clip" or "fill" (default).
        fill_value: what "fill" reads; default NaN, or the extreme of an integer.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> dims = lax.GatherDimensionNumbers((), (0,), (0,))
        >>> lax.gather(fnp.arange(5) * 10, fnp.array([[3], [1]]), dims, (1,))
        Array([30, 10])
    """
    del indices_are_sorted
    kind: Any = GatherScatterMode.from_any(mode).value
    return ops.gather(
        operand, start_indices, dimension_numbers, tuple(slice_sizes), kind, unique_indices,
        fill_value,
    )  # fmt: skip


def _window_sizes(operand: Any, updates: Any, dims: ScatterDimensionNumbers) -> tuple[int, ...]:
    """The size of a window along each operand axis."""
    shape = typeof(updates).shape
    window = iter([shape[a] for a in dims.update_window_dims])
    single = (*dims.inserted_window_dims, *dims.operand_batching_dims)
    sizes = tuple(1 if d in single else next(window) for d in range(typeof(operand).ndim))
    if next(window, None) is not None:
        raise ShapeError(
            f"lax.scatter: {dims} does not fit operand {typeof(operand)}{where_am_i()}"
        )
    return sizes


def _scatter(name: str, function: Callable[..., Any], what: str, shown: str) -> Any:
    def apply(
        operand: Any,
        scatter_indices: Any,
        updates: Any,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
    ) -> Any:
        del indices_are_sorted
        kind: Any = GatherScatterMode.from_any(mode).value
        updates = convert(updates, typeof(operand).dtype)
        return function(
            operand, scatter_indices, updates, dimension_numbers.as_gather(),
            _window_sizes(operand, updates, dimension_numbers), kind, unique_indices,
        )  # fmt: skip

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = (
        f"The operand with a window {what} for each index vector.\n\n"
        "Args:\n    operand: an array.\n"
        "    scatter_indices: integers; the last axis is the index vector.\n"
        "    updates: a window for each index vector.\n"
        "    dimension_numbers: which axis is which, see `ScatterDimensionNumbers`.\n"
        "    indices_are_sorted: accepted for compatibility with JAX.\n"
        "    unique_indices: promise that no two windows overlap.\n"
        '    mode: for windows out of bounds; "clip", or "drop" (default).\n\n'
        "Example:\n    >>> import fxla.numpy as fnp\n    >>> from fxla import lax\n"
        "    >>> dims = lax.ScatterDimensionNumbers((), (0,), (0,))\n"
        "    >>> index, updates = fnp.array([[1], [1]]), fnp.array([3.0, 4.0])\n"
        f"    >>> lax.{name}(fnp.full(3, 2.0), index, updates, dims)\n"
        f"    Array({shown})\n"
    )
    return apply


def _subtract(x: Any, indices: Any, updates: Any, *rest: Any) -> Any:
    return ops.scatter_add(x, indices, neg(updates), *rest)


scatter = _scatter("scatter", ops.scatter, "replaced", "[2., 4., 2.]")
scatter_add = _scatter("scatter_add", ops.scatter_add, "added to", "[2., 9., 2.]")
scatter_sub = _scatter("scatter_sub", _subtract, "subtracted from", "[ 2., -5.,  2.]")
scatter_mul = _scatter("scatter_mul", ops.scatter_mul, "multiplied", "[ 2., 24.,  2.]")
scatter_min = _scatter("scatter_min", ops.scatter_min, "lowered to a bound", "[2., 2., 2.]")
scatter_max = _scatter("scatter_max", ops.scatter_max, "raised to a bound", "[2., 4., 2.]")


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """The operand with `func` applied to the windows that index vectors name.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> dims = lax.ScatterDimensionNumbers((), (0,), (0,))
        >>> lax.scatter_apply(fnp.ones(3), fnp.array([[1]]), lambda x: -x, dims, update_shape=(1,))
        Array([ 1., -1.,  1.])
    """
    del indices_are_sorted
    kind: Any = GatherScatterMode.from_any(mode).value
    updates = np.zeros(tuple(update_shape), typeof(operand).dtype)
    sizes = _window_sizes(operand, updates, dimension_numbers)
    dims = dimension_numbers.as_gather()
    windows = ops.gather(operand, scatter_indices, dims, sizes, "clip", unique_indices)
    return ops.scatter(operand, scatter_indices, func(windows), dims, sizes, kind, unique_indices)


def index_take(src: Any, idxs: Any, axes: Sequence[int]) -> Any:
    """``src`` at integer positions along `axes`, one index array for each.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.index_take(fnp.arange(5) * 10, [fnp.array([3, 1])], (0,))
        Array([30, 10])
    """
    index: list[Any] = [slice(None)] * typeof(src).ndim
    for i, a in zip(idxs, axes, strict=True):
        index[a] = i
    return src[tuple(index)]
