"""Compilation to addresses, and the cache that must never be wrong."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.backend import compiled, disk, llvm, native, shipped
from fxla.compile.backend.disk import cache_directory
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import (
    NativeFunction,
    compile_kernels,
    compile_native,
    compile_text,
    load_modules,
    packed,
)
from fxla.errors import CacheWarning, InternalError
from fxla.loops.ir import INDEX, Buffer, Const, Extent, For, Index, Kernel, Load, Op, Store
from fxla.loops.native.tiles import TILE_PREFIX


def constant_function(name: str, value: int) -> str:
    return f"define i64 @{name}() {{\n  ret i64 {value}\n}}\n"


def value_of(address: int) -> int:
    result: int = ctypes.CFUNCTYPE(ctypes.c_int64)(address)()
    return result


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of this test's own, in an installation without object files."""
    monkeypatch.setattr(shipped, "OBJECTS", tmp_path / "not there")
    for table in ("_addresses", "_kernels", "_linked"):
        monkeypatch.setattr(native, table, {})
    native._tile_entry.cache_clear()
    monkeypatch.setattr(disk, "_warned", False)
    monkeypatch.setenv("FXLA_CACHE", "1")
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path))
    return tmp_path


def forget() -> None:
    """What a new process does not know."""
    native._addresses.clear()
    native._kernels.clear()
    native._linked.clear()
    native._tile_entry.cache_clear()


def objects(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file())


def test_text_to_addresses() -> None:
    text = constant_function("one", 1) + constant_function("two", 2)
    addresses = compile_text(text, ["one", "two"])
    assert [value_of(addresses[n]) for n in ("one", "two")] == [1, 2]


def test_same_text_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = constant_function("once", 3)
    first = compile_text(text, ["once"])
    monkeypatch.setattr(native, "_object", lambda *_: pytest.fail("compiled again"))
    assert compile_text(text, ["once"]) == first


def test_same_name_in_two_texts() -> None:
    a = compile_text(constant_function("f", 5), ["f"])["f"]
    b = compile_text(constant_function("f", 6), ["f"])["f"]
    assert (value_of(a), value_of(b)) == (5, 6)


def test_library_symbols_are_found() -> None:
    text = (
        "declare double @cbrt(double)\n"
        "define double @root(double %x) {\n"
        "  %y = call double @cbrt(double %x)\n  ret double %y\n}\n"
    )
    address = compile_text(text, ["root"])["root"]
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)(27.0) == pytest.approx(3.0)


def test_symbols_are_bound_when_code_is_loaded() -> None:
    text = (
        "declare i64 @outside()\n"
        "define i64 @inside() {\n  %x = call i64 @outside()\n  ret i64 %x\n}\n"
    )
    for value in (11, 12):
        outside = compile_text(constant_function("outside", value), ["outside"])["outside"]
        address = compile_text(text, ["inside"], symbols={"outside": outside})["inside"]
        assert value_of(address) == value


def test_disk_serves_what_was_compiled(monkeypatch: pytest.MonkeyPatch, fresh: Path) -> None:
    text = constant_function("kept", 7)
    compile_text(text, ["kept"])
    assert len(objects(fresh)) == 1
    forget()
    monkeypatch.setattr(native, "emit_object", lambda *_: pytest.fail("compiled again"))
    assert value_of(compile_text(text, ["kept"])["kept"]) == 7


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "short"])
def test_damaged_object_is_compiled_again(fresh: Path, damage: str) -> None:
    text = constant_function("hurt", 8)
    compile_text(text, ["hurt"])
    (path,) = objects(fresh)
    good = path.read_bytes()
    bad = {
        "truncated": good[:-10],
        "flipped": good[:200] + bytes([good[200] ^ 1]) + good[201:],
        "empty": b"",
        "short": good[:20],
    }[damage]
    path.write_bytes(bad)
    forget()
    with pytest.warns(CacheWarning, match="damaged"):
        assert value_of(compile_text(text, ["hurt"])["hurt"]) == 8
    assert path.read_bytes() == good


def test_unwritable_directory_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a directory should be")
    monkeypatch.setenv("FXLA_CACHE_DIR", str(blocked))
    with pytest.warns(CacheWarning):
        assert value_of(compile_text(constant_function("w1", 1), ["w1"])["w1"]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value_of(compile_text(constant_function("w2", 2), ["w2"])["w2"]) == 2


def test_cache_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, fresh: Path) -> None:
    monkeypatch.setenv("FXLA_CACHE", "0")
    assert cache_directory() is None
    compile_text(constant_function("off", 1), ["off"])
    assert not objects(fresh)


def test_no_partial_files_are_left(fresh: Path) -> None:
    for k in range(5):
        compile_text(constant_function(f"f{k}", k), [f"f{k}"])
    assert all(p.suffix == ".o" for p in objects(fresh))


def doubled(k: int) -> Kernel:
    """A kernel of its own for each number: x times k."""
    f8 = np.dtype("f8")
    x, out = (Buffer(name, f8, (Extent(INDEX, 0, "n0"),)) for name in ("x", "out"))
    i = Index(INDEX, "i0")
    value = Op(f8, "mul", (Load(f8, x, (i,)), Const(f8, float(k))))
    body = For(i, x.shape[0], (Store(out, (i,), value),), "parallel")
    return Kernel("scaled", (x,), (out,), (Extent(INDEX, 0, "n0"),), (body,))


