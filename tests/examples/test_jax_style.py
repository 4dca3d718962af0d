from __future__ import annotations

import numpy as np

from examples import jax_style


def test_slopes_are_sums_of_cosines() -> None:
    figures = jax_style.main()
    k = np.arange(1, jax_style.TERMS + 1)

    def slope(x: float) -> float:
        return float(np.cos(k * x).sum())

    assert abs(figures["slope"] - slope(1.0)) < 1e-12
    assert abs(figures["bend"] + (k * np.sin(k)).sum()) < 1e-11
    np.testing.assert_allclose(figures["slopes"], [slope(x) for x in figures["points"]], rtol=1e-11)
