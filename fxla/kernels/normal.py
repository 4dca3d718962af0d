"""A program in the form that its reverse needs: what steers it has names.

Conditions and bounds that a reverse sweep will ask for again become variables that are assigned
once; loops that may end early count their iterations.
"""

from __future__ import annotations

from dataclasses import replace

from fxla.kernels.activity import all_names
from fxla.kernels.ir import (
    Block,
    Loop,
    Pop,
    Program,
    Repeat,
    Size,
    array,
    blocks_of,
    changed_by,
    reads,
    statement_exprs,
    walk,
)
from fxla.loops.ir import INDEX, Assign, Buffer, Const, Expr, If, Load, Local, Stmt

__all__ = ["Names", "Uses", "normalised"]


class Names:
    """Names that nothing has yet."""

    def __init__(self, program: Program) -> None:
        self.taken = all_names(program)
        self.bars: dict[str, str] = {}

    def fresh(self, stem: str) -> str:
        """A new name."""
        name, n = stem, 0
        while name in self.taken:
            n += 1
            name = f"{stem}_{n}"
        self.taken.add(name)
        return name

    def bar(self, name: str) -> str:
        """The name of an adjoint."""
        if name not in self.bars:
            self.bars[name] = self.fresh(f"{name}_b")
        return self.bars[name]

    def variable(self, x: Local) -> Local:
        """The adjoint of a variable."""
        return Local(x.dtype, self.bar(x.name))

    def array(self, x: Buffer) -> Buffer:
        """The adjoint of an array."""
        return array(self.bar(x.name), x.dtype, len(x.shape))


def normalised(program: Program, names: Names) -> Program:
    """The same program with conditions, bounds and counts in variables."""
    definitions = _definitions(program)

    def steady(e: Expr) -> bool:
        if isinstance(e, Local):
            return definitions.get(e.name, 0) <= 1
        return isinstance(e, (Const, Size))

    def named(e: Expr, stem: str, before: list[Stmt]) -> Expr:
        if steady(e):
            return e
        local = Local(e.dtype, names.fresh(stem))
        before.append(Assign(local, e))
        return local

    def block(body: Block) -> Block:
        found: list[Stmt] = []
        for s in body:
            match s:
                case If(condition=c, then=then, otherwise=otherwise):
                    test = named(c, "c", found)
                    found.append(If(test, block(then), block(otherwise)))
                case Loop(start=a, stop=b, step=step, body=inner):
                    first, last = named(a, "start", found), named(b, "stop", found)
                    by = named(step, "by", found)
                    new = Loop(s.index, first, last, by, block(inner), s.until, s.count)
                    found.append(new if s.until is None else counted(new))
                case Repeat(body=inner):
                    found.append(counted(replace(s, body=block(inner))))
                case _:
                    found.append(s)
        return tuple(found)

    def counted(s: Loop | Repeat) -> Stmt:
        if s.count is not None:
            return s
        return replace(s, count=Local(INDEX, names.fresh("count")))

    return replace(program, body=block(program.body))


def _definitions(program: Program) -> dict[str, int]:
    """How many statements assign each variable."""
    found: dict[str, int] = {}
    for s in walk(program.body):
        for name in changed_by(s):
            found[name] = found.get(name, 0) + 1
    return found


class Uses:
    """Where a program's variables are assigned and read.

    Attributes:
        definitions: how many statements change each name.
        in_loop: names that are changed in a loop.
        local: variables assigned once, in a loop, and read only after that in the same block.
        stored: arrays whose elements are written.
        indices: indices of loops.
    """

    def __init__(self, program: Program) -> None:
        self.definitions = _definitions(program)
        self.indices = {s.index.name for s in walk(program.body) if isinstance(s, Loop)}
        self.stored: set[str] = set()
        self.in_loop: set[str] = set()
        self.local: set[str] = set()
        self.made_in_loop: set[str] = set()
        self.counts = _reads(program.body)
        for o in program.outputs:
            self.counts[o.name] = self.counts.get(o.name, 0) + 1
        self._survey(program.body, 0)

    def _survey(self, body: Block, depth: int) -> None:
        for k, s in enumerate(body):
            for name in changed_by(s):
                if depth:
                    self.in_loop.add(name)
                    if self.definitions[name] == 1 and name not in self.indices:
                        later = _reads(body[k + 1 :]).get(name, 0)
                        if later == self.counts.get(name, 0):
                            self.local.add(name)
                if isinstance(s, Pop) and isinstance(s.target, Load):
                    self.stored.add(name)
            buffer = getattr(s, "buffer", None)
            if buffer is not None and type(s).__name__ == "Put":
                self.stored.add(buffer.name)
            if buffer is not None and type(s).__name__ == "Make" and depth:
                self.made_in_loop.add(buffer.name)
            for inner in blocks_of(s):
                self._survey(inner, depth + isinstance(s, (Loop, Repeat)))


def _reads(body: Block) -> dict[str, int]:
    """How often statements read each name, counted by expressions."""
    found: dict[str, int] = {}
    for s in walk(body):
        for e in statement_exprs(s):
            for name in reads(e):
                found[name] = found.get(name, 0) + 1
        until = getattr(s, "until", None)
        if until is not None:
            found[until.name] = found.get(until.name, 0) + 1
    return found
