"""Integrals and differential equations: the module ``fxla.scipy.integrate``."""

from fxla.core.deferred import public_names as _public_names
from fxla.scipy.integrate.ode import odeint
from fxla.scipy.integrate.sampled import (
    cumulative_trapezoid,
    fixed_quad,
    quad,
    simpson,
    trapezoid,
)

__all__ = ["cumulative_trapezoid", "fixed_quad", "odeint", "quad", "simpson", "trapezoid"]


def __dir__() -> list[str]:
    return _public_names(globals())
