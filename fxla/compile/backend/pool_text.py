"""The native part of `pool`, as LLVM text.

A job is one *ticket*, ``epoch << 25 | chunks << 13 | next chunk``, and a worker claims a chunk by
raising it with compare-and-swap. If that succeeds, chunks of this very job were left, so its caller
still waits, and what the worker read about the job before belongs to it.
"""

from __future__ import annotations

import platform
import sys

__all__ = ["FUTEX_CALL", "LAYOUT", "MAX_CHUNKS", "STATE_BYTES", "pool_text"]

MAX_CHUNKS = 4095
"""A job of more chunks gets larger ones."""
_NEXT_BITS = 13
"""Of a ticket's next chunk; one more than for the count, as the caller looks past the end."""
_EPOCH_BITS = 25
STATE_BYTES = 640
# byte offsets in the pool's state; what different threads write lies in different cache lines
LAYOUT = {
    "ticket": 0,
    "function": 64, "args": 72, "n": 80, "grain": 88, "allowed": 96, "home": 100,
    "done": 128,
    "wake": 192,
    "sleepers": 256,
    "waiting": 320,
    "busy": 384,
    "workers": 448, "limit": 452, "stop": 456, "spin": 460, "start": 464,
    "mutex": 512,
    "condition": 576,
}  # fmt: skip
FUTEX_CALL = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "ppc64le": 221}
"""Number of the futex system call by machine."""


