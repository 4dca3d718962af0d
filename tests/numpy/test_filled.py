"""Arrays by a shape: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.numpy.cases import A, V, check_case

CASES = [
    ("zeros", ((2, 3),)), ("zeros", (3, np.int8)), ("ones", ((),)), ("full", ((2,), 7)),
    ("full", (3, np.float32(2))), ("full", ((2, 3), A[0])), ("zeros_like", (A,)),
    ("ones_like", (V, np.float32)), ("full_like", (V, 2.7)), ("zeros_like", (A,), {"shape": (4,)}),
    ("eye", (3,)), ("eye", (2, 4, 1)), ("eye", (3, 2, -1, int)), ("identity", (2,)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)
