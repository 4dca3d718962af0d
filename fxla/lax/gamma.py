"""The derivative of gamma numbers in their shape parameter."""

from __future__ import annotations

from typing import Any

from fxla.lax.elementwise import matched
from fxla.ops.arithmetic import mul
from fxla.ops.sampling import gamma_log_derivative
from fxla.ops.transcendental import log

__all__ = ["random_gamma_grad"]


def random_gamma_grad(a: Any, x: Any) -> Any:
    """How a gamma number x moves with its shape parameter a, at a fixed quantile: dx/da.

    With P(a, x) the distribution function, ``-(dP/da) / (dP/dx)``, elementwise. It has no further
    derivative.

    Args:
        a: positive.
        x: positive, of the same type.

    Example:
        >>> import fxla.numpy as fnp
        >>> from fxla import lax
        >>> lax.random_gamma_grad(fnp.array([1.0]), fnp.array([1.0]))
        Array([1.17356303])
    """
    a, x = matched(a, x)
    return mul(x, gamma_log_derivative(a, log(x)))
