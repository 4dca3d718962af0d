"""Operators of `fxla.Array` and calls of ufuncs outside a trace, in native code.

`quicken` puts the functions of `eager_text` into the class, where the interpreter
looks for what ``x + y`` means. They give what NumPy's give, in half the time that NumPy takes with
a subclass. They are loaded when a program is served natively, or when there were many eager calls:
a script that makes a few does not wait for a compiler to be imported.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np

from fxla.compile.backend.own_text import OwnText, loaded
from fxla.compile.calls.eager_layout import BINARY, STATE, TERNARY, UNARY
from fxla.compile.calls.entry_probe import c_api, may_become, numpy_api, unexpected
from fxla.core.array import Array, applying
from fxla.core.interpreter import function_of, method_at, slot
from fxla.errors import InternalError

__all__ = ["EAGER", "quicken"]

EAGER = OwnText(
    "calls.eager_text",
    ("use", "apply", *BINARY, *UNARY, *TERNARY),
    (
        "compile/calls/eager_text",
        "compile/calls/eager_layout",
        "compile/calls/entry_layout",
        "compile/calls/array_text",
        "compile/backend/native_text",
    ),
    lambda: c_api("Py_IncRef", "Py_DecRef", "PyObject_Vectorcall") | numpy_api(),
)
"""The native part."""
_COMPARE, _COMPARE_SLOT = 200, 67
"""Byte offset of ``tp_richcompare`` in a type, and the number of that slot in the stable ABI."""
_SLOTS = {
    "add": (0, 7), "subtract": (1, 36), "multiply": (2, 29), "remainder": (3, 34),
    "power": (5, 33), "negative": (6, 30), "positive": (7, 32), "absolute": (8, 6),
    "invert": (10, 27), "lshift": (11, 28), "rshift": (12, 35), "and": (13, 8), "xor": (14, 38),
    "or": (15, 31), "floor_divide": (29, 12), "true_divide": (30, 37),
    "matrix_multiply": (34, 75),
}  # fmt: skip
"""Places of the other operators in ``PyNumberMethods``, and the numbers of their slots."""
_OPERATORS = (
    "add sub mul truediv floordiv mod pow and or xor lshift rshift neg pos abs invert lt le eq ne "
    "gt ge"
).split()
_lock = threading.Lock()
_kept: list[Any] = []
"""What the native code reads, once it is there."""


def quicken() -> bool:
    """Have eager operations of arrays done natively from now on; whether they are.

    Where the interpreter or NumPy is laid out in another way, nothing is changed, nor while the
    class has operators that somebody gave it (`fxla.compat.jax` does), which are to be called.
    """
    with _lock:
        if not _kept:
            _install()
        return bool(_kept)


def _install() -> None:
    if _given() or unexpected() or not may_become(np.ndarray, Array):
        return
    ours, numpys = _places(Array), _places(np.ndarray)
    if ours is None or numpys is None:
        return
    try:
        code = loaded(EAGER)
    except InternalError:  # a processor or a linker that llvmlite cannot serve
        return
    state = (ctypes.c_uint64 * (1 + max(STATE.values()) // 8))()
    known = {"array": Array, "ndarray": np.ndarray, "float": float, "int": int, "none": None}
    words = {name: id(x) for name, x in known.items()}
    for name, place in ours.items():
        words |= {f"before_{name}": place.value, f"bare_{name}": numpys[name].value}
    words["before_matrix_multiply"] = id(_product)  # its slot serves a class only while it is there
    for name, word in words.items():
        state[STATE[name] // 8] = word
    method = method_at(code["apply"], "apply")
    apply = function_of(method, None)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code["use"])(ctypes.addressof(state))
    _kept.extend((state, method))
    for name, place in ours.items():
        place.value = code[name]
    applying[0] = apply


def _given() -> bool:
    """Whether the class has other operators of its own than that of matrix products."""
    names = {f"__{name}__" for name in _OPERATORS} | {f"__r{name}__" for name in _OPERATORS}
    return not names.isdisjoint(vars(Array))


def _product(a: Any, b: Any) -> Any:
    """``a @ b`` by the method of `Array`; called where one of them is one."""
    return a.__matmul__(b) if isinstance(a, Array) else b.__rmatmul__(a)


def _places(cls: type[Any]) -> dict[str, Any] | None:
    """Where a class has its operators; None if one is not where it should be."""
    found = {
        name: slot(cls, 8 * place, number, operator=True)
        for name, (place, number) in _SLOTS.items()
    }
    found["richcompare"] = slot(cls, _COMPARE, _COMPARE_SLOT)
    return None if None in found.values() else found
