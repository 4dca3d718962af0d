"""Whether this interpreter and this NumPy lay out their objects as `entry_text` reads.

Nothing is assumed: every offset that the native code uses is looked at here, on real objects,
before that code is loaded. `unexpected` names what is different; then calls stay in Python, which
is slower and otherwise the same.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

from fxla.compile.calls.entry_layout import ARRAY
from fxla.core.interpreter import get_slot, holds, slot, unusual

__all__ = ["SCALARS", "c_api", "may_become", "numpy_api", "slot_offset", "type_slot", "unexpected"]

SCALARS = tuple(
    np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
)  # fmt: skip
"""Dtypes whose scalars hold their value where `unexpected` looked."""

_VALUE = 16
"""Offset of a number's value in its object."""
_TYPE_CALL = 128
"""Offset of ``tp_call`` in a type."""
_TP_CALL = 50
"""Number of that slot in the stable ABI."""
_TP_ALLOC, _TP_FREE = 47, 74
_TP_HEAP_TYPE, _TP_HAVE_GC = 1 << 9, 1 << 14
_NUMPY_API = {
    "PyArray_NewCopy": 85, "PyArray_NewFromDescr": 94, "PyArray_View": 137,
    "PyDataMem_SetHandler": 304,
}  # fmt: skip
_NUMPY_TYPE = 2
_GET_HANDLER = 305


def unexpected() -> str:
    """What is not as the native code needs it, or ``""``."""
    if unusual():
        return unusual()
    if sys.byteorder != "little" or object.__basicsize__ != 16:
        return "objects begin in another way"
    for what, right in {
        "a tuple": _words((7, 8, 9), 6)[2:] == [3, id(7), id(8), id(9)],
        "a reference count": _references_are_known(),
        "a list": _list_is_known(),
        "an array": _array_is_known(),
        "a dtype": _dtype_is_known(),
        "a number": _numbers_are_known(),
        "a type": type_slot(_Called) is not None,
    }.items():
        if not right:
            return f"{what} is laid out differently"
    return "" if _numpy_type() == id(np.ndarray) else "NumPy's C API is another"


class _Called:
    def __call__(self) -> None:
        """Have the slot for it filled."""


def _words(x: Any, n: int) -> list[int]:
    """The first 64-bit words of an object."""
    return list((ctypes.c_uint64 * n).from_address(id(x)))


def _references_are_known() -> bool:
    x = object()
    before = _words(x, 1)[0] & 0xFFFFFFFF
    held = [x, x]
    return (_words(x, 1)[0] & 0xFFFFFFFF) - before == len(held)


def _list_is_known() -> bool:
    x = [5, 6]
    words = _words(x, 4)
    return words[2] == 2 and list((ctypes.c_uint64 * 2).from_address(words[3])) == [id(5), id(6)]


def _array_is_known() -> bool:
    x = np.zeros((3, 5), np.float32)
    if type(x).__basicsize__ <= max(ARRAY.values()):
        return False
    words = _words(x, 12)
    at = {name: words[offset // 8] for name, offset in ARRAY.items()}
    plain = (
        words[1] == id(np.ndarray)
        and at["data"] == x.__array_interface__["data"][0]
        and at["ndim"] & 0xFFFFFFFF == 2
        and at["descr"] == id(x.dtype)
        and at["strides"] - at["dims"]
        == 16  # they are one piece of memory, so it is safe to look there
        and at["handler"] == id(_handler())
        and at["base"] == 0
        and _words(x[1:], 12)[ARRAY["base"] // 8] == id(x)
    )
    if not plain:
        return False
    flags = [_words(a, 9)[ARRAY["flags"] // 8] & 257 for a in (x, x.T, x[:, :3])]
    dims = (ctypes.c_int64 * 2).from_address(at["dims"])
    return list(dims) == [3, 5] and flags == [257, 256, 256]


def _handler() -> Any:
    """The capsule of the allocator that NumPy uses now."""
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(_numpy_table()[_GET_HANDLER])
    return get()


def _dtype_is_known() -> bool:
    def seen(dtype: Any) -> tuple[int, int]:
        raw = ctypes.string_at(id(dtype), 32)
        return raw[26], int.from_bytes(raw[28:32], "little", signed=True)

    return all(seen(d) == (ord(d.byteorder), d.num) for d in (*SCALARS, np.dtype(">f4")))


def _numbers_are_known() -> bool:
    given = [(1.5, np.dtype(float)), (1.5 - 2j, np.dtype(complex))]
    given += [(d.type(1), d) for d in SCALARS]
    return all(
        ctypes.string_at(id(x) + _VALUE, d.itemsize) == np.asarray(x, d).tobytes() for x, d in given
    )


def type_slot(cls: type[Any]) -> ctypes.c_uint64 | None:
    """The place of ``tp_call`` in a class; None if it is not where it should be."""
    return slot(cls, _TYPE_CALL, _TP_CALL)


def may_become(cls: type[Any], subclass: type[Any]) -> bool:
    """Whether an object made as one of `cls` is one of `subclass` when its type is exchanged.

    That is so if both lie in memory alike, come from it and go back to it alike, and NumPy has
    nothing more to do for the subclass. Objects of the subclass hold a reference to it.
    """

    def kind(c: Any) -> tuple[Any, ...]:
        memory = bool(c.__flags__ & _TP_HAVE_GC), get_slot(c, _TP_ALLOC), get_slot(c, _TP_FREE)
        return *holds(c), *memory, c.__array_finalize__

    return bool(subclass.__flags__ & _TP_HEAP_TYPE) and kind(cls) == kind(subclass)


def slot_offset(x: Any, held: Any) -> int | None:
    """Where in the object `x` the reference to `held` is, which one of its ``__slots__`` has."""
    size = type(x).__basicsize__
    found = [8 * k for k, word in enumerate(_words(x, size // 8)) if k > 1 and word == id(held)]
    return found[0] if len(found) == 1 else None


def c_api(*names: str) -> dict[str, int]:
    """The addresses of functions of Python's C API."""
    found = {n: ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value for n in names}
    return {name: address for name, address in found.items() if address is not None}


def numpy_api() -> dict[str, int]:
    """The addresses of the functions of NumPy's C API that native code calls."""
    table = _numpy_table()
    return {name: int(table[number] or 0) for name, number in _NUMPY_API.items()}


def _numpy_type() -> int:
    return int(_numpy_table()[_NUMPY_TYPE] or 0)


def _numpy_table() -> Any:
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]
    return (ctypes.c_void_p * (_GET_HANDLER + 1)).from_address(pointer(capsule, None))
