"""A scatter as loops: copy the operand, then write one window after the other."""

from __future__ import annotations

from collections.abc import Sequence

from fxla.core.aval import Shape
from fxla.loops.ir import AxisKind, Buffer, For, If, Index, Let, Load, Stmt, Store
from fxla.loops.view import IndexTuple, Nest, View, extent, fresh_index, fresh_local, op
from fxla.ops.gather_dims import GatherDims, IndexMode, lowered_addresses, lowered_starts
from fxla.ops.shape import all_of

__all__ = ["scatter_nest"]


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
    independent.

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

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        (out,) = outs
        i = _free_indices(x.ndim, dims.operand_batching_dims, outer)
        b = _free_indices(indices.ndim - 1, batching, outer)
        w = tuple(fresh_index("w") for _ in dims.offset_dims)
        copied: tuple[Stmt, ...] = ()
        if not in_place:
            copied = _loops(i, x.shape, outer, (Store(out, i, x[i]),), "parallel", "vector")
        found, inside = lowered_starts(dims, x.shape, indices, sizes, mode, b)
        starts = {d: fresh_local(e.dtype, "s") for d, e in found.items()}
        lets = tuple(Let(starts[d], e) for d, e in found.items())
        target = lowered_addresses(dims, x.ndim, starts, b, w)
        value = updates[_updates_index(dims, b, w)]
        if combine is not None:
            value = op(combine, x.dtype, Load(x.dtype, out, target), value)
        spanned = dims.window_dims(x.ndim)
        extents = [sizes[d] for d in spanned]
        # neighbours in the last axis of a window are neighbours in memory
        inner: AxisKind = "vector" if spanned[-1:] == (x.ndim - 1,) else "parallel"
        written = _loops(w, extents, (), (Store(out, target, value),), "parallel", inner)
        if inside:
            written = (If(all_of(inside), written),)
        kind: AxisKind = "parallel" if unique_indices else "serial"
        return [*copied, *_loops(b, indices.shape[:-1], outer, (*lets, *written), kind, kind)]

    parallel = tuple(indices.shape[k] for k in batching)
    return Nest(((x.shape, x.dtype),), parallel, body)


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
    extents: Sequence[int],
    outer: IndexTuple,
    body: tuple[Stmt, ...],
    kind: AxisKind,
    innermost: AxisKind,
) -> tuple[Stmt, ...]:
    """`body` for all values of the indices that are not among `outer`."""
    for i, n in zip(reversed(indices), reversed(extents), strict=True):
        if isinstance(i, Index) and i not in outer:
            body = (For(i, extent(n), body, innermost if i is indices[-1] else kind),)
    return body
