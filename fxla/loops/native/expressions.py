"""Expressions and memory accesses of the native printer.

Inside a vector loop an expression is one of

* *uniform*: the same in all lanes, a scalar `Value`;
* `Linear`: an integer that grows by the same step from lane to lane, as the loop's index does;
* *varying*: a vector `Value`.

So an address is known to be uniform (a scalar load), unit-stride (a vector load) or arbitrary (a
gather) at the moment it is computed, and what is uniform is computed once. A load is *safe* if its
indices are those of loops over the buffer's axes: it may move, and needs no mask.
"""

from __future__ import annotations

from fxla.core.records import dataclass
from fxla.loops.ir import (
    INDEX,
    Buffer,
    Cast,
    Const,
    Expr,
    Extent,
    Index,
    Load,
    Local,
    Op,
    Select,
    Store,
    children,
    walk_exprs,
)
from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value, llvm_type
from fxla.loops.native.isa import Isa
from fxla.loops.native.ops import (
    Unsupported,
    apply_op,
    cast,
    from_memory,
    memory_type,
    register_type,
    to_memory,
)
from fxla.loops.native.segments import Decided, decided_value
from fxla.loops.native.shuffles import deinterleave, interleave, shuffle
from fxla.loops.passes.tile import within

__all__ = ["Expressions", "Linear", "Result"]

_FIELDS = 8
"""The most elements between neighbouring lanes that are read as whole vectors and picked from."""


@dataclass(slots=True)
class Linear:
    """An int64 that is ``base + lane * step``."""

    base: Value
    step: Value


Result = Value | Linear


@dataclass(slots=True)
class _Fields:
    """Stores to fields of neighbouring records, kept until all fields are there.

    Attributes:
        memory: of the buffer.
        first: the place of the first field.
        mask: the lanes to store.
        values: by field.
    """

    memory: _Memory
    first: _Place
    mask: Value | None
    values: dict[int, Value]


@dataclass(slots=True)
class _Memory:
    """A buffer's address and strides in elements; `version` counts the stores into it."""

    buffer: Buffer
    pointer: Value
    strides: list[Value]
    type: str
    constant: bool
    version: int = 0


@dataclass(slots=True)
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


