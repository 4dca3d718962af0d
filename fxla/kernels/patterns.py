"""Statements of a form that a reverse sweep can use: increments, counted loops, single writers."""

from __future__ import annotations

from fxla.kernels.ir import Block, Loop, Make, Pop, Program, Put, Repeat, integer, reads
from fxla.loops.ir import INDEX, Const, Expr, If, Load, Local, Op, Select, Stmt
from fxla.loops.view import binary, compare

__all__ = ["increment", "minus", "trips", "written_once"]


def minus(e: Expr, n: int) -> Expr:
    """An integer less a constant."""
    return integer(e.value - n) if isinstance(e, Const) else binary("sub", e, integer(n))


def trips(s: Loop) -> Expr:
    """How often a counted loop runs."""
    sign: Expr = integer(1)
    if isinstance(s.step, Const):
        sign = integer(1 if s.step.value > 0 else -1)
    else:
        sign = Select(INDEX, compare("gt", s.step, integer(0)), integer(1), integer(-1))
    extent = binary("sub", s.stop, s.start)
    return Op(INDEX, "floordiv", (binary("add", extent, binary("sub", s.step, sign)), s.step))


def increment(x: Local, e: Expr) -> tuple[Expr | None, int]:
    """What an assignment adds to its variable or takes from it, if that is all it does."""
    if isinstance(e, Op) and e.name in ("add", "sub"):
        a, b = e.args
        if a == x and x.name not in reads(b):
            return b, 1 if e.name == "add" else -1
        if b == x and e.name == "add" and x.name not in reads(a):
            return a, 1
    return None, 1


def written_once(program: Program) -> set[str]:
    """Arrays that are undefined until each element is written by the one statement that does."""
    found: set[str] = set()
    writers: dict[str, list[tuple[Stmt, tuple[str, ...]]]] = {}
    makers: dict[str, list[tuple[Make, tuple[str, ...]]]] = {}

    def survey(body: Block, loops: tuple[str, ...]) -> None:
        for s in body:
            match s:
                case Make(buffer=b):
                    makers.setdefault(b.name, []).append((s, loops))
                case Put(buffer=b) | Pop(target=Load(buffer=b)):
                    writers.setdefault(b.name, []).append((s, loops))
                case Loop(index=i, body=inner):
                    survey(inner, (*loops, i.name))
                case Repeat(body=inner):
                    survey(inner, (*loops, "?"))
                case If(then=then, otherwise=otherwise):
                    survey(then, loops)
                    survey(otherwise, loops)

    survey(program.body, ())
    for name, made in makers.items():
        puts = writers.get(name, [])
        if len(made) != 1 or len(puts) != 1 or made[0][0].fill is not None:
            continue
        put, loops = puts[0]
        if not isinstance(put, Put) or put.add:
            continue
        own = set(loops) - set(made[0][1])
        index = [i.name for i in put.index if isinstance(i, Local)]
        if own <= set(index) and len(set(loops)) == len(loops) and "?" not in own:
            found.add(name)
    return found
