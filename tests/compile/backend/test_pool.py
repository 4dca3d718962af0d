"""The pool runs every chunk once, with the same borders for any number of threads."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fxla.compile.backend.native import compile_text
from fxla.compile.backend.pool import Pool, default_threads, pool, threads
from fxla.compile.backend.pool_text import LAYOUT, MAX_CHUNKS, STATE_BYTES

# counts visits of each element, and notes at its first element where a chunk ends
MARK = """
define void @mark(ptr %args, i64 %begin, i64 %end) {
entry:
  %at_ends = getelementptr ptr, ptr %args, i64 1
  %visits = load ptr, ptr %args, align 8
  %ends = load ptr, ptr %at_ends, align 8
  %note = getelementptr i64, ptr %ends, i64 %begin
  store i64 %end, ptr %note, align 8
  %some = icmp slt i64 %begin, %end
  br i1 %some, label %go, label %over
go:
  %i = phi i64 [%begin, %entry], [%j, %go]
  %at = getelementptr i64, ptr %visits, i64 %i
  %old = load i64, ptr %at, align 8
  %new = add i64 %old, 1
  store i64 %new, ptr %at, align 8
  %j = add i64 %i, 1
  %more = icmp slt i64 %j, %end
  br i1 %more, label %go, label %over
over:
  ret void
}
"""
# shares the elements of its own range again: args are parallel_for, pool, mark, args of mark
NESTED = """
define void @nested(ptr %args, i64 %begin, i64 %end) {
  %at_pool = getelementptr ptr, ptr %args, i64 1
  %at_mark = getelementptr ptr, ptr %args, i64 2
  %at_args = getelementptr ptr, ptr %args, i64 3
  %share = load ptr, ptr %args, align 8
  %pool = load ptr, ptr %at_pool, align 8
  %mark = load ptr, ptr %at_mark, align 8
  %inner = load ptr, ptr %at_args, align 8
  call void %share(ptr %pool, ptr %mark, ptr %inner, i64 %end, i64 7)
  ret void
}
"""


class Marks:
    """Counts of visits, and the borders of chunks."""

    def __init__(self, n: int) -> None:
        self.visits = np.zeros(n, np.int64)
        self.ends = np.zeros(n, np.int64)
        self.args = np.array([self.visits.ctypes.data, self.ends.ctypes.data])

    def run(self, p: Pool, n: int, grain: int) -> None:
        p.run(compile_text(MARK, ["mark"])["mark"], self.args.ctypes.data, n, grain)

    def borders(self) -> dict[int, int]:
        return {int(k): int(self.ends[k]) for k in np.flatnonzero(self.ends)}


@pytest.fixture(params=[True, False], ids=["futex", "condition"])
def make(request: Any) -> Iterator[Any]:
    """Makes pools that sleep either way, and stops them."""
    if request.param and sys.platform != "linux":
        pytest.skip("futexes are Linux's")
    made: list[Pool] = []

    def one(size: int) -> Pool:
        made.append(Pool(size, request.param))
        return made[-1]

    yield one
    for p in made:
        p.stop()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_each_element_once(make: Any, size: int) -> None:
    p, marks = make(size), Marks(6000)
    expected = np.zeros(6000, np.int64)
    for n in range(0, 6000, 17):
        marks.run(p, n, 1 + n % 97)
        expected[:n] += 1
    np.testing.assert_array_equal(marks.visits, expected)
    assert p.workers == size - 1


def test_workers_take_part(make: Any) -> None:
    p, marks = make(2), Marks(1 << 20)
    for _ in range(200):
        marks.run(p, 1 << 20, 1 << 12)
        if p._word("done").value:  # chunks of the last job that the caller did not run
            return
    pytest.fail("no worker ever ran a chunk")


def test_workers_wake_from_sleep(make: Any) -> None:
    p, marks = make(3), Marks(1 << 20)
    taken = 0
    for _ in range(100):
        time.sleep(0.002)  # longer than they look for work
        assert p._word("busy").value == 0
        marks.run(p, 1 << 20, 1 << 12)
        taken += p._word("done").value
    assert taken
    assert (marks.visits == 100).all()


@pytest.mark.parametrize(("n", "grain"), [(10, 3), (1000, 999), (64, 64), (20_000, 1)])
def test_borders_do_not_depend_on_threads(make: Any, n: int, grain: int) -> None:
    found = []
    for size in (1, 2, 4):
        marks = Marks(n)
        marks.run(make(size), n, grain)
        found.append(marks.borders())
    assert found[0] == found[1] == found[2]
    step = grain if n <= grain * MAX_CHUNKS else -(-n // MAX_CHUNKS)
    assert found[0] == {b: min(b + step, n) for b in range(0, n, step)}


def test_a_job_inside_a_job_runs_alone(make: Any) -> None:
    p, marks = make(3), Marks(1000)
    mark = compile_text(MARK, ["mark"])["mark"]
    args = np.array([p.parallel_for, p.state, mark, marks.args.ctypes.data])
    # chunk k marks the first k + 1 elements; one caller at a time, so that no count is lost
    p.limit = 1
    p.run(compile_text(NESTED, ["nested"])["nested"], args.ctypes.data, 1000, 1)
    np.testing.assert_array_equal(marks.visits, np.arange(1000, 0, -1))
    p.limit = 3
    p.run(compile_text(NESTED, ["nested"])["nested"], args.ctypes.data, 1000, 250)
    assert marks.visits[0] > 1000


def test_many_callers_at_once(make: Any) -> None:
    p = make(3)
    failed: list[int] = []

    def call(seed: int) -> None:
        marks = Marks(5000)
        for k in range(200):
            marks.run(p, 5000, 50 + (seed + k) % 60)
        if not (marks.visits == 200).all():
            failed.append(seed)

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(16)]
    for t in callers:
        t.start()
    for t in callers:
        t.join()
    assert failed == []
    assert p.workers == 2


def test_a_stopped_pool_still_computes(make: Any) -> None:
    p, marks = make(3), Marks(1000)
    marks.run(p, 1000, 10)
    started = p._workers
    p.stop()
    assert not any(worker.is_alive() for worker in started)
    marks.run(p, 1000, 10)
    p.limit = 3
    marks.run(p, 1000, 10)
    assert p.workers == 0
    assert (marks.visits == 3).all()


def test_the_limit_keeps_workers_out(make: Any) -> None:
    p, marks = make(3), Marks(1 << 16)
    marks.run(p, 1 << 16, 1 << 8)
    p.limit = 1
    p._word("done").value = 0
    for _ in range(50):
        marks.run(p, 1 << 16, 1 << 8)
    assert p._word("done").value == 0
    p.limit = 5
    marks.run(p, 1 << 16, 1 << 8)
    assert p.workers == 4


def test_threads_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pool().limit
    with threads(1):
        assert pool().limit == 1
        with threads(3):
            assert pool().limit == 3
        assert pool().limit == 1
    assert pool().limit == before
    try:
        threads(1)
        assert pool().limit == 1
        threads()
        assert pool().limit == pool().size
    finally:
        pool().limit = before
    with pytest.raises(ValueError, match="at least 1"):
        threads(0)


def test_the_number_of_threads_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_NUM_THREADS", "7")
    assert default_threads() == 7
    for bad in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("FXLA_NUM_THREADS", bad)
        with pytest.raises(ValueError, match="FXLA_NUM_THREADS"):
            default_threads()
    monkeypatch.delenv("FXLA_NUM_THREADS")
    assert default_threads() >= 1


def test_the_layout_keeps_writers_apart() -> None:
    offsets = LAYOUT
    lines = [offsets[x] // 64 for x in ("ticket", "function", "done", "wake", "sleepers", "busy")]
    assert len(set(lines)) == len(lines)
    assert max(offsets.values()) + 64 <= STATE_BYTES
    assert ctypes.sizeof(ctypes.c_void_p) == 8


def run_script(text: str) -> str:
    """Run a program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="this system cannot fork")
def test_a_forked_child_starts_its_own_workers() -> None:
    out = run_script("""
        import os
        from tests.compile.backend.test_pool import Marks
        from fxla.compile.backend.pool import pool, threads
        threads(3)
        p, marks = pool(), Marks(1000)
        marks.run(p, 1000, 10)
        workers = p.workers
        child = os.fork()
        if child == 0:
            inside = p.workers
            marks.run(p, 1000, 10)
            ok = inside == 0 and p.workers == 2 and (marks.visits == 2).all()
            os._exit(0 if ok else 1)
        _, status = os.waitpid(child, 0)
        marks.run(p, 1000, 10)
        print(workers, os.waitstatus_to_exitcode(status), (marks.visits == 2).all())
    """)
    assert out.split() == ["2", "0", "True"]


def test_a_process_ends_while_threads_compute() -> None:
    out = run_script("""
        import threading, time
        from tests.compile.backend.test_pool import Marks
        from fxla.compile.backend.pool import pool, threads
        threads(3)
        p, marks = pool(), Marks(100000)
        def forever():
            while True:
                marks.run(p, 100000, 10)
        for _ in range(2):
            threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.2)
        print(p.workers)
    """)
    assert out.split() == ["2"]
