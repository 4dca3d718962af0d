"""LLVM text of functions that note when a program's kernels begin and end, and on which thread.

A note is `FIELDS` numbers of 8 bytes: its kind, which function, the thread, begin and end in ticks
of the processor's counter, and into how many chunks a job was cut.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CHUNK", "FIELDS", "JOB", "KERNEL", "exchanged_text"]

FIELDS = 6
KERNEL, JOB, CHUNK = range(3)
"""Kinds of notes: a kernel ran (some of) its iterations, a job of chunks ended, a chunk did."""

_NOTES = """
declare i64 @llvm.readcyclecounter()
declare i64 @pthread_self()
@log = internal global ptr null
@used = internal global i64 0
@room = internal global i64 0
@shares = internal global ptr null
define void @begin(ptr %log, i64 %room, ptr %shares) {
  store ptr %log, ptr @log
  store i64 %room, ptr @room
  store ptr %shares, ptr @shares
  store i64 0, ptr @used
  ret void
}
define i64 @now() {
  %now = call i64 @llvm.readcyclecounter()
  ret i64 %now
}
define i64 @count() {
  %used = load i64, ptr @used
  ret i64 %used
}
define internal void @note(i64 %kind, i64 %who, i64 %begun, i64 %chunks) {
  %ended = call i64 @llvm.readcyclecounter()
  %thread = call i64 @pthread_self()
  %k = atomicrmw add ptr @used, i64 1 monotonic
  %room = load i64, ptr @room
  %fits = icmp slt i64 %k, %room
  br i1 %fits, label %write, label %over
write:
  %log = load ptr, ptr @log
  %at = mul i64 %k, 48
  %p0 = getelementptr i8, ptr %log, i64 %at
  %p1 = getelementptr i8, ptr %p0, i64 8
  %p2 = getelementptr i8, ptr %p0, i64 16
  %p3 = getelementptr i8, ptr %p0, i64 24
  %p4 = getelementptr i8, ptr %p0, i64 32
  %p5 = getelementptr i8, ptr %p0, i64 40
  store i64 %kind, ptr %p0
  store i64 %who, ptr %p1
  store i64 %thread, ptr %p2
  store i64 %begun, ptr %p3
  store i64 %ended, ptr %p4
  store i64 %chunks, ptr %p5
  br label %over
over:
  ret void
}
define internal void @chunk(ptr %box, i64 %begin, i64 %end) {
  %function = load ptr, ptr %box
  %at = getelementptr i8, ptr %box, i64 8
  %args = load ptr, ptr %at
  %begun = call i64 @llvm.readcyclecounter()
  call void %function(ptr %args, i64 %begin, i64 %end)
  %who = ptrtoint ptr %function to i64
  call void @note(i64 2, i64 %who, i64 %begun, i64 1)
  ret void
}
define void @share(ptr %pool, ptr %function, ptr %args, i64 %n, i64 %grain) {
  %begun = call i64 @llvm.readcyclecounter()
  %box = alloca [2 x ptr]
  store ptr %function, ptr %box
  %at = getelementptr i8, ptr %box, i64 8
  store ptr %args, ptr %at
  %shares = load ptr, ptr @shares
  call void %shares(ptr %pool, ptr @chunk, ptr %box, i64 %n, i64 %grain)
  %who = ptrtoint ptr %function to i64
  %padded = add i64 %n, %grain
  %rounded = sub i64 %padded, 1
  %chunks = sdiv i64 %rounded, %grain
  call void @note(i64 1, i64 %who, i64 %begun, i64 %chunks)
  ret void
}
"""
"""`share` stands for ``parallel_for``, which it calls with `chunk` around a job's function."""
_BEFORE = """
@was_NUMBER = internal global ptr null
define void @set_NUMBER(ptr %was) {
  store ptr %was, ptr @was_NUMBER
  ret void
}
define RESULT @instead_NUMBER(ptr %argsITERATIONS) {
  %was = load ptr, ptr @was_NUMBER
  %begun = call i64 @llvm.readcyclecounter()
  CALL RESULT %was(ptr %argsITERATIONS)
  call void @note(i64 0, i64 NUMBER, i64 %begun, i64 1)
  ret LAST
}
"""
_KINDS = {
    False: {"RESULT": "void", "ITERATIONS": ", i64 %begin, i64 %end", "CALL": "call",
            "LAST": "void"},
    True: {"RESULT": "i32", "ITERATIONS": "", "CALL": "%failed = call", "LAST": "i32 %failed"},
}  # fmt: skip


def exchanged_text(hosts: Sequence[bool]) -> str:
    """The module that defines `begin`, `now`, `count`, `share` and functions to put before others.

    Args:
        hosts: for each of these whether it calls a host function, not a kernel.
    """
    parts = [_NOTES]
    for number, host in enumerate(hosts):
        text = _BEFORE.replace("NUMBER", str(number))
        for word, value in _KINDS[host].items():
            text = text.replace(word, value)
        parts.append(text)
    return "".join(parts)
