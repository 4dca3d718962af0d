"""Positions of triangles and diagonals, open grids and flat positions: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.numpy.cases import A, check_case

CASES = [
    ("ix_", (np.array([0, 1]), np.array([2, 0]))),
    ("unravel_index", (np.array([0, 5, 23]), (2, 3, 4))),
    ("ravel_multi_index", ((np.array([0, 1]), np.array([2, 1])), (2, 3))),
    ("ravel_multi_index", ((np.array([0, 4]), np.array([2, -1])), (2, 3)), {"mode": "wrap"}),
    ("tril_indices_from", (A,)), ("diag_indices_from", (A[:, :2],)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)
