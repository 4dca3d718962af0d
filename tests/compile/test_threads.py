"""Compiled programs give the same bits on any number of threads, and serve many callers at once."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.backend.pool import pool
from fxla.compile.build import build_program
from fxla.compile.program import Gemm, Launch, walk_instructions
from fxla.compile.routines.gemm import split_product
from fxla.control.programs import executable_of
from fxla.core.blas import blas_threads
from fxla.core.jaxpr import Jaxpr

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# prints a hash of the bits of each result, by name
DIGESTS = """
import hashlib, json
import numpy as np
import fxla, fxla.numpy as fnp
from fxla.compile.backend.pool import pool

rng = np.random.default_rng(0)
rows = rng.normal(size=(600, 700)).astype("f4")
long = rng.normal(size=300_001)
kernel = rng.normal(size=(8, 3, 3, 3)).astype("f4")
images = rng.normal(size=(6, 3, 40, 50)).astype("f4")

def softmax(x):
    e = fnp.exp(x - fnp.max(x, axis=1, keepdims=True))
    return e / fnp.sum(e, axis=1, keepdims=True)

def steps(x):
    def step(carry, row):
        carry = fnp.tanh(carry + row) * 0.5
        return carry, fnp.sum(carry)
    return fxla.lax.scan(step, x[0], x)

cases = {
    "map": (lambda x: fnp.exp(x) * fnp.sin(x) + 1, long),
    "softmax": (softmax, rows),
    "sum": (lambda x: fnp.sum(x * x), long),
    "sum_single": (lambda x: fnp.sum(x), rows),
    "mean_variance": (lambda x: (fnp.mean(x), fnp.var(x), fnp.max(x)), long),
    "sum_rows": (lambda x: fnp.sum(x, axis=1), rows),
    "sum_columns": (lambda x: fnp.sum(x, axis=0), rows),
    "transpose": (lambda x: x.T + 1, rows),
    "gemm": (lambda x: x @ x.T, rows),
    "gemv": (lambda x: x @ x[0], rows),
    "batch": (lambda x: x.reshape(30, 20, 700) @ x.reshape(30, 700, 20), rows),
    "conv": (lambda x: fxla.lax.conv(x, kernel, (1, 1), "SAME"), images),
    "scan": (steps, rows),
    "normals": (lambda x: fxla.random.normal(fxla.random.key(7), (70_000,)) + x[0, 0], rows),
    "cumsum": (lambda x: (fnp.cumsum(x), fxla.lax.cumsum(x, reverse=True)), long),
    "cummax": (lambda x: fnp.maximum.accumulate(x), long),
    "sort": (lambda x: (fnp.sort(x), fnp.sort(x.astype("f4"))), long),
    "argsort": (lambda x: fnp.argsort(fnp.round(x * 10)), long),
    "top_k": (lambda x: fxla.lax.top_k(fnp.round(x * 10), 1000), long),
    "quantiles": (lambda x: (fnp.median(x), fnp.quantile(x, 0.9)), long),
    "nonzero": (lambda x: fnp.nonzero(x > 1, size=60_000, fill_value=-1)[0], long),
    "mask": (lambda x: x[x > 0], long),
    "gradient": (fxla.grad(lambda x: fnp.sum(fnp.tanh(x @ rows.T) ** 2)), rows),
}
digests = {}
for name, (function, argument) in cases.items():
    results = fxla.tree.leaves(fxla.jit(function)(argument))
    bits = b"".join(np.ascontiguousarray(r).tobytes() for r in results)
    digests[name] = hashlib.sha256(bits).hexdigest()
print(json.dumps({"workers": pool().workers, "digests": digests}))
"""


def digests(n: int, target: str) -> dict[str, Any]:
    """What the script prints on `n` threads."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "FXLA_NUM_THREADS": str(n), "FXLA_TARGET": target}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("target", ["native", "numba"])
def test_bits_do_not_depend_on_the_number_of_threads(target: str) -> None:
    serial = digests(1, target)
    assert serial["workers"] == 0
    for n in (2, 3):
        shared = digests(n, target)
        assert shared["workers"] == n - 1
        assert shared["digests"] == serial["digests"]


def launches(function: Callable[..., Any], *args: Any) -> list[Launch]:
    closed = fxla.make_jaxpr(function)(*args)
    assert isinstance(closed.jaxpr, Jaxpr)
    program = executable_of(closed.jaxpr).program
    return [i for i in walk_instructions(program.body) if isinstance(i, Launch)]


