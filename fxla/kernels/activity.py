"""What a derivative must look at: which variables and arrays depend on what, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fxla.kernels.ir import (
    Block,
    Loop,
    Make,
    Pop,
    Program,
    Push,
    Put,
    Repeat,
    Size,
    changed_by,
    is_active,
    reads,
    statement_exprs,
    walk,
)
from fxla.kernels.partials import FLAT
from fxla.loops.ir import Assign, Cast, Expr, If, Load, Local, Op, Select, Stmt, walk_exprs

__all__ = ["active_names", "all_names", "carriers", "depends", "useful_names", "varied_names",
           "without_unused"]  # fmt: skip


def carriers(e: Expr) -> set[str]:
    """The variables and arrays that an expression is differentiable in."""
    match e:
        case Local(name=name):
            return {name} if is_active(e.dtype) else set()
        case Load(buffer=b):
            return {b.name} if is_active(e.dtype) else set()
        case Cast(arg=arg):
            return carriers(arg) if is_active(e.dtype) else set()
        case Select(then=t, otherwise=o):
            return carriers(t) | carriers(o)
        case Op(name=name, args=args) if name not in FLAT and is_active(e.dtype):
            return set().union(*[carriers(a) for a in args])
    return set()


def depends(e: Expr, active: set[str]) -> bool:
    """Whether an expression has a derivative in one of some names."""
    return not carriers(e).isdisjoint(active)


def _flows(program: Program) -> list[tuple[str, set[str]]]:
    """For each assignment its target, and the names it is differentiable in."""
    found: list[tuple[str, set[str]]] = []
    for s in walk(program.body):
        match s:
            case Assign(local=x, value=e):
                found.append((x.name, carriers(e) if is_active(x.dtype) else set()))
            case Put(buffer=b, value=e):
                found.append((b.name, carriers(e) if is_active(b.dtype) else set()))
            case Make(buffer=b, fill=e) if e is not None and is_active(b.dtype):
                found.append((b.name, carriers(e)))
            case Push(stack=stack, value=e):
                found.append((stack.name, carriers(e) if is_active(stack.dtype) else set()))
            case Pop(target=target, stack=stack) if is_active(stack.dtype):
                name = target.name if isinstance(target, Local) else target.buffer.name
                found.append((name, {stack.name}))
    return found


def varied_names(program: Program, start: Iterable[str]) -> set[str]:
    """Names whose values depend differentiably on some inputs."""
    found, flows = set(start), _flows(program)
    size = -1
    while len(found) != size:
        size = len(found)
        found.update(target for target, sources in flows if not sources.isdisjoint(found))
    return found


def useful_names(program: Program, start: Iterable[str]) -> set[str]:
    """Names that some results depend on differentiably."""
    found, flows = set(start), _flows(program)
    size = -1
    while len(found) != size:
        size = len(found)
        for target, sources in flows:
            if target in found:
                found |= sources
    return found


def active_names(program: Program, inputs: Iterable[str], outputs: Iterable[str]) -> set[str]:
    """Names between some inputs and some results."""
    return varied_names(program, inputs) & useful_names(program, outputs)


def all_names(program: Program) -> set[str]:
    """Every name of a program."""
    found = {x.name for x in (*program.inputs, *program.outputs)}
    for s in walk(program.body):
        found |= changed_by(s)
        for e in statement_exprs(s):
            found |= reads(e)
        if isinstance(s, (Push, Pop)):
            found.add(s.stack.name)
    return found


def without_unused(program: Program) -> Program:
    """The program without what no result needs. Names count, not places."""
    needed = {o.name for o in program.outputs}
    size = -1
    while len(needed) != size:
        size = len(needed)
        _note(program.body, needed)
    return replace(program, body=_kept(program.body, needed))


def _changes(s: Stmt) -> set[str]:
    names = changed_by(s)
    return names | {s.stack.name} if isinstance(s, (Push, Pop)) else names


def _note(body: Block, needed: set[str]) -> bool:
    """Add what the needed statements of a block read; whether there are any."""
    some = False
    for s in body:
        match s:
            case Loop(body=inner) | Repeat(body=inner):
                kept = _note(inner, needed)
                kept = kept or (s.count is not None and s.count.name in needed)
                if kept and s.until is not None:
                    needed.add(s.until.name)
            case If(then=then, otherwise=otherwise):
                first, second = _note(then, needed), _note(otherwise, needed)
                kept = first or second
            case _:
                kept = not _changes(s).isdisjoint(needed)
                if kept and isinstance(s, (Push, Pop)):
                    needed |= _changes(s)
        if kept:
            some = True
            for e in statement_exprs(s):
                needed |= reads(e)
                needed.update(x.array for x in walk_exprs(e) if isinstance(x, Size))
    return some


def _kept(body: Block, needed: set[str]) -> Block:
    found: list[Stmt] = []
    for s in body:
        match s:
            case Loop(body=inner) | Repeat(body=inner):
                rest = _kept(inner, needed)
                count = s.count if s.count is not None and s.count.name in needed else None
                if rest or count is not None:
                    found.append(replace(s, body=rest, count=count))
            case If(condition=c, then=then, otherwise=otherwise):
                first, second = _kept(then, needed), _kept(otherwise, needed)
                if first or second:
                    found.append(If(c, first, second))
            case _ if not _changes(s).isdisjoint(needed):
                found.append(s)
    return tuple(found)
