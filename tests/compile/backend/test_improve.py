"""What was compiled in haste becomes good code once it is called again, with the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.backend import improve, native
from fxla.compile.backend.improve import wait_for_improvements
from fxla.compile.backend.llvm import haste_keeps_bits
from fxla.compile.executable import Executable, compile_jaxpr

pytestmark = pytest.mark.skipif(not haste_keeps_bits(), reason="nothing is compiled in haste here")


@pytest.fixture(autouse=True)
def _native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "native")
    monkeypatch.setenv("FXLA_CACHE", "0")
    monkeypatch.setenv("FXLA_CHECK", "0")


def compiled(f: Callable[..., Any], *args: Any) -> Executable:
    return compile_jaxpr(fxla.make_jaxpr(f)(*args).jaxpr)


def addresses(run: Executable) -> list[int]:
    """What the driver calls."""
    functions = run.image.functions
    return [run._functions[k] for k, f in enumerate(functions) if isinstance(f, int)]


def horner(x: Any) -> Any:
    """Products and sums of scalars, to be contracted: as numbers, and as short vectors."""
    y = x * 0.3333 + 0.777
    z = (y * x + 0.1234) * x - y * y
    return z * z - x * 0.0917, (z * x + y).sum()


def scanned(x: Any) -> Any:
    def step(c: Any, a: Any) -> Any:
        c = c * 0.917 + a * c * 0.313
        return c, c * a - 0.713

    return lax.scan(step, x[0] * 1.371, x)


def rows(x: Any) -> Any:
    y = x.reshape(4, -1)
    e = fnp.exp(y - y.max(1, keepdims=True)) * 1.0713
    return e / e.sum(1, keepdims=True), fnp.cumsum(y * y + 0.0137, 1)


def gradient(x: Any) -> Any:
    return fxla.grad(lambda x: (fnp.sin(x * 1.0191) * fnp.tanh(x) + x**3 * 0.0173).sum())(x)


PROGRAMS = (horner, scanned, rows, gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_good_code_has_the_bits_of_hasty_code(f: Callable[..., Any], dtype: str) -> None:
    x = np.linspace(0.11, 1.93, 140).astype(dtype)
    run = compiled(f, x)
    assert any(k.hasty is not None for k in run.kernels)
    first = [a.tobytes() for a in run(x)]
    before = addresses(run)
    assert [a.tobytes() for a in run(x)] == first
    wait_for_improvements()
    assert not set(addresses(run)) & set(before)
    assert [a.tobytes() for a in run(x)] == first
    assert all(k.hasty is None for k in run.kernels)
    assert addresses(run) == [run.kernels[f].address for f in run.image.functions
                              if isinstance(f, int)]  # fmt: skip


def test_what_is_called_once_is_left_alone() -> None:
    x = np.linspace(0.2, 0.9, 77)
    run = compiled(lambda x: fnp.cos(x * 1.4142) * 2.0937 + x, x)
    before = addresses(run)
    run(x)
    wait_for_improvements()
    assert addresses(run) == before
    assert all(k.hasty is not None for k in run.kernels)


def test_a_kernel_of_two_programs_is_compiled_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.linspace(0.2, 0.9, 78), np.linspace(0.4, 0.8, 79)

    def f(x: Any) -> Any:
        return fnp.cos(x * 1.5142) * 2.1937 - x

    runs = [compiled(f, x), compiled(lambda x: f(x), y)]
    efforts: list[int] = []
    emit = native.emit_object
    monkeypatch.setattr(
        native, "emit_object", lambda t, isa, effort: efforts.append(effort) or emit(t, isa, effort)
    )
    for run, given in zip(runs, (x, y), strict=True):
        run(given)
        run(given)
        wait_for_improvements()
    assert efforts == [native.EFFORT]
    assert addresses(runs[0]) == addresses(runs[1])
    np.testing.assert_allclose(runs[1](y)[0], np.cos(y * 1.5142) * 2.1937 - y, rtol=1e-14)


def test_a_program_goes_on_without_good_code(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(0.2, 0.9, 81)
    run = compiled(lambda x: fnp.cos(x * 1.6142) * 2.2937 - x, x)
    run(x)

    def fail(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(native, "emit_object", fail)
    run(x)
    wait_for_improvements()
    monkeypatch.undo()
    np.testing.assert_allclose(run(x)[0], np.cos(x * 1.6142) * 2.2937 - x, rtol=1e-14)
    assert improve._thread is None
    assert not improve._waiting


def process(cache: Path, program: str) -> Any:
    """What a new process prints, as JSON."""
    environment = {
        **os.environ, "FXLA_CACHE_DIR": str(cache), "FXLA_CACHE": "1", "FXLA_CHECK": "0",
        "FXLA_TARGET": "native", "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CALLED = """
import json, sys
import numpy as np
import fxla, fxla.numpy as fnp
from fxla.compile.backend import native
from fxla.compile.backend.improve import wait_for_improvements
efforts, emit = [], native.emit_object
def noted(text, isa, effort):
    if 'define void @"kernel.' in text:  # and not fxla's own code, where it was not installed
        efforts.append(effort)
    return emit(text, isa, effort)
native.emit_object = noted
x = np.linspace(0.1, 0.9, 300).reshape(20, 15)
f = fxla.jit(fxla.grad(lambda x: (fnp.tanh(x @ x.T * 1.25) * fnp.sin(x.sum(1))).sum()))
bits = []
for _ in range(CALLS):
    bits.append(np.asarray(f(x)).tobytes().hex())
    wait_for_improvements()
print(json.dumps([efforts, bits]))
"""


def test_other_processes_begin_with_what_the_last_one_had(tmp_path: Path) -> None:
    first, bits = process(tmp_path, CALLED.replace("CALLS", "1"))
    assert set(first) == {native.HASTE}
    second, more = process(tmp_path, CALLED.replace("CALLS", "1"))
    assert second == []
    third, most = process(tmp_path, CALLED.replace("CALLS", "3"))
    assert set(third) == {native.EFFORT}
    last, again = process(tmp_path, CALLED.replace("CALLS", "3"))
    assert last == []
    assert len({*bits, *more, *most, *again}) == 1


MANY = """
import json, os, sys
import numpy as np
import fxla, fxla.numpy as fnp
x = np.linspace(0.1, 0.9, 300)
def program(k):
    return fxla.jit(fxla.grad(lambda x: (fnp.tanh(x * k) * fnp.sin(x[k:] + k).sum()).sum()))
for k in range(1, 6):
    f = program(k)
    f(x); f(x)
"""


def test_a_process_ends_while_its_programs_are_compiled_again(tmp_path: Path) -> None:
    assert process(tmp_path, MANY + "print(json.dumps('done'))") == "done"


def test_a_child_compiles_while_its_parent_does(tmp_path: Path) -> None:
    """What another thread held when the process was copied is free."""
    child = """
pid = os.fork()
f = program(9)
got = [np.asarray(f(x)).tolist() for _ in range(3)]
if pid == 0:
    os._exit(0 if np.isfinite(got).all() else 1)
_, status = os.waitpid(pid, 0)
print(json.dumps(os.waitstatus_to_exitcode(status)))
"""
    assert process(tmp_path, MANY + child) == 0


def test_the_thread_ends_with_its_work() -> None:
    x = np.linspace(0.2, 0.9, 83)
    run = compiled(lambda x: fnp.cos(x * 1.7142) * 2.3937 - x, x)
    run(x)
    run(x)
    wait_for_improvements()
    assert not [t for t in threading.enumerate() if t.name == "fxla-improve"]
