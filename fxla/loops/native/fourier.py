"""Fourier transforms of smooth lengths, as one LLVM module for each precision and instruction set.

Lanes of vectors hold different lines, never parts of one, so a transform of A lines is the textbook
one with vectors for numbers, and every length costs the same. A *vector line* lies in scratch
memory: for each element a vector of real parts and one of imaginary parts. It is transformed by
Stockham's passes of radix 7, 5, 3, 8, 4 and 2 (Van Loan, *Computational Frameworks for the Fast
Fourier Transform*, 1992), from one scratch line to another and back:

    y[i + ido (k + l1 j)] = w_n^(i j l1) * sum over q of x[i + ido (q + r k)] w_r^(q j)

Three jobs, ``name(ptr args, i64 begin, i64 end)``, bring lines there and back (`FOURIER_SLOTS` are
the 8-byte slots at `args`; begin and end count units):

    columns  [outer, n, inner]: a unit is a vector of neighbouring columns, which need no transpose
    rows     [lines, n], n small: a unit is as many lines as a vector has lanes, transposed in
             registers on their way
    split    [lines, n], n = A B: a unit is one line, read as [A, B]: its columns are transformed,
             multiplied by w_n^(a b), written transposed to the target; then the columns of that
             (Bailey's four steps)

A real line of n numbers is a complex one of n / 2, with a pass over its spectrum after (RFFT) or
before (IRFFT) the transform. The inverse transform is the forward one with real and imaginary parts
exchanged on the way to scratch memory and back.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fxla.loops.ir import DType
from fxla.loops.native.instructions import Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.ops import register_type
from fxla.loops.native.sources import source_key
from fxla.loops.native.vector_lines import FOURIER_PASSES, LineFunction, LineModule

__all__ = [
    "FOURIER_JOBS",
    "FOURIER_SLOTS",
    "REAL_AFTER",
    "REAL_BEFORE",
    "fourier_key",
    "fourier_symbol",
    "fourier_symbols",
    "print_fourier",
]

FOURIER_JOBS = ("columns", "rows", "split")
FOURIER_SOURCES = (
    "loops/native/builder", "loops/native/butterflies", "loops/native/fourier",
    "loops/native/instructions", "loops/native/isa", "loops/native/ops", "loops/native/shuffles",
    "loops/native/special", "loops/native/vector_lines",
)  # fmt: skip
"""The modules that decide what `print_fourier` prints."""
REAL_AFTER, REAL_BEFORE = 1, 2
"""Values of slot `real`: there is a pass for real lines after, or before, the transform."""

FOURIER_SLOTS = {
    name: k
    for k, name in enumerate(
        (
            "source", "target", "scratch", "table", "scale", "one", "real", "length", "a", "b",
            "first", "second", "twist", "roots", "re", "im", "lines", "line_in", "line_out",
            "outer", "inner", "half", "chunk", "line_at", "grain",
        )
    )
}  # fmt: skip
"""Name and number of each argument slot.

