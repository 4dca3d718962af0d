"""Modules that are imported when they are first used, because they are slow to import.

A module of ours that stands on one of another package says so at its top, as with an import:

    scipy = deferred("scipy")  # and scipy.special.gamma imports scipy.special when it is asked for
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from fxla.core.absent import no_attribute
from fxla.core.pause import no_collection

__all__ = ["deferred", "deferred_name", "public_names"]


class _Deferred:
    """Stands for a module: its functions, classes and submodules are its attributes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        with no_collection(lasting=True):
            module = importlib.import_module(self._name)
        value = self.__dict__[attribute] = getattr(module, attribute)
        return value


def deferred(name: str) -> Any:
    """What may be used as that module, and imports it when an attribute is first asked for.

    Example:
        >>> colours = deferred("colorsys")
        >>> colours.rgb_to_hsv(1.0, 0.0, 0.0)
        (0.0, 1.0, 1.0)
    """
    return _Deferred(name)


def deferred_name(package: str, places: Mapping[str, str], name: str) -> Any:
    """The attribute of a package that is imported when it is first asked for.

    Args:
        package: its name, for the error.
        places: from attributes to ``"module"`` or ``"module:attribute of it"``.
        name: the attribute.

    Raises:
        AttributeError: `places` does not have it.

    Example:
        >>> deferred_name("numbers", {"half": "fractions:Fraction"}, "half")(1, 2)
        Fraction(1, 2)
    """
    place = places.get(name)
    if place is None:
        raise no_attribute(package, name)
    module, _, attribute = place.partition(":")
    with no_collection(lasting=True):
        found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def public_names(namespace: Mapping[str, Any]) -> list[str]:
    """What ``dir`` and tab completion show of a public package: no module that it is made of.

    Args:
        namespace: the package's ``globals()``.

    Example:
        >>> public_names({"__all__": ["grad"], "__doc__": "", "grad": 1, "autodiff": 2})
        ['__all__', '__doc__', 'grad']
    """
    special = {name for name in namespace if name.startswith("__")}
    return sorted(special.union(namespace["__all__"]))
