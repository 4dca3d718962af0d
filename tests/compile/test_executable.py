"""Programs made ready and run: arguments of any layout, errors, threads, damaged caches."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.executable import Executable, as_input, compile_jaxpr, executable_from
from fxla.control.programs import executable_of
from fxla.errors import DtypeError
from fxla.ops.linalg import cholesky

RNG = np.random.default_rng(0)


@fxla.jit
def arithmetic(x: Any, y: Any) -> Any:
    return x * 2 + y, (x - y).sum(0), x


def layouts(x: Any) -> list[Any]:
    """The same values laid out in every way NumPy knows."""
    wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    strided = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    strided[...] = x
    backwards = np.ascontiguousarray(x[tuple(slice(None, None, -1) for _ in x.shape)])
    raw = np.zeros(x.nbytes + 1, np.uint8)
    odd = raw[1:].view(x.dtype).reshape(x.shape)
    odd[...] = x
    swapped = x.astype(x.dtype.newbyteorder())
    read_only = x.copy()
    read_only.flags.writeable = False
    return [
        np.asfortranarray(x),
        strided,
        backwards[tuple(slice(None, None, -1) for _ in x.shape)],
        odd,
        swapped,
        read_only,
        np.ma.masked_array(x),
        x.view(np.matrix) if x.ndim == 2 else x,
    ]


@pytest.mark.parametrize("shape", [(4, 5), (3, 1, 2), (7,), (0, 3), (1, 1)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "complex64"])
def test_arguments_of_any_layout(shape: tuple[int, ...], dtype: str) -> None:
    x = np.asarray(RNG.integers(-9, 9, shape)).astype(dtype)
    y = np.asarray(RNG.integers(-9, 9, shape)).astype(dtype)
    want = x * 2 + y, (x - y).sum(0), x
    for a in [x, *layouts(x)]:
        if isinstance(a, np.matrix):
            continue
        for got, expected in zip(arithmetic(a, y), want, strict=True):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype
            assert got.flags.c_contiguous
            assert got.flags.writeable


@given(st.data())
def test_random_views(data: Any) -> None:
    """Transposed, sliced, broadcast: whatever the strides are."""
    base = np.arange(240.0).reshape(4, 3, 5, 4)
    view = base.transpose(data.draw(st.permutations(range(4))))
    starts = [data.draw(st.integers(0, n - 1)) for n in view.shape]
    steps = [data.draw(st.sampled_from([1, 2, -1, -2])) for _ in view.shape]
    view = view[tuple(slice(a, None, s) for a, s in zip(starts, steps, strict=True))]
    if data.draw(st.booleans()):
        view = np.broadcast_to(view[..., :1], view.shape)
    got = compiled_identity(view.shape)(view)[0]
    np.testing.assert_array_equal(got, view)
    assert not np.shares_memory(got, base)


def compiled_identity(shape: tuple[int, ...]) -> Executable:
    return executable_of(fxla.make_jaxpr(lambda x: x * 1.0)(np.zeros(shape)).jaxpr)


def test_scalars_and_rank_zero() -> None:
    f = fxla.jit(lambda x: (x, x + 1))
    for x in (3.0, np.float64(3.0), np.array(3.0), np.array([[3.0]])[0, 0], np.arange(4.0)[3:][0]):
        a, b = f(x)
        assert (a.shape, float(a), float(b)) == ((), 3.0, 4.0)


def test_numbers_are_converted_by_their_type() -> None:
    """What is not of the program's type is traced anew; the program itself converts its input."""
    run = compile_jaxpr(fxla.make_jaxpr(lambda x: x / 2)(np.zeros(3)).jaxpr)
    np.testing.assert_array_equal(run(np.arange(3))[0], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(run([1, 2, 3])[0], [0.5, 1.0, 1.5])
    with pytest.raises(DtypeError, match=r"f64\[3\] was called with shape \(4,\)"):
        run(np.zeros(4))
    x = np.zeros(3)
    assert as_input(x, x.dtype, x.shape) is x


def test_results_never_alias_arguments_or_each_other() -> None:
    """Also where a result is an argument, twice, or a view of it."""
    f = fxla.jit(lambda x: (x, x, x.reshape(-1), x[:1], x.T, fnp.broadcast_to(x[0], (2, 2))))
    x = np.arange(4.0).reshape(2, 2)
    for call in (f, fxla.jit(lambda x: lax.scan(lambda c, _: (c, c), x, None, 2))):
        outs = fxla.tree.leaves(call(x))
        for i, a in enumerate(outs):
            assert not np.shares_memory(a, x)
            assert all(not np.shares_memory(a, b) for b in outs[i + 1 :])
        before = [np.array(o) for o in outs]
        for o in outs:
            o[...] = -1.0
        np.testing.assert_array_equal(x, [[0, 1], [2, 3]])
        for a, b in zip(fxla.tree.leaves(call(x)), before, strict=True):
            np.testing.assert_array_equal(a, b)


def test_constants_of_a_program() -> None:
    """Scalars that may follow from sizes are loaded: of every dtype, to the last bit."""
    values = [
        np.float32(0.1), np.float64(0.1), np.float16(0.1), np.complex64(0.1 - 3.7j),
        np.complex128(1e300 + 1e-300j), np.int8(-77), np.uint64(2**63 + 12345), np.int64(-(2**62)),
    ]  # fmt: skip

    @fxla.jit
    def f(xs: Any) -> Any:
        return [x + v for x, v in zip(xs, values, strict=True)]

    zeros = [np.zeros(3, v.dtype) for v in values]
    for got, v in zip(f(zeros), values, strict=True):
        assert got.dtype == v.dtype
        np.testing.assert_array_equal(got, np.full(3, v))


def test_an_exception_of_a_library_call_passes_through() -> None:
    good, bad = np.eye(3), -np.eye(3)
    f = fxla.jit(lambda x: cholesky(x) * 2.0)
    np.testing.assert_array_equal(f(good), 2 * good)
    with pytest.raises(np.linalg.LinAlgError):
        f(bad)
    np.testing.assert_array_equal(f(good), 2 * good)  # nothing is left behind

    def looped(x: Any) -> Any:
        return lax.scan(lambda c, k: (cholesky(c - k * np.eye(3)), None), x, np.arange(3.0))[0]

    with pytest.raises(np.linalg.LinAlgError):
        fxla.jit(looped)(good)


def host_program(function: Any) -> Executable:
    """A program that calls a Python function in its middle."""
    executable = compile_jaxpr(
        fxla.make_jaxpr(lambda x: fnp.sort(x * 2.0) + 1.0)(np.zeros(3)).jaxpr
    )
    (call,) = [i for i in executable.program.body if hasattr(i, "function")]
    call.function = function
    return executable_from(executable.program)


def test_a_program_may_call_itself() -> None:
    """The arena in use is not given out twice."""
    depth = 0

    def again(x: Any) -> Any:
        nonlocal depth
        kept = x.copy()
        if depth < 3:
            depth += 1
            np.testing.assert_array_equal(run(x + 10.0)[0].shape, (3,))
        np.testing.assert_array_equal(x, kept)  # the inner call did not write over it
        return (x,)

    run = host_program(again)
    np.testing.assert_array_equal(run(np.arange(3.0))[0], [1.0, 3.0, 5.0])
    assert depth == 3


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_every_kind_of_exception_passes_through(error: BaseException) -> None:
    def fail(x: Any) -> Any:
        raise error

    run = host_program(fail)
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            run(np.zeros(3))
        assert caught.value is error


def test_threads_run_one_program_at_once() -> None:
    f = fxla.jit(lambda x: fnp.sort(fnp.sin(x) * 3.0) + fnp.sort(x)[::-1])
    xs = [RNG.standard_normal(20_000) for _ in range(4)]
    want = [np.sort(np.sin(x) * 3.0) + np.sort(x)[::-1] for x in xs]
    f(xs[0])
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(10):
            if not np.allclose(f(xs[k]), want[k], rtol=1e-12, atol=1e-14):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


SCRIPT = """
import warnings, sys
import numpy as np
import fxla, fxla.numpy as fnp
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    f = fxla.jit(lambda x: (fnp.exp(x) + 1.0, x.sum(), fnp.sort(x)))
    a, b, c = f(np.arange(20.0)[::-1])
np.testing.assert_allclose(a, np.exp(np.arange(20.0)[::-1]) + 1, rtol=1e-14)
assert float(b) == 190.0 and float(c[0]) == 0.0
print(len([w for w in caught if w.category.__name__ == "CacheWarning"]))
"""


def run_script(cache: Path) -> int:
    """How many cache warnings a new process gives; its results are checked inside."""
    env = {**os.environ, "FXLA_CACHE_DIR": str(cache), "FXLA_CACHE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_damaged_cache_is_never_believed(tmp_path: Path) -> None:
    assert run_script(tmp_path) == 0
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert files
    assert run_script(tmp_path) == 0
    for k, path in enumerate(files):
        content = bytearray(path.read_bytes())
        match k % 4:
            case 0:
                content[len(content) // 2] ^= 0xFF
            case 1:
                content[3] ^= 1
            case 2:
                del content[-5:]
            case 3:
                content.clear()
        path.write_bytes(bytes(content))
    assert run_script(tmp_path) == 1  # one warning, however many files
    assert run_script(tmp_path) == 0  # and they were written again


def test_a_cache_that_is_a_file(tmp_path: Path) -> None:
    """Nowhere to write to, also for root."""
    place = tmp_path / "taken"
    place.write_text("not a directory")
    assert run_script(place) == 1


def test_unused_and_repeated_results_cost_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = fxla.jit(lambda x, y: (x.sum(), x.sum()))
        a, b = f(np.ones(3), np.ones(4))
    assert float(a) == float(b) == 3.0
    program = executable_of(f.trace(np.ones(3), np.ones(4)).jaxpr.jaxpr).program
    assert len(program.kernels()) == 1


def test_a_small_program_starts_no_pool_and_a_large_one_does() -> None:
    code = (
        "import numpy as np, fxla, fxla.compile.backend.pool as p;"
        "f = fxla.jit(lambda x, w: (x + 1) @ w);"
        "assert (f(np.ones((20, 20)), np.ones((20, 20))) == 40).all() and p._pool is None;"
        "assert (f(np.ones((900, 900)), np.ones((900, 20))) == 1800).all() and p._pool is not None;"
        "assert (f(np.zeros((0, 20)), np.ones((20, 20)))).shape == (0, 20)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
