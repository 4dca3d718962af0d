"""Vector lines: many lines of numbers at once, one in each lane, and their Fourier transforms.

A vector line lies in scratch memory: for each element a vector of real parts and one of imaginary
parts. `LineModule` prints the functions that transform it by passes, and that bring columns, rows
and real lines of arrays there and back; `fxla.loops.native.fourier` calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxla.loops.native.builder import Builder
from fxla.loops.native.butterflies import Complex, real_pair, small_transform, times
from fxla.loops.native.instructions import BITS, Value, llvm_type
from fxla.loops.native.shuffles import deinterleave, interleave, transpose

__all__ = ["FOURIER_PASSES", "LineFunction", "LineModule"]

FOURIER_PASSES = (
    (7, False), (5, False), (3, False), (8, False), (4, False), (2, False),
    (8, True), (4, True), (2, True),
)  # fmt: skip
"""Radices of passes, and whether it is a last one, whose roots are all 1."""


class LineFunction:
    """One function: parameters, typed memory, calls."""

    def __init__(self, kind: str, lanes: int, parameters: str) -> None:
        """Parameters are spelled ``ptr a, i64 b``."""
        self.b = Builder()
        self.kind, self.lanes = kind, lanes
        self.size = BITS[kind] // 8
        self.bytes = self.size * lanes
        self.parameters = [(p.split()[0], p.split()[1]) for p in parameters.split(", ")]
        self.given = {n: Value(self.b, f"%{n}", k) for k, n in self.parameters}

    def __getitem__(self, name: str) -> Value:
        return self.given[name]

    def number(self, n: int) -> Value:
        return self.b.constant(n, "i64")

    def at(self, p: Value, offset: Value | int) -> Value:
        """The address some bytes on."""
        return self.b.gep(p, "i8", self.number(offset) if isinstance(offset, int) else offset)

    def integer(self, p: Value, slot: int) -> Value:
        return self.b.emit_here(f"load i64, {self.at(p, 8 * slot).text}, align 8", "i64")

    def pointer(self, p: Value, slot: int) -> Value:
        return self.b.emit_here(f"load ptr, {self.at(p, 8 * slot).text}, align 8", "ptr")

    def scalar(self, p: Value) -> Value:
        t = llvm_type(self.kind)
        return self.b.emit_here(f"load {t}, {p.text}, align {self.size}", self.kind)

    def put_scalar(self, v: Value, p: Value) -> None:
        self.b.effect(f"store {v.text}, {p.text}, align {self.size}")

    def load(self, p: Value, mask: Value | None = None, align: int = 0) -> Value:
        t = llvm_type(self.kind, self.lanes)
        if mask is None:
            text = f"load {t}, {p.text}, align {align or self.size}"
        else:
            symbol = f"@llvm.masked.load.v{self.lanes}{self.kind}.p0"
            self.b.declared[f"declare {t} {symbol}(ptr, <{self.lanes} x i1>, {t})"] = None
            operands = f"ptr align {self.size} {p.name}, {mask.text}, {t} zeroinitializer"
            text = f"call {t} {symbol}({operands})"
        return self.b.emit_here(text, self.kind, self.lanes)

    def store(self, v: Value, p: Value, mask: Value | None = None, align: int = 0) -> None:
        if mask is None:
            self.b.effect(f"store {v.text}, {p.text}, align {align or self.size}")
            return
        t = llvm_type(self.kind, self.lanes)
        symbol = f"@llvm.masked.store.v{self.lanes}{self.kind}.p0"
        self.b.declared[f"declare void {symbol}({t}, ptr, <{self.lanes} x i1>)"] = None
        text = f"call void {symbol}({v.text}, ptr align {self.size} {p.name}, {mask.text})"
        self.b.effect(text)

    def load_element(self, p: Value) -> Complex:
        """An element of a vector line."""
        return self.load(p, align=self.bytes), self.load(self.at(p, self.bytes), align=self.bytes)

    def store_element(self, x: Complex, p: Value, re: Value | int, im: Value | int) -> None:
        for part, offset in zip(x, (re, im), strict=True):
            self.store(part, self.at(p, offset), align=self.bytes)

    def masks(self, count: Value) -> tuple[Value, Value]:
        """The lanes of two vectors that hold `count` complex numbers."""
        lanes = self.b.lanes("i32", self.lanes)
        both = self.b.convert("trunc", count * 2, "i32")
        return lanes.cmp("slt", both), lanes.cmp("slt", both - self.lanes)

    def load_complex(self, p: Value, masks: Sequence[Value] = ()) -> Complex:
        """As many complex numbers as there are lanes, their parts apart."""
        pair = [
            self.load(self.at(p, self.bytes * k), masks[k] if masks else None) for k in range(2)
        ]
        places = range(2 * self.lanes)
        return deinterleave(self.b, pair, places[::2]), deinterleave(self.b, pair, places[1::2])

    def store_complex(self, x: Complex, p: Value, masks: Sequence[Value] = ()) -> None:
        for k, v in enumerate(interleave(self.b, x)):
            self.store(v, self.at(p, self.bytes * k), masks[k] if masks else None)

    def when(self, condition: Value, then: Callable[[], None], other: Callable[[], None]) -> None:
        def arm(run: Callable[[], None]) -> Callable[[], list[Value]]:
            def printed() -> list[Value]:
                run()
                return []

            return printed

        self.b.branch(condition, arm(then), arm(other))

    def repeat(self, low: Value, high: Value, step: int, body: Callable[[Value], None]) -> None:
        def once(i: Value, _: list[Value]) -> list[Value]:
            body(i)
            return []

        self.b.loop(low, high, step, [], once)

    def call(self, name: str, *args: Value) -> None:
        self.b.effect(f'call void @"{name}"({", ".join(a.text for a in args)})')

    def least(self, x: Value, y: Value | int) -> Value:
        return self.b.intrinsic("smin", x, y)

    def finish(self, name: str, result: Value | None = None) -> str:
        spelled = ", ".join(f"{k} %{n}" for k, n in self.parameters)
        return self.b.function(name, spelled, result)


class LineModule:
    """The functions of one module, each after those that it calls."""

    def __init__(self, kind: str, lanes: int) -> None:
        self.kind, self.lanes = kind, lanes
        self.declared: dict[str, None] = {}
        self.functions: list[str] = []

    def function(self, parameters: str) -> LineFunction:
        return LineFunction(self.kind, self.lanes, parameters)

    def add(
        self, f: LineFunction, name: str, own: bool = True, result: Value | None = None
    ) -> None:
        text = f.finish(name, result)
        self.declared.update(f.b.declared)
        if own and result is None:
            text = text.replace("define void", "define internal void", 1)
        self.functions.append(text)

    # --- vector lines ---

    def add_pass(self, radix: int, last: bool) -> None:
        """One pass; the last one's ido is 1, so its roots are all 1."""
        f = self.function("ptr from, ptr to, ptr roots, i64 l1, i64 ido")
        b = f.b
        element = 2 * f.bytes
        step_in = f["ido"] * element
        step_out = f["l1"] * step_in
        size = 2 * f.size

        def column(i: Value) -> None:
            roots: list[Complex] = []
            if not last:
                start = f.at(f["roots"], i * (size * (radix - 1)))
                for j in range(radix - 1):
                    at = f.at(start, size * j)
                    parts = f.scalar(at), f.scalar(f.at(at, f.size))
                    roots.append((b.splat(parts[0], f.lanes), b.splat(parts[1], f.lanes)))
            offset = i * element

            def butterfly(k: Value) -> None:
                first = f.at(f["from"], offset + step_in * radix * k)
                x = [f.load_element(f.at(first, step_in * q)) for q in range(radix)]
                y = small_transform(f.b, x)
                here = f.at(f["to"], offset + step_in * k)
                for j, v in enumerate(y):
                    if j and roots:
                        v = times(v, roots[j - 1])
                    f.store_element(v, f.at(here, step_out * j), 0, f.bytes)

            f.repeat(f.number(0), f["l1"], 1, butterfly)

        f.repeat(f.number(0), f["ido"], 1, column)
        self.add(f, _pass_name(radix, last))

    def add_choice(self) -> None:
        """The pass of a kind, its position in `FOURIER_PASSES`."""
        parameters = "ptr %from, ptr %to, ptr %roots, i64 %l1, i64 %ido"
        names = [_pass_name(*kind) for kind in FOURIER_PASSES]
        cases = " ".join(f"i64 {k}, label %is{k}" for k in range(len(names)))
        lines = [f"define internal void @pass(i64 %kind, {parameters}) nounwind {{"]
        lines.append(f"  switch i64 %kind, label %none [{cases}]")
        for k, name in enumerate(names):
            lines += [f"is{k}:", f'  call void @"{name}"({parameters})', "  ret void"]
        self.functions.append("\n".join([*lines, "none:", "  unreachable", "}"]))

    def add_line(self) -> None:
        """All passes of a vector line; gives the place of the result, `one` or `two`."""
        f = self.function("ptr list, ptr one, ptr two")
        count = f.integer(f["list"], 0)

        def one_pass(i: Value, places: list[Value]) -> list[Value]:
            entry = f.at(f["list"], i * 32 + 8)
            kind, l1, ido, roots = (f.integer(entry, k) for k in range(4))
            f.call("pass", kind, *places, f.at(f["list"], roots), l1, ido)
            return places[::-1]

        result = f.b.loop(f.number(0), count, 1, [f["one"], f["two"]], one_pass)[0]
        self.add(f, "line", result=result)

    # --- to vector lines and back ---

    def add_load_columns(self) -> None:
        """`columns` neighbouring columns of `n` rows `step` bytes apart, as a vector line."""
        f = self.function("ptr from, i64 step, i64 n, i64 columns, ptr to, i64 re, i64 im")

        def move(masks: Sequence[Value]) -> Callable[[], None]:
            def row(k: Value) -> None:
                x = f.load_complex(f.at(f["from"], k * f["step"]), masks)
                f.store_element(x, f.at(f["to"], k * (2 * f.bytes)), f["re"], f["im"])

            return lambda: f.repeat(f.number(0), f["n"], 1, row)

        masks = f.masks(f["columns"])
        f.when(f["columns"].cmp("eq", f.lanes), move(()), move(masks))
        self.add(f, "load_columns")

    def add_store_columns(self) -> None:
        """A vector line, times `scale`, as columns."""
        parameters = "ptr to, i64 step, i64 n, i64 columns, ptr from, i64 re, i64 im, ptr scale"
        f = self.function(parameters)
        scale = f.b.splat(f.scalar(f["scale"]), f.lanes)

        def move(masks: Sequence[Value]) -> Callable[[], None]:
            def row(k: Value) -> None:
                p = f.at(f["from"], k * (2 * f.bytes))
                parts = [f.load(f.at(p, f[x]), align=f.bytes) * scale for x in ("re", "im")]
                f.store_complex((parts[0], parts[1]), f.at(f["to"], k * f["step"]), masks)

            return lambda: f.repeat(f.number(0), f["n"], 1, row)

        masks = f.masks(f["columns"])
        f.when(f["columns"].cmp("eq", f.lanes), move(()), move(masks))
        self.add(f, "store_columns")

    def _row_places(self, f: LineFunction, start: Value) -> list[Value]:
        """Where each lane's line starts; those beyond the last are the last again."""
        last = f["rows"] - 1
        return [
            f.at(start, f.least(f.number(r), last) * f["step"] if r else 0)
            for r in range(self.lanes)
        ]

    def add_load_rows(self) -> None:
        """`rows` lines of `n` elements, `step` bytes apart, as a vector line."""
        f = self.function("ptr from, i64 step, i64 n, i64 rows, ptr to, i64 re, i64 im")
        places = self._row_places(f, f["from"])

        def square(k: Value) -> None:
            masks = f.masks(f.least(f["n"] - k, f.lanes))
            rows = [f.load_complex(f.at(p, k * (2 * f.size)), masks) for p in places]
            parts = [transpose(f.b, [x[part] for x in rows]) for part in range(2)]
            for c in range(f.lanes):
                to = f.at(f["to"], (k + c) * (2 * f.bytes))
                f.store_element((parts[0][c], parts[1][c]), to, f["re"], f["im"])

        f.repeat(f.number(0), f["n"], f.lanes, square)
        self.add(f, "load_rows")

    def add_store_rows(self) -> None:
        """A vector line, times `scale`, as lines.

        Lanes without a line write where the last line lies, before it is written.
        """
        parameters = "ptr to, i64 step, i64 n, i64 rows, ptr from, i64 re, i64 im, ptr scale"
        f = self.function(parameters)
        places = self._row_places(f, f["to"])
        scale = f.b.splat(f.scalar(f["scale"]), f.lanes)

        def square(k: Value) -> None:
            masks = f.masks(f.least(f["n"] - k, f.lanes))
            first = f.at(f["from"], k * (2 * f.bytes))
            elements = [f.at(first, c * (2 * f.bytes)) for c in range(f.lanes)]
            parts = [
                transpose(f.b, [f.load(f.at(p, f[x]), align=f.bytes) * scale for p in elements])
                for x in ("re", "im")
            ]
            for r in reversed(range(f.lanes)):
                to = f.at(places[r], k * (2 * f.size))
                f.store_complex((parts[0][r], parts[1][r]), to, masks)

        f.repeat(f.number(0), f["n"], f.lanes, square)
        self.add(f, "store_rows")

    def add_twist(self) -> None:
        """A vector line times roots, element by element."""
        f = self.function("ptr line, i64 n, ptr roots")

        def element(k: Value) -> None:
            offset = k * (2 * f.bytes)
            p = f.at(f["line"], offset)
            x = times(f.load_element(p), f.load_element(f.at(f["roots"], offset)))
            f.store_element(x, p, 0, f.bytes)

        f.repeat(f.number(0), f["n"], 1, element)
        self.add(f, "twist")

    # --- real lines ---

    def add_real(self, after: bool) -> None:
        """The spectrum X of n real numbers from Z, that of n / 2 complex ones, or twice Z from X.

        after: in place. The roots are those of k = 1, 2, ..., a vector of real and one of imaginary
        parts in turn.
        """
        f = self.function("ptr from, ptr to, i64 m, ptr roots")
        b, m, size = f.b, f["m"], 2 * f.size
        ends = [f.at(f[x], m * size) for x in ("from", "to")]
        first = f.scalar(f["from"])
        other = f.scalar(f.at(f["from"], f.size) if after else ends[0])
        f.put_scalar(first + other, f["to"])
        f.put_scalar(first - other, ends[1] if after else f.at(f["to"], f.size))
        if after:
            zero = b.constant(0.0, f.kind)
            f.put_scalar(zero, f.at(f["to"], f.size))
            f.put_scalar(zero, f.at(ends[1], f.size))
        middle = (m >> 1) + 1
        lanes = b.lanes("i32", f.lanes)

        def vector(k: Value) -> None:
            count = f.least(middle - k, f.lanes)
            masks = f.masks(count)
            skipped = b.convert("trunc", (f.number(f.lanes) - count) * 2, "i32")
            mirrored = lanes.cmp("sge", skipped), (lanes + f.lanes).cmp("sge", skipped)
            here = k * size
            there = (m - k - (f.lanes - 1)) * size
            x = f.load_complex(f.at(f["from"], here), masks)
            y = f.load_complex(f.at(f["from"], there), mirrored)
            y = b.reverse(y[0]), -b.reverse(y[1])
            root = f.load_element(f.at(f["roots"], (k - 1) * size))
            low, high = real_pair(b, x, y, root, after)
            f.store_complex(low, f.at(f["to"], here), masks)
            back = b.reverse(high[0]), b.reverse(high[1])
            f.store_complex(back, f.at(f["to"], there), mirrored)

        f.repeat(f.number(1), middle, f.lanes, vector)
        self.add(f, "after" if after else "before")

    def add_real_lines(self, after: bool) -> None:
        """The same for a vector line; before: with its parts at `re` and `im` afterwards."""
        f = self.function("ptr line, i64 m, ptr roots, i64 re, i64 im")
        b, m, element = f.b, f["m"], 2 * f.bytes
        end = f.at(f["line"], m * element)
        first = f.load_element(f["line"])
        other = first[1] if after else f.load_element(end)[0]
        zero = b.constant(0.0, f.kind, f.lanes)
        parts = first[0] + other, first[0] - other
        if after:
            f.store_element((parts[0], zero), f["line"], 0, f.bytes)
            f.store_element((parts[1], zero), end, 0, f.bytes)
        else:
            f.store_element(parts, f["line"], f["re"], f["im"])

        def pair(k: Value) -> None:
            here, there = (f.at(f["line"], at * element) for at in (k, m - k))
            x, y = f.load_element(here), f.load_element(there)
            j = k - 1
            lane = j & (f.lanes - 1)
            at = f.at(f["roots"], (j - lane) * (2 * f.size) + lane * f.size)
            root = b.splat(f.scalar(at), f.lanes), b.splat(f.scalar(f.at(at, f.bytes)), f.lanes)
            low, high = real_pair(b, x, (y[0], -y[1]), root, after)
            places = (f.number(0), f.number(f.bytes)) if after else (f["re"], f["im"])
            f.store_element(low, here, *places)
            f.store_element(high, there, *places)

        f.repeat(f.number(1), (m >> 1) + 1, 1, pair)
        self.add(f, "lines_after" if after else "lines_before")


def _pass_name(radix: int, last: bool) -> str:
    return f"{'last' if last else 'pass'}.{radix}"
