"""Classes and functions by name: how a file names them, and which ones a file may name.

A file may come from anywhere, so what it names is never imported for it: a name is looked up in
modules that the program has imported, in fxla itself, and among what the caller hands over. What is
found there is never called while loading: objects are made without their ``__init__``.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from fxla.core.pytree import is_named_tuple, node_functions

__all__ = ["Allowed", "UnknownNameError", "name_of"]


class UnknownNameError(TypeError):
    """A class or function cannot be found by its name; the message says why."""


def name_of(thing: Any) -> str:
    """The name by which `Allowed.find` finds a class or function.

    Raises:
        UnknownNameError: if it has none: a lambda, a function within a function, a changed name.

    Example:
        >>> import fxla
        >>> name_of(fxla.nn.relu)
        'fxla.nn.activations:relu'
    """
    if isinstance(thing, np.ufunc):
        return f"numpy:{thing.__name__}"
    module = getattr(thing, "__module__", None)
    qualname = getattr(thing, "__qualname__", getattr(thing, "__name__", None))
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise UnknownNameError(f"{type(thing).__qualname__} {thing!r} has no name to find it by")
    if "<lambda>" in qualname:
        raise UnknownNameError("a lambda has no name to find it by: use `def` in a module")
    if "<locals>" in qualname:
        raise UnknownNameError(
            f"{qualname} stands within a function, where nobody can find it: move it to the module"
        )
    if _within(sys.modules.get(module), qualname) is not thing:
        raise UnknownNameError(f"{module}.{qualname} is another object than the one to be saved")
    return f"{module}:{qualname}"


class Allowed:
    """What a file may name.

    Args:
        given: classes, functions, and modules all of whose classes and functions may be named.

    Example:
        >>> Allowed(()).find("fxla.nn.activations:relu", "function").__name__
        'relu'
        >>> Allowed(()).find("os:system", "function")
        Traceback (most recent call last):
            ...
        fxla.weights.names.UnknownNameError: the file names the function os.system, ...
    """

    def __init__(self, given: Iterable[Any]) -> None:
        self.modules: set[str] = set()
        self.things: list[Any] = []
        for thing in given:
            if isinstance(thing, ModuleType):
                self.modules.add(thing.__name__)
            elif callable(thing):
                self.things.append(thing)
            else:
                raise TypeError(
                    "allow: expected classes, functions and modules, got "
                    f"{type(thing).__qualname__}"
                )

    def find(self, name: str, kind: str) -> Any:
        """The class or function of a name in a file.

        Args:
            name: as `name_of` gives it.
            kind: ``"class"`` or ``"function"``.

        Raises:
            UnknownNameError: if there is none of that kind, or a file may not name it.
        """
        module, _, qualname = name.partition(":")
        shown = f"{module}.{qualname}"
        for thing in self.things:
            own = f"{thing.__module__}:{thing.__qualname__}"
            if name == own or (module == "__main__" and qualname == thing.__qualname__):
                return thing
        found = _within(_known_module(module), qualname)
        if found is None:
            raise UnknownNameError(
                f"the file names the {kind} {shown}, which no imported module has: import "
                f"{module}, or hand the {kind} over with allow=[{qualname.rpartition('.')[2]}]"
            )
        if kind == "class" and _is_container(found) and _is_named(found, name):
            return found
        if kind == "function" and self._may_name(found, module, name):
            return found
        raise UnknownNameError(
            f"the file names the {kind} {shown}, which is "
            f"{'no class of trees' if kind == 'class' else 'not fxla' + chr(39) + 's'}: a file may "
            f"name it if you hand it over, with allow=[{qualname.rpartition('.')[2]}]"
        )

    def _may_name(self, found: Any, module: str, name: str) -> bool:
        if module == "numpy":
            return isinstance(found, np.ufunc)
        if not callable(found) or not _is_named(found, name):
            return False
        return module in self.modules or module.partition(".")[0] == "fxla"


def _is_named(found: Any, name: str) -> bool:
    """Whether an object is what a name says, not something that its module had imported."""
    own = f"{getattr(found, '__module__', '')}:{getattr(found, '__qualname__', '')}"
    return own == name


def _known_module(name: str) -> ModuleType | None:
    """A module that is imported, or fxla's own."""
    if name not in sys.modules and name.partition(".")[0] == "fxla":
        try:
            importlib.import_module(name)
        except ImportError:
            return None
    return sys.modules.get(name)


def _within(module: ModuleType | None, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split("."):
        if found is not module and not inspect.isclass(found):
            return None
        found = None if found is None else vars(found).get(part, None)
        if isinstance(found, staticmethod | classmethod):
            found = getattr(found, "__func__", None)
    return found


def _is_container(found: Any) -> bool:
    """Whether a class is one whose instances are made of named parts."""
    if not inspect.isclass(found):
        return False
    return (
        dataclasses.is_dataclass(found)
        or is_named_tuple(found)
        or issubclass(found, enum.Enum)
        or node_functions(found) is not None
    )
