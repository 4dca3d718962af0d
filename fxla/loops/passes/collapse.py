"""Merge loops that walk memory as one.

Two nested loops i < n, j < m become one loop over n*m if every access that uses either uses both,
as adjacent axes (..., i, j, ...) of a buffer whose second axis has size m, or as the position
i * m + j of a reshape. An elementwise kernel
over any number of axes becomes one long loop; a bias added along the last axis keeps two.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Op,
    Stmt,
    Store,
    While,
    children,
    walk_stmts,
)
from fxla.loops.rewrite import Rewriter, all_exprs, stmt_exprs

__all__ = ["collapse", "put", "size_of_extent"]

_names = itertools.count()


def collapse(kernel: Kernel) -> Kernel:
    """Merge perfectly nested pairs of loops until there are none left to merge.

    Args:
        kernel: with literal extents (before `parametrise`).

    Example:
        >>> import numpy as np
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("f4"), (extent(20), extent(30))) for n in ("x", "out"))
        >>> i, j = fresh_index(), fresh_index()
        >>> copy = Store(out, (i, j), Load(x.dtype, x, (i, j)))
        >>> nest = For(i, extent(20), (For(j, extent(30), (copy,), "vector"),))
        >>> collapse(Kernel("copy", (x,), (out,), (), (nest,))).body[0].extent.value
        600
    """
    while True:
        uses: _Uses | None = None
        for outer in walk_stmts(kernel.body):
            inner = outer.body[0] if isinstance(outer, For) and len(outer.body) == 1 else None
            if isinstance(outer, For) and isinstance(inner, For):
                uses = uses or _uses(kernel)
                axes = _merged_axes(uses, outer, inner)
                if axes is not None:
                    kernel = _merge(kernel, outer, inner, axes)
                    break
        else:
            return kernel


def size_of_extent(e: Expr) -> int | None:
    """An extent as a number, if it is literal."""
    if isinstance(e, Extent) and e.name is None:
        return e.value
    return int(e.value) if isinstance(e, Const) else None


@dataclass(frozen=True, slots=True)
class _Uses:
    """Where the indices of a kernel occur.

    Attributes:
        accesses: buffer and index of every load and store.
        holders: for the name of an index the expressions that it is an operand of.
        parents: for every product, by its id, the expressions that it is an operand of.
        roots: ids of what statements evaluate.
        values: names of indices that a statement evaluates as they are, but as axes of a store.
    """

    accesses: list[tuple[Buffer, tuple[Expr, ...]]]
    holders: dict[str, list[Expr]]
    parents: dict[int, list[Expr]]
    roots: set[int]
    values: set[str]


def _uses(kernel: Kernel) -> _Uses:
    """What asking for one pair of loops after the other needs to know, found in one walk."""
    found = _Uses([], {}, {}, set(), set())
    for s in walk_stmts(kernel.body):
        roots = stmt_exprs(s)
        found.roots.update(map(id, roots))
        if isinstance(s, Store):
            found.accesses.append((s.buffer, s.index))
            roots = (s.value,)
        found.values.update([e.name for e in roots if isinstance(e, Index)])
    for e in all_exprs(kernel.body):
        operands = children(e)
        for c in operands:
            kind = type(c)
            if kind is Index:
                found.holders.setdefault(c.name, []).append(e)  # type: ignore[attr-defined]
            elif kind is Op and c.name == "mul":  # type: ignore[attr-defined]
                found.parents.setdefault(id(c), []).append(e)
        if isinstance(e, Load):
            found.accesses.append((e.buffer, operands))
    return found


def _merged_axes(uses: _Uses, outer: For, inner: For) -> dict[str, int] | None:
    """For each buffer that the pair of indices walks, the first of the two axes.

    None if they cannot be merged.
    """
    width = size_of_extent(inner.extent)
    pair = (outer.index.name, inner.index.name)
    if width is None or size_of_extent(outer.extent) is None:
        return None
    if _used_elsewhere(uses, outer.index, inner.index, width):
        return None
    axes: dict[str, int] = {}
    untouched: set[str] = set()
    for buffer, index in uses.accesses:
        names = [e.name if isinstance(e, Index) else None for e in index]
        walked = [k for k, name in enumerate(names) if name in pair]
        if not walked:
            untouched.add(buffer.name)
            continue
        at = walked[0]
        adjacent = len(walked) == 2 and tuple(names[at : at + 2]) == pair
        if not adjacent or size_of_extent(buffer.shape[at + 1]) != width:
            return None
        if axes.setdefault(buffer.name, at) != at:
            return None
    return None if untouched & axes.keys() else axes


def _used_elsewhere(uses: _Uses, outer: Index, inner: Index, width: int) -> bool:
    """Whether an index of the pair occurs other than as an axis of an access, or in a position.

    A position is ``outer * width + inner``: the merged index itself.
    """
    names = (outer.name, inner.name)
    if any(name in uses.values for name in names):
        return True
    for e in [e for name in names for e in uses.holders.get(name, ())]:
        if isinstance(e, Load) or _is_position(e, outer, inner, width):
            continue
        if not _is_product(e, outer, width) or id(e) in uses.roots:
            return True
        parents = uses.parents.get(id(e))
        if not parents or not all(_is_position(p, outer, inner, width) for p in parents):
            return True
    return False


def _is_product(e: Expr, outer: Index, width: int) -> bool:
    match e:
        case Op(name="mul", args=(Index(name=name), n)):
            return name == outer.name and size_of_extent(n) == width
    return False


def _is_position(e: Expr, outer: Index, inner: Index, width: int) -> bool:
    """Whether an expression is the index of the merged loop."""
    match e:
        case Op(name="add", args=(product, Index(name=name))):
            return name == inner.name and _is_product(product, outer, width)
    return False


class _Merger(Rewriter):
    """Puts one index in place of the pair, in accesses and in the shapes of buffers."""

    def __init__(self, merged: Index, outer: For, inner: For, axes: dict[str, int]) -> None:
        super().__init__(self._expr, self._shape)
        self.merged = merged
        self.outer, self.inner = outer.index, inner.index
        width = size_of_extent(inner.extent)
        assert width is not None
        self.width = width
        self.axes = axes

    def _shape(self, b: Buffer) -> Buffer:
        at = self.axes.get(b.name)
        if at is None:
            return b
        n, m = size_of_extent(b.shape[at]), size_of_extent(b.shape[at + 1])
        assert n is not None and m is not None
        return replace(b, shape=(*b.shape[:at], Extent(INDEX, n * m), *b.shape[at + 2 :]))

    def _flat(self, b: Buffer, index: tuple[Expr, ...]) -> tuple[Expr, ...]:
        at = self.axes.get(b.name)
        return index if at is None else (*index[:at], self.merged, *index[at + 2 :])

    def _expr(self, e: Expr) -> Expr:
        if _is_position(e, self.outer, self.inner, self.width):
            return self.merged
        if isinstance(e, Load) and e.buffer.name in self.axes:
            return Load(e.dtype, e.buffer, self._flat(e.buffer, e.index))
        return e

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store) and new.buffer.name in self.axes:
            return replace(new, index=self._flat(new.buffer, new.index))
        return new


def _merge(kernel: Kernel, outer: For, inner: For, axes: dict[str, int]) -> Kernel:
    """The kernel with one loop in place of the two."""
    n, m = size_of_extent(outer.extent), size_of_extent(inner.extent)
    assert n is not None and m is not None
    merged = Index(INDEX, f"m{next(_names)}")
    kind = inner.kind
    if outer.kind == "parallel" and kind == "serial" and _independent(inner.body, axes):
        kind = "parallel"
    loop = For(merged, Extent(INDEX, n * m), inner.body, kind)
    return _Merger(merged, outer, inner, axes).kernel(
        replace(kernel, body=put(kernel.body, outer, loop))
    )


def _independent(body: tuple[Stmt, ...], axes: dict[str, int]) -> bool:
    """Whether iterations of a merged loop share nothing: each stores to elements of its own."""
    stmts = list(walk_stmts(body))
    own = {s.local.name for s in stmts if isinstance(s, Let)}
    return all(
        s.buffer.name in axes
        if isinstance(s, Store)
        else s.local.name in own
        if isinstance(s, Assign)
        else True
        for s in stmts
    )


def put(body: tuple[Stmt, ...], old: For, new: For) -> tuple[Stmt, ...]:
    """A block with one statement, wherever it stands inside, replaced."""

    def one(s: Stmt) -> Stmt:
        if s is old:
            return new
        match s:
            case For() | While():
                return replace(s, body=put(s.body, old, new))
            case If():
                then, otherwise = put(s.then, old, new), put(s.otherwise, old, new)
                return replace(s, then=then, otherwise=otherwise)
        return s

    return tuple([one(s) for s in body])
