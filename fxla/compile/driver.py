"""A program as LLVM text: one function that runs all kernels, loops and branches.

    i32 @program(ptr objects, ptr arena, ptr functions, ptr integers)

`objects` holds the addresses of the NumPy arrays of inputs, outputs and constants (the data pointer
is a field of the array object), `functions` those of kernels, library routines and host callbacks,
`integers` every size, stride and offset. So the text depends on the structure of the program alone:
a new array size compiles nothing. The result is 0, or 1 if a host callback raised.

Kernels whose outermost loop can be split, and matrix products, run through
`fxla.compile.backend.pool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from fxla.compile.program import (
    Branch,
    Buffer,
    Copy,
    Fourier,
    Gemm,
    HostCall,
    Instruction,
    Launch,
    Loop,
    LoopIndex,
    Pointer,
    Program,
    WhileLoop,
)
from fxla.compile.routines.fourier import fourier_names, fourier_plan, fourier_slots
from fxla.compile.routines.gemm import SLOTS, split_product
from fxla.compile.routines.pocketfft import POCKETFFT_SLOTS, line_grain, line_routine, scale_bits
from fxla.core.blas import blas_name
from fxla.core.records import dataclass
from fxla.loops.native.fourier import FOURIER_SLOTS

__all__ = ["Driver", "print_driver"]

DATA_OFFSET = 16
"""Offset of the data pointer in a NumPy array object: after the reference count and the type."""


LOOP_EFFORT = 2
"""Of LLVM's code generator, for drivers with loops."""


ALONE = """define internal void @alone(ptr %pool, ptr %function, ptr %args, i64 %n, i64 %grain) {
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %run, label %over
run:
  call void %function(ptr %args, i64 0, i64 %n)
  br label %over
over:
  ret void
}"""
"""What does a job of one chunk without a pool."""


@dataclass
class Driver:
    """The text of a program's driver, and what its tables must hold.

    Attributes:
        text: an LLVM module defining ``program``.
        functions: for each slot a kernel's position in ``Program.kernels()``, a host call, or a
            name: of a BLAS routine, or one that `fxla.compile.executable` knows.
        integers: the values of the integer table.
        effort: for LLVM's code generator. Straight code runs once and is not worth any; what the
            iterations of a loop run is.
        shared: whether some job has several chunks. If not, "parallel_for" and "pool" may be 0.
    """

    text: str = ""
    effort: int = 0
    shared: bool = False
    functions: list[int | str | HostCall] = field(default_factory=list)
    integers: list[int] = field(default_factory=list)


def print_driver(program: Program, packed: Sequence[bool]) -> Driver:
    """Print a program.

    Args:
        program: with arena offsets assigned.
        packed: for each kernel, whether it takes its arguments in memory (native target) or as
            separate parameters (numba target).
    """
    return _Printer(program, packed).print()


