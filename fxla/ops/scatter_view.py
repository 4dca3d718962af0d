"""A scatter of one window as a view: each element of the result asks whether the window covers it.

So the gradient of reading one element of each row is `where(column == label, value, 0)`, which
fuses with what is around it.
"""

from __future__ import annotations

import math

from fxla.core.aval import Shape
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, View, binary, compare, extent, int_const, op, select
from fxla.ops.gather_dims import GatherDims, IndexMode, lowered_starts
from fxla.ops.shape import all_of

__all__ = ["has_one_window", "scatter_view"]


def has_one_window(indices: Shape, dims: GatherDims) -> bool:
    """Whether there is one index vector for each batch element."""
    batching = dims.start_indices_batching_dims
    return math.prod(n for k, n in enumerate(indices[:-1]) if k not in batching) == 1


def scatter_view(
    x: View,
    indices: View,
    updates: View,
    dims: GatherDims,
    sizes: Shape,
    mode: IndexMode,
    combine: str | None,
) -> View:
    """The result of a scatter that has one window.

    Args:
        x: the operand.
        indices: where the window starts.
        updates: what is written.
        dims: how indices address x.
        sizes: of the window.
        mode: what happens to a window that is not inside x.
        combine: the scalar op of an element and its update; None to replace it.
    """
    batching = dict(zip(dims.start_indices_batching_dims, dims.operand_batching_dims, strict=True))

    def at(i: IndexTuple) -> Expr:
        batch = tuple(
            i[batching[k]] if k in batching else int_const(0) for k in range(indices.ndim - 1)
        )
        starts, covered = lowered_starts(dims, x.shape, indices, sizes, mode, batch)
        offsets = dict(enumerate(i))
        for d, start in starts.items():
            if sizes[d] == 1:
                covered.append(compare("eq", i[d], start))
                offsets[d] = int_const(0)
                continue
            offsets[d] = binary("sub", i[d], start)
            covered.append(compare("ge", offsets[d], int_const(0)))
            covered.append(compare("lt", offsets[d], extent(sizes[d])))
        for d in range(x.ndim):
            if d not in starts and d not in batching.values() and sizes[d] != x.shape[d]:
                covered.append(compare("lt", i[d], extent(sizes[d])))
        window = iter([offsets[d] for d in dims.window_dims(x.ndim)])
        others = iter(batch)
        place = tuple(
            next(window) if k in dims.offset_dims else next(others) for k in range(updates.ndim)
        )
        update = updates[place]
        new = update if combine is None else op(combine, x.dtype, x[i], update)
        return select(all_of(covered), new, x[i]) if covered else new

    return View(x.shape, x.dtype, at)
