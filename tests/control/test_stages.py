"""Traced, lowered and compiled ahead of time."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp

X = np.array([0.1, -0.4, 2.0])


def test_stages_ahead_of_time() -> None:
    f = fxla.jit(lambda x: fnp.exp(x).sum())
    assert "exp" in str(f.trace(X).jaxpr)
    compiled = f.lower(X).compile()
    np.testing.assert_allclose(compiled(X), np.exp(X).sum(), rtol=1e-14)
    with pytest.raises(TypeError, match="was compiled for"):
        compiled(np.ones(7))


def test_compiled_ahead_of_time_is_for_its_types_only() -> None:
    jitted = fxla.jit(lambda x, n: {"y": x * n}, static_argnums=1)
    lowered = jitted.lower(fxla.ShapeDtypeStruct((3,), np.float32), 2)
    compiled = lowered.compile()
    np.testing.assert_array_equal(compiled(np.ones(3, np.float32))["y"], [2, 2, 2])
    for wrong in (np.ones(4, np.float32), np.ones(3), np.ones((3, 1), np.float32)):
        with pytest.raises(TypeError, match=r"compiled for \(f32\[3\]\)"):
            compiled(wrong)
    assert "kernel mul" in lowered.as_text()
    assert jitted.eval_shape(np.ones(3), 2)["y"].shape == (3,)
    traced = jitted.trace(np.ones(3), 2)
    assert traced.out_info["y"].dtype == np.float64
    assert "mul" in str(traced.jaxpr)
