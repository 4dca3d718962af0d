from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from bench.processes import (
    Package,
    WorkerError,
    environment,
    installed,
    interpreters,
    started_torch,
    workers,
)


def test_workers_keep_bytecode_and_have_caches_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in environment("fxla", "/c")
    assert environment("fxla", "/c")["FXLA_CACHE_DIR"] == "/c"
    assert environment("torch-compile", "/c")["TORCHINDUCTOR_CACHE_DIR"] == "/c"
    assert environment("torch-compile", "/c")["TORCHINDUCTOR_COMPILE_THREADS"] == "1"


def test_jax_has_float64_where_the_workload_has_and_its_cache_only_when_asked() -> None:
    assert environment("jax", "/c")["JAX_ENABLE_X64"] == "0"
    assert environment("jax", "/c", "float64")["JAX_ENABLE_X64"] == "1"
    assert "JAX_COMPILATION_CACHE_DIR" not in environment("jax", "/c")
    assert environment("jax, cached", "/c")["JAX_COMPILATION_CACHE_DIR"] == "/c"


def test_a_process_that_dies_says_its_last_words(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho farewell >&2\nexit 3\n")
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    package = Package("jax", str(fake), str(tmp_path))
    with pytest.raises(WorkerError, match="status 3: farewell"):
        package.ask("describe")
    package.stop()


def test_a_process_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexec sleep 100\n")
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    package = Package("torch-compile", str(fake), str(tmp_path))
    assert package.patience < Package.patience
    package.patience = 0.1
    with pytest.raises(WorkerError, match=r"no answer within 0\.1 s"):
        package.ask("load")
    package.stop()


def test_what_torch_finds_out_when_it_starts_is_found_out_once(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    answer = "read request; echo x >> $TORCHINDUCTOR_CACHE_DIR/isa; echo {}"
    fake.write_text(f"#!/bin/sh\n{answer}\nread request\n")
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    for name in ("first", "second"):
        with workers({"torch-compile": str(fake)}, str(tmp_path / name), "float32"):
            assert (tmp_path / name / "torch-compile" / "isa").read_text() == "x\n"
    started_torch.cache_clear()


def test_peers_that_are_there() -> None:
    here = installed(sys.executable)
    assert {"numpy", "numba"} <= set(here)
    assert list(interpreters(None, ["numpy"])) == ["fxla", "numpy"]
    assert list(interpreters(None, [])) == ["fxla"]


def test_a_peer_that_is_not_there_is_named(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho numpy\n")
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    with pytest.raises(SystemExit, match="has no jax, torch"):
        interpreters(str(fake), ["jax", "torch", "numpy"])