class Expressions:
    """Prints expressions, loads and stores.

    Attributes:
        width: lanes of the vector loop that is being printed, 0 outside.
        tail: the lanes that have an iteration, in a loop's remainder; None if all do.
        guard: the lanes for which the current condition holds; None where there is none.
        ranges: the extent of each loop index.
    """

    def __init__(self, isa: Isa, constant: frozenset[str]) -> None:
        self.b = Builder(isa.ldexp, isa.fma, isa.half)
        self.isa = isa
        self.constant = constant
        self.width = 0
        self.tail: Value | None = None
        self.guard: Value | None = None
        self.memo: dict[int, Result] = {}
        self.decided: Decided = {}
        self.indices: dict[str, Result] = {}
        self.ranges: dict[str, Expr] = {}
        self.locals: dict[str, Result] = {}
        self.extents: dict[str, Value] = {}
        self.memory: dict[str, _Memory] = {}
        self.spare: Value | None = None
        self.pending: dict[tuple[str, str, str], _Fields] = {}

    def _mask(self) -> Value | None:
        """The active lanes; None if all are."""
        return self.guard if self.guard is not None else self.tail

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
        if self.decided:
            known = decided_value(e, self.decided)
            if known is not None:
                return self.b.constant(known, "i1")
        results = [self.memo[id(a)] for a in e.args]
        if e.dtype == INDEX and len(results) == 2:
            if e.name in ("add", "sub", "mul"):
                linear = self._linear(e.name, results[0], results[1])
                if linear is not None:
                    return linear
            elif e.name in ("floordiv", "mod") and _is_size(e.args[1]):
                return self._index_division(e, results[0], self.plain(results[1]))
        values = [self.plain(r) for r in results]
        args = values if len(values) == 1 else self.b.same(*values)
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
        b, counts = self.b, isinstance(e.args[0], Index)
        n = n if n.known is not None else b.intrinsic("smax", n, 1)
        if isinstance(x, Linear) and x.step.known == 1 and not n.width:
            return self._linear_division(e.name, x.base, n, counts)
        value, n = b.pair(self.plain(x), n)
        q, r = self._floor_division(value, n, counts)
        return q if e.name == "floordiv" else r

    def _floor_division(self, x: Value, n: Value, counts: bool) -> tuple[Value, Value]:
        """Quotient and remainder; `counts`: x is the index of a loop, and so not negative."""
        b = self.b
        q, r = b.bitwise("sdiv", x, n), b.bitwise("srem", x, n)
        if counts:
            return q, r
        below = r >> 63
        return q + below, r + (n & below)

    def _linear_division(self, name: str, base: Value, n: Value, counts: bool) -> Value:
        """Divide consecutive integers: one scalar division, then exactly in float64.

        The lanes count on from a remainder below n, so quotients of float64 are right after
        truncation as long as n is below 2**52.
        """
        b = self.b
        q, r = self._floor_division(base, n, counts)
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

        self.flush()

        width = self.width if self._varies(e.then) or self._varies(e.otherwise) else 0

        def arm(x: Expr) -> list[Value]:
            return [b.splat(self._arm(x, self.guard), width)]

        return b.branch(condition, lambda: arm(e.then), lambda: arm(e.otherwise))[0]

    def _varies(self, e: Expr) -> bool:
        """Whether lanes may have different values of `e`; where they have one, it is a scalar."""
        if not self.width:
            return False
        for x in walk_exprs(e):
            if isinstance(x, Index | Local):
                value = (self.indices if isinstance(x, Index) else self.locals)[x.name]
                if isinstance(value, Linear) or value.width:
                    return True
        return False

    def _lazy(self, e: Expr) -> bool:
        """Whether `e` reads an element that may not exist where it is not wanted."""
        return any(isinstance(x, Load) and not self._in_bounds(x) for x in walk_exprs(e))

    def _in_bounds(self, e: Load) -> bool:
        """Whether every index is that of a loop over the axis, or of two over its blocks."""
        return all(self._covers(i, n) for i, n in zip(e.index, e.buffer.shape, strict=True))

    def _covers(self, i: Expr, n: Expr) -> bool:
        match i:
            case Index(name=name):
                return self.ranges.get(name) == n
            case Const(value=place):  # a part of a complex number
                return isinstance(n, Const) and 0 <= place < n.value
            case Op(
                name="add",
                args=(Op(name="mul", args=(Index() as block, Const(value=size))), Index(name=name)),
            ):
                return self.ranges.get(name) == within(n, block, int(size))
        return False

    def _arm(self, e: Expr, guard: Value | None) -> Value:
        """An arm of a select; what is computed in it is not known outside."""
        memo, saved = self.memo, self.guard
        self.memo, self.guard = dict(memo), guard
        try:
            return self.plain(self.expr(e))
        finally:
            self.memo, self.guard = memo, saved

    # ------------------------------------------------------------------ memory

    def _add(self, buffer: Buffer, pointer: Value) -> None:
        stride = self.b.constant(1, "i64")
        strides: list[Value] = []
        for n in reversed(buffer.shape):
            strides.insert(0, stride)
            stride = self._uniform(n) * stride
        kind = memory_type(buffer.dtype)
        constant = buffer.name in self.constant
        self.memory[buffer.name] = _Memory(buffer, pointer, strides, kind, constant)

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
        self.flush(e.buffer.name)
        index = [self.memo[id(i)] for i in e.index]
        place = self._place(memory, index)
        safe = self._in_bounds(e)
        field = self._field(memory, index, place) if self.width else None
        if place.stride == 0:
            raw = self._load_uniform(memory, place.pointer, safe)
        elif field is not None:
            raw = self._load_field(memory, index, field, safe)
        elif (
            place.stride in range(2, _FIELDS + 1) and (self.tail if safe else self._mask()) is None
        ):
            raw = self._load_strided(memory, place, safe)
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
        if place.stride == -1 and mask is None:
            first = b.gep(place.pointer, memory.type, b.constant(1 - width, "i64"))
            text = f"load {t}, {first.text}, align {size}"
            return b.reverse(self._load_text(memory, text, width, safe, first))
        if place.stride == 1:
            return self._load_vector(memory, place.pointer, mask, safe)
        if mask is None:
            mask = b.constant(1, "i1", width)
        pointer = self._pointers(memory, place)
        pointers = f"<{width} x ptr>"
        symbol = f"@llvm.masked.gather.v{width}{memory.type}.v{width}p0"
        b.declared[f"declare {t} {symbol}({pointers}, <{width} x i1>, {t})"] = None
        text = (
            f"call {t} {symbol}({pointers} align {size} {pointer.name}, {mask.text}, "
            f"{t} zeroinitializer)"
        )
        return self._load_text(memory, text, width, safe, pointer, mask)

    def _load_vector(
        self, memory: _Memory, pointer: Value, mask: Value | None, safe: bool
    ) -> Value:
        """As many elements side by side as there are lanes."""
        b, width, size = self.b, self.width, memory.buffer.dtype.itemsize
        t = llvm_type(memory.type, width)
        if mask is None:
            text = f"load {t}, {pointer.text}, align {size}"
            return self._load_text(memory, text, width, safe, pointer)
        symbol = f"@llvm.masked.load.v{width}{memory.type}.p0"
        b.declared[f"declare {t} {symbol}(ptr, <{width} x i1>, {t})"] = None
        text = (
            f"call {t} {symbol}(ptr align {size} {pointer.name}, {mask.text}, {t} zeroinitializer)"
        )
        return self._load_text(memory, text, width, safe, pointer, mask)

    def _store(self, s: Store) -> None:
        b = self.b
        memory = self.memory[s.buffer.name]
        index = [self.expr(i) for i in s.index]
        place = self._place(memory, index)
        value = to_memory(b, self.plain(self.expr(s.value)), s.buffer.dtype)
        if self.width and self._store_field(memory, index, place, b.splat(value, self.width)):
            return
        self.flush(s.buffer.name)
        size = s.buffer.dtype.itemsize
        memory.version += 1
        if not self.width:
            b.effect(f"store {value.text}, {place.pointer.text}, align {size}")
            return
        value, mask, width = b.splat(value, self.width), self._mask(), self.width
        if place.stride == -1 and mask is None:
            first = b.gep(place.pointer, memory.type, b.constant(1 - width, "i64"))
            b.effect(f"store {b.reverse(value).text}, {first.text}, align {size}")
            return
        if place.stride == 1:
            self._store_vector(memory, place.pointer, value, mask)
            return
        if mask is None:
            mask = b.constant(1, "i1", width)
        symbol = f"@llvm.masked.scatter.v{width}{memory.type}.v{width}p0"
        pointers, pointer = f"<{width} x ptr>", self._pointers(memory, place)
        t = llvm_type(memory.type, width)
        b.declared[f"declare void {symbol}({t}, {pointers}, <{width} x i1>)"] = None
        b.effect(
            f"call void {symbol}({value.text}, {pointers} align {size} {pointer.name}, {mask.text})"
        )

    def _store_vector(
        self, memory: _Memory, pointer: Value, value: Value, mask: Value | None
    ) -> None:
        """Store the lanes of `mask` side by side."""
        b, size, width = self.b, memory.buffer.dtype.itemsize, value.width
        if mask is None:
            b.effect(f"store {value.text}, {pointer.text}, align {size}")
            return
        symbol = f"@llvm.masked.store.v{width}{memory.type}.p0"
        t = llvm_type(memory.type, width)
        b.declared[f"declare void {symbol}({t}, ptr, <{width} x i1>)"] = None
        b.effect(f"call void {symbol}({value.text}, ptr align {size} {pointer.name}, {mask.text})")

    # ------------------------------------------- neighbouring lanes a few elements apart

    def _field(self, memory: _Memory, index: list[Result], place: _Place) -> int | None:
        """Which element of its record an access reads in every lane.

        A record is the last axis of a buffer, of a few elements; lanes go from one to the next.
        """
        last = index[-1] if index else None
        if not isinstance(last, Value) or last.known is None or last.width:
            return None
        size = self._record(memory)
        return int(last.known) if size is not None and place.stride == size else None

    def _record(self, memory: _Memory) -> int | None:
        size = memory.buffer.shape[-1]
        known = int(size.value) if isinstance(size, Const) else 0
        return known if known in range(2, _FIELDS + 1) else None

    def _field_masks(self, mask: Value | None, n: int) -> list[Value | None]:
        """The mask of each of the n vectors that hold the records of some lanes."""
        if mask is None:
            return [None] * n
        width = mask.width
        return [
            shuffle(self.b, mask, None, [(k * width + lane) // n for lane in range(width)])
            for k in range(n)
        ]

    def _load_field(self, memory: _Memory, index: list[Result], field: int, safe: bool) -> Value:
        """An element of each lane's record, picked from all records as whole vectors."""
        b, width = self.b, self.width
        n = self._record(memory)
        assert n is not None
        start = self._place(memory, [*index[:-1], b.constant(0, "i64")]).pointer
        masks = self._field_masks(self.tail if safe else self._mask(), n)
        vectors = []
        for k, mask in enumerate(masks):
            pointer = b.gep(start, memory.type, b.constant(k * width, "i64"))
            vectors.append(self._load_vector(memory, pointer, mask, safe))
        return deinterleave(b, vectors, [lane * n + field for lane in range(width)])

    def _load_strided(self, memory: _Memory, place: _Place, safe: bool) -> Value:
        """Lanes a few elements apart, as whole vectors that end at the last lane's element."""
        b, width, step = self.b, self.width, place.stride
        assert step is not None
        last = step * (width - 1)
        starts = [min(k * width, last + 1 - width) for k in range(step)]
        vectors = []
        for start in starts:
            pointer = b.gep(place.pointer, memory.type, b.constant(start, "i64"))
            vectors.append(self._load_vector(memory, pointer, None, safe))
        at = [k * step for k in range(width)]
        places = []
        for p in at:
            k = min(p // width, step - 1)
            places.append(k * width + p - starts[k])
        return deinterleave(b, vectors, places)

    def _store_field(
        self, memory: _Memory, index: list[Result], place: _Place, value: Value
    ) -> bool:
        """Keep a store to a field of each lane's record until the others come, if it is one."""
        field = self._field(memory, index, place)
        if field is None:
            return False
        first = self._place(memory, [*index[:-1], self.b.constant(0, "i64")])
        mask = self._mask()
        key = (memory.buffer.name, first.pointer.name, "" if mask is None else mask.name)
        if key not in self.pending:
            self.flush(memory.buffer.name)
            self.pending[key] = _Fields(memory, first, mask, {})
        self.pending[key].values[field] = value
        if len(self.pending[key].values) == self._record(memory):
            self.flush(memory.buffer.name)
        return True

    def flush(self, buffer: str | None = None) -> None:
        """Print the stores that are kept, of one buffer or all."""
        for key in [k for k in self.pending if buffer is None or k[0] == buffer]:
            self._store_fields(self.pending.pop(key))

    def _store_fields(self, fields: _Fields) -> None:
        b, memory, width = self.b, fields.memory, self.width
        values = fields.values
        n = self._record(memory)
        assert n is not None
        pointer = fields.first.pointer
        memory.version += 1
        masks = self._field_masks(fields.mask, n)
        if len(values) < n:
            anything = next(iter(values.values()))
            full = [values.get(k, anything) for k in range(n)]
            for k in range(n):
                there = [(k * width + lane) % n in values for lane in range(width)]
                wanted = b.mask(there)
                mask = masks[k]
                masks[k] = wanted if mask is None else mask & wanted
        else:
            full = [values[k] for k in range(n)]
        for k, vector in enumerate(interleave(b, full)):
            to = b.gep(pointer, memory.type, b.constant(k * width, "i64"))
            self._store_vector(memory, to, vector, masks[k])


def _is_size(e: Expr) -> bool:
    """Whether an expression is a size, or how many blocks of a size cover another."""
    if isinstance(e, Op) and e.name == "floordiv":
        return _is_size(e.args[1]) and all(
            isinstance(x, Extent | Const | Op) for x in walk_exprs(e.args[0])
        )
    return isinstance(e, Extent) or (isinstance(e, Const) and int(e.value) > 0)


def _sum(values: list[Value]) -> Value:
    total = values[0]
    for v in values[1:]:
        total = total + v
    return total
