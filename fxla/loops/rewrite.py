"""Walking and rewriting kernels without losing the sharing of their expressions.

Expressions form a graph: one node may be an operand of many. Every function here visits a node once
(by identity) and none recurses over expressions, so a long chain of fused operations neither takes
exponential time nor exhausts Python's stack.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
    children,
    walk_stmts,
)

__all__ = [
    "Numbering",
    "Rewriter",
    "all_exprs",
    "dtype_name",
    "postorder",
    "stmt_blocks",
    "stmt_exprs",
    "with_children",
]


def postorder(roots: Iterable[Expr], seen: Container[int] = ()) -> Iterator[Expr]:
    """Every expression below `roots` once, operands first, left to right.

    Args:
        roots: where to start.
        seen: ids of nodes to leave out, together with what is below them.
    """
    done: set[int] = set()
    for root in roots:
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
                continue
            key = id(node)
            if key in done or key in seen:
                continue
            done.add(key)
            operands = children(node)
            if not operands:
                yield node
                continue
            stack.append((node, True))
            for c in reversed(operands):
                stack.append((c, False))


def all_exprs(body: tuple[Stmt, ...]) -> list[Expr]:
    """Every expression of a block and of what is inside it, each node once, in any order."""
    done: set[int] = set()
    found: list[Expr] = []
    stack = [e for s in walk_stmts(body) for e in stmt_exprs(s)]
    while stack:
        node = stack.pop()
        if id(node) not in done:
            done.add(id(node))
            found.append(node)
            stack += children(node)
    return found


def stmt_exprs(s: Stmt) -> tuple[Expr, ...]:
    """The expressions a statement itself evaluates, those of inner statements left out."""
    match s:
        case For(extent=n):
            return (n,)
        case Let(value=v) | Assign(value=v):
            return (v,)
        case If(condition=c) | While(condition=c):
            return (c,)
        case Store(index=index, value=v):
            return (*index, v)
    return ()


def stmt_blocks(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The blocks inside a statement."""
    match s:
        case For(body=body) | While(body=body):
            return (body,)
        case If(then=then, otherwise=otherwise):
            return (then, otherwise)
    return ()


def with_children(e: Expr, new: tuple[Expr, ...]) -> Expr:
    """`e` with other operands; `e` itself if they are the same objects."""
    for a, b in zip(children(e), new, strict=True):
        if a is not b:
            break
    else:
        return e
    if isinstance(e, Op):
        return Op(e.dtype, e.name, new)
    if isinstance(e, Load):
        return Load(e.dtype, e.buffer, new)
    if isinstance(e, Cast):
        return Cast(e.dtype, new[0])
    if isinstance(e, Select):
        return Select(e.dtype, *new)
    raise TypeError(f"an expression without operands: {e!r}")


