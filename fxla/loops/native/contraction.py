"""The native printing of contractions: calls of the functions of `fxla.loops.native.blocks`.

A chunk's results live in scratch memory, `TILE_BYTES` for a row. Those functions make them and add
to them; then the epilogue, ordinary loops, reads them.
"""

from __future__ import annotations

from fxla.loops.contraction import CHUNK_ROWS, Contraction
from fxla.loops.ir import INDEX, Buffer, Const, Expr, Extent, For, Index, Let, Load, Local, Op
from fxla.loops.native.blocks import SHAPE
from fxla.loops.native.expressions import Expressions
from fxla.loops.native.instructions import Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.ops import Unsupported
from fxla.loops.native.tiles import TILE_BYTES, tile_columns, tile_symbols
from fxla.loops.tile_kinds import NARROW, TileKind, tile_kind

__all__ = ["Contractions"]


class Contractions(Expressions):
    """Prints the tiles of contractions into scratch memory."""

    def __init__(self, isa: Isa, constant: frozenset[str]) -> None:
        super().__init__(isa, constant)
        self.tiled = 0

    def _contract(self, c: Contraction) -> For:
        """Print all of a contraction but its epilogue; returns loops that are the epilogue."""
        dtype = c.total.dtype
        kind = tile_kind(dtype, c.left.dtype)
        if kind is None:
            raise Unsupported(f"tiles of {c.left.dtype.name} in {dtype.name}")
        self.tiled += 1
        name = f"tile{self.tiled}"
        sums = Buffer(
            name, dtype, (Const(INDEX, CHUNK_ROWS), Const(INDEX, tile_columns(dtype)))
        )  # fmt: skip
        self._add(sums, self.b.alloca("i8", CHUNK_ROWS * TILE_BYTES))
        for scope in self.b.scopes:
            scope.stored = scope.stored | {name}
        self._sums(c, kind, self.memory[name].pointer)
        self.memory[name].version += 1
        total = Let(c.total, Load(dtype, sums, (c.rows.index, c.columns.index)))
        columns = For(c.columns.index, c.columns.extent, (total, *c.epilogue), "vector")
        return For(c.rows.index, c.rows.extent, (columns,))

    def _sums(self, c: Contraction, kind: TileKind, sums: Value) -> None:
        """Print what makes all sums of a chunk."""
        b = self.b
        left, right = self._start(c.left, c), self._start(c.right, c)
        shape = b.alloca("i64", len(SHAPE))

        def put(name: str, value: Value) -> None:
            at = b.gep(shape, "i64", b.constant(SHAPE[name], "i64"))
            b.effect(f"store {value.text}, {at.text}, align 8")

        put("rows", self._uniform(c.rows.extent))
        put("columns", self._uniform(c.columns.extent))
        put("row", self._slope(c.left, c.rows.index.name))
        counts = [self._uniform(level.extent) for level in c.levels]
        step_a = [self._slope(c.left, level.index.name) for level in c.levels]
        step_b = [self._slope(c.right, level.index.name) for level in c.levels]
        served = 1 if kind.pairs else min(len(counts), 2)  # levels of one call
        if len(counts) > served > 1:
            self._join(counts, step_a, step_b)
        for name, k in (("inner", -1), ("outer", -2)):
            if served >= -k:
                put(name, counts[k])
                put(f"{name}_a", step_a[k])
                put(f"{name}_b", step_b[k])
        if kind.pairs:
            put("narrow", b.constant(NARROW.index(c.left.dtype.name), "i64"))
        symbols = tile_symbols(kind, self.isa)
        symbol = f'@"{symbols["levels" if served > 1 else "product"]}"'
        b.declared[f"declare void {symbol}(ptr, ptr, ptr, ptr)"] = None

        def outer(level: int, a: Value, other: Value, first: Value) -> None:
            """All levels but those of a call, around it."""
            if level == len(counts) - served:
                if served > 1 or kind.pairs:  # `first`: there are no sums yet
                    put("first", b.convert("zext", first, "i64"))
                texts = ", ".join(v.text for v in (sums, a, other, shape))
                b.effect(f"call void {symbol}({texts})")
                return

            def body(k: Value, _: list[Value]) -> list[Value]:
                here = b.gep(a, "i8", k * step_a[level]), b.gep(other, "i8", k * step_b[level])
                outer(level + 1, *here, first & k.cmp("eq", 0))
                return []

            b.loop(b.constant(0, "i64"), counts[level], 1, [], body)

        outer(0, left, right, b.constant(True, "i1"))

    def _join(self, counts: list[Value], *steps: list[Value]) -> None:
        """Make one level of the last two where memory goes on without a gap, of three.

        Tiles then run over the level around them, too, before their sums are put down.
        """
        b = self.b
        joined = b.constant(True, "i1")
        for step in steps:
            joined = joined & step[-2].cmp("eq", step[-1] * counts[-1])
        counts[-1] = b.select(joined, counts[-1] * counts[-2], counts[-1])
        for values in (counts, *steps):
            values[-2] = b.select(joined, values[-3], values[-2])
        counts[-3] = b.select(joined, b.constant(1, "i64"), counts[-3])

    def _slope(self, load: Load, name: str) -> Value:
        """By how many bytes the address of an element grows with a loop's index."""
        memory = self.memory[load.buffer.name]
        total = self.b.constant(0, "i64")
        for e, stride in zip(load.index, memory.strides, strict=True):
            total = total + self._coefficient(e, name) * stride
        return total * load.dtype.itemsize

    def _coefficient(self, e: Expr, name: str) -> Value:
        b = self.b
        match e:
            case Index():
                return b.constant(int(e.name == name), "i64")
            case Op(name="add" | "sub" as which, args=(x, y)):
                return b.arith(which, self._coefficient(x, name), self._coefficient(y, name))
            case Op(name="mul", args=(x, y)):
                p, q = self._coefficient(x, name), self._coefficient(y, name)
                if p.known == 0 and q.known == 0:
                    return p
                return p * self._uniform(y) if q.known == 0 else q * self._uniform(x)
            case Const() | Extent() | Local() | Op():
                return b.constant(0, "i64")
        raise Unsupported(f"an index that is not affine: {e}")

    def _start(self, load: Load, c: Contraction) -> Value:
        """The address of an element where all the indices of a contraction are 0."""
        self.memo = {}
        for loop in (c.rows, c.columns, *c.levels):
            self.indices[loop.index.name] = self.b.constant(0, "i64")
            self.ranges[loop.index.name] = loop.extent
        place = self._place(self.memory[load.buffer.name], [self.expr(e) for e in load.index])
        return place.pointer
