"""Choices between values: traced equals NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.numpy.cases import A, V, check_case

CASES = [
    ("where", (A > 0, A, 1)), ("where", (A[0] > 0, np.float32(1), V[:2, None])),
    ("where", (V, 1, 2.0)), ("where", (A > 0, np.int8(1), np.int8(2))),
    ("select", ([A > 1, A < 0], [A, A * 2], 7)), ("clip", (A, -1, 1)), ("clip", (A, None, 0.5)),
    ("clip", (V, 0, 2.5)), ("clip", (V, 0, 2)), ("clip", (A,), {"max": A[0]}), ("clip", (A, 2, 1)),
    ("clip", (V,)), ("choose", (np.array([0, 1, 0]), [A[0], A[1]])),
    ("choose", (np.array([0, 4, -1]), [A[0], A[1]]), {"mode": "wrap"}),
    ("choose", (np.array([0, 4, -1]), [A[0], A[1]]), {"mode": "clip"}),
    ("piecewise", (A, [A < 0, A >= 1], [lambda x: -x, lambda x: x**2, 7.0])),
    ("piecewise", (A, [A < 0], [1])),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_traced_equals_numpy(case):
    check_case(case)


@pytest.mark.parametrize(("limits", "remedy"), [((0,), "min=limit"), ((), "max=limit")])
def test_one_limit_by_position(limits: tuple[int, ...], remedy: str) -> None:
    given = {} if limits else {"a_max": 1}
    for clip in (np.clip, fxla.jit(lambda x: fnp.clip(x, *limits, **given))):
        with pytest.raises(TypeError, match="missing 1 required positional argument") as error:
            clip(A, *limits, **given) if clip is np.clip else clip(A)
    assert f"`np.clip(x, {remedy})`" in str(error.value)
