"""Interpolation: the module ``fxla.scipy.interpolate``."""

from fxla.scipy.interpolate.grids import RegularGridInterpolator
from fxla.scipy.interpolate.splines import CubicSpline, interp1d

__all__ = ["CubicSpline", "RegularGridInterpolator", "interp1d"]
