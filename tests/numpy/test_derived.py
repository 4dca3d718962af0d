"""Parts, decimals, closeness: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.numpy.cases import SPECIAL, A, V, Z, check_case

CASES = [
    *[(n, (x,)) for n in ("real", "imag", "angle", "iscomplex", "isreal") for x in (A, Z, V)],
    ("angle", (Z, True)), *[("round", (A * 3.7, d)) for d in (0, 1, 3, -1)],
    ("round", (V * 17, -1)), ("round", (V, 2)), ("round", (Z, 1)), ("around", (A.astype("f4"), 1)),
    ("fix", (A,)), ("fix", (V,)), ("isposinf", (SPECIAL,)), ("isneginf", (SPECIAL,)),
    ("isposinf", (V,)), ("nan_to_num", (SPECIAL,)),
    ("nan_to_num", (SPECIAL.astype("f4"), True, 5.0)),
    ("nan_to_num", (SPECIAL, True, 1.0, 2.0, 3.0)), ("nan_to_num", (SPECIAL.astype(complex),)),
    ("nan_to_num", (V,)),
    *[("isclose", (SPECIAL, SPECIAL * s), {"equal_nan": e}) for s in (1, 1 + 1e-9, 2)
      for e in (False, True)],
    ("isclose", (V, V + 1e-9)), ("isclose", (Z, Z + 1e-9j)), ("allclose", (A, A + 1e-10)),
    ("allclose", (A, A + 1.0)), ("array_equal", (A, A)), ("array_equal", (A, -A)),
    ("array_equal", (SPECIAL, SPECIAL, True)), ("array_equiv", (np.ones(3), np.ones((2, 3)))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)
