"""Which element of each window is the largest, and reading and adding there.

The derivative of a maximum over windows: `window_arg` finds the element that wins (the first among
equals), `window_pick` reads tangents there, and `window_place`, its transpose, adds each cotangent
back, as a sum over the windows that contain an element, so that no kernel writes an element twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import int32, int64, is_inexact
from fxla.core.primitive import Primitive, Zero, not_linear
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import ShapeError
from fxla.loops import view as scalar
from fxla.loops.ir import BOOL, Assign, Buffer, Expr, For, Let, Stmt, Store
from fxla.loops.passes.straight import straight
from fxla.loops.view import (
    IndexTuple,
    Nest,
    Reduce,
    View,
    binary,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)
from fxla.ops.shape import all_of
from fxla.ops.structure import batch_move
from fxla.ops.window_dims import Containing, Extreme, Window, lowered_source, shifts, spread, worst

__all__ = ["window_arg_p", "window_pick_p", "window_place_p"]

Out = tuple[tuple[Value, ...], tuple[int | None, ...]]
Finder = Callable[[Expr, Expr], tuple[Expr, Expr, list[Expr]]]
"""From an element's place along an axis and a term's number to a window, the element's position in
it, and when there is that window and has it."""


class WindowArg(Primitive):
    """Position in its window (C order) of the first of the largest (smallest) elements.

    Padding and holes never win; the position is -1 in a window that has nothing else.
    x: T[s] -> i32[windows].  A step function: its derivative is zero.
    """

    name = "window_arg"

    def abstract_eval(self, x: Aval, *, window: Window, kind: Extreme) -> tuple[Aval, ...]:
        window.check(self.name, x)
        return (Aval(window.output_shape(x.shape), int32),)

    def impl(self, x: Any, *, window: Window, kind: Extreme) -> tuple[Any, ...]:
        x = np.asarray(x)
        out = window.output_shape(x.shape)
        values = spread(x, window, worst(kind, x.dtype))
        there = spread(np.ones(x.shape, bool), window, False)
        best = np.full(out, worst(kind, x.dtype), x.dtype)
        winner = np.full(out, -1, np.int32)
        if 0 in out:
            return (winner,)
        wins = np.greater if kind == "max" else np.less
        pairs = zip(shifts(values, window, out), shifts(there, window, out), strict=True)
        for (k, v), (_, is_element) in pairs:
            with np.errstate(invalid="ignore"):
                better = wins(v, best) | ((v != v) & (best == best))
            better = (better | (winner < 0)) & is_element
            best[better] = v[better]
            winner[better] = k
        return (winner,)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        out = self.bind(*primals, **params)
        return out, (Zero(typeof(out[0]).tangent()),)

    transpose = not_linear

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, window: Window, kind: Extreme
    ) -> Out:
        (x,) = batch_move(axis, operands, axes)
        return self.bind(x, window=window.batched(), kind=kind), (0,)

    def lower(self, *views: View, window: Window, kind: Extreme) -> Nest:
        (x,) = views
        shape = window.output_shape(x.shape)

        def body(outer: IndexTuple, outs: tuple[Buffer, ...]) -> Sequence[Stmt]:
            ks = tuple(fresh_index("k") for _ in window.sizes)
            best, v = fresh_local(x.dtype, "best"), fresh_local(x.dtype, "v")
            winner, wins = fresh_local(int32, "winner"), fresh_local(BOOL, "wins")
            index, conditions = lowered_source(window, x.shape, outer, ks)
            flat: Expr = int_const(0)
            for n, k in zip(window.sizes, ks, strict=True):
                flat = binary("add", binary("mul", flat, extent(n)), k)
            none_yet = compare("lt", winner, scalar.const(0, int32))
            better = _or(none_yet, compare("gt" if kind == "max" else "lt", v, best))
            if is_inexact(x.dtype):
                first_nan = all_of([compare("ne", v, v), compare("eq", best, best)])
                better = _or(better, first_nan)
            there = all_of(conditions) if conditions else None
            if there is not None:
                better = all_of([there, better])
            place = scalar.cast(flat, int32)
            step: tuple[Stmt, ...] = (
                Let(v, x[index] if there is None else scalar.select(there, x[index], best)),
                Let(wins, better),
                Assign(best, scalar.select(wins, v, best)),
                Assign(winner, scalar.select(wins, place, winner)),
            )
            for n, k in zip(reversed(window.sizes), reversed(ks), strict=True):
                step = (For(k, extent(n), step),)
            begin = (
                Let(best, scalar.const(worst(kind, x.dtype), x.dtype), mutable=True),
                Let(winner, scalar.const(-1, int32), mutable=True),
            )
            return straight((*begin, *step, Store(outs[0], outer, winner)))

        return Nest(((shape, int32),), shape, body)


def _or(a: Expr, b: Expr) -> Expr:
    return scalar.op("or", a.dtype, a, b)


class WindowPick(Primitive):
    """``out[i]`` is the element at position ``winner[i]`` of window i of t, 0 if that is -1.

    t: T[s], winner: i32[windows] -> T[windows].  Linear in t; its transpose is `WindowPlace`.
    """

    name = "window_pick"

    def abstract_eval(self, t: Aval, winner: Aval, *, window: Window) -> tuple[Aval, ...]:
        window.check(self.name, t)
        if window.output_shape(t.shape) != winner.shape:
            raise ShapeError(f"window_pick: {winner} are not the windows of {t}: {window}")
        return (Aval(winner.shape, t.dtype),)

    def impl(self, t: Any, winner: Any, *, window: Window) -> tuple[Any, ...]:
        t, winner = np.asarray(t), np.asarray(winner)
        out = np.zeros(winner.shape, t.dtype)
        if out.size:
            for k, v in shifts(spread(t, window, 0), window, winner.shape):
                np.copyto(out, v, where=winner == k)
        return (out,)

    def jvp(
        self, primals: Any, tangents: Any, *, window: Window
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (t, winner), (d, _) = primals, tangents
        return self.bind(t, winner, window=window), self.bind(d, winner, window=window)

    def transpose(self, cts: Any, *operands: Any, window: Window) -> tuple[Any, ...]:
        t, winner = operands
        return window_place_p.bind1(cts[0], winner, window=window, shape=t.shape), None

    def batch(self, axis: AxisFrame, operands: Any, axes: Any, *, window: Window) -> Out:
        return self.bind(*batch_move(axis, operands, axes), window=window.batched()), (0,)

    def lower(self, *views: View, window: Window) -> tuple[View, ...]:
        t, winner = views

        def at(i: IndexTuple) -> Expr:
            won = scalar.cast(winner[i], int64)
            k = scalar.unravel(won, window.sizes)
            index, _ = lowered_source(window, t.shape, i, k)
            there = compare("ge", won, int_const(0))
            return scalar.select(there, t[index], scalar.const(0, t.dtype))

        return (View(winner.shape, t.dtype, at),)


class WindowPlace(Primitive):
    """``out[j]`` is the sum of ``ct[i]`` over the windows i whose winner is element j.

    ct: T[windows], winner: i32[windows] -> T[shape].  Linear in ct.
    """

    name = "window_place"

    def abstract_eval(
        self, ct: Aval, winner: Aval, *, window: Window, shape: Shape
    ) -> tuple[Aval, ...]:
        if not ct.shape == winner.shape == window.output_shape(shape):
            raise ShapeError(f"window_place: {ct}, {winner} are not the windows of {shape}")
        return (Aval(shape, ct.dtype),)

    def impl(self, ct: Any, winner: Any, *, window: Window, shape: Shape) -> tuple[Any, ...]:
        ct, winner = np.asarray(ct), np.asarray(winner)
        if ct.size == 0:
            return (np.zeros(shape, ct.dtype),)
        places = spread(np.arange(math.prod(shape)).reshape(shape), window, -1)
        chosen = np.full(ct.shape, -1)
        for k, v in shifts(places, window, ct.shape):
            np.copyto(chosen, v, where=winner == k)
        out = np.zeros(math.prod(shape), ct.dtype)
        some = chosen >= 0
        np.add.at(out, chosen[some], ct[some])
        return (out.reshape(shape),)

    def jvp(
        self, primals: Any, tangents: Any, **params: Any
    ) -> tuple[tuple[Value, ...], tuple[Any, ...]]:
        (ct, winner), (d, _) = primals, tangents
        return self.bind(ct, winner, **params), self.bind(d, winner, **params)

    def transpose(self, cts: Any, *operands: Any, window: Window, shape: Shape) -> tuple[Any, ...]:
        return window_pick_p.bind1(cts[0], operands[1], window=window), None

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, window: Window, shape: Shape
    ) -> Out:
        ct, winner = batch_move(axis, operands, axes)
        up = (axis.size, *shape)
        return self.bind(ct, winner, window=window.batched(), shape=up), (0,)

    def lower(self, *views: View, window: Window, shape: Shape) -> tuple[Reduce, ...]:
        """Each element adds up the windows that it is in, where it won."""
        ct, winner = views
        axes = [_containing(window, k, ct.shape[k], n) for k, n in enumerate(shape)]

        def element(j: IndexTuple, terms: IndexTuple) -> Expr:
            index, conditions, flat = [], [], int_const(0)
            for size, (_, find), place, term in zip(window.sizes, axes, j, terms, strict=True):
                at, inside, there = find(place, term)
                index.append(at)
                conditions += there
                flat = binary("add", binary("mul", flat, extent(size)), inside)
            zero = scalar.const(0, ct.dtype)
            won = compare("eq", winner[tuple(index)], scalar.cast(flat, int32))
            inner = scalar.select(won, ct[tuple(index)], zero)
            return scalar.select(all_of(conditions), inner, zero) if conditions else inner

        terms = tuple([n for n, _ in axes])
        return (Reduce(shape, ct.dtype, terms, "add", 0, element),)


def _containing(window: Window, axis: int, windows: int, n: int) -> tuple[int, Finder]:
    """How many windows may contain an element along an axis, and what finds each of them.

    Where there are holes, every position in a window is tried.
    """
    size, stride = window.sizes[axis], window.strides[axis]
    low, base, step = (
        window.padding[axis][0], window.base_dilation[axis], window.window_dilation[axis]
    )  # fmt: skip
    if base == step == 1:
        dense = Containing(size, stride, low, windows, n)
        return dense.terms, dense.window

    def tried(place: Expr, term: Expr) -> tuple[Expr, Expr, list[Expr]]:
        at = binary("add", binary("mul", place, int_const(base)), extent(low))
        at = binary("sub", at, binary("mul", term, int_const(step)))
        conditions = [compare("ge", at, int_const(0))]
        if stride > 1:
            conditions.append(compare("eq", binary("mod", at, int_const(stride)), int_const(0)))
            at = binary("floordiv", at, int_const(stride))
        return at, term, [*conditions, compare("lt", at, extent(windows))]

    return size, tried


window_arg_p = WindowArg()
window_pick_p = WindowPick()
window_place_p = WindowPlace()
