"""Elements brought together in front, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla.errors import DtypeError, ShapeError
from fxla.ops import compact as compacting
from fxla.ops.compact import compact
from tests.ops.interpret import check_lower


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n", "m"), [(10_001, 10_001), (5000, 100), (100, 5000)])
def test_the_chosen_come_first_and_the_rest_stays(n: int, m: int, share: float) -> None:
    rng = np.random.default_rng(n)
    x, rest, mask = rng.normal(size=n), rng.normal(size=m), rng.uniform(size=n) < share
    chosen = x[mask][:m]
    want = np.concatenate([chosen, rest[chosen.size :]])
    np.testing.assert_array_equal(fxla.jit(compact)(rest, mask, x), want)


@pytest.mark.parametrize("n", [compacting.LONG, compacting.LONG + 777])
@pytest.mark.parametrize("m", [5, 20_000, compacting.LONG + 777])
def test_a_long_vector_in_blocks(n: int, m: int) -> None:
    rng = np.random.default_rng(m)
    x, rest = rng.normal(size=n), rng.normal(size=m)
    compacts = fxla.jit(compact)
    empty = np.zeros(n, bool)
    one_block = empty.copy()
    one_block[3 * compacting.BLOCK : 4 * compacting.BLOCK] = True
    last = empty.copy()
    last[-1] = True
    for mask in (rng.uniform(size=n) < 0.4, empty, ~empty, one_block, last):
        chosen = x[mask][:m]
        want = np.concatenate([chosen, rest[chosen.size :]])
        np.testing.assert_array_equal(compacts(rest, mask, x), want)


@pytest.mark.parametrize("m", [7, 40, 100])
def test_blocks_do_not_depend_on_each_other(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter runs them backwards."""
    monkeypatch.setattr(compacting, "BLOCK", 8)
    monkeypatch.setattr(compacting, "LONG", 16)
    rng = np.random.default_rng(m)
    mask, x, rest = rng.uniform(size=61) < 0.5, rng.normal(size=61), rng.normal(size=m)
    check_lower(compacting.compact_p, rest, mask, x)


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


def test_a_million_elements_are_taken_by_blocks() -> None:
    """So many blocks that they would fit lanes side by side, but each ends where it wants."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1_000_000)
    mask = rng.uniform(size=x.size) < 0.5
    got = fxla.jit(lambda r, b, a: compact(r, b, a))(np.zeros(x.size), mask, x)
    np.testing.assert_array_equal(got, np.pad(x[mask], (0, x.size - int(mask.sum()))))
