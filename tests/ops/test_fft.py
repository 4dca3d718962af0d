from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.trace import typeof
from fxla.errors import DtypeError, ShapeError
from fxla.ops.fft import FftKind, fft, fft_p
from tests.ops.rules import check_batch, check_jvp, check_shapes, check_transpose, normal

LENGTHS = [(8,), (7,), (1,), (2,), (4, 6), (3, 5), (2, 3, 4)]
KINDS: list[FftKind] = ["FFT", "IFFT", "RFFT", "IRFFT"]
NUMPY = {
    "FFT": np.fft.fftn,
    "IFFT": np.fft.ifftn,
    "RFFT": np.fft.rfftn,
    "IRFFT": np.fft.irfftn,
}


def operand(kind: str, lengths: tuple[int, ...], double: bool = True) -> Any:
    rng = np.random.default_rng(1)
    shape = (*lengths[:-1], lengths[-1] // 2 + 1) if kind == "IRFFT" else lengths
    real, complex_ = ("float64", "complex128") if double else ("float32", "complex64")
    return normal(rng, (2, *shape), real if kind == "RFFT" else complex_)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_rules(kind: FftKind, lengths: tuple[int, ...]) -> None:
    x = operand(kind, lengths)
    axes = tuple(range(-len(lengths), 0))
    np.testing.assert_allclose(
        fft(x, kind, lengths), NUMPY[kind](x, lengths, axes), rtol=1e-12, atol=1e-12
    )
    check_shapes(fft_p, x, kind=kind, lengths=lengths)
    check_jvp(fft_p, x, kind=kind, lengths=lengths)
    check_transpose(fft_p, x, kind=kind, lengths=lengths)
    check_batch(fft_p, x, kind=kind, lengths=lengths)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_single(kind: FftKind) -> None:
    x = operand(kind, (8,), double=False)
    check_shapes(fft_p, x, kind=kind, lengths=(8,))
    assert fft(x, kind, (8,)).dtype.itemsize == (4 if kind == "IRFFT" else 8)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DtypeError, match="RFFT takes float32 or float64, got c128"):
        fft_p.abstract_eval(typeof(np.ones(4, complex)), kind="RFFT", lengths=(4,))
    with pytest.raises(ShapeError, match="trailing axes \\(5,\\)"):
        fft_p.abstract_eval(typeof(np.ones(4, complex)), kind="IRFFT", lengths=(8,))
