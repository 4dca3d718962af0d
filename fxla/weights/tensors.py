"""Arrays as safetensors holds them: its dtypes, and how the others are written as one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from fxla.core.array import Array, as_array
from fxla.core.dtypes import DType, short_name

__all__ = ["Stored", "decoded", "described", "dtype_named", "dtype_of_code", "stored"]

CODES: dict[str, str] = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
"""The dtypes that the format has, by the codes in a file's header."""

_NATIVE = frozenset(CODES.values())


@dataclass(frozen=True, slots=True)
class Stored:
    """An array as it goes into a file.

    Attributes:
        array: contiguous, in the machine's byte order, of a dtype that the format has.
        dtype: the name of the array's own dtype where the format lacks it: `array` then has one
            more axis, the parts of an element. None elsewhere.
    """

    array: np.ndarray[Any, Any]
    dtype: str | None


def dtype_named(name: str) -> DType:
    """A dtype by NumPy's name for it, those of `ml_dtypes` included.

    Raises:
        TypeError: if there is none of that name.

    Example:
        >>> dtype_named("bfloat16"), dtype_named("complex128")
        (dtype(bfloat16), dtype('complex128'))
    """
    return np.dtype(getattr(ml_dtypes, name, name))


def dtype_of_code(code: str) -> DType | None:
    """The dtype of a code in a file's header; None if it has no NumPy dtype.

    Example:
        >>> dtype_of_code("F32"), dtype_of_code("F4")
        (dtype('float32'), None)
    """
    return dtype_named(CODES[code]) if code in CODES else None


def stored(x: np.ndarray[Any, Any]) -> Stored:
    """An array as the format can hold it.

    Raises:
        TypeError: if its elements are no numbers.

    Example:
        >>> stored(np.zeros(3, np.complex128)).array.shape
        (3, 2)
    """
    if x.dtype.kind in "OSUMmV" and x.dtype.name not in ml_dtypes.__all__:
        raise TypeError(f"an array of dtype {x.dtype} cannot be saved: its elements are no numbers")
    shape = x.shape  # ascontiguousarray gives a scalar an axis
    x = np.ascontiguousarray(x, x.dtype.newbyteorder("=")).reshape(shape).view(np.ndarray)
    if x.dtype.name in _NATIVE:
        return Stored(x, None)
    base: Any = np.float64 if x.dtype == np.complex128 else np.uint8
    parts = x.dtype.itemsize // np.dtype(base).itemsize
    return Stored(x.reshape(-1).view(base).reshape((*shape, parts)), x.dtype.name)


def decoded(x: np.ndarray[Any, Any], dtype: str | None) -> Array:
    """The inverse of `stored`, without a copy where memory allows.

    Example:
        >>> x = stored(np.full((), 1 + 2j))
        >>> decoded(x.array, x.dtype)
        Array(1.+2.j)
    """
    if dtype is not None:
        x = x.reshape(-1).view(dtype_named(dtype)).reshape(x.shape[:-1])
    array: Array = as_array(x)
    return array


def described(shape: Any, dtype: Any) -> str:
    """A shape and a dtype in a message.

    Example:
        >>> described((2, 3), np.float32)
        'f32[2,3]'
    """
    return f"{short_name(np.dtype(dtype))}[{','.join(map(str, shape))}]"
