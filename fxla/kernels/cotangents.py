"""The adjoint of one statement: what it adds to the cotangents of what it reads.

A variable, an array and a stack that are active have an adjoint of the same kind: ``x`` has a
cotangent, and what is pushed forward is popped on the way back, and the other way round.
"""

from __future__ import annotations

from fxla.kernels.activity import carriers, depends
from fxla.kernels.ir import Pop, Push, Put, Stack, cast, number
from fxla.kernels.normal import Names
from fxla.kernels.partials import partials
from fxla.kernels.patterns import increment
from fxla.kernels.tangent import product
from fxla.loops.ir import Assign, Cast, Const, Expr, If, Load, Local, Op, Select, Stmt

__all__ = ["Cotangents"]


class Cotangents:
    """Writes adjoints of statements.

    Attributes:
        names: of the adjoints.
        active: names that have adjoints.
    """

    def __init__(self, names: Names, active: set[str]) -> None:
        self.names = names
        self.active = active
        self.out: list[Stmt] = []
        self.temporaries = 0

    def assignment(self, s: Assign) -> list[Stmt]:
        """The adjoint of an assignment to a variable."""
        x = s.local
        if x.name not in self.active:
            return []
        bar = self.names.variable(x)
        self.out = []
        rest, sign = increment(x, s.value)
        if rest is not None:
            self.pull(rest, bar if sign > 0 else Op(x.dtype, "neg", (bar,)))
            return self.out
        zero = Assign(bar, number(0, x.dtype))
        if not depends(s.value, self.active):
            return [zero]
        ct = self.temporary(bar, True)
        self.out.append(zero)
        self.pull(s.value, ct)
        return self.out

    def stored(self, s: Put) -> list[Stmt]:
        """The adjoint of a write to an element."""
        b = s.buffer
        if b.name not in self.active:
            return []
        place = Load(b.dtype, self.names.array(b), s.index)
        self.out = []
        if s.add:
            if depends(s.value, self.active):
                self.pull(s.value, self.temporary(place, True))
            return self.out
        zero = Put(place.buffer, s.index, number(0, b.dtype))
        if not depends(s.value, self.active):
            return [zero]
        ct = self.temporary(place, True)
        self.out.append(zero)
        self.pull(s.value, ct)
        return self.out

    def pushed(self, stack: Stack, e: Expr) -> list[Stmt]:
        """The adjoint of a number put aside: what it was used for comes back."""
        if stack.name not in self.active:
            return []
        ct = Local(stack.dtype, self.name("ct"))
        self.out = [Pop(ct, Stack(self.names.bar(stack.name), stack.dtype))]
        self.pull(e, ct)
        return self.out

    def popped(self, target: Local | Load, stack: Stack) -> list[Stmt]:
        """The adjoint of a number taken back."""
        if stack.name not in self.active:
            return []
        aside = Stack(self.names.bar(stack.name), stack.dtype)
        zero = number(0, stack.dtype)
        if isinstance(target, Local):
            if target.name not in self.active:
                return [Push(aside, zero)]
            bar = self.names.variable(target)
            return [Push(aside, bar), Assign(bar, zero)]
        if target.buffer.name not in self.active:
            return [Push(aside, zero)]
        place = Load(target.dtype, self.names.array(target.buffer), target.index)
        return [Push(aside, place), Put(place.buffer, place.index, zero)]

    def name(self, stem: str) -> str:
        """The name of a temporary: the same each time that the sweeps are written."""
        self.temporaries += 1
        key = f"temporary {self.temporaries}"
        if key not in self.names.bars:
            self.names.bars[key] = self.names.fresh(stem)
        return self.names.bars[key]

    def temporary(self, e: Expr, always: bool = False) -> Expr:
        """A value in a variable, unless it is one already."""
        if isinstance(e, (Const, Local)) and not always:
            return e
        local = Local(e.dtype, self.name("ct"))
        self.out.append(Assign(local, e))
        return local

    def pull(self, e: Expr, ct: Expr) -> None:
        """Add to the adjoints of what an expression reads."""
        if carriers(e).isdisjoint(self.active):
            return
        match e:
            case Local():
                bar = self.names.variable(e)
                self.out.append(Assign(bar, Op(e.dtype, "add", (bar, ct))))
            case Load(buffer=b, index=index):
                self.out.append(Put(self.names.array(b), index, ct, True))
            case Cast(arg=arg):
                self.pull(arg, cast(ct, arg.dtype))
            case Select(condition=c, then=t, otherwise=o):
                ct = self.temporary(ct)
                self.out, before = [], self.out
                self.pull(t, ct)
                then, self.out = self.out, []
                self.pull(o, ct)
                before.append(If(c, tuple(then), tuple(self.out)))
                self.out = before
            case Op(args=args):
                several = [a for a in args if not carriers(a).isdisjoint(self.active)]
                if len(several) > 1:
                    ct = self.temporary(ct)
                for slope, arg in zip(partials(e), args, strict=True):
                    if not carriers(arg).isdisjoint(self.active):
                        part = product(slope, ct)
                        simple = isinstance(arg, (Local, Load))
                        self.pull(arg, part if simple else self.temporary(part))
