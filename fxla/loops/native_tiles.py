"""The innermost loops of contractions, as functions that all kernels of a dtype share.

A *tile* is a block of results that stays in vector registers while products are added to it: some
rows by one or two vectors of columns. `tile_functions` prints, for one dtype and instruction set,

    tile(ptr t, ptr a, ptr b, ptr steps, i64 rows, i64 vectors)
        t[r, v] += sum over k0, k1 of a[r, k0, k1] * b[k0, k1, v], or = if `steps` says so
    pack(ptr to, ptr from, i64 count, i64 step, i64 columns)
        columns of a matrix as panels of `panel` columns, one after the other, filled with zeros
    lay(ptr to, ptr from, i64 rows, i64 step, i64 count)
        rows of a matrix at a distance (`LAID_STEP`) at which they do not fight for the cache
    square(ptr to, ptr from, i64 step_to, i64 step)
        a square of as many elements as a vector has lanes, transposed

Strides are arguments, in bytes, so the module is compiled once and its code serves every size and
layout: what is around them is `fxla.loops.native_blocks`. Rows of `t` are `TILE_BYTES`
apart. Lanes of b's vectors run over contiguous memory; the last vector is read under a mask.

The rows of a tile are read at ``a + r * step``. Their addresses take a pointer for every three rows
and two registers, step and twice the step, so that 14 rows fit the 16 registers of x86.
"""

from __future__ import annotations

from fxla.core.records import dataclass
from fxla.loops.ir import DType
from fxla.loops.native_builder import Builder
from fxla.loops.native_instructions import BITS, Value, llvm_type
from fxla.loops.native_isa import Isa
from fxla.loops.native_ops import register_type
from fxla.loops.native_shuffles import transpose

__all__ = [
    "BLOCKS",
    "BLOCK_DEPTH",
    "LAID_STEP",
    "STEPS",
    "TILE_BYTES",
    "TILE_DTYPES",
    "TILE_PREFIX",
    "TileShape",
    "tile_columns",
    "tile_functions",
    "tile_shape",
    "tile_symbols",
]

TILE_BYTES = 2112
"""Bytes from row to row of the results that a chunk of work has in fast memory: those of a chunk
and a line more, so that rows do not fight for one place in the cache."""
BLOCK_DEPTH = 256
"""Terms that are summed before the next block of operands is put in fast memory."""
LAID_STEP = BLOCK_DEPTH * 8 + 64
"""Bytes between the rows that `lay` writes."""
BLOCKS = ("product", "levels")
"""The functions of `fxla.loops.native_blocks`, which are in the same module."""
TILE_PREFIX = "fxla.tiles."
"""What the names of all functions of these modules start with."""
TILE_DTYPES = ("float32", "float64")
"""What tiles are made of."""

STEPS = {
    name: k
    for k, name in enumerate(
        ("rows", "inner_a", "inner_b", "inner", "outer_a", "outer_b", "outer", "mask", "first")
    )
}
"""Name and number of the 8-byte slots of `steps`: strides in bytes, counts, lanes of b's end, and
whether there are no sums yet."""

_ROWS = {1: (1, 4), 2: (1, 2, 4, 7, 8, 10, 12)}
"""Rows of the tiles that there are beside the largest ones, for one and two vectors; other numbers
take several."""
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


