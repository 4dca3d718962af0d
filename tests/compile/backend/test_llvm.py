"""What is switched in LLVM while fxla compiles is switched back."""

from __future__ import annotations

import threading

import pytest

from fxla.compile.backend import llvm
from fxla.compile.backend.llvm import emit_object, host_isa
from fxla.errors import InternalError

TEXT = "define i64 @f(i64 %x) {\n  ret i64 %x\n}\n"


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(llvm.llvm, "set_option", lambda _, option: found.append(option))
    monkeypatch.setattr(llvm.llvm, "llvm_version_info", (22, 1, 0))
    return found


def test_a_pass_is_left_out_while_compiling(switched: list[str]) -> None:
    emit_object(TEXT, host_isa(), 2)
    assert switched == ["-disable-lsr=true", "-disable-lsr=false"]


def test_it_is_back_after_an_error(switched: list[str]) -> None:
    with pytest.raises(InternalError):
        emit_object("define nonsense", host_isa(), 2)
    assert switched == ["-disable-lsr=true", "-disable-lsr=false"]


def test_the_last_of_several_threads_switches_it_back(
    switched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    emit = llvm._emit

    def together(text: str, machine: object) -> bytes:
        both.wait(60)
        code = emit(text, machine)
        both.wait(60)
        return code

    monkeypatch.setattr(llvm, "_without_lock", lambda: None)
    monkeypatch.setattr(llvm, "_emit", together)
    threads = [threading.Thread(target=emit_object, args=(TEXT, host_isa(), 2)) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert switched == ["-disable-lsr=true", "-disable-lsr=false"]


def test_versions_that_nobody_tried_are_left_alone(
    switched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llvm.llvm, "llvm_version_info", (99, 0, 0))
    emit_object(TEXT, host_isa(), 2)
    assert switched == []
