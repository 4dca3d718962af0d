"""What a Python name stands for while a kernel's function is translated."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from fxla.core.records import dataclass
from fxla.kernels.ir import Put, cast, integer
from fxla.loops.ir import INDEX, Buffer, Const, DType, Expr, Load, Select
from fxla.loops.view import binary, compare

__all__ = [
    "ArrayView",
    "Element",
    "Fixed",
    "Meaning",
    "Pull",
    "Span",
    "UntranslatableError",
    "pull_of",
]

Index = tuple[Expr, ...]


class UntranslatableError(Exception):
    """Something that numba may well compile, and that has no derivative here.

    Attributes:
        reason: what it is.
        line: where, counted in the function's file; None if nobody knows.
    """

    def __init__(self, reason: str, node: ast.AST | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line: int | None = getattr(node, "lineno", None)


@dataclass(frozen=True, slots=True)
class Fixed:
    """An axis of an array at one place."""

    at: Expr


@dataclass(frozen=True, slots=True)
class Span:
    """A range of an axis; `whole` if it is all of it."""

    start: Expr
    length: Expr
    step: int = 1
    whole: bool = False


@dataclass(frozen=True, slots=True)
class ArrayView:
    """An array, or a part of one that shares its memory.

    Attributes:
        buffer: the array.
        axes: for each of its axes what the view takes of it.
        order: which span each axis of the view is.
    """

    buffer: Buffer
    axes: tuple[Fixed | Span, ...]
    order: tuple[int, ...]

    @property
    def dtype(self) -> DType:
        """Of the elements."""
        return self.buffer.dtype

    @property
    def spans(self) -> list[Span]:
        """The axes of the view."""
        kept = [a for a in self.axes if isinstance(a, Span)]
        return [kept[k] for k in self.order]

    @property
    def shape(self) -> Index:
        """Sizes of the axes."""
        return tuple([s.length for s in self.spans])

    @property
    def whole(self) -> bool:
        """Whether it is all of the array, as it is."""
        return self.order == tuple(range(len(self.axes))) and all(
            isinstance(a, Span) and a.whole for a in self.axes
        )

    def place(self, index: Sequence[Expr]) -> Index:
        """The index in the array of an element of the view."""
        by_span = dict(zip(self.order, index, strict=True))
        found: list[Expr] = []
        n = 0
        for a in self.axes:
            if isinstance(a, Fixed):
                found.append(a.at)
                continue
            found.append(_in_span(a, by_span[n]))
            n += 1
        return tuple(found)

    def at(self, index: Index) -> Expr:
        """An element."""
        return Load(self.dtype, self.buffer, self.place(index))


def _in_span(a: Span, i: Expr) -> Expr:
    if a.whole:
        return i
    if isinstance(i, Const):
        i = binary("add", a.length, i) if i.value < 0 else i
    elif not _is_counter(i):
        i = Select(INDEX, compare("lt", i, integer(0)), binary("add", a.length, i), i)
    return binary("add", a.start, binary("mul", i, integer(a.step)))


def _is_counter(i: Expr) -> bool:
    return getattr(i, "name", "").startswith("k_")


@dataclass(frozen=True, slots=True)
class Pull:
    """An array that is computed where it is read: a shape, and an element for an index."""

    shape: Index
    dtype: DType
    at: Callable[[Index], Expr]


@dataclass(frozen=True, slots=True)
class Element:
    """A place that can be assigned: an element of an array."""

    buffer: Buffer
    index: Index

    def put(self, value: Expr, add: bool = False) -> Put:
        """The statement that writes it."""
        return Put(self.buffer, self.index, cast(value, self.buffer.dtype), add)


Meaning = Any
"""An `Expr` (a number), an `ArrayView` or `Pull`, a tuple of meanings, or a Python object."""


def pull_of(x: ArrayView | Pull | Expr) -> Pull:
    """An operand of elementwise arithmetic as a pull array; a number has no axes."""
    if isinstance(x, Pull):
        return x
    if isinstance(x, ArrayView):
        return Pull(x.shape, x.dtype, x.at)
    return Pull((), x.dtype, lambda index: x)
