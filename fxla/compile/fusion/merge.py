"""Loops and branches as one kernel, from the instructions of a program.

A loop whose iterations do little would spend its time in the launches of their kernels. So its
instructions, kernels with literal sizes, are put into one loop nest: scalars and small arrays of
the program become locals or scratch memory, larger temporaries stay arrays of the arena, and what
traded places from one iteration to the next is copied. Nothing of this knows what is computed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Instruction,
    Launch,
    Loop,
    LoopIndex,
    Pointer,
    WhileLoop,
    walk_instructions,
)
from fxla.core.dtypes import DType
from fxla.core.records import dataclass
from fxla.loops import ir
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Assign,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Load,
    Stmt,
    Store,
    While,
)
from fxla.loops.passes.tile import blocks, within
from fxla.loops.passes.unroll import declare, in_registers, renamed, unrolled, unrolled_size
from fxla.loops.rewrite import Rewriter
from fxla.loops.size import whole
from fxla.loops.view import (
    binary,
    cast,
    compare,
    extent,
    fresh_index,
    fresh_local,
    int_const,
)

__all__ = ["Merged", "NotMergeableError", "merge"]

MAX_WRITTEN_OUT = 2500
"""Operations of a kernel whose small loops are written out."""
MAX_OPERATIONS = 6000
"""Operations of a kernel at most; the time to compile grows with their number."""
SMALL_ARRAY = 64
"""Elements of an array that may be kept in locals, if its axes are small too."""
SMALL_AXIS = 8
SCRATCH_BYTES = 1 << 11
"""Bytes of an array of one example, at most."""
EXAMPLES = 64
"""Examples that are computed one after the other, or in lanes, before threads share the rest."""


class NotMergeableError(Exception):
    """An instruction, or the amount of work, does not suit a kernel."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A kernel with literal sizes, and the places behind its parameters, inputs first."""

    kernel: Kernel
    inputs: tuple[Pointer, ...]
    outputs: tuple[Pointer, ...]


def merge(
    body: Sequence[Instruction], outside: Iterable[Buffer], name: str, grid: bool = False
) -> Merged:
    """One kernel that does what instructions do.

    Args:
        body: instructions whose kernels have literal sizes.
        outside: buffers that are used elsewhere too; temporaries that are not among them are the
            kernel's own.
        name: of the kernel.
        grid: whether threads of a GPU run it, rather than lanes of a CPU.

    Raises:
        NotMergeableError: if they call a library, or are too much for one kernel.
    """
    return _Merger(body, set(outside)).kernel(body, name, grid)


@dataclass(frozen=True, slots=True)
class _Term:
    """The iteration of a loop inside the kernel, as an index."""

    stride: int
    length: int
    index: Expr


@dataclass(frozen=True, slots=True)
class _Access:
    """How an instruction sees memory: an array of a shape at a place."""

    key: tuple[object, ...]
    terms: tuple[_Term, ...]
    shape: tuple[int, ...]
    dtype: DType

    def full_shape(self) -> tuple[int, ...] | None:
        """The array with an axis in front for each loop, if that is what it is."""
        lead: list[int] = []
        size = math.prod(self.shape) * self.dtype.itemsize
        for t in reversed(self.terms):
            if t.stride != size:
                return None
            lead.insert(0, t.length)
            size *= t.length
        return (*lead, *self.shape)


