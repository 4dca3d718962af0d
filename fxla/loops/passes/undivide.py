"""Split loops whose index is only ever taken apart, and unroll the short ones that this leaves.

A reshape reads ``x[k // m, k % m]``: a division for every element, and lanes of which nobody knows
that they are neighbours. A loop over k of which every use is a division or remainder by m, or an
access that can be written so, becomes two loops i, j with ``k = i * m + j``: repeats, tiles and
reshapes of transposed arrays become plain walks through memory. So do the places of windows that
see an element, ``(k + c) // m``: that is ``i + (j + c) // m``, a constant more than i once j is
written out.
"""

from __future__ import annotations

from dataclasses import replace

from fxla.loops.ir import (
    INDEX,
    AxisKind,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Op,
    Stmt,
    Store,
    children,
    walk_stmts,
)
from fxla.loops.passes.collapse import put, size_of_extent
from fxla.loops.rewrite import Rewriter, all_exprs, postorder, stmt_exprs
from fxla.loops.size import whole
from fxla.loops.view import binary

__all__ = ["undivide", "unroll_short"]

SHORT = 8
"""Innermost loops of at most this many iterations are written out, and the next one has lanes."""

_DIVISIONS = ("floordiv", "mod")


def undivide(kernel: Kernel) -> Kernel:
    """Split every loop whose index is divided by one size.

    Args:
        kernel: with literal extents (before `parametrise`).

    Example:
        >>> import numpy as np
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("f4"), (extent(s),)) for n, s in (("x", 40), ("out", 120)))
        >>> k = Index(INDEX, "k")
        >>> repeated = Store(out, (k,), Load(x.dtype, x, (binary("floordiv", k, extent(3)),)))
        >>> loop = For(k, extent(120), (repeated,), "vector")
        >>> print(undivide(Kernel("repeat", (x,), (out,), (), (loop,))))
        kernel repeat(x: float32[40]) -> out: float32[40, 3]:
            for k_0 < 40 [serial]:
                for k_1 < 3 [vector]:
                    out[k_0, k_1] = x[k_0]
    """
    if not any(isinstance(e, Op) and e.name in _DIVISIONS for e in all_exprs(kernel.body)):
        return kernel
    while True:
        for loop in walk_stmts(kernel.body):
            if isinstance(loop, For):
                size = _divisor(loop)
                if size is not None:
                    kernel = _split(kernel, loop, size)
                    break
        else:
            return kernel


def _divided(e: Expr, name: str) -> int | None:
    """The size that an expression divides the index by, or a number more; None if it does not."""
    match e:
        case Op(name="floordiv" | "mod", args=(k, Extent() | Const() as size)) if _moved(k, name):
            return whole(size.value)
    return None


def _moved(e: Expr, name: str) -> bool:
    """Whether an expression is the index, or a number more or less."""
    match e:
        case Op(name="add" | "sub", args=(k, Extent() | Const())):
            return _is(k, name)
    return _is(e, name)


def _divisor(loop: For) -> int | None:
    """What the loop's index is divided by: one size that divides the extent, and often enough."""
    n = size_of_extent(loop.extent)
    if n is None:
        return None
    name = loop.index.name
    sizes: set[int] = set()
    for e in all_exprs(loop.body):
        size = _divided(e, name)
        if size is not None:
            sizes.add(size)
        elif _is_arithmetic(e, name):
            return None  # which a split would not make simpler
    if len(sizes) != 1:
        return None
    (size,) = sizes
    return size if 1 < size < n and n % size == 0 else None


def _is_arithmetic(e: Expr, name: str) -> bool:
    """Whether an expression computes with the index itself, otherwise than by a number."""
    if isinstance(e, Load) or _moved(e, name):
        return False
    return any(_is(c, name) for c in children(e))


def _is(e: Expr, name: str) -> bool:
    return isinstance(e, Index) and e.name == name