scale, one: the bits of the factor of results, and of 1, floats of the precision. length: complex
elements of a line. a, b: of `split`. first, second: offsets in the table of the lists of passes of
vector lines (count, then for each: kind, l1, ido, offset of its roots from the list). twist, roots:
offsets of w^(a b), by vectors, and of the roots of real lines. re, im: 0 and the bytes of a vector,
exchanged for the inverse. line_in, line_out: bytes from line to line; for `columns` line_in is the
bytes of a row of columns and `outer` those of n rows. half: bytes of a scratch line. chunk: bytes
of scratch memory of a chunk of `grain` units, in which `line_at` is the offset of lines for
REAL_BEFORE.
"""


def fourier_symbol(job: str, dtype: DType, isa: Isa) -> str:
    """The name of a job for a real dtype."""
    return f"fxla.fourier.{job}.{register_type(dtype)}.{isa.name}"


def fourier_symbols(dtype: DType, isa: Isa) -> tuple[str, ...]:
    """The names of all jobs."""
    return tuple([fourier_symbol(job, dtype, isa) for job in FOURIER_JOBS])


def fourier_key(dtype: DType, isa: Isa) -> str:
    """Stands for what `print_fourier` prints, so that it is found without printing.

    It holds the hash of the source that prints; an installation without sources prints.
    """
    names = "\n".join(fourier_symbols(dtype, isa))
    return source_key(FOURIER_SOURCES, names, lambda: print_fourier(dtype, isa))


def print_fourier(dtype: DType, isa: Isa) -> str:
    """The module described above."""
    kind = register_type(dtype)
    module = _Module(kind, isa.vector_bytes // dtype.itemsize)
    for radix, last in FOURIER_PASSES:
        module.add_pass(radix, last)
    module.add_choice()
    module.add_line()
    module.add_load_columns()
    module.add_store_columns()
    module.add_load_rows()
    module.add_store_rows()
    module.add_twist()
    module.add_real(after=True)
    module.add_real(after=False)
    module.add_real_lines(after=True)
    module.add_real_lines(after=False)
    module.add_columns(fourier_symbol("columns", dtype, isa))
    module.add_rows(fourier_symbol("rows", dtype, isa))
    module.add_split(fourier_symbol("split", dtype, isa))
    return "\n".join([*module.declared, *module.functions, ""])


class _Module(LineModule):
    """The jobs, after what they call."""

    def _job(self) -> _Job:
        return _Job(self.kind, self.lanes)

    def add_columns(self, name: str) -> None:
        f = self._job()
        n, inner = f.slot("length"), f.slot("inner")
        slabs = f.slabs(inner)

        def unit(u: Value) -> None:
            o = f.b.bitwise("sdiv", u, slabs)
            column = (u - o * slabs) * f.lanes
            offset = o * f.slot("outer") + column * (2 * f.size)
            count = f.least(inner - column, f.lanes)
            step = f.slot("line_in")
            f.call("load_columns", f.at(f.source, offset), step, n, count, f.one, f.re, f.im)
            done = f.line("first")
            to = f.at(f.target, offset)
            f.call("store_columns", to, step, n, count, done, f.re, f.im, f.scale)

        f.units(unit)
        self.add(f, name, own=False)

    def add_rows(self, name: str) -> None:
        f = self._job()
        n, lines = f.slot("length"), f.slot("lines")
        step_in, step_out = f.slot("line_in"), f.slot("line_out")
        roots = f.at(f.table, f.slot("roots"))
        zero, vector = f.number(0), f.number(f.bytes)

        def unit(u: Value) -> None:
            first = u * f.lanes
            rows = f.least(lines - first, f.lanes)
            source = f.at(f.source, first * step_in)
            target = f.at(f.target, first * step_out)

            def real() -> None:
                f.call("load_rows", source, step_in, n + 1, rows, f.one, zero, vector)
                f.call("lines_before", f.one, n, roots, f.re, f.im)

            def given() -> None:
                f.call("load_rows", source, step_in, n, rows, f.one, f.re, f.im)

            f.when(f.is_real(REAL_BEFORE), real, given)
            done = f.line("first")
            is_after = f.is_real(REAL_AFTER)
            f.when(
                is_after, lambda: f.call("lines_after", done, n, roots, zero, vector), lambda: None
            )
            count = f.b.select(is_after, n + 1, n)
            f.call("store_rows", target, step_out, count, rows, done, f.re, f.im, f.scale)

        f.units(unit)
        self.add(f, name, own=False)

    def add_split(self, name: str) -> None:
        f = self._job()
        a, b = f.slot("a"), f.slot("b")
        zero, vector = f.number(0), f.number(f.bytes)
        size = 2 * f.size

        def unit(u: Value) -> None:
            source = f.at(f.source, u * f.slot("line_in"))
            target = f.at(f.target, u * f.slot("line_out"))

            def made() -> list[Value]:
                f.real("before", source, f.lines)
                return [f.lines]

            (start,) = f.b.branch(f.is_real(REAL_BEFORE), made, lambda: [source])

            def first(slab: Value) -> None:
                at = slab * f.lanes
                count = f.least(b - at, f.lanes)
                f.call(
                    "load_columns", f.at(start, at * size), b * size, a, count, f.one, f.re, f.im
                )
                done = f.line("first")
                roots = f.at(f.at(f.table, f.slot("twist")), slab * (2 * f.bytes) * a)
                to = f.at(target, at * a * size)
                f.call("twist", done, a, roots)
                f.call("store_rows", to, a * size, a, count, done, zero, vector, f.unit_scale)

            f.repeat(zero, f.slabs(b), 1, first)

            def second(slab: Value) -> None:
                at = slab * f.lanes
                count = f.least(a - at, f.lanes)
                place = f.at(target, at * size)
                f.call("load_columns", place, a * size, b, count, f.one, zero, vector)
                done = f.line("second")
                f.call("store_columns", place, a * size, b, count, done, f.re, f.im, f.scale)

            f.repeat(zero, f.slabs(a), 1, second)
            f.when(f.is_real(REAL_AFTER), lambda: f.real("after", target, target), lambda: None)

        f.units(unit)
        self.add(f, name, own=False)


class _Job(LineFunction):
    """A job: its slots, and its chunk's scratch memory."""

    def __init__(self, kind: str, lanes: int) -> None:
        super().__init__(kind, lanes, "ptr args, i64 begin, i64 end")
        self.slots: dict[str, Value] = {}
        for name in FOURIER_SLOTS:
            if name not in ("source", "target", "scratch", "table", "scale", "one"):
                self.slots[name] = self.integer(self["args"], FOURIER_SLOTS[name])
        self.source, self.target, self.table, scratch = (
            self.pointer(self["args"], FOURIER_SLOTS[name])
            for name in ("source", "target", "table", "scratch")
        )
        self.scale = self.at(self["args"], 8 * FOURIER_SLOTS["scale"])
        self.unit_scale = self.at(self["args"], 8 * FOURIER_SLOTS["one"])
        self.re, self.im = self.slot("re"), self.slot("im")
        number = self.b.bitwise("sdiv", self["begin"], self.slot("grain"))
        self.one = self.at(scratch, number * self.slot("chunk"))
        self.two = self.at(self.one, self.slot("half"))
        self.lines = self.at(self.one, self.slot("line_at"))

    def slot(self, name: str) -> Value:
        return self.slots[name]

    def slabs(self, n: Value) -> Value:
        """How many vectors of columns there are."""
        return (n + (self.lanes - 1)) >> int(math.log2(self.lanes))

    def is_real(self, which: int) -> Value:
        return self.slot("real").cmp("eq", which)

    def line(self, which: str) -> Value:
        """Transform the vector line at `one`; the place of the result."""
        passes = self.at(self.table, self.slot(which))
        operands = ", ".join(v.text for v in (passes, self.one, self.two))
        return self.b.emit_here(f'call ptr @"line"({operands})', "ptr")

    def real(self, which: str, source: Value, target: Value) -> None:
        roots = self.at(self.table, self.slot("roots"))
        self.call(which, source, target, self.slot("length"), roots)

    def units(self, body: Callable[[Value], None]) -> None:
        self.repeat(self["begin"], self["end"], 1, body)
