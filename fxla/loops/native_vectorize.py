"""What the native printer asks about a loop before it prints it with vectors.

A vector loop runs its body on `VectorPlan.width` iterations at once. What carries a value from one
iteration to the next must be a reduction: a local, declared outside, that the loop only ever
rebinds to an associative op of itself. It becomes a vector of partial results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Cast,
    DType,
    Expr,
    For,
    If,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
    children,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.native_isa import Isa
from fxla.loops.scalar import SCALAR_OPS

__all__ = [
    "VectorPlan",
    "assigned_locals",
    "identity",
    "plan_vector",
    "stored_buffers",
]

_LIGHT = 12
"""Cost of a body up to which several vectors run at once."""
_HEAVY = 80
"""Cost of a body above which one masked loop serves whole vectors and the remainder."""


_MEDIUM = 100
"""Cost of a body up to which two vectors of a `While` run at once."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """How to print a vector loop.

    Attributes:
        width: lanes of the main loop; 0 if the remainder's loop does all the work.
        rest: lanes of the masked loop over the remainder; 0 for a scalar loop.
        reductions: the op of each local that the loop reduces into.
    """

    width: int
    rest: int
    reductions: dict[Local, str]


def assigned_locals(body: tuple[Stmt, ...]) -> list[Local]:
    """The locals declared outside `body` that it rebinds."""
    declared = {s.local.name for s in walk_stmts(body) if isinstance(s, Let)}
    found = {s.local: None for s in walk_stmts(body) if isinstance(s, Assign)}
    return [x for x in found if x.name not in declared]


def stored_buffers(body: tuple[Stmt, ...]) -> frozenset[str]:
    """Names of the buffers that `body` writes."""
    return frozenset(s.buffer.name for s in walk_stmts(body) if isinstance(s, Store))


def statement_exprs(s: Stmt) -> tuple[Expr, ...]:
    """The expressions of a statement itself, not of its inner blocks."""
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


def _all_exprs(body: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Every expression below `body`, each shared one once."""
    seen: set[int] = set()
    stack = [e for s in walk_stmts(body) for e in statement_exprs(s)]
    while stack:
        e = stack.pop()
        if id(e) not in seen:
            seen.add(id(e))
            yield e
            stack.extend(children(e))


def _reduction_op(s: Assign) -> str | None:
    """The op, if `s` rebinds its local to an associative op of itself and something else."""
    value = s.value
    if not isinstance(value, Op):
        return None
    if value.name in ("add", "mul", "maximum", "minimum", "and", "or", "xor"):
        name, rest = value.name, list(value.args)
    elif value.name == "fma":
        name, rest = "add", list(value.args)
        if rest[2] != s.local:
            return None
    else:
        return None
    if s.local not in rest:
        return None
    rest.remove(s.local)
    return None if any(s.local in walk_exprs(e) for e in rest) else name


def _reductions(body: tuple[Stmt, ...]) -> dict[Local, str] | None:
    """The reductions of a loop with this body; None if it carries something else."""
    outer = assigned_locals(body)
    found: dict[Local, str] = {}
    for s in walk_stmts(body):
        if isinstance(s, Assign) and s.local in outer:
            op = _reduction_op(s)
            if op is None or found.setdefault(s.local, op) != op:
                return None
        elif outer:
            reads = (x for e in statement_exprs(s) for x in walk_exprs(e))
            if any(x in outer for x in reads if isinstance(x, Local)):
                return None
    return found if _only_own_reads(body, outer) else None


def _only_own_reads(body: tuple[Stmt, ...], outer: list[Local]) -> bool:
    """Whether no reduction reads the local of another."""
    for s in walk_stmts(body):
        if isinstance(s, Assign) and s.local in outer:
            reads = {x for x in walk_exprs(s.value) if isinstance(x, Local)}
            if any(x in outer and x != s.local for x in reads):
                return False
    return True


def _element_size(dtype: DType) -> int:
    return max(dtype.itemsize, 4)


def _sizes(body: tuple[Stmt, ...], exprs: Iterable[Expr]) -> tuple[set[int], set[int]]:
    """Element sizes in registers, and in memory."""
    registers: set[int] = set()
    memory: set[int] = set()
    for e in exprs:
        if isinstance(e, Load):
            memory.add(e.dtype.itemsize)
            if e.dtype != INDEX or e.dtype.kind == "f":
                registers.add(_element_size(e.dtype))
        elif isinstance(e, Op | Cast | Select) and e.dtype.kind == "f":
            registers.add(_element_size(e.dtype))
    for s in walk_stmts(body):
        if isinstance(s, Store):
            memory.add(s.buffer.dtype.itemsize)
            registers.add(_element_size(s.buffer.dtype))
    return registers or {4}, memory


def _cost(exprs: Iterable[Expr]) -> int:
    return sum(
        SCALAR_OPS[e.name].cost if isinstance(e, Op) and e.name in SCALAR_OPS else 1
        for e in exprs
        if isinstance(e, Op | Load | Cast | Select) and e.dtype != INDEX
    )


def plan_vector(loop: For, isa: Isa) -> VectorPlan | None:
    """How to print `loop` with vectors; None if it must run one iteration at a time."""
    body = loop.body
    if any(isinstance(s, Alloc) for s in walk_stmts(body)):
        return None
    reductions = _reductions(body)
    if reductions is None:
        return None
    exprs = list(_all_exprs(body))
    registers, memory = _sizes(body, exprs)
    for local in reductions:
        registers.add(_element_size(local.dtype))
    lanes = isa.vector_bytes // max(registers)
    cost = _cost(exprs)
    masked = memory <= isa.masked
    loops = [s for s in walk_stmts(body) if isinstance(s, For | While)]
    inner = max((_cost(_all_exprs(s.body)) for s in loops), default=cost)
    several = 4 if (reductions or loops) and inner <= _LIGHT else 1
    if several == 1 and inner <= _MEDIUM and any(isinstance(s, While) for s in loops):
        several = 2  # an iteration waits for the last one
    if masked and cost > _HEAVY and several == 1:
        return VectorPlan(0, lanes, reductions)
    return VectorPlan(lanes * several, lanes if masked else 0, reductions)


def identity(op: str, dtype: DType) -> Any:
    """The number that leaves the other operand of an associative op as it is."""
    if op in ("maximum", "minimum"):
        if dtype.kind == "b":
            return op == "minimum"
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return info.min if op == "maximum" else info.max
        return -np.inf if op == "maximum" else np.inf
    if op == "add":
        return -0.0 if dtype.kind in "fV" else 0
    return {"mul": 1, "and": -1, "or": 0, "xor": 0}[op]