class Rewriter:
    """Maps the expressions of a kernel, keeping what is shared shared.

    Args:
        change: from a node whose operands are already rewritten to its replacement. It also sees
            the indices and locals that statements bind, so it may rename them.
        change_buffer: from a buffer whose shape is already rewritten to its replacement.
    """

    def __init__(
        self,
        change: Callable[[Expr], Expr],
        change_buffer: Callable[[Buffer], Buffer] = lambda b: b,
    ) -> None:
        self._change = change
        self._change_buffer = change_buffer
        self._done: dict[int, Expr] = {}
        self._alive: list[Expr] = []  # ids in _done stay taken only while the nodes live
        self._buffers: dict[str, Buffer] = {}

    def expr(self, e: Expr) -> Expr:
        """Rewrite an expression."""
        done = self._done
        found = done.get(id(e))
        if found is not None:
            return found
        stack = [e]
        while stack:
            node = stack[-1]
            key = id(node)
            if key in done:
                stack.pop()
                continue
            new = node
            operands = children(node)
            if operands:
                missing = [c for c in operands if id(c) not in done]
                if missing:
                    stack += reversed(missing)
                    continue
                new = with_children(node, tuple([done[id(c)] for c in operands]))
            stack.pop()
            if type(new) is Load:
                buffer = self.buffer(new.buffer)
                new = new if buffer is new.buffer else Load(new.dtype, buffer, new.index)
            self._alive.append(node)
            done[key] = self._change(new)
        return done[id(e)]

    def buffer(self, b: Buffer) -> Buffer:
        """Rewrite a buffer."""
        if b.name not in self._buffers:
            shape = tuple([self.expr(n) for n in b.shape])
            same = all(x is y for x, y in zip(shape, b.shape, strict=True))
            self._buffers[b.name] = self._change_buffer(b if same else replace(b, shape=shape))
        return self._buffers[b.name]

    def block(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """Rewrite the statements of a block, in order."""
        return tuple([self.stmt(s) for s in body])

    def stmt(self, s: Stmt) -> Stmt:
        """Rewrite a statement and all inside it."""
        match s:
            case For(index=i, extent=n, body=body, kind=kind):
                extent, index = self.expr(n), self.expr(i)
                assert isinstance(index, Index)
                return For(index, extent, self.block(body), kind)
            case Let(local=x, value=v, mutable=mutable):
                value = self.expr(v)
                return Let(self._local(x), value, mutable)
            case Assign(local=x, value=v):
                value = self.expr(v)
                return Assign(self._local(x), value)
            case If(condition=c, then=then, otherwise=otherwise):
                return If(self.expr(c), self.block(then), self.block(otherwise))
            case While(condition=c, body=body):
                return While(self.expr(c), self.block(body))
            case Store(buffer=b, index=index, value=v):
                to = self.buffer(b)
                return Store(to, tuple([self.expr(i) for i in index]), self.expr(v))
            case Alloc(buffer=b):
                return Alloc(self.buffer(b))
        raise TypeError(f"not a statement: {s!r}")

    def _local(self, x: Local) -> Local:
        new = self.expr(x)
        assert isinstance(new, Local)
        return new

    def kernel(self, k: Kernel) -> Kernel:
        """Rewrite buffers, then the body."""
        inputs = tuple([self.buffer(b) for b in k.inputs])
        outputs = tuple([self.buffer(b) for b in k.outputs])
        return Kernel(k.name, inputs, outputs, k.extents, self.block(k.body))


class Numbering:
    """Gives structurally equal expressions the same number, in linear time.

    Comparing two expressions with ``==`` walks them as trees, which takes exponential time where
    subexpressions are shared, and finds 0.0 equal to -0.0. Numbers do neither.

    Attributes:
        keys: what each number stands for; operands appear as numbers.
        operands: the numbers of each number's operands.
        examples: an expression of each number.
    """

    def __init__(self) -> None:
        self.keys: list[tuple[Any, ...]] = []
        self.operands: list[tuple[int, ...]] = []
        self.examples: list[Expr] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._of: dict[int, int] = {}
        self._alive: list[Expr] = []

    def number(self, e: Expr) -> int:
        """The number of an expression."""
        of = self._of
        found = of.get(id(e))
        if found is not None:
            return found
        numbers, stack = self._numbers, [e]
        while stack:
            node = stack[-1]
            if id(node) in of:
                stack.pop()
                continue
            operands = children(node)
            below: tuple[int, ...] = ()
            if operands:
                missing = [c for c in operands if id(c) not in of]
                if missing:
                    stack += reversed(missing)
                    continue
                below = tuple([of[id(c)] for c in operands])
            stack.pop()
            key = self._key(node, below)
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(self.keys)
                self.keys.append(key)
                self.operands.append(below)
                self.examples.append(node)
            self._alive.append(node)
            of[id(node)] = number
        return of[id(e)]

    def name(self, of: Index | Local | Buffer) -> str:
        """What stands for a name in the keys: the name itself."""
        return of.name

    def _key(self, e: Expr, operands: tuple[int, ...]) -> tuple[Any, ...]:
        kind = type(e)
        if kind is Op:
            return ("op", dtype_name(e.dtype), e.name, *operands)  # type: ignore[attr-defined]
        if kind is Load:
            buffer = self.name(e.buffer)  # type: ignore[attr-defined]
            return ("load", dtype_name(e.dtype), buffer, *operands)
        if kind is Index:
            return ("index", self.name(e))  # type: ignore[arg-type]
        if kind is Local:
            return ("local", dtype_name(e.dtype), self.name(e))  # type: ignore[arg-type]
        match e:
            case Const(dtype=dtype, value=value) if dtype == INDEX:
                return ("const", "int64", int(value))
            case Const(dtype=dtype, value=value):
                return ("const", dtype_name(dtype), np.asarray(value).astype(dtype).tobytes().hex())
            case Extent(value=value, name=name):
                return ("extent", value if name is None else name)
            case Cast(dtype=dtype):
                return ("cast", dtype_name(dtype), *operands)
            case Select(dtype=dtype):
                return ("select", dtype_name(dtype), *operands)
        raise TypeError(f"not an expression: {e!r}")


@functools.cache
def dtype_name(dtype: np.dtype[Any]) -> str:
    """The name of a dtype; NumPy puts it together anew at each access."""
    return dtype.name
