"""Narrow integers on their way into tiles: as pairs of terms, side by side in 32 bits.

A sum of products of int8, uint8 or int16 numbers in 32 bits takes two terms at a time: an element
of a tile is a pair of int16, which one instruction multiplies with another pair and adds up.
Numbers are widened and paired where operands are moved to fast memory anyway, so that no wider copy
of an operand is ever made. For each of these dtypes there are

    pack.dtype(ptr to, ptr from, i64 terms, i64 step, i64 columns)
        columns of a matrix as panels of `panel` columns of pairs, filled with zeros
    lay.dtype(ptr to, ptr from, i64 rows, i64 step, i64 terms, i64 inner)
        rows of a matrix as rows of pairs, `laid_step` apart; terms may be apart, too

Of an odd number of terms, the last is paired with zero. The products of int16 numbers are those of
https://www.intel.com/content/www/us/en/docs/intrinsics-guide (``_mm512_madd_epi16``), whose sum
wraps around like NumPy's.
"""

from __future__ import annotations

import numpy as np

from fxla.loops.native.instructions import BITS, Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.tiles import TileFunction, laid_step, tile_shape, tile_symbols
from fxla.loops.tile_kinds import NARROW, TileKind

__all__ = ["pair_functions"]


def pair_functions(kind: TileKind, isa: Isa, declared: dict[str, None]) -> list[str]:
    """The functions described above; none for tiles of other elements."""
    if not kind.pairs:
        return []
    names = tile_symbols(kind, isa)
    texts = []
    for name in NARROW:
        for printed, what in ((_pack, "pack"), (_lay, "lay")):
            f = _Narrow(kind, isa, name)
            texts.append(printed(f, names[f"{what}.{name}"]))
            declared.update(f.b.declared)
    return texts


class _Narrow(TileFunction):
    """A function that reads elements of one narrow dtype."""

    def __init__(self, kind: TileKind, isa: Isa, name: str) -> None:
        super().__init__(kind, isa)
        dtype = np.dtype(name)
        self.panel = tile_shape(isa, kind).panel
        self.narrow = f"i{8 * dtype.itemsize}"
        self.nbytes = dtype.itemsize
        self.extend = "zext" if dtype.kind == "u" else "sext"

    def widened(self, v: Value, kind: str) -> Value:
        return v if BITS[v.type] == BITS[kind] else self.b.convert(self.extend, v, kind)

    def paired(self, low: Value, high: Value) -> Value:
        """Two numbers of 32 bits, of which 16 count, as a pair."""
        return (low & 0xFFFF) | (high << 16)

    def term(self, p: Value) -> Value:
        """One number, as 32 bits."""
        text = f"load {self.narrow}, {p.text}, align {self.nbytes}"
        return self.widened(self.b.emit_here(text, self.narrow), "i32")


def _pack(f: _Narrow, name: str) -> str:
    b, lanes, vectors = f.b, f.lanes, f.panel // f.lanes
    to, source = f.param("to"), f.param("from")
    terms, step, columns = (f.param(n, "i64") for n in ("terms", "step", "columns"))
    zero = b.constant(0, "i64")

    def panel(at: Value, carried: list[Value]) -> list[Value]:
        left = columns - at
        tails = [f.tail(left - v * lanes) for v in range(vectors)]

        def line(k: Value, pointers: list[Value]) -> list[Value]:
            here, there = pointers
            both = (k + 1).cmp("slt", terms)
            second = f.moved(there, b.select(both, step, zero))  # which counts for nothing there
            counts = b.splat(b.select(both, b.constant(-1, "i32"), 0), lanes)
            for v, tail in enumerate(tails):
                offset = v * lanes
                low, high = (
                    f.widened(f.load(f.moved(p, offset * f.nbytes), tail, f.narrow), "i32")
                    for p in (there, second)
                )
                f.store(f.paired(low, high & counts), f.moved(here, offset * f.size))
            return [f.moved(here, f.panel * f.size), f.moved(there, step * 2)]

        first = f.moved(source, at * f.nbytes)
        return [b.loop(zero, terms, 2, [carried[0], first], line)[0]]

    b.loop(zero, columns, f.panel, [to], panel)
    return b.function(name, "ptr %to, ptr %from, i64 %terms, i64 %step, i64 %columns")


def _lay(f: _Narrow, name: str) -> str:
    b = f.b
    to, source = f.param("to"), f.param("from")
    rows, step, terms, inner = (f.param(n, "i64") for n in ("rows", "step", "terms", "inner"))
    zero, lanes = b.constant(0, "i64"), 2 * f.lanes

    def side_by_side(here: Value, there: Value) -> list[Value]:
        def part(at: Value, _: list[Value]) -> list[Value]:
            tail = f.tail(terms - at, lanes)
            found = f.load(f.moved(there, at * f.nbytes), tail, f.narrow, lanes)
            f.store(f.widened(found, "i16"), f.moved(here, at * 2))
            return []

        b.loop(zero, terms, lanes, [], part)
        return []

    def apart(here: Value, there: Value) -> list[Value]:
        def pair(at: Value, p: list[Value]) -> list[Value]:
            both = (at + 1).cmp("slt", terms)
            high = f.term(f.moved(p[0], b.select(both, inner, zero)))
            value = f.paired(f.term(p[0]), b.select(both, high, 0))
            f.store(value, f.moved(here, at * 2))
            return [f.moved(p[0], inner * 2)]

        b.loop(zero, terms, 2, [there], pair)
        return []

    def line(_: Value, pointers: list[Value]) -> list[Value]:
        here, there = pointers
        b.branch(
            inner.cmp("eq", f.nbytes),
            lambda: side_by_side(here, there),
            lambda: apart(here, there),
        )
        return [f.moved(here, laid_step(f.size)), f.moved(there, step)]

    b.loop(zero, rows, 1, [to, source], line)
    return b.function(name, "ptr %to, ptr %from, i64 %rows, i64 %step, i64 %terms, i64 %inner")
