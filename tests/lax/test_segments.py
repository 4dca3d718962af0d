"""Segments against a Python loop."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
from fxla import lax

DATA = np.random.default_rng(0).standard_normal((6, 2))
IDS = np.array([2, 0, 2, 4, 0, 2])
CASES = {"sum": (np.add, 0.0), "prod": (np.multiply, 1.0), "max": (np.maximum, -np.inf),
         "min": (np.minimum, np.inf)}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_segments(name):
    combine, identity = CASES[name]
    want = np.full((5, 2), identity)
    for i, row in zip(IDS, DATA, strict=True):
        want[i] = combine(want[i], row)
    f = getattr(lax, f"segment_{name}")
    np.testing.assert_allclose(f(DATA, IDS), want)
    np.testing.assert_allclose(fxla.jit(lambda x, i: f(x, i, num_segments=4))(DATA, IDS), want[:4])


def test_what_must_be_known():
    with pytest.raises(TypeError, match="num_segments="):
        fxla.jit(lax.segment_sum)(DATA, IDS)
    with pytest.raises(TypeError, match="must be integers"):
        lax.segment_sum(DATA, IDS * 1.0)
