"""Dtypes: short names, kinds, NumPy 2 promotion with weak Python scalars, the default precision.

Promotion is NumPy's (NEP 50): a Python scalar is *weak* and takes the dtype of the array it meets.
`bfloat16` and the other small floats come from `ml_dtypes`, which registers their promotion with
NumPy itself, so that ``np.result_type`` answers for them too.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from fxla.core.scopes import enter_precision, leave_precision
from fxla.errors import DtypeError

__all__ = [
    "FLOAT_AT_START",
    "DType",
    "bfloat16",
    "bool_",
    "canonical_dtype",
    "complex64",
    "complex128",
    "complex_dtype",
    "default_complex",
    "default_dtype",
    "default_float",
    "finfo_of",
    "float0",
    "float16",
    "float32",
    "float64",
    "inexact_dtype",
    "int16",
    "int32",
    "int64",
    "is_bool",
    "is_complex",
    "is_floating",
    "is_inexact",
    "is_integer",
    "is_signed",
    "real_dtype",
    "result_type",
    "scalar_dtype",
    "short_name",
    "tangent_dtype",
    "uint8",
    "uint32",
]

DType = np.dtype[Any]

bool_ = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
uint32 = np.dtype(np.uint32)
float16 = np.dtype(np.float16)
bfloat16: DType = np.dtype(ml_dtypes.bfloat16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
complex64 = np.dtype(np.complex64)
complex128 = np.dtype(np.complex128)
float0 = np.dtype([("float0", np.void)])
"""The dtype of the tangent of an integer or boolean: it holds no information."""

_SHORT_KIND = {"f": "f", "i": "i", "u": "u", "c": "c", "b": "bool"}


def _float_at_start(name: str) -> np.dtype[Any]:
    known = (float64, float32, float16, bfloat16)
    try:
        return known[known.index(np.dtype(name))]
    except (TypeError, ValueError):
        names = ", ".join(d.name for d in known)
        raise ValueError(f"FXLA_DEFAULT_DTYPE={name!r}: expected one of {names}") from None


FLOAT_AT_START = _float_at_start(os.environ.get("FXLA_DEFAULT_DTYPE", "float64"))
"""The default floating dtype of a thread that has entered no scope."""


class _Precision(threading.local):
    """The default floating dtype of this thread."""

    def __init__(self) -> None:
        self.default = FLOAT_AT_START


_precision = _Precision()


@functools.cache
def short_name(dtype: DType) -> str:
    """Return the dtype's name in a jaxpr.

    Example:
        >>> short_name(np.dtype("float32")), short_name(np.dtype("bool"))
        ('f32', 'bool')
    """
    if dtype == bfloat16:
        return "bf16"
    if dtype == float0:
        return "float0"
    kind = _SHORT_KIND.get(dtype.kind)
    if kind is None:
        return dtype.name
    return kind if kind == "bool" else f"{kind}{dtype.itemsize * 8}"


def is_bool(dtype: DType) -> bool:
    """Whether `dtype` is boolean."""
    return dtype.kind == "b"


def is_integer(dtype: DType) -> bool:
    """Whether `dtype` is a signed or unsigned integer (not boolean)."""
    return dtype.kind in "iu"


def is_signed(dtype: DType) -> bool:
    """Whether `dtype` has negative values."""
    return dtype.kind in "ifc" or dtype == bfloat16


def is_floating(dtype: DType) -> bool:
    """Whether `dtype` is a real floating-point type, bfloat16 included."""
    return dtype.kind == "f" or dtype == bfloat16


def is_complex(dtype: DType) -> bool:
    """Whether `dtype` is complex."""
    return dtype.kind == "c"


def is_inexact(dtype: DType) -> bool:
    """Whether `dtype` is real or complex floating point: the dtypes that have derivatives."""
    return dtype.kind in "fc" or dtype == bfloat16


def real_dtype(dtype: DType) -> DType:
    """The dtype of the real part of a complex dtype; any other dtype unchanged."""
    if dtype.kind != "c":
        return dtype
    return float32 if dtype == complex64 else float64


def complex_dtype(dtype: DType) -> DType:
    """The complex dtype whose parts hold `dtype`."""
    if dtype.kind == "c":
        return dtype
    return complex64 if dtype in (float32, float16, bfloat16) else complex128


def tangent_dtype(dtype: DType) -> DType:
    """The dtype of the tangent space of `dtype`: itself if inexact, else `float0`."""
    return dtype if is_inexact(dtype) else float0


def default_float() -> DType:
    """The floating dtype of Python floats and of creation functions on this thread."""
    return _precision.default


def default_complex() -> DType:
    """The complex dtype that goes with `default_float`."""
    return complex128 if _precision.default == float64 else complex64


@contextlib.contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    """Set the default floating dtype for a scope, as a context manager or a decorator.

    The default is float64, as NumPy's; the environment variable ``FXLA_DEFAULT_DTYPE`` sets the
    start value. It decides the dtype of Python floats, of creation functions (``zeros``,
    ``linspace``, ``random.normal``, ...) and of the floating results of integer operands.

    Args:
        dtype: ``"float32"`` or ``"float64"`` (or ``"bfloat16"``, ``"float16"``).

    Raises:
        DtypeError: if `dtype` is not a real floating dtype.

    Example:
        >>> import fxla, fxla.numpy as fnp
        >>> with fxla.default_dtype("float32"):
        ...     print(fnp.zeros(3).dtype)
        float32
    """
    given = canonical_dtype(dtype)
    if not is_floating(given):
        raise DtypeError(
            f"default_dtype: expected a real floating dtype such as 'float32', got {given.name!r}"
        )
    before = _precision.default
    scope = enter_precision(given)
    _precision.default = given
    try:
        yield
    finally:
        _precision.default = before
        leave_precision(scope)


def canonical_dtype(dtype: Any) -> DType:
    """Turn anything NumPy takes as a dtype into one; Python's ``float`` means the default."""
    if dtype is float:
        return default_float()
    if dtype is complex:
        return default_complex()
    if isinstance(dtype, str) and dtype == "bfloat16":
        return bfloat16
    got: DType = np.dtype(dtype)
    if got.kind not in "biufc" and got != bfloat16 and got != float0:
        raise DtypeError(f"dtype {got} is not supported: use a boolean, integer, float or complex")
    return got


