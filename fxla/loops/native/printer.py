"""The native printer: a kernel as LLVM IR, scalar or with explicit vectors.

``void @<kernel>(ptr %args, i64 %begin, i64 %end)``: `args` points at 8-byte slots, the addresses of
the inputs, of the outputs, then the extents. If the kernel's body is one parallel loop, its index
runs over ``[begin, end)``; otherwise both are ignored.

One printer serves scalar and vector code (`fxla.loops.native.expressions`, and
`fxla.loops.native.vectorize` for which loops are vector loops). Where lanes diverge, at a `Select`,
an `If`, a `While`, or in the remainder of a loop, a mask says which lanes are active.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from fxla.core.records import dataclass
from fxla.loops.contraction import contraction_of
from fxla.loops.ir import (
    Alloc,
    Assign,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from fxla.loops.native.contraction import Contractions
from fxla.loops.native.expressions import Linear
from fxla.loops.native.instructions import Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.ops import (
    Unsupported,
    apply_op,
    memory_type,
    register_type,
)
from fxla.loops.native.segments import Boundary, boundary_of
from fxla.loops.native.shuffles import shuffle
from fxla.loops.native.special import MATH
from fxla.loops.native.squares import Square, Squares, transposed_loads
from fxla.loops.native.vectorize import (
    VectorPlan,
    assigned_locals,
    identity,
    is_written_out,
    lanes_of,
    plan_vector,
    stored_buffers,
)
from fxla.loops.passes.split_complex import split_complex
from fxla.loops.rewrite import all_exprs

__all__ = ["Unsupported", "native_parts", "print_native"]

_UNROLL_LIMIT = 64
_INLINED = 16
"""How often a kernel holds the instructions of an elementary function, instead of calling it."""


def print_native(kernel: Kernel, isa: Isa) -> str:
    """The kernel as the text of an LLVM module with one function.

    Raises:
        Unsupported: the kernel has something that only the numba target can print.
    """
    declared, text = native_parts(kernel, isa)
    return "\n".join([*declared, text, ""])


def native_parts(kernel: Kernel, isa: Isa) -> tuple[tuple[str, ...], str]:
    """The lines that declare what a kernel calls, and its definition.

    Modules of several kernels declare what they share once.

    Raises:
        Unsupported: the kernel has something that only the numba target can print.
    """
    return _Printer(split_complex(kernel), isa).module()


@dataclass(frozen=True, slots=True)
class _LanesLoop:
    """A vector loop: up to where, and what it carries.

    Attributes:
        statement: the loop.
        high: where it ends.
        reduced: the locals it reduces into.
        running: the locals whose running results it reads.
        stored: the buffers it writes.
    """

    statement: For
    high: Value
    reduced: list[str]
    running: list[str]
    stored: frozenset[str]


def _outlined(exprs: list[Expr]) -> frozenset[str]:
    """The elementary functions of which a kernel has so many that they are called."""
    counts = Counter(e.name for e in exprs if isinstance(e, Op))
    return frozenset(name for name, n in counts.items() if name in MATH and n > _INLINED)


def _has_vectors(body: tuple[Stmt, ...]) -> bool:
    """Whether a loop below a condition is the one that has elements side by side."""
    return any(isinstance(s, For) and s.kind in ("vector", "tile") for s in walk_stmts(body))


def _is_loop(s: Stmt) -> bool:
    """Whether a statement stays a loop when it is printed."""
    return isinstance(s, While) or (isinstance(s, For) and s.kind != "unroll")


class _Printer(Contractions, Squares):
    def __init__(self, kernel: Kernel, isa: Isa) -> None:
        super().__init__(isa, frozenset(x.name for x in kernel.inputs))
        self.kernel = kernel
        self.reducing: frozenset[str] = frozenset()
        self.scans: dict[str, Value] = {}
        exprs = all_exprs(kernel.body)
        self.loaded = frozenset(e.buffer.name for e in exprs if isinstance(e, Load))
        self.b.outlined = _outlined(exprs)

    # ------------------------------------------------------------------ module

    def module(self) -> tuple[tuple[str, ...], str]:
        kernel, b = self.kernel, self.b
        buffers = (*kernel.inputs, *kernel.outputs)
        args = Value(b, "%args", "ptr")
        for k, extent in enumerate(kernel.extents, len(buffers)):
            assert extent.name is not None
            slot = b.gep(args, "i64", b.constant(k, "i64"))
            self.extents[extent.name] = b.emit(f"load i64, {slot.text}, align 8", "i64", 0, slot)
        for k, buffer in enumerate(buffers):
            slot = b.gep(args, "i64", b.constant(k, "i64"))
            self._add(buffer, b.emit(f"load ptr, {slot.text}, align 8", "ptr", 0, slot))
        match kernel.body:
            case (For(kind="parallel") as loop,):
                self.ranges[loop.index.name] = loop.extent
                low, high = Value(b, "%begin", "i64"), Value(b, "%end", "i64")
                if any(_is_loop(s) for s in loop.body) or _has_vectors(loop.body):
                    self._serial(loop, low, high)
                else:
                    self._vector(loop, low, high)
            case body:
                self._block(body)
        text = b.function(kernel.name, "ptr %args, i64 %begin, i64 %end")
        return tuple(b.declared), text

    # -------------------------------------------------------------- statements

    def _block(self, body: tuple[Stmt, ...]) -> None:
        self._straight(body)
        self.flush()

    def _straight(self, body: tuple[Stmt, ...]) -> None:
        """The statements of a block; stores to fields may be kept for more of them to come.

        What is printed for one statement stands for the next ones too, as long as nothing that an
        expression reads has changed.
        """
        self.memo = {}
        for s in body:
            self._stmt(s)
            if not (isinstance(s, Let) or self._is_plain_store(s)):
                self.memo = {}

    def _is_plain_store(self, s: Stmt) -> bool:
        """Whether a statement writes what the kernel does not read."""
        return isinstance(s, Store) and s.buffer.name not in self.loaded

    def _stmt(self, s: Stmt) -> None:
        if isinstance(s, If | While):
            self.flush()
        match s:
            case For():
                self._for(s)
            case Let(local=x, value=v, mutable=mutable):
                value = self.expr(v)
                self.locals[x.name] = self.plain(value) if mutable else value
            case Assign(local=x, value=Op() as v) if x.name in self.scans:
                self._advance(x, v)
            case Assign(local=x, value=v):
                self._assign(x, self.plain(self.expr(v)))
            case If():
                self._if(s)
            case While():
                self._while(s)
            case Store():
                self._store(s)
            case Alloc(buffer=buffer):
                sizes = [self._uniform(n).known for n in buffer.shape]
                if any(n is None for n in sizes):
                    raise Unsupported("a scratch array whose size is not constant")
                count = math.prod(int(n) for n in sizes if n is not None)
                self._add(buffer, self.b.alloca(memory_type(buffer.dtype), max(count, 1)))
            case _:
                raise Unsupported(f"statement {type(s).__name__}")

    def _assign(self, x: Local, value: Value) -> None:
        mask = self._mask() if x.name in self.reducing else self.guard
        old = self.locals[x.name]
        assert isinstance(old, Value)
        if mask is not None and mask.width:
            value = self.b.select(mask, value, old)
        self.locals[x.name] = value

    def _advance(self, x: Local, value: Op) -> None:
        """One step of a scan: the lanes get the running results up to and including each."""
        b, name = self.b, value.name
        (new,) = [a for a in value.args if a != x] or [x]
        lanes = b.splat(self.plain(self.expr(new)), self.width)
        neutral = self._identity(x, name, self.width)
        if self.tail is not None:
            lanes = b.select(self.tail, lanes, neutral)
        shift = 1
        while shift < self.width:
            at = [
                self.width - 1 - k if k < shift else self.width + k - shift
                for k in range(self.width)
            ]
            lanes = self._combine(name, x, shuffle(b, neutral, lanes, at), lanes)
            shift *= 2
        last = shuffle(b, lanes, None, [self.width - 1] * self.width)
        before = self.scans[x.name]
        self.scans[x.name] = self._combine(name, x, before, last)
        self.locals[x.name] = self._combine(name, x, before, lanes)

    def _for(self, s: For) -> None:
        contraction = contraction_of(s) if s.kind == "tile" and not self.width else None
        if contraction is not None:
            s = self._contract(contraction)
        self.ranges[s.index.name] = s.extent
        zero = self.b.constant(0, "i64")
        extent = self.plain(self.expr(s.extent))
        known = extent.known
        short = known is not None and not self.width and is_written_out(s, int(known))
        if known is not None and (short or (s.kind == "unroll" and known <= _UNROLL_LIMIT)):
            for k in range(int(known)):
                self.indices[s.index.name] = self.b.constant(k, "i64")
                self._straight(s.body)
            return
        self.flush()
        if extent.width:
            self._divergent_for(s, extent)
        elif s.kind == "vector":
            self._vector(s, zero, extent)
        else:
            self._serial(s, zero, extent)

    def _carried(self, *bodies: tuple[Stmt, ...]) -> list[str]:
        names = {x.name: None for body in bodies for x in assigned_locals(body)}
        return [name for name in names if name in self.locals]

    def _values(self, names: list[str]) -> list[Value]:
        """The carried locals; vectors where there are lanes, which may come to differ."""
        values = [self.plain(self.locals[name]) for name in names]
        return [self.b.splat(v, self.width) for v in values]

    def _rebind(self, names: list[str], values: list[Value]) -> None:
        self.locals.update(zip(names, values, strict=True))

    def _written(self, *bodies: tuple[Stmt, ...]) -> frozenset[str]:
        """The buffers written in `bodies`, each with a new version."""
        stored = frozenset().union(*(stored_buffers(body) for body in bodies))
        for name in stored:
            if name in self.memory:
                self.memory[name].version += 1
        return stored

    def _serial(self, s: For, low: Value, high: Value) -> None:
        loads = [] if self.width else transposed_loads(s)
        if loads:
            low = self._squares(s, low, high, loads)
        names = self._carried(s.body)

        def body(i: Value, values: list[Value]) -> list[Value]:
            self._rebind(names, values)
            self.indices[s.index.name] = i
            self._block(s.body)
            return self._values(names)

        first = self._values(names)
        stored = self._written(s.body)
        self._rebind(names, self.b.loop(low, high, 1, first, body, stored))

    def _divergent_for(self, s: For, extent: Value) -> None:
        """A loop that each lane leaves after its own number of iterations."""
        names = self._carried(s.body)
        b, outer = self.b, self._mask()

        def active(values: list[Value]) -> Value:
            inside = b.compare("slt", values[0], extent)
            return inside if outer is None else inside & outer

        def body(values: list[Value]) -> list[Value]:
            self._rebind(names, values[1:])
            self.indices[s.index.name] = values[0]
            self._under(active(values), lambda: self._block(s.body))
            return [values[0] + 1, *self._values(names)]

        first = [b.constant(0, "i64"), *self._values(names)]
        stored = self._written(s.body)
        out = b.while_loop(first, lambda values: b.any(active(values)), body, stored)
        self._rebind(names, out[1:])

    def _under(self, guard: Value, run: Callable[[], None]) -> None:
        """Run a printing step with only the lanes of `guard` active."""
        saved, self.guard = self.guard, guard
        try:
            run()
        finally:
            self.guard = saved

    def _if(self, s: If) -> None:
        condition = self.plain(self.expr(s.condition))
        b, mask = self.b, self._mask()
        if condition.width:
            for arm, holds in ((s.then, condition), (s.otherwise, ~condition)):
                guard = holds if mask is None else mask & holds
                self._under(guard, lambda arm=arm: self._block(arm))  # type: ignore[misc]
            return
        names = self._carried(s.then, s.otherwise)
        before = [self.locals[name] for name in names]

        def run(arm: tuple[Stmt, ...]) -> list[Value]:
            self.locals.update(zip(names, before, strict=True))
            self._block(arm)
            return self._values(names)

        results = b.branch(condition, lambda: run(s.then), lambda: run(s.otherwise))
        self._rebind(names, results)
        self._written(s.then, s.otherwise)

    def _while(self, s: While) -> None:
        names = self._carried(s.body)
        b, outer = self.b, self._mask()

        def active(values: list[Value]) -> Value:
            self._rebind(names, values)
            self.memo = {}
            holds = self.plain(self.expr(s.condition))
            if not self.width:
                return holds
            holds = b.splat(holds, self.width)
            return holds if outer is None else holds & outer

        def body(values: list[Value]) -> list[Value]:
            guard = active(values)
            if self.width:
                self._under(guard, lambda: self._block(s.body))
            else:
                self._block(s.body)
            return self._values(names)

        first = self._values(names)
        stored = self._written(s.body)
        out = b.while_loop(first, lambda values: b.any(active(values)), body, stored)
        self._rebind(names, out)

    # ---------------------------------------------------------------- squares

    def _squares(self, s: For, low: Value, high: Value, loads: list[Load]) -> Value:
        """As many rows as fill squares; returns the first row that is left."""
        (inner,) = s.body
        assert isinstance(inner, For)
        b, width = self.b, lanes_of(inner.body, self.isa)
        zero = b.constant(0, "i64")
        rest = low + ((high - low) & -width)

        def rows(i: Value, _: list[Value]) -> list[Value]:
            self.indices[s.index.name] = i
            self.memo = {}
            self.ranges[inner.index.name] = inner.extent
            columns = self.plain(self.expr(inner.extent))
            whole = columns & -width
            stored = self._written(s.body)
            b.loop(zero, whole, width, [], lambda j, _: square(i, j), stored)

            def row(k: Value, _: list[Value]) -> list[Value]:
                self.indices[s.index.name] = k
                self._vector(inner, whole, columns)
                return []

            left = b.select(whole.cmp("slt", columns), i + width, i)
            b.loop(i, left, 1, [], row, self._written(s.body))
            return []

        def square(i: Value, j: Value) -> list[Value]:
            this = Square(s.index.name, inner.index.name, (i, j))
            self.width = width
            stored = self._written(inner.body)
            if not self._shares(this, inner.body, loads):
                self._read_squares(this, loads)
                for k in range(width):
                    self._start_row(this, k)
                    self._straight(inner.body)
                self.flush()
            elif not self._copied(this, inner.body):
                squares = self._squares_in_memory(this, loads)

                def one(k: Value, _: list[Value]) -> list[Value]:
                    self._start_row_in_memory(this, squares, k)
                    self._straight(inner.body)
                    self.flush()
                    return []

                b.loop(zero, b.constant(width, "i64"), 1, [], one, stored)
            self.width, self.square = 0, None
            return []

        b.loop(low, rest, width, [], rows, self._written(s.body))
        return rest

    # ------------------------------------------------------------ vector loops

    def _vector(self, s: For, low: Value, high: Value) -> None:
        count = int(high.known) if low.known == 0 and high.known is not None else None
        plan = None if self.width else plan_vector(s, self.isa, count)
        if plan is None:
            self._serial(s, low, high)
            return
        if not (plan.reductions or plan.scans):
            boundary = boundary_of(s, self.decided)
            if boundary is not None:
                self._segments(s, low, high, boundary)
                return
        names = [x.name for x in plan.reductions]
        running = [x.name for x in plan.scans]
        start, totals = self._values(names), self._values(running)
        stored = self._written(s.body)
        rest, partial = low, [self._identity(x, op, plan.rest) for x, op in plan.reductions.items()]
        loop = _LanesLoop(s, high, names, running, stored)
        if plan.width:
            rest = low + ((high - low) & -plan.width)
            first = [self._identity(x, op, plan.width) for x, op in plan.reductions.items()]
            main = replace(loop, high=rest)
            once = count == plan.width
            sums, totals = self._lanes_loop(main, plan.width, first, totals, low, False, once)
            partial = self._folded(plan, sums, plan.rest)
        if plan.rest:
            once = plan.width == plan.rest
            partial, totals = self._lanes_loop(loop, plan.rest, partial, totals, rest, True, once)
        self._rebind(running, totals)
        results = self._folded(plan, partial, 0)
        for (x, op), a, total in zip(plan.reductions.items(), start, results, strict=True):
            self.locals[x.name] = self._combine(op, x, a, total)
        if not plan.rest:
            self._serial(s, rest, high)

    def _segments(self, s: For, low: Value, high: Value, boundary: Boundary) -> None:
        """The iterations before a boundary, then those after it: each takes one arm of a select."""
        self.memo = {}
        at = self.plain(self.expr(boundary.place))
        cut = self.b.intrinsic("smin", self.b.intrinsic("smax", at, low), high)
        for before, first, last in ((True, low, cut), (False, cut, high)):
            self.decided[boundary.key] = before == boundary.holds_before
            self.memo = {}
            self._vector(s, first, last)
        del self.decided[boundary.key]

    def _identity(self, x: Local, op: str, width: int) -> Value:
        return self.b.constant(identity(op, x.dtype), register_type(x.dtype), width)

    def _combine(self, op: str, x: Local, a: Value, c: Value) -> Value:
        return apply_op(self.b, op, self.b.same(a, c), x.dtype, x.dtype)

    def _folded(self, plan: VectorPlan, vectors: list[Value], width: int) -> list[Value]:
        """Vectors of partial results, narrowed to `width` lanes, or to scalars."""
        out = []
        for (x, op), v in zip(plan.reductions.items(), vectors, strict=True):
            while v.width > max(width, 1):
                half = v.width // 2
                v = self._combine(op, x, self.b.part(v, 0, half), self.b.part(v, half, half))
            out.append(self.b.lane(v, 0) if v.width and not width else v)
        return out

    def _lanes_loop(
        self,
        loop: _LanesLoop,
        width: int,
        partial: list[Value],
        totals: list[Value],
        low: Value,
        masked: bool,
        once: bool = False,
    ) -> tuple[list[Value], list[Value]]:
        """The loop, `width` iterations at a time; returns partial results and totals of scans.

        `masked`: the last time has fewer. `once`: there is one time at most.
        """
        b, s, high = self.b, loop.statement, loop.high

        def body(i: Value, values: list[Value]) -> list[Value]:
            self._rebind(loop.reduced, values[: len(partial)])
            self.scans = dict(zip(loop.running, values[len(partial) :], strict=True))
            self.indices[s.index.name] = Linear(i, b.constant(1, "i64"))
            if masked:
                left = b.intrinsic("smin", high - i, width)
                self.tail = b.lanes("i32", width).cmp("slt", b.convert("trunc", left, "i32"))
            self._block(s.body)
            return [*self._values(loop.reduced), *self.scans.values()]

        self.width, self.reducing = width, frozenset(loop.reduced)
        carried = [*partial, *(b.splat(v, width) for v in totals)]
        if once:
            out = b.branch(low.cmp("slt", high), lambda: body(low, carried), lambda: carried)
        else:
            out = b.loop(low, high, width, carried, body, loop.stored)
        self.width, self.tail, self.reducing, self.scans = 0, None, frozenset(), {}
        n = len(partial)
        return out[:n], [b.lane(v, 0) for v in out[n:]]
