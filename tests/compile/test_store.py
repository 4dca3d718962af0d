"""Programs on disk: a second process builds and compiles nothing, and is never wrong."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

PROGRAMS = """
import json, sys, warnings
import numpy as np
import fxla, fxla.numpy as fnp
from fxla import lax
from fxla.compile import executable
from fxla.compile.backend import llvm, native

counts = {"built": 0, "emitted": 0, "warned": 0}

def counting(module, name, what):
    function = getattr(module, name)
    def count(*args, **kwargs):
        counts[what] += 1
        return function(*args, **kwargs)
    setattr(module, name, count)

counting(executable, "build_program", "built")
counting(native, "emit_object", "emitted")

x = np.linspace(0.1, 2.0, 600).reshape(20, 30)
w = np.cos(np.arange(900.0)).reshape(30, 30)

def loss(w):
    def step(h, row):
        h = fnp.tanh(h @ w + row)
        return h, h.sum()
    return lax.scan(step, fnp.zeros(30), x)[1].mean() + fnp.sort(x @ w, 0)[3].sum()

def branches(x):
    return lax.cond(x.sum() > 0, lambda x: x / 3.7, lambda x: -x, x)

def loop(x):
    return lax.while_loop(lambda c: c.sum() < 1e3, lambda c: c * 1.5 + 0.1, x)

with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    found = [
        fxla.jit(lambda x: x + 1)(x),
        fxla.jit(fxla.grad(loss))(w),
        fxla.jit(branches)(x), fxla.jit(loop)(x),
        fxla.jit(lambda x: (x @ x.T, fnp.linalg.cholesky(x @ x.T + 9 * np.eye(20)), 2.5))(x),
        fxla.jit(lambda k: fxla.random.normal(k, (50,)))(fxla.random.key(3)),
        fxla.jit(lambda x: x.astype("complex64") * 1j)(x),
    ]
counts["warned"] = len(seen)
flat = [np.asarray(a).tobytes().hex() for a in fxla.tree.leaves(found)]
print(json.dumps([counts, flat]))
"""


def run(cache: Path, program: str = PROGRAMS, **variables: str) -> tuple[dict[str, int], list[str]]:
    """What a new process counts, and the bits of its results."""
    environment = {
        **os.environ, "FXLA_CACHE_DIR": str(cache), "FXLA_CACHE": "1", "FXLA_CHECK": "0",
        "PYTHONPATH": os.pathsep.join(sys.path), **variables,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts, flat = json.loads(done.stdout)
    return counts, flat


def stored(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.program"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A cache that one process filled, and that process's results."""
    cache = tmp_path_factory.mktemp("warm")
    counts, results = run(cache)
    assert counts["built"] >= 7 and counts["emitted"] > 0 and counts["warned"] == 0
    assert len(stored(cache)) >= 7
    return cache, results


def test_a_second_process_builds_and_compiles_nothing(warm: tuple[Path, list[str]]) -> None:
    cache, results = warm
    counts, again = run(cache)
    assert counts == {"built": 0, "emitted": 0, "warned": 0}
    assert again == results


def test_results_are_those_without_a_cache(warm: tuple[Path, list[str]]) -> None:
    cache, results = warm
    counts, again = run(cache, FXLA_CACHE="0")
    assert counts["emitted"] > 0
    assert again == results


def test_another_target_has_its_own_programs(warm: tuple[Path, list[str]], tmp_path: Path) -> None:
    cache, _ = warm
    before = stored(cache)
    small = "import fxla, json; y = fxla.jit(lambda x: x + 1)(1.0); print(json.dumps([{}, []]))"
    run(tmp_path, small)
    assert len(stored(tmp_path)) == 1
    run(tmp_path, small, FXLA_TARGET="numba")
    assert len(stored(tmp_path)) == 1  # what numba compiled is not kept as a program
    assert stored(cache) == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "foreign"])
def test_damaged_programs_are_built_again(tmp_path: Path, damage: str) -> None:
    _, results = run(tmp_path)
    for path in stored(tmp_path):
        good = path.read_bytes()
        path.write_bytes(
            {
                "truncated": good[: len(good) // 2],
                "flipped": good[:-9] + bytes([good[-9] ^ 0x10]) + good[-8:],
                "emptied": b"",
                "foreign": foreign(b"something that is not a program"),
            }[damage]
        )
    counts, again = run(tmp_path)
    assert again == results
    assert counts["built"] >= 7 and counts["warned"] == 1
    assert run(tmp_path)[0] == {"built": 0, "emitted": 0, "warned": 0}


def foreign(content: bytes) -> bytes:
    """An entry with a checksum that is right."""
    return hashlib.sha256(content).digest() + content


def test_changed_source_is_another_program(tmp_path: Path) -> None:
    small = textwrap.dedent(
        """
        import json, os, fxla
        from fxla.compile import store
        state = store._state_of_source
        store._state_of_source = lambda: state() + os.environ["STATE"]
        fxla.jit(lambda x: x + 1)(1.0)
        print(json.dumps([{}, []]))
        """
    )
    for state, count in (("old", 1), ("new", 2), ("old", 2)):
        run(tmp_path, small, STATE=state)
        assert len(stored(tmp_path)) == count


def test_a_primitive_of_the_users_own_is_not_kept(tmp_path: Path) -> None:
    """Its rules may change from one process to the next."""
    program = textwrap.dedent(
        """
        import json, os, numpy as np, fxla
        from fxla.loops import view
        from fxla.ops.elementwise import Elementwise
        factor = float(os.environ["FACTOR"])
        scaled = Elementwise(
            "scaled", "f", lambda x: x * factor,
            lambda x: view.op("mul", x.dtype, x, view.const(factor, x.dtype)), jvp=[None],
        )
        print(json.dumps([{"result": float(fxla.jit(scaled.bind1)(np.float64(1.0)))}, []]))
        """
    )
    for factor in (2, 3):
        counts, _ = run(tmp_path, program, FACTOR=str(factor))
        assert counts == {"result": factor}
    assert stored(tmp_path) == []


def test_nowhere_to_write_costs_one_warning(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    counts, _ = run(blocked / "cache")
    assert counts["built"] >= 7 and counts["warned"] == 1


def test_two_processes_at_once(tmp_path: Path) -> None:
    environment = {
        **os.environ, "FXLA_CACHE_DIR": str(tmp_path), "FXLA_CACHE": "1", "FXLA_CHECK": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    both = [
        subprocess.Popen([sys.executable, "-c", PROGRAMS], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    first, second = (p.communicate(timeout=240)[0] for p in both)
    assert [p.returncode for p in both] == [0, 0]
    assert first.split(b"}")[1] == second.split(b"}")[1]
    assert run(tmp_path)[0] == {"built": 0, "emitted": 0, "warned": 0}


def test_a_process_killed_while_it_writes(tmp_path: Path) -> None:
    """What it leaves is whole entries, and parts under other names."""
    slow = PROGRAMS.replace(
        "counts = {",
        "import os, time\nreplace = os.replace\n"
        "os.replace = lambda *a: (print('writing', flush=True), time.sleep(0.2), replace(*a))\n"
        "counts = {",
        1,
    )
    environment = {
        **os.environ, "FXLA_CACHE_DIR": str(tmp_path), "FXLA_CACHE": "1", "FXLA_CHECK": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", slow], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(4):
            assert process.stdout.readline() == "writing\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.rglob("*.part"))
    counts, _ = run(tmp_path)
    assert counts["warned"] == 0
    assert run(tmp_path)[0] == {"built": 0, "emitted": 0, "warned": 0}
