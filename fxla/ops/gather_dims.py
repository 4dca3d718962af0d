"""How a gather or scatter addresses its operand: XLA's dimension numbers, and their arithmetic.

A gather reads one window of the operand for each index vector; a scatter writes one. The same
record describes both, as each is the transpose of the other. With ``indices: int[*batch, k]``,

* ``indices[b, j]`` is where the window of ``b`` starts along operand axis ``start_index_map[j]``;
* the window has size ``sizes[d]`` along operand axis d; axes of size 1 in ``collapsed_slice_dims``
  do not appear in the output (updates, for a scatter), the others appear at ``offset_dims``;
* operand axis ``operand_batching_dims[j]`` goes along with batch axis
  ``start_indices_batching_dims[j]`` of the indices: this is how a gather stays one under vmap.

Reference: https://openxla.org/xla/operation_semantics#gather.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, is_bool, is_inexact, is_integer, is_signed
from fxla.core.records import dataclass
from fxla.core.trace import where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.loops.ir import INDEX, Expr
from fxla.loops.view import View, binary, cast, compare, extent, int_const, op

__all__ = [
    "Addresses",
    "GatherDims",
    "IndexMode",
    "addresses",
    "default_fill",
    "lowered_addresses",
    "lowered_starts",
]

IndexMode = Literal["clip", "fill", "promise_in_bounds"]
"""What happens to a window that is not inside the operand.

