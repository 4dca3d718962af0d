"""Gather and the scatter family: reading and writing at computed positions.

They are closed under transposition (a gather's transpose is a scatter-add and the other way round),
so they stand together. All of NumPy's advanced indexing is one of them; `fxla.ops.gather_dims`
explains how positions are addressed.

Where two updates of a scatter meet, they are applied in the order of the updates array (C order of
its batch axes): of two plain writes the last one stays. Eager and compiled code agree on that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import int64
from fxla.core.primitive import Primitive, Zero, is_linear, is_zero
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, Nest, View
from fxla.ops.arithmetic import div, mul, sub
from fxla.ops.casts import convert
from fxla.ops.elementwise import add
from fxla.ops.gather_dims import (
    GatherDims,
    IndexMode,
    addresses,
    default_fill,
    lowered_addresses,
    lowered_starts,
)
from fxla.ops.logic import eq, select
from fxla.ops.scatter_nest import scatter_nest
from fxla.ops.scatter_view import has_one_window, scatter_view
from fxla.ops.shape import all_of, iota
from fxla.ops.structure import (
    batch_move,
    expand_dims,
    full,
    instantiate,
    move_axis,
    reshape,
    zeros_of,
)

__all__ = [
    "GatherDims",
    "IndexMode",
    "Scatter",
    "gather",
    "gather_p",
    "scatter",
    "scatter_add",
    "scatter_add_p",
    "scatter_max",
    "scatter_max_p",
    "scatter_min",
    "scatter_min_p",
    "scatter_mul",
    "scatter_mul_p",
    "scatter_p",
    "take",
    "take_along_axis",
]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]


class Gather(Primitive):
    """One window of `x` for each index vector.  x: T[...], indices: int[*batch, k].  Linear in x.

    Params:
        dims: how indices address x.
        sizes: of a window, along each axis of x.
        mode: what happens to a window that is not inside x.
        fill_value: read outside in mode "fill"; None is `default_fill` of the dtype.
        unique_indices: whether no two windows meet; lets the transpose write in parallel.
    """

    name = "gather"

    def abstract_eval(
        self, x: Aval, indices: Aval, *, dims: GatherDims, sizes: Shape, **params: Any
    ) -> tuple[Aval, ...]:
        dims.check(self.name, x, indices, sizes)
        return (Aval(dims.output_shape(indices.shape, sizes), x.dtype, x.weak_type),)

    def impl(
        self,
        x: Any,
        indices: Any,
        *,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        fill_value: Any,
        unique_indices: bool,
    ) -> tuple[Any, ...]:
        x, indices = np.asarray(x), np.asarray(indices)
        fill = default_fill(x.dtype) if fill_value is None else fill_value
        if x.size == 0:
            return (np.full(dims.output_shape(indices.shape, sizes), fill, x.dtype),)
        at = addresses(dims, x.shape, indices, sizes, mode)
        whole = [x.shape[d] for d in at.whole]
        if len(at.indexed) == 1:
            (d,) = at.indexed
            p = np.broadcast_to(at.positions[0], at.space)
            found = np.take(x, p, axis=d)
            found = np.moveaxis(found, range(d, d + p.ndim), range(p.ndim))
        else:
            found = x.transpose(*at.indexed, *at.whole)[at.positions]
            if found.shape != (*at.space, *whole):
                found = np.array(np.broadcast_to(found, (*at.space, *whole)))
        if at.valid is not None:
            found[~at.valid] = fill
        return (found.transpose(at.order),)

    def jvp(
        self, primals: Any, tangents: Any, *, fill_value: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (x, indices), (t, _) = primals, tangents
        out = self.bind(x, indices, fill_value=fill_value, **params)
        if is_zero(t):
            return out, (Zero(typeof(out[0]).tangent()),)
        return out, self.bind(t, indices, fill_value=0, **params)

    def transpose(
        self,
        cts: Any,
        *operands: Any,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        fill_value: Any,
        unique_indices: bool,
    ) -> tuple[Any, ...]:
        (x, indices), (ct,) = operands, cts
        zeros = full(x.shape, 0, typeof(ct).dtype)
        return (scatter_add(zeros, indices, ct, dims, sizes, mode, unique_indices), None)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        dims: GatherDims,
        sizes: Shape,
        **params: Any,
    ) -> Out:
        (x, indices), (x_at, at) = operands, axes
        if at is None:
            up, sizes = dims.batch_operand(), (axis.size, *sizes)
            return self.bind(move_axis(x, x_at, 0), indices, dims=up, sizes=sizes, **params), (0,)
        indices = move_axis(indices, at, 0)
        if x_at is None:
            return self.bind(x, indices, dims=dims.batch_indices(), sizes=sizes, **params), (0,)
        x, sizes = move_axis(x, x_at, 0), (1, *sizes)
        return self.bind(x, indices, dims=dims.batch_both(), sizes=sizes, **params), (0,)

    def lower(
        self,
        *views: View,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        fill_value: Any,
        unique_indices: bool,
    ) -> tuple[View, ...]:
        x, indices = views
        fill = default_fill(x.dtype) if fill_value is None else fill_value

        def at(i: IndexTuple) -> Expr:
            batch = tuple(k for axis, k in enumerate(i) if axis not in dims.offset_dims)
            window = tuple(i[axis] for axis in dims.offset_dims)
            starts, inside = lowered_starts(dims, x.shape, indices, sizes, mode, batch)
            found = x[lowered_addresses(dims, x.ndim, starts, batch, window)]
            if not inside:
                return found
            return scalar.select(all_of(inside), found, scalar.const(fill, x.dtype))

        return (View(dims.output_shape(indices.shape, sizes), x.dtype, at),)


gather_p = Gather()


class Scatter(Primitive):
    """`x` with one window combined with an update for each index vector.

    x: T[...], indices: int[*batch, k], updates: T[shape of the gather of the same dims] -> T[...].
    Params as `Gather`'s, without the fill value.

    A member of the family says how an update is combined: by replacing, or by a ufunc.
    """

    updates = True

    def __init__(
        self, name: str, combine: str | None, ufunc: Any, tangent: Callable[..., Value]
    ) -> None:
        self.name = name
        self.combine = combine
        self.ufunc = ufunc
        self.tangent = tangent
        super().__init__()

    def abstract_eval(
        self,
        x: Aval,
        indices: Aval,
        updates: Aval,
        *,
        dims: GatherDims,
        sizes: Shape,
        **params: Any,
    ) -> tuple[Aval, ...]:
        dims.check(self.name, x, indices, sizes)
        if x.dtype != updates.dtype:
            raise DtypeError(f"{self.name}: dtypes differ: {x}, updates {updates}")
        if updates.shape != dims.output_shape(indices.shape, sizes):
            raise ShapeError(
                f"{self.name}: updates {updates} do not fit {x} at indices {indices}: expected "
                f"shape {dims.output_shape(indices.shape, sizes)}"
            )
        weak = x.weak_type and updates.weak_type and self.combine is None
        return (Aval(x.shape, x.dtype, weak),)

    def impl(
        self,
        x: Any,
        indices: Any,
        updates: Any,
        *,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        unique_indices: bool,
    ) -> tuple[Any, ...]:
        x, indices, updates = np.asarray(x), np.asarray(indices), np.asarray(updates)
        if updates.size == 0 or x.size == 0:
            return (x.copy(),)
        at = addresses(dims, x.shape, indices, sizes, mode)
        front = (*at.indexed, *at.whole)
        columns = math.prod(x.shape[d] for d in at.whole)
        work = np.array(x.transpose(front), order="C")
        permuted_shape = work.shape
        rows = np.zeros((1,) * len(at.space), np.intp)
        for d, p in zip(at.indexed, at.positions, strict=True):
            rows = rows * x.shape[d] + p
        rows = np.broadcast_to(rows, at.space)
        new = updates.transpose(np.argsort(at.order)).reshape(*at.space, columns)
        if at.valid is not None:
            rows, new = rows[at.valid], new[at.valid]
        rows, new = rows.reshape(-1), new.reshape(-1, columns)
        self.write(work.reshape(-1, columns), rows, new, unique_indices)
        return (work.reshape(permuted_shape).transpose(np.argsort(front)),)

    def write(self, work: Any, rows: Any, new: Any, unique: bool) -> None:
        """Combine the rows of `new` into the given rows of `work`, in order."""
        columns = work.shape[1]
        if columns == 1:
            work, new = work[:, 0], new[:, 0]
        if self.ufunc is None:
            work[rows] = new
        elif unique:
            work[rows] = self.ufunc(work[rows], new)
        else:
            # ufunc.at is fast in one dimension only
            flat = rows if columns == 1 else (rows[:, None] * columns + np.arange(columns)).ravel()
            with np.errstate(all="ignore"):
                self.ufunc.at(work.reshape(-1), flat, np.ascontiguousarray(new).reshape(-1))

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        x, indices, updates = primals
        t, _, t_updates = tangents
        out = self.bind(x, indices, updates, **params)
        if is_zero(t) and is_zero(t_updates):
            return out, (Zero(typeof(out[0]).tangent()),)
        given = (instantiate(t), instantiate(t_updates))
        return out, (self.tangent(self, given, out[0], x, indices, updates, **params),)

    def transpose(self, cts: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
        """Replacing and adding are linear in x and updates together, multiplying in x alone."""
        (x, indices, updates), (ct,) = operands, cts
        ct_x = ct_updates = None
        dims, sizes = params["dims"], params["sizes"]
        if is_linear(x):
            if self.combine is None:
                hole = full(dims.output_shape(typeof(indices).shape, sizes), 0, typeof(ct).dtype)
                ct_x = self.bind1(ct, indices, hole, **params)
            else:
                ct_x = ct if self.combine == "add" else self.bind1(ct, indices, updates, **params)
        if is_linear(updates):
            ct_updates = gather(ct, indices, fill_value=0, **params)
            if self.combine is None and not params["unique_indices"]:
                ct_updates = _where_last(ct_updates, typeof(x).shape, indices, **params)
        return (ct_x, None, ct_updates)

    def batch(
        self,
        axis: AxisFrame,
        operands: Any,
        axes: Any,
        *,
        dims: GatherDims,
        sizes: Shape,
        **params: Any,
    ) -> Out:
        if axes[1] is None:
            indices = operands[1]
            x, updates = batch_move(axis, (operands[0], operands[2]), (axes[0], axes[2]))
            up, sizes = dims.batch_operand(), (axis.size, *sizes)
        else:
            x, indices, updates = batch_move(axis, operands, axes)
            up, sizes = dims.batch_both(), (1, *sizes)
        return self.bind(x, indices, updates, dims=up, sizes=sizes, **params), (0,)

    def lower(
        self,
        *views: View,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        unique_indices: bool,
    ) -> Nest | tuple[View, ...]:
        x, indices, updates = views
        if has_one_window(indices.shape, dims):
            return (scatter_view(x, indices, updates, dims, sizes, mode, self.combine),)
        return scatter_nest(x, indices, updates, dims, sizes, mode, unique_indices, self.combine)

    def lower_in_place(
        self,
        *views: View,
        dims: GatherDims,
        sizes: Shape,
        mode: IndexMode,
        unique_indices: bool,
    ) -> Nest:
        x, indices, updates = views
        return scatter_nest(
            x, indices, updates, dims, sizes, mode, unique_indices, self.combine, in_place=True
        )


def _linear_tangent(
    member: Scatter, tangents: Any, out: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> Value:
    t, t_updates = tangents
    return member.bind1(t, indices, t_updates, **params)


def _mul_tangent(
    member: Scatter, tangents: Any, out: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> Value:
    """d(x u1 u2 ...) = dx u1 u2 ... + sum of du_k times the product of all others.

    The product of the others is x times the product of the updates that are not zero, divided by
    u_k if that is not zero; it is zero if another update is.
    """
    t, t_updates = tangents
    of_x = member.bind1(t, indices, updates, **params)
    zero = eq(updates, 0)
    safe = select(zero, 1, updates)
    count = convert(zero, typeof(x).dtype)
    product = member.bind1(x, indices, safe, **params)
    zeros = scatter_add_p.bind1(zeros_of(typeof(x).strong()), indices, count, **params)
    others = sub(gather(zeros, indices, fill_value=0, **params), count)
    rest = div(gather(product, indices, fill_value=0, **params), safe)
    of_updates = mul(t_updates, select(eq(others, 0), rest, 0))
    return add(of_x, scatter_add_p.bind1(zeros_of(typeof(t)), indices, of_updates, **params))


def _extreme_tangent(
    member: Scatter, tangents: Any, out: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> Value:
    """The mean of the tangents of those that attain the extreme."""
    t, t_updates = tangents
    dtype = typeof(t).dtype
    x_wins = eq(x, out)
    wins = eq(updates, gather(out, indices, fill_value=0, **params))
    ones = convert(wins, dtype)
    count = scatter_add_p.bind1(convert(x_wins, dtype), indices, ones, **params)
    t_wins = select(wins, t_updates, 0)
    total = scatter_add_p.bind1(select(x_wins, t, 0), indices, t_wins, **params)
    return div(total, count)


scatter_p = Scatter("scatter", None, None, _linear_tangent)
scatter_add_p = Scatter("scatter_add", "add", np.add, _linear_tangent)
scatter_mul_p = Scatter("scatter_mul", "mul", np.multiply, _mul_tangent)
scatter_min_p = Scatter("scatter_min", "minimum", np.minimum, _extreme_tangent)
scatter_max_p = Scatter("scatter_max", "maximum", np.maximum, _extreme_tangent)


def _where_last(ct: Value, shape: Shape, indices: Value, **params: Any) -> Value:
    """The cotangent of updates of which only the last one written to a place counts."""
    aval = typeof(ct)
    names = reshape(iota(int64, (aval.size,)), aval.shape)
    written = scatter_p.bind1(full(shape, -1, int64), indices, names, **params)
    last = gather(written, indices, fill_value=-1, **params)
    return select(eq(last, names), ct, 0)


def gather(
    x: Value,
    indices: Value,
    dims: GatherDims,
    sizes: Sequence[int],
    mode: IndexMode = "fill",
    unique_indices: bool = False,
    fill_value: Any = None,
) -> Value:
    """One window of `x`, of the given sizes, for each index vector; see `GatherDims`."""
    if fill_value is not None and fill_value != fill_value:
        fill_value = None  # NaN is the default, and params must equal themselves
    return gather_p.bind1(
        x,
        indices,
        dims=dims,
        sizes=tuple(sizes),
        mode=mode,
        fill_value=fill_value,
        unique_indices=unique_indices,
    )


def _function(member: Scatter, what: str) -> Callable[..., Value]:
    def apply(
        x: Value,
        indices: Value,
        updates: Value,
        dims: GatherDims,
        sizes: Sequence[int],
        mode: IndexMode = "fill",
        unique_indices: bool = False,
    ) -> Value:
        return member.bind1(
            x,
            indices,
            updates,
            dims=dims,
            sizes=tuple(sizes),
            mode=mode,
            unique_indices=unique_indices,
        )

    apply.__name__ = apply.__qualname__ = member.name
    apply.__doc__ = f"`x` with a window {what} an update for each index vector; see `GatherDims`."
    return apply


scatter = _function(scatter_p, "replaced by")
scatter_add = _function(scatter_add_p, "increased by")
scatter_mul = _function(scatter_mul_p, "multiplied by")
scatter_min = _function(scatter_min_p, "lowered to")
scatter_max = _function(scatter_max_p, "raised to")


def take(x: Value, indices: Value, axis: int, mode: IndexMode = "clip") -> Value:
    """``x[..., indices, ...]`` with the axes of `indices` in place of `axis`."""
    shape, rank = typeof(x).shape, typeof(indices).ndim
    kept = (*range(axis), *range(axis + rank, len(shape) + rank - 1))
    dims = GatherDims(kept, (axis,), (axis,))
    sizes = (*shape[:axis], 1, *shape[axis + 1 :])
    return gather(x, expand_dims(indices, (rank,)), dims, sizes, mode)


def take_along_axis(
    x: Value,
    indices: Value,
    axis: int,
    mode: IndexMode = "clip",
    unique_indices: bool = False,
) -> Value:
    """``out[..., i, ...] = x[..., indices[..., i, ...], ...]``; other axes agree in size.

    `unique_indices` says that no position is read twice, as by a permutation.
    """
    rank = typeof(x).ndim
    others = tuple(d for d in range(rank) if d != axis)
    dims = GatherDims((), (axis,), (axis,), others, others)
    return gather(
        x, expand_dims(indices, (rank,)), dims, (1,) * rank, mode, unique_indices=unique_indices
    )
