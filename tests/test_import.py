"""What `import fxla` brings along: nothing slow before it is needed."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import fxla
from fxla import scipy


def relu(x: Any) -> Any:
    return x if x > 0 else 0.0


HEAVY = ("numba", "scipy", "cupy", "jax", "importlib.metadata", "html")
UNCALLED = (
    "llvmlite",
    "ctypes.util",
    "fxla.capturing",
    "fxla.compile.build",
    "fxla.compile.cuda.kernels",
    "fxla.compile.cuda.devices",
    "fxla.compile.calls.entry",
    "fxla.compile.executable",
    "fxla.compile.inspect",
    "fxla.compile.backend.native",
    "fxla.compile.backend.pool",
    "fxla.loops.native.printer",
    "fxla.loops.python.source",
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
assert len([m for m in loaded if m.startswith("fxla.")]) <= 172, sorted(loaded)
x = fxla.numpy.sin(fxla.numpy.ones(3))
assert fxla.grad(lambda x: (x * fxla.numpy.tanh(x)).sum())(x).shape == (3,)
assert not [m for m in sys.modules if m.startswith("llvmlite")], "eager calls compile nothing"
import fxla.lax, fxla.nn, fxla.random
from fxla.scipy import stats
assert fxla.make_jaxpr(stats.norm.logpdf)(x).out_avals[0].shape == (3,)
loaded = [m for m in sys.modules if m not in before and m.startswith({HEAVY!r})]
assert not loaded, loaded
from fxla.compile.backend import llvm, pool
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


@pytest.mark.parametrize(
    "module",
    [
        fxla, fxla.numpy, fxla.numpy.linalg, fxla.numpy.fft, fxla.lax, fxla.random, fxla.nn,
        fxla.optim, fxla.data, fxla.train, fxla.models, fxla.weights, fxla.tree,
        scipy.stats, scipy.linalg,
    ],
    ids=lambda module: module.__name__,
)  # fmt: skip
def test_tab_completion_shows_public_names_alone(module: ModuleType) -> None:
    shown = {name for name in dir(module) if not name.startswith("__")}
    assert shown == {name for name in module.__all__ if not name.startswith("__")}
    assert all(hasattr(module, name) for name in shown)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (fxla.jit(abs), "<jit of abs>"),
        (fxla.custom_jvp(abs), "<custom_jvp of abs>"),
        (fxla.custom_vjp(abs), "<custom_vjp of abs>"),
        (fxla.custom_batching.custom_vmap(abs), "<custom_vmap of abs>"),
        (fxla.jit(abs).trace(1.0), "<traced abs>"),
        (fxla.jit(abs).lower(1.0), "<lowered abs>"),
        (fxla.jit(abs).lower(1.0).compile(), "<compiled abs>"),
        (fxla.capture(relu), "<capture of relu>"),
        (
            fxla.train.Trainer(fxla.nn.Linear(3, 1), "mse"),
            "<Trainer of Linear: loss mse, 0 epochs, 0 steps>",
        ),
    ],
)
def test_what_transforms_make_says_what_it_is(value: object, shown: str) -> None:
    assert repr(value) == shown
