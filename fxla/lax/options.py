"""Options of operations, as enumerations."""

from __future__ import annotations

import enum

__all__ = ["FftType", "Precision", "RoundingMethod"]


class Precision(enum.Enum):
    """Precision of products, as JAX names it. fxla computes in full precision in any case.

    Example:
        >>> from fxla import lax
        >>> lax.Precision("highest") is lax.Precision.HIGHEST
        True
    """

    DEFAULT = "default"
    HIGH = "high"
    HIGHEST = "highest"


class RoundingMethod(enum.IntEnum):
    """What `round` does with numbers halfway between two integers.

    Example:
        >>> from fxla import lax
        >>> lax.round(0.5, lax.RoundingMethod.TO_NEAREST_EVEN)
        Array(0.)
    """

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


class FftType(enum.Enum):
    """Kinds of Fourier transforms: of complex or real (R) numbers, and their inverses (I).

    Example:
        >>> from fxla import lax
        >>> lax.FftType("FFT")
        <FftType.FFT: 'FFT'>
    """

    FFT = "FFT"
    IFFT = "IFFT"
    RFFT = "RFFT"
    IRFFT = "IRFFT"
