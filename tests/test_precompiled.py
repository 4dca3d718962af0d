"""Objects that come with the package: whole for every level, and what programs use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fxla.compile.backend.levels import LEVELS, Level, level_of
from fxla.compile.backend.llvm import emit_object, host_isa
from fxla.compile.backend.shipped import shipped_objects
from fxla.compile.runtime import compile_level, own_modules
from fxla.loops.native.tiles import TILE_PREFIX
from fxla.loops.tile_kinds import TILE_KINDS
from fxla.precompiled import FUNCTIONS, common_modules, modules

MACHINES = {"x86_64": b"\x3e\x00", "aarch64": b"\xb7\x00"}
"""What ELF's header calls them."""


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_level_s_file(level: Level, tmp_path: Path) -> None:
    path = compile_level(level, own_modules(level), tmp_path)
    found = shipped_objects(path)
    assert len(found) == len(list(own_modules(level)))
    for _, content in found.values():
        names, _, code = content.partition(b"\0")
        assert code[:4] == b"\x7fELF" and code[18:20] == MACHINES[level.machine]
        assert all(name in code for name in names.split(b"\n"))
    assert 10_000 < path.stat().st_size < 250_000
    assert (
        compile_level(level, own_modules(level), tmp_path / "again").read_bytes()
        == path.read_bytes()
    )


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_kernels_of_functions_are_of_the_level(level: Level) -> None:
    """Every one compiles for it, and no key stands for two of them."""
    found = list(common_modules(level))
    assert len({m.key for m in found}) == len(found) > 100
    kernel = next(m for m in found if m.names != ("program",))
    code = emit_object(kernel.text, level.isa, 2, level.triple)
    assert code[18:20] == MACHINES[level.machine]


def test_keys_are_of_the_level(tmp_path: Path) -> None:
    """Tiles of one vector width must not be found for another."""
    keys = [{m.key for m in own_modules(level) if TILE_PREFIX in m.text} for level in LEVELS[:3]]
    assert len(set.union(*keys)) == sum(map(len, keys)) == 3 * len(TILE_KINDS)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the objects for this machine, as an installation has them."""
    level = level_of(host_isa())
    if level is None:
        pytest.skip("no object files are made for this processor")
    directory = tmp_path_factory.mktemp("objects")
    compile_level(level, modules(level), directory)
    return directory


def emitted_by(program: str, installed: Path, cache: Path) -> list[str]:
    """The first lines of functions that a new process with an empty cache compiles."""
    before = (
        "import pathlib\n"
        "import numpy as np\n"
        "import fxla\n"
        "from fxla.compile.backend import native, shipped\n"
        f"shipped.OBJECTS = pathlib.Path({str(installed)!r})\n"
        "emitted = []\n"
        "emit = native.emit_object\n"
        "native.emit_object = lambda text, *a: emitted.append(text) or emit(text, *a)\n"
    )
    after = "\nfor text in emitted:\n    print(*text.splitlines(), sep='\\n')\n"
    done = subprocess.run(
        [sys.executable, "-c", before + program + after],
        capture_output=True, text=True, check=True, timeout=300,
        env={**os.environ, "FXLA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    defined = [line for line in done.stdout.splitlines() if line.startswith("define")]
    return [line for line in defined if "internal" not in line]


PROGRAM = """
f = fxla.jit(lambda x, w: fxla.numpy.tanh(x @ w).sum())
x = np.ones((600, 600), np.float32)
for _ in range(3):
    f(x, x)
fxla.jit(lambda a: a + 1)(np.ones(1_000_000))
fxla.jit(lambda a, b: a @ b)(np.ones((9, 9), np.complex64), np.ones((9, 9), np.complex64))
"""


def test_programs_compile_nothing_of_fxla_s_own_code(installed: Path, tmp_path: Path) -> None:
    """A new process compiles kernels and drivers, and no line of what is installed."""
    lines = emitted_by(PROGRAM, installed, tmp_path)
    assert any("kernel." in line for line in lines) and any("@program" in line for line in lines)
    assert [line for line in lines if "kernel." not in line and "@program" not in line] == []


COMMON = """
from fxla import nn
from fxla import numpy as fnp
rng = np.random.default_rng(0)
def same(f, expected, *arrays):
    np.testing.assert_allclose(fxla.jit(f)(*arrays), expected, rtol=1e-4, atol=1e-4)
def normalised(x, scale, shift):
    centred = x - fnp.mean(x, axis=-1, keepdims=True)
    variance = fnp.mean(centred**2, axis=-1, keepdims=True)
    return centred / fnp.sqrt(variance + 1e-5) * scale + shift
def convolved(x, kernel):
    names = ("NHWC", "HWIO", "NHWC")
    return fxla.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=names)
for dtype in (np.float32, np.float64):
    x, y = rng.normal(size=(200, 300)).astype(dtype), rng.normal(size=(300, 150)).astype(dtype)
    b = rng.normal(size=150).astype(dtype)
    same(lambda x, y: x @ y, x @ y, x, y)
    same(lambda x, y, b: nn.relu(x @ y + b), np.maximum(x @ y + b, 0), x, y, b)
    same(lambda x: fnp.sum(x), x.sum(), x)
    same(lambda x: fnp.mean(x, axis=1), x.mean(1), x)
    same(lambda x: fnp.max(x, axis=0), x.max(0), x)
    e = np.exp(x - x.max(1, keepdims=True))
    same(nn.softmax, e / e.sum(1, keepdims=True), x)
    centred = x - x.mean(1, keepdims=True)
    same(nn.log_softmax, x - x.max(1, keepdims=True) - np.log(e.sum(1, keepdims=True)), x)
    root = np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    same(normalised, centred / root * x[0] + x[1], x, x[0], x[1])
    image = rng.normal(size=(8, 20, 20, 32)).astype(dtype)
    kernel = rng.normal(size=(3, 3, 32, 64)).astype(dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), (1, 2))
    same(convolved, np.einsum("nyxcij,ijco->nyxo", windows, kernel), image, kernel)
    same(lambda x: x + 1, x[0] + 1, x[0])
    same(fnp.exp, np.exp(x[0]), x[0])
"""


def test_a_first_call_of_a_plain_function_compiles_nothing(installed: Path, tmp_path: Path) -> None:
    """At other sizes than those that were compiled, with NumPy's answers."""
    assert emitted_by(COMMON, installed, tmp_path) == []


def test_the_names_of_the_functions_are_their_own() -> None:
    names = [common.name for common in FUNCTIONS]
    assert len(set(names)) == len(names) > 40
