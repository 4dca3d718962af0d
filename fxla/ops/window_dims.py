"""How windows slide over an array, and which element is where: shared by reductions over windows.

A window sees the operand with `base_dilation - 1` holes between its elements, and padding around
it; holes and padding count as the identity of the reduction.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.dtypes import DType, is_bool, is_inexact
from fxla.core.records import dataclass
from fxla.core.trace import where_am_i
from fxla.errors import ShapeError
from fxla.loops.ir import Expr
from fxla.loops.view import IndexTuple, binary, compare, extent, int_const

__all__ = [
    "Containing",
    "Extreme",
    "Window",
    "dilated",
    "lowered_source",
    "shifts",
    "source_along",
    "spread",
    "worst",
]

Extreme = Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class Window:
    """How windows slide: one entry for each axis of the operand.

    Attributes:
        sizes: elements in a window.
        strides: how far apart windows are.
        padding: elements before and after the operand; negative ones are cut off.
        base_dilation: 1 + holes between elements of the operand.
        window_dilation: 1 + elements skipped between those in a window.
    """

    sizes: Shape
    strides: Shape
    padding: tuple[tuple[int, int], ...]
    base_dilation: Shape
    window_dilation: Shape

    def spans(self) -> Shape:
        """Positions from the first to the last element of a window."""
        return tuple(dilated(k, d) for k, d in zip(self.sizes, self.window_dilation, strict=True))

    def output_shape(self, shape: Shape) -> Shape:
        """How many windows fit in an operand of `shape`, along each axis."""
        room = (
            dilated(n, b) + low + high
            for n, b, (low, high) in zip(shape, self.base_dilation, self.padding, strict=True)
        )
        return tuple(
            max(0, (r - span) // s + 1) if r >= span else 0
            for r, span, s in zip(room, self.spans(), self.strides, strict=True)
        )

    def transposed(self, shape: Shape) -> Window:
        """The windows through which each element of an operand of `shape` sees its windows.

        Only for symmetric weights (sums), since the order within a window is reversed.
        """
        outs = self.output_shape(shape)
        padding = []
        for n, out, s, b, span, (low, _) in zip(
            shape, outs, self.strides, self.base_dilation, self.spans(), self.padding, strict=True
        ):
            before = span - 1 - low
            padding.append((before, dilated(n, b) + span - 1 - dilated(out, s) - before))
        return Window(
            self.sizes, self.base_dilation, tuple(padding), self.strides, self.window_dilation
        )

    def batched(self) -> Window:
        """The same with a leading axis that no window extends along."""
        return Window(
            (1, *self.sizes),
            (1, *self.strides),
            ((0, 0), *self.padding),
            (1, *self.base_dilation),
            (1, *self.window_dilation),
        )

    def check(self, name: str, x: Aval) -> None:
        """Check that there is an entry for each axis and that sizes are positive."""
        fields = (
            self.sizes, self.strides, self.padding, self.base_dilation, self.window_dilation
        )  # fmt: skip
        if any(len(f) != x.ndim for f in fields):
            raise ShapeError(
                f"{name}: the window needs one entry for each axis of {x}: {self}{where_am_i()}"
            )
        positive = (*self.sizes, *self.strides, *self.base_dilation, *self.window_dilation)
        if any(n < 1 for n in positive):
            raise ShapeError(
                f"{name}: sizes, strides and dilations must be positive: {self}{where_am_i()}"
            )


def dilated(n: int, dilation: int) -> int:
    """Size of n elements with holes between them."""
    return 0 if n == 0 else (n - 1) * dilation + 1


def spread(x: Any, window: Window, fill: Any) -> Any:
    """`x` with its holes and padding filled in."""
    shape = tuple(
        max(0, dilated(n, b) + low + high)
        for n, b, (low, high) in zip(x.shape, window.base_dilation, window.padding, strict=True)
    )
    if not any(map(any, window.padding)) and shape == x.shape:
        return x
    out = np.full(shape, fill, x.dtype)
    source, target = [], []
    for n, b, (low, _), m in zip(x.shape, window.base_dilation, window.padding, shape, strict=True):
        first = max(0, -(low // b)) if low < 0 else 0
        stop = max(first, min(n, -(-(m - low) // b)))
        source.append(slice(first, stop))
        start = low + first * b
        target.append(slice(start, start + max(0, (stop - first - 1) * b + 1), b))
    out[tuple(target)] = x[tuple(source)]
    return out


def shifts(x: Any, window: Window, out: Shape) -> Iterator[tuple[int, Any]]:
    """For each position in a window, the elements there of all windows of a spread array."""
    for k, offsets in enumerate(itertools.product(*map(range, window.sizes))):
        index = tuple(
            slice(o * d, o * d + max(0, (n - 1) * s + 1), s)
            for o, d, n, s in zip(offsets, window.window_dilation, out, window.strides, strict=True)
        )
        yield k, x[index]


def lowered_source(
    window: Window, shape: Shape, out: IndexTuple, k: IndexTuple
) -> tuple[Any, list[Expr]]:
    """Index in the operand of position `k` of window `out`, and when it is an element."""
    index, conditions = [], []
    for axis, (n, o, i) in enumerate(zip(shape, out, k, strict=True)):
        at, there = source_along(window, axis, n, o, i)
        index.append(at)
        conditions += there
    return tuple(index), conditions


def source_along(window: Window, axis: int, n: int, out: Expr, k: Expr) -> tuple[Expr, list[Expr]]:
    """`lowered_source` along one axis, of n elements."""
    (low, high), base = window.padding[axis], window.base_dilation[axis]
    start = binary("mul", out, int_const(window.strides[axis]))
    at = binary("add", start, binary("mul", k, int_const(window.window_dilation[axis])))
    if low == 0 and high <= 0 and base == 1:
        return at, []
    at = binary("sub", at, extent(low))
    conditions = [compare("ge", at, int_const(0))]
    if base > 1:
        conditions.append(compare("eq", binary("mod", at, int_const(base)), int_const(0)))
        at = binary("floordiv", at, int_const(base))
    return at, [*conditions, compare("lt", at, extent(n))]


class Containing:
    """The windows that contain a place, along one axis, if nothing has holes.

    The last of them begins fewer than `stride` places before it, the others a stride earlier each.

    Args:
        size: of a window.
        stride: from window to window.
        low: places before the first one, at which the first window begins.
        windows: how many there are.
        n: places.

    Attributes:
        terms: windows that contain a place, at most.
    """

    def __init__(self, size: int, stride: int, low: int, windows: int, n: int) -> None:
        self.size, self.stride, self.low, self.windows = size, stride, low, windows
        self.terms = -(-size // stride)
        self.first = low < 0 or self.terms > 1
        self.beyond = (n - 1 + low) // stride >= windows

    def window(self, place: Expr, term: Expr) -> tuple[Expr, Expr, list[Expr]]:
        """One of the windows, the last first.

        Returns:
            Its number, the place's position in it, and when there is such a window that has it.
        """
        s = int_const(self.stride)
        at = binary("add", place, extent(self.low)) if self.low else place
        number = binary("sub", binary("floordiv", at, s), term)
        position = binary("add", binary("mod", at, s), binary("mul", term, s))
        conditions = [compare("ge", number, int_const(0))] if self.first else []
        if self.beyond:
            conditions.append(compare("lt", number, extent(self.windows)))
        if self.size % self.stride:
            conditions.append(compare("lt", position, extent(self.size)))
        return number, position, conditions


def worst(kind: Extreme, dtype: DType) -> Any:
    """The identity of max or min."""
    if is_bool(dtype):
        return kind == "min"
    if is_inexact(dtype):
        return -np.inf if kind == "max" else np.inf
    info = np.iinfo(dtype)
    return info.min if kind == "max" else info.max
