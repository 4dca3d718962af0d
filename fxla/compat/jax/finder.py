"""Finds modules named ``jax`` and below, while the compatibility is installed."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from fxla.compat.jax import methods, namespaces, precision

__all__ = ["install", "installed", "uninstall"]

ROOTS = ("jax", "jaxlib")


class _Loader(importlib.abc.Loader):
    """Makes a module of a table of names."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(namespaces.names_of(module.__name__))


class _Module(ModuleType):
    """A module that says which name fxla does not have."""

    def __getattr__(self, name: str) -> Any:
        path = f"{self.__name__}.{name}"
        if path in namespaces.MODULES and not name.startswith("__"):
            return importlib.import_module(path)
        raise AttributeError(f"{path}: fxla.compat.jax does not have it")


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in namespaces.MODULES:
            return None
        below = any(name.startswith(fullname + ".") for name in namespaces.MODULES)
        spec = importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=below)
        spec.origin = "fxla.compat.jax"
        return spec


_finder = _Finder()


def installed() -> bool:
    """Whether ``import jax`` gives fxla.

    Example:
        >>> installed()
        False
    """
    return _finder in sys.meta_path


def install(x64: bool = False) -> None:
    """Make ``import jax`` give fxla, in this process, until `uninstall`.

    Args:
        x64: the default floating dtype is float64 then, as fxla's; else float32, as JAX's, and the
            functions of these modules give no dtype of 64 bits. ``jax.config.update(
            "jax_enable_x64", True)`` changes it later, ``jax.enable_x64()`` in a scope.

    Raises:
        RuntimeError: if another JAX has been imported already.

    Example:
        >>> install()
        >>> import jax
        >>> jax.numpy.ones(2).dtype, jax.grad(jax.numpy.sin)(0.0)
        (dtype('float32'), Array(1., dtype=float32))
        >>> uninstall()
    """
    if not installed():
        already = sorted(n for n in sys.modules if n.partition(".")[0] in ROOTS)
        if already:
            raise RuntimeError(
                f"fxla.compat.jax.install: {already[0]} has been imported already; install in a "
                "process that has not imported JAX, before anything that does"
            )
        sys.meta_path.insert(0, _finder)
        methods.substitute()
    precision.enter(x64)


def uninstall() -> None:
    """Undo `install`. Libraries that were imported in between keep what they have imported.

    Example:
        >>> uninstall()  # nothing is installed: nothing is done
        >>> installed()
        False
    """
    if not installed():
        return
    sys.meta_path.remove(_finder)
    for name in [n for n in sys.modules if n.partition(".")[0] in ROOTS]:
        del sys.modules[name]
    precision.leave()
    methods.restore()