def run_kernel(address: int) -> float:
    x, out = np.ones(5), np.zeros(5)
    args = (ctypes.c_int64 * 3)(x.ctypes.data, out.ctypes.data, 5)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)(args, 0, 5)
    assert len(set(out)) == 1
    return float(out[0])


@pytest.mark.parametrize("threads", [1, 4])
def test_many_kernels_together(monkeypatch: pytest.MonkeyPatch, fresh: Path, threads: int) -> None:
    monkeypatch.setenv("FXLA_NUM_THREADS", str(threads))
    monkeypatch.setattr(native, "MODULE_LINES", 100)
    emitted: list[str] = []
    emit = native.emit_object
    monkeypatch.setattr(native, "emit_object", lambda t, *a: emitted.append(t) or emit(t, *a))
    numbers = [3, 5, 3, *range(20, 30)]
    found = compile_kernels([doubled(k) for k in numbers])
    assert [run_kernel(f.address) for f in found if isinstance(f, NativeFunction)] == numbers
    assert found[0] == found[2]
    assert 1 < len(emitted) < len(set(numbers))
    assert len(objects(fresh)) == len(set(numbers))


def test_each_kernel_of_a_module_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_kernels([doubled(k) for k in (31, 32, 33)])
    forget()
    monkeypatch.setattr(native, "emit_object", lambda *_: pytest.fail("compiled again"))
    assert run_kernel(compile_native(doubled(32)).address) == 32
    (first, second) = compile_kernels([doubled(33), doubled(31)])
    assert isinstance(first, NativeFunction) and isinstance(second, NativeFunction)
    assert [run_kernel(f.address) for f in (first, second)] == [33, 31]


def test_an_error_in_another_thread_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_NUM_THREADS", "3")
    monkeypatch.setattr(native, "MODULE_LINES", 1)
    parts = native.native_parts
    monkeypatch.setattr(native, "native_parts", lambda *a: (parts(*a)[0], "define nonsense"))
    with pytest.raises(InternalError, match="not valid"):
        compile_kernels([doubled(k) for k in range(4)])


def test_without_links_every_kernel_has_a_file(
    monkeypatch: pytest.MonkeyPatch, fresh: Path
) -> None:
    monkeypatch.setattr(disk.os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
    compile_kernels([doubled(41), doubled(42)])
    assert len(objects(fresh)) == 2
    forget()
    monkeypatch.setattr(native, "emit_object", lambda *_: pytest.fail("compiled again"))
    assert run_kernel(compile_native(doubled(42)).address) == 42


def test_llvmlite_of_unknown_insides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "_unlocked", False)
    assert value_of(compile_text(constant_function("locked", 4), ["locked"])["locked"]) == 4


def test_invalid_text_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="not valid"):
        compile_text("define nonsense", ["nonsense"])


def test_undefined_name_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="missing"):
        compile_text(constant_function("present", 1), ["missing"])


def test_threads_compile_together() -> None:
    results: dict[int, int] = {}

    def work(k: int) -> None:
        for j in range(3):
            value_of(compile_text(constant_function("same", j), ["same"])["same"])
        name = f"own{k}"
        results[k] = value_of(compile_text(constant_function(name, k), [name])[name])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {k: k for k in range(6)}


def test_host_is_known() -> None:
    assert host_isa().vector_bytes in (16, 32, 64)
    assert host_isa() is host_isa()


def test_neither_numba_nor_a_compiler_at_import() -> None:
    code = (
        "import sys, fxla.compile.backend.llvm as n;"
        "assert 'numba' not in sys.modules, 'numba'; assert not n._initialised"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_tiles_are_compiled_beside_the_kernels_that_call_them(
    monkeypatch: pytest.MonkeyPatch, fresh: Path
) -> None:
    emitted: list[str] = []
    emit = native.emit_object
    monkeypatch.setattr(native, "emit_object", lambda t, *a: emitted.append(t) or emit(t, *a))
    monkeypatch.setattr(compiled, "_compiled", {})
    x = np.linspace(-1.0, 1.0, 64 * 64).reshape(64, 64)
    for _ in range(2):
        np.testing.assert_allclose(fxla.jit(lambda x: fnp.tanh(x @ x))(x), np.tanh(x @ x))
        defining = [t for t in emitted if re.search(rf'define void @"?{TILE_PREFIX}pack', t)]
        assert len(defining) == 1
        compiled._compiled.clear()
        forget()


def test_modules_are_linked_at_once_unless_they_share_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def module(name: str, value: int) -> bytes:
        return packed([name], llvm.emit_object(constant_function(name, value), host_isa(), 0))

    links: list[int] = []
    link = llvm.link_objects

    def counted(codes: list[bytes], *rest: object) -> dict[str, int]:
        links.append(len(codes))
        return link(codes, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(native, "link_objects", counted)
    calling = (
        "declare i64 @second()\ndefine i64 @third() {\n  %x = call i64 @second()\n"
        "  %y = add i64 %x, 5\n  ret i64 %y\n}\n"
    )
    third = packed(["third"], llvm.emit_object(calling, host_isa(), 0))
    modules = [module("first", 1), module("second", 2), third]
    found = load_modules(modules)
    assert [value_of(next(iter(f.values()))) for f in found] == [1, 2, 7] and links == [3]
    assert load_modules(modules[::-1]) == found[::-1] and links == [3]
    forget()
    found = load_modules([module("first", 3), module("second", 4), module("first", 5)])
    assert [value_of(next(iter(f.values()))) for f in found] == [3, 4, 5] and links == [3, 1, 1, 1]
