"""Memory of large results, used again: an allocator for NumPy arrays that keeps what is freed.

Fresh memory of 50 MB costs as much time, in page faults, as computing 50 MB of results. A result of
`LARGE` bytes or more is therefore an array whose memory NumPy asks from here (NEP 49): it owns its
data as any array does, and when it dies its block is kept for the next result of about that size.
Sizes are rounded up by at most an eighth, so that they meet. What is kept is limited to a part of
the machine's memory, and `release_memory` gives it back.

Only results of programs come from here; NumPy's own allocator, or a user's, is in place again when
a call returns. The lists are guarded by one flag, which nobody waits for: who finds it taken
goes to the system, so a fork at any moment blocks no child.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

from fxla.compile.entry_probe import c_api
from fxla.compile.native import compile_text
from fxla.compile.native_text import expanded
from fxla.core.records import dataclass
from fxla.errors import InternalError

__all__ = ["LARGE", "RECYCLER_NAMES", "Recycler", "recycler", "recycler_text", "release_memory"]

LARGE = 1 << 16
"""Bytes of a block that is worth keeping: C libraries give pages of such blocks back when they are
freed (glibc from 64 KB on, if they end its heap, and from 128 KB on, if they were mapped)."""
_SMALLEST = LARGE.bit_length() - 1
_CLASSES = 8 * 28
_HUGE = 1 << 22
"""Blocks as large ask the system for large pages, as NumPy's own do."""
_STATE = {"lock": 0, "kept": 8, "limit": 16, "reused": 24, "heads": 32}
_HEADER = {"raw": 0, "capacity": 8, "size": 16, "next": 24, "bytes": 64}
"""Before each block; a capacity of 0 is that of a block too small to keep."""
_DEFAULT_LIMIT = 1 << 30
RECYCLER_NAMES = ("allocate", "allocate_zeros", "reallocate", "deallocate", "release")
"""The functions of `recycler_text`; the first four are NumPy's, in its order."""


def recycler_text(madvise: bool) -> str:
    """The allocator's functions, as NumPy's ``PyDataMemAllocator`` has them, and ``release``.

    Args:
        madvise: whether the system has the function of that name.
    """
    names = {"CLASSES": _CLASSES, "SMALLEST": _SMALLEST, "LARGE": LARGE, "HUGE": _HUGE}
    names |= {f"s_{k}": v for k, v in _STATE.items()} | {f"h_{k}": v for k, v in _HEADER.items()}
    return expanded((_ADVISE if madvise else _NO_ADVICE) + _TEXT, names)


