"""Greatest common divisors at the ends of each type."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8", "u8"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_extreme_numbers(dtype: str) -> None:
    info = np.iinfo(dtype)
    some = [info.min, info.min + 1, 0, 1, 6, 12, info.max, info.max - 1]
    x, y = (a.ravel() for a in np.meshgrid(np.array(some, dtype), np.array(some, dtype)))
    np.testing.assert_array_equal(fxla.jit(fnp.gcd)(x, y), np.gcd(x, y))


def test_a_program_is_short() -> None:
    """Euclid's steps are a loop, not written out."""
    jaxpr = fxla.make_jaxpr(fnp.gcd)(np.arange(3), np.arange(3))
    assert len(jaxpr.eqns) <= 3
