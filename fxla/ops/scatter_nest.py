"""A scatter as loops: copy the operand, then write one window after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fxla.core.aval import Aval, Shape
from fxla.core.records import dataclass
from fxla.loops.ir import INDEX, AxisKind, Buffer, Expr, For, If, Index, Let, Load, Stmt, Store
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Phase,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
)
from fxla.ops.gather_dims import GatherDims, IndexMode, lowered_addresses, lowered_starts
from fxla.ops.shape import all_of

__all__ = ["scatter_nest", "windows_are_shared"]

FEW = 4
"""Batches of a scatter that leave processors idle."""
MIN_SIZE = 1 << 16
"""Elements from which on a copy, or writing updates, is shared out."""
MAX_BYTES = 1 << 23
"""Bytes of updates, at most, that are shared out: they must stay in a cache, because no share reads
them in a row, which is how one core reads memory at full speed."""
BLOCK = 8192
"""Elements of a vector that are one task of a copy."""
MIN_WINDOW = 128
"""Bytes of a window from which on it takes longer to write than to find out whose it is."""
SHARES = 8
"""Shares of a scatter, at most: each reads all indices."""
SHARE_WINDOW = 64
"""Bytes of a window for each share."""


def scatter_nest(
    x: View,
    indices: View,
    updates: View,
    dims: GatherDims,
    sizes: Shape,
    mode: IndexMode,
    unique_indices: bool,
    combine: str | None,
    in_place: bool = False,
) -> Nest:
    """The statements of a scatter.

    Batching axes are independent of each other, so they are the outer indices of the nest. Within
    a batch the windows are written in order, unless no two meet; the elements of one window are
    independent. Wide windows are shared out by where they are written (`_Share`), in the same
    order. A large operand is copied apart, on all cores.

    Args:
        x: the operand.
        indices: where the windows start.
        updates: what is written.
        dims: how indices address x.
        sizes: of a window.
        mode: what happens to a window that is not inside x.
        unique_indices: whether no two windows meet.
        combine: the scalar op of an element and its update; None to replace it.
        in_place: whether the result has the memory of `x`, so that nothing is copied.
    """
    batching = dims.start_indices_batching_dims
    batches = tuple(indices.shape[k] for k in batching)
    share = None if unique_indices else _share(x, updates, dims, sizes, batches)
    parallel = batches if share is None else (*batches, share.count)
    written_apart = math.prod(updates.shape) if unique_indices else 0
    apart = share is None and not batches and max(math.prod(x.shape), written_apart) >= MIN_SIZE

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        (out,) = outs
        batch = outer[: len(batching)]
        b = _free_indices(indices.ndim - 1, batching, batch)
        w = tuple(fresh_index("w") for _ in dims.offset_dims)
        found, inside = lowered_starts(dims, x.shape, indices, sizes, mode, b)
        starts = {d: fresh_local(e.dtype, "s") for d, e in found.items()}
        lets = tuple(Let(starts[d], e) for d, e in found.items())
        target = lowered_addresses(dims, x.ndim, starts, b, w)
        value = updates[_updates_index(dims, b, w)]
        if combine is not None:
            value = op(combine, x.dtype, Load(x.dtype, out, target), value)
        spanned = dims.window_dims(x.ndim)
        # neighbours in the last axis of a window are neighbours in memory
        inner: AxisKind = "vector" if spanned[-1:] == (x.ndim - 1,) else "parallel"
        extents = [extent(sizes[d]) for d in spanned]
        written = _loops(w, extents, (), (Store(out, target, value),), "parallel", inner)
        owned: list[Let] = []
        if share is not None:
            first, end = fresh_local(INDEX, "first"), fresh_local(INDEX, "end")
            owned += [Let(first, share.first(outer[-1])), Let(end, share.end(first))]
            own = starts[share.axis]
            inside += [compare("ge", own, first), compare("lt", own, end)]
        if inside:
            written = (If(all_of(inside), written),)
        kind: AxisKind = "parallel" if unique_indices else "serial"
        points = [extent(n) for n in indices.shape[:-1]]
        scattered = _loops(b, points, batch, (*lets, *written), kind, kind)
        if in_place or apart:
            return [*owned, *scattered]
        place = list(_free_indices(x.ndim, dims.operand_batching_dims, batch))
        i, shape = tuple(place), [extent(n) for n in x.shape]
        if share is not None:
            place[share.axis] = binary("add", first, i[share.axis])
            shape[share.axis] = binary("sub", end, first)
        copied = Store(out, tuple(place), x[tuple(place)])
        return [*owned, *_loops(i, shape, batch, (copied,), "parallel", "vector"), *scattered]

    before = (_copy(x),) if apart and not in_place else ()
    single = not unique_indices and math.prod(sizes) == 1
    return Nest(
        ((x.shape, x.dtype),), parallel, body, before=before, one_by_one=(1, 2) if single else ()
    )


def _copy(x: View) -> Phase:
    """The operand is copied by all cores, before what one core does."""
    rest = tuple(fresh_index() for _ in x.shape[1:])

    def rows(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        i = (*outer, *rest)
        extents = [extent(n) for n in x.shape]
        return _loops(i, extents, outer, (Store(outs[0], i, x[i]),), "parallel", "vector")

    def blocks(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        k, begin = fresh_index("k"), binary("mul", outer[0], int_const(BLOCK))
        size = binary("minimum", int_const(BLOCK), binary("sub", extent(x.shape[0]), begin))
        at = (binary("add", begin, k),)
        return [For(k, size, (Store(outs[0], at, x[at]),), "vector")]

    return Phase(x.shape[:1], rows) if rest else Phase((-(-x.shape[0] // BLOCK),), blocks)


@dataclass(frozen=True, slots=True)
class _Share:
    """How windows that may meet are written on several cores, and still in order.

    Each share owns a range of positions along an axis. It reads all indices and writes the windows
    in its range, so windows that meet have one writer.

    Attributes:
        axis: of the operand; windows have one position along it.
        total: its size.
        size: of the range that a share owns; the last may be smaller, or empty.
        count: how many shares there are.
    """

    axis: int
    total: int
    size: int
    count: int

    def first(self, number: Expr) -> Expr:
        """Where the range of a share begins."""
        return op("minimum", INDEX, binary("mul", number, extent(self.size)), extent(self.total))

    def end(self, first: Expr) -> Expr:
        """Where the range ends that begins there."""
        return op("minimum", INDEX, binary("add", first, extent(self.size)), extent(self.total))


def windows_are_shared(x: Aval, updates: Aval, dims: GatherDims, sizes: Shape) -> bool:
    """Whether windows of an operand of no batches are shared out by where they are written."""
    return _share(x, updates, dims, sizes, ()) is not None


def _share(
    x: View | Aval, updates: View | Aval, dims: GatherDims, sizes: Shape, batches: Shape
) -> _Share | None:
    """How the windows are shared out, if there is much to write and batches are few."""
    axis = next((d for d in dims.start_index_map if sizes[d] == 1), None)
    written = math.prod(updates.shape)
    if axis is None or math.prod(batches) > FEW or written < MIN_SIZE:
        return None
    window = math.prod(sizes) * x.dtype.itemsize
    if window < MIN_WINDOW or x.shape[axis] < SHARES or written * x.dtype.itemsize > MAX_BYTES:
        return None
    count = SHARES if window >= SHARES * SHARE_WINDOW else 2
    return _Share(axis, x.shape[axis], -(-x.shape[axis] // count), count)


def _free_indices(rank: int, fixed: Shape, outer: IndexTuple) -> IndexTuple:
    """One index for each axis: those of `outer` at the axes `fixed`, new ones elsewhere."""
    known = dict(zip(fixed, outer, strict=True))
    return tuple(known[d] if d in known else fresh_index() for d in range(rank))


def _updates_index(dims: GatherDims, batch: IndexTuple, window: IndexTuple) -> IndexTuple:
    free = iter(batch)
    return tuple(
        window[dims.offset_dims.index(k)] if k in dims.offset_dims else next(free)
        for k in range(len(batch) + len(window))
    )


def _loops(
    indices: IndexTuple,
    extents: Sequence[Expr],
    outer: IndexTuple,
    body: tuple[Stmt, ...],
    kind: AxisKind,
    innermost: AxisKind,
) -> tuple[Stmt, ...]:
    """`body` for all values of the indices that are not among `outer`."""
    for i, n in zip(reversed(indices), reversed(extents), strict=True):
        if isinstance(i, Index) and i not in outer:
            body = (For(i, n, body, innermost if i is indices[-1] else kind),)
    return body
