"""Interpolation: the module ``fxla.scipy.interpolate``."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.interpolate.grids import RegularGridInterpolator
from fxla.scipy.interpolate.splines import CubicSpline, interp1d

__all__ = ["CubicSpline", "RegularGridInterpolator", "interp1d"]


def __dir__() -> list[str]:
    return _public_names(globals())
