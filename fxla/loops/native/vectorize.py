"""What the native printer asks about a loop before it prints it with vectors.

A vector loop runs its body on `VectorPlan.width` iterations at once. What carries a value from one
iteration to the next must be a reduction: a local, declared outside, that the loop only ever
rebinds to an associative op of itself. It becomes a vector of partial results. If the iteration
reads the local afterwards, it is a *scan*: the lanes hold the running results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Cast,
    DType,
    Expr,
    For,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
    walk_exprs,
    walk_stmts,
)
from fxla.loops.native.isa import Isa
from fxla.loops.passes.collapse import size_of_extent
from fxla.loops.rewrite import all_exprs, stmt_exprs
from fxla.loops.scalar import SCALAR_OPS

__all__ = [
    "VectorPlan",
    "assigned_locals",
    "block_cost",
    "identity",
    "is_written_out",
    "lanes_of",
    "plan_vector",
    "stored_buffers",
]

_LIGHT = 12
"""Cost of a body up to which several vectors run at once."""
_HEAVY = 80
"""Cost of a body above which one masked loop serves whole vectors and the remainder."""


_MEDIUM = 100
"""Cost of a body up to which two vectors of a `While` run at once."""


_SHORT = 7
"""Iterations of a loop that is written out, at most."""
_TERMS = 64
"""Terms of the sums of nested loops that are written out, at most."""
_NARROW = (4, 8)
"""Elements that are a whole register although a larger one exists."""


@dataclass(frozen=True, slots=True)
class VectorPlan:
    """How to print a vector loop.

    Attributes:
        width: lanes of the main loop; 0 if the remainder's loop does all the work.
        rest: lanes of the masked loop over the remainder; 0 for a scalar loop.
        reductions: the op of each local that the loop reduces into.
        scans: the op of each local whose running results the loop reads.
    """

    width: int
    rest: int
    reductions: dict[Local, str]
    scans: dict[Local, str]


def assigned_locals(body: tuple[Stmt, ...]) -> list[Local]:
    """The locals declared outside `body` that it rebinds."""
    declared = {s.local.name for s in walk_stmts(body) if isinstance(s, Let)}
    found = {s.local: None for s in walk_stmts(body) if isinstance(s, Assign)}
    return [x for x in found if x.name not in declared]


def stored_buffers(body: tuple[Stmt, ...]) -> frozenset[str]:
    """Names of the buffers that `body` writes."""
    return frozenset(s.buffer.name for s in walk_stmts(body) if isinstance(s, Store))


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


def _carried_ops(body: tuple[Stmt, ...]) -> tuple[dict[Local, str], dict[Local, str]] | None:
    """The reductions and the scans of a loop with this body; None if it carries something else."""
    outer = assigned_locals(body)
    found: dict[Local, str] = {}
    for s in walk_stmts(body):
        if isinstance(s, Assign) and s.local in outer:
            op = _reduction_op(s)
            if op is None or found.setdefault(s.local, op) != op:
                return None
    read = {x for x in outer if _read_elsewhere(body, x)}
    if not all(_is_scan(body, x) for x in read):
        return None
    scans = {x: op for x, op in found.items() if x in read}
    return {x: op for x, op in found.items() if x not in read}, scans


def _reads(s: Stmt, x: Local) -> bool:
    """Whether a statement, inner ones included, reads a local other than to rebind it."""
    return any(
        e == x
        for inner in walk_stmts((s,))
        if not (isinstance(inner, Assign) and inner.local == x)
        for root in stmt_exprs(inner)
        for e in walk_exprs(root)
        if isinstance(e, Local)
    )


def _read_elsewhere(body: tuple[Stmt, ...], x: Local) -> bool:
    return any(_reads(s, x) for s in body)


def _is_scan(body: tuple[Stmt, ...], x: Local) -> bool:
    """Whether each iteration rebinds the local once, for certain, before it reads it."""
    rebinds = [s for s in walk_stmts(body) if isinstance(s, Assign) and s.local == x]
    if len(rebinds) != 1:
        return False
    (s,) = rebinds
    if not any(s is t for t in body) or not isinstance(s.value, Op) or len(s.value.args) != 2:
        return False
    at = next(k for k, t in enumerate(body) if t is s)
    return not any(_reads(t, x) for t in body[:at])


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


def block_cost(body: tuple[Stmt, ...]) -> int:
    """The cost of one run of a block, without index arithmetic."""
    return _cost(all_exprs(body))


def lanes_of(body: tuple[Stmt, ...], isa: Isa) -> int:
    """How many elements of the largest kind in a block a register holds."""
    return isa.vector_bytes // max(_sizes(body, all_exprs(body))[0])


def plan_vector(loop: For, isa: Isa, count: int | None = None) -> VectorPlan | None:
    """How to print `loop` with vectors; None if it must run one iteration at a time.

    Args:
        loop: a vector loop.
        isa: whose registers there are.
        count: how often it runs, if that is known. Four or eight elements are a register of their
            own size; a masked one costs more to write, and what is masked is read back late.
    """
    body = loop.body
    if any(isinstance(s, Alloc) for s in walk_stmts(body)):
        return None
    carried = _carried_ops(body)
    if carried is None:
        return None
    reductions, scans = carried
    exprs = all_exprs(body)
    registers, memory = _sizes(body, exprs)
    for local in (*reductions, *scans):
        registers.add(_element_size(local.dtype))
    lanes = isa.vector_bytes // max(registers)
    cost = _cost(exprs)
    masked = memory <= isa.masked
    if count is not None and count < lanes and not scans:
        if count in _NARROW:
            return VectorPlan(count, 0, reductions, scans)
        if _rewrites(body, exprs) and cost <= _LIGHT:
            return VectorPlan(_NARROW[0] if count > _NARROW[0] else 0, 0, reductions, scans)
    loops = [s for s in walk_stmts(body) if isinstance(s, For | While)]
    inner = max((_cost(all_exprs(s.body)) for s in loops), default=cost)
    several = 4 if (reductions or loops) and not scans and inner <= _LIGHT else 1
    several = -(-several // max(len(reductions), 1))  # each is a chain of its own
    if several == 1 and inner <= _MEDIUM and not scans and any(isinstance(s, While) for s in loops):
        several = 2  # an iteration waits for the last one
    if masked and cost > _HEAVY and several == 1:
        return VectorPlan(0, lanes, reductions, scans)
    return VectorPlan(lanes * several, lanes if masked else 0, reductions, scans)


def _rewrites(body: tuple[Stmt, ...], exprs: Iterable[Expr]) -> bool:
    """Whether a block reads what it wrote before, as sums by index do."""
    stored = stored_buffers(body)
    return any(isinstance(e, Load) and e.buffer.name in stored for e in exprs)


def is_written_out(loop: For, count: int) -> bool:
    """Whether a loop of a known, small count is printed as that many blocks.

    So are sums of up to seven terms, which fill no register and would be folded lane by lane, and a
    few short loops around them: a product of 3 x 3 matrices is 27 multiplications.

    Args:
        loop: outside of lanes.
        count: how often it runs.
    """
    return 0 < count <= _SHORT and 0 < _terms(loop) <= _TERMS


def _terms(loop: For) -> int:
    """Terms of all sums of a nest of short loops; 0 if it has other loops, or none."""
    count = size_of_extent(loop.extent)
    if count is None or count > _SHORT or loop.kind not in ("vector", "serial"):
        return 0
    inner = [s for s in loop.body if isinstance(s, For)]
    if any(not isinstance(s, For | Let | Assign | Store) for s in loop.body):
        return 0
    if inner:
        terms = [_terms(s) for s in inner]
        return count * sum(terms) if all(terms) else 0
    carried = assigned_locals(loop.body)
    return count if carried and _cost(all_exprs(loop.body)) <= _LIGHT else 0


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
