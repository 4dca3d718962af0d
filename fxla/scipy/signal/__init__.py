"""Signals: the module ``fxla.scipy.signal``: convolutions, filters, spectra and windows."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.signal.convolution import (
    convolve,
    convolve2d,
    correlate,
    correlate2d,
    fftconvolve,
    oaconvolve,
)
from fxla.scipy.signal.filters import (
    detrend,
    filtfilt,
    lfilter,
    lfilter_zi,
    sosfilt,
)
from fxla.scipy.signal.spectra import (
    csd,
    get_window,
    hilbert,
    istft,
    periodogram,
    stft,
    welch,
)

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "filtfilt",
    "get_window",
    "hilbert",
    "istft",
    "lfilter",
    "lfilter_zi",
    "oaconvolve",
    "periodogram",
    "sosfilt",
    "stft",
    "welch",
]


def __dir__() -> list[str]:
    return _public_names(globals())
