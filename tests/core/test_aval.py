from __future__ import annotations

import numpy as np
import pytest

from fxla.core.aval import Aval
from fxla.core.dtypes import bfloat16, float0


@pytest.mark.parametrize(
    "shape, dtype, text",
    [
        ((), np.float64, "f64[]"),
        ((2, 3), np.float32, "f32[2,3]"),
        ((0,), np.uint8, "u8[0]"),
        ((1,), bool, "bool[1]"),
        ((4,), np.complex64, "c64[4]"),
        ((4,), bfloat16, "bf16[4]"),
        ((), np.int16, "i16[]"),
    ],
)
def test_is_written_as_dtype_and_shape(shape: tuple[int, ...], dtype: object, text: str) -> None:
    assert str(Aval(shape, np.dtype(dtype))) == text  # type: ignore[call-overload]


def test_size_and_rank() -> None:
    aval = Aval((2, 3, 4), np.dtype("float32"))
    assert (aval.ndim, aval.size) == (3, 24)
    assert Aval((), np.dtype("int8")).size == 1
    assert Aval((3, 0), np.dtype("int8")).size == 0


def test_weakness_matters_for_equality_but_not_for_matching() -> None:
    weak, strong = Aval((), np.dtype("float64"), True), Aval((), np.dtype("float64"))
    assert weak != strong
    assert weak.matches(strong)
    assert weak.strong() == strong
    assert strong.strong() is strong
    assert not strong.matches(Aval((1,), np.dtype("float64")))
    assert not strong.matches(Aval((), np.dtype("float32")))


def test_tangents_of_integers_hold_nothing() -> None:
    assert Aval((2,), np.dtype("float32"), True).tangent() == Aval((2,), np.dtype("float32"))
    assert Aval((2,), np.dtype("int32")).tangent() == Aval((2,), float0)
    assert Aval((), np.dtype("bool")).tangent().dtype == float0
