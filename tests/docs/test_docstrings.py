"""Every public function and class says what it does, with an example; pytest runs the examples."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

import fxla
from fxla import data, lax, nn, optim, random, train, tree
from fxla import numpy as fnp
from fxla.scipy import (
    cluster,
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    signal,
    sparse,
    special,
    stats,
)

MODULES = {
    "fxla": fxla,
    "fxla.data": data,
    "fxla.train": train,
    "fxla.numpy": fnp,
    "fxla.numpy.linalg": fnp.linalg,
    "fxla.numpy.fft": fnp.fft,
    "fxla.lax": lax,
    "fxla.lax.linalg": lax.linalg,
    "fxla.nn": nn,
    "fxla.nn.initializers": nn.initializers,
    "fxla.nn.losses": nn.losses,
    "fxla.optim": optim,
    "fxla.random": random,
    "fxla.scipy.cluster.vq": cluster.vq,
    "fxla.scipy.fft": fft,
    "fxla.scipy.integrate": integrate,
    "fxla.scipy.interpolate": interpolate,
    "fxla.scipy.linalg": linalg,
    "fxla.scipy.ndimage": ndimage,
    "fxla.scipy.optimize": optimize,
    "fxla.scipy.signal": signal,
    "fxla.scipy.sparse": sparse,
    "fxla.scipy.sparse.linalg": sparse.linalg,
    "fxla.scipy.special": special,
    "fxla.scipy.stats": stats,
    "fxla.tree": tree,
}


def ours(x: Any) -> bool:
    """Whether it is a function or class that fxla defines: NumPy's own have NumPy's examples.

    Exceptions, and named tuples that hold somebody's state, are shown where they come from.
    """
    if inspect.isclass(x) and (hasattr(x, "_fields") or issubclass(x, Exception)):
        return False
    return (inspect.isroutine(x) or inspect.isclass(x)) and str(
        getattr(x, "__module__", "")
    ).startswith("fxla")


PUBLIC = {
    f"{path}.{name}": getattr(module, name)
    for path, module in MODULES.items()
    for name in module.__all__
    if ours(getattr(module, name))
}


@pytest.mark.parametrize("module", MODULES)
def test_all_is_complete_and_true(module: str) -> None:
    names = MODULES[module].__all__
    assert len(set(names)) == len(names)
    missing = [name for name in names if not hasattr(MODULES[module], name)]
    assert not missing
    assert MODULES[module].__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_the_docstring_has_an_example(name: str) -> None:
    text = inspect.getdoc(PUBLIC[name])
    assert text, f"{name} has no docstring"
    assert ">>> " in text, f"{name} has no example"


def test_functions_without_an_underscore_are_in_all() -> None:
    """What a user finds by completion is what is promised."""
    packages = {path: m for path, m in MODULES.items() if hasattr(m, "__path__")}
    for path, module in packages.items():
        for name, x in vars(module).items():
            if name.startswith("_") or isinstance(x, ModuleType):
                continue
            assert name in module.__all__ or not ours(x), f"{path}.{name} is not in __all__"
