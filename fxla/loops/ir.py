"""Typed loop nests.

A kernel is a function of buffers and run-time extents. Expressions are pure and carry a dtype;
statements have the effects. The grammar:

    kernel ::= name(buffer*, extent*) stmt*
    stmt   ::= for index < extent [kind]: stmt*  |  let local = expr  |  local = expr
             | if expr: stmt* else: stmt*  |  while expr: stmt*  |  buffer[expr*] = expr
             | local alloc array
    expr   ::= constant | index | extent | local | buffer[expr*] | op(expr*) | cast(expr)
             | expr ? expr : expr

Sizes that users vary are `Extent` expressions with a value; the pass `fxla.loops.extents` turns all
but the smallest into run-time arguments, so that one compiled kernel serves every size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from fxla.core.records import dataclass

__all__ = [
    "Alloc",
    "Assign",
    "AxisKind",
    "Buffer",
    "Cast",
    "Const",
    "Expr",
    "Extent",
    "For",
    "If",
    "Index",
    "Kernel",
    "Let",
    "Load",
    "Local",
    "Op",
    "Select",
    "Stmt",
    "Store",
    "While",
    "walk_exprs",
    "walk_stmts",
]

DType = np.dtype[Any]
INDEX = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)

AxisKind = Literal["serial", "parallel", "vector", "unroll", "tile"]
"""How a loop's iterations run.

serial: in order. parallel: independent of each other, may be split over threads or a GPU's grid.
vector: independent, or a reduction into locals by `Assign` of an associative op on itself.
unroll: in order, written out. tile: the rows or the columns of a contraction, independent; a block
of them may be computed at once (`fxla.loops.contraction`).
"""


@dataclass(slots=True, unsafe_hash=True)
class Expr:
    """Base of expressions: a pure scalar of a dtype.

    Nothing changes one. They are not declared frozen because a kernel has thousands, and a frozen
    dataclass takes three times as long to make.
    """

    dtype: DType


@dataclass(slots=True, unsafe_hash=True)
class Const(Expr):
    """A constant known when the kernel is compiled."""

    value: Any


@dataclass(slots=True, unsafe_hash=True)
class Index(Expr):
    """The value of a loop index (int64)."""

    name: str


@dataclass(slots=True, unsafe_hash=True)
class Extent(Expr):
    """A size (int64): `value` now; once parametrised, the run-time argument `name`.

    One with a `role`, a choice and no size of an array, is an argument of its own, whatever it is
    equal to.
    """

    value: int
    name: str | None = None
    role: str = ""


@dataclass(slots=True, unsafe_hash=True)
class Local(Expr):
    """The value of a scalar local."""

    name: str


@dataclass(slots=True, unsafe_hash=True)
class Load(Expr):
    """An element of a buffer, by one int64 expression for each axis."""

    buffer: Buffer
    index: tuple[Expr, ...]


@dataclass(slots=True, unsafe_hash=True)
class Op(Expr):
    """A scalar operation of the table `fxla.loops.scalar`."""

    name: str
    args: tuple[Expr, ...]


@dataclass(slots=True, unsafe_hash=True)
class Cast(Expr):
    """The operand converted to another dtype, as NumPy's ``astype`` does."""

    arg: Expr


@dataclass(slots=True, unsafe_hash=True)
class Select(Expr):
    """`then` where `condition` holds, else `otherwise`. The arm not taken does no loads."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Buffer:
    """A C-contiguous array that a kernel reads or writes.

    Attributes:
        name: unique in the kernel.
        dtype: of its elements.
        shape: `Extent` or `Const` for each axis.
    """

    name: str
    dtype: DType
    shape: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Stmt:
    """Base of statements."""


@dataclass(frozen=True, slots=True)
class For(Stmt):
    """Run `body` for ``index`` in ``range(extent)``."""

    index: Index
    extent: Expr
    body: tuple[Stmt, ...]
    kind: AxisKind = "serial"


@dataclass(frozen=True, slots=True)
class Let(Stmt):
    """Bind a new local. It may be rebound by `Assign` if `mutable`."""

    local: Local
    value: Expr
    mutable: bool = False


@dataclass(frozen=True, slots=True)
class Assign(Stmt):
    """Rebind a mutable local."""

    local: Local
    value: Expr


@dataclass(frozen=True, slots=True)
class If(Stmt):
    """Run one of two blocks."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class While(Stmt):
    """Run `body` as long as the mutable local `condition` is true."""

    condition: Expr
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Store(Stmt):
    """Write an element of a buffer."""

    buffer: Buffer
    index: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Alloc(Stmt):
    """A small scratch array, alive to the end of the block; extents must be constants."""

    buffer: Buffer


@dataclass(frozen=True, slots=True)
class Kernel:
    """A loop nest as a function.

    Attributes:
        name: says what it computes; part of the generated code.
        inputs: buffers read.
        outputs: buffers written (an output may be read after it was written).
        extents: run-time sizes, after parametrisation.
        body: statements. If the first is a parallel `For`, its range can be split.
    """

    name: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    extents: tuple[Extent, ...]
    body: tuple[Stmt, ...]

    def __str__(self) -> str:
        return format_kernel(self)


def children(e: Expr) -> tuple[Expr, ...]:
    """The operands of an expression."""
    kind = type(e)  # compilation spends much of its time here, and matching patterns is slow
    if kind is Op:
        return e.args  # type: ignore[attr-defined, no-any-return]
    if kind is Load:
        return e.index  # type: ignore[attr-defined, no-any-return]
    if kind is Cast:
        return (e.arg,)  # type: ignore[attr-defined]
    if kind is Select:
        return (e.condition, e.then, e.otherwise)  # type: ignore[attr-defined]
    return ()


