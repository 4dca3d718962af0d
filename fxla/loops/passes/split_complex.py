"""Rewrites a kernel of complex numbers into one of real numbers.

A complex buffer becomes a floating one with a last axis of size 2, a complex local two locals, a
complex expression two expressions. What is printed afterwards knows no complex numbers; loads and
stores of the two parts are neighbours, which the printer joins.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fxla.loops.ir import (
    BOOL,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
    Expr,
    For,
    If,
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
)
from fxla.loops.passes.complex_parts import COMPLEX_OPS, Parts, part_dtype
from fxla.loops.rewrite import all_exprs, postorder, with_children
from fxla.loops.view import cast, compare, const, fresh_local, int_const, op

__all__ = ["split_complex"]


def split_complex(kernel: Kernel) -> Kernel:
    """The kernel without complex dtypes; itself if it has none.

    Example:
        >>> from fxla.loops.ir import format_buffer
        >>> from fxla.loops.view import extent, fresh_index
        >>> x, out = (Buffer(n, np.dtype("c8"), (extent(20),)) for n in ("x", "out"))
        >>> i = fresh_index()
        >>> loop = For(i, extent(20), (Store(out, (i,), Load(x.dtype, x, (i,))),), "vector")
        >>> split = split_complex(Kernel("copy", (x,), (out,), (), (loop,)))
        >>> [format_buffer(b) for b in (*split.inputs, *split.outputs)]
        ['x: float32[20, 2]', 'out: float32[20, 2]']
    """
    buffers = (*kernel.inputs, *kernel.outputs)
    if not any(b.dtype.kind == "c" for b in buffers) and not any(
        e.dtype.kind == "c" for e in all_exprs(kernel.body)
    ):
        return kernel
    split = _Split()
    return replace(
        kernel,
        inputs=tuple(map(split.buffer, kernel.inputs)),
        outputs=tuple(map(split.buffer, kernel.outputs)),
        body=split.block(kernel.body),
    )


class _Split:
    """Rewrites each node once: to `Parts` if it is complex, else to an expression."""

    def __init__(self) -> None:
        self._done: dict[int, Expr | Parts] = {}
        self._alive: list[Expr] = []

    def buffer(self, b: Buffer) -> Buffer:
        shape = tuple([self.real(n) for n in b.shape])
        if b.dtype.kind != "c":
            return replace(b, shape=shape)
        return Buffer(b.name, part_dtype(b.dtype), (*shape, int_const(2)))

    def real(self, e: Expr) -> Expr:
        found = self._rewritten(e)
        assert isinstance(found, Expr)
        return found

    def parts(self, e: Expr) -> Parts:
        found = self._rewritten(e)
        assert isinstance(found, Parts)
        return found

    def _rewritten(self, e: Expr) -> Expr | Parts:
        for node in list(postorder([e], seen=self._done)):
            self._alive.append(node)
            self._done[id(node)] = self._node(node, [self._done[id(c)] for c in children(node)])
        return self._done[id(e)]

    def _node(self, e: Expr, operands: list[Expr | Parts]) -> Expr | Parts:
        match e:
            case Load(buffer=b):
                return self._load(b, tuple([x for x in operands if isinstance(x, Expr)]))
            case Cast(dtype=dtype):
                return _converted(operands[0], dtype)
            case Op():
                return _applied(e, operands)
        if e.dtype.kind != "c":
            return with_children(e, tuple([x for x in operands if isinstance(x, Expr)]))
        part = part_dtype(e.dtype)
        match e, operands:
            case Const(value=value), _:
                number = np.asarray(value).astype(e.dtype)
                return Parts(const(number.real, part), const(number.imag, part))
            case Local(name=name), _:
                return Parts(Local(part, f"{name}.re"), Local(part, f"{name}.im"))
            case Select(), [Expr() as c, Parts() as x, Parts() as y]:
                return Parts(Select(part, c, x.re, y.re), Select(part, c, x.im, y.im))
        raise TypeError(f"a complex expression that is not known how to split: {e!r}")

    def _load(self, b: Buffer, index: tuple[Expr, ...]) -> Expr | Parts:
        new = self.buffer(b)
        if b.dtype.kind != "c":
            return Load(new.dtype, new, index)
        re, im = (Load(new.dtype, new, (*index, int_const(k))) for k in (0, 1))
        return Parts(re, im)

    # -------------------------------------------------------------- statements

    def block(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple([new for s in body for new in self._stmt(s)])

    def _stmt(self, s: Stmt) -> list[Stmt]:
        match s:
            case For(extent=n, body=body):
                return [replace(s, extent=self.real(n), body=self.block(body))]
            case If(condition=c, then=then, otherwise=otherwise):
                return [If(self.real(c), self.block(then), self.block(otherwise))]
            case While(condition=c, body=body):
                return [While(self.real(c), self.block(body))]
            case Alloc(buffer=b):
                return [Alloc(self.buffer(b))]
            case Store(buffer=b, index=index, value=v):
                to, at = self.buffer(b), tuple([self.real(i) for i in index])
                if b.dtype.kind != "c":
                    return [Store(to, at, self.real(v))]
                lets, value = _bound(self.parts(v))
                re, im = (
                    Store(to, (*at, int_const(k)), x) for k, x in enumerate((value.re, value.im))
                )
                return [*lets, re, im]
            case Let(local=x, value=v, mutable=mutable) if x.dtype.kind == "c":
                to_parts, value = self.parts(x), self.parts(v)
                assert isinstance(to_parts.re, Local) and isinstance(to_parts.im, Local)
                first = Let(to_parts.re, value.re, mutable)
                return [first, Let(to_parts.im, value.im, mutable)]
            case Let(local=x, value=v, mutable=mutable):
                return [Let(x, self.real(v), mutable)]
            case Assign(local=x, value=v) if x.dtype.kind == "c":
                return self._assign(self.parts(x), self.parts(v))
            case Assign(local=x, value=v):
                return [Assign(x, self.real(v))]
        raise TypeError(f"not a statement: {s!r}")

    def _assign(self, x: Parts, value: Parts) -> list[Stmt]:
        """Both parts rebound; where the second needs the old first, both are computed before."""
        assert isinstance(x.re, Local) and isinstance(x.im, Local)
        if not any(e == x.re for e in postorder([value.im]) if isinstance(e, Local)):
            return [Assign(x.re, value.re), Assign(x.im, value.im)]
        lets, new = _bound(value)
        return [*lets, Assign(x.re, new.re), Assign(x.im, new.im)]


def _bound(value: Parts) -> tuple[list[Stmt], Parts]:
    """Both parts in locals, so that a store of one does not change the other."""
    re, im = fresh_local(value.dtype, "re"), fresh_local(value.dtype, "im")
    return [Let(re, value.re), Let(im, value.im)], Parts(re, im)


def _converted(x: Expr | Parts, dtype: np.dtype[np.generic]) -> Expr | Parts:
    if dtype.kind == "c":
        part = part_dtype(dtype)
        return x.cast(part) if isinstance(x, Parts) else Parts(cast(x, part), const(0, part))
    if isinstance(x, Expr):
        return Cast(dtype, x)
    if dtype.kind == "b":
        return op("or", BOOL, Cast(dtype, x.re), Cast(dtype, x.im))
    return cast(x.re, dtype)


def _applied(e: Op, operands: list[Expr | Parts]) -> Expr | Parts:
    match e.name, operands:
        case "complex", [Expr() as x, Expr() as y]:
            return Parts(x, y)
        case "real", [Parts() as z]:
            return z.re
        case "imag", [Parts() as z]:
            return z.im
        case (("eq" | "ne"), [Parts() as x, Parts() as y]):
            re, im = compare(e.name, x.re, y.re), compare(e.name, x.im, y.im)
            return op("and" if e.name == "eq" else "or", BOOL, re, im)
    if e.dtype.kind == "c":
        return COMPLEX_OPS[e.name](*operands)
    return with_children(e, tuple([x for x in operands if isinstance(x, Expr)]))
