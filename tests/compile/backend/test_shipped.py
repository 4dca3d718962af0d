"""The object files of an installation: found by their text, refused when damaged."""

from __future__ import annotations

import ctypes
import hashlib
import warnings
from pathlib import Path

import pytest

from fxla.compile.backend import disk, native, shipped
from fxla.compile.backend.levels import LEVELS, Level, level_of
from fxla.compile.backend.llvm import emit_object, host_isa
from fxla.compile.backend.native import compile_text, packed
from fxla.compile.backend.shipped import shipped_object, write_shipped
from fxla.errors import CacheWarning


def text_of(value: int) -> str:
    return f"define i64 @f() {{\n  ret i64 {value}\n}}\n"


def value_of(address: int) -> int:
    result: int = ctypes.CFUNCTYPE(ctypes.c_int64)(address)()
    return result


def here() -> Level:
    level = level_of(host_isa())
    if level is None:
        pytest.skip("no object files are made for this processor")
    return level


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installation of this test's own, and an empty cache."""
    for table in ("_addresses", "_linked"):
        monkeypatch.setattr(native, table, {})
    monkeypatch.setattr(disk, "_warned", False)
    monkeypatch.setattr(shipped, "OBJECTS", tmp_path / "installed")
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FXLA_CACHE", "1")
    shipped.shipped_objects.cache_clear()
    return tmp_path / "installed"


def install(directory: Path, *values: int) -> Path:
    """Object files that say one more than their text does."""
    level = here()
    entries = {
        text_of(v): packed(["f"], emit_object(text_of(v + 1), level.isa, 2, level.triple))
        for v in values
    }
    return write_shipped(level, entries, directory)


def test_what_is_installed_is_not_compiled(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installation, 10, 20, 30)
    monkeypatch.setattr(native, "emit_object", lambda *_: pytest.fail("compiled"))
    for value in (30, 10, 20):
        for effort in (0, 2):
            assert value_of(compile_text(text_of(value), ["f"], effort=effort)["f"]) == value + 1
    assert not (tmp_path / "cache").exists()


def test_it_needs_no_cache(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(installation, 40)
    monkeypatch.setenv("FXLA_CACHE", "0")
    assert value_of(compile_text(text_of(40), ["f"])["f"]) == 41


def test_it_comes_before_the_cache(installation: Path) -> None:
    assert value_of(compile_text(text_of(50), ["f"])["f"]) == 50
    native._addresses.clear()
    install(installation, 50)
    assert value_of(compile_text(text_of(50), ["f"])["f"]) == 51


def test_another_text_is_compiled(installation: Path) -> None:
    install(installation, 60)
    assert value_of(compile_text(text_of(61), ["f"])["f"]) == 61


def test_another_processor_s_objects_are_not_taken(installation: Path) -> None:
    level = here()
    install(installation, 70).rename(installation / "x86_64-v9")
    assert shipped_object(text_of(70), level.isa) is None
    for other in LEVELS:
        if other.machine != level.machine:
            write_shipped(other, {text_of(70): b"f\0"}, installation)
            assert shipped_object(text_of(70), level.isa) is None


def test_without_files_everything_is_compiled(installation: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value_of(compile_text(text_of(80), ["f"])["f"]) == 80


@pytest.mark.parametrize("damage", ["flipped", "truncated", "no records", "foreign", "empty"])
def test_damaged_files_cost_a_compilation(installation: Path, damage: str) -> None:
    path = install(installation, 90)
    good = path.read_bytes()
    path.write_bytes(
        {
            "flipped": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:],
            "truncated": good[:-40],
            "no records": good[:24],
            "foreign": b"something else" + good[14:],
            "empty": b"",
        }[damage]
    )
    shipped.shipped_objects.cache_clear()
    with pytest.warns(CacheWarning, match="object files of this installation"):
        assert value_of(compile_text(text_of(90), ["f"])["f"]) == 90


def test_the_same_entries_are_the_same_file(installation: Path) -> None:
    first, second = (install(installation / name, 1, 2).read_bytes() for name in "ab")
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
