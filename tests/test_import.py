"""What `import fxla` brings along: nothing slow before it is needed."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numba", "scipy.linalg", "scipy.special", "scipy.fft", "scipy.sparse", "cupy", "jax")
HEAVY += ("fxla.data", "fxla.train")

CODE = f"""
import sys
import fxla, fxla.numpy, fxla.lax, fxla.nn, fxla.random
loaded = [m for m in sys.modules if m.startswith({HEAVY!r})]
assert not loaded, loaded
from fxla.compile import llvm, pool
assert not llvm._initialised and pool._pool is None
"""


def test_import_loads_nothing_heavy_and_starts_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
