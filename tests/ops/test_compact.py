"""Elements brought together in front, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla.errors import DtypeError, ShapeError
from fxla.ops.compact import compact


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n", "m"), [(10_001, 10_001), (5000, 100), (100, 5000)])
def test_the_chosen_come_first_and_the_rest_stays(n: int, m: int, share: float) -> None:
    rng = np.random.default_rng(n)
    x, rest, mask = rng.normal(size=n), rng.normal(size=m), rng.uniform(size=n) < share
    chosen = x[mask][:m]
    want = np.concatenate([chosen, rest[chosen.size :]])
    np.testing.assert_array_equal(fxla.jit(compact)(rest, mask, x), want)


def test_elements_that_do_not_fit_have_no_derivative() -> None:
    x, mask = np.arange(4.0), np.array([True, False, True, True])
    rest = np.zeros(2)
    got = fxla.grad(lambda x: (compact(rest, mask, x) * np.array([5.0, 7.0])).sum())(x)
    np.testing.assert_array_equal(got, [5.0, 0.0, 7.0, 0.0])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="shapes do not fit"):
        fxla.make_jaxpr(compact)(np.zeros(3), np.ones(4, bool), np.zeros(5))
    with pytest.raises(DtypeError, match="dtypes do not fit"):
        fxla.make_jaxpr(compact)(np.zeros(3), np.ones(3, int), np.zeros(3))
