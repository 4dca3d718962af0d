"""The innermost loops of contractions, as functions that all kernels of a dtype share.

A *tile* is a block of results that stays in vector registers while products are added to it: some
rows by one or two vectors of columns. `tile_functions` prints, for one dtype and instruction set,

    tile(ptr t, ptr a, ptr b, ptr steps, i64 rows, i64 vectors)
        t[r, v] += sum over k0, k1 of a[r, k0, k1] * b[k0, k1, v], or = if `steps` says so
    pack(ptr to, ptr from, i64 count, i64 step, i64 columns)
        columns of a matrix as panels of `panel` columns, one after the other, filled with zeros
    lay(ptr to, ptr from, i64 rows, i64 step, i64 count)
        rows of a matrix at a distance (`laid_step`) at which they do not fight for the cache
    square(ptr to, ptr from, i64 step_to, i64 step)
        a square of as many elements as a vector has lanes, transposed

Unsigned integers are summed as signed ones, whose bits are the same. Of integers of 16 bits or
fewer, summed in 32, an element of a tile is a *pair* of terms: one instruction multiplies and adds
both. `fxla.loops.native.pairs` has what makes pairs, instead of `pack` and `lay`.

Strides are arguments, in bytes, so the module is compiled once and its code serves every size and
layout: what is around them is `fxla.loops.native.blocks`. Rows of `t` are `TILE_BYTES`
apart. Lanes of b's vectors run over contiguous memory; the last vector is read under a mask.

The rows of a tile are read at ``a + r * step``. Their addresses take a pointer for every three rows
and two registers, step and twice the step, so that 14 rows fit the 16 registers of x86.
"""

from __future__ import annotations

from collections.abc import Callable

from fxla.core.records import dataclass
from fxla.loops.ir import DType
from fxla.loops.native.builder import Builder
from fxla.loops.native.instructions import BITS, Value, llvm_type
from fxla.loops.native.isa import Isa
from fxla.loops.native.shuffles import transpose
from fxla.loops.tile_kinds import BLOCK_DEPTH, NARROW, TileKind

__all__ = [
    "BLOCKS",
    "STEPS",
    "TILE_BYTES",
    "TILE_PREFIX",
    "Tail",
    "TileFunction",
    "TileShape",
    "laid_step",
    "tile_columns",
    "tile_functions",
    "tile_shape",
    "tile_symbols",
]

TILE_BYTES = 2112
"""Bytes from row to row of the results that a chunk of work has in fast memory: those of a chunk
and a line more, so that rows do not fight for one place in the cache."""
BLOCKS = ("product", "levels")
"""The functions of `fxla.loops.native.blocks`, which are in the same module."""
TILE_PREFIX = "fxla.tiles."
"""What the names of all functions of these modules start with."""
STEPS = {
    name: k
    for k, name in enumerate(
        (
            "rows",
            "inner_a",
            "inner_b",
            "inner",
            "outer_a",
            "outer_b",
            "outer",
            "mask",
            "first",
            "ahead",
        )
    )
}
"""Name and number of the 8-byte slots of `steps`: strides in bytes, counts, lanes of b's end,
whether there are no sums yet, and how far ahead of b is what the second cache should have."""

_ROWS = {1: (1, 4), 2: tuple(range(1, 14))}
"""Rows of the tiles that there are beside the largest ones, for one and two vectors; other numbers
take several. Of two vectors there are all: a tile of one row waits for its sums, of which there are
two, and reads the right operand again, in vain."""
_GROUP = 3
"""Rows that are read by one pointer."""


@dataclass(frozen=True, slots=True)
class TileShape:
    """Rows and vectors of the largest tile, and the lanes of a vector."""

    rows: int
    vectors: int
    lanes: int

    @property
    def panel(self) -> int:
        """Columns of the largest tile."""
        return self.vectors * self.lanes


def tile_columns(dtype: DType) -> int:
    """Columns of results in `TILE_BYTES`."""
    return TILE_BYTES // dtype.itemsize


def laid_step(itemsize: int) -> int:
    """Bytes between the rows that `lay` writes: a line more than they hold.

    So the lines of a tile's rows are spread evenly over the places of the cache.

    Example:
        >>> laid_step(4)
        1088
    """
    return BLOCK_DEPTH * itemsize + 64


