"""Kernels on their way: printed when they are added, and all there when they are finished."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.backend import compiled, native
from fxla.compile.backend.compiled import Kernels
from fxla.loops.extents import kernel_key
from fxla.loops.ir import INDEX, Buffer, Const, Extent, For, Index, Kernel, Load, Op, Store
from fxla.loops.native.printer import Unsupported


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is compiled."""
    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(native, "_kernels", {})
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path))


def scaled(k: int) -> Kernel:
    """x times k."""
    f8 = np.dtype("f8")
    x, out = (Buffer(name, f8, (Extent(INDEX, 0, "n0"),)) for name in ("x", "out"))
    i = Index(INDEX, "i0")
    value = Op(f8, "mul", (Load(f8, x, (i,)), Const(f8, float(k))))
    body = For(i, x.shape[0], (Store(out, (i,), value),), "parallel")
    return Kernel("scaled", (x,), (out,), (Extent(INDEX, 0, "n0"),), (body,))


def first_element(address: int) -> float:
    x, out = np.ones(5), np.zeros(5)
    args = (ctypes.c_int64 * 3)(x.ctypes.data, out.ctypes.data, 5)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)(args, 0, 5)
    return float(out[0])


def test_what_was_added_is_there_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "native")
    kernels = Kernels()
    keys = [kernel_key(scaled(k)) for k in (3, 4, 3)]
    for k, key in zip((3, 4, 3), keys, strict=True):
        kernels.add(scaled(k), key)
        assert kernels.packed(key)
    kernels.finish()
    assert [first_element(kernels[key].address) for key in keys] == [3.0, 4.0, 3.0]
    again = Kernels()
    again.add(scaled(4), keys[1])
    assert again.packed(keys[1])
    again.finish()
    assert again[keys[1]] is kernels[keys[1]]


def test_what_native_lacks_numba_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "native")

    def refuse(*_: Any) -> Any:
        raise Unsupported("not today")

    monkeypatch.setattr(native, "native_parts", refuse)
    kernels, key = Kernels(), kernel_key(scaled(7))
    kernels.add(scaled(7), key)
    assert not kernels.packed(key)
    kernels.finish()
    assert (kernels[key].packed, kernels[key].reason) == (False, "not today")


def test_the_numba_target_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "numba")
    monkeypatch.setattr(native, "native_parts", lambda *_: pytest.fail("printed"))
    kernels, key = Kernels(), kernel_key(scaled(8))
    kernels.add(scaled(8), key)
    kernels.finish()
    assert kernels[key].reason == "FXLA_TARGET=numba"


def test_compiling_begins_before_the_program_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last kernel is not made until the first is being compiled."""
    monkeypatch.setenv("FXLA_TARGET", "native")
    monkeypatch.setenv("FXLA_CACHE", "0")
    monkeypatch.setenv("FXLA_NUM_THREADS", "2")
    monkeypatch.setattr(native, "MODULE_LINES", 1)
    compiling = threading.Event()
    emit, add = native.emit_object, compiled.Batch.add
    added: list[str] = []

    def noted(*args: Any) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            compiling.set()
        return emit(*args)

    def counted(batch: Any, kernel: Kernel) -> Any:
        found = add(batch, kernel)
        added.append(kernel.name)
        assert compiling.wait(60)
        return found

    monkeypatch.setattr(native, "emit_object", noted)
    monkeypatch.setattr(compiled.Batch, "add", counted)
    x = np.linspace(0.1, 0.9, 700).reshape(70, 10)
    f = fxla.jit(lambda x: (fnp.cumsum(fnp.sin(x) * 1.25, 0) + fnp.sort(x * 0.75, 1)).sum(0))
    expected = (np.cumsum(np.sin(x) * 1.25, 0) + np.sort(x * 0.75, 1)).sum(0)
    np.testing.assert_allclose(f(x), expected, rtol=1e-12)
    assert len(added) > 1
