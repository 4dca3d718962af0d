"""The discrete Fourier transform of the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fxla.core.dtypes import complex_dtype, is_complex
from fxla.core.trace import typeof, where_am_i
from fxla.errors import DtypeError, ShapeError
from fxla.lax.options import FftType
from fxla.ops.casts import convert
from fxla.ops.fft import fft as _fft

__all__ = ["fft"]


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """The discrete Fourier transform of the last axes.

    Args:
        x: complex, or real for RFFT.
        fft_type: an `FftType` or its name.
        fft_lengths: sizes of the transformed axes; for IRFFT those of the real result.

    Raises:
        ValueError: if the lengths do not fit the shape.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.fft(fnp.ones(4), "RFFT", (4,))
        Array([4.+0.j, 0.+0.j, 0.+0.j])
    """
    kind = FftType(fft_type.upper()) if isinstance(fft_type, str) else fft_type
    aval, lengths = typeof(x), tuple(fft_lengths)
    if kind is FftType.RFFT and is_complex(aval.dtype):
        raise DtypeError(f"lax.fft: RFFT takes real numbers, got {aval}{where_am_i()}")
    if kind is not FftType.RFFT:
        x = convert(x, complex_dtype(aval.dtype))
    sizes = lengths
    if kind is FftType.IRFFT and lengths:
        sizes = (*lengths[:-1], lengths[-1] // 2 + 1)
    given = aval.shape[aval.ndim - len(lengths) :]
    if given != sizes or math.prod(sizes) == 0:
        raise ShapeError(f"lax.fft: {kind.value} of lengths {lengths} of {aval}{where_am_i()}")
    return _fft(x, kind.value, lengths)
