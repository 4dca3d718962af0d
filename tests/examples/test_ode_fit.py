from __future__ import annotations

import numpy as np
import scipy.integrate

from examples import ode_fit


def test_finds_the_published_parameters() -> None:
    figures = ode_fit.main(["--quiet"])
    assert figures["last"] < 0.05 < figures["first"]
    assert figures["slope"] < 1e-2
    np.testing.assert_allclose(figures["fitted"], ode_fit.PUBLISHED, rtol=0.06)


def test_solver_agrees_with_scipy() -> None:
    a, b, c, d, u, v = ode_fit.PUBLISHED
    exact = scipy.integrate.solve_ivp(
        lambda _, p: [(a - b * p[1]) * p[0], (d * p[0] - c) * p[1]],
        (0, 20),
        [u, v],
        t_eval=np.arange(21),
        rtol=1e-10,
        atol=1e-10,
    )
    np.testing.assert_allclose(ode_fit.populations(ode_fit.PUBLISHED), exact.y.T, rtol=1e-3)
