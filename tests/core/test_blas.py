"""Which BLAS programs call, and that its routines do what NumPy does."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fxla.core import blas
from fxla.core.blas import Blas, blas_name, find_blas

SOURCES: dict[str, Callable[[], Blas]] = {"found": find_blas, "scipy": blas._of_scipy}


@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("dtype", list(blas.BLAS_DTYPES))
def test_matrix_times_vector(source: str, dtype: str) -> None:
    """gemv of a row-major matrix, which is its transpose to Fortran."""
    rng = np.random.default_rng(0)
    a, x = rng.standard_normal((5, 3)).astype(dtype), rng.standard_normal(3).astype(dtype)
    y = np.zeros(5, dtype)
    one, zero = np.ones(1, dtype), np.zeros(1, dtype)
    rows, columns, step = (ctypes.c_int64(n) for n in (5, 3, 1))
    routine = SOURCES[source]().routine(blas_name(np.dtype(dtype), "gemv"))
    letter = ctypes.c_char(b"T")
    at: Callable[[Any], int] = lambda x: x.ctypes.data  # noqa: E731
    numbers = {n: ctypes.addressof(x) for n, x in (("m", rows), ("n", columns), ("s", step))}
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 11)(routine)(
        ctypes.addressof(letter), numbers["n"], numbers["m"], at(one), at(a), numbers["n"],
        at(x), numbers["s"], at(zero), at(y), numbers["s"],
    )  # fmt: skip
    np.testing.assert_allclose(y, a @ x, rtol=1e-5)


def test_a_library_that_multiplies_wrongly_is_refused() -> None:
    good = find_blas()
    assert blas._multiplies(good)
    other = Blas(lambda name: good.routine("sgemm"), good.getter, good.setter)
    assert not blas._multiplies(other)
    assert not blas._multiplies(Blas(lambda name: 0, good.getter, good.setter))


def test_without_numpys_library_scipys_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_openblas", lambda library: None)
    found = find_blas.__wrapped__()
    assert found.routine("dgemm") == blas._of_scipy().routine("dgemm") != 0


def test_a_product_imports_no_scipy() -> None:
    if find_blas().routine("dgemm") == blas._of_scipy().routine("dgemm"):
        pytest.skip("this NumPy carries no OpenBLAS of its own")
    code = (
        "import sys, numpy as np, fxla; x = np.ones((64, 64));"
        "assert (fxla.jit(lambda x: x @ x)(x) == 64).all();"
        "assert not [m for m in sys.modules if m.startswith('scipy.linalg')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
