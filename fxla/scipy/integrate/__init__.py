"""Integrals and differential equations: the module ``fxla.scipy.integrate``."""

from fxla.scipy.integrate.ode import odeint
from fxla.scipy.integrate.sampled import (
    cumulative_trapezoid,
    fixed_quad,
    quad,
    simpson,
    trapezoid,
)

__all__ = ["cumulative_trapezoid", "fixed_quad", "odeint", "quad", "simpson", "trapezoid"]
