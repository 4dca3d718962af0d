"""Fourier transforms: their passes along axes, how each is computed, and the tables it reads.

Lines of smooth lengths are transformed by the jobs of `fxla.loops.native.fourier`; which job, and
how a long line is split, depends on sizes and the width of vectors. Tables of roots of unity are
made when a program is loaded and shared by all programs that read them. Other lengths are left to
NumPy's loops (`pocketfft`) or to the primitive's own value.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import shared_module
from fxla.compile.program import Buffer, Fourier, Instruction, Pointer
from fxla.compile.routines.pocketfft import float_bits, served_by_numpy
from fxla.core.dtypes import DType
from fxla.core.jaxpr import Eqn
from fxla.core.records import dataclass
from fxla.loops.native.fourier import (
    REAL_AFTER,
    REAL_BEFORE,
    fourier_key,
    fourier_symbol,
    fourier_symbols,
    print_fourier,
)
from fxla.loops.native.vector_lines import FOURIER_PASSES

__all__ = [
    "FourierPlan",
    "fourier_job",
    "fourier_names",
    "fourier_passes",
    "fourier_plan",
    "fourier_slots",
    "fourier_table",
    "pass_radices",
    "roots_of_unity",
]

MAX_VECTOR_LINE = 1 << 14
"""Elements of a line of vectors, at most: two megabytes by AVX-512. Beyond the second cache it is
still twice as fast as columns one by one."""
CHUNKS = 16
"""Chunks of a pass, at most: each has scratch memory of its own..."""
SCRATCH_BYTES = 1 << 23
"""... of which there is this much in all, unless `FEW_CHUNKS` need more."""
FEW_CHUNKS = 4
CHUNK = 1 << 14
"""Elements of the lines of a chunk, at least: some 20 microseconds."""
MOVES = 4
"""What bringing lines to vector lines and back costs beside one level of butterflies."""


# --- passes along axes ---


def fourier_passes(eqn: Eqn, source: Pointer, target: Pointer) -> list[Instruction] | None:
    """The passes of a transform; None if there is one that only the primitive's value serves.

    RFFT begins with the last axis and IRFFT ends with it, as the others are complex then.
    """
    kind, lengths = eqn.params["kind"], eqn.params["lengths"]
    given, made = eqn.inputs[0].aval, eqn.outputs[0].aval
    first = given.ndim - len(lengths)
    last = given.ndim - 1
    axes = list(range(last, first - 1, -1))
    if kind == "IRFFT":
        axes = [*axes[1:], last]
    real = made.dtype if kind == "IRFFT" else given.dtype
    precision = real if real.kind == "f" else np.dtype(f"f{real.itemsize // 2}")
    work = target
    if kind == "IRFFT" and len(axes) > 1:
        work = Pointer(Buffer(given.shape, given.dtype))
    passes: list[Instruction] = []
    shape = given.shape
    for axis in axes:
        ends = kind in ("RFFT", "IRFFT") and axis == last
        here = kind if ends else kind.replace("R", "")
        to = target if axis == axes[-1] else work
        sizes = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        found = Fourier(here, precision, lengths[axis - first], source, to, *sizes)
        plan = fourier_plan(found)
        if plan is not None:
            found.scratch = Pointer(Buffer((plan.chunk * plan.chunks,), np.dtype(np.uint8)))
        elif not served_by_numpy(found):
            return None
        passes.append(found)
        source = to
        shape = made.shape if ends else shape
    return passes


# --- plans ---


@dataclass(frozen=True, slots=True)
class FourierPlan:
    """How the lines of a pass are transformed.

    Attributes:
        job: one of `FOURIER_JOBS`.
        length: complex elements of a line.
        a, b: vector lines of a split line; else the length and 1.
        units, grain: of the job.
        half, chunk, line_at: bytes of scratch memory, as in `FOURIER_SLOTS`.
    """

    job: str
    length: int
    a: int
    b: int
    units: int
    grain: int
    half: int
    chunk: int
    line_at: int

    @property
    def chunks(self) -> int:
        """How many chunks the units make."""
        return max(1, -(-self.units // self.grain))


def pass_radices(n: int) -> list[int] | None:
    """The radices of the passes of a vector line; None if n is not smooth.

    Example:
        >>> pass_radices(96), pass_radices(256), pass_radices(22)
        ([3, 8, 4], [8, 8, 4], None)
    """
    found = []
    for radix in (7, 5, 3):
        while n % radix == 0:
            found.append(radix)
            n //= radix
    if n & (n - 1):
        return None
    twos = n.bit_length() - 1
    eights = twos // 3 - (twos % 3 == 1 and twos > 3)
    return [*found, *[8] * eights, *{0: [], 1: [2], 2: [4], 4: [4, 4]}[twos - 3 * eights]]


def fourier_plan(i: Fourier) -> FourierPlan | None:
    """How a pass is computed here; None if its lines are not smooth."""
    real = i.kind in ("RFFT", "IRFFT")
    n = i.length // 2 if real else i.length
    lanes = host_isa().vector_bytes // i.precision.itemsize
    if (real and i.length % 2) or pass_radices(n) is None:
        return None
    lines = i.outer * i.inner
    if i.inner > 1:
        if n > MAX_VECTOR_LINE:
            return None
        return _plan(i, "columns", n, n, 1, i.outer * -(-i.inner // lanes), n * lanes)
    split = _best_split(n, lanes)
    groups = -(-lines // lanes)
    rows = groups * lanes * n * (math.log2(n + 1) + MOVES)
    if n <= MAX_VECTOR_LINE and (split is None or rows <= lines * split[0]):
        return _plan(i, "rows", n, n, 1, groups, n * lanes)
    return None if split is None else _plan(i, "split", n, *split[1:], lines, n)


def _best_split(n: int, lanes: int) -> tuple[float, int, int] | None:
    """The cost and the sides of the cheapest split of a line."""
    sides = [(a, n // a) for a in range(1, math.isqrt(n) + 1) if n % a == 0]
    costs = [
        (
            sum(
                -(-x // lanes) * lanes * y * (math.log2(y + 1) + MOVES) for x, y in ((a, b), (b, a))
            ),
            a,
            b,
        )
        for pair in sides
        for a, b in (pair, pair[::-1])
        if max(pair) <= MAX_VECTOR_LINE
    ]
    return min(costs, default=None)


def _plan(i: Fourier, job: str, n: int, a: int, b: int, units: int, elements: int) -> FourierPlan:
    size = 2 * i.precision.itemsize
    vector = host_isa().vector_bytes
    lanes = vector // i.precision.itemsize
    half = -(-(max(a, b) + 1) // lanes) * lanes * 2 * vector  # real lines have an element more
    spare = n * size if i.kind == "IRFFT" and job == "split" else 0
    chunk = 2 * half + -(-spare // 64) * 64
    chunks = max(FEW_CHUNKS, min(CHUNKS, SCRATCH_BYTES // chunk))
    grain = max(1, -(-units // chunks), min(units, -(-CHUNK // elements)))
    return FourierPlan(job, n, a, b, units, grain, half, chunk, 2 * half)


def fourier_slots(i: Fourier, plan: FourierPlan) -> dict[str, int]:
    """The numbers among `FOURIER_SLOTS`."""
    real = {"RFFT": REAL_AFTER, "IRFFT": REAL_BEFORE}.get(i.kind, 0)
    inverse = i.kind in ("IFFT", "IRFFT")
    width = i.precision.itemsize
    vector = host_isa().vector_bytes
    offsets = _offsets(i.precision, plan.length, plan.a, plan.b, bool(real))
    line_in = width * i.length if i.kind == "RFFT" else 2 * width * i.taken
    line_out = width * i.length if i.kind == "IRFFT" else 2 * width * i.given
    return {
        "scale": float_bits(1 / i.length if inverse else 1.0, i.precision),
        "one": float_bits(1.0, i.precision),
        "real": real, "length": plan.length, "a": plan.a, "b": plan.b,
        "first": offsets.first, "second": offsets.second, "twist": offsets.twist,
        "roots": offsets.roots,
        "re": vector if inverse else 0, "im": 0 if inverse else vector,
        "lines": i.outer * i.inner,
        "line_in": 2 * width * i.inner if plan.job == "columns" else line_in,
        "line_out": line_out, "outer": 2 * width * i.inner * i.length, "inner": i.inner,
        "half": plan.half, "chunk": plan.chunk, "line_at": plan.line_at, "grain": plan.grain,
    }  # fmt: skip


def fourier_names(i: Fourier, plan: FourierPlan) -> tuple[str, str]:
    """The names of the job and of its table."""
    real = int(i.kind in ("RFFT", "IRFFT"))
    sizes = f"{plan.length}:{plan.a}:{plan.b}:{real}"
    precision = i.precision.name
    return f"fourier:{plan.job}:{precision}", f"fourier table:{precision}:{sizes}"


# --- what programs are linked with ---


def fourier_job(name: str) -> int:
    """The address of a job, by its name."""
    _, job, precision = name.split(":")
    dtype, isa = np.dtype(precision), host_isa()
    made = shared_module(
        fourier_key(dtype, isa), fourier_symbols(dtype, isa), lambda: print_fourier(dtype, isa), isa
    )
    return made[fourier_symbol(job, dtype, isa)]


def fourier_table(name: str) -> Any:
    """The table of that name, as bytes; alive as long as someone holds it."""
    found = _tables.get(name)
    if found is None:
        _, precision, n, a, b, real = name.split(":")
        table = _made_table(np.dtype(precision), int(n), int(a), int(b), real == "1")
        found = _tables.setdefault(name, table)
    return found


_tables: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class _Offsets:
    """Where the parts of a table start, and its size, in bytes."""

    first: int
    second: int
    twist: int
    roots: int
    size: int


def _offsets(precision: DType, n: int, a: int, b: int, real: bool) -> _Offsets:
    lanes = host_isa().vector_bytes // precision.itemsize
    width = 2 * precision.itemsize
    second = _list_bytes(a, width)
    twist = second + _list_bytes(b, width)
    roots = twist + (-(-b // lanes) * lanes * a * width if b > 1 else 0)
    size = roots + (-(-(n // 2) // lanes) * lanes * width if real else 0)
    return _Offsets(0, second, twist, roots, size)


def _passes(n: int) -> list[tuple[int, int, int]]:
    """Radix, l1 and ido of each pass of a vector line."""
    found, l1 = [], 1
    for radix in pass_radices(n) or []:
        found.append((radix, l1, n // (l1 * radix)))
        l1 *= radix
    return found


def _list_bytes(n: int, width: int) -> int:
    """Bytes of a list of passes with their roots, a multiple of a vector's."""
    passes = _passes(n)
    roots = sum((radix - 1) * ido for radix, _, ido in passes) * width
    return -(-(8 + 32 * len(passes) + roots) // 64) * 64


def _made_table(precision: DType, n: int, a: int, b: int, real: bool) -> Any:
    offsets = _offsets(precision, n, a, b, real)
    raw = np.zeros(offsets.size + 64, np.uint8)
    start = -raw.__array_interface__["data"][0] % 64
    table = raw[start : start + offsets.size]
    for at, m in ((offsets.first, a), (offsets.second, b)):
        _fill_list(table[at : at + _list_bytes(m, 2 * precision.itemsize)], m, precision)
    lanes = host_isa().vector_bytes // precision.itemsize
    if b > 1:
        columns = np.arange(-(-b // lanes) * lanes).reshape(-1, 1, lanes)
        roots = roots_of_unity(columns * np.arange(a).reshape(1, -1, 1), n)
        _fill(
            table[offsets.twist : offsets.roots], np.stack([roots.real, roots.imag], 2), precision
        )
    if real:
        k = np.arange(1, 1 + -(-(n // 2) // lanes) * lanes).reshape(-1, lanes)
        roots = roots_of_unity(k, 2 * n)
        _fill(table[offsets.roots :], np.stack([roots.real, roots.imag], 1), precision)
    return table


def _fill(part: Any, values: Any, precision: DType) -> None:
    flat = np.ascontiguousarray(values, precision).reshape(-1)
    part[: flat.nbytes] = flat.view(np.uint8)


def _fill_list(part: Any, n: int, precision: DType) -> None:
    """The number of passes, and for each its kind, l1, ido, and where its roots are."""
    passes = _passes(n)
    numbers = [len(passes)]
    at = 8 + 32 * len(passes)
    for radix, l1, ido in passes:
        kind = (radix, ido == 1)
        position = FOURIER_PASSES.index(kind if kind in FOURIER_PASSES else (radix, False))
        numbers += [position, l1, ido, at]
        powers = np.arange(ido).reshape(-1, 1) * np.arange(1, radix) * l1
        roots = roots_of_unity(powers, n)
        _fill(part[at:], np.stack([roots.real, roots.imag], 2), precision)
        at += roots.size * 2 * precision.itemsize
    head = np.array(numbers, np.int64).view(np.uint8)
    part[: head.size] = head


def roots_of_unity(powers: Any, n: int) -> Any:
    """``exp(-2 pi i k / n)`` for integers k, each part to about half a unit in the last place.

    Angles are folded to an eighth of a turn by integer arithmetic before anything is rounded.

    Example:
        >>> roots_of_unity(np.arange(4), 4).tolist() == [1, -1j, -1, 1j]
        True
    """
    eighth, rest = np.divmod(8 * (np.asarray(powers, np.int64) % n), n)
    rest = np.where(eighth % 2, n - rest, rest)
    angle = rest * (np.pi / 4 / n)
    c, s = np.cos(angle), np.sin(angle)
    across = (eighth + 1) // 2 % 2 == 1
    x, y = np.where(across, s, c), np.where(across, c, s)
    x = np.where((eighth >= 2) & (eighth < 6), -x, x)
    y = np.where(eighth >= 4, -y, y)
    return x - 1j * y