class _Place:
    """Memory that the kernel uses, as one buffer of the loop IR."""

    def __init__(self, name: str, pointer: Pointer, private: bool, of_example: bool) -> None:
        self.name = name
        self.pointer = pointer
        self.private = private
        self.of_example = of_example
        self.shapes: set[tuple[int, ...] | None] = set()
        self.dtype = pointer.buffer.dtype
        self.written = False
        self.count = 0
        self._buffer: ir.Buffer | None = None

    def note(self, access: _Access) -> None:
        """Remember that memory is accessed so."""
        if access.dtype != self.dtype:
            raise NotMergeableError
        self.shapes.add(access.full_shape())
        whole = sum(t.stride * (t.length - 1) for t in access.terms) // self.dtype.itemsize
        self.count = max(self.count, whole + math.prod(access.shape))

    @property
    def small(self) -> bool:
        """Whether its elements may be locals."""
        if self.of_example:
            return self.private and self.count * self.dtype.itemsize <= SCRATCH_BYTES
        axes_small = all(n <= SMALL_AXIS for n in self.pointer.buffer.shape)
        return self.private and axes_small and self.count <= SMALL_ARRAY

    @property
    def flat(self) -> bool:
        """Whether elements are addressed by one position."""
        return self.small or len(self.shapes) > 1 or None in self.shapes

    @property
    def buffer(self) -> ir.Buffer:
        """The buffer of the loop IR."""
        if self._buffer is None:
            if self.small:
                shape: tuple[Expr, ...] = (int_const(max(self.count, 1)),)
            elif self.flat:
                shape = (extent(self.count),)
            else:
                (only,) = self.shapes
                assert only is not None
                shape = tuple(map(extent, only))
            self._buffer = ir.Buffer(self.name, self.dtype, shape)
        return self._buffer

    def index(self, access: _Access, at: Sequence[Expr]) -> tuple[Expr, ...]:
        """The index into `buffer` of an element of an access."""
        if not self.flat:
            return (*(t.index for t in access.terms), *at)
        position: Expr = int_const(0)
        for n, i in zip(access.shape, at, strict=True):
            position = binary("add", binary("mul", position, extent(n)), i)
        for t in access.terms:
            step = extent(t.stride // self.dtype.itemsize)
            position = binary("add", binary("mul", t.index, step), position)
        return (position,)


class _Merger:
    def __init__(self, body: Sequence[Instruction], outside: set[Buffer]) -> None:
        self.outside = outside
        self.places: dict[tuple[object, ...], _Place] = {}
        self.loops: dict[LoopIndex, tuple[int, Expr]] = {}
        self.independent = isinstance(body[0], Loop) and body[0].independent
        if not self.independent and any(
            isinstance(i, Loop) and i.independent for i in walk_instructions(list(body))
        ):
            raise NotMergeableError  # it would run one example after the other
        self.examples: set[ir.Index] = set()
        for i in walk_instructions(list(body)):
            if isinstance(i, Loop):
                number = fresh_index()
                self.examples.update([number] if i.independent else [])
                last = binary("sub", extent(i.length), int_const(1))
                seen: Expr = binary("sub", last, number) if i.reverse else number
                self.loops[i.index] = (i.length, seen)
        self.survey(body)

    def kernel(self, body: Sequence[Instruction], name: str, grid: bool) -> Merged:
        """The kernel and its parameters."""
        stmts = tuple(self.block(body))
        if self.independent and any(p.private and not p.small for p in self.places.values()):
            raise NotMergeableError  # examples would share it
        rows = not grid and not self.independent
        if unrolled_size(stmts, lanes=rows) <= MAX_WRITTEN_OUT:
            stmts = unrolled(stmts, lanes=rows)
        elif unrolled_size(stmts, 1) <= MAX_OPERATIONS:
            stmts = unrolled(stmts, 1)
        else:
            raise NotMergeableError
        lanes = any(isinstance(s, For) and s.kind == "vector" for s in ir.walk_stmts(stmts))
        if grid and lanes and not self.independent:
            raise NotMergeableError  # one thread of a GPU would do what many can
        arrays = [p.buffer for p in self.places.values() if p.small]
        match stmts:
            case (For() as examples,) if self.independent:
                inner, locals_ = in_registers(examples.body, arrays)
                stmts = over_lanes(
                    replace(examples, body=declare(inner, locals_)), self.examples, grid
                )
            case _:
                stmts, locals_ = in_registers(stmts, arrays)
                stmts = declare(stmts, locals_)
        used = [p for p in self.places.values() if not p.small]
        inputs = [p for p in used if not p.written]
        outputs = [p for p in used if p.written]
        kernel = Kernel(
            name, tuple(p.buffer for p in inputs), tuple(p.buffer for p in outputs), (), stmts
        )
        return Merged(kernel, tuple(p.pointer for p in inputs), tuple(p.pointer for p in outputs))

    # --- memory ---

    def survey(self, body: Sequence[Instruction]) -> None:
        """Note every access, so that the form of each buffer is known before it is used."""
        for i in walk_instructions(list(body)):
            match i:
                case Launch(kernel=kernel, args=args):
                    params = (*kernel.inputs, *kernel.outputs)
                    for k, (param, p) in enumerate(zip(params, args, strict=True)):
                        written = k >= len(kernel.inputs)
                        self.note(p, literal_shape(param), param.dtype, written)
                case Copy(destination=to, source=source, nbytes=nbytes):
                    shape = copied_shape(to, source, nbytes)
                    self.note(source, shape, source.buffer.dtype, False)
                    self.note(to, shape, to.buffer.dtype, True)
                case Loop(swapped=pairs) | WhileLoop(swapped=pairs):
                    for a, b in pairs:
                        self.note(Pointer(b), b.shape, b.dtype, False)
                        self.note(Pointer(a), a.shape, a.dtype, True)
                    if isinstance(i, WhileLoop):
                        self.note(i.predicate, (), BOOL, False)
                case Branch(index=index):
                    self.note(index, (), index.buffer.dtype, False)
                case _:
                    raise NotMergeableError

    def access(self, p: Pointer, shape: tuple[int, ...], dtype: DType) -> _Access:
        """What a pointer means inside the kernel."""
        inner: list[_Term] = []
        outer: list[tuple[LoopIndex, int]] = []
        for index, stride in p.terms:
            if index in self.loops:
                length, seen = self.loops[index]
                inner.append(_Term(stride, length, seen))
            else:
                outer.append((index, stride))
        inner.sort(key=lambda t: -t.stride)
        return _Access((p.buffer, *outer), tuple(inner), shape, dtype)

    def note(self, p: Pointer, shape: tuple[int, ...], dtype: DType, written: bool) -> None:
        access = self.access(p, shape, dtype)
        if access.key not in self.places:
            private = p.buffer.role == "temporary" and p.buffer not in self.outside
            outer = tuple(t for t in p.terms if t[0] not in self.loops)
            name = f"b{len(self.places)}"
            self.places[access.key] = _Place(
                name, Pointer(p.buffer, outer), private, self.independent
            )
        place = self.places[access.key]
        place.note(access)
        place.written = place.written or written

    # --- statements ---

    def block(self, body: Sequence[Instruction]) -> list[Stmt]:
        """The statements of instructions."""
        out: list[Stmt] = []
        for i in body:
            match i:
                case Launch():
                    out += self.launch(i)
                case Copy(destination=to, source=source, nbytes=nbytes):
                    out += self.copy(to, source, copied_shape(to, source, nbytes))
                case Loop():
                    out.append(self.loop(i))
                case WhileLoop():
                    out += self.while_loop(i)
                case Branch():
                    out += self.branch(i)
        return out

    def launch(self, i: Launch) -> tuple[Stmt, ...]:
        """A kernel's statements on the memory it is launched on."""
        kernel = i.kernel
        seen: dict[str, tuple[_Place, _Access]] = {}
        for b, p in zip((*kernel.inputs, *kernel.outputs), i.args, strict=True):
            access = self.access(p, literal_shape(b), b.dtype)
            seen[b.name] = (self.places[access.key], access)

        def change(e: Expr) -> Expr:
            if isinstance(e, Load):
                place, access = seen[e.buffer.name]
                return Load(e.dtype, place.buffer, place.index(access, e.index))
            return e

        return renamed(_Moved(change, seen).block(kernel.body), {})

    def copy(self, to: Pointer, source: Pointer, shape: tuple[int, ...]) -> tuple[Stmt, ...]:
        """An array copied element by element."""
        a, b = (self.access(p, shape, p.buffer.dtype) for p in (to, source))
        index = tuple(fresh_index() for _ in shape)
        x, y = self.places[a.key], self.places[b.key]
        value = Load(y.dtype, y.buffer, y.index(b, index))
        body: tuple[Stmt, ...] = (Store(x.buffer, x.index(a, index), value),)
        for k, (i, n) in reversed(list(enumerate(zip(index, shape, strict=True)))):
            body = (For(i, extent(n), body, "vector" if k == len(shape) - 1 else "serial"),)
        return body

    def traded(self, pairs: Sequence[tuple[Buffer, Buffer]]) -> list[Stmt]:
        """The second of each pair becomes the first."""
        return [s for a, b in pairs for s in self.copy(Pointer(a), Pointer(b), a.shape)]

    def loop(self, i: Loop) -> For:
        _, seen = self.loops[i.index]
        index = next(iter(e for e in ir.walk_exprs(seen) if isinstance(e, ir.Index)))
        body = [*self.block(i.body), *self.traded(i.swapped)]
        return For(index, extent(i.length), tuple(body), "serial")

    def while_loop(self, i: WhileLoop) -> list[Stmt]:
        """The condition is computed before the loop and at the end of every iteration."""
        going = fresh_local(BOOL, "going")
        body = [
            *self.block(i.body),
            *self.traded(i.swapped),
            *self.block(i.condition),
            Assign(going, self.scalar(i.predicate)),
        ]
        first = Let(going, self.scalar(i.predicate), mutable=True)
        return [*self.block(i.condition), first, While(going, tuple(body))]

    def branch(self, i: Branch) -> list[Stmt]:
        """A chain of conditions; numbers out of range mean the first or the last branch."""
        number = fresh_local(INDEX, "branch")
        out: tuple[Stmt, ...] = tuple(self.block(i.branches[-1]))
        for k in range(len(i.branches) - 2, -1, -1):
            condition = compare("le", number, int_const(k))
            out = (If(condition, tuple(self.block(i.branches[k])), out),)
        return [Let(number, cast(self.scalar(i.index), INDEX)), *out]

    def scalar(self, p: Pointer) -> Expr:
        """The element of a scalar's memory."""
        access = self.access(p, (), p.buffer.dtype)
        place = self.places[access.key]
        return Load(place.dtype, place.buffer, place.index(access, ()))


def over_lanes(loop: For, examples: Collection[ir.Index], grid: bool) -> tuple[Stmt, ...]:
    """A loop over examples as a parallel one: over blocks of them, each in lanes if that is right.

    What has arrays of its own, or loops with lanes, runs one example after the other.
    """
    own = any(
        isinstance(s, ir.Alloc) or (isinstance(s, For) and s.kind == "vector")
        for s in ir.walk_stmts(loop.body)
    )
    match loop.body:
        case (For(kind="serial") as inner,) if not grid and not own and inner.index in examples:
            return (replace(loop, kind="parallel", body=(replace(inner, kind="vector"),)),)
    if grid or own:
        return (replace(loop, kind="parallel"),)
    block, lane = fresh_index("b"), fresh_index("k")
    at = binary("add", binary("mul", block, int_const(EXAMPLES)), lane)
    inside = renamed(loop.body, {loop.index.name: at})
    count = within(loop.extent, block, EXAMPLES)
    body = (For(lane, count, inside, "vector"),)
    return (For(block, blocks(loop.extent, EXAMPLES), body, "parallel"),)


class _Moved(Rewriter):
    """Puts memory of the merged kernel in place of a kernel's parameters."""

    def __init__(self, change: object, seen: dict[str, tuple[_Place, _Access]]) -> None:
        super().__init__(change)  # type: ignore[arg-type]
        self._seen = seen

    def stmt(self, s: Stmt) -> Stmt:
        new = super().stmt(s)
        if isinstance(new, Store):
            place, access = self._seen[new.buffer.name]
            return Store(place.buffer, place.index(access, new.index), new.value)
        if isinstance(new, For) and new.kind == "parallel":
            inner = any(isinstance(t, For | While) for t in new.body)
            return For(new.index, new.extent, new.body, "serial" if inner else "vector")
        return new


def literal_shape(b: ir.Buffer) -> tuple[int, ...]:
    """The shape of a kernel's parameter whose sizes are literal."""
    return tuple(whole(n.value) for n in b.shape if isinstance(n, (ir.Const, ir.Extent)))


def copied_shape(to: Pointer, source: Pointer, nbytes: int) -> tuple[int, ...]:
    """The array that a copy moves: one of the two buffers, or as many elements."""
    for p in (source, to):
        if p.buffer.nbytes == nbytes and not p.terms:
            return p.buffer.shape
    return (nbytes // to.buffer.dtype.itemsize,)