_ADVISE = """
declare i32 @madvise(ptr, i64, i32)
define internal void @advise(ptr %data, i64 %size) {
  %large = icmp uge i64 %size, ${HUGE}
  br i1 %large, label %ask, label %over
ask:
  %at = ptrtoint ptr %data to i64
  %up = add i64 %at, 4095
  %page = and i64 %up, -4096
  %skipped = sub i64 %page, %at
  %length = sub i64 %size, %skipped
  %start = inttoptr i64 %page to ptr
  %ignored = call i32 @madvise(ptr %start, i64 %length, i32 14)
  br label %over
over:
  ret void
}
"""
_NO_ADVICE = """
define internal void @advise(ptr %data, i64 %size) {
  ret void
}
"""
_TEXT = """
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare i64 @llvm.ctlz.i64(i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal i1 @try_lock(ptr %s) {
  %pair = cmpxchg ptr %s, i64 0, i64 1 acquire monotonic
  %taken = extractvalue { i64, i1 } %pair, 1
  ret i1 %taken
}

define internal void @unlock(ptr %s) {
  store atomic i64 0, ptr %s release, align 8
  ret void
}

; a size rounded up to one of eight between neighbouring powers of two
define internal i64 @capacity_of(i64 %size) {
  %zeros = call i64 @llvm.ctlz.i64(i64 %size, i1 false)
  %log = sub i64 60, %zeros
  %step = shl i64 1, %log
  %low = sub i64 %step, 1
  %up = add i64 %size, %low
  %mask = xor i64 %low, -1
  %capacity = and i64 %up, %mask
  ret i64 %capacity
}

; where the list of blocks of a capacity starts
define internal ptr @head_of(ptr %s, i64 %capacity) {
  %zeros = call i64 @llvm.ctlz.i64(i64 %capacity, i1 false)
  %log = sub i64 63, %zeros
  %three = sub i64 %log, 3
  %shifted = lshr i64 %capacity, %three
  %eighths = and i64 %shifted, 7
  %power = sub i64 %log, ${SMALLEST}
  %first = shl i64 %power, 3
  %class = add i64 %first, %eighths
  %number = call i64 @llvm.umin.i64(i64 %class, i64 ${CLASSES})
  %heads = getelementptr i8, ptr %s, i64 ${s_heads}
  %head = getelementptr ptr, ptr %heads, i64 %number
  ret ptr %head
}

define internal ptr @fresh(i64 %size, i64 %capacity) {
  %most = icmp ugt i64 %capacity, %size
  %room = select i1 %most, i64 %capacity, i64 %size
  %with_header = add i64 %room, 128
  %raw = call ptr @PyMem_RawMalloc(i64 %with_header)
  %none = icmp eq ptr %raw, null
  br i1 %none, label %over, label %align
align:
  %number = ptrtoint ptr %raw to i64
  %up = add i64 %number, 127
  %at = and i64 %up, -64
  %data = inttoptr i64 %at to ptr
  %header = getelementptr i8, ptr %data, i64 -${h_bytes}
  set ptr %raw, %header, ${h_raw}
  set i64 %capacity, %header, ${h_capacity}
  set i64 %size, %header, ${h_size}
  call void @advise(ptr %data, i64 %room)
  ret ptr %data
over:
  ret ptr null
}

define ptr @allocate(ptr %s, i64 %size) {
  %large = icmp uge i64 %size, ${LARGE}
  br i1 %large, label %classed, label %small
small:
  %plain = call ptr @fresh(i64 %size, i64 0)
  ret ptr %plain
classed:
  %capacity = call i64 @capacity_of(i64 %size)
  %mine = call i1 @try_lock(ptr %s)
  br i1 %mine, label %look, label %new
look:
  %head = call ptr @head_of(ptr %s, i64 %capacity)
  %data = load ptr, ptr %head
  %none = icmp eq ptr %data, null
  br i1 %none, label %leave, label %take
leave:
  call void @unlock(ptr %s)
  br label %new
take:
  %header = getelementptr i8, ptr %data, i64 -${h_bytes}
  %its = field i64 %header, ${h_capacity}
  %fits = icmp uge i64 %its, %size
  br i1 %fits, label %pop, label %leave
pop:
  %next = field ptr %header, ${h_next}
  store ptr %next, ptr %head
  %kept = field i64 %s, ${s_kept}
  %less = sub i64 %kept, %its
  set i64 %less, %s, ${s_kept}
  %times = field i64 %s, ${s_reused}
  %once_more = add i64 %times, 1
  set i64 %once_more, %s, ${s_reused}
  call void @unlock(ptr %s)
  set i64 %size, %header, ${h_size}
  ret ptr %data
new:
  %made = call ptr @fresh(i64 %size, i64 %capacity)
  ret ptr %made
}

define ptr @allocate_zeros(ptr %s, i64 %n, i64 %each) {
  %size = mul i64 %n, %each
  %data = call ptr @allocate(ptr %s, i64 %size)
  %none = icmp eq ptr %data, null
  br i1 %none, label %over, label %clear
clear:
  call void @llvm.memset.p0.i64(ptr %data, i8 0, i64 %size, i1 false)
  br label %over
over:
  ret ptr %data
}

define ptr @reallocate(ptr %s, ptr %data, i64 %size) {
  %nothing = icmp eq ptr %data, null
  br i1 %nothing, label %first, label %known
first:
  %new = call ptr @allocate(ptr %s, i64 %size)
  ret ptr %new
known:
  %header = getelementptr i8, ptr %data, i64 -${h_bytes}
  %before = field i64 %header, ${h_size}
  %moved = call ptr @allocate(ptr %s, i64 %size)
  %none = icmp eq ptr %moved, null
  br i1 %none, label %failed, label %copy
copy:
  %both = call i64 @llvm.umin.i64(i64 %before, i64 %size)
  call void @llvm.memcpy.p0.p0.i64(ptr %moved, ptr %data, i64 %both, i1 false)
  call void @deallocate(ptr %s, ptr %data, i64 %before)
  ret ptr %moved
failed:
  ret ptr null
}

define void @deallocate(ptr %s, ptr %data, i64 %size) {
  %nothing = icmp eq ptr %data, null
  br i1 %nothing, label %over, label %known
known:
  %header = getelementptr i8, ptr %data, i64 -${h_bytes}
  %raw = field ptr %header, ${h_raw}
  %capacity = field i64 %header, ${h_capacity}
  %limit = field i64 %s, ${s_limit}
  %small = icmp eq i64 %capacity, 0
  %too_large = icmp ugt i64 %capacity, %limit
  %unwanted = or i1 %small, %too_large
  br i1 %unwanted, label %free, label %wanted
wanted:
  %mine = call i1 @try_lock(ptr %s)
  br i1 %mine, label %count, label %free
count:
  %kept = field i64 %s, ${s_kept}
  %more = add i64 %kept, %capacity
  %full = icmp ugt i64 %more, %limit
  br i1 %full, label %make_room, label %keep
make_room:  ; what was kept was of other sizes, or of an earlier time
  call void @free_all(ptr %s)
  br label %keep
keep:
  %now = phi i64 [%more, %count], [%capacity, %make_room]
  %head = call ptr @head_of(ptr %s, i64 %capacity)
  %next = load ptr, ptr %head
  set ptr %next, %header, ${h_next}
  store ptr %data, ptr %head
  set i64 %now, %s, ${s_kept}
  call void @unlock(ptr %s)
  ret void
free:
  call void @PyMem_RawFree(ptr %raw)
  br label %over
over:
  ret void
}

define internal void @free_all(ptr %s) {
entry:
  %heads = getelementptr i8, ptr %s, i64 ${s_heads}
  set i64 0, %s, ${s_kept}
  br label %class
class:
  %k = phi i64 [0, %entry], [%k_next, %empty]
  %head = getelementptr ptr, ptr %heads, i64 %k
  br label %block
block:
  %data = load ptr, ptr %head
  %none = icmp eq ptr %data, null
  br i1 %none, label %empty, label %free
free:
  %header = getelementptr i8, ptr %data, i64 -${h_bytes}
  %next = field ptr %header, ${h_next}
  %raw = field ptr %header, ${h_raw}
  store ptr %next, ptr %head
  call void @PyMem_RawFree(ptr %raw)
  br label %block
empty:
  %k_next = add i64 %k, 1
  %more = icmp ule i64 %k_next, ${CLASSES}
  br i1 %more, label %class, label %over
over:
  ret void
}

define void @release(ptr %s) {
  %mine = call i1 @try_lock(ptr %s)
  br i1 %mine, label %free, label %over
free:
  call void @free_all(ptr %s)
  call void @unlock(ptr %s)
  br label %over
over:
  ret void
}
"""