def chunks(i: Launch) -> int:
    return -(-i.count // i.grain) if i.grain else 1


def test_large_launches_are_shared_and_small_ones_are_not() -> None:
    def both(x: Any) -> Any:
        return fnp.exp(x) + 1

    (small,) = launches(both, np.zeros(1000, np.float32))
    (large,) = launches(both, np.zeros(10**6, np.float32))
    assert chunks(small) == 1
    assert chunks(large) > 4
    assert small.kernel == large.kernel  # one kernel serves both


def test_a_scan_body_of_small_steps_stays_serial() -> None:
    def run(x: Any) -> Any:
        return fxla.lax.scan(lambda c, row: (fnp.tanh(c + row), None), x[0], x)[0]

    assert all(chunks(i) == 1 for i in launches(run, np.zeros((1000, 64), np.float32)))


def test_one_long_row_is_worked_on_by_all() -> None:
    x = np.zeros(10**6)
    for function, alone in ((fnp.cumsum, 0), (fnp.sort, 6), (lambda x: fxla.lax.cummin(x), 0)):
        found = launches(function, x)
        assert len(found) > 1
        assert sum(chunks(i) == 1 for i in found) == alone  # between the digits of the sort
    found = launches(lambda x: fnp.nonzero(x, size=10**6)[0], x)
    assert all(chunks(i) > 1 for i in found)


def test_work_counts_inner_loops() -> None:
    def rows(x: Any) -> Any:
        return fnp.sum(fnp.exp(x), axis=1)

    (few,) = launches(rows, np.zeros((40, 16), np.float32))
    (long,) = launches(rows, np.zeros((40, 40_000), np.float32))
    assert (chunks(few), chunks(long)) == (1, 40)


def test_products_are_cut_by_size_alone() -> None:
    for m, n, k, batch in [(1024, 1024, 1024, 1), (128, 128, 784, 1), (5, 9000, 300, 1),
                           (4, 4, 4, 1000), (700, 1, 900, 1), (1, 1, 10**6, 1)]:  # fmt: skip
        split = split_product(m, n, k, batch)
        assert (split.row_parts - 1) * split.rows < m <= split.row_parts * split.rows
        assert (split.column_parts - 1) * split.columns < n <= split.column_parts * split.columns
        assert 1 <= split.grain <= split.row_parts * split.column_parts * batch
    large, small = split_product(1024, 1024, 1024, 1), split_product(32, 32, 32, 1)
    assert (large.rows, large.columns) == (256, 512)
    assert (small.row_parts, small.column_parts) == (1, 1)
    assert split_product(64, 64, 64, 1000).grain < 1000


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize(("m", "k", "n"), [(400, 300, 500), (1000, 700, 1), (1, 700, 1000)])
def test_cut_products_agree_with_numpy(dtype: str, m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> Any:
        x = rng.normal(size=shape)
        return (x + 1j * rng.normal(size=shape) if dtype[0] == "c" else x).astype(dtype)

    a, b = draw(m, k), draw(k, n)
    exact = a.astype("c16") @ b.astype("c16")

    def check(got: Any, want: Any) -> None:
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-3 if dtype in ("f4", "c8") else 1e-10)

    check(fxla.jit(lambda a, b: a @ b)(a, b), exact)
    check(fxla.jit(lambda a, b: a.T @ b)(a.T.copy(), b), exact)
    check(fxla.jit(lambda a, b: a @ b.T)(a, b.T.copy()), exact)
    check(fxla.jit(lambda a, b: (a @ b).T)(a, b), exact.T)


def test_a_batch_of_large_products_is_cut_twice() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(3, 330, 140)), rng.normal(size=(3, 140, 420))
    product = fxla.jit(lambda a, b: a @ b)
    np.testing.assert_allclose(product(a, b), a @ b, rtol=0, atol=1e-10)
    closed = fxla.make_jaxpr(lambda a, b: a @ b)(a, b)
    (gemm,) = build_program(closed.jaxpr).body
    assert isinstance(gemm, Gemm)
    split = split_product(gemm.m, gemm.n, gemm.k, gemm.batch)
    assert split.row_parts * split.column_parts > 1


def test_the_users_blas_threads_come_back() -> None:
    table = (ctypes.c_int64 * 5).from_address(blas_threads())
    if not table[0]:
        pytest.skip("SciPy's BLAS has no setting for threads")
    get = ctypes.CFUNCTYPE(ctypes.c_int)(table[0])
    put = ctypes.CFUNCTYPE(None, ctypes.c_int)(table[1])
    before = get()
    x = np.random.default_rng(3).normal(size=(300, 300))
    product = fxla.jit(lambda x: x @ x)
    product(x)
    try:
        for n in (1, 2):
            put(n)
            seen: set[int] = set()
            callers = [threading.Thread(target=product, args=(x,)) for _ in range(8)]
            for t in callers:
                t.start()
            while any(t.is_alive() for t in callers):
                seen.add(get())
            for t in callers:
                t.join()
            assert get() == n
            assert table[3] == 0  # no product runs any more
            assert seen <= {1, n}
    finally:
        put(before)


def test_sixteen_threads_call_at_once_while_processes_start() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 400))

    def model(x: Any) -> Any:
        h = fnp.tanh(x @ x.T)
        e = fnp.exp(h - fnp.max(h, axis=1, keepdims=True))
        return fnp.sum(e * h, axis=0), fnp.sort(h[0])

    compiled = fxla.jit(model)
    expected = compiled(x)
    wrong: list[str] = []

    def call(seed: int) -> None:
        mine = fxla.jit(lambda x: fnp.exp(x * 0.1) + seed)  # compiled while the others run
        for _ in range(10):
            for got, want in zip(compiled(x), expected, strict=True):
                if not np.array_equal(got, want):
                    wrong.append(f"model in {seed}")
            if not np.allclose(mine(x), np.exp(x * 0.1) + seed):
                wrong.append(f"map in {seed}")

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(16)]
    for t in callers:
        t.start()
    while any(t.is_alive() for t in callers):
        subprocess.run([sys.executable, "-c", ""], check=True)
    for t in callers:
        t.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_calls_what_its_parent_compiled() -> None:
    x = np.random.default_rng(5).normal(size=(400, 500))
    function = fxla.jit(lambda x: fnp.sum(fnp.exp(x) @ x.T))
    expected = float(function(x))
    with fxla.threads(2):
        child = os.fork()
        if child == 0:
            same = float(function(x)) == expected and pool().workers == 1
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