clip: it is moved inside. fill: a gather reads the fill value, a scatter drops the update.
promise_in_bounds: there is none, and nobody checks.
"""


@dataclass(frozen=True, slots=True)
class GatherDims:
    """Dimension numbers of a gather or scatter; see the top of this file.

    Attributes:
        offset_dims: axes of the output (updates) that run over a window.
        collapsed_slice_dims: operand axes whose window has size 1 and no axis in the output.
        start_index_map: operand axis of each component of an index vector.
        operand_batching_dims: operand axes that go along with a batch axis of the indices.
        start_indices_batching_dims: those batch axes.

    Example:
        >>> rows = GatherDims(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
        >>> rows.output_shape((3, 1), (1, 7))  # x[i] for x: [n, 7], i: [3]
        (3, 7)
    """

    offset_dims: Shape
    collapsed_slice_dims: Shape
    start_index_map: Shape
    operand_batching_dims: Shape = ()
    start_indices_batching_dims: Shape = ()

    def window_dims(self, rank: int) -> Shape:
        """Operand axes that appear in the output, in order; one for each of `offset_dims`."""
        left_out = (*self.collapsed_slice_dims, *self.operand_batching_dims)
        return tuple(d for d in range(rank) if d not in left_out)

    def output_shape(self, indices: Shape, sizes: Shape) -> Shape:
        """Shape of a gather's output or a scatter's updates."""
        batch = iter(indices[:-1])
        window = dict(
            zip(self.offset_dims, [sizes[d] for d in self.window_dims(len(sizes))], strict=True)
        )
        rank = len(indices) - 1 + len(self.offset_dims)
        return tuple(window[k] if k in window else next(batch) for k in range(rank))

    def check(self, call: str, x: Aval, indices: Aval, sizes: Shape) -> None:
        """Check the record against an operand and indices.

        Raises:
            DtypeError: if the indices are not integers.
            ShapeError: if they do not fit.
        """
        if not is_integer(indices.dtype):
            raise DtypeError(f"{call}: indices must be integers, got {indices}{where_am_i()}")
        n = x.ndim
        single = (*self.collapsed_slice_dims, *self.operand_batching_dims)
        rank = indices.ndim - 1 + len(self.offset_dims)
        fits = (
            indices.ndim >= 1
            and indices.shape[-1] == len(self.start_index_map) == len(set(self.start_index_map))
            and all(0 <= d < n for d in (*self.start_index_map, *single))
            and len(set(single)) == len(single)
            and not set(self.start_index_map) & set(self.operand_batching_dims)
            and len(sizes) == n
            and len(self.offset_dims) == n - len(single)
            and list(self.offset_dims) == sorted(set(self.offset_dims))
            and all(0 <= k < rank for k in self.offset_dims)
            and all(sizes[d] == 1 for d in single)
            and all(
                0 <= size <= (max(m, 1) if d in self.collapsed_slice_dims else m)
                for d, (size, m) in enumerate(zip(sizes, x.shape))
                if d not in self.operand_batching_dims
            )
            and len(self.operand_batching_dims) == len(self.start_indices_batching_dims)
            and all(
                0 <= b < indices.ndim - 1 and x.shape[d] == indices.shape[b]
                for d, b in zip(self.operand_batching_dims, self.start_indices_batching_dims)
            )
        )
        if not fits:
            raise ShapeError(
                f"{call}: {self} with sizes {sizes} does not fit operand {x} and indices "
                f"{indices}{where_am_i()}"
            )

    def batch_operand(self) -> GatherDims:
        """The record when operand and output get a new leading axis, part of every window."""
        return GatherDims(
            (0, *_up(self.offset_dims)),
            _up(self.collapsed_slice_dims),
            _up(self.start_index_map),
            _up(self.operand_batching_dims),
            self.start_indices_batching_dims,
        )

    def batch_indices(self) -> GatherDims:
        """The record when indices and output get a new leading axis."""
        return GatherDims(
            _up(self.offset_dims),
            self.collapsed_slice_dims,
            self.start_index_map,
            self.operand_batching_dims,
            _up(self.start_indices_batching_dims),
        )

    def batch_both(self) -> GatherDims:
        """The record when operand, indices and output get a new leading axis."""
        return GatherDims(
            _up(self.offset_dims),
            _up(self.collapsed_slice_dims),
            _up(self.start_index_map),
            (0, *_up(self.operand_batching_dims)),
            (0, *_up(self.start_indices_batching_dims)),
        )


def _up(axes: Shape) -> Shape:
    return tuple(a + 1 for a in axes)


def default_fill(dtype: DType) -> Any:
    """What a gather reads outside the operand: NaN, the least signed or largest unsigned integer.

    Example:
        >>> default_fill(np.dtype("int8")), default_fill(np.dtype("uint8"))
        (-128, 255)
    """
    if is_inexact(dtype):
        return float("nan")
    if is_bool(dtype):
        return True
    limits = np.iinfo(dtype)
    return limits.min if is_signed(dtype) else limits.max


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the windows are, for NumPy.

    Operand axes are either *indexed* (their position differs between outputs by more than a whole
    range) or *whole*. Positions along the indexed axes are given for each point of the index
    space: the batch axes of the indices, then the indexed axes that are part of the window.

    Attributes:
        indexed: operand axes with positions.
        whole: operand axes that every window spans.
        positions: an array for each indexed axis; they broadcast to the index space.
        space: shape of the index space.
        valid: of the batch shape, whether the window is inside; None if all are.
        order: transpose an array of (index space, whole axes) by it to get the output's axes.
    """

    indexed: Shape
    whole: Shape
    positions: tuple[Any, ...]
    space: Shape
    valid: Any
    order: Shape


def addresses(
    dims: GatherDims, shape: Shape, indices: Any, sizes: Shape, mode: IndexMode
) -> Addresses:
    """Work out where the windows are in an operand of `shape`."""
    rank = len(shape)
    window = dims.window_dims(rank)
    whole = tuple(d for d in window if d not in dims.start_index_map and sizes[d] == shape[d])
    indexed = tuple(d for d in range(rank) if d not in whole)
    partial = tuple(d for d in window if d in indexed)
    batch = indices.shape[:-1]
    space = (*batch, *[sizes[d] for d in partial])
    starts, valid = _starts(dims, shape, indices, sizes, mode)
    positions = []
    for d in indexed:
        terms = []
        if d in starts:
            terms.append(starts[d].reshape((*batch, *[1] * len(partial))))
        if d in dims.operand_batching_dims:
            k = dims.start_indices_batching_dims[dims.operand_batching_dims.index(d)]
            terms.append(_along(k, shape[d], len(space)))
        if d in partial:
            terms.append(_along(len(batch) + partial.index(d), sizes[d], len(space)))
        positions.append(
            sum(terms[1:], terms[0]) if terms else np.zeros((1,) * len(space), np.intp)
        )
    layout = (*partial, *whole)
    free = iter(range(len(batch)))
    order = tuple(
        len(batch) + layout.index(window[dims.offset_dims.index(k)])
        if k in dims.offset_dims
        else next(free)
        for k in range(len(batch) + len(window))
    )
    return Addresses(indexed, whole, tuple(positions), space, valid, order)


def _along(axis: int, n: int, rank: int) -> Any:
    return np.arange(n).reshape([-1 if k == axis else 1 for k in range(rank)])


def _starts(
    dims: GatherDims, shape: Shape, indices: Any, sizes: Shape, mode: IndexMode
) -> tuple[dict[int, Any], Any]:
    """Start of the windows along each mapped axis, made safe, and which windows are inside."""
    starts: dict[int, Any] = {}
    valid: Any = None
    for k, d in enumerate(dims.start_index_map):
        s, last = indices[..., k].astype(np.intp), shape[d] - sizes[d]
        if mode == "clip":
            s = np.clip(s, 0, max(last, 0))
        elif mode == "fill":
            inside = (s >= 0) & (s <= last)
            if not inside.all():
                valid = inside if valid is None else valid & inside
                s = np.where(inside, s, 0)
        starts[d] = s
    return starts, valid


def lowered_starts(
    dims: GatherDims,
    shape: Shape,
    indices: View,
    sizes: Shape,
    mode: IndexMode,
    batch: tuple[Expr, ...],
) -> tuple[dict[int, Expr], list[Expr]]:
    """Start of one window along each mapped axis, and the conditions that it is inside."""
    starts: dict[int, Expr] = {}
    inside: list[Expr] = []
    for k, d in enumerate(dims.start_index_map):
        s, last = cast(indices[(*batch, int_const(k))], INDEX), extent(shape[d] - sizes[d])
        if mode == "clip":
            s = op("maximum", INDEX, op("minimum", INDEX, s, last), int_const(0))
        elif mode == "fill":
            inside += [compare("ge", s, int_const(0)), compare("le", s, last)]
        starts[d] = s
    return starts, inside


def lowered_addresses(
    dims: GatherDims,
    rank: int,
    starts: Mapping[int, Expr],
    batch: tuple[Expr, ...],
    window: tuple[Expr, ...],
) -> tuple[Expr, ...]:
    """The operand's index for one batch index and one index inside the window."""
    at = dict(zip(dims.window_dims(rank), window, strict=True))
    for d, k in zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True):
        at[d] = batch[k]
    return tuple(
        binary("add", starts.get(d, int_const(0)), at.get(d, int_const(0))) for d in range(rank)
    )
