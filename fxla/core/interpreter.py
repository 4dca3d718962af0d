"""How CPython lays out its types; asked here by all that reads them, or writes to them.

No offset is relied on that the interpreter does not confirm: `slot` compares what lies there with
what its stable ABI says of the same slot.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

__all__ = ["Method", "function_of", "get_slot", "holds", "method_at", "slot", "unusual", "word"]

_AS_NUMBER = 96
"""Byte offset in a type of the pointer to its operators."""
_MANAGED = 1 << 3 | 1 << 4
"""Flags of a type: a dict or weak references lie before its objects."""
_FASTCALL = 0x80
"""Flag of a method that takes ``(self, arguments, how many)``."""


class Method(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def method_at(address: int, name: str) -> Method:
    """The method that is native code; whoever makes functions of it keeps it alive."""
    return Method(name.encode(), address, _FASTCALL, None)


def function_of(method: Method, bound: Any) -> Any:
    """A Python function that calls a method with `bound` as its first operand."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(method), bound, None)


def unusual() -> str:
    """What this interpreter is that native code does not know, or ``""``."""
    if platform.python_implementation() != "CPython" or sys.maxsize != 2**63 - 1:
        return "it is not a 64-bit CPython"
    # abiflags and the version say so; `sysconfig` would, too, but takes a millisecond to load
    threaded = "t" in getattr(sys, "abiflags", "") or "free-threading" in sys.version
    if threaded or hasattr(sys, "getobjects"):
        return "it is a free-threaded or a debugging build"
    return ""


def word(address: int) -> ctypes.c_uint64:
    """The 64-bit word there; what is assigned to its ``value`` is written there."""
    return ctypes.c_uint64.from_address(address)


def get_slot(cls: type[Any], number: int) -> int:
    """What a class has in the slot of this number of the stable ABI; 0 for nothing."""
    get = ctypes.pythonapi.PyType_GetSlot
    get.restype, get.argtypes = ctypes.c_uint64, [ctypes.py_object, ctypes.c_int]
    found: int = get(cls, number)
    return found


def slot(
    cls: type[Any], offset: int, number: int, *, operator: bool = False
) -> ctypes.c_uint64 | None:
    """The place of a function in a class; None if it is not where it should be, or is null.

    Args:
        cls: a class of a usual interpreter, see `unusual`.
        offset: in bytes, from the start of the type, or of its operators.
        number: of the slot in the stable ABI.
        operator: whether it is one of the operators.

    Example:
        >>> _TP_CALL = 50
        >>> place = slot(type, 128, _TP_CALL)
        >>> place is None or place.value == get_slot(type, _TP_CALL)
        True
    """
    start = word(id(cls) + _AS_NUMBER).value if operator else id(cls)
    if not start:
        return None
    place = word(start + offset)
    return place if place.value and place.value == get_slot(cls, number) else None


def holds(cls: type[Any]) -> tuple[int, ...]:
    """What objects of a class hold: their sizes, whether a dict, whether weak references."""
    sizes = cls.__basicsize__, cls.__itemsize__, cls.__dictoffset__, cls.__weakrefoffset__
    return *sizes, cls.__flags__ & _MANAGED
