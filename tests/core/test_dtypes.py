from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.core import dtypes
from fxla.core.dtypes import bfloat16, float0, result_type
from fxla.errors import DtypeError

NUMPY = [
    np.dtype(n)
    for n in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128".split()
]
STRONG = [*NUMPY, bfloat16]
PYTHON: list[tuple[np.dtype[Any], Any]] = [
    (np.dtype("int64"), 0),
    (np.dtype("float64"), 0.0),
    (np.dtype("complex128"), 0j),
]


@pytest.mark.parametrize("x, y", [*itertools.product(STRONG, STRONG)])
def test_two_arrays_promote_as_numpy_says(x: np.dtype[Any], y: np.dtype[Any]) -> None:
    try:
        expected = np.result_type(x, y)
    except TypeError:
        with pytest.raises(DtypeError, match="no common dtype"):
            result_type((x, False), (y, False))
        return
    assert result_type((x, False), (y, False)) == (expected, False)


@pytest.mark.parametrize("x", STRONG)
@pytest.mark.parametrize("weak, example", PYTHON)
def test_a_python_number_yields_to_an_array(
    x: np.dtype[Any], weak: np.dtype[Any], example: Any
) -> None:
    expected = np.result_type(x, example)
    assert result_type((x, False), (weak, True)) == (expected, False)
    assert result_type((weak, True), (x, False)) == (expected, False)


@pytest.mark.parametrize("x, y", [*itertools.product(PYTHON, PYTHON)])
def test_two_python_numbers_stay_weak(x: Any, y: Any) -> None:
    expected = np.dtype(type(x[1] + y[1]))
    assert result_type((x[0], True), (y[0], True)) == (expected, True)


@pytest.mark.parametrize("x, y, z", [*itertools.combinations(NUMPY, 3)])
def test_three_arrays_promote_as_numpy_says(
    x: np.dtype[Any], y: np.dtype[Any], z: np.dtype[Any]
) -> None:
    assert result_type((x, False), (y, False), (z, False)) == (np.result_type(x, y, z), False)


def test_promotion_agrees_with_what_a_ufunc_gives() -> None:
    for x, y in itertools.product(NUMPY, NUMPY):
        got = np.add(np.ones(1, x), np.ones(1, y)).dtype
        assert result_type((x, False), (y, False))[0] == got


@pytest.mark.parametrize("dtype", NUMPY)
def test_inexact_dtype_is_that_of_numpys_sin(dtype: np.dtype[Any]) -> None:
    assert dtypes.inexact_dtype(dtype) == np.sin(np.ones(1, dtype)).dtype


def test_kinds() -> None:
    assert dtypes.is_floating(bfloat16)
    assert dtypes.is_inexact(bfloat16)
    assert not dtypes.is_floating(np.dtype("complex64"))
    assert dtypes.is_inexact(np.dtype("complex64"))
    assert not dtypes.is_integer(np.dtype("bool"))
    assert dtypes.is_signed(bfloat16)
    assert not dtypes.is_signed(np.dtype("uint8"))


@pytest.mark.parametrize(
    "dtype, real, complex_",
    [
        ("float32", "float32", "complex64"),
        ("float64", "float64", "complex128"),
        ("complex64", "float32", "complex64"),
        ("complex128", "float64", "complex128"),
    ],
)
def test_real_and_complex_counterparts(dtype: str, real: str, complex_: str) -> None:
    assert dtypes.real_dtype(np.dtype(dtype)) == np.dtype(real)
    assert dtypes.complex_dtype(np.dtype(dtype)) == np.dtype(complex_)


def test_tangents() -> None:
    assert dtypes.tangent_dtype(bfloat16) == bfloat16
    assert dtypes.tangent_dtype(np.dtype("int8")) == float0


def test_default_dtype_is_scoped_and_nests() -> None:
    assert dtypes.default_float() == np.float64
    with dtypes.default_dtype("float32"):
        assert dtypes.default_float() == np.float32
        assert dtypes.default_complex() == np.complex64
        assert dtypes.scalar_dtype(1.0) == np.float32
        assert dtypes.scalar_dtype(1) == np.int64
        assert dtypes.canonical_dtype(float) == np.float32
        with dtypes.default_dtype("float64"):
            assert dtypes.default_float() == np.float64
        assert dtypes.default_float() == np.float32
    assert dtypes.default_float() == np.float64


def test_default_dtype_returns_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), dtypes.default_dtype("float32"):
        raise ZeroDivisionError
    assert dtypes.default_float() == np.float64


def test_default_dtype_decorates_functions() -> None:
    @dtypes.default_dtype("float32")
    def f() -> Any:
        return dtypes.default_float()

    assert f() == np.float32
    assert f() == np.float32
    assert dtypes.default_float() == np.float64


def test_default_dtype_belongs_to_a_thread() -> None:
    seen = []
    with dtypes.default_dtype("float32"):
        thread = threading.Thread(target=lambda: seen.append(dtypes.default_float()))
        thread.start()
        thread.join()
    assert seen == [np.dtype("float64")]


@pytest.mark.parametrize("wrong", ["int32", "complex64", "bool"])
def test_default_dtype_must_be_a_real_float(wrong: str) -> None:
    with pytest.raises(DtypeError, match="real floating dtype"), dtypes.default_dtype(wrong):
        pass


@pytest.mark.parametrize("wrong", ["U3", "O", "M8[s]"])
def test_dtypes_that_are_not_numbers_are_refused(wrong: str) -> None:
    with pytest.raises(DtypeError, match="not supported"):
        dtypes.canonical_dtype(wrong)


def test_canonical_names() -> None:
    assert dtypes.canonical_dtype("bfloat16") == bfloat16
    assert dtypes.canonical_dtype(np.int8) == np.int8
    assert dtypes.canonical_dtype(int) == np.int64
    assert dtypes.canonical_dtype(complex) == np.complex128


def test_integers_beyond_int64_are_unsigned() -> None:
    assert dtypes.scalar_dtype(2**63) == np.uint64
    assert dtypes.scalar_dtype(-(2**63)) == np.int64
    assert dtypes.scalar_dtype(True) == np.bool_


def test_finfo_knows_bfloat16() -> None:
    assert float(dtypes.finfo_of(bfloat16).eps) == float(ml_dtypes.finfo(bfloat16).eps) == 2.0**-7
    assert dtypes.finfo_of(np.dtype("float32")).eps == np.finfo("float32").eps


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("float32", "float32"),
        ("f2", "float16"),
        ("bfloat16", "bfloat16"),
        ("floaat32", "ValueError"),
        ("int32", "ValueError"),
    ],
)
def test_the_environment_says_what_floats_are(name: str, said: str) -> None:
    code = "import fxla.core.dtypes as d; print(d.FLOAT_AT_START)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "FXLA_DEFAULT_DTYPE": name},
    )
    assert said in (done.stdout or done.stderr)
    assert done.stdout or f"FXLA_DEFAULT_DTYPE={name!r}: expected one of float64" in done.stderr
