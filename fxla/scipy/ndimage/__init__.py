"""Filters and interpolation of images of any rank: the module ``fxla.scipy.ndimage``."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.ndimage.correlation import convolve, convolve1d, correlate, correlate1d
from fxla.scipy.ndimage.interpolation import map_coordinates
from fxla.scipy.ndimage.smoothing import (
    gaussian_filter,
    gaussian_filter1d,
    laplace,
    prewitt,
    sobel,
    uniform_filter,
    uniform_filter1d,
)

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "laplace",
    "map_coordinates",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]


def __dir__() -> list[str]:
    return _public_names(globals())
