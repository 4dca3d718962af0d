"""Texts of fxla's own, found by the source that prints them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fxla
from fxla.compile.backend import own_text, shipped
from fxla.compile.backend.own_text import OwnText, loaded
from fxla.compile.calls.eager import EAGER
from fxla.compile.calls.entry import ENTRY
from fxla.compile.calls.recycle import RECYCLER
from fxla.loops.native import sources as native_sources

PACKAGE = Path(str(fxla.__file__)).parent
TEXTS = {"entry": (ENTRY, (24,)), "eager": (EAGER, ()), "recycler": (RECYCLER, (True,))}
each = pytest.mark.parametrize(("own", "options"), TEXTS.values(), ids=TEXTS)


def imported(module: str) -> set[str]:
    """Paths of the modules of fxla that one imports."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    names = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {n[len("fxla.") :].replace(".", "/") for n in names if n.startswith("fxla.")}


def forget() -> None:
    """Have sources read again."""
    native_sources.state_of_sources.cache_clear()
    native_sources._state_of_source.cache_clear()


@each
def test_the_key_covers_whatever_the_printing_module_imports(
    own: OwnText, options: tuple[int, ...]
) -> None:
    del options
    wanted = ["compile/" + own.home.replace(".", "/")]
    for module in wanted:
        wanted += sorted(imported(module) - set(wanted))
    assert set(wanted) == set(own.sources)


@each
def test_the_names_are_defined(own: OwnText, options: tuple[int, ...]) -> None:
    text = own.printed(*options)
    for name in own.names:
        assert f"@{name}(" in text.replace('"', "")


def test_keys_are_of_module_and_options() -> None:
    keys = {own.key(*options) for own, options in TEXTS.values()} | {ENTRY.key(32)}
    assert len(keys) == len(TEXTS) + 1 and max(map(len, keys)) < 100


def test_another_source_is_another_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = ENTRY.key(24)
    folder = tmp_path / "compile" / "calls"
    for source in ENTRY.sources:
        copy = tmp_path / f"{source}.py"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((PACKAGE / f"{source}.py").read_bytes())
    monkeypatch.setattr(native_sources, "_PACKAGE", str(tmp_path))
    forget()
    try:
        assert ENTRY.key(24) == before
        forget()
        with (folder / "entry_results.py").open("a") as file:
            file.write("# changed")
        assert ENTRY.key(24) != before
        forget()
        (folder / "entry_results.py").unlink()
        assert ENTRY.key(24) == ENTRY.printed(24)
    finally:
        forget()


def test_what_is_kept_is_not_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    printed: list[str] = []
    text = "define i64 @own() {\n  ret i64 9\n}\n"
    monkeypatch.setattr(OwnText, "printed", lambda self, *options: printed.append("") or text)
    monkeypatch.setattr(own_text, "_loaded", {})
    monkeypatch.setattr(shipped, "OBJECTS", tmp_path / "none")
    monkeypatch.setenv("FXLA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("FXLA_CACHE", "1")
    own = OwnText("no_such_text", ("own",), ("compile/backend/own_text",))
    for k in range(3):
        assert list(loaded(own, k // 2)) == ["own"]
        own_text._loaded.clear()
    assert len(printed) == 2


def test_several_are_loaded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[tuple[str, tuple[int, ...]], dict[str, int]] = {}
    monkeypatch.setattr(own_text, "_loaded", found)
    code = loaded(EAGER, beside={RECYCLER: (True,)})
    assert set(code) == set(EAGER.names) and len(set(code.values())) == len(code)
    assert loaded(EAGER) is found["calls.eager_text", ()]
    allocator = loaded(RECYCLER, True)
    assert allocator is found["calls.recycler_text", (True,)]
    assert set(allocator) == set(RECYCLER.names) and not set(allocator.values()) & set(
        code.values()
    )
