"""The native printer: a kernel as LLVM IR, scalar or with explicit vectors.

``void @<kernel>(ptr %args, i64 %begin, i64 %end)``: `args` points at 8-byte slots, the addresses of
the inputs, of the outputs, then the extents. If the kernel's body is one parallel loop, its index
runs over ``[begin, end)``; otherwise both are ignored.

One printer serves scalar and vector code. Inside a vector loop (`fxla.loops.native_vectorize`) an
expression is one of

* *uniform*: the same in all lanes, a scalar `Value`;
* `Linear`: an integer that grows by the same step from lane to lane, as the loop's index does;
* *varying*: a vector `Value`.

So an address is known to be uniform (a scalar load), unit-stride (a vector load) or arbitrary (a
gather) at the moment it is computed, and what is uniform is computed once. Where lanes diverge, at
a `Select`, an `If`, a `While`, or in the remainder of a loop, a mask says which lanes are active.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from fxla.loops.ir import (
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Const,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Select,
    Stmt,
    Store,
    While,
    children,
    walk_exprs,
)
from fxla.loops.native_builder import Builder, Value, llvm_type
from fxla.loops.native_isa import Isa
from fxla.loops.native_ops import (
    Unsupported,
    apply_op,
    cast,
    from_memory,
    memory_type,
    register_type,
    to_memory,
)
from fxla.loops.native_vectorize import (
    VectorPlan,
    assigned_locals,
    identity,
    plan_vector,
    stored_buffers,
)

__all__ = ["Linear", "Unsupported", "print_native"]

_UNROLL_LIMIT = 64


def print_native(kernel: Kernel, isa: Isa) -> str:
    """The kernel as the text of an LLVM module with one function.

    Raises:
        Unsupported: the kernel has something that only the numba target can print.
    """
    return _Printer(kernel, isa).module()


@dataclass(frozen=True, slots=True)
class Linear:
    """An int64 that is ``base + lane * step``."""

    base: Value
    step: Value


Result = Value | Linear


@dataclass(slots=True)
class _Memory:
    """A buffer's address and strides in elements; `version` counts the stores into it."""

    buffer: Buffer
    pointer: Value
    strides: list[Value]
    type: str
    constant: bool
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the lanes of an access lie: `pointer`, and the offsets of the lanes from it.

    `step` is the distance between lanes, if it is constant; `offsets` a vector, if there are.
    """

    pointer: Value
    step: Value
    offsets: Value | None

    @property
    def stride(self) -> int | None:
        """The distance between lanes, if it is a known number."""
        return None if self.offsets is not None or self.step.known is None else int(self.step.known)


class _Printer:
    def __init__(self, kernel: Kernel, isa: Isa) -> None:
        self.kernel = kernel
        self.isa = isa
        self.b = Builder(isa.ldexp)
        self.width = 0
        self.tail: Value | None = None
        self.guard: Value | None = None
        self.reducing: frozenset[str] = frozenset()
        self.memo: dict[int, Result] = {}
        self.indices: dict[str, Result] = {}
        self.ranges: dict[str, Expr] = {}
        self.locals: dict[str, Result] = {}
        self.extents: dict[str, Value] = {}
        self.memory: dict[str, _Memory] = {}
        self.spare: Value | None = None

    # ------------------------------------------------------------------ module

    def module(self) -> str:
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
                if any(isinstance(s, For | While) for s in loop.body):
                    self._serial(loop, low, high)
                else:
                    self._vector(loop, low, high)
            case body:
                self._block(body)
        text = b.function(kernel.name, "ptr %args, i64 %begin, i64 %end")
        return "\n".join([*b.declared, text, ""])

    def _add(self, buffer: Buffer, pointer: Value) -> None:
        stride = self.b.constant(1, "i64")
        strides: list[Value] = []
        for n in reversed(buffer.shape):
            strides.insert(0, stride)
            stride = self._uniform(n) * stride
        kind = memory_type(buffer.dtype)
        constant = buffer in self.kernel.inputs
        self.memory[buffer.name] = _Memory(buffer, pointer, strides, kind, constant)

    # -------------------------------------------------------------- statements

    def _block(self, body: tuple[Stmt, ...]) -> None:
        for s in body:
            self.memo = {}
            self._stmt(s)

    def _stmt(self, s: Stmt) -> None:
        match s:
            case For():
                self._for(s)
            case Let(local=x, value=v, mutable=mutable):
                value = self.expr(v)
                self.locals[x.name] = self.plain(value) if mutable else value
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

    def _mask(self) -> Value | None:
        """The active lanes; None if all are."""
        return self.guard if self.guard is not None else self.tail

    def _for(self, s: For) -> None:
        self.ranges[s.index.name] = s.extent
        zero = self.b.constant(0, "i64")
        extent = self.plain(self.expr(s.extent))
        if extent.width:
            self._divergent_for(s, extent)
        elif s.kind == "unroll" and extent.known is not None and extent.known <= _UNROLL_LIMIT:
            for k in range(int(extent.known)):
                self.indices[s.index.name] = self.b.constant(k, "i64")
                self._block(s.body)
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

    # ------------------------------------------------------------ vector loops

    def _vector(self, s: For, low: Value, high: Value) -> None:
        plan = None if self.width else plan_vector(s, self.isa)
        if plan is None:
            self._serial(s, low, high)
            return
        names = [x.name for x in plan.reductions]
        start = self._values(names)
        stored = self._written(s.body)
        rest, partial = low, [self._identity(x, op, plan.rest) for x, op in plan.reductions.items()]
        if plan.width:
            whole = (high - low) & -plan.width
            rest = low + whole
            first = [self._identity(x, op, plan.width) for x, op in plan.reductions.items()]
            sums = self._lanes_loop(s, plan.width, names, first, low, rest, stored, masked=False)
            partial = self._folded(plan, sums, plan.rest)
        if plan.rest:
            once = plan.width == plan.rest
            partial = self._lanes_loop(s, plan.rest, names, partial, rest, high, stored, True, once)
        totals = self._folded(plan, partial, 0)
        for (x, op), a, total in zip(plan.reductions.items(), start, totals, strict=True):
            self.locals[x.name] = self._combine(op, x, a, total)
        if not plan.rest:
            self._serial(s, rest, high)

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
        s: For,
        width: int,
        names: list[str],
        carried: list[Value],
        low: Value,
        high: Value,
        stored: frozenset[str],
        masked: bool,
        once: bool = False,
    ) -> list[Value]:
        """The loop, `width` iterations at a time.

        `masked`: the last time has fewer. `once`: there is one time at most.
        """
        b = self.b

        def body(i: Value, values: list[Value]) -> list[Value]:
            self._rebind(names, values)
            self.indices[s.index.name] = Linear(i, b.constant(1, "i64"))
            if masked:
                left = b.intrinsic("smin", high - i, width)
                self.tail = b.lanes("i32", width).cmp("slt", b.convert("trunc", left, "i32"))
            self._block(s.body)
            return self._values(names)

        self.width, self.reducing = width, frozenset(names)
        if once:
            out = b.branch(low.cmp("slt", high), lambda: body(low, carried), lambda: carried)
        else:
            out = b.loop(low, high, width, carried, body, stored)
        self.width, self.tail, self.reducing = 0, None, frozenset()
        return out

    # ------------------------------------------------------------- expressions

    def plain(self, r: Result) -> Value:
        """A result as a scalar or vector of registers."""
        if isinstance(r, Value):
            return r
        b = self.b
        return b.splat(r.base, self.width) + b.lanes("i64", self.width) * r.step

    def _uniform(self, e: Expr) -> Value:
        value = self.plain(self.expr(e))
        assert not value.width
        return value

    def expr(self, e: Expr) -> Result:
        """Print an expression; shared subexpressions once, without recursion on depth."""
        stack = [e]
        while stack:
            node = stack[-1]
            if id(node) in self.memo:
                stack.pop()
                continue
            operands = (node.condition,) if isinstance(node, Select) else children(node)
            missing = [x for x in operands if id(x) not in self.memo]
            if missing:
                stack.extend(missing)
            else:
                self.memo[id(node)] = self._node(node)
                stack.pop()
        return self.memo[id(e)]

    def _node(self, e: Expr) -> Result:
        b = self.b
        match e:
            case Const(dtype=dtype, value=value):
                return b.constant(value, register_type(dtype))
            case Extent(value=value, name=name):
                return b.constant(value, "i64") if name is None else self.extents[name]
            case Index(name=name):
                return self.indices[name]
            case Local(name=name):
                return self.locals[name]
            case Load():
                return self._load(e)
            case Cast(dtype=dtype, arg=arg):
                if dtype == arg.dtype:
                    return self.memo[id(arg)]
                return cast(b, self.plain(self.memo[id(arg)]), arg.dtype, dtype)
            case Select():
                return self._select(e)
            case Op():
                return self._op(e)
        raise Unsupported(f"expression {type(e).__name__}")

    def _op(self, e: Op) -> Result:
        results = [self.memo[id(a)] for a in e.args]
        if e.dtype == INDEX and len(results) == 2:
            if e.name in ("add", "sub", "mul"):
                linear = self._linear(e.name, results[0], results[1])
                if linear is not None:
                    return linear
            elif e.name in ("floordiv", "mod") and _is_size(e.args[1]):
                return self._index_division(e, results[0], self.plain(results[1]))
        args = self.b.same(*[self.plain(r) for r in results])
        return apply_op(self.b, e.name, args, e.args[0].dtype, e.dtype)

    def _linear(self, name: str, x: Result, y: Result) -> Result | None:
        """Arithmetic that keeps an integer linear in the lane; None if it does not."""
        b, zero = self.b, self.b.constant(0, "i64")
        if isinstance(x, Value) and isinstance(y, Value):
            return None
        if (isinstance(x, Value) and x.width) or (isinstance(y, Value) and y.width):
            return None
        base = x.base if isinstance(x, Linear) else x, y.base if isinstance(y, Linear) else y
        step = x.step if isinstance(x, Linear) else zero, y.step if isinstance(y, Linear) else zero
        if name != "mul":
            both = b.arith(name, *step)
            out = b.arith(name, *base)
            return out if both.known == 0 else Linear(out, both)
        if isinstance(x, Linear) and isinstance(y, Linear):
            return None
        factor = base[1] if isinstance(x, Linear) else base[0]
        grow = step[0] if isinstance(x, Linear) else step[1]
        return Linear(base[0] * base[1], grow * factor)

    def _index_division(self, e: Op, x: Result, n: Value) -> Result:
        """``x // n`` or ``x % n`` for a size n, which is positive unless nothing runs."""
        b = self.b
        n = n if n.known is not None else b.intrinsic("smax", n, 1)
        if isinstance(x, Linear) and x.step.known == 1 and not n.width:
            return self._linear_division(e.name, x.base, n)
        value, n = b.same(self.plain(x), n)
        q, r = self._floor_division(value, n)
        return q if e.name == "floordiv" else r

    def _floor_division(self, x: Value, n: Value) -> tuple[Value, Value]:
        b = self.b
        q, r = b.bitwise("sdiv", x, n), b.bitwise("srem", x, n)
        below = r >> 63
        return q + below, r + (n & below)

    def _linear_division(self, name: str, base: Value, n: Value) -> Value:
        """Divide consecutive integers: one scalar division, then exactly in float64.

        The lanes count on from a remainder below n, so quotients of float64 are right after
        truncation as long as n is below 2**52.
        """
        b = self.b
        q, r = self._floor_division(base, n)
        ahead = b.splat(r, self.width) + b.lanes("i64", self.width)
        more = b.convert("sitofp", ahead, "f64") / b.convert("sitofp", n, "f64")
        more = b.convert("fptosi", more, "i64")
        if name == "floordiv":
            return b.splat(q, self.width) + more
        return ahead - more * n

    def _select(self, e: Select) -> Result:
        b = self.b
        condition = self.plain(self.memo[id(e.condition)])
        if condition.known is not None:
            return self.expr(e.then if condition.known else e.otherwise)
        if not (self._lazy(e.then) or self._lazy(e.otherwise)):
            x, y = self.expr(e.then), self.expr(e.otherwise)
            return b.select(condition, self.plain(x), self.plain(y))
        if condition.width:
            mask = self._mask()
            inside = condition if mask is None else mask & condition
            outside = ~condition if mask is None else mask & ~condition
            return b.select(condition, self._arm(e.then, inside), self._arm(e.otherwise, outside))

        def arm(x: Expr) -> list[Value]:
            return [b.splat(self._arm(x, self.guard), self.width)]

        return b.branch(condition, lambda: arm(e.then), lambda: arm(e.otherwise))[0]

    def _lazy(self, e: Expr) -> bool:
        """Whether `e` reads an element that may not exist where it is not wanted."""
        return any(isinstance(x, Load) and not self._in_bounds(x) for x in walk_exprs(e))

    def _in_bounds(self, e: Load) -> bool:
        """Whether every index is that of a loop over the axis."""
        return all(
            isinstance(i, Index) and self.ranges.get(i.name) == n
            for i, n in zip(e.index, e.buffer.shape, strict=True)
        )

    def _arm(self, e: Expr, guard: Value | None) -> Value:
        """An arm of a select; what is computed in it is not known outside."""
        memo, saved = self.memo, self.guard
        self.memo, self.guard = dict(memo), guard
        try:
            return self.plain(self.expr(e))
        finally:
            self.memo, self.guard = memo, saved

    # ------------------------------------------------------------------ memory

    def _place(self, memory: _Memory, index: list[Result]) -> _Place:
        """The address of an element, inner terms last so that outer ones leave the inner loops."""
        b = self.b
        terms: list[Value] = []
        step = b.constant(0, "i64")
        offsets: Value | None = None
        for r, stride in zip(index, memory.strides, strict=True):
            if isinstance(r, Linear):
                terms.append(r.base * stride)
                step = step + r.step * stride
            elif r.width:
                offsets = r * stride if offsets is None else offsets + r * stride
            else:
                terms.append(r * stride)
        pointer = memory.pointer
        terms.sort(key=lambda v: (v.known is not None, v.level))
        while terms:
            level = terms[0].level
            group = [v for v in terms if v.level == level and v.known is None] or terms[:1]
            terms = [v for v in terms if not any(v is g for g in group)]
            pointer = b.gep(pointer, memory.type, _sum(group))
        if offsets is not None and step.known != 0:
            offsets = offsets + b.lanes("i64", self.width) * step
        return _Place(pointer, step, offsets)

    def _pointers(self, memory: _Memory, place: _Place) -> Value:
        """The address of each lane."""
        b = self.b
        offsets = place.offsets
        if offsets is None:
            offsets = b.lanes("i64", self.width) * place.step
        text = f"getelementptr {llvm_type(memory.type)}, {place.pointer.text}, {offsets.text}"
        return b.emit(text, "ptr", self.width, place.pointer, offsets)

    def _load(self, e: Load) -> Value:
        memory = self.memory[e.buffer.name]
        place = self._place(memory, [self.memo[id(i)] for i in e.index])
        safe = self._in_bounds(e)
        if place.stride == 0:
            raw = self._load_uniform(memory, place.pointer, safe)
        else:
            raw = self._load_lanes(memory, place, safe)
        return from_memory(self.b, raw, e.buffer.dtype)

    def _load_text(
        self, memory: _Memory, text: str, width: int, safe: bool, *operands: Value
    ) -> Value:
        if memory.version:
            text += f" ; {memory.buffer.name}.{memory.version}"
        safe = safe and memory.constant
        return self.b.load(text, memory.type, width, memory.buffer.name, safe, *operands)

    def _load_uniform(self, memory: _Memory, pointer: Value, safe: bool) -> Value:
        b, size = self.b, memory.buffer.dtype.itemsize
        if self.guard is not None and not safe:
            if self.spare is None:
                self.spare = b.alloca("i64", 1)
            pointer = b.select(b.any(self.guard), pointer, self.spare)
        text = f"load {llvm_type(memory.type)}, {pointer.text}, align {size}"
        return self._load_text(memory, text, 0, safe, pointer)

    def _load_lanes(self, memory: _Memory, place: _Place, safe: bool) -> Value:
        b, width = self.b, self.width
        mask = self.tail if safe else self._mask()
        size = memory.buffer.dtype.itemsize
        t = llvm_type(memory.type, width)
        if place.stride == 1 and mask is None:
            text = f"load {t}, {place.pointer.text}, align {size}"
            return self._load_text(memory, text, width, safe, place.pointer)
        if place.stride == -1 and mask is None:
            first = b.gep(place.pointer, memory.type, b.constant(1 - width, "i64"))
            text = f"load {t}, {first.text}, align {size}"
            return b.reverse(self._load_text(memory, text, width, safe, first))
        if mask is None:
            mask = b.constant(1, "i1", width)
        if place.stride == 1:
            kind, pointer = "load", place.pointer
            suffix = f"v{width}{memory.type}.p0"
            pointers = "ptr"
        else:
            kind, pointer = "gather", self._pointers(memory, place)
            suffix = f"v{width}{memory.type}.v{width}p0"
            pointers = f"<{width} x ptr>"
        symbol = f"@llvm.masked.{kind}.{suffix}"
        b.declared[f"declare {t} {symbol}({pointers}, <{width} x i1>, {t})"] = None
        text = (
            f"call {t} {symbol}({pointers} align {size} {pointer.name}, {mask.text}, "
            f"{t} zeroinitializer)"
        )
        return self._load_text(memory, text, width, safe, pointer, mask)

    def _store(self, s: Store) -> None:
        b = self.b
        memory = self.memory[s.buffer.name]
        place = self._place(memory, [self.expr(i) for i in s.index])
        value = to_memory(b, self.plain(self.expr(s.value)), s.buffer.dtype)
        size = s.buffer.dtype.itemsize
        memory.version += 1
        if not self.width:
            b.effect(f"store {value.text}, {place.pointer.text}, align {size}")
            return
        value, mask, width = b.splat(value, self.width), self._mask(), self.width
        if place.stride == 1 and mask is None:
            b.effect(f"store {value.text}, {place.pointer.text}, align {size}")
            return
        if mask is None:
            mask = b.constant(1, "i1", width)
        if place.stride == 1:
            symbol = f"@llvm.masked.store.v{width}{memory.type}.p0"
            pointers, pointer = "ptr", place.pointer
        else:
            symbol = f"@llvm.masked.scatter.v{width}{memory.type}.v{width}p0"
            pointers, pointer = f"<{width} x ptr>", self._pointers(memory, place)
        t = llvm_type(memory.type, width)
        b.declared[f"declare void {symbol}({t}, {pointers}, <{width} x i1>)"] = None
        b.effect(
            f"call void {symbol}({value.text}, {pointers} align {size} {pointer.name}, {mask.text})"
        )


def _is_size(e: Expr) -> bool:
    return isinstance(e, Extent) or (isinstance(e, Const) and int(e.value) > 0)


def _sum(values: list[Value]) -> Value:
    total = values[0]
    for v in values[1:]:
        total = total + v
    return total
