"""The loops around tiles, as two functions that all contractions of a dtype share.

Tiles make the results of a chunk and add to them, panel by panel of columns for each block of rows.
In between, operands are put in fast memory where they would be read slowly in place:

* rows of the left one whose distance is a large power of two, for they fight for one place in the
  cache, are laid at another distance; where it is its columns that are contiguous, they are packed;
* columns of the right one, if its rows are far apart and many rows of results read them, are packed
  into panels. Only a sum of one level is done in blocks of `BLOCK_DEPTH` terms, and packed.

Which of this happens depends on sizes, and so is decided when they run. `print_tiles` prints

    product(ptr sums, ptr a, ptr b, ptr shape)   of one level
    levels(ptr sums, ptr a, ptr b, ptr shape)    of two, added to the sums if `shape` says so

and what they call, `fxla.loops.native.tiles`: a kernel's own code is a call of one of them.
Narrow integers are always moved, as they become pairs on the way (`fxla.loops.native.pairs`); their
`product` adds to the sums, too, and serves any number of levels.
"""

from __future__ import annotations

from collections.abc import Callable

from fxla.core.records import dataclass
from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.pairs import pair_functions
from fxla.loops.native.sources import source_key
from fxla.loops.native.tiles import (
    BLOCKS,
    STEPS,
    TILE_BYTES,
    laid_step,
    tile_functions,
    tile_shape,
    tile_symbols,
)
from fxla.loops.tile_kinds import BLOCK_DEPTH, NARROW, TileKind

__all__ = ["SHAPE", "TILE_SOURCES", "print_tiles", "tile_key"]

SHAPE = {
    name: k
    for k, name in enumerate(
        ("rows", "columns", "row", "inner", "inner_a", "inner_b",
         "outer", "outer_a", "outer_b", "first", "narrow")
    )
}  # fmt: skip
"""Name and number of the 8-byte slots of `shape`: rows and columns of results, bytes from row to
row of the left operand, terms of the inner and the outer level and the operands' strides over them,
whether there are no sums yet, and which of `NARROW` the operands are of; `product` reads the last
two of pairs only, and none of the three before."""
TILE_SOURCES = (
    "loops/native/blocks", "loops/native/builder", "loops/native/instructions", "loops/native/isa",
    "loops/native/pairs", "loops/native/shuffles", "loops/native/tiles", "loops/tile_kinds",
)  # fmt: skip
"""The modules that decide what `print_tiles` prints."""
FAR = 2048
"""Bytes between rows from which on they share few places in the cache, and hardware does not
foresee the next panel of columns..."""
WAY = 4096
"""... and those of a way of the first cache: rows a multiple of them apart share a single place."""
LEVEL_BYTES = 1 << 18
"""Bytes of both operands that tiles run over before the next rows or columns begin."""
PACK_ROWS = 56
"""Rows of results for which packing the right operand pays."""


def tile_key(kind: TileKind, isa: Isa) -> str:
    """Stands for what `print_tiles` prints, so that it is found without printing.

    It holds the hash of the source that prints; an installation without sources prints.
    """
    names = "\n".join(tile_symbols(kind, isa).values())
    return source_key(TILE_SOURCES, names, lambda: print_tiles(kind, isa))


def print_tiles(kind: TileKind, isa: Isa) -> str:
    """The module of tiles and the loops around them."""
    declared: dict[str, None] = {}
    functions = tile_functions(kind, isa, declared) + pair_functions(kind, isa, declared)
    names = tile_symbols(kind, isa)
    for name in BLOCKS:
        if name not in names:
            continue
        loops = _Blocks(kind, isa)
        if name == "levels":
            loops.levels()
        elif kind.pairs:
            loops.product_of_pairs()
        else:
            loops.product()
        functions.append(loops.b.function(names[name], "ptr %sums, ptr %a, ptr %b, ptr %shape"))
        declared.update(loops.b.declared)
    return "\n".join([*declared, *functions, ""])


@dataclass(frozen=True, slots=True)
class _Moves:
    """When and where to blocks of the left operand's rows are moved.

    Attributes:
        lay: whether rows are copied.
        turn: whether columns are.
        memory: where to.
        count: terms of the sum.
        step: bytes from one term to the next.
        across: bytes from row to row of what is tiled, after a move and without one.
    """

    lay: Value
    turn: Value
    memory: Value
    count: Value
    step: Value
    across: Value