class _Handler(ctypes.Structure):
    """``PyDataMem_Handler``."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


@dataclass(eq=False)
class Recycler:
    """The allocator of this process.

    Attributes:
        handler: the capsule that NumPy takes.
        state: its lists and numbers. Arrays may be freed until the very end of the process, so this
            memory is never given back.
    """

    handler: Any
    state: Any
    release_function: Any

    def _word(self, name: str) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(ctypes.addressof(self.state) + _STATE[name])

    @property
    def kept(self) -> int:
        """Bytes that are kept and in no array."""
        return self._word("kept").value

    @property
    def reused(self) -> int:
        """How many blocks were used again."""
        return self._word("reused").value

    @property
    def limit(self) -> int:
        """The most bytes to keep."""
        return self._word("limit").value

    @limit.setter
    def limit(self, nbytes: int) -> None:
        self._word("limit").value = nbytes

    def release(self) -> None:
        """Give what is kept back to the system."""
        self.release_function(ctypes.addressof(self.state))

    def after_fork(self) -> None:
        """In a child: if another thread was at the lists just then, start with empty ones."""
        if self._word("lock").value:
            limit = self.limit
            ctypes.memset(self.state, 0, ctypes.sizeof(self.state))
            self.limit = limit


def _made() -> Recycler | None:
    madvise = getattr(ctypes.CDLL(None), "madvise", None) if os.name == "posix" else None
    symbols = c_api("PyMem_RawMalloc", "PyMem_RawFree")
    if madvise is not None:
        symbols["madvise"] = ctypes.cast(madvise, ctypes.c_void_p).value or 0
    try:
        text = recycler_text(madvise is not None)
        code = compile_text(text, RECYCLER_NAMES, symbols=symbols, effort=0)
    except InternalError:
        return None
    state = (ctypes.c_uint8 * (_STATE["heads"] + 8 * (_CLASSES + 1)))()
    handler = _Handler(b"fxla", 1, ctypes.addressof(state), *[code[n] for n in RECYCLER_NAMES[:4]])
    for immortal in (state, handler):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(immortal))
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = new(ctypes.addressof(handler), b"mem_handler", None)
    release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code["release"])
    found = Recycler(capsule, state, release)
    found.limit = min(_DEFAULT_LIMIT, _memory() // 8)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=found.after_fork)
    return found


def _memory() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * _DEFAULT_LIMIT


_lock = threading.Lock()
_recyclers: list[Recycler | None] = []


def recycler() -> Recycler | None:
    """The process's allocator; None where native code cannot be loaded."""
    with _lock:
        if not _recyclers:
            _recyclers.append(_made())
        return _recyclers[0]


def release_memory() -> None:
    """Give the memory that compiled functions keep for their next results back to the system.

    Results of 64 KB or more are made in memory of results that are gone: fresh memory costs
    more time than many a computation. At most an eighth of the machine's memory is kept, and at
    most a gigabyte.

    Example:
        >>> import fxla, numpy as np
        >>> f = fxla.jit(lambda x: x + 1)
        >>> _ = [f(np.ones(1_000_000)) for _ in range(3)]
        >>> fxla.release_memory()
    """
    for one in _recyclers:
        if one is not None:
            one.release()
