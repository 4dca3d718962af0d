"""Walk arrays in the shape in which they are read.

A reshape that joins axes of an array and splits the result at other places, as that of channels
into groups, reads ``x[q // n // m, q // n % m, q % n]`` with ``q = i * k + j``: two divisions for
every element, and lanes of which nobody knows that they are neighbours. The array is contiguous, so
if a kernel reads it in this way alone, it reads the array with these axes joined, at q. Where the
result of a reshape is reshaped again, quotients and remainders by k are i and j.
"""

from __future__ import annotations

from dataclasses import replace

from fxla.loops.ir import (
    INDEX,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Kernel,
    Load,
    Op,
    Store,
    walk_stmts,
)
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import Numbering, Rewriter, all_exprs

__all__ = ["as_read"]

_PARTS = ("floordiv", "mod")


def as_read(kernel: Kernel) -> Kernel:
    """Join the axes of inputs that are only read at the parts of one position.

    Args:
        kernel: with literal extents.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.ir import For
        >>> from fxla.loops.view import binary, extent, fresh_index, unravel
        >>> x = Buffer("x", np.dtype("f4"), (extent(6), extent(4)))
        >>> out = Buffer("out", np.dtype("f4"), (extent(3), extent(8)))
        >>> i, j = Index(INDEX, "i"), Index(INDEX, "j")
        >>> q = binary("add", binary("mul", i, extent(8)), j)
        >>> store = Store(out, (i, j), Load(x.dtype, x, unravel(q, (6, 4))))
        >>> nest = For(i, extent(3), (For(j, extent(8), (store,)),))
        >>> print(as_read(Kernel("reshape", (x,), (out,), (), (nest,))))
        kernel reshape(x: float32[24]) -> out: float32[3, 8]:
            for i < 3 [serial]:
                for j < 8 [serial]:
                    out[i, j] = x[((i * 8) + j)]
    """
    exprs = all_exprs(kernel.body)
    if not any(isinstance(e, Op) and e.name in _PARTS and e.dtype == INDEX for e in exprs):
        return kernel
    kernel = _without_parts_of_joins(kernel)
    exprs = all_exprs(kernel.body)
    stored = {s.buffer.name for s in walk_stmts(kernel.body) if isinstance(s, Store)}
    numbers = Numbering()
    joined: dict[str, int] = {}
    for e in exprs:
        if isinstance(e, Load):
            first, _ = _position(e, numbers)
            name = e.buffer.name
            joined[name] = first if joined.get(name, first) == first else len(e.index)
    inputs = {b.name for b in kernel.inputs} - stored
    joined = {
        b.name: joined[b.name]
        for b in kernel.inputs
        if b.name in joined and b.name in inputs and joined[b.name] < len(b.shape)
    }
    if not joined:
        return kernel

    def read(e: Expr) -> Expr:
        first = joined.get(e.buffer.name) if isinstance(e, Load) else None
        if first is None or not isinstance(e, Load):
            return e
        position = _divided(e.index[-1])
        assert position is not None
        return Load(e.dtype, e.buffer, (*e.index[:first], position))

    def shape(b: Buffer) -> Buffer:
        first = joined.get(b.name)
        if first is None:
            return b
        size = 1
        for n in b.shape[first:]:
            known = size_of_extent(n)
            assert known is not None
            size = size * known
        return replace(b, shape=(*b.shape[:first], Extent(INDEX, size)))

    return Rewriter(read, shape).kernel(kernel)


def _without_parts_of_joins(kernel: Kernel) -> Kernel:
    """Put i for ``(i * n + j) // n`` and j for ``(i * n + j) % n``, where j is known to be below n.

    It is if it is the index of a loop of n iterations, or a number.
    """
    loops = [s for s in walk_stmts(kernel.body) if isinstance(s, For)]
    sizes = {s.index.name: size_of_extent(s.extent) for s in loops}

    def is_below(j: Expr, n: int) -> bool:
        if isinstance(j, Const):
            return bool(0 <= j.value < n)
        return isinstance(j, Index) and sizes.get(j.name) == n

    def change(e: Expr) -> Expr:
        match e:
            case Op(name="floordiv" | "mod", args=(joined, Extent() | Const() as n)):
                match joined:
                    case Op(name="add", args=(Op(name="mul", args=(i, m)), j)):
                        pass
                    case Op(name="mul", args=(i, m)):
                        j = Const(INDEX, 0)
                    case _:
                        return e
                size = size_of_extent(n)
                if size is not None and size == size_of_extent(m) and is_below(j, size):
                    return i if e.name == "floordiv" else j
        return e

    return Rewriter(change).kernel(kernel)


def _position(e: Load, numbers: Numbering) -> tuple[int, Expr | None]:
    """The first of the axes along which an element is at the parts of one position, and that.

    A position that is a loop's index is left to `undivide`, which splits the loop.
    """
    none = len(e.index), None
    position = _divided(e.index[-1]) if e.index else None
    if position is None or isinstance(position, Index):
        return none
    rest: Expr = position
    for axis in range(len(e.index) - 1, 0, -1):
        size = size_of_extent(e.buffer.shape[axis])
        here, following = e.index[axis], e.index[axis - 1]
        if size is None or not _is_part(here, "mod", rest, size, numbers):
            return none
        if _is_part(following, "floordiv", rest, size, numbers):
            whole = size_of_extent(e.buffer.shape[axis - 1])
            return (axis - 1, position) if whole is not None else none
        inner = following.args[0] if isinstance(following, Op) and following.args else None
        if inner is None or not _is_part(inner, "floordiv", rest, size, numbers):
            return none
        rest = inner
    return none


def _divided(e: Expr) -> Expr | None:
    """What an index is the remainder of."""
    return e.args[0] if isinstance(e, Op) and e.name == "mod" else None


def _is_part(e: Expr, name: str, of: Expr, size: int, numbers: Numbering) -> bool:
    """Whether an expression is the quotient or remainder of another by a size."""
    match e:
        case Op(name=found, args=(x, Extent() | Const() as n)) if found == name:
            return size_of_extent(n) == size and numbers.number(x) == numbers.number(of)
    return False
