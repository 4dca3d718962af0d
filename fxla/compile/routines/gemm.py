"""Matrix products by BLAS on all cores: fixed parts, each one call on one thread.

They serve what tiles do not (`fxla.compile.passes.products`): complex products, columns, the numba
target.

    void gemm(ptr pool, ptr parallel_for, ptr args)

`args` points at 8-byte slots (`SLOTS`). A product is cut along rows and columns into parts that
depend on the sizes alone; a batch into groups of products. Meanwhile BLAS is
held to one thread, because its own threads and the pool's would wait for each other: `_HOLD` counts
the products that run, the first sets one thread and the last restores what the user had set.
Products too small for BLAS to thread are left alone.

Best and, in parentheses, median times of float32 products in microseconds, each with the 9 of a
call, by turns in one process, on two cores of an AMD EPYC that other processes kept busy ("own" are
OpenBLAS's own two threads):

    ==================  =============  =============  =============
    product             one thread     pool           own
    ==================  =============  =============  =============
    32 x 784 x 128      107 (128)      61 (116)       70 (96)
    128 x 784 x 128     292 (366)      174 (365)      173 (229)
    4096 x 64 x 64      374 (464)      219 (473)      217 (276)
    512 x 512 x 512     2950 (7420)    1860 (8040)    1550 (27980)
    1024 x 1024 x 1024  30700 (37200)  30700 (46800)  23800 (48200)
    ==================  =============  =============  =============

So the pool is as fast up to some hundred rows; own threads were faster on large products when they
had both cores. They are not used all the same: a product's bits would depend on their number, and
they go on spinning while the pool works on what follows.

`function` is a BLAS routine with the Fortran interface, which takes addresses. BLAS is column-major
and our matrices are row-major, so it is asked for ``c' = b' a'``; a product with one column is a
matrix-vector product.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fxla.compile.backend.native import compile_text
from fxla.core.blas import blas_threads
from fxla.core.records import dataclass

__all__ = [
    "GEMM_NAMES",
    "SLOTS",
    "Split",
    "gemm_address",
    "gemm_text",
    "one_blas_thread",
    "split_product",
]

GEMM_NAMES = ("gemm", "hold_blas")
"""The functions of the module that `gemm_text` prints."""

SLOTS = {
    name: k
    for k, name in enumerate(
        (
            "function", "letters",
            "one", "one_imaginary", "zero", "zero_imaginary",
            "a", "b", "c",
            "m", "n", "k", "lda", "ldb", "ldc", "step",
            "batch_a", "batch_b", "batch_c",
            "rows", "columns", "column_parts", "parts",
            "row_a", "column_b", "row_c", "column_c",
            "vector", "hold", "units", "grain", "threads",
        )
    )
}  # fmt: skip
"""Name and number of each argument slot.

Strides between products of a batch, and between parts along rows or columns, are in bytes.
`vector` is 0 for a matrix b; for a column it is 1, or 2 if a is stored transposed.
"""

PART_WORK = 1 << 20
"""Multiplications of a part, at least: some 20 microseconds."""
THIN = 16
"""Products with fewer rows or columns are as fast as memory is read..."""
THIN_WORK = 1 << 18
"""... so that a part takes its time for fewer multiplications."""
PARTS = 8
"""Parts of a product, if it has work enough. Each packs its operands, so there are not more..."""
TILE = 512
"""... unless they have more rows or columns than this."""
MIN_PART = 48
"""Rows or columns of a part, at least."""
HOLD_WORK = 1 << 17
"""OpenBLAS computes products of fewer multiplications on one thread by itself."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a batch of products is cut.

    Attributes:
        rows, columns: of a part; the last may have fewer.
        row_parts, column_parts: of each product.
        grain: parts that run as one chunk.
        hold: whether BLAS could use threads of its own.
    """

    rows: int
    columns: int
    row_parts: int
    column_parts: int
    grain: int
    hold: bool


def split_product(m: int, n: int, k: int, batch: int) -> Split:
    """Parts of a product of [m, k] and [k, n], by its sizes alone.

    Example:
        >>> split_product(1024, 512, 784, 1)
        Split(rows=256, columns=256, row_parts=4, column_parts=2, grain=1, hold=True)
    """
    work = m * n * k
    thin = min(m, n) < THIN
    enough = THIN_WORK if thin else PART_WORK
    rows, columns, parts = m, n, 1
    while parts < work // enough and max(rows, columns) >= 2 * MIN_PART:
        if parts >= PARTS and max(rows, columns) <= TILE:
            break
        if rows >= columns:
            rows = _half(rows)
        else:
            columns = _half(columns)
        parts = -(-m // rows) * -(-n // columns)
    row_parts, column_parts = -(-m // rows), -(-n // columns)
    grain = min(parts * batch, -(-enough // work)) if work < enough else 1
    return Split(rows, columns, row_parts, column_parts, grain, work >= HOLD_WORK or thin)


def _half(n: int) -> int:
    """About half as many rows, a multiple of the rows that BLAS computes at a time."""
    half = -(-n // 2)
    return -(-half // 16) * 16


@functools.cache
def gemm_address() -> int:
    """The address of the function described in the module's docstring."""
    return _compiled()["gemm"]