def pool_text(futex: bool, machine: str = "") -> str:
    """The LLVM module of a pool.

    Args:
        futex: whether threads sleep on a futex.
        machine: as `platform.machine` names it; by default this one.
    """
    machine = machine or platform.machine()
    declare, pause = {
        "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
        "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
        "arm64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    }.get(machine, ("", "fence seq_cst"))
    sleeping = _FUTEX.replace("FUTEX", str(FUTEX_CALL.get(machine, 0))) if futex else _CONDITION
    if sys.platform == "win32":
        sleeping = _NOT_AT_ALL
    processor = _PROCESSOR["linux" if sys.platform == "linux" else "other"]
    parts = [declare, sleeping, processor, _WORKER, _PARALLEL_FOR, _SMALL]
    text = "\n".join(parts).replace("PAUSE", pause)
    numbers = {
        "EPOCH_BITS": _EPOCH_BITS,
        "NEXT_BITS": _NEXT_BITS,
        "NEXT_MASK": (1 << _NEXT_BITS) - 1,
        "MAX_CHUNKS": MAX_CHUNKS,
    }
    for name, number in numbers.items():
        text = text.replace(name, str(number))
    return text


def _fields(*names: str) -> str:
    """Lines that find the places of the state's fields."""
    lines = [f"  %at_{x} = getelementptr i8, ptr %pool, i64 {LAYOUT[x]}" for x in names]
    return "\n".join(lines)


_FUTEX = """
declare i64 @syscall(i64, ...)
define internal void @sleep_on(ptr %pool, ptr %word, i32 %expected) {
  call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 128, i32 %expected, ptr null, ptr null,
                               i32 0)
  ret void
}
define internal void @wake_on(ptr %pool, ptr %word, i32 %count) {
  call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 129, i32 %count, ptr null, ptr null,
                               i32 0)
  ret void
}
define void @prepare(ptr %pool) {
  ret void
}
"""
_CONDITION = f"""
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
define internal void @sleep_on(ptr %pool, ptr %word, i32 %expected) {{
{_fields("mutex", "condition")}
  call i32 @pthread_mutex_lock(ptr %at_mutex)
  %now = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %now, %expected
  br i1 %same, label %wait, label %over
wait:
  call i32 @pthread_cond_wait(ptr %at_condition, ptr %at_mutex)
  br label %over
over:
  call i32 @pthread_mutex_unlock(ptr %at_mutex)
  ret void
}}
define internal void @wake_on(ptr %pool, ptr %word, i32 %count) {{
{_fields("mutex", "condition")}
  call i32 @pthread_mutex_lock(ptr %at_mutex)
  call i32 @pthread_cond_broadcast(ptr %at_condition)
  call i32 @pthread_mutex_unlock(ptr %at_mutex)
  ret void
}}
define void @prepare(ptr %pool) {{
{_fields("mutex", "condition")}
  call i32 @pthread_mutex_init(ptr %at_mutex, ptr null)
  call i32 @pthread_cond_init(ptr %at_condition, ptr null)
  ret void
}}
"""
# for a pool that has no workers
_NOT_AT_ALL = """
define internal void @sleep_on(ptr %pool, ptr %word, i32 %expected) {
  ret void
}
define internal void @wake_on(ptr %pool, ptr %word, i32 %count) {
  ret void
}
define void @prepare(ptr %pool) {
  ret void
}
"""
# A worker that the system put on its caller's processor takes no chunk there, as the caller could
# not go on meanwhile: it moves to any other processor it may use, or else lets the caller run.
_PROCESSOR = {
    "linux": """
declare i32 @sched_getcpu()
declare i32 @sched_yield()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
define internal void @find_allowed(ptr %mask) {
  call i32 @sched_getaffinity(i32 0, i64 128, ptr %mask)
  ret void
}
define internal void @move_away(ptr %mask, i32 %home) {
  %word = lshr i32 %home, 6
  %at = getelementptr i64, ptr %mask, i32 %word
  %low = and i32 %home, 63
  %place = zext i32 %low to i64
  %bit = shl i64 1, %place
  %others = xor i64 %bit, -1
  %all = load i64, ptr %at, align 8
  %left = and i64 %all, %others
  store i64 %left, ptr %at, align 8
  call i32 @sched_setaffinity(i32 0, i64 128, ptr %mask)
  store i64 %all, ptr %at, align 8
  call i32 @sched_yield()
  ret void
}
""",
    "other": """
define internal i32 @sched_getcpu() {
  ret i32 -1
}
define internal void @find_allowed(ptr %mask) {
  ret void
}
define internal void @move_away(ptr %mask, i32 %home) {
  ret void
}
""",
}
# A worker counts itself among the sleepers and only then looks for work a last time; a caller
# publishes its job and only then looks for sleepers. So one of them sees the other.
_WORKER = f"""
define void @worker(ptr %pool, i32 %number) {{
entry:
{_fields("ticket", "function", "args", "n", "grain", "allowed", "home", "done", "wake")}
{_fields("sleepers", "waiting", "stop", "spin")}
  %turns = load i32, ptr %at_spin, align 4
  %mask = alloca [16 x i64], align 8
  call void @find_allowed(ptr %mask)
  br label %look
look:
  %left = phi i32 [%turns, %entry], [%turns, %ran], [%turns, %awake], [%left, %claim],
                  [%less, %later]
  %ticket = load atomic i64, ptr %at_ticket acquire, align 8
  %chunk = and i64 %ticket, NEXT_MASK
  %high = lshr i64 %ticket, NEXT_BITS
  %chunks = and i64 %high, MAX_CHUNKS
  %open = icmp ult i64 %chunk, %chunks
  %allowed = load atomic i32, ptr %at_allowed monotonic, align 4
  %mine = icmp slt i32 %number, %allowed
  %home = load atomic i32, ptr %at_home monotonic, align 4
  %here = call i32 @sched_getcpu()
  %same_place = icmp eq i32 %home, %here
  %known = icmp ult i32 %here, 1024
  %crowded = and i1 %same_place, %known
  %apart = xor i1 %crowded, true
  %may = and i1 %mine, %apart
  %has = and i1 %open, %may
  br i1 %has, label %claim, label %nothing
claim:
  %function = load atomic ptr, ptr %at_function monotonic, align 8
  %args = load atomic ptr, ptr %at_args monotonic, align 8
  %n = load atomic i64, ptr %at_n monotonic, align 8
  %grain = load atomic i64, ptr %at_grain monotonic, align 8
  %raised = add i64 %ticket, 1
  %swap = cmpxchg ptr %at_ticket, i64 %ticket, i64 %raised acq_rel monotonic, align 8
  %got = extractvalue {{ i64, i1 }} %swap, 1
  br i1 %got, label %run, label %look
run:
  call void @run_chunk(ptr %function, ptr %args, i64 %n, i64 %grain, i64 %chunk)
  %before = atomicrmw add ptr %at_done, i32 1 seq_cst
  %waits = load atomic i32, ptr %at_waiting seq_cst, align 4
  %parked = icmp ne i32 %waits, 0
  br i1 %parked, label %rouse, label %ran
rouse:
  call void @wake_on(ptr %pool, ptr %at_done, i32 1)
  br label %ran
ran:
  br label %look
nothing:
  %stop = load atomic i32, ptr %at_stop seq_cst, align 4
  %stopped = icmp ne i32 %stop, 0
  br i1 %stopped, label %over, label %idle
idle:
  %leave = and i1 %crowded, %open
  br i1 %leave, label %move, label %pause
move:
  call void @move_away(ptr %mask, i32 %home)
  br label %later
pause:
  PAUSE
  br label %later
later:
  %less = sub i32 %left, 1
  %more = icmp sgt i32 %less, 0
  br i1 %more, label %look, label %rest
rest:
  %seen = load atomic i32, ptr %at_wake seq_cst, align 4
  %asleep = atomicrmw add ptr %at_sleepers, i32 1 seq_cst
  %again = load atomic i64, ptr %at_ticket seq_cst, align 8
  %halt = load atomic i32, ptr %at_stop seq_cst, align 4
  %same = icmp eq i64 %again, %ticket
  %going = icmp eq i32 %halt, 0
  %quiet = and i1 %same, %going
  br i1 %quiet, label %sleep, label %awake
sleep:
  call void @sleep_on(ptr %pool, ptr %at_wake, i32 %seen)
  br label %awake
awake:
  %slept = atomicrmw sub ptr %at_sleepers, i32 1 seq_cst
  br label %look
over:
  ret void
}}
define internal void @run_chunk(ptr %function, ptr %args, i64 %n, i64 %grain, i64 %chunk) {{
  %begin = mul i64 %chunk, %grain
  %full = add i64 %begin, %grain
  %past = icmp sgt i64 %full, %n
  %end = select i1 %past, i64 %n, i64 %full
  call void %function(ptr %args, i64 %begin, i64 %end)
  ret void
}}
"""
_PARALLEL_FOR = f"""
define void @parallel_for(ptr %pool, ptr %function, ptr %args, i64 %n, i64 %grain) {{
entry:
  %small = icmp sle i64 %n, %grain
  br i1 %small, label %whole, label %split
whole:
  call void %function(ptr %args, i64 0, i64 %n)
  ret void
split:
{_fields("workers", "limit", "start", "busy")}
  %asked = call i64 @chunk_count(i64 %n, i64 %grain)
  %fits = icmp sle i64 %asked, MAX_CHUNKS
  %padded = add i64 %n, MAX_CHUNKS
  %rounded = sub i64 %padded, 1
  %larger = sdiv i64 %rounded, MAX_CHUNKS
  %size = select i1 %fits, i64 %grain, i64 %larger
  %chunks = call i64 @chunk_count(i64 %n, i64 %size)
  %limit = load atomic i32, ptr %at_limit monotonic, align 4
  %alone = icmp sle i32 %limit, 1
  br i1 %alone, label %serial, label %ready
ready:
  %start = load atomic ptr, ptr %at_start acquire, align 8
  %started = icmp eq ptr %start, null
  br i1 %started, label %enter, label %begin
begin:
  call void %start()
  br label %enter
enter:
  %workers = load atomic i32, ptr %at_workers monotonic, align 4
  %any = icmp sgt i32 %workers, 0
  br i1 %any, label %acquire, label %serial
acquire:
  %swap = cmpxchg ptr %at_busy, i32 0, i32 1 acquire monotonic, align 4
  %free = extractvalue {{ i32, i1 }} %swap, 1
  br i1 %free, label %share, label %serial
share:
  call void @share(ptr %pool, ptr %function, ptr %args, i64 %n, i64 %size, i64 %chunks, i32 %limit)
  store atomic i32 0, ptr %at_busy release, align 4
  ret void
serial:
  br label %next
next:
  %chunk = phi i64 [0, %serial], [%following, %next]
  call void @run_chunk(ptr %function, ptr %args, i64 %n, i64 %size, i64 %chunk)
  %following = add i64 %chunk, 1
  %more = icmp slt i64 %following, %chunks
  br i1 %more, label %next, label %finished
finished:
  ret void
}}
define internal i64 @chunk_count(i64 %n, i64 %grain) {{
  %padded = add i64 %n, %grain
  %rounded = sub i64 %padded, 1
  %count = sdiv i64 %rounded, %grain
  ret i64 %count
}}
define internal void @share(ptr %pool, ptr %function, ptr %args, i64 %n, i64 %grain, i64 %chunks,
                            i32 %limit) {{
entry:
{_fields("ticket", "function", "args", "n", "grain", "allowed", "home", "done", "wake")}
{_fields("sleepers", "waiting", "spin", "workers")}
  store atomic ptr %function, ptr %at_function monotonic, align 8
  store atomic ptr %args, ptr %at_args monotonic, align 8
  store atomic i64 %n, ptr %at_n monotonic, align 8
  store atomic i64 %grain, ptr %at_grain monotonic, align 8
  store atomic i32 %limit, ptr %at_allowed monotonic, align 4
  %home = call i32 @sched_getcpu()
  store atomic i32 %home, ptr %at_home monotonic, align 4
  store atomic i32 0, ptr %at_done monotonic, align 4
  %old = load atomic i64, ptr %at_ticket monotonic, align 8
  %epoch = lshr i64 %old, EPOCH_BITS
  %newer = add i64 %epoch, 1
  %high = shl i64 %newer, EPOCH_BITS
  %middle = shl i64 %chunks, NEXT_BITS
  %job = or i64 %high, %middle
  store atomic i64 %job, ptr %at_ticket seq_cst, align 8
  %sleeping = load atomic i32, ptr %at_sleepers seq_cst, align 4
  %sleepy = icmp sgt i32 %sleeping, 0
  br i1 %sleepy, label %rouse, label %work
rouse:
  %changed = atomicrmw add ptr %at_wake, i32 1 seq_cst
  %workers = load atomic i32, ptr %at_workers monotonic, align 4
  %limited = icmp sle i32 %limit, %workers
  %count = trunc i64 %chunks to i32
  %others = sub i32 %count, 1
  %wanted = select i1 %limited, i32 2147483647, i32 %others
  call void @wake_on(ptr %pool, ptr %at_wake, i32 %wanted)
  br label %work
work:
  %mine = phi i32 [0, %entry], [0, %rouse], [%more, %run]
  %ticket = atomicrmw add ptr %at_ticket, i64 1 acq_rel
  %chunk = and i64 %ticket, NEXT_MASK
  %open = icmp ult i64 %chunk, %chunks
  br i1 %open, label %run, label %join
run:
  call void @run_chunk(ptr %function, ptr %args, i64 %n, i64 %grain, i64 %chunk)
  %more = add i32 %mine, 1
  br label %work
join:
  %all = trunc i64 %chunks to i32
  %theirs = sub i32 %all, %mine
  %turns = load i32, ptr %at_spin, align 4
  br label %watch
watch:
  %left = phi i32 [%turns, %join], [%less, %pause]
  %done = load atomic i32, ptr %at_done acquire, align 4
  %complete = icmp eq i32 %done, %theirs
  br i1 %complete, label %finished, label %pause
pause:
  PAUSE
  %less = sub i32 %left, 1
  %on = icmp sgt i32 %less, 0
  br i1 %on, label %watch, label %park
park:
  store atomic i32 1, ptr %at_waiting seq_cst, align 4
  br label %check
check:
  %now = load atomic i32, ptr %at_done seq_cst, align 4
  %ended = icmp eq i32 %now, %theirs
  br i1 %ended, label %unpark, label %sleep
sleep:
  call void @sleep_on(ptr %pool, ptr %at_done, i32 %now)
  br label %check
unpark:
  store atomic i32 0, ptr %at_waiting monotonic, align 4
  br label %finished
finished:
  ret void
}}
"""
_SMALL = f"""
define void @wake_all(ptr %pool) {{
{_fields("wake")}
  %changed = atomicrmw add ptr %at_wake, i32 1 seq_cst
  call void @wake_on(ptr %pool, ptr %at_wake, i32 2147483647)
  ret void
}}
define void @spin(i64 %turns) {{
entry:
  br label %again
again:
  %left = phi i64 [%turns, %entry], [%less, %again]
  PAUSE
  %less = sub i64 %left, 1
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %again, label %over
over:
  ret void
}}
"""