def tile_shape(isa: Isa, dtype: DType) -> TileShape:
    """The tile that fills the registers: 14 x 2 vectors in 32 of them, 6 x 2 in 16.

    Example:
        >>> import numpy as np
        >>> from fxla.loops.native_isa import AVX2, AVX512
        >>> tile_shape(AVX512, np.dtype("f4")), tile_shape(AVX2, np.dtype("f8"))
        (TileShape(rows=14, vectors=2, lanes=16), TileShape(rows=6, vectors=2, lanes=4))
    """
    rows = 14 if isa.vector_bytes == 64 else 6 if isa.vector_bytes == 32 else 5
    return TileShape(rows, 2, isa.vector_bytes // dtype.itemsize)


def tile_symbols(dtype: DType, isa: Isa) -> dict[str, str]:
    """The names under which the functions of a module are linked."""
    kind = f"{register_type(dtype)}.{isa.name}"
    names = ("tile", "pack", "lay", "square", *BLOCKS)
    return {name: f"{TILE_PREFIX}{name}.{kind}" for name in names}


def tile_functions(dtype: DType, isa: Isa, declared: dict[str, None]) -> list[str]:
    """The functions described above; what they declare is added to `declared`."""
    shape = tile_shape(isa, dtype)
    kind = register_type(dtype)
    names = tile_symbols(dtype, isa)
    return [
        _tile(names["tile"], kind, shape, declared),
        _pack(names["pack"], kind, shape, declared),
        _lay(names["lay"], kind, shape, declared),
        _square(names["square"], kind, shape, declared),
    ]


_PARAMETERS = "ptr %t, ptr %a, ptr %b, ptr %steps"


class _Function:
    """What the printers below share: typed loads and stores of one element kind."""

    def __init__(self, kind: str, lanes: int) -> None:
        self.b = Builder()
        self.kind = kind
        self.lanes = lanes
        self.size = BITS[kind] // 8
        self.vector = llvm_type(kind, lanes)

    def param(self, name: str, kind: str = "ptr") -> Value:
        return Value(self.b, f"%{name}", kind)

    def moved(self, p: Value, nbytes: Value | int) -> Value:
        if isinstance(nbytes, int):
            nbytes = self.b.constant(nbytes, "i64")
        return self.b.gep(p, "i8", nbytes)

    def load(self, p: Value, mask: Value | None = None) -> Value:
        t = self.vector
        if mask is None:
            text = f"load {t}, {p.text}, align {self.size}"
        else:
            symbol = f"@llvm.masked.load.v{self.lanes}{self.kind}.p0"
            self.b.declared[f"declare {t} {symbol}(ptr, <{self.lanes} x i1>, {t})"] = None
            operands = f"ptr align {self.size} {p.name}, {mask.text}, {t} zeroinitializer"
            text = f"call {t} {symbol}({operands})"
        return self.b.emit_here(text, self.kind, self.lanes)

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

    def mask_below(self, count: Value) -> Value:
        """The first `count` lanes, all if there are more."""
        few = self.b.intrinsic("smin", count, self.lanes)
        return self.b.lanes("i32", self.lanes).cmp("slt", self.b.convert("trunc", few, "i32"))

    def finish(self, name: str, params: str, declared: dict[str, None]) -> str:
        text = self.b.function(name, params)
        declared.update(self.b.declared)
        return text


def _tile(name: str, kind: str, shape: TileShape, declared: dict[str, None]) -> str:
    """The function that runs the tallest tile there is until all rows are done."""
    f = _Function(kind, shape.lanes)
    b = f.b
    t, a, right, steps = (f.param(n) for n in ("t", "a", "b", "steps"))
    rows, vectors = (f.param(n, "i64") for n in ("rows", "vectors"))
    slots = {name: f.slot(steps, name) for name in STEPS}
    mask = f.mask_below(slots["mask"])
    plain = _Steps(slots, mask)

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
    return f.finish(name, f"{_PARAMETERS}, i64 %rows, i64 %vectors", declared)


@dataclass(frozen=True, slots=True)
class _Steps:
    """What all tiles of a call have in common: the slots of `steps`, and lanes of b's end."""

    slots: dict[str, Value]
    mask: Value


@dataclass(frozen=True, slots=True)
class _Block:
    """One tile: its size, and where its results and operands begin."""

    rows: int
    vectors: int
    t: Value
    a: Value
    b: Value


def _block(f: _Function, shape: TileShape, tile: _Block, steps: _Steps) -> None:
    """Sums of one tile in registers."""
    b, rows, vectors, slots, mask = f.b, tile.rows, tile.vectors, steps.slots, steps.mask
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
        columns = [f.load(p, mask if v == vectors - 1 else None) for v, p in enumerate(lane)]
        out = []
        for r in range(rows):
            p = pointers[r // _GROUP]
            if r % _GROUP:
                p = f.moved(p, row if r % _GROUP == 1 else twice)
            x = b.splat(f.scalar(p), shape.lanes)
            out += [b.fma(x, columns[v], sums[r * vectors + v]) for v in range(vectors)]
        return [*(f.moved(p, inner_a) for p in pointers), f.moved(at_b, inner_b), *out]

    def line(_: Value, carried: list[Value]) -> list[Value]:
        at_a, at_b, *sums = carried
        starts = [f.moved(at_a, row * (_GROUP * g)) for g in range(groups)]
        sums = b.loop(zero, slots["inner"], 1, [*starts, at_b, *sums], step)[groups + 1 :]
        return [f.moved(at_a, slots["outer_a"]), f.moved(at_b, slots["outer_b"]), *sums]

    none = b.constant(0.0, f.kind, shape.lanes)
    first = b.branch(
        slots["first"].cmp("ne", 0),
        lambda: [none] * len(places),
        lambda: [f.load(p) for p in places],
    )
    sums = b.loop(zero, slots["outer"], 1, [tile.a, tile.b, *first], line)[2:]
    for p, x in zip(places, sums, strict=True):
        f.store(x, p)


def _pack(name: str, kind: str, shape: TileShape, declared: dict[str, None]) -> str:
    f = _Function(kind, shape.lanes)
    b = f.b
    to, source = f.param("to"), f.param("from")
    count, step, columns = (f.param(n, "i64") for n in ("count", "step", "columns"))
    zero = b.constant(0, "i64")

    def panel(at: Value, carried: list[Value]) -> list[Value]:
        left = columns - at
        masks = [f.mask_below(left - v * shape.lanes) for v in range(shape.vectors)]

        def line(_: Value, pointers: list[Value]) -> list[Value]:
            here, there = pointers
            for v, m in enumerate(masks):
                offset = v * shape.lanes * f.size
                f.prefetch(f.moved(there, offset + shape.panel * f.size))  # of the next panel
                f.store(f.load(f.moved(there, offset), m), f.moved(here, offset))
            return [f.moved(here, shape.panel * f.size), f.moved(there, step)]

        first = f.moved(source, at * f.size)
        return [b.loop(zero, count, 1, [carried[0], first], line)[0]]

    b.loop(zero, columns, shape.panel, [to], panel)
    params = "ptr %to, ptr %from, i64 %count, i64 %step, i64 %columns"
    return f.finish(name, params, declared)


def _lay(name: str, kind: str, shape: TileShape, declared: dict[str, None]) -> str:
    f = _Function(kind, shape.lanes)
    b = f.b
    to, source = f.param("to"), f.param("from")
    rows, step, count = (f.param(n, "i64") for n in ("rows", "step", "count"))
    zero = b.constant(0, "i64")

    def line(_: Value, pointers: list[Value]) -> list[Value]:
        here, there = pointers

        def part(at: Value, _: list[Value]) -> list[Value]:
            offset = at * f.size
            m = f.mask_below(count - at)
            f.prefetch(f.moved(f.moved(there, offset), rows * step))  # of the next block of rows
            f.store(f.load(f.moved(there, offset), m), f.moved(here, offset))
            return []

        b.loop(zero, count, shape.lanes, [], part)
        return [f.moved(here, LAID_STEP), f.moved(there, step)]

    b.loop(zero, rows, 1, [to, source], line)
    params = "ptr %to, ptr %from, i64 %rows, i64 %step, i64 %count"
    return f.finish(name, params, declared)


def _square(name: str, kind: str, shape: TileShape, declared: dict[str, None]) -> str:
    f = _Function(kind, shape.lanes)
    to, source = f.param("to"), f.param("from")
    step_to, step = f.param("step_to", "i64"), f.param("step", "i64")
    rows = [f.load(f.moved(source, step * r)) for r in range(shape.lanes)]
    for r, x in enumerate(transpose(f.b, rows)):
        f.store(x, f.moved(to, step_to * r))
    return f.finish(name, "ptr %to, ptr %from, i64 %step_to, i64 %step", declared)