def tile_shape(isa: Isa, kind: TileKind) -> TileShape:
    """The tile that fills the registers: 14 x 2 vectors in 32 of them, 6 x 2 in 16.

    Example:
        >>> from fxla.loops.native.isa import AVX2, AVX512
        >>> from fxla.loops.tile_kinds import TILE_KINDS
        >>> f32, f64, *_ = TILE_KINDS
        >>> tile_shape(AVX512, f32), tile_shape(AVX2, f64)
        (TileShape(rows=14, vectors=2, lanes=16), TileShape(rows=6, vectors=2, lanes=4))
    """
    rows = 14 if isa.vector_bytes == 64 else 6 if isa.vector_bytes == 32 else 5
    return TileShape(rows, 2, isa.vector_bytes // kind.itemsize)


def tile_symbols(kind: TileKind, isa: Isa) -> dict[str, str]:
    """The names under which the functions of a module are linked."""
    names = ["tile", *BLOCKS]
    if kind.pairs:
        names = ["tile", "product", *(f"{f}.{dtype}" for dtype in NARROW for f in ("pack", "lay"))]
    else:
        names += ["pack", "lay"]
        if kind.register[0] == "f":
            names.append("square")
    return {name: f"{TILE_PREFIX}{name}.{kind.name}.{isa.name}" for name in names}


def tile_functions(kind: TileKind, isa: Isa, declared: dict[str, None]) -> list[str]:
    """The functions described above; what they declare is added to `declared`."""
    shape = tile_shape(isa, kind)
    names = tile_symbols(kind, isa)
    printers: dict[str, Callable[[TileFunction], str]] = {
        "tile": lambda f: _tile(f, names["tile"], shape),
        "pack": lambda f: _pack(f, names["pack"], shape),
        "lay": lambda f: _lay(f, names["lay"]),
        "square": lambda f: _square(f, names["square"]),
    }
    texts = []
    for name, printed in printers.items():
        if name in names:
            f = TileFunction(kind, isa)
            texts.append(printed(f))
            declared.update(f.b.declared)
    return texts


_PARAMETERS = "ptr %t, ptr %a, ptr %b, ptr %steps"


@dataclass(frozen=True, slots=True)
class Tail:
    """The lanes of a vector that are read: those of a mask, and whether these are all."""

    mask: Value
    full: Value


class TileFunction:
    """What the printers of a module share: typed loads and stores of one element kind."""

    def __init__(self, kind: TileKind, isa: Isa) -> None:
        self.b = Builder()
        self.isa = isa
        self.pairs = kind.pairs
        self.kind = kind.register
        self.lanes = isa.vector_bytes // kind.itemsize
        self.size = kind.itemsize

    def param(self, name: str, kind: str = "ptr") -> Value:
        return Value(self.b, f"%{name}", kind)

    def moved(self, p: Value, nbytes: Value | int) -> Value:
        if isinstance(nbytes, int):
            nbytes = self.b.constant(nbytes, "i64")
        return self.b.gep(p, "i8", nbytes)

    def load(self, p: Value, tail: Tail | None = None, kind: str = "", lanes: int = 0) -> Value:
        """A vector, of which the lanes outside of a tail are 0.

        Args:
            p: where it is.
            tail: which lanes are read; default: all.
            kind: type of the elements; default: the module's.
            lanes: how many; default: as many of the module's elements as a register holds.
        """
        kind, lanes = kind or self.kind, lanes or self.lanes
        t, size = llvm_type(kind, lanes), BITS[kind] // 8

        def whole() -> list[Value]:
            return [self.b.emit_here(f"load {t}, {p.text}, align {size}", kind, lanes)]

        def part() -> list[Value]:
            assert tail is not None
            symbol = f"@llvm.masked.load.v{lanes}{kind}.p0"
            self.b.declared[f"declare {t} {symbol}(ptr, <{lanes} x i1>, {t})"] = None
            operands = f"ptr align {size} {p.name}, {tail.mask.text}, {t} zeroinitializer"
            return [self.b.emit_here(f"call {t} {symbol}({operands})", kind, lanes)]

        if tail is None:
            return whole()[0]
        if size in self.isa.masked:
            return part()[0]
        return self.b.branch(tail.full, whole, part)[0]  # lane by lane, where there are fewer

    def scalar(self, p: Value) -> Value:
        text = f"load {llvm_type(self.kind)}, {p.text}, align {self.size}"
        return self.b.emit_here(text, self.kind)

    def store(self, v: Value, p: Value) -> None:
        self.b.effect(f"store {v.text}, {p.text}, align {self.size}")

    def prefetch(self, p: Value) -> None:
        """Have a line brought to the second cache; the address need not be valid."""
        self.b.declared["declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"] = None
        self.b.effect(f"call void @llvm.prefetch.p0({p.text}, i32 0, i32 2, i32 1)")

    def slot(self, steps: Value, name: str) -> Value:
        p = self.moved(steps, 8 * STEPS[name])
        return self.b.emit(f"load i64, {p.text}, align 8", "i64", 0, p)

    def tail(self, count: Value, lanes: int = 0) -> Tail:
        """The first `count` lanes, all if there are more."""
        lanes = lanes or self.lanes
        few = self.b.convert("trunc", self.b.intrinsic("smin", count, lanes), "i32")
        return Tail(self.b.lanes("i32", lanes).cmp("slt", few), few.cmp("eq", lanes))

    def product(self, x: Value, y: Value, total: Value) -> Value:
        """``x * y + total``."""
        b = self.b
        if x.is_float:
            return b.fma(x, y, total)
        if not self.pairs:
            return x * y + total
        symbol = _PAIR_PRODUCTS.get(self.isa.name)
        if symbol is None:
            high = (x >> 16) * (y >> 16)
            return (x << 16 >> 16) * (y << 16 >> 16) + high + total
        wide, narrow = llvm_type("i32", self.lanes), llvm_type("i16", 2 * self.lanes)
        b.declared[f"declare {wide} {symbol}({narrow}, {narrow})"] = None
        p, q = (self.halves(v) for v in (x, y))
        return b.emit(f"call {wide} {symbol}({p.text}, {q.text})", "i32", self.lanes, p, q) + total

    def halves(self, v: Value) -> Value:
        """A vector of pairs as one of their numbers."""
        lanes = 2 * self.lanes
        text = f"bitcast {v.text} to {llvm_type('i16', lanes)}"
        return self.b.emit(text, "i16", lanes, v)


_PAIR_PRODUCTS = {
    "avx512": "@llvm.x86.avx512.pmaddw.d.512",
    "avx2": "@llvm.x86.avx2.pmadd.wd",
}
"""By instruction set, products of two vectors of pairs, those of a pair added up."""


def _tile(f: TileFunction, name: str, shape: TileShape) -> str:
    """The function that runs the tallest tile there is until all rows are done."""
    b = f.b
    t, a, right, steps = (f.param(n) for n in ("t", "a", "b", "steps"))
    rows, vectors = (f.param(n, "i64") for n in ("rows", "vectors"))
    slots = {name: f.slot(steps, name) for name in STEPS}
    plain = _Steps(slots, f.tail(slots["mask"]))

    def run(menu: tuple[int, ...], width: int) -> list[Value]:
        """While there are rows: the first tile of the menu that is not taller."""

        def one(size: int, left: Value, here: list[Value]) -> list[Value]:
            _block(f, shape, _Block(size, width, here[0], here[1], right), plain)
            down = f.moved(here[0], size * TILE_BYTES), f.moved(here[1], slots["rows"] * size)
            return [left - size, *down]

        def choose(k: int, left: Value, here: list[Value]) -> list[Value]:
            if k == len(menu) - 1:
                return one(menu[k], left, here)
            return b.branch(
                left.cmp("sge", menu[k]),
                lambda: one(menu[k], left, here),
                lambda: choose(k + 1, left, here),
            )

        b.while_loop([rows, t, a], lambda c: c[0].cmp("sgt", 0), lambda c: choose(0, c[0], c[1:]))
        return []

    two, one = ((shape.rows, *(r for r in reversed(_ROWS[v]) if r < shape.rows)) for v in (2, 1))
    b.branch(vectors.cmp("eq", 2), lambda: run(two, 2), lambda: run(one, 1))
    return b.function(name, f"{_PARAMETERS}, i64 %rows, i64 %vectors")


@dataclass(frozen=True, slots=True)
class _Steps:
    """What all tiles of a call have in common: the slots of `steps`, and lanes of b's end."""

    slots: dict[str, Value]
    tail: Tail


@dataclass(frozen=True, slots=True)
class _Block:
    """One tile: its size, and where its results and operands begin."""

    rows: int
    vectors: int
    t: Value
    a: Value
    b: Value


def _block(f: TileFunction, shape: TileShape, tile: _Block, steps: _Steps) -> None:
    """Sums of one tile in registers."""
    b, rows, vectors, slots, tail = f.b, tile.rows, tile.vectors, steps.slots, steps.tail
    row, inner_a, inner_b = slots["rows"], slots["inner_a"], slots["inner_b"]
    zero = b.constant(0, "i64")
    places = [
        f.moved(tile.t, r * TILE_BYTES + v * shape.lanes * f.size)
        for r in range(rows)
        for v in range(vectors)
    ]
    groups = -(-rows // _GROUP)
    twice = row * 2

    def step(_: Value, carried: list[Value]) -> list[Value]:
        pointers, at_b, sums = carried[:groups], carried[groups], carried[groups + 1 :]
        lane = [f.moved(at_b, v * shape.lanes * f.size) for v in range(vectors)]
        columns = [f.load(p, tail if v == vectors - 1 else None) for v, p in enumerate(lane)]
        for p in lane:  # the next panel's, where it lies beside this one
            f.prefetch(f.moved(p, slots["ahead"]))
        out = []
        for r in range(rows):
            p = pointers[r // _GROUP]
            if r % _GROUP:
                p = f.moved(p, row if r % _GROUP == 1 else twice)
            x = b.splat(f.scalar(p), shape.lanes)
            out += [f.product(x, columns[v], sums[r * vectors + v]) for v in range(vectors)]
        return [*(f.moved(p, inner_a) for p in pointers), f.moved(at_b, inner_b), *out]

    def line(_: Value, carried: list[Value]) -> list[Value]:
        at_a, at_b, *sums = carried
        starts = [f.moved(at_a, row * (_GROUP * g)) for g in range(groups)]
        sums = b.loop(zero, slots["inner"], 1, [*starts, at_b, *sums], step)[groups + 1 :]
        return [f.moved(at_a, slots["outer_a"]), f.moved(at_b, slots["outer_b"]), *sums]

    none = b.constant(0, f.kind, shape.lanes)
    first = b.branch(
        slots["first"].cmp("ne", 0),
        lambda: [none] * len(places),
        lambda: [f.load(p) for p in places],
    )
    for p in places:  # the next panel's, which hardware does not foresee row by row
        f.prefetch(f.moved(p, shape.panel * f.size))
    sums = b.loop(zero, slots["outer"], 1, [tile.a, tile.b, *first], line)[2:]
    for p, x in zip(places, sums, strict=True):
        f.store(x, p)


def _pack(f: TileFunction, name: str, shape: TileShape) -> str:
    b = f.b
    to, source = f.param("to"), f.param("from")
    count, step, columns = (f.param(n, "i64") for n in ("count", "step", "columns"))
    zero = b.constant(0, "i64")

    def panel(at: Value, carried: list[Value]) -> list[Value]:
        left = columns - at
        tails = [f.tail(left - v * shape.lanes) for v in range(shape.vectors)]

        def line(_: Value, pointers: list[Value]) -> list[Value]:
            here, there = pointers
            for v, tail in enumerate(tails):
                offset = v * shape.lanes * f.size
                f.prefetch(f.moved(there, offset + shape.panel * f.size))  # of the next panel
                f.store(f.load(f.moved(there, offset), tail), f.moved(here, offset))
            return [f.moved(here, shape.panel * f.size), f.moved(there, step)]

        first = f.moved(source, at * f.size)
        return [b.loop(zero, count, 1, [carried[0], first], line)[0]]

    b.loop(zero, columns, shape.panel, [to], panel)
    return b.function(name, "ptr %to, ptr %from, i64 %count, i64 %step, i64 %columns")


def _lay(f: TileFunction, name: str) -> str:
    b = f.b
    to, source = f.param("to"), f.param("from")
    rows, step, count = (f.param(n, "i64") for n in ("rows", "step", "count"))
    zero = b.constant(0, "i64")

    def line(_: Value, pointers: list[Value]) -> list[Value]:
        here, there = pointers

        def part(at: Value, _: list[Value]) -> list[Value]:
            offset = at * f.size
            tail = f.tail(count - at)
            f.prefetch(f.moved(f.moved(there, offset), rows * step))  # of the next block of rows
            f.store(f.load(f.moved(there, offset), tail), f.moved(here, offset))
            return []

        b.loop(zero, count, f.lanes, [], part)
        return [f.moved(here, laid_step(f.size)), f.moved(there, step)]

    b.loop(zero, rows, 1, [to, source], line)
    return b.function(name, "ptr %to, ptr %from, i64 %rows, i64 %step, i64 %count")


def _square(f: TileFunction, name: str) -> str:
    to, source = f.param("to"), f.param("from")
    step_to, step = f.param("step_to", "i64"), f.param("step", "i64")
    rows = [f.load(f.moved(source, step * r)) for r in range(f.lanes)]
    for r, x in enumerate(transpose(f.b, rows)):
        f.store(x, f.moved(to, step_to * r))
    return f.b.function(name, "ptr %to, ptr %from, i64 %step_to, i64 %step")