def scalar_dtype(value: bool | int | float | complex) -> DType:
    """The dtype a lone Python scalar has."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64 if -(2**63) <= value < 2**63 else np.dtype(np.uint64)
    if isinstance(value, float):
        return _precision.default
    return default_complex()


_WEAK_KIND = {"b": False, "i": 0, "u": 0, "f": 0.0, "c": 0j}


def result_type(*operands: tuple[DType, bool]) -> tuple[DType, bool]:
    """Promote dtypes as NumPy 2 does.

    Args:
        *operands: pairs of a dtype and whether it is weak (came from a Python scalar).

    Returns:
        The promoted dtype and whether it is still weak, which it is if all operands are.

    Example:
        >>> result_type((float32, False), (float64, True))
        (dtype('float32'), False)
    """
    if len(operands) == 1:
        return operands[0]
    strong = [dtype for dtype, weak in operands if not weak]
    if not strong:
        kinds = {dtype.kind for dtype, _ in operands}
        for kind, dtype in (("c", default_complex()), ("f", default_float()), ("i", int64)):
            if kind in kinds:
                return dtype, True
        return operands[0][0], all(weak for _, weak in operands)
    first = strong[0]
    if all(dtype == first for dtype in strong) and len(strong) == len(operands):
        return first, False
    weak_examples = [_WEAK_KIND[dtype.kind] for dtype, weak in operands if weak]
    try:
        return np.dtype(np.result_type(*strong, *weak_examples)), False
    except TypeError:
        names = " and ".join(short_name(dtype) for dtype in strong)
        raise DtypeError(f"no common dtype for {names}: convert one with .astype") from None


def inexact_dtype(dtype: DType) -> DType:
    """The floating dtype NumPy's inexact functions (``sin``, ``mean``, ...) give for `dtype`.

    Example:
        >>> inexact_dtype(np.dtype("int8")), inexact_dtype(np.dtype("int32"))
        (dtype('float16'), dtype('float64'))
    """
    if is_inexact(dtype):
        return dtype
    if _precision.default != float64:
        return _precision.default
    if dtype.kind == "b" or dtype.itemsize == 1:
        return float16
    return float32 if dtype.itemsize == 2 else float64


def finfo_of(dtype: DType) -> Any:
    """``numpy.finfo`` that knows the `ml_dtypes` floats as well."""
    of_any: Any = ml_dtypes.finfo if dtype == bfloat16 else np.finfo
    return of_any(dtype)