def _split(kernel: Kernel, loop: For, size: int) -> Kernel:
    n = size_of_extent(loop.extent)
    assert n is not None
    i, j = (Index(INDEX, f"{loop.index.name}_{k}") for k in range(2))
    axes = _split_axes(kernel, loop.index.name, n)
    splitter = _Splitter(loop.index.name, i, j, size, axes)
    inner = For(
        j, Extent(INDEX, size), loop.body, "serial" if loop.kind == "parallel" else loop.kind
    )
    outer = For(i, Extent(INDEX, n // size), (inner,), _outer_kind(loop))
    split = splitter.kernel(replace(kernel, body=put(kernel.body, loop, outer)))
    rest = Rewriter(lambda e: splitter.whole() if _is(e, loop.index.name) else e)
    return rest.kernel(split)


def _outer_kind(loop: For) -> AxisKind:
    return "serial" if loop.kind == "vector" else loop.kind


def _split_axes(kernel: Kernel, name: str, n: int) -> dict[str, int]:
    """The buffers of which one axis is only ever walked by the index, and that axis."""
    axes: dict[str, int | None] = {}
    for s in walk_stmts(kernel.body):
        accesses = [(s.buffer, s.index)] if isinstance(s, Store) else []
        accesses += [(e.buffer, e.index) for e in postorder(stmt_exprs(s)) if isinstance(e, Load)]
        for b, index in accesses:
            at = [k for k, e in enumerate(index) if _is(e, name)]
            fits = len(at) == 1 and size_of_extent(b.shape[at[0]]) == n
            axis = at[0] if fits else None
            axes[b.name] = axis if axes.get(b.name, axis) == axis else None
    return {b: axis for b, axis in axes.items() if axis is not None}


class _Splitter(Rewriter):
    """Puts two indices in place of one: in quotients and remainders, and in accesses."""

    def __init__(self, name: str, i: Index, j: Index, size: int, axes: dict[str, int]) -> None:
        super().__init__(self._expr, self._shape)
        self.index_name, self.i, self.j, self.size, self.axes = name, i, j, size, axes

    def _expr(self, e: Expr) -> Expr:
        if _divided(e, self.index_name) is not None:
            assert isinstance(e, Op)
            return self._quotient(e.args[0]) if e.name == "floordiv" else self._rest(e.args[0])
        if isinstance(e, Load):
            return Load(e.dtype, e.buffer, self._index(e.buffer, e.index))
        return e

    def _shape(self, b: Buffer) -> Buffer:
        at = self.axes.get(b.name)
        if at is None:
            return b
        n = size_of_extent(b.shape[at])
        assert n is not None
        two = (Extent(INDEX, n // self.size), Extent(INDEX, self.size))
        return replace(b, shape=(*b.shape[:at], *two, *b.shape[at + 1 :]))

    def _quotient(self, k: Expr) -> Expr:
        """``k // size`` for an index k, or a number more."""
        if isinstance(k, Index):
            return self.i
        return binary("add", self.i, binary("floordiv", self._beside(k), self._size()))

    def _rest(self, k: Expr) -> Expr:
        """``k % size``."""
        return self.j if isinstance(k, Index) else binary("mod", self._beside(k), self._size())

    def _beside(self, k: Expr) -> Expr:
        """j, and as much more as k is more than the index."""
        assert isinstance(k, Op)
        return binary(k.name, self.j, k.args[1])

    def _size(self) -> Expr:
        return Extent(INDEX, self.size)

    def _index(self, b: Buffer, index: tuple[Expr, ...]) -> tuple[Expr, ...]:
        at = self.axes.get(b.name)
        if at is not None:
            return (*index[:at], self.i, self.j, *index[at + 1 :])
        return index

    def whole(self) -> Expr:
        """The index of the loop that was split."""
        return binary("add", binary("mul", self.i, self._size()), self.j)

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store):
            return replace(new, index=self._index(new.buffer, new.index))
        return new


def unroll_short(kernel: Kernel) -> Kernel:
    """Give the lanes of a short innermost loop of a map to the loop around it.

    Three neighbours do not fill a vector. Written out they are fields of records, which are read
    and written as whole vectors.
    """
    loops: list[For] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], For):
        loops.append(body[0])
        body = body[0].body
    straight = all(isinstance(s, Store) or (isinstance(s, Let) and not s.mutable) for s in body)
    if len(loops) < 2 or not straight or loops[-1].kind != "vector":
        return kernel
    outer, inner = loops[-2:]
    n, m = size_of_extent(inner.extent), size_of_extent(outer.extent)
    if n is None or m is None or n > SHORT or m <= SHORT:
        return kernel
    new: tuple[Stmt, ...] = (For(inner.index, inner.extent, body, "unroll"),)
    new = (replace(outer, body=new, kind="vector"),)
    for loop in reversed(loops[:-2]):
        new = (replace(loop, body=new),)
    return replace(kernel, body=new)
