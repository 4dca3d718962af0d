"""Forward derivative of a program, statement by statement.

tangent : (x -> y) -> (x, dx -> dy)

Every assignment to something that depends on the inputs is preceded by that of its tangent.
"""

from __future__ import annotations

import functools
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.kernels.activity import all_names, carriers, varied_names, without_unused
from fxla.kernels.ir import (
    Block,
    Loop,
    Make,
    Pop,
    Program,
    Push,
    Put,
    Repeat,
    Stack,
    array,
    cast,
    number,
)
from fxla.kernels.partials import partials
from fxla.loops.ir import Assign, Buffer, Cast, Const, Expr, If, Load, Local, Op, Select, Stmt

__all__ = ["Tangent", "product", "tangent"]


@dataclass(frozen=True)
class Tangent:
    """The derivative of a program.

    Attributes:
        program: from the inputs, then the tangents of active ones, to tangents of results.
        reached: which results have a tangent.
    """

    program: Program
    reached: tuple[bool, ...]


@functools.lru_cache(maxsize=1024)
def tangent(program: Program, active: tuple[bool, ...]) -> Tangent:
    """The derivative in the inputs that are marked.

    Args:
        program: any.
        active: for each input whether it has a tangent.
    """
    chosen = [x for x, a in zip(program.inputs, active, strict=True) if a]
    varied = varied_names(program, [x.name for x in chosen])
    names = _Dots(program, varied)
    dual = _Dual(names)
    body = dual.block(program.body)
    reached = tuple([o.name in varied for o in program.outputs])
    outs = [names.of(o) for o, r in zip(program.outputs, reached, strict=True) if r]
    inputs = (*program.inputs, *[names.of(x) for x in chosen])
    found = Program(f"{program.name}_jvp", inputs, tuple(outs), body)
    return Tangent(without_unused(found), reached)


class _Dots:
    """The names of tangents."""

    def __init__(self, program: Program, varied: set[str]) -> None:
        self.varied = varied
        self.taken = all_names(program)
        self.names: dict[str, str] = {}

    def name(self, name: str) -> str:
        if name not in self.names:
            dotted = f"{name}_d"
            while dotted in self.taken:
                dotted += "_"
            self.taken.add(dotted)
            self.names[name] = dotted
        return self.names[name]

    def of(self, x: Buffer | Local) -> Buffer | Local:
        """The tangent of a variable or an array."""
        return self.array(x) if isinstance(x, Buffer) else self.variable(x)

    def variable(self, x: Local) -> Local:
        return Local(x.dtype, self.name(x.name))

    def array(self, x: Buffer) -> Buffer:
        return array(self.name(x.name), x.dtype, len(x.shape))

    def stack(self, x: Stack) -> Stack:
        return Stack(self.name(x.name), x.dtype)


class _Dual:
    def __init__(self, names: _Dots) -> None:
        self.names = names
        self.varied = names.varied

    def block(self, body: Block) -> Block:
        found: list[Stmt] = []
        for s in body:
            found += self.statement(s)
        return tuple(found)

    def statement(self, s: Stmt) -> list[Stmt]:
        names, varied = self.names, self.varied
        match s:
            case Assign(local=x, value=e) if x.name in varied:
                return [Assign(names.variable(x), self.known(e)), s]
            case Put(buffer=b, index=index, value=e, add=add) if b.name in varied:
                change = self.of(e)
                if change is None and add:
                    return [s]
                return [Put(names.array(b), index, self.known(e), add), s]
            case Make(buffer=b, shape=shape, fill=fill) if b.name in varied:
                value = None if fill is None else self.known(fill)
                return [Make(names.array(b), shape, value), s]
            case Push(stack=stack, value=e) if stack.name in varied:
                return [Push(names.stack(stack), self.known(e)), s]
            case Pop(target=target, stack=stack):
                return [*self.popped(target, stack), s]
            case Loop(body=body) | Repeat(body=body):
                return [replace(s, body=self.block(body))]
            case If(condition=c, then=then, otherwise=otherwise):
                return [If(c, self.block(then), self.block(otherwise))]
        return [s]

    def popped(self, target: Local | Load, stack: Stack) -> list[Stmt]:
        names, given = self.names, stack.name in self.varied
        zero = number(0, stack.dtype) if stack.dtype.kind == "f" else None
        if isinstance(target, Local):
            if given:
                return [Pop(names.variable(target), names.stack(stack))]
            if target.name in self.varied and zero is not None:
                return [Assign(names.variable(target), zero)]
            return []
        if given:
            place = Load(target.dtype, names.array(target.buffer), target.index)
            return [Pop(place, names.stack(stack))]
        if target.buffer.name in self.varied and zero is not None:
            return [Put(names.array(target.buffer), target.index, zero)]
        return []

    def known(self, e: Expr) -> Expr:
        """The tangent of an expression."""
        found = self.of(e)
        return number(0, e.dtype) if found is None else found

    def of(self, e: Expr) -> Expr | None:
        """The tangent of an expression; None if it is zero."""
        if carriers(e).isdisjoint(self.varied):
            return None
        match e:
            case Local():
                return self.names.variable(e)
            case Load(buffer=b, index=index):
                return Load(e.dtype, self.names.array(b), index)
            case Cast(dtype=dtype, arg=arg):
                inner = self.of(arg)
                return None if inner is None else cast(inner, dtype)
            case Select(condition=c, then=t, otherwise=o):
                return Select(e.dtype, c, self.known(t), self.known(o))
            case Op(args=args):
                total: Expr | None = None
                for slope, arg in zip(partials(e), args, strict=True):
                    change = self.of(arg)
                    if change is not None:
                        term = product(slope, change)
                        total = term if total is None else Op(e.dtype, "add", (total, term))
                return total
        return None


def product(slope: Expr, change: Expr) -> Expr:
    """A slope times a change."""
    if isinstance(slope, Const) and slope.value == 1:
        return change
    if isinstance(slope, Const) and slope.value == -1:
        return Op(change.dtype, "neg", (change,))
    if isinstance(slope, Op) and slope.name == "div":
        top, bottom = slope.args
        if isinstance(top, Const) and top.value == 1:
            return Op(change.dtype, "div", (change, bottom))
    if isinstance(slope, Op) and slope.name == "neg":
        return Op(change.dtype, "neg", (product(slope.args[0], change),))
    return Op(change.dtype, "mul", (slope, change))
