"""Matrix products on all cores: fixed parts of the product, each one BLAS call on one thread.

    void gemm(ptr pool, ptr parallel_for, ptr args)

`args` points at 8-byte slots (`SLOTS`). A product is cut along its rows or columns, whichever are
more, into parts that depend on the sizes alone; a batch into groups of products. Meanwhile BLAS is
held to one thread, because its own threads and the pool's would wait for each other: `_HOLD` counts
the products that run, the first sets one thread and the last restores what the user had set.
Products too small for BLAS to thread are left alone.

`function` is a BLAS routine with the Fortran interface, which takes addresses. BLAS is column-major
and our matrices are row-major, so it is asked for ``c' = b' a'``; a product with one column is a
matrix-vector product.
"""

from __future__ import annotations

import ctypes
import functools
import os
from dataclasses import dataclass
from typing import Any

from fxla.compile.native import compile_text

__all__ = ["SLOTS", "Split", "blas_threads", "gemm_address", "split_product"]

SLOTS = {
    name: k
    for k, name in enumerate(
        (
            "function", "letters",
            "one", "one_imaginary", "zero", "zero_imaginary",
            "a", "b", "c",
            "m", "n", "k", "lda", "ldb", "ldc", "step",
            "batch_a", "batch_b", "batch_c",
            "parts", "part_size", "part_a", "part_b", "part_c",
            "columns", "vector", "hold", "units", "grain", "threads",
        )
    )
}  # fmt: skip
"""Name and number of each argument slot.

Strides of batches and parts are in bytes. `vector` is 0 for a matrix b; for a column it is 1, or 2
if a is stored transposed.
"""

PART_WORK = 1 << 21
"""Multiplications of a part, at least: about 50 microseconds."""
THIN = 16
"""Products with fewer rows or columns are as fast as memory is read..."""
THIN_WORK = 1 << 17
"""... so that a part takes its time for fewer multiplications."""
MIN_PART = 48
"""Rows or columns of a part, at least: each part packs the other operand anew."""
MAX_PARTS = 64
HOLD_WORK = 1 << 17
"""OpenBLAS computes products of fewer multiplications on one thread by itself."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a batch of products is cut.

    Attributes:
        parts: of each product.
        part_size: rows or columns of a part; the last may have fewer.
        columns: whether columns are cut.
        grain: parts that run as one chunk.
        hold: whether BLAS could use threads of its own.
    """

    parts: int
    part_size: int
    columns: bool
    grain: int
    hold: bool


