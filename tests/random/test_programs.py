"""Eager draws of many numbers are those of few, computed by a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import fxla
from fxla import random
from fxla.control.jit import JitFunction
from fxla.random import programs

DRAWS: list[Any] = [
    lambda k, s, d: random.normal(k, s, d),
    lambda k, s, d: random.truncated_normal(k, -0.5, 2.0, s, d),
    lambda k, s, d: random.uniform(k, s, d),
    lambda k, s, d: random.uniform(k, s, d, -1, np.arange(1.0, 3.0)),
    lambda k, s, d: random.normal(k, s, np.result_type(d, np.complex64)),
]


@pytest.mark.parametrize("draw", DRAWS, ids="normal truncated unit between complex".split())
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_draws_are_what_numpy_computes(
    draw: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, shape = random.key(3), (700, 2)
    few = draw(key, shape, dtype)
    monkeypatch.setattr(programs, "_LARGE", 1000)
    many = draw(key, shape, dtype)
    assert (type(many), many.dtype, many.shape) == (fxla.Array, few.dtype, few.shape)
    rounding = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(many, few, rtol=rounding, atol=rounding)


def test_only_large_eager_draws_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = JitFunction.__call__
    monkeypatch.setattr(
        JitFunction, "__call__", lambda self, *a, **k: calls.append(k) or run(self, *a, **k)
    )
    random.normal(random.key(0), (1000,))
    assert calls == []
    x = random.normal(random.key(0), (600, 500))
    assert [c["shape"] for c in calls] == [(600, 500)]
    assert st.kstest(np.ravel(x), "norm").pvalue > 1e-3
    fxla.make_jaxpr(lambda k: random.normal(k, (600, 500)))(random.key(0))
    assert len(calls) == 1
