"""Classes whose objects the garbage collector does not follow.

It follows the objects of every class that a ``class`` statement makes, even where none of them can
be part of a cycle: those of a subclass of `numpy.ndarray` without attributes of its own hold no
more references than an ndarray, and NumPy does not have ndarrays followed. An array then takes 16
bytes more, costs more to make, and every few hundred of them start a collection.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import sysconfig
from typing import Any, TypeVar

__all__ = ["uncollected"]

C = TypeVar("C", bound="type[Any]")
_FLAGS, _TRAVERSE, _CLEAR, _FREE = 168, 184, 192, 320
"""Byte offsets of ``tp_flags`` and slots in a type; `uncollected` makes sure of them."""
_SLOTS = {_TRAVERSE: 71, _CLEAR: 51, _FREE: 74}
"""The numbers of the slots in the stable ABI."""
_HAVE_GC = 1 << 14
_MANAGED = 1 << 3 | 1 << 4
"""A dict or weak references that lie before the object."""


def uncollected(cls: C) -> C:
    """Have objects of a class allocated and freed as those of its base.

    To be called before there is any object. Where the interpreter lays out its types in another way
    nothing is changed; objects are then a little slower to make.

    Args:
        cls: adds no attributes to its base, whose objects are not followed.

    Example:
        >>> import gc, numpy
        >>> @uncollected
        ... class Plain(numpy.ndarray):
        ...     __slots__ = ()
        >>> gc.is_tracked(numpy.zeros(3).view(Plain))
        False
    """
    base: Any = cls.__base__
    alike = _kept(cls) == _kept(base) and not base.__flags__ & _HAVE_GC
    if alike and cls.__flags__ & _HAVE_GC and _laid_out_as_expected(cls):
        for offset in _SLOTS:
            _word(cls, offset).value = _word(base, offset).value
        _word(cls, _FLAGS).value = cls.__flags__ & ~_HAVE_GC
    return cls


def _kept(cls: type[Any]) -> tuple[int, ...]:
    """What objects hold: sizes, and whether there is a dict or a list of weak references."""
    sizes = cls.__basicsize__, cls.__itemsize__, cls.__dictoffset__, cls.__weakrefoffset__
    return *sizes, cls.__flags__ & _MANAGED


def _word(cls: type[Any], offset: int) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(id(cls) + offset)


def _laid_out_as_expected(cls: type[Any]) -> bool:
    if platform.python_implementation() != "CPython" or sys.maxsize != 2**63 - 1:
        return False
    if sysconfig.get_config_var("Py_GIL_DISABLED") or hasattr(sys, "getobjects"):
        return False
    get = ctypes.pythonapi.PyType_GetSlot
    get.restype, get.argtypes = ctypes.c_uint64, [ctypes.py_object, ctypes.c_int]
    slots = all(_word(cls, offset).value == get(cls, n) != 0 for offset, n in _SLOTS.items())
    return slots and _word(cls, _FLAGS).value == cls.__flags__
