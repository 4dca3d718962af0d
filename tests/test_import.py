"""What `import fxla` brings along: nothing slow before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fxla

HEAVY = ("numba", "scipy", "cupy", "jax", "importlib.metadata", "html")
UNCALLED = (
    "llvmlite",
    "ctypes.util",
    "fxla.capturing",
    "fxla.compile.build",
    "fxla.compile.cuda",
    "fxla.compile.devices",
    "fxla.compile.entry",
    "fxla.compile.executable",
    "fxla.compile.inspect",
    "fxla.compile.native",
    "fxla.compile.pool",
    "fxla.loops.native",
    "fxla.loops.python_source",
)
DEFERRED = (
    "fxla.data",
    "fxla.train",
    "fxla.kernels",
    "fxla.lax",
    "fxla.nn",
    "fxla.random",
    "fxla.scipy",
    "fxla.image",
)

WHOLE = f"""
import sys
before = set(sys.modules)
import fxla, fxla.numpy
loaded = set(sys.modules) - before
late = [m for m in loaded if m.startswith({HEAVY + DEFERRED + UNCALLED!r})]
assert not late, late
assert len([m for m in loaded if m.startswith("fxla.")]) <= 155, sorted(loaded)
x = fxla.numpy.sin(fxla.numpy.ones(3))
assert fxla.grad(lambda x: (x * fxla.numpy.tanh(x)).sum())(x).shape == (3,)
assert not [m for m in sys.modules if m.startswith("llvmlite")], "eager calls compile nothing"
import fxla.lax, fxla.nn, fxla.random
loaded = [m for m in sys.modules if m not in before and m.startswith({HEAVY!r})]
assert not loaded, loaded
from fxla.compile import llvm, pool
assert not llvm._initialised and pool._pool is None
"""

CALLS = f"""
import sys
before = set(sys.modules)
import fxla, fxla.numpy as np
print(fxla.jit(fxla.grad(lambda x: (np.tanh(x) @ x).sum()))(np.ones(3)))
loaded = [m for m in sys.modules if m not in before and m.startswith({HEAVY + DEFERRED!r})]
assert not loaded, loaded
"""

COLLECTS = """
import gc
import fxla
assert gc.isenabled() and gc.get_freeze_count() == 0
gc.disable()
import fxla.lax
assert not gc.isenabled()
"""


@pytest.mark.parametrize("code", [WHOLE, CALLS, COLLECTS], ids=["modules", "calls", "collector"])
def test_import_loads_nothing_heavy_and_starts_nothing(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_deferred_names_are_attributes() -> None:
    assert set(fxla.__all__) <= set(dir(fxla))
    assert fxla.kernel.__module__ == "fxla.kernels.api"
    assert fxla.nn.relu is fxla.nn.activations.relu
    with pytest.raises(AttributeError, match="module 'fxla' has no attribute 'grade'"):
        _ = fxla.grade
