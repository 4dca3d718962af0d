"""Cholesky and LU factors and triangular systems by the BLAS that NumPy has loaded, by address.

SciPy wraps the same routines, but its import takes longer than most programs take to compile, and
its library's threads are not those that a program holds (`fxla.compile.routines.gemm`). Where
NumPy's
library has no such symbols, SciPy's wrappers serve.

A matrix in C order is its transpose in Fortran's, so solving moves none.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fxla.core.blas import BLAS_DTYPES, loaded_address
from fxla.core.deferred import deferred

__all__ = ["cholesky_factor", "lu_factor", "solve_triangle"]

scipy = deferred("scipy")

_POINTERS = {"getrf": 6, "potrf": 5, "trsm": 11}
"""How many arguments routines have."""


@functools.cache
def _routine(name: str, dtype: np.dtype[Any]) -> Callable[..., None] | None:
    """A routine of NumPy's library; None if it cannot be called."""
    letter = BLAS_DTYPES.get(dtype.name)
    address = 0 if letter is None else loaded_address(letter + name)
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _POINTERS[name])
    return signature(address) if address else None


def _integer(n: int) -> Any:
    """Read alike by libraries of 32-bit and of 64-bit integers, as the machine is little-endian."""
    return ctypes.byref(ctypes.c_int64(n))


def _letter(chosen: str) -> Any:
    return ctypes.byref(ctypes.c_char(chosen.encode()))


def _data(x: Any) -> Any:
    """Where an array is; `ndarray.ctypes` takes four times as long."""
    return x.__array_interface__["data"][0]


@functools.lru_cache(maxsize=8)
def _above_diagonal(n: int) -> Any:
    return ~np.tri(n, dtype=bool)


def cholesky_factor(a: Any) -> Any:
    """The lower triangular L with ``a = L L^H`` of one matrix; reads the lower triangle of `a`.

    Raises:
        numpy.linalg.LinAlgError: `a` is not positive definite.
    """
    if a.size == 0:
        return a.copy()
    potrf = _routine("potrf", a.dtype)
    if potrf is None:
        wrapped: Any = scipy.linalg.lapack.get_lapack_funcs("potrf", (a,))
        factor, failed = wrapped(a, lower=1, clean=1)
    else:
        # As NumPy calls it, for its bits: this is the one that needs the matrix in Fortran's order.
        factor, info = np.array(a, order="F"), ctypes.c_int64(0)
        n = _integer(len(a))
        potrf(_letter("L"), n, _data(factor), n, ctypes.byref(info))
        factor, failed = np.ascontiguousarray(factor), ctypes.c_int32(info.value).value
        np.putmask(factor, _above_diagonal(len(a)), 0)
    if failed > 0:
        raise np.linalg.LinAlgError("Matrix is not positive definite")
    return np.ascontiguousarray(factor)


def lu_factor(a: Any) -> tuple[Any, Any]:
    """L and U of one matrix in one array, and with which row each was exchanged, from 0 on."""
    m, n = a.shape
    k = min(m, n)
    if k == 0:
        return a.copy(), np.zeros(0, np.int32)
    getrf = _routine("getrf", a.dtype)
    if getrf is None:
        wrapped: Any = scipy.linalg.lapack.get_lapack_funcs("getrf", (a,))
        factors, swaps, _ = wrapped(a)
        return np.ascontiguousarray(factors), swaps.astype(np.int32)
    factors, info = np.array(a, order="F"), ctypes.c_int64(0)
    swaps = np.zeros(k, np.int64)
    rows = _integer(m)
    getrf(rows, _integer(n), _data(factors), rows, _data(swaps), ctypes.byref(info))
    if swaps.max() > m:  # a library of 32-bit integers wrote two in each
        swaps = swaps.view(np.int32)[:k]
    return np.ascontiguousarray(factors), (swaps - 1).astype(np.int32)


def solve_triangle(
    a: Any,
    b: Any,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Any:
    """The x with ``op(a) x = b``, or ``x op(a) = b``, of one triangular matrix."""
    if b.size == 0:
        return b.copy()
    if conjugate_a and not transpose_a:
        a = a.conj()
    way = (2 if conjugate_a else 1) if transpose_a else 0
    trsm = _routine("trsm", a.dtype) if a.dtype == b.dtype else None
    if trsm is None:
        wrapped: Any = scipy.linalg.blas.get_blas_funcs("trsm", (a, b))
        with np.errstate(all="ignore"):
            return wrapped(
                1.0, a.T, b.T, side=int(left_side), lower=int(not lower),
                trans_a=way, diag=int(unit_diagonal),
            ).T  # fmt: skip
    a, x, one = np.ascontiguousarray(a), np.array(b, order="C"), np.ones((), a.dtype)
    rows, columns = x.shape
    trsm(
        _letter("R" if left_side else "L"), _letter("U" if lower else "L"), _letter("NTC"[way]),
        _letter("U" if unit_diagonal else "N"), _integer(columns), _integer(rows),
        _data(one), _data(a), _integer(len(a)), _data(x), _integer(columns),
    )  # fmt: skip
    return x
