"""Write small loops out, and keep small arrays in locals.

A loop over a constant, small extent becomes its iterations, one after the other. A scratch array
that is then only read and written at constant places becomes a local for each element, which a
printer keeps in a register: so a matrix of 3 by 3 that a loop carries costs no memory traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fxla.loops.extents import SMALL
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from fxla.loops.rewrite import Rewriter, postorder, stmt_blocks, stmt_exprs
from fxla.loops.scalar import SCALAR_OPS
from fxla.loops.view import const, fresh_index, fresh_local

__all__ = [
    "FEW_LANES",
    "count_nodes",
    "declare",
    "in_registers",
    "is_dear",
    "renamed",
    "unrolled",
    "unrolled_size",
]

FEW_LANES = 4
"""Iterations of a short loop that are worth a vector."""
DEAR = 10
"""Operations of an elementary function, which make lanes worth more than registers."""

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0, "mod": lambda a, b: a % b if b else 0,
    "minimum": min, "maximum": max,
}  # fmt: skip


def fold(e: Expr) -> Expr:
    """Index arithmetic, comparisons and selects of constants, and small sizes as constants."""
    match e:
        case Extent(value=n, name=None) if n <= SMALL:
            return Const(INDEX, n)
        case Op(dtype=dtype, name=name, args=(Const(value=a), Const(value=b))) if (
            e.args[0].dtype == INDEX
        ):
            if name in _COMPARISONS and dtype == BOOL:
                return Const(BOOL, np.bool_(_COMPARISONS[name](int(a), int(b))))
            if name in _ARITHMETIC:
                return Const(INDEX, int(_ARITHMETIC[name](int(a), int(b))))
        case Op(name="add", args=(a, Const(value=0))) if e.dtype == INDEX:
            return a
        case Op(name="add", args=(Const(value=0), b)) if e.dtype == INDEX:
            return b
        case Op(dtype=dtype, name="and", args=(Const(value=a), b)) if dtype == BOOL:
            return b if a else Const(BOOL, np.False_)
        case Op(dtype=dtype, name="and", args=(a, Const(value=b))) if dtype == BOOL:
            return a if b else Const(BOOL, np.False_)
        case Op(dtype=dtype, name="or", args=(Const(value=a), b)) if dtype == BOOL:
            return Const(BOOL, np.True_) if a else b
        case Op(dtype=dtype, name="or", args=(a, Const(value=b))) if dtype == BOOL:
            return Const(BOOL, np.True_) if b else a
        case Select(condition=Const(value=holds), then=then, otherwise=otherwise):
            return then if holds else otherwise
    return e


def known_extent(e: Expr, most: int = SMALL) -> int | None:
    """The number of iterations, if it is constant whatever the sizes are, and not above `most`."""
    match e:
        case Const(value=n) if n <= most:
            return int(n)
        case Extent(value=n, name=None) if n <= min(most, SMALL):
            return n
    return None


def renamed(body: Iterable[Stmt], place: Mapping[str, Expr]) -> tuple[Stmt, ...]:
    """Statements with fresh names for all that they bind.

    Args:
        body: statements.
        place: what to put for some of the indices around them.
    """
    body = tuple(body)
    indices: dict[str, Expr] = dict(place)
    locals_: dict[str, Local] = {}
    for s in walk_stmts(body):
        if isinstance(s, For):
            indices[s.index.name] = fresh_index()
        elif isinstance(s, Let):
            locals_[s.local.name] = fresh_local(s.local.dtype)

    def change(e: Expr) -> Expr:
        match e:
            case Index(name=name):
                return indices.get(name, e)
            case Local(name=name):
                return locals_.get(name, e)
        return fold(e)

    return Rewriter(change).block(body)


def is_dear(e: Expr) -> bool:
    """Whether an expression has an elementary function."""
    ops = (x for x in postorder((e,)) if isinstance(x, Op) and x.name in SCALAR_OPS)
    return any(SCALAR_OPS[x.name].cost >= DEAR for x in ops)


def _is_in_lanes(s: For) -> bool:
    """Whether a loop does nothing but map short rows, which are in memory then."""
    match s:
        case For(extent=n, body=(For(extent=m, body=body),)) if known_extent(n) is None:
            each = all(isinstance(t, Store) or (isinstance(t, Let) and not t.mutable) for t in body)
            return each and (known_extent(m) or 0) >= FEW_LANES
    return False


def _is_better_in_lanes(s: For) -> bool:
    """Whether a short loop in lanes, around others, computes what takes long."""
    wide = s.kind == "vector" and (known_extent(s.extent) or 0) >= FEW_LANES
    return wide and any(is_dear(e) for t in walk_stmts(s.body) for e in stmt_exprs(t))


def unrolled(body: Iterable[Stmt], most: int = SMALL, lanes: bool = False) -> tuple[Stmt, ...]:
    """Statements with innermost loops over constant extents, of at most `most`, written out.

    Args:
        body: statements.
        most: iterations.
        lanes: whether the short rows of a long loop that does nothing else are vectors instead:
            written out, each would be as many operations on single numbers.
    """
    out: list[Stmt] = []
    for s in body:
        match s:
            case For(body=(For() as row,)) if lanes and _is_in_lanes(s):
                out.append(replace(s, body=(replace(row, kind="vector"),)))
            case For(index=i, extent=n, body=inner):
                count = known_extent(n, most)
                if count is None:
                    out.append(replace(s, body=unrolled(inner, most, lanes)))
                    continue
                flat = unrolled(inner, most, lanes)
                many = lanes and flat != inner and _is_better_in_lanes(s)
                if many or any(isinstance(t, (For, While)) for t in walk_stmts(flat)):
                    out.append(replace(s, body=flat))
                    continue
                for k in range(count):
                    out += renamed(flat, {i.name: Const(INDEX, k)})
            case While(body=inner):
                out.append(replace(s, body=unrolled(inner, most, lanes)))
            case If(then=then, otherwise=otherwise):
                arms = (unrolled(arm, most, lanes) for arm in (then, otherwise))
                out.append(If(s.condition, *arms))
            case _:
                out.append(s)
    return tuple(out)


def count_nodes(s: Stmt) -> int:
    """Operations, loads and stores of a statement itself."""
    count = 1
    for e in postorder(stmt_exprs(s)):
        count += isinstance(e, (Op, Load, Select)) and e.dtype != INDEX
    return count


def unrolled_size(body: Iterable[Stmt], most: int = SMALL, lanes: bool = False) -> int:
    """How many operations `unrolled` leaves in the text."""
    total = 0
    for s in body:
        if lanes and isinstance(s, For) and _is_in_lanes(s):
            total += count_nodes(s) + sum(map(count_nodes, walk_stmts(s.body)))
            continue
        inner = sum(unrolled_size(b, most, lanes) for b in stmt_blocks(s))
        n = known_extent(s.extent, most) if isinstance(s, For) and _can_be_flat(s, most) else None
        total += count_nodes(s) + inner * (1 if n is None else n)
    return total


def _can_be_flat(s: For, most: int) -> bool:
    """Whether all loops inside a loop are written out too."""
    inner = [t for t in walk_stmts(s.body) if isinstance(t, (For, While))]
    return all(isinstance(t, For) and known_extent(t.extent, most) is not None for t in inner)


def in_registers(
    body: tuple[Stmt, ...], arrays: Collection[Buffer]
) -> tuple[tuple[Stmt, ...], list[Local]]:
    """Put locals in place of those arrays that are only accessed at constant places.

    Args:
        body: statements, with loops written out.
        arrays: scratch arrays with one axis.

    Returns:
        The statements; the other arrays are allocated at their start.
    """
    variable = _accessed_variably(body, {b.name for b in arrays})
    kept = {b.name: b for b in arrays if b.name not in variable}
    places: dict[tuple[str, int], Local] = {}

    def local(b: Buffer, k: int) -> Local:
        key = (b.name, k)
        if key not in places:
            places[key] = fresh_local(b.dtype, "r")
        return places[key]

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and e.buffer.name in kept:
            (at,) = e.index
            assert isinstance(at, Const)
            inside = 0 <= int(at.value) < _size(e.buffer)
            # a place outside is read only in an arm of a select that is never taken
            return local(e.buffer, int(at.value)) if inside else const(0, e.dtype)
        return fold(e)

    new = _Registers(change, kept, local).block(body)
    allocations = tuple(Alloc(b) for b in arrays if b.name in variable)
    return (*allocations, *new), list(places.values())


class _Registers(Rewriter):
    """Turns stores into some arrays into assignments."""

    def __init__(self, change: Any, kept: Mapping[str, Buffer], local: Any) -> None:
        super().__init__(change)
        self._kept = kept
        self._local_of = local

    def stmt(self, s: Stmt) -> Stmt:
        if isinstance(s, Store) and s.buffer.name in self._kept:
            (at,) = s.index
            assert isinstance(at, Const)
            return Assign(self._local_of(s.buffer, int(at.value)), self.expr(s.value))
        return super().stmt(s)


def _size(b: Buffer) -> int:
    (n,) = b.shape
    assert isinstance(n, (Const, Extent))
    return int(n.value)


def _accessed_variably(body: tuple[Stmt, ...], names: set[str]) -> set[str]:
    """Names of arrays that are accessed at a computed place, or in a loop with lanes."""
    found: set[str] = set()
    seen: set[int] = set()

    def visit(block: tuple[Stmt, ...], lanes: bool) -> None:
        for s in block:
            if isinstance(s, Store) and s.buffer.name in names:
                found.update([s.buffer.name] if lanes or not isinstance(s.index[0], Const) else [])
            for e in postorder(stmt_exprs(s)):
                if isinstance(e, Load) and id(e) not in seen and e.buffer.name in names:
                    seen.add(id(e))
                    if not isinstance(e.index[0], Const):
                        found.add(e.buffer.name)
            for b in stmt_blocks(s):
                visit(b, lanes or (isinstance(s, For) and s.kind == "vector"))

    visit(body, False)
    return found


def declare(body: tuple[Stmt, ...], names: Collection[Local]) -> tuple[Stmt, ...]:
    """Bind locals, each in the innermost block around all statements that use it.

    What is used in a loop alone is not carried from one iteration to the next: it must be assigned
    in an iteration before it is read there.
    """
    wanted = {x.name: x for x in names}
    if not wanted:
        return body
    users: dict[str, list[int]] = {name: [] for name in wanted}
    for k, s in enumerate(body):
        for name in _locals_below(s) & wanted.keys():
            users[name].append(k)
    assigned: dict[str, int] = {}
    for s in walk_stmts(body):
        if isinstance(s, Assign):
            assigned[s.local.name] = assigned.get(s.local.name, 0) + 1
    out = list(body)
    lets: dict[int, list[Stmt]] = {}
    below: dict[int, list[Local]] = {}
    for name, places in users.items():
        if not places:
            continue
        x, first = wanted[name], places[0]
        s = body[first]
        if len(places) == 1 and isinstance(s, (For, While)) and name not in _own_locals(s):
            below.setdefault(first, []).append(x)
        elif isinstance(s, Assign) and s.local.name == name and name not in _own_locals(s):
            out[first] = Let(x, s.value, mutable=assigned[name] > 1)
        else:
            lets.setdefault(first, []).append(Let(x, const(0, x.dtype), mutable=True))
    for k, inner in below.items():
        loop = out[k]
        assert isinstance(loop, (For, While))
        out[k] = replace(loop, body=declare(loop.body, inner))
    return tuple([t for k, s in enumerate(out) for t in (*lets.get(k, ()), s)])


def _own_locals(s: Stmt) -> set[str]:
    return {e.name for e in postorder(stmt_exprs(s)) if isinstance(e, Local)}


def _locals_below(s: Stmt) -> set[str]:
    found: set[str] = set()
    for t in walk_stmts((s,)):
        found |= _own_locals(t)
        if isinstance(t, (Let, Assign)):
            found.add(t.local.name)
    return found
