"""The derivative of gamma quantiles by differences of SciPy's."""

from __future__ import annotations

import numpy as np
import scipy.special

from fxla import lax
from tests.lax.checks import agree


def test_derivative_of_the_quantile():
    a, x = np.array([0.3, 1.0, 5.0, 40.0]), np.array([0.5, 1.0, 3.0, 45.0])
    p, h = scipy.special.gammainc(a, x), 1e-5
    moved = [scipy.special.gammaincinv(a + s * h, p) for s in (1, -1)]
    agree(lax.random_gamma_grad, lambda a, x: (moved[0] - moved[1]) / (2 * h), a, x, rtol=1e-8)
