"""Imperative programs: what a kernel's function means, with a type for everything.

Expressions are those of `fxla.loops.ir`, over scalar variables (`Local`) and elements of arrays
(`Load`), and the size of an array along an axis. Statements may assign any variable again and may
loop between any bounds. The grammar:

    program ::= name(input*) stmt* -> output*
    stmt    ::= local = expr | array = make(expr*, fill)
              | array[expr*] = expr | array[expr*] += expr
              | for local in range(expr, expr, expr) [until local]: stmt*
              | while expr [until local]: stmt*  |  if expr: stmt* else: stmt*
              | push(stack, expr) | local = pop(stack) | array[expr*] = pop(stack)

Stacks hold what a reverse sweep needs of the sweep before it. Every name stands for one thing in
the whole program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    Cast,
    Const,
    DType,
    Expr,
    If,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    walk_exprs,
)

__all__ = [
    "Block",
    "Loop",
    "Make",
    "Pop",
    "Program",
    "Push",
    "Put",
    "Repeat",
    "Size",
    "Stack",
    "array",
    "assigned",
    "cast",
    "integer",
    "is_active",
    "map_expr",
    "number",
    "reads",
    "statement_exprs",
    "walk",
]

Block = tuple[Stmt, ...]


@dataclass(slots=True, unsafe_hash=True)
class Size(Expr):
    """The size of an array along an axis (int64)."""

    array: str
    axis: int


@dataclass(frozen=True, slots=True)
class Stack:
    """Numbers put aside, last in, first out."""

    name: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Make(Stmt):
    """A new array of a shape, every element `fill`, or undefined if that is None."""

    buffer: Buffer
    shape: tuple[Expr, ...]
    fill: Expr | None


@dataclass(frozen=True, slots=True)
class Put(Stmt):
    """Write an element, or add to it."""

    buffer: Buffer
    index: tuple[Expr, ...]
    value: Expr
    add: bool = False


@dataclass(frozen=True, slots=True)
class Loop(Stmt):
    """Run `body` for `index` in ``range(start, stop, step)``.

    Attributes:
        until: a boolean variable that ends the loop after an iteration that set it.
        count: a variable that counts iterations, if someone wants to know.
    """

    index: Local
    start: Expr
    stop: Expr
    step: Expr
    body: Block
    until: Local | None = None
    count: Local | None = None


@dataclass(frozen=True, slots=True)
class Repeat(Stmt):
    """Run `body` while `condition` holds; `until` and `count` as for `Loop`."""

    condition: Expr
    body: Block
    until: Local | None = None
    count: Local | None = None


@dataclass(frozen=True, slots=True)
class Push(Stmt):
    """Put a number aside."""

    stack: Stack
    value: Expr


@dataclass(frozen=True, slots=True)
class Pop(Stmt):
    """Take back the last number, into a variable or an element of an array."""

    target: Local | Load
    stack: Stack


@dataclass(frozen=True, eq=False)
class Program:
    """A function of arrays and numbers. One is equal to itself only.

    Attributes:
        name: of the user's function, and what has been derived from it.
        inputs: read, never written.
        outputs: arrays made by the program, and variables.
        body: statements.
    """

    name: str
    inputs: tuple[Buffer | Local, ...]
    outputs: tuple[Buffer | Local, ...]
    body: Block


def array(name: str, dtype: DType, ndim: int) -> Buffer:
    """An array of a name, with its own sizes for a shape."""
    return Buffer(name, dtype, tuple([Size(INDEX, name, k) for k in range(ndim)]))


def integer(value: int) -> Const:
    """An integer constant."""
    return Const(INDEX, value)


def number(value: float, dtype: DType) -> Const:
    """A constant of a dtype."""
    return Const(dtype, dtype.type(value).item())


def cast(e: Expr, dtype: DType) -> Expr:
    """Convert, unless the dtype is right already; constants at once."""
    if e.dtype == dtype:
        return e
    if isinstance(e, Const) and not (dtype.kind in "iu" and e.dtype.kind == "f"):
        return Const(dtype, np.asarray(e.value, e.dtype).astype(dtype).item())
    return Cast(dtype, e)


def is_active(dtype: DType) -> bool:
    """Whether numbers of a dtype have derivatives here."""
    return dtype.kind == "f"


def statement_exprs(s: Stmt) -> tuple[Expr, ...]:
    """The expressions that a statement evaluates itself, those of its blocks aside."""
    match s:
        case Assign(value=value) | Push(value=value):
            return (value,)
        case Make(shape=shape, fill=fill):
            return shape if fill is None else (*shape, fill)
        case Put(buffer=b, index=index, value=value, add=add):
            return (*index, value, Load(b.dtype, b, index)) if add else (*index, value)
        case Loop(start=start, stop=stop, step=step):
            return start, stop, step
        case Repeat(condition=c) | If(condition=c):
            return (c,)
        case Pop(target=Load(index=index)):
            return index
    return ()


def blocks_of(s: Stmt) -> tuple[Block, ...]:
    """The blocks inside a statement."""
    match s:
        case Loop(body=body) | Repeat(body=body):
            return (body,)
        case If(then=then, otherwise=otherwise):
            return then, otherwise
    return ()


def walk(body: Block) -> Iterator[Stmt]:
    """All statements, outer before inner."""
    for s in body:
        yield s
        for inner in blocks_of(s):
            yield from walk(inner)


def reads(e: Expr) -> set[str]:
    """Names of the variables and arrays whose values an expression needs; sizes do not count."""
    found: set[str] = set()
    for x in walk_exprs(e):
        if isinstance(x, Local):
            found.add(x.name)
        elif isinstance(x, Load):
            found.add(x.buffer.name)
    return found


def assigned(body: Block) -> set[str]:
    """Names of the variables and arrays that statements change."""
    found: set[str] = set()
    for s in walk(body):
        found |= changed_by(s)
    return found


def changed_by(s: Stmt) -> set[str]:
    """Names that a statement changes itself, the statements in its blocks aside."""
    match s:
        case Assign(local=x):
            return {x.name}
        case Make(buffer=b) | Put(buffer=b):
            return {b.name}
        case Loop(index=i, count=n):
            return {i.name} | ({n.name} if n is not None else set())
        case Repeat(count=n):
            return {n.name} if n is not None else set()
        case Pop(target=Local(name=name)):
            return {name}
        case Pop(target=Load(buffer=b)):
            return {b.name}
    return set()


def map_expr(e: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with `change` applied to every part, inner before outer."""
    match e:
        case Op(args=args):
            e = replace(e, args=tuple([map_expr(a, change) for a in args]))
        case Cast(arg=arg):
            e = replace(e, arg=map_expr(arg, change))
        case Select(condition=c, then=t, otherwise=o):
            e = Select(e.dtype, map_expr(c, change), map_expr(t, change), map_expr(o, change))
        case Load(index=index):
            e = replace(e, index=tuple([map_expr(i, change) for i in index]))
    return change(e)
