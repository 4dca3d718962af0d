"""What a person sees of a compiled function."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp


def test_every_stage_is_there() -> None:
    f = fxla.jit(lambda x, w: fnp.tanh(x @ w).sum(1))
    shown = f.inspect(np.ones((64, 64)), np.ones((64, 64)))
    assert "dot_general" in shown.jaxpr
    assert "stored" in shown.plan
    assert "kernel" in shown.loops
    assert "def " in shown.source
    assert "define i32 @program" in shown.driver
    assert ": native" in shown.targets
    for stage in ("jaxpr", "plan", "loops", "source", "targets"):
        assert f"--- {stage} ---\n{getattr(shown, stage)}" in str(shown)
    assert repr(shown) == str(shown)
    compile(shown.source, "kernel", "exec")  # Python that can be run


def test_types_are_enough() -> None:
    x = fxla.ShapeDtypeStruct((10**5, 10**5), np.float32)
    assert "kernel" in fxla.jit(lambda x: x.sum(1)).inspect(x).loops


def test_in_a_notebook() -> None:
    page = fxla.jit(lambda x: fnp.where(x < 1, x, 0)).inspect(np.ones(3))._repr_html_()
    assert page.count("<details") == 5
    assert "&lt;" in page
    assert " < " not in page


def test_the_other_target_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FXLA_TARGET", "numba")
    shown = fxla.jit(lambda x: x * 3 + 1).inspect(np.ones(77))
    assert "numba (FXLA_TARGET=numba)" in shown.targets
    monkeypatch.setenv("FXLA_TARGET", "gpu")
    with pytest.raises(ValueError, match="expected 'native' or 'numba'"):
        fxla.jit(lambda x: x * 5).inspect(np.ones(77))
