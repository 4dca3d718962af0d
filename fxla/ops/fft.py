"""Discrete Fourier transforms over trailing axes.

    FFT:   out[k] = sum over j of x[j] exp(-2 pi i j k / n)
    IFFT:  out[j] = 1/n sum over k of x[k] exp(+2 pi i j k / n)
    RFFT:  the first n // 2 + 1 elements of the FFT of a real array along the last axis
    IRFFT: the real array that RFFT maps to x; parts of x that RFFT never gives are ignored

All are linear; SciPy's pocketfft computes them, in single precision for single-precision operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fxla.core.aval import Aval, Shape
from fxla.core.deferred import deferred
from fxla.core.dtypes import complex64, complex128, complex_dtype, float32, float64, real_dtype
from fxla.core.trace import AxisFrame, Value, typeof
from fxla.errors import DtypeError, ShapeError
from fxla.loops.view import Opaque, View
from fxla.ops.arithmetic import conj, mul, real
from fxla.ops.casts import convert
from fxla.ops.logic import eq, or_, select_like
from fxla.ops.shape import iota, pad
from fxla.ops.structure import LinearPrimitive, batch_move

__all__ = ["FftKind", "fft", "fft_p"]

scipy = deferred("scipy")

FftKind = Literal["FFT", "IFFT", "RFFT", "IRFFT"]

_FUNCTIONS: dict[str, str] = {
    "FFT": "fftn",
    "IFFT": "ifftn",
    "RFFT": "rfftn",
    "IRFFT": "irfftn",
}


class Fft(LinearPrimitive):
    """The transform `kind` over the last ``len(lengths)`` axes, whose real sizes are `lengths`.

    FFT, IFFT: c[..., *lengths] -> c[..., *lengths]
    RFFT: f[..., *lengths] -> c[..., *lengths[:-1], lengths[-1] // 2 + 1];  IRFFT: the reverse
    """

    name = "fft"

    def abstract_eval(self, x: Aval, *, kind: FftKind, lengths: Shape) -> tuple[Aval, ...]:
        allowed = (float32, float64) if kind == "RFFT" else (complex64, complex128)
        if x.dtype not in allowed:
            raise DtypeError(f"fft: {kind} takes {allowed[0]} or {allowed[1]}, got {x}")
        halved = (*lengths[:-1], lengths[-1] // 2 + 1)
        given, result = {
            "RFFT": (lengths, halved),
            "IRFFT": (halved, lengths),
        }.get(kind, (lengths, lengths))
        if x.shape[x.ndim - len(lengths) :] != given or 0 in lengths:
            raise ShapeError(f"fft: {kind} of lengths {lengths} takes trailing axes {given}: {x}")
        dtype = {"RFFT": complex_dtype(x.dtype), "IRFFT": real_dtype(x.dtype)}.get(kind, x.dtype)
        return (Aval((*x.shape[: x.ndim - len(lengths)], *result), dtype),)

    def impl(self, x: Any, *, kind: FftKind, lengths: Shape) -> tuple[Any, ...]:
        axes = tuple(range(-len(lengths), 0))
        return (getattr(scipy.fft, _FUNCTIONS[kind])(np.asarray(x), s=lengths, axes=axes),)

    def transpose(self, cts: Any, *operands: Any, kind: FftKind, lengths: Shape) -> tuple[Any, ...]:
        (ct,) = cts
        if kind == "RFFT":
            return (_rfft_transpose(ct, lengths),)
        if kind == "IRFFT":
            return (_irfft_transpose(ct, lengths),)
        return (fft(ct, kind, lengths),)  # the matrices are symmetric

    def batch(
        self, axis: AxisFrame, operands: Any, axes: Any, *, kind: FftKind, lengths: Shape
    ) -> tuple[tuple[Value, ...], tuple[int | None, ...]]:
        (x,) = batch_move(axis, operands, axes)
        return (fft(x, kind, lengths),), (0,)

    def lower(self, *views: View, kind: FftKind, lengths: Shape) -> Opaque:
        return Opaque()


def _rfft_transpose(ct: Value, lengths: Shape) -> Value:
    """RFFT is: make complex, FFT, keep the first half. Its transpose is theirs in reverse."""
    aval = typeof(ct)
    high = [0] * aval.ndim
    high[-1] = lengths[-1] - aval.shape[-1]
    return real(fft(pad(ct, 0, [0] * aval.ndim, high), "FFT", lengths))


def _irfft_transpose(ct: Value, lengths: Shape) -> Value:
    """conj(w RFFT(ct)) / n: w is 2 where RFFT leaves out the mirror image, else 1."""
    out = fft(ct, "RFFT", lengths)
    shape, n = typeof(out).shape, lengths[-1]
    dtype = typeof(ct).dtype
    k = iota(np.dtype(np.int64), shape, len(shape) - 1)
    alone = eq(k, 0)
    if n % 2 == 0:
        alone = or_(alone, eq(k, n // 2))
    scale = 1 / math.prod(lengths)
    weight = select_like(alone, np.asarray(scale, dtype)[()], np.asarray(2 * scale, dtype)[()])
    return conj(mul(out, convert(weight, typeof(out).dtype)))


fft_p = Fft()


def fft(x: Value, kind: FftKind, lengths: Sequence[int]) -> Value:
    """Transform the last ``len(lengths)`` axes of `x`.

    Args:
        x: complex; real for RFFT.
        kind: FFT, IFFT, RFFT or IRFFT.
        lengths: sizes of the transformed axes, on the real side of RFFT and IRFFT.

    Example:
        >>> fft(np.ones(4), "RFFT", (4,)).tolist()
        [(4+0j), 0j, 0j]
    """
    return fft_p.bind1(x, kind=kind, lengths=tuple(lengths)) if lengths else x
