"""Reading and writing at positions: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.cases import A, check_case, replay

CASES = [
    ("take", (A, np.array([0, -1, 3]))), ("take", (A, np.array([[0, 1], [2, -3]]), 1)),
    ("take", (A, 1, 0)), ("take", (A, np.array([0, 5]), 1), {"mode": "wrap"}),
    ("take", (A, np.array([-1, 5]), 1), {"mode": "clip"}),
    ("take_along_axis", (A, np.array([[0, 2], [1, -1]]), 1)),
    ("take_along_axis", (A, np.array([[0, 1, 1]]), 0)),
    ("take_along_axis", (A, np.array([0, 5, 1]), None)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)


def test_written_copies():
    i, v = np.array([[1], [2]]), np.array([[10.0], [20.0]])
    for name, args in [("put_along_axis", (A, i, v, 1)), ("put", (A, [0, -1], [7.0, 8.0])),
                       ("put", (A, [0, 1, 2], [7.0, 8.0])), ("fill_diagonal", (A, 5.0)),
                       ("fill_diagonal", (np.zeros((5, 2)), 5.0, True)),
                       ("fill_diagonal", (np.zeros((2, 2, 2)), 5.0))]:  # fmt: skip
        want = args[0].copy()
        getattr(np, name)(want, *args[1:])
        (got,) = replay(
            lambda x, n=name, r=args[1:]: getattr(fnp, n)(x, *r, inplace=False), args[0]
        )
        np.testing.assert_array_equal(got, want)
        mine = args[0].copy()
        assert getattr(fnp, name)(mine, *args[1:]) is None
        np.testing.assert_array_equal(mine, want)
        with pytest.raises(TypeError, match="inplace=False"):
            replay(lambda x, n=name, r=args[1:]: getattr(fnp, n)(x, *r), args[0])