@functools.cache
def hold_address() -> int:
    """The address of ``void hold_blas(ptr threads, i64 by)``; see `one_blas_thread`."""
    return _compiled()["hold_blas"]


@functools.cache
def _compiled() -> dict[str, int]:
    return dict(compile_text(gemm_text(), GEMM_NAMES, effort=0))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, as products of programs that run beside this one do.

    The user's number of threads is back when the last of them has left.
    """
    threads = blas_threads()
    hold = _hold()
    hold(threads, 1)
    try:
        yield
    finally:
        hold(threads, -1)


@functools.cache
def _hold() -> Callable[[int, int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(hold_address())


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


def gemm_text() -> str:
    """The module of that function."""
    loads = _load(
        "function", "a", "b", "c", "m", "n", "batch_a", "batch_b", "batch_c", "rows", "columns",
        "column_parts", "parts", "row_a", "column_b", "row_c", "column_c", "vector",
    )  # fmt: skip
    places = "\n".join(
        [_place(x) for x in ("letters", "one", "zero", "k", "lda", "ldb", "ldc", "step")]
    )
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
define void @hold_blas(ptr %threads, i64 %by) {{
  %getter = load i64, ptr %threads, align 8
  %known = icmp ne i64 %getter, 0
  br i1 %known, label %held, label %over
held:
  call void @change(ptr %threads, i64 %by)
  ret void
over:
  ret void
}}
define internal void @run_parts(ptr %args, i64 %begin, i64 %end) {{
entry:
  %rows_now = alloca i64, align 8
  %columns_now = alloca i64, align 8
{loads}
{places}
  %second_letter = getelementptr i8, ptr %at_letters, i64 1
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
  %row = sdiv i64 %part, %column_parts
  %column = srem i64 %part, %column_parts
  %rows_here = call i64 @rest_of(i64 %m, i64 %row, i64 %rows)
  %columns_here = call i64 @rest_of(i64 %n, i64 %column, i64 %columns)
  store i64 %rows_here, ptr %rows_now, align 8
  store i64 %columns_here, ptr %columns_now, align 8
  %here_a = call ptr @moved(ptr %a, i64 %matrix, i64 %batch_a, i64 %row, i64 %row_a)
  %here_b = call ptr @moved(ptr %b, i64 %matrix, i64 %batch_b, i64 %column, i64 %column_b)
  %row_of_c = call ptr @moved(ptr %c, i64 %matrix, i64 %batch_c, i64 %row, i64 %row_c)
  %offset_c = mul i64 %column, %column_c
  %here_c = getelementptr i8, ptr %row_of_c, i64 %offset_c
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
define internal i64 @rest_of(i64 %length, i64 %part, i64 %size) {{
  %from = mul i64 %part, %size
  %rest = sub i64 %length, %from
  %last = icmp slt i64 %rest, %size
  %here = select i1 %last, i64 %rest, i64 %size
  ret i64 %here
}}
define internal ptr @moved(ptr %start, i64 %matrix, i64 %batch, i64 %part, i64 %stride) {{
  %whole = mul i64 %matrix, %batch
  %inside = mul i64 %part, %stride
  %offset = add i64 %whole, %inside
  %here = getelementptr i8, ptr %start, i64 %offset
  ret ptr %here
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