def walk_exprs(e: Expr) -> Iterator[Expr]:
    """`e` and all expressions inside it; a shared subexpression comes once."""
    seen: set[int] = set()
    stack = [e]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack.extend(children(node))


def walk_stmts(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """All statements of a block, outer before inner."""
    for s in body:
        yield s
        match s:
            case For(body=inner) | While(body=inner):
                yield from walk_stmts(inner)
            case If(then=then, otherwise=otherwise):
                yield from walk_stmts(then)
                yield from walk_stmts(otherwise)


_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^",
    "shl": "<<", "shr": ">>", "floordiv": "//", "mod": "%",
}  # fmt: skip


LONG = 400
"""Characters of a statement, from which on expressions that it reads twice are named before it."""


def format_expr(e: Expr, names: Mapping[int, str] | None = None) -> str:
    """An expression as text, in which the expressions inside it that have a name are that name.

    Args:
        e: the expression.
        names: of expressions by their `id`.
    """
    known = names or {}

    def text(e: Expr) -> str:
        return known.get(id(e)) or format_expr(e, known)

    match e:
        case Const(value=value):
            return str(value)
        case Extent(value=value, name=name):
            return name if name is not None else str(value)
        case Index(name=name) | Local(name=name):
            return name
        case Load(buffer=buffer, index=index):
            return f"{buffer.name}[{', '.join(map(text, index))}]"
        case Cast(dtype=dtype, arg=arg):
            return f"{dtype.name}({text(arg)})"
        case Select(condition=c, then=t, otherwise=o):
            return f"({text(t)} if {text(c)} else {text(o)})"
        case Op(name=name, args=args) if name in _INFIX and len(args) == 2:
            return f"({text(args[0])} {_INFIX[name]} {text(args[1])})"
        case Op(name=name, args=args):
            return f"{name}({', '.join(map(text, args))})"
    raise TypeError(f"not an expression: {e!r}")


def _expressions(s: Stmt) -> tuple[Expr, ...]:
    """What a statement evaluates itself, without the statements inside it."""
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


def _lengths(roots: tuple[Expr, ...]) -> dict[int, int]:
    """About how many characters each expression takes if it is written at each use, by `id`.

    Operands come before what reads them.
    """
    lengths: dict[int, int] = {}
    stack = [(e, False) for e in roots]
    while stack:
        e, ready = stack.pop()
        if ready:
            lengths[id(e)] = 4 + sum(lengths[id(x)] for x in children(e))
        elif id(e) not in lengths:
            stack += [(e, True), *((x, False) for x in children(e))]
    return lengths


def _named(roots: tuple[Expr, ...]) -> list[Expr]:
    """The expressions that a statement's text names: shared ones, if it were `LONG` otherwise.

    The rounds of a random generator read each other twice: written at each use, their text doubles
    with every round.
    """
    lengths = _lengths(roots)
    if sum(lengths[id(e)] for e in roots) < LONG:
        return []
    found = {id(e): e for root in roots for e in walk_exprs(root)}
    reads = Counter(id(x) for e in found.values() for x in children(e))
    return [found[k] for k in lengths if reads[k] > 1 and children(found[k])]


def _format_stmt(s: Stmt, pad: str) -> list[str]:
    """A statement's lines; its shared expressions are lines ``where %0 = ...`` before it."""
    names: dict[int, str] = {}
    lines = []
    for e in _named(_expressions(s)):
        lines.append(f"{pad}where %{len(names)} = {format_expr(e, names)}")
        names[id(e)] = f"%{len(names)}"
    return lines + _written(s, pad, names)


def _written(s: Stmt, pad: str, names: Mapping[int, str]) -> list[str]:
    inner = pad + "    "

    def text(e: Expr) -> str:
        return names.get(id(e)) or format_expr(e, names)

    def block(body: tuple[Stmt, ...]) -> list[str]:
        return [line for t in body for line in _format_stmt(t, inner)] or [inner + "pass"]

    match s:
        case For(index=i, extent=n, body=body, kind=kind):
            return [f"{pad}for {i.name} < {text(n)} [{kind}]:", *block(body)]
        case Let(local=x, value=v, mutable=m):
            return [f"{pad}{'var' if m else 'let'} {x.name}: {x.dtype.name} = {text(v)}"]
        case Assign(local=x, value=v):
            return [f"{pad}{x.name} = {text(v)}"]
        case If(condition=c, then=then, otherwise=otherwise):
            lines = [f"{pad}if {text(c)}:", *block(then)]
            return lines + ([f"{pad}else:", *block(otherwise)] if otherwise else [])
        case While(condition=c, body=body):
            return [f"{pad}while {text(c)}:", *block(body)]
        case Store(buffer=b, index=index, value=v):
            return [f"{pad}{b.name}[{', '.join(map(text, index))}] = {text(v)}"]
        case Alloc(buffer=b):
            return [f"{pad}alloc {format_buffer(b)}"]
    raise TypeError(f"not a statement: {s!r}")


def format_buffer(b: Buffer) -> str:
    """A buffer's name and type as text."""
    return f"{b.name}: {b.dtype.name}[{', '.join(map(format_expr, b.shape))}]"


def format_kernel(k: Kernel) -> str:
    """A kernel as text."""
    params = ", ".join([format_buffer(b) for b in k.inputs] + [str(e.name) for e in k.extents])
    outs = ", ".join(format_buffer(b) for b in k.outputs)
    lines = [f"kernel {k.name}({params}) -> {outs}:"]
    return "\n".join(lines + [line for s in k.body for line in _format_stmt(s, "    ")])
