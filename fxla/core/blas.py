"""Where BLAS is: the addresses of its routines, and of what says how many threads it uses.

NumPy's wheels carry an OpenBLAS that is in the process already, so its symbols cost nothing. It is
used if a probe product comes out right and it lets its threads be counted and set. Else (NumPy
built with MKL, Accelerate, or a system's BLAS) routines come from the table that SciPy exports,
whose import takes 0.1 s.

Routines have the Fortran interface, in which everything is an address. Integers lie in 8 bytes, so
that libraries of 32-bit and of 64-bit integers both read them (the machine is little-endian).
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fxla.core.dtypes import DType
from fxla.core.records import dataclass

__all__ = [
    "BLAS_DTYPES",
    "Blas",
    "blas_address",
    "blas_name",
    "blas_threads",
    "find_blas",
    "loaded_address",
]

BLAS_DTYPES = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}

SPELLINGS = (("scipy_", "_64_"), ("scipy_", "_"), ("", "_64_"), ("", "64_"), ("", "_"))
"""What may stand before and after the name of a routine in OpenBLAS."""


def blas_name(dtype: DType, routine: str) -> str:
    """E.g. ``sgemm``."""
    return BLAS_DTYPES[dtype.name] + routine


@dataclass(frozen=True)
class Blas:
    """A library.

    Attributes:
        routine: finds the address of a routine.
        getter, setter: addresses of ``int get_num_threads()`` and ``void set_num_threads(int)``;
            0 if it has none, and then its threads are left alone.
    """

    routine: Callable[[str], int]
    getter: int
    setter: int


@functools.cache
def find_blas() -> Blas:
    """The library that programs call."""
    extension = sys.modules.get("numpy._core._multiarray_umath")
    path = getattr(extension, "__file__", None)
    if path is not None and sys.byteorder == "little":
        try:
            found = _openblas(ctypes.CDLL(path))  # symbols are looked up in what it loads, too
        except OSError:
            found = None
        if found is not None and _multiplies(found):
            return found
    return _of_scipy()


def loaded_address(name: str) -> int:
    """The address of a routine of BLAS or LAPACK in NumPy's library; 0 if it is not there."""
    routine = find_blas().routine
    return routine(name) if isinstance(routine, _Spelled) else 0


def blas_address(name: str) -> int:
    """The address of a routine, such as ``dgemm``."""
    return find_blas().routine(name)


def _address(library: Any, symbol: str) -> int:
    """The address of a symbol, 0 if there is none."""
    function = getattr(library, symbol, None)
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


def _openblas(library: Any) -> Blas | None:
    """An OpenBLAS that is part of, or loaded by, a library."""
    for before, after in SPELLINGS:
        if not _address(library, f"{before}dgemm{after}"):
            continue
        end = after.removeprefix("_") if after != "_" else ""
        getter, setter = (
            _address(library, f"{before}openblas_{what}_num_threads{end}")
            for what in ("get", "set")
        )
        if getter and setter:
            return Blas(_Spelled(library, before, after), getter, setter)
    return None


@dataclass(frozen=True)
class _Spelled:
    """Finds routines by their spelling in a library."""

    library: Any
    before: str
    after: str

    def __call__(self, name: str) -> int:
        return _address(self.library, f"{self.before}{name}{self.after}")


def _multiplies(blas: Blas) -> bool:
    """Whether all routines are there, and one product of matrices is right."""
    names = [letter + routine for letter in BLAS_DTYPES.values() for routine in ("gemm", "gemv")]
    if not all(blas.routine(name) for name in names):
        return False
    a, b, c = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.zeros((2, 4))
    m, n, k = (ctypes.c_int64(x) for x in (2, 4, 3))
    one, zero = ctypes.c_double(1.0), ctypes.c_double(0.0)
    letter = ctypes.c_char(b"N")
    numbers = [ctypes.addressof(x) for x in (letter, n, m, k, one, zero)]
    at_letter, at_n, at_m, at_k, at_one, at_zero = numbers
    at_a, at_b, at_c = (x.ctypes.data for x in (a, b, c))
    gemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(blas.routine("dgemm"))
    gemm(
        at_letter, at_letter, at_n, at_m, at_k, at_one, at_b, at_n, at_a, at_k, at_zero, at_c, at_n
    )
    return c.tolist() == [[20.0, 23.0, 26.0, 29.0], [56.0, 68.0, 80.0, 92.0]]


def _of_scipy() -> Blas:
    """SciPy's library, by the table that it exports to Cython."""
    import scipy.linalg.cython_blas as blas  # 0.1 s

    table: Mapping[str, Any] = blas.__pyx_capi__
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    library = ctypes.CDLL(blas.__file__)
    getter = setter = 0
    for prefix in ("scipy_openblas", "openblas"):
        getter = _address(library, f"{prefix}_get_num_threads")
        setter = _address(library, f"{prefix}_set_num_threads")
        if getter and setter:
            break
    return Blas(lambda name: int(get_pointer(table[name], get_name(table[name]))), getter, setter)


@functools.cache
def blas_threads() -> int:
    """The address of five integers for `fxla.compile.routines.gemm`.

    They are the addresses `getter` and `setter`, a lock, how many products run, and the number of
    threads that the user had set. The first two are 0 unless both are known.
    """
    blas = find_blas()
    known = blas.getter and blas.setter
    table = (ctypes.c_int64 * 5)(*((blas.getter, blas.setter) if known else (0, 0)))
    _tables.append(table)
    return ctypes.addressof(table)


_tables: list[Any] = []


def _after_fork() -> None:
    """The products that ran in the parent do not run in its child."""
    for table in _tables:
        if table[3] and table[1]:
            ctypes.CFUNCTYPE(None, ctypes.c_int)(table[1])(table[4])
        table[2] = table[3] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
