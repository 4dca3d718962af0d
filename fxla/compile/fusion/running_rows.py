"""Values carried down the columns of an array, a piece of a row at a time.

Carried lane by lane, a value would walk down one strip of columns after another and touch a new
page in every row. Here a piece of a row of carried values waits in the first cache, and rows are
read and written as they lie in memory. On a GPU threads walk down neighbouring columns together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from fxla.core.aval import Shape
from fxla.core.dtypes import DType
from fxla.core.jaxpr import Eqn
from fxla.loops.ir import Alloc, Buffer, Expr, For, Let, Load, Stmt, Store
from fxla.loops.passes.tile import within
from fxla.loops.view import (
    IndexTuple,
    Nest,
    View,
    binary,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.cumulative import Advance, Cumulative, LinearRecurrence

__all__ = ["running_nest", "suits_rows"]

WIDTHS = (1024, 512, 256)
"""Columns of a piece: the widest of which there are `PIECES`, or else the narrowest."""
PIECES = 8
"""Pieces that are enough for all cores."""
MIN_BYTES = 24 << 20
"""Bytes of a result from which on it comes from memory, not a cache, where strips are faster..."""
MIN_ROWS = 8
"""... if it has so many rows..."""
MIN_ROW_BYTES = 1024
"""... of so many bytes."""

_names = itertools.count()


def suits_rows(shape: Shape, dtype: DType, axis: int) -> bool:
    """Whether a value that is carried along `axis` is carried by rows.

    What is rounded to half precision in memory stays in registers.
    """
    return (
        axis < len(shape) - 1
        and math.prod(shape) * dtype.itemsize >= MIN_BYTES
        and shape[axis] >= MIN_ROWS
        and shape[-1] * dtype.itemsize >= MIN_ROW_BYTES
        and not (dtype.kind in "fV" and dtype.itemsize < 4)
    )


def running_nest(eqn: Eqn, views: Sequence[View]) -> Nest | None:
    """The nest of a running result that is carried by rows; None if it should not be."""
    primitive = eqn.primitive
    if not isinstance(primitive, Cumulative | LinearRecurrence):
        return None
    shape, dtype, axis = views[0].shape, views[0].dtype, eqn.params["axis"]
    if not suits_rows(shape, dtype, axis):
        return None
    start, advance = primitive.carried(*views)
    return _by_rows(shape, dtype, axis, eqn.params["reverse"], start, advance)


def _by_rows(
    shape: Shape, dtype: DType, axis: int, reverse: bool, start: Expr, advance: Advance
) -> Nest:
    """A value carried along `axis`, not the last, and stored at every step."""
    others, columns = (*shape[:axis], *shape[axis + 1 : -1]), shape[-1]
    around = math.prod(others)
    width = next((w for w in WIDTHS if around * -(-columns // w) >= PIECES), WIDTHS[-1])

    def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
        piece, rest = outer[0], outer[1:]
        carried = Buffer(f"carried{next(_names)}", dtype, (int_const(width),))
        k, first, lane = fresh_index("k"), fresh_index("lane"), fresh_index("lane")
        row = binary("sub", extent(shape[axis] - 1), k) if reverse else k
        column = binary("add", binary("mul", piece, int_const(width)), lane)
        i = (*rest[:axis], row, *rest[axis:], column)
        before, after = fresh_local(dtype, "before"), fresh_local(dtype, "total")
        step = (
            Let(before, Load(dtype, carried, (lane,))),
            Let(after, advance(before, i)),
            Store(carried, (lane,), after),
            Store(outs[0], i, after),
        )
        size = within(extent(columns), piece, width)
        return [
            Alloc(carried),
            For(first, size, (Store(carried, (first,), start),), "vector"),
            For(k, extent(shape[axis]), (For(lane, size, step, "vector"),)),
        ]

    pieces = -(-columns // width)
    return Nest(((shape, dtype),), (pieces, *others), body)