def split_product(m: int, n: int, k: int, batch: int) -> Split:
    """Parts of a product of [m, k] and [k, n], by its sizes alone.

    Example:
        >>> split_product(1000, 10, 1000, 1)
        Split(parts=16, part_size=64, columns=False, grain=1, hold=True)
    """
    work = m * n * k
    columns = n > m
    length = max(m, n)
    thin = min(m, n) < THIN
    enough = THIN_WORK if thin else PART_WORK
    parts = 1
    if batch < MAX_PARTS:
        parts = max(1, min(work // enough, length // MIN_PART, MAX_PARTS))
    size = -(-length // parts)
    if parts > 1:
        size = -(-size // 16) * 16
        parts = -(-length // size)
    units = parts * batch
    grain = max(1, -(-enough // max(1, work // parts))) if parts == 1 else 1
    return Split(parts, size, columns, min(grain, units), work >= HOLD_WORK or thin)


@functools.cache
def blas_threads() -> int:
    """The address of BLAS's `get_num_threads`, `set_num_threads`, and what `_HOLD` remembers.

    Both are 0 if SciPy's BLAS does not have them; then its threads are left alone.
    """
    import scipy.linalg.cython_blas as blas  # 0.1 s, paid by programs that multiply matrices

    table = (ctypes.c_int64 * 5)()
    library = ctypes.CDLL(blas.__file__)  # symbols are looked up in what it depends on, too
    for prefix in ("scipy_openblas", "openblas"):
        getter = getattr(library, f"{prefix}_get_num_threads", None)
        setter = getattr(library, f"{prefix}_set_num_threads", None)
        if getter is not None and setter is not None:
            for slot, function in enumerate((getter, setter)):
                table[slot] = ctypes.cast(function, ctypes.c_void_p).value or 0
            break
    _tables.append(table)
    return ctypes.addressof(table)


_tables: list[Any] = []


def _after_fork() -> None:
    """The products that ran in the parent do not run in its child."""
    for table in _tables:
        if table[3] and table[1]:
            ctypes.CFUNCTYPE(None, ctypes.c_int)(table[1])(table[4])
        table[2] = table[3] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@functools.cache
def gemm_address() -> int:
    """The address of the function described in the module's docstring."""
    return compile_text(_text(), ["gemm"])["gemm"]


def _load(*names: str) -> str:
    """Lines that load argument slots."""
    lines = []
    for name in names:
        kind = "ptr" if name in ("function", "a", "b", "c", "threads") else "i64"
        lines.append(_place(name))
        lines.append(f"  %{name} = load {kind}, ptr %at_{name}, align 8")
    return "\n".join(lines)


def _place(name: str) -> str:
    return f"  %at_{name} = getelementptr i64, ptr %args, i64 {SLOTS[name]}"


def _moved(array: str) -> str:
    """Lines that find where a part of an array starts."""
    return f"""
  %whole_{array} = mul i64 %matrix, %batch_{array}
  %inside_{array} = mul i64 %part, %part_{array}
  %offset_{array} = add i64 %whole_{array}, %inside_{array}
  %here_{array} = getelementptr i8, ptr %{array}, i64 %offset_{array}"""


def _text() -> str:
    loads = _load(
        "function", "a", "b", "c", "m", "n", "batch_a", "batch_b", "batch_c",
        "parts", "part_size", "part_a", "part_b", "part_c", "columns", "vector", "letters",
    )  # fmt: skip
    places = "\n".join(_place(x) for x in ("one", "zero", "k", "lda", "ldb", "ldc", "step"))
    moved = "".join(_moved(x) for x in "abc")
    return f"""
define void @gemm(ptr %pool, ptr %parallel_for, ptr %args) {{
{_load("hold", "threads", "units", "grain")}
  %getter = load i64, ptr %threads, align 8
  %known = icmp ne i64 %getter, 0
  %large = icmp ne i64 %hold, 0
  %both = and i1 %known, %large
  br i1 %both, label %held, label %plain
plain:
  call void %parallel_for(ptr %pool, ptr @run_parts, ptr %args, i64 %units, i64 %grain)
  ret void
held:
  call void @change(ptr %threads, i64 1)
  call void %parallel_for(ptr %pool, ptr @run_parts, ptr %args, i64 %units, i64 %grain)
  call void @change(ptr %threads, i64 -1)
  ret void
}}
define internal void @run_parts(ptr %args, i64 %begin, i64 %end) {{
entry:
  %rows_now = alloca i64, align 8
  %columns_now = alloca i64, align 8
{loads}
{places}
  %second_letter = getelementptr i8, ptr %at_letters, i64 1
  %by_columns = icmp ne i64 %columns, 0
  %length = select i1 %by_columns, i64 %n, i64 %m
  store i64 %m, ptr %rows_now, align 8
  store i64 %n, ptr %columns_now, align 8
  %cut = select i1 %by_columns, ptr %columns_now, ptr %rows_now
  %stored_transposed = icmp eq i64 %vector, 2
  %is_vector = icmp ne i64 %vector, 0
  %first = select i1 %stored_transposed, ptr %rows_now, ptr %at_k
  %second = select i1 %stored_transposed, ptr %at_k, ptr %rows_now
  br label %head
head:
  %unit = phi i64 [%begin, %entry], [%following, %latch]
  %more = icmp slt i64 %unit, %end
  br i1 %more, label %body, label %over
body:
  %matrix = sdiv i64 %unit, %parts
  %part = srem i64 %unit, %parts
  %from = mul i64 %part, %part_size
  %rest = sub i64 %length, %from
  %last = icmp slt i64 %rest, %part_size
  %size = select i1 %last, i64 %rest, i64 %part_size
  store i64 %size, ptr %cut, align 8
{moved}
  br i1 %is_vector, label %gemv, label %gemm
gemm:
  call void %function(ptr %at_letters, ptr %second_letter, ptr %columns_now, ptr %rows_now,
    ptr %at_k, ptr %at_one, ptr %here_b, ptr %at_ldb, ptr %here_a, ptr %at_lda, ptr %at_zero,
    ptr %here_c, ptr %at_ldc)
  br label %latch
gemv:
  call void %function(ptr %at_letters, ptr %first, ptr %second, ptr %at_one, ptr %here_a,
    ptr %at_lda, ptr %here_b, ptr %at_step, ptr %at_zero, ptr %here_c, ptr %at_ldc)
  br label %latch
latch:
  %following = add i64 %unit, 1
  br label %head
over:
  ret void
}}
{_HOLD}"""


# table: getter, setter, lock, products that run, the user's number of threads
_HOLD = """
define internal void @change(ptr %threads, i64 %by) {
entry:
  %at_setter = getelementptr i64, ptr %threads, i64 1
  %at_lock = getelementptr i64, ptr %threads, i64 2
  %at_count = getelementptr i64, ptr %threads, i64 3
  %at_user = getelementptr i64, ptr %threads, i64 4
  %setter = load ptr, ptr %at_setter, align 8
  br label %try
try:
  %swap = cmpxchg ptr %at_lock, i64 0, i64 1 acquire monotonic, align 8
  %free = extractvalue { i64, i1 } %swap, 1
  br i1 %free, label %inside, label %try
inside:
  %count = load i64, ptr %at_count, align 8
  %now = add i64 %count, %by
  store i64 %now, ptr %at_count, align 8
  %first = icmp eq i64 %count, 0
  br i1 %first, label %take, label %maybe
take:
  %getter = load ptr, ptr %threads, align 8
  %user = call i32 %getter()
  store i32 %user, ptr %at_user, align 8
  call void %setter(i32 1)
  br label %unlock
maybe:
  %last = icmp eq i64 %now, 0
  br i1 %last, label %restore, label %unlock
restore:
  %saved = load i32, ptr %at_user, align 8
  call void %setter(i32 %saved)
  br label %unlock
unlock:
  store atomic i64 0, ptr %at_lock release, align 8
  ret void
}
"""
