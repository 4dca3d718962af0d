"""BLAS held to one thread while programs use it, with the user's number of threads back after."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.executable import BLAS_ROWS
from fxla.compile.routines.gemm import one_blas_thread
from fxla.core.blas import find_blas

COUNT = 3


@pytest.fixture
def threads() -> Iterator[Callable[[], int]]:
    """Reads BLAS's number of threads, which is `COUNT` before the test."""
    blas = find_blas()
    if not (blas.getter and blas.setter):
        pytest.skip("this BLAS does not let its threads be counted")
    get = ctypes.CFUNCTYPE(ctypes.c_int)(blas.getter)
    put = ctypes.CFUNCTYPE(None, ctypes.c_int)(blas.setter)
    before = get()
    put(COUNT)
    yield get
    put(before)


def test_holds_nest_and_end_with_an_error(threads: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="here"), one_blas_thread():
        with one_blas_thread():
            assert threads() == 1
        assert threads() == 1
        raise ValueError("here")
    assert threads() == COUNT


def test_the_last_of_several_threads_gives_the_number_back(threads: Callable[[], int]) -> None:
    inside, leave = threading.Barrier(2, timeout=20), threading.Event()
    seen = []

    def hold() -> None:
        with one_blas_thread():
            inside.wait()
            leave.wait(20)
            seen.append(threads())

    other = threading.Thread(target=hold)
    other.start()
    with one_blas_thread():
        inside.wait()
    assert threads() == 1
    leave.set()
    other.join()
    assert seen == [1]
    assert threads() == COUNT


@pytest.mark.parametrize(("n", "count"), [(20, 1), (BLAS_ROWS, 1), (BLAS_ROWS + 1, COUNT)], ids=str)
def test_small_matrices_are_factored_by_one_thread(
    n: int, count: int, threads: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def factor(a: Any, lower: str) -> Any:
        seen.append(threads())
        return np.zeros(len(a)), np.zeros_like(a)

    monkeypatch.setattr(np.linalg, "eigh", factor)
    fxla.jit(lambda a: fnp.linalg.eigh(a)[1])(np.eye(n))
    assert seen == [count]
    assert threads() == COUNT


def test_an_error_of_a_factorisation_gives_the_number_back(threads: Callable[[], int]) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        fxla.jit(fnp.linalg.cholesky)(-np.eye(60))
    assert threads() == COUNT
