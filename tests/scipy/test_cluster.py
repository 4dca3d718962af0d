"""Vector quantisation beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.cluster.vq as sv

import fxla
from fxla.scipy.cluster import vq

RNG = np.random.default_rng(1)


def test_nearest_codes():
    points, codes = RNG.standard_normal((30, 3)), RNG.standard_normal((5, 3))
    for x, c in ((points, codes), (points[:, 0], codes[:, 0])):
        for f in (vq.vq, fxla.jit(vq.vq)):
            code, distance = f(x, c)
            expected = sv.vq(x, c)
            np.testing.assert_array_equal(code, expected[0])
            np.testing.assert_allclose(distance, expected[1])
    np.testing.assert_allclose(vq.whiten(points), sv.whiten(points))
    with pytest.raises(ValueError, match="rank"):
        vq.vq(points, codes[:, 0])
