"""The native part of `recycle`, as LLVM text: allocation of what was freed before."""

from __future__ import annotations

from fxla.compile.backend.native_text import expanded
from fxla.compile.calls.recycler_layout import CLASSES, HEADER, HUGE, LARGE, SMALLEST, STATE

__all__ = ["recycler_text"]


def recycler_text(madvise: bool) -> str:
    """The allocator's functions, as NumPy's ``PyDataMemAllocator`` has them, and ``release``.

    Args:
        madvise: whether the system has the function of that name.
    """
    names = {"CLASSES": CLASSES, "SMALLEST": SMALLEST, "LARGE": LARGE, "HUGE": HUGE}
    names |= {f"s_{k}": v for k, v in STATE.items()} | {f"h_{k}": v for k, v in HEADER.items()}
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