class _Printer:
    def __init__(self, program: Program, packed: Sequence[bool]) -> None:
        self.program = program
        self.packed = packed
        self.driver = Driver()
        self.lines: list[str] = []
        self.names = 0
        self.block = "entry"
        self.address: dict[Buffer, str] = {}
        self.index: dict[LoopIndex, str] = {}
        self.function_slots: dict[object, int] = {}
        self.max_args = 1
        self.constants = ""
        kernels = program.kernels()
        self.kernel_number = {id(k): n for n, k in enumerate(kernels)}
        self.declared: dict[str, None] = {}

    # --- text ---

    def emit(self, text: str) -> str:
        """A line with a result; returns its name."""
        self.names += 1
        name = f"%v{self.names}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, stem: str) -> str:
        self.names += 1
        return f"{stem}{self.names}"

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def integer(self, value: int) -> str:
        """An integer of the table.

        Every use has a slot of its own, so equal values may differ in another program of this text.
        """
        slot = len(self.driver.integers)
        self.driver.integers.append(value)
        at = self.emit(f"getelementptr i64, ptr %integers, i64 {slot}")
        return self.emit(f"load i64, ptr {at}, align 8")

    def function(self, what: int | str | HostCall) -> str:
        key: object = id(what) if isinstance(what, HostCall) else what
        slot = self.function_slots.get(key)
        if slot is None:
            slot = self.function_slots[key] = len(self.driver.functions)
            self.driver.functions.append(what)
        at = self.emit(f"getelementptr ptr, ptr %functions, i64 {slot}")
        return self.emit(f"load ptr, ptr {at}, align 8")

    # --- addresses ---

    def base(self, buffer: Buffer) -> str:
        """The address of a buffer; temporaries are computed where they are used."""
        known = self.address.get(buffer)
        if known is not None:
            return known
        area = self.constants if buffer.role == "constant" else "%arena"
        return self.emit(f"getelementptr i8, ptr {area}, i64 {self.integer(buffer.offset)}")

    def pointer(self, p: Pointer) -> str:
        at = self.base(p.buffer)
        for index, stride in p.terms:
            step = self.emit(f"mul i64 {self.index[index]}, {self.integer(stride)}")
            at = self.emit(f"getelementptr i8, ptr {at}, i64 {step}")
        return at

    # --- instructions ---

    def print(self) -> Driver:
        program = self.program
        for k, b in enumerate((*program.inputs, *program.outputs)):
            self.address[b] = self.data_of(k)
        self.constants = self.data_of(len(program.inputs) + len(program.outputs))
        self.run(program.body)
        self.do("ret i32 0")
        lines = [
            *self.declared,
            "define i32 @program(ptr %objects, ptr %arena, ptr %functions, ptr %integers) {",
            "entry:",
            f"  %args = alloca [{self.max_args} x i64], align 16",
            *self.lines,
            "failed:",
            "  ret i32 1",
            "}",
        ]
        self.driver.text = "\n".join(lines) + "\n"
        return self.driver

    def data_of(self, k: int) -> str:
        """The data pointer of the k-th array object."""
        slot = self.emit(f"getelementptr ptr, ptr %objects, i64 {k}")
        obj = self.emit(f"load ptr, ptr {slot}, align 8")
        field_at = self.emit(f"getelementptr i8, ptr {obj}, i64 {DATA_OFFSET}")
        return self.emit(f"load ptr, ptr {field_at}, align 8")

    def run(self, body: list[Instruction]) -> None:
        for i in body:
            match i:
                case Launch():
                    self.launch(i)
                case Gemm():
                    self.gemm(i)
                case Fourier():
                    self.fourier(i)
                case HostCall():
                    self.host_call(i)
                case Copy():
                    self.copy(i)
                case Loop():
                    self.loop(i)
                case WhileLoop():
                    self.while_loop(i)
                case Branch():
                    self.branch(i)

    def launch(self, i: Launch) -> None:
        number = self.kernel_number[id(i.kernel)]
        function = self.function(number)
        arguments = [("ptr", self.pointer(p)) for p in i.args]
        arguments += [("i64", self.integer(n)) for n in i.sizes]
        count = self.integer(i.count)
        packed = self.packed[number]
        if i.grain:
            if not packed:
                kinds = [kind for kind, _ in arguments]
                arguments.append(("ptr", function))
                function = self.thunk(kinds)
            self.pack("%args", arguments)
            share, pool = self.share(i.count > i.grain)
            grain = self.integer(i.grain)
            values = f"ptr {pool}, ptr {function}, ptr %args, i64 {count}, i64 {grain}"
            self.do(f"call void {share}({values})")
        elif packed:
            self.pack("%args", arguments)
            self.do(f"call void {function}(ptr %args, i64 0, i64 {count})")
        else:
            spelled = ", ".join(f"{t} {v}" for t, v in (*arguments, ("i64", "0"), ("i64", count)))
            self.do(f"call void {function}({spelled})")

    def share(self, several: bool) -> tuple[str, str]:
        """What runs the chunks of a job, and its first argument.

        Programs whose jobs are all of one chunk are given no pool, and run them themselves.
        """
        self.driver.shared |= several
        self.declared[ALONE] = None
        given, pool = self.function("parallel_for"), self.function("pool")
        missing = self.emit(f"icmp eq ptr {given}, null")
        return self.emit(f"select i1 {missing}, ptr @alone, ptr {given}"), pool

    def thunk(self, kinds: Sequence[str]) -> str:
        """The name of a function that takes arguments in memory, then a kernel that does not."""
        name = "@unpack_" + "".join(kind[0] for kind in kinds)
        lines = [f"define internal void {name}(ptr %args, i64 %begin, i64 %end) {{"]
        for k, kind in enumerate([*kinds, "ptr"]):
            lines.append(f"  %p{k} = getelementptr i64, ptr %args, i64 {k}")
            lines.append(f"  %x{k} = load {kind}, ptr %p{k}, align 8")
        spelled = ", ".join(f"{kind} %x{k}" for k, kind in enumerate(kinds))
        lines += [f"  call void %x{len(kinds)}({spelled}, i64 %begin, i64 %end)", "  ret void", "}"]
        self.declared["\n".join(lines)] = None
        return name

    def pack(self, area: str, values: Sequence[tuple[str, str]]) -> None:
        """Store values in consecutive 8-byte slots."""
        self.max_args = max(self.max_args, len(values))
        for k, (kind, value) in enumerate(values):
            at = self.emit(f"getelementptr i64, ptr {area}, i64 {k}")
            self.do(f"store {kind} {value}, ptr {at}, align 8")

    def host_call(self, i: HostCall) -> None:
        function = self.function(i)
        places = [("ptr", self.pointer(p)) for p in (*i.inputs, *i.outputs)]
        self.pack("%args", places)
        raised = self.emit(f"call i32 {function}(ptr %args)")
        bad = self.emit(f"icmp ne i32 {raised}, 0")
        after = self.label("after")
        self.do(f"br i1 {bad}, label %failed, label %{after}")
        self.start(after)

    def copy(self, i: Copy) -> None:
        self.declared["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"] = None
        to, source = self.pointer(i.destination), self.pointer(i.source)
        n = self.integer(i.nbytes)
        self.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {n}, i1 false)")

    # --- control flow ---

    def loop(self, i: Loop) -> None:
        self.driver.effort = LOOP_EFFORT
        length = self.integer(i.length)
        starts = [(self.base(a), self.base(b)) for a, b in i.swapped]
        before = self.block
        head, inside, done = self.label("loop"), self.label("body"), self.label("done")
        self.do(f"br label %{head}")
        self.start(head)
        counter = f"%count_{head}"
        phis_at = len(self.lines)
        self.lines.append("")
        halves = self.enter_pairs(i.swapped, head)
        more = self.emit(f"icmp slt i64 {counter}, {length}")
        self.do(f"br i1 {more}, label %{inside}, label %{done}")
        self.start(inside)
        if i.reverse:
            last = self.emit(f"sub i64 {length}, 1")
            self.index[i.index] = self.emit(f"sub i64 {last}, {counter}")
        else:
            self.index[i.index] = counter
        self.run(i.body)
        following = self.emit(f"add i64 {counter}, 1")
        self.do(f"br label %{head}")
        phis = [f"  {counter} = phi i64 [0, %{before}], [{following}, %{self.block}]"]
        phis += self.pair_phis(starts, halves, before)
        self.lines[phis_at] = "\n".join(phis)
        self.start(done)

    def enter_pairs(
        self, swapped: tuple[tuple[Buffer, Buffer], ...], head: str
    ) -> list[tuple[str, str]]:
        """Names for the addresses of each pair inside a loop."""
        halves = []
        for k, (a, b) in enumerate(swapped):
            now, following = f"%now_{head}_{k}", f"%next_{head}_{k}"
            self.address[a], self.address[b] = now, following
            halves.append((now, following))
        return halves

    def pair_phis(
        self, starts: list[tuple[str, str]], halves: list[tuple[str, str]], before: str
    ) -> list[str]:
        """Phi nodes by which the two buffers of each pair trade places."""
        lines = []
        for (a, b), (now, following) in zip(starts, halves, strict=True):
            lines.append(f"  {now} = phi ptr [{a}, %{before}], [{following}, %{self.block}]")
            lines.append(f"  {following} = phi ptr [{b}, %{before}], [{now}, %{self.block}]")
        return lines

    def while_loop(self, i: WhileLoop) -> None:
        self.driver.effort = LOOP_EFFORT
        starts = [(self.base(a), self.base(b)) for a, b in i.swapped]
        before = self.block
        head, inside, done = self.label("while"), self.label("body"), self.label("done")
        self.do(f"br label %{head}")
        self.start(head)
        phis_at = len(self.lines)
        self.lines.append("")
        halves = self.enter_pairs(i.swapped, head)
        self.run(i.condition)
        flag = self.emit(f"load i8, ptr {self.pointer(i.predicate)}, align 1")
        more = self.emit(f"icmp ne i8 {flag}, 0")
        self.do(f"br i1 {more}, label %{inside}, label %{done}")
        self.start(inside)
        self.run(i.body)
        self.do(f"br label %{head}")
        self.lines[phis_at] = "\n".join(self.pair_phis(starts, halves, before)) or "  ; no carry"
        self.start(done)

    def branch(self, i: Branch) -> None:
        given = self.emit(f"load i32, ptr {self.pointer(i.index)}, align 4")
        labels = [self.label("case") for _ in i.branches]
        done = self.label("done")
        negative = self.emit(f"icmp slt i32 {given}, 0")
        number = self.emit(f"select i1 {negative}, i32 0, i32 {given}")
        cases = " ".join(f"i32 {k}, label %{name}" for k, name in enumerate(labels[:-1]))
        self.do(f"switch i32 {number}, label %{labels[-1]} [{cases}]")
        for name, body in zip(labels, i.branches, strict=True):
            self.start(name)
            known = dict(self.address)
            self.run(body)
            self.address = known
            self.do(f"br label %{done}")
        self.start(done)

    # --- matrix products ---

    def gemm(self, i: Gemm) -> None:
        """Fill the slots that `fxla.compile.routines.gemm` reads, and call it."""
        split = split_product(i.m, i.n, i.k, i.batch)
        parts = split.row_parts * split.column_parts
        width = i.dtype.itemsize
        one = 0x3F800000 if i.dtype.name in ("float32", "complex64") else 0x3FF0000000000000
        vector = i.n == 1 and i.m > 1
        letters = (i.transpose_b, i.transpose_a) if not vector else (not i.transpose_a, False)
        first, second = (ord("T" if t else "N") for t in letters)
        fixed = {
            "letters": first + (second << 8),
            "one": one, "one_imaginary": 0, "zero": 0, "zero_imaginary": 0,
            "vector": (2 if i.transpose_a else 1) if vector else 0,
        }  # fmt: skip
        sizes = {
            "m": i.m, "n": i.n, "k": i.k, "lda": i.lda, "ldb": i.ldb, "ldc": i.n,
            "step": 1 if i.transpose_b else i.ldb,
            "rows": split.rows, "columns": split.columns,
            "column_parts": split.column_parts, "parts": parts,
            "row_a": split.rows * width * (1 if i.transpose_a else i.lda),
            "column_b": split.columns * width * (i.ldb if i.transpose_b else 1),
            "row_c": split.rows * width * i.n, "column_c": split.columns * width,
            "hold": int(split.hold), "units": parts * i.batch, "grain": split.grain,
        }  # fmt: skip
        sizes |= {f"batch_{x}": s * width for x, s in zip("abc", i.batch_strides, strict=True)}
        routine = blas_name(i.dtype, "gemv" if vector else "gemm")
        slots = {"function": ("ptr", self.function(routine))}
        slots |= {x: ("ptr", self.pointer(p)) for x, p in zip("abc", (i.a, i.b, i.c), strict=True)}
        slots |= {name: ("i64", str(value)) for name, value in fixed.items()}
        slots |= {name: ("i64", self.integer(value)) for name, value in sizes.items()}
        slots["threads"] = ("ptr", self.function("blas_threads"))
        self.pack("%args", [slots[name] for name in SLOTS])
        function = self.function("gemm")
        share, pool = self.share(parts * i.batch > split.grain)
        self.do(f"call void {function}(ptr {pool}, ptr {share}, ptr %args)")

    # --- transforms ---

    def fourier(self, i: Fourier) -> None:
        """A pass by a job of `fxla.loops.native.fourier`, or by NumPy."""
        plan = None if i.scratch is None else fourier_plan(i)
        if plan is None or i.scratch is None:
            self.pocketfft(i)
            return
        job, table = (self.function(name) for name in fourier_names(i, plan))
        slots = {
            "source": ("ptr", self.pointer(i.source)),
            "target": ("ptr", self.pointer(i.target)),
            "scratch": ("ptr", self.pointer(i.scratch)),
            "table": ("ptr", table),
        }
        numbers = fourier_slots(i, plan)
        slots |= {name: ("i64", self.integer(value)) for name, value in numbers.items()}
        self.pack("%args", [slots[name] for name in FOURIER_SLOTS])
        share, pool = self.share(plan.units > plan.grain)
        units, grain = self.integer(plan.units), self.integer(plan.grain)
        self.do(f"call void {share}(ptr {pool}, ptr {job}, ptr %args, i64 {units}, i64 {grain})")

    def pocketfft(self, i: Fourier) -> None:
        """Fill the slots that `fxla.compile.routines.pocketfft` reads, and call it."""
        width = i.precision.itemsize
        size_in = width if i.kind == "RFFT" else 2 * width
        size_out = width if i.kind == "IRFFT" else 2 * width
        lines, grain = i.outer * i.inner, line_grain(i)
        # lines that lie one behind the other are `inner` too: one call then runs many of them
        inner = {"in": size_in, "out": size_out}
        if i.inner == 1:
            inner = {"in": size_in * i.taken, "out": size_out * i.given}
        sizes = {
            "scale": scale_bits(i), "taken": i.taken, "given": i.given,
            "step_in": size_in * i.inner, "step_out": size_out * i.inner,
            "inner": lines if i.inner == 1 else i.inner,
            "outer_in": size_in * i.taken * i.inner, "outer_out": size_out * i.given * i.inner,
            "inner_in": inner["in"], "inner_out": inner["out"], "lines": lines, "grain": grain,
        }  # fmt: skip
        routine = line_routine(i)
        slots = {
            "function": ("ptr", self.function(routine)),
            "data": ("ptr", self.function(f"{routine}:data")),
            "source": ("ptr", self.pointer(i.source)),
            "target": ("ptr", self.pointer(i.target)),
        }
        slots |= {name: ("i64", self.integer(value)) for name, value in sizes.items()}
        self.pack("%args", [slots[name] for name in POCKETFFT_SLOTS])
        function = self.function("pocketfft")
        share, pool = self.share(lines > grain)
        self.do(f"call void {function}(ptr {pool}, ptr {share}, ptr %args)")
