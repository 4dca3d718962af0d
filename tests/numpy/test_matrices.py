"""Triangles, diagonals and grids: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla.numpy as fnp
from tests.numpy.cases import A, V, check_case, replay

CASES = [
    ("tri", (3,)), ("tri", (2, 3, 1, int)), ("tril", (A,)), ("tril", (A, -1)), ("triu", (A, 1)),
    ("triu", (V,)), ("diag", (V,)), ("diag", (V, 2)), ("diag", (V, -1)), ("diag", (A, 1)),
    ("diag", (A, -5)), ("diagflat", (A, 1)), ("vander", (V,)), ("vander", (V, 2, True)),
    ("vander", (A[0], 4)), ("meshgrid", (V, A[0])), ("meshgrid", (V, A[0]), {"indexing": "ij"}),
    ("meshgrid", (V, A[0], V), {"sparse": True}), ("meshgrid", (V,)), ("indices", ((2, 3),)),
    ("indices", ((2, 3),), {"sparse": True}), ("fromfunction", (lambda i, j: i * j, (2, 3))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)


def test_joining_by_indexing():
    x, y = A[0], A[1]
    for f in [
        lambda x, y, m: m.r_[x, 1, y],
        lambda x, y, m: m.c_[x, y],
        lambda x, y, m: m.r_[0:3, x],
        lambda x, y, m: m.c_[x, np.ones((3, 2))],
    ]:
        np.testing.assert_array_equal(replay(lambda x, y, f=f: f(x, y, fnp), x, y)[0], f(x, y, np))
