"""Reverse derivative of a program: a sweep forward that keeps values, and one back.

adjoint : (x -> y) -> (x, dy -> dx)

The sweep back undoes statements in reverse order. When it comes to a statement, every variable that
it *needs* has the value that it had there: what was overwritten since is taken from stacks, where
the sweep forward put it, or computed again where the operands are as they were. Which variables are
needed follows from what the sweep back reads, so the two sweeps are written until nothing more is.
The method is that of Tapenade (Hascoet and Pascual, ACM TOMS 39(3), 2013).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from fxla.kernels.activity import active_names, without_unused
from fxla.kernels.cotangents import Cotangents
from fxla.kernels.expression import is_expression, straightened
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
    Stack,
    array,
    assigned,
    integer,
    number,
    reads,
    statement_exprs,
    walk,
)
from fxla.kernels.normal import Names, Uses, normalised
from fxla.kernels.patterns import minus, trips, written_once
from fxla.kernels.recorded import recorded
from fxla.kernels.sinking import read_by, sink
from fxla.kernels.values import UntranslatableError
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    Const,
    Expr,
    If,
    Load,
    Local,
    Op,
    Stmt,
)
from fxla.loops.view import binary

__all__ = ["adjoint"]


@functools.lru_cache(maxsize=1024)
def adjoint(program: Program, active: tuple[bool, ...], seeded: tuple[bool, ...]) -> Program:
    """The program from inputs and cotangents of results to cotangents of inputs.

    Args:
        program: any.
        active: for each input whether its cotangent is wanted.
        seeded: for each result whether it has a cotangent.
    """
    if is_expression(program):
        program = straightened(program)
    names = Names(program)
    program = normalised(program, names)
    wanted = [x for x, a in zip(program.inputs, active, strict=True) if a]
    seeds = [o for o, s in zip(program.outputs, seeded, strict=True) if s]
    found = active_names(program, [x.name for x in wanted], [o.name for o in seeds])
    needed: set[str] = set()
    while True:
        sweeps = _Sweeps(program, names, found, needed)
        forward, back = sweeps.block(program.body, 0)
        more = read_by(back) & (sweeps.own | needed) | needed
        if more == needed:
            break
        needed = more
    sweeps = _Sweeps(program, names, found, needed, sweeps.recorded(program.body))
    forward, back = sweeps.block(program.body, 0)
    return _assembled(program, names, sweeps, wanted, seeds, forward, back)


def _assembled(
    program: Program,
    names: Names,
    sweeps: _Sweeps,
    wanted: Sequence[Buffer | Local],
    seeds: Sequence[Buffer | Local],
    forward: Block,
    back: Block,
) -> Program:
    """The two sweeps as one program, with what comes before, between and after."""
    active = sweeps.active
    before: list[Stmt] = [Assign(x, number(0, x.dtype)) for x in sweeps.started.values()]
    between: list[Stmt] = [
        Assign(names.variable(x), number(0, x.dtype)) for x in _variables(program, active)
    ]
    made = {s.buffer.name for s in walk(program.body) if isinstance(s, Make)}
    outs: list[Buffer | Local] = []
    for x in wanted:
        if isinstance(x, Buffer):
            bar = names.array(x)
            before.append(Make(bar, tuple(x.shape), number(0, x.dtype)))
            outs.append(bar)
            continue
        if x.name not in active:
            between.append(Assign(names.variable(x), number(0, x.dtype)))
        outs.append(names.variable(x))
    given: list[Buffer | Local] = []
    for o in seeds:
        name = names.fresh(f"{o.name}_ct")
        if isinstance(o, Local):
            seed: Buffer | Local = Local(o.dtype, name)
            if o.name in active:
                value = Op(o.dtype, "add", (names.variable(o), Local(o.dtype, name)))
                between.append(Assign(names.variable(o), value))
        else:
            seed = array(name, o.dtype, len(o.shape))
            if o.name in active and o.name in made:
                between += _added(names, names.array(o), seed)
        given.append(seed)
    body = (*before, *forward, *between, *back)
    inputs = (*program.inputs, *given)
    return without_unused(Program(f"{program.name}_vjp", inputs, tuple(outs), body))


def _variables(program: Program, active: set[str]) -> list[Local]:
    """The active variables."""
    found: dict[str, Local] = {}
    for x in program.inputs:
        if isinstance(x, Local) and x.name in active:
            found[x.name] = x
    for s in walk(program.body):
        match s:
            case Assign(local=x) | Pop(target=Local() as x):
                if x.name in active:
                    found[x.name] = x
    return list(found.values())


def _added(names: Names, to: Buffer, source: Buffer) -> list[Stmt]:
    """Loops that add one array to another."""
    index = tuple([Local(INDEX, names.fresh("k")) for _ in to.shape])
    body: Block = (Put(to, index, Load(source.dtype, source, index), True),)
    for k in reversed(range(len(index))):
        body = (Loop(index[k], integer(0), Size(INDEX, source.name, k), integer(1), body),)
    return list(body)


class _Sweeps:
    """Writes both sweeps of a program.

    Attributes:
        active: names that have adjoints.
        needed: names whose values the sweep back reads.
        started: variables that are put aside before they are first assigned: they start at zero.
        own: all names of the program.
        kept: identities of the statements whose target's old value is put aside; None for all.
    """

    def __init__(
        self, program: Program, names: Names, active: set[str], needed: set[str],
        kept: set[int] | None = None,
    ) -> None:  # fmt: skip
        self.names = names
        self.active = active
        self.needed = needed
        self.uses = Uses(program)
        self.started: dict[str, Local] = {}
        self.inputs = {x.name for x in program.inputs}
        self.own = assigned(program.body) | self.inputs
        self.once = written_once(program)
        self.cotangents = Cotangents(names, active)
        self.kept = kept
        self.by_adjoint: dict[int, set[str]] = {}
        self.at_the_end: dict[int, set[str]] = {}

    def recorded(self, body: Block) -> set[int]:
        """The statements whose target's old value the sweep back reads, once it was written."""
        return recorded(body, self.by_adjoint, self.at_the_end)

    def adjoint_of(self, s: Stmt, back: list[Stmt]) -> list[Stmt]:
        """The adjoint of a statement, and a note of what it reads."""
        self.by_adjoint[id(s)] = read_by(tuple(back)) & self.own
        return back

    def block(self, body: Block, depth: int) -> tuple[Block, Block]:
        """The statements of a block, forward and back."""
        forward: list[Stmt] = []
        reversed_parts: list[Block] = []
        restored: list[Stmt] = []
        for k, s in enumerate(body):
            ahead, back, first = self.statement(s, body[k + 1 :], depth)
            forward += ahead
            restored += first
            reversed_parts.append(tuple(back))
        sink(body, reversed_parts, self.uses.local, self.names.bar)
        back_body = [t for part in reversed(reversed_parts) for t in part]
        arrays = [s.buffer for s in body if isinstance(s, Make) and depth]
        for b in arrays:
            kept, taken = self.kept_array(b, body)
            forward += kept
            restored = [*taken, *restored]
        if not back_body:
            restored = [t for t in restored if not isinstance(t, Make)]
        return tuple(forward), (*restored, *back_body)

    def statement(
        self, s: Stmt, rest: Block, depth: int
    ) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
        """A statement forward, back, and what begins the way back through its block."""
        match s:
            case Assign(local=x):
                ahead, back, first = self.around(x, s, rest, depth)
                return ahead, [*back, *self.adjoint_of(s, self.cotangents.assignment(s))], first
            case Pop(target=Local() as x, stack=stack):
                ahead, back, first = self.around(x, s, rest, depth)
                return ahead, [*back, *self.adjoint_of(s, self.cotangents.popped(x, stack))], first
            case Pop(target=Load() as place, stack=stack):
                ahead, back = self.element(place.buffer, place.index, s)
                return ahead, [*back, *self.adjoint_of(s, self.cotangents.popped(place, stack))], []
            case Put(buffer=b, index=index):
                ahead, back = self.element(b, index, s)
                return ahead, [*back, *self.adjoint_of(s, self.cotangents.stored(s))], []
            case Push(stack=stack, value=e):
                return [s], self.adjoint_of(s, self.cotangents.pushed(stack, e)), []
            case Make():
                return self.made(s, depth), [], []
            case If(condition=c, then=then, otherwise=otherwise):
                one, one_back = self.block(then, depth)
                two, two_back = self.block(otherwise, depth)
                undone: list[Stmt] = []
                if one_back or two_back:
                    undone.append(If(c, one_back, two_back))
                return [If(c, one, two)], undone, []
            case Loop():
                return self.loop(s, rest, depth)
            case Repeat():
                return self.repeat(s, rest, depth)
        return [s], [], []

    # --- values ---

    def around(
        self, x: Local, s: Stmt, rest: Block, depth: int
    ) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
        """An assignment, its undoing, and what gives the variable its value on the way back."""
        if x.name not in self.needed:
            return [s], [], []
        single = self.uses.definitions[x.name] == 1
        if single and x.name not in self.uses.in_loop:
            return [s], [], []
        stack = self.stack(x)
        if x.name in self.uses.local:
            if isinstance(s, Assign) and self.repeatable(s.value, rest):
                self.at_the_end[id(s)] = reads(s.value)
                return [s], [], [s]
            return [s, Push(stack, x)], [], [Pop(x, stack)]
        if isinstance(s, (Assign, Pop)) and self.kept is not None and id(s) not in self.kept:
            return [s], [], []
        self.started[x.name] = x
        return [Push(stack, x), s], [Pop(x, stack)], []

    def repeatable(self, e: Expr, rest: Block) -> bool:
        """Whether an expression gives the same at the end of its block as where it stands."""
        changed = assigned(rest)
        for name in reads(e):
            if name in changed:
                return False
            written = name in self.uses.stored
            overwritten = self.uses.definitions.get(name, 0) > 1 and not written
            if (written or overwritten) and name not in self.needed:
                return False
        return True

    def stack(self, x: Local | Buffer) -> Stack:
        """Where values of a variable or an array are put aside."""
        key = f"was {x.name}"
        if key not in self.names.bars:
            self.names.bars[key] = self.names.fresh(f"{x.name}_was")
        return Stack(self.names.bars[key], x.dtype)

    def element(self, b: Buffer, index: tuple[Expr, ...], s: Stmt) -> tuple[list[Stmt], list[Stmt]]:
        """A write to an element, and its undoing."""
        spared = self.kept is not None and id(s) not in self.kept
        if b.name not in self.needed or b.name in self.once or spared:
            return [s], []
        place = Load(b.dtype, b, index)
        return [Push(self.stack(b), place), s], [Pop(place, self.stack(b))]

    def made(self, s: Make, depth: int) -> list[Stmt]:
        """A new array, and outside of loops its adjoint."""
        if s.buffer.name in self.active and not depth:
            bar = self.names.array(s.buffer)
            return [s, Make(bar, s.shape, number(0, s.buffer.dtype))]
        return [s]

    def kept_array(self, b: Buffer, body: Block) -> tuple[list[Stmt], list[Stmt]]:
        """The elements of an array that an iteration made for itself, and its adjoint."""
        if self.outside(b, body):
            raise UntranslatableError(f"the array `{b.name}`, made in a loop and used outside")
        made = next(s for s in body if isinstance(s, Make) and s.buffer.name == b.name)
        forward: list[Stmt] = []
        back: list[Stmt] = []
        if b.name in self.needed:
            stack = self.stack(b)
            back.append(Make(b, made.shape, None))
            forward += self.elements(b, made.shape, lambda p: Push(stack, p), False)
            back += self.elements(b, made.shape, lambda p: Pop(p, stack), True)
        if b.name in self.active:
            back.append(Make(self.names.array(b), made.shape, number(0, b.dtype)))
        return forward, back

    def outside(self, b: Buffer, body: Block) -> set[str]:
        """The array's name, if more is read of it than this block reads."""
        inside = sum(b.name in reads(e) for s in walk(body) for e in statement_exprs(s))
        return {b.name} if self.uses.counts.get(b.name, 0) > inside else set()

    def elements(
        self, b: Buffer, shape: tuple[Expr, ...], one: Callable[[Load], Stmt], back: bool
    ) -> list[Stmt]:
        """Loops over an array, from the last element to the first if `back`."""
        key = f"index {b.name} {len(shape)} {back}"
        index = []
        for k in range(len(shape)):
            name = self.names.bars.setdefault(f"{key} {k}", f"{b.name}_k{k}{'r' if back else ''}")
            self.names.taken.add(name)
            index.append(Local(INDEX, name))
        body: Block = (one(Load(b.dtype, b, tuple(index))),)
        for i, n in zip(reversed(index), reversed(shape), strict=True):
            if back:
                last = binary("sub", n, integer(1))
                body = (Loop(i, last, integer(-1), integer(-1), body),)
            else:
                body = (Loop(i, integer(0), n, integer(1), body),)
        return list(body)

    # --- loops ---

    def loop(self, s: Loop, rest: Block, depth: int) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
        """A counted loop, and the same backward."""
        body, back = self.block(s.body, depth + 1)
        new = replace(s, body=body)
        if s.count is not None:
            ahead, undone, first = self.around(s.count, new, rest, depth)
        else:
            ahead, undone, first = [new], [], []
        if not back:
            return ahead, undone, first
        one = isinstance(s.step, Const) and s.step.value == 1
        if one and s.count is None:
            down = (minus(s.stop, 1), minus(s.start, 1), integer(-1))
            return ahead, [*undone, Loop(s.index, *down, back)], first
        times = s.count if s.count is not None else trips(s)
        k = Local(INDEX, self.cotangents.name("back"))
        place = binary("add", s.start, binary("mul", k, s.step))
        inner = (Assign(s.index, place), *back)
        return ahead, [*undone, Loop(k, minus(times, 1), integer(-1), integer(-1), inner)], first

    def repeat(
        self, s: Repeat, rest: Block, depth: int
    ) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
        """A conditional loop, and a counted one back."""
        assert s.count is not None
        body, back = self.block(s.body, depth + 1)
        ahead, undone, first = self.around(s.count, replace(s, body=body), rest, depth)
        if not back:
            return ahead, undone, first
        k = Local(INDEX, self.cotangents.name("back"))
        return ahead, [*undone, Loop(k, integer(0), s.count, integer(1), back)], first