class _Blocks:
    """One of the functions being printed."""

    def __init__(self, kind: TileKind, isa: Isa) -> None:
        self.b = Builder()
        self.kind = kind
        self.shape = tile_shape(isa, kind)
        self.symbols = tile_symbols(kind, isa)
        self.size = kind.itemsize
        self.sums, self.left, self.right, shape = (
            Value(self.b, f"%{name}", "ptr") for name in ("sums", "a", "b", "shape")
        )
        self.given = {name: self._given(shape, k) for name, k in SHAPE.items()}
        self.rows, self.columns, self.row = (self.given[n] for n in ("rows", "columns", "row"))
        self.steps = self.b.alloca("i64", len(STEPS))

    def _given(self, shape: Value, k: int) -> Value:
        at = self.b.gep(shape, "i64", self.number(k))
        return self.b.emit(f"load i64, {at.text}, align 8", "i64", 0, at)

    # ---------------------------------------------------------------- pieces of text

    def number(self, n: int) -> Value:
        return self.b.constant(n, "i64")

    def set(self, name: str, value: Value) -> None:
        at = self.b.gep(self.steps, "i64", self.number(STEPS[name]))
        self.b.effect(f"store {value.text}, {at.text}, align 8")

    def call(self, name: str, *args: Value) -> None:
        symbol = f'@"{self.symbols[name]}"'
        self.b.effect(f"call void {symbol}({', '.join(a.text for a in args)})")

    def move(self, name: str, *args: Value) -> None:
        """Call a function that moves operands, of narrow ones that of their dtype."""
        if not self.kind.pairs:
            self.call(name, *args)
            return

        def choose(k: int) -> list[Value]:
            if k == len(NARROW) - 1:
                self.call(f"{name}.{NARROW[k]}", *args)
            else:
                one = self.given["narrow"].cmp("eq", k)
                self.b.branch(one, lambda: one_of(k), lambda: choose(k + 1))
            return []

        def one_of(k: int) -> list[Value]:
            self.call(f"{name}.{NARROW[k]}", *args)
            return []

        choose(0)

    def moved(self, p: Value, nbytes: Value) -> Value:
        return self.b.gep(p, "i8", nbytes)

    # ------------------------------------------------------------------------- loops

    def levels(self) -> None:
        """Tiles over two levels, which are one where memory goes on without a gap.

        Of the outer one so much at a time that all rows and panels find it in the second cache.
        """
        b, left, right = self.b, self.left, self.right
        outer, a0, b0 = (self.given[name] for name in ("outer", "outer_a", "outer_b"))
        inner, a1, b1 = (self.given[name] for name in ("inner", "inner_a", "inner_b"))
        first = self.given["first"].cmp("ne", 0)
        self.set("rows", self.row)
        self.set("ahead", self.number(0))
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

    def product(self) -> None:
        """One level, in blocks of its terms."""
        b, shape = self.b, self.shape
        depth, a1, b1 = (self.given[name] for name in ("inner", "inner_a", "inner_b"))
        packed = b.alloca("i8", BLOCK_DEPTH * TILE_BYTES)
        across = shape.panel * self.size
        laid = b.alloca("i8", max(shape.rows * laid_step(self.size), BLOCK_DEPTH * across))
        pack = b1.cmp("sge", FAR) & self.rows.cmp("sge", PACK_ROWS)
        wide = self.columns.cmp("sgt", shape.panel)
        lay = wide & (self.row & (WAY - 1)).cmp("eq", 0) & a1.cmp("eq", self.size)
        lay = lay & self.row.cmp("ne", 0)
        turn = wide & self.row.cmp("eq", self.size) & a1.cmp("sge", FAR)
        if shape.rows > shape.panel:  # they would not be side by side
            turn = b.constant(False, "i1")
        for name, value in (("outer", 1), ("outer_a", 0), ("outer_b", 0)):
            self.set(name, self.number(value))
        beside = b1.cmp("sge", FAR) & (pack ^ True)
        self.set("ahead", b.select(beside, self.number(across), self.number(0)))
        self.set("inner_b", b.select(pack, self.number(shape.panel * self.size), b1))
        self.set("inner_a", b.select(turn, self.number(across), a1))
        step = b.select(lay, self.number(laid_step(self.size)), self.row)
        self.set("rows", step)

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
                left, lambda p: (source, p * per_column), _Moves(lay, turn, laid, count, a1, step)
            )
            return []

        b.loop(self.number(0), depth, BLOCK_DEPTH, [], block)

    def product_of_pairs(self) -> None:
        """One level of narrow terms, in blocks of `BLOCK_DEPTH` pairs."""
        b, shape = self.b, self.shape
        depth, a1, b1 = (self.given[name] for name in ("inner", "inner_a", "inner_b"))
        given = self.given["first"].cmp("ne", 0)
        size = b.select(self.given["narrow"].cmp("eq", 0), self.number(2), self.number(1))
        packed = b.alloca("i8", BLOCK_DEPTH * TILE_BYTES)
        across = shape.panel * self.size
        laid = b.alloca("i8", max(shape.rows * laid_step(self.size), BLOCK_DEPTH * across))
        turn = self.row.cmp("eq", size) & a1.cmp("ne", size)
        step = b.select(turn, self.number(self.size), self.number(laid_step(self.size)))
        for name, value in (
            ("outer", 1),
            ("outer_a", 0),
            ("outer_b", 0),
            ("inner_b", across),
            ("ahead", 0),
        ):
            self.set(name, self.number(value))
        self.set("inner_a", b.select(turn, self.number(across), self.number(self.size)))
        self.set("rows", step)

        def block(k: Value, _: list[Value]) -> list[Value]:
            terms = b.intrinsic("smin", depth - k, 2 * BLOCK_DEPTH)
            pairs = (terms + 1) >> 1
            left, right = self.moved(self.left, k * a1), self.moved(self.right, k * b1)
            self.set("inner", pairs)
            self.set("first", b.convert("zext", given & k.cmp("eq", 0), "i64"))
            self.move("pack", packed, right, terms, b1, self.columns)
            moves = _Moves(turn ^ True, turn, laid, terms, a1, step)
            self.row_blocks(left, lambda p: (packed, p * (pairs * self.size)), moves)
            return []

        b.loop(self.number(0), depth, 2 * BLOCK_DEPTH, [], block)

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
                step = moves.across

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
            inner = (moves.step,) if self.kind.pairs else ()
            self.move("lay", moves.memory, source, rows, self.row, moves.count, *inner)
            return []

        def turn() -> list[Value]:
            self.move("pack", moves.memory, source, moves.count, moves.step, rows)
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
