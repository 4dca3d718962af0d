"""What code a processor may be given."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from fxla.compile.backend import levels
from fxla.compile.backend.levels import LEVELS, level_of
from fxla.compile.backend.llvm import host_isa
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, NEON, Isa

V3 = "+sse4.2,+popcnt,+cx16,+sahf,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+xsave"
V4 = f"{V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(levels.sys, "platform", "linux")
    monkeypatch.setattr(levels.platform, "machine", lambda: request.param)
    return str(request.param)


def name_of(isa: Isa) -> str:
    level = level_of(isa)
    return "" if level is None else level.name


def test_a_level_is_the_processor_s_vectors_and_all_features(machine: str) -> None:
    x86 = machine == "x86_64"
    newest = replace(AVX512, cpu="znver4", features=f"{V4},+sha,-tbm")
    assert name_of(newest) == ("x86_64-v4" if x86 else "")
    assert name_of(replace(newest, features=newest.features.replace("+bmi2", "-bmi2"))) == ""
    assert name_of(replace(AVX2, cpu="haswell", features=V3)) == ("x86_64-v3" if x86 else "")
    assert name_of(replace(AVX2, cpu="haswell", features="+avx2,+fma,+f16c")) == ""
    assert name_of(replace(BASELINE, cpu="k8", features="-avx")) == machine
    assert name_of(replace(NEON, cpu="neoverse-n1")) == machine


def test_the_levels_themselves(machine: str) -> None:
    mine = [level for level in LEVELS if level.machine == machine]
    assert [level_of(level.isa) for level in mine] == mine


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_have_none(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels.sys, "platform", system)
    assert level_of(AVX2) is None


@pytest.mark.skipif(platform.machine() != "x86_64", reason="LLVM lists this machine's features")
def test_needs_are_llvm_s_names() -> None:
    """A feature of another name would keep every processor out."""
    words = {word[1:] for word in host_isa().features.split(",")}
    for level in LEVELS:
        if level.machine == "x86_64":
            assert level.needs <= words
