"""Programs on aarch64: compiled here, linked with a small C program, and run under qemu-user.

Every program's kernels and driver, the tiles and the jobs of Fourier transforms become object files
for aarch64, and with `aarch64_main.c` one static executable, which is started once for all cases.
There jobs are cut into the chunks that the pool would hand out. What a program asks of Python or of
BLAS is not generated code; such programs are left out.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fxla.compile.backend.llvm import emit_object
from fxla.compile.backend.native import EFFORT, MODULE_LINES, Printed, print_kernel
from fxla.compile.driver import print_driver
from fxla.compile.image import constant_table
from fxla.compile.program import HostCall, Program
from fxla.compile.routines.fourier import fourier_table
from fxla.loops.native.blocks import print_tiles
from fxla.loops.native.fourier import fourier_symbol, print_fourier
from fxla.loops.native.isa import NEON
from fxla.loops.native.printer import Unsupported
from fxla.loops.tile_kinds import TILE_KINDS
from fxla.loops.written import Written

__all__ = ["COMPILER", "EMULATOR", "Emulated", "missing_tools"]

TRIPLE = "aarch64-unknown-linux-gnu"
COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
NONE, TABLE, OBJECT, PARALLEL_FOR = range(4)
"""What a slot of the table of functions holds, as in `aarch64_main.c`."""
OVERRUN = 1000


def missing_tools() -> str:
    """Why nothing can be run for aarch64 here; empty if it can."""
    missing = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]
    return f"{' and '.join(missing)}: not installed (qemu-user, gcc-aarch64-linux-gnu)" * bool(
        missing
    )


@dataclass(frozen=True)
class _Case:
    """A program on its way: the driver's symbol, and the tables it takes."""

    program: Program
    driver: str
    functions: list[tuple[int, str | bytes]]
    integers: list[int]


@dataclass
class Emulated:
    """Programs that are compiled and run together.

    Attributes:
        directory: for object files, the executable, and what goes in and out.
    """

    directory: Path
    kernels: dict[str, Printed] = field(default_factory=dict)
    drivers: dict[str, tuple[str, int]] = field(default_factory=dict)
    cases: list[_Case] = field(default_factory=list)
    given: list[list[Any]] = field(default_factory=list)

    def add(self, program: Program, operands: list[Any]) -> str:
        """Have a program run on operands; returns why it is left out, if it is."""
        printed: list[Printed] = []
        for kernel in program.kernels():
            if isinstance(kernel, Written):
                return "numba compiles a kernel that is written in Python"
            try:
                printed.append(print_kernel(kernel, NEON))
            except Unsupported as why:
                return f"numba compiles a kernel: {why}"
        driver = print_driver(program, [True] * len(printed))
        functions: list[tuple[int, str | bytes]] = []
        for f in driver.functions:
            if isinstance(f, int):
                functions.append((TABLE, printed[f].symbol))
            elif isinstance(f, HostCall):
                return f"Python computes {f.name}"
            elif f == "parallel_for":
                functions.append((PARALLEL_FOR, ""))
            elif f == "pool":
                functions.append((NONE, ""))
            elif f.startswith("fourier table:"):
                functions.append((OBJECT, fourier_table(f).tobytes()))
            elif f.startswith("fourier:"):
                _, job, precision = f.split(":")
                functions.append((TABLE, fourier_symbol(job, np.dtype(precision), NEON)))
            else:
                return f"a library computes {f}"
        self.kernels |= {p.symbol: p for p in printed}
        symbol = f"program.{hashlib.sha256(driver.text.encode()).hexdigest()[:16]}"
        self.drivers[symbol] = driver.text.replace("@program(", f"@{symbol}("), driver.effort
        self.cases.append(_Case(program, symbol, functions, driver.integers))
        self.given.append(operands)
        return ""

    def run(self) -> list[list[Any] | str]:
        """The results of each program, or how it ended."""
        symbols = self._link()
        written = b"".join(
            _asked(case, operands, symbols)
            for case, operands in zip(self.cases, self.given, strict=True)
        )
        answer = subprocess.run(
            [EMULATOR, str(self.directory / "main")], input=written, capture_output=True, check=True
        ).stdout
        results: list[list[Any] | str] = []
        at = 0
        for case in self.cases:
            (status,) = struct.unpack_from("<q", answer, at)
            at += 8
            found: list[Any] = []
            for b in case.program.outputs:
                values = np.frombuffer(answer[at : at + b.nbytes], b.dtype)
                found.append(values.reshape(b.shape))
                at += b.nbytes
            ended = "wrote past the end of its memory" if status == OVERRUN else f"ended: {status}"
            results.append(ended if status else found)
        assert at == len(answer)
        return results

    def _link(self) -> dict[str, int]:
        """Make the executable; returns the place of each symbol in its table."""
        files: list[str] = []

        def keep(text: str, effort: int = EFFORT) -> None:
            path = self.directory / f"{len(files)}.o"
            path.write_bytes(emit_object(text, NEON, effort, TRIPLE))
            files.append(str(path))

        for module in _modules(list(self.kernels.values())):
            declared = dict.fromkeys(line for p in module for line in p.declared)
            keep("\n".join([*declared, *(p.text for p in module), ""]))
        for text, effort in self.drivers.values():
            keep(text, effort)
        for kind in TILE_KINDS:
            keep(print_tiles(kind, NEON))
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            keep(print_fourier(dtype, NEON))
        wanted = {str(n) for c in self.cases for kind, n in c.functions if kind == TABLE}
        symbols = {name: n for n, name in enumerate([*self.drivers, *sorted(wanted)])}
        names = "\n".join(f'extern char f{n}[] __asm__("{s}");' for s, n in symbols.items())
        table = ", ".join(f"f{n}" for n in symbols.values())
        (self.directory / "table.c").write_text(f"{names}\nvoid *const table[] = {{{table}}};\n")
        main = Path(__file__).with_name("aarch64_main.c")
        command = [COMPILER, "-O1", "-static", "-o", "main", str(main), "table.c", *files, "-lm"]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True, text=True)
        return symbols


def _modules(kernels: list[Printed]) -> list[list[Printed]]:
    """Kernels in modules of the size that programs have."""
    lines = itertools.accumulate(p.text.count("\n") for p in kernels)
    numbered = zip((n // MODULE_LINES for n in lines), kernels, strict=True)
    return [[p for _, p in group] for _, group in itertools.groupby(numbered, lambda x: x[0])]


def _asked(case: _Case, operands: list[Any], symbols: dict[str, int]) -> bytes:
    """What the executable reads of one case."""
    program = case.program
    inputs = [
        np.ascontiguousarray(x, b.dtype).tobytes()
        for b, x in zip(program.inputs, operands, strict=True)
    ]
    objects = [(len(raw), 0, raw) for raw in inputs]
    objects += [(b.nbytes, 1, b"") for b in program.outputs]
    raw = constant_table(program)
    objects.append((len(raw), 0, raw))
    functions: list[bytes] = []
    for kind, what in case.functions:
        number = 0
        if kind == OBJECT:
            assert isinstance(what, bytes)
            number = len(objects)
            objects.append((len(what), 0, what))
        elif kind == TABLE:
            number = symbols[str(what)]
        functions.append(struct.pack("<QQ", kind, number))
    counts = (len(objects), len(functions), len(case.integers))
    return b"".join(
        [
            struct.pack("<5Q", symbols[case.driver], program.arena, *counts),
            *(struct.pack("<QQ", size, output) for size, output, _ in objects),
            *(raw for _, _, raw in objects),
            *functions,
            struct.pack(f"<{len(case.integers)}q", *case.integers),
        ]
    )
