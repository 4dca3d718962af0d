"""The native printing of contractions: loops around the tiles of `fxla.loops.native_tiles`.

A chunk's results live in scratch memory, `TILE_BYTES` for a row. Tiles make them and add to
them, panel by panel of columns for each block of rows; then the epilogue, ordinary loops, reads
them. In between, operands are put in fast memory where they would be read slowly in place:

* rows of the left one whose distance is a large power of two, for they fight for one place in the
  cache, are laid at another distance; where it is its columns that are contiguous, they are packed;
* columns of the right one, if its rows are far apart and many rows of results read them, are packed
  into panels. Only a sum of one level is done in blocks of `BLOCK_DEPTH` terms, and packed.

Which of this happens depends on run-time sizes, and so is decided by the code that is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fxla.loops.contraction import CHUNK_ROWS, Contraction
from fxla.loops.ir import INDEX, Buffer, Const, Expr, Extent, For, Index, Let, Load, Local, Op
from fxla.loops.native_expressions import Expressions
from fxla.loops.native_instructions import LLVM, Value
from fxla.loops.native_isa import Isa
from fxla.loops.native_ops import Unsupported
from fxla.loops.native_tiles import (
    BLOCK_DEPTH,
    LAID_STEP,
    STEPS,
    TILE_BYTES,
    TILE_DTYPES,
    tile_columns,
    tile_shape,
    tile_symbols,
)

__all__ = ["Contractions"]

FAR = 2048
"""Bytes between rows from which on they share few places in the cache."""
LEVEL_BYTES = 1 << 18
"""Bytes of both operands that tiles run over before the next rows or columns begin."""
PACK_ROWS = 56
"""Rows of results for which packing the right operand pays."""


class Contractions(Expressions):
    """Prints the tiles of contractions into scratch memory."""

    def __init__(self, isa: Isa, constant: frozenset[str]) -> None:
        super().__init__(isa, constant)
        self.isa = isa
        self.tiled = 0

    def _contract(self, c: Contraction) -> For:
        """Print all of a contraction but its epilogue; returns loops that are the epilogue."""
        dtype = c.total.dtype
        if dtype.name not in TILE_DTYPES:
            raise Unsupported(f"tiles of {dtype.name}")
        self.tiled += 1
        name = f"tile{self.tiled}"
        sums = Buffer(
            name, dtype, (Const(INDEX, CHUNK_ROWS), Const(INDEX, tile_columns(dtype)))
        )  # fmt: skip
        self._add(sums, self.b.alloca("i8", CHUNK_ROWS * TILE_BYTES))
        for scope in self.b.scopes:
            scope.stored = scope.stored | {name}
        _Tiles(self, c, self.memory[name].pointer).print()
        self.memory[name].version += 1
        total = Let(c.total, Load(dtype, sums, (c.rows.index, c.columns.index)))
        columns = For(c.columns.index, c.columns.extent, (total, *c.epilogue), "vector")
        return For(c.rows.index, c.rows.extent, (columns,))

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


@dataclass(frozen=True, slots=True)
class _Moves:
    """When and where to blocks of the left operand's rows are moved.

    Attributes:
        lay: whether rows are copied.
        turn: whether columns are.
        memory: where to.
        count: terms of the sum.
        step: bytes from one term to the next.
    """

    lay: Value
    turn: Value
    memory: Value
    count: Value
    step: Value


class _Tiles:
    """One contraction being printed."""

    def __init__(self, printer: Contractions, c: Contraction, sums: Value) -> None:
        self.b = printer.b
        self.c = c
        self.sums = sums
        dtype = c.total.dtype
        self.shape = tile_shape(printer.isa, dtype)
        self.symbols = tile_symbols(dtype, printer.isa)
        self.size = dtype.itemsize
        self.left, self.right = printer._start(c.left, c), printer._start(c.right, c)
        self.rows = printer._uniform(c.rows.extent)
        self.columns = printer._uniform(c.columns.extent)
        self.row = printer._slope(c.left, c.rows.index.name)
        self.counts = [printer._uniform(level.extent) for level in c.levels]
        self.step_a = [printer._slope(c.left, level.index.name) for level in c.levels]
        self.step_b = [printer._slope(c.right, level.index.name) for level in c.levels]
        self.steps = self.b.alloca("i64", len(STEPS))

    # ---------------------------------------------------------------- pieces of text

    def number(self, n: int) -> Value:
        return self.b.constant(n, "i64")

    def set(self, name: str, value: Value) -> None:
        at = self.b.gep(self.steps, "i64", self.number(STEPS[name]))
        self.b.effect(f"store {value.text}, {at.text}, align 8")

    def call(self, name: str, *args: Value) -> None:
        symbol = f'@"{self.symbols[name]}"'
        types = ", ".join(LLVM[a.type] for a in args)
        self.b.declared[f"declare void {symbol}({types})"] = None
        self.b.effect(f"call void {symbol}({', '.join(a.text for a in args)})")

    def moved(self, p: Value, nbytes: Value) -> Value:
        return self.b.gep(p, "i8", nbytes)

    # ------------------------------------------------------------------------- loops

    def print(self) -> None:
        self.set("rows", self.row)
        if len(self.counts) == 1:
            self.blocks()
        else:
            self.outer(0, self.left, self.right, self.b.constant(True, "i1"))

    def outer(self, level: int, left: Value, right: Value, first: Value) -> None:
        """All levels but the last two, around tiles that run over those.

        `first`: there are no sums yet.
        """
        if level == len(self.counts) - 2:
            self.two_levels(left, right, first)
            return

        def body(k: Value, _: list[Value]) -> list[Value]:
            here = (
                self.moved(left, k * self.step_a[level]),
                self.moved(right, k * self.step_b[level]),
            )
            self.outer(level + 1, *here, first & k.cmp("eq", 0))
            return []

        self.b.loop(self.number(0), self.counts[level], 1, [], body)

    def two_levels(self, left: Value, right: Value, first: Value) -> None:
        """Tiles over two levels, which are one where memory goes on without a gap.

        Of the outer one so much at a time that all rows and panels find it in the second cache.
        """
        b = self.b
        (outer, inner), (a0, a1), (b0, b1) = self.counts[-2:], self.step_a[-2:], self.step_b[-2:]
        one = a0.cmp("eq", a1 * inner) & b0.cmp("eq", b1 * inner)
        self.set("inner", b.select(one, inner * outer, inner))
        outer = b.select(one, self.number(1), outer)
        together = b.bitwise("sdiv", self.number(LEVEL_BYTES), b.intrinsic("smax", a0 + b0, 1))
        together = b.intrinsic("smax", together, 1)
        for name, value in (("inner_a", a1), ("inner_b", b1), ("outer_a", a0), ("outer_b", b0)):
            self.set(name, value)

        def block(k: Value, _: list[Value]) -> list[Value]:
            start = k * together
            self.set("first", self.b.convert("zext", first & k.cmp("eq", 0), "i64"))
            self.set("outer", b.intrinsic("smin", outer - start, together))
            here, there = self.moved(left, start * a0), self.moved(right, start * b0)
            self.row_blocks(here, lambda p: (there, p * self.size), None)
            return []

        blocks = b.bitwise("sdiv", outer + together - 1, together)
        b.loop(self.number(0), blocks, 1, [], block)

    def blocks(self) -> None:
        """One level, in blocks of its terms."""
        b, shape = self.b, self.shape
        (depth,), (a1,), (b1,) = self.counts, self.step_a, self.step_b
        packed = b.alloca("i8", BLOCK_DEPTH * TILE_BYTES)
        across = shape.panel * self.size
        laid = b.alloca("i8", max(shape.rows * LAID_STEP, BLOCK_DEPTH * across))
        pack = b1.cmp("sge", FAR) & self.rows.cmp("sge", PACK_ROWS)
        wide = self.columns.cmp("sgt", shape.panel)
        lay = wide & (self.row & (FAR - 1)).cmp("eq", 0) & a1.cmp("eq", self.size)
        lay = lay & self.row.cmp("ne", 0)
        turn = wide & self.row.cmp("eq", self.size) & a1.cmp("sge", FAR)
        if shape.rows > shape.panel:  # they would not be side by side
            turn = b.constant(False, "i1")
        for name, value in (("outer", 1), ("outer_a", 0), ("outer_b", 0)):
            self.set(name, self.number(value))
        self.set("inner_b", b.select(pack, self.number(shape.panel * self.size), b1))
        self.set("inner_a", b.select(turn, self.number(across), a1))
        self.set("rows", b.select(lay, self.number(LAID_STEP), self.row))

        def block(k: Value, _: list[Value]) -> list[Value]:
            count = b.intrinsic("smin", depth - k, BLOCK_DEPTH)
            left, right = self.moved(self.left, k * a1), self.moved(self.right, k * b1)
            self.set("inner", count)
            self.set("first", b.convert("zext", k.cmp("eq", 0), "i64"))

            def fill() -> list[Value]:
                self.call("pack", packed, right, count, b1, self.columns)
                return []

            b.branch(pack, fill, list)
            source = b.select(pack, packed, right)
            per_column = b.select(pack, count * self.size, self.number(self.size))
            self.row_blocks(
                left, lambda p: (source, p * per_column), _Moves(lay, turn, laid, count, a1)
            )
            return []

        b.loop(self.number(0), depth, BLOCK_DEPTH, [], block)

    def row_blocks(
        self,
        left: Value,
        right_of: Callable[[Value], tuple[Value, Value]],
        moves: _Moves | None,
    ) -> None:
        """Blocks of rows, and for each the panels of columns.

        They are as large as can be, but the last two are of about one size: few rows wait for
        what is read of the right operand. Columns are turned for two blocks at once, where they
        fit the memory for it: both find them in one cache line.
        """
        b, most = self.b, self.shape.rows
        two = 2 * most

        def some(carried: list[Value]) -> list[Value]:
            (start,) = carried
            rest = self.rows - start
            half = b.intrinsic("smin", ((rest + 1) >> 1) + 1 & -2, most)
            rows = b.select(rest.cmp("sge", two), self.number(most), half)
            rows = b.select(rest.cmp("sgt", most), rows, rest)
            source, step = self.moved(left, start * self.row), self.row
            if moves is not None:
                if two <= self.shape.panel:
                    rows = b.select(moves.turn & rest.cmp("sge", two), self.number(two), rows)
                source = self.fast(source, rows, moves)
                step = b.select(moves.lay, self.number(LAID_STEP), step)

            def block(at: Value, _: list[Value]) -> list[Value]:
                few = b.intrinsic("smin", rows - at, most)
                sums = self.moved(self.sums, (start + at) * TILE_BYTES)
                self.panels(sums, self.moved(source, at * step), right_of, few)
                return []

            b.loop(self.number(0), rows, most, [], block)
            return [start + rows]

        b.while_loop([self.number(0)], lambda at: at[0].cmp("slt", self.rows), some)

    def fast(self, source: Value, rows: Value, moves: _Moves) -> Value:
        """A block of rows where it is read fast: in place, or moved."""
        b = self.b

        def lay() -> list[Value]:
            self.call("lay", moves.memory, source, rows, self.row, moves.count)
            return []

        def turn() -> list[Value]:
            self.call("pack", moves.memory, source, moves.count, moves.step, rows)
            return []

        b.branch(moves.lay, lay, list)
        b.branch(moves.turn, turn, list)
        return b.select(moves.lay | moves.turn, moves.memory, source)

    def panels(
        self,
        sums: Value,
        left: Value,
        right_of: Callable[[Value], tuple[Value, Value]],
        rows: Value,
    ) -> None:
        b, lanes = self.b, self.shape.lanes

        def panel(p: Value, _: list[Value]) -> list[Value]:
            rest = self.columns - p
            wide = rest.cmp("sgt", lanes)
            self.set("mask", b.select(wide, rest - lanes, rest))
            vectors = b.select(wide, self.number(2), self.number(1))
            start, offset = right_of(p)
            here = self.moved(sums, p * self.size)
            self.call("tile", here, left, self.moved(start, offset), self.steps, rows, vectors)
            return []

        b.loop(self.number(0), self.columns, self.shape.panel, [], panel)
