"""Kernels of primitives that write their own loops: which loops have lanes, which run apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.executable import compile_jaxpr
from fxla.compile.program import Launch
from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof


def launches(function: Any, *xs: Any) -> list[Launch]:
    program = compile_jaxpr(trace_to_jaxpr(lambda *a: [function(*a)], [*map(typeof, xs)]).jaxpr)
    return [i for i in program.program.body if isinstance(i, Launch)]


@pytest.mark.parametrize("columns", [3, 300, 511, 512, 1000])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums_of_columns(columns: int, reverse: bool) -> None:
    """Many columns are cut into blocks, which run in parallel; the last one is not full."""
    x = np.random.default_rng(0).standard_normal((30, columns))
    step = -1 if reverse else 1

    def function(x: Any) -> Any:
        return fnp.cumsum(x[::step], 0)[::step]

    (launch,) = launches(lambda x: fnp.cumsum(x, 0), x)
    assert launch.count == (-(-columns // 256) if columns >= 512 else columns if columns < 9 else 0)
    want = np.cumsum(x[::step], 0)[::step]
    np.testing.assert_allclose(fxla.jit(function)(x), want, rtol=1e-12, atol=1e-12)


def test_scratch_is_memory_of_the_program() -> None:
    (launch,) = launches(fnp.argsort, np.ones((3, 40)))
    assert len(launch.args) == launch.n_outputs + 1
    assert launch.args[-1].buffer.role == "temporary"


@pytest.mark.parametrize("columns", [2, 3, 8])
@pytest.mark.parametrize("target", ["native", "numba"])
def test_short_rows_are_reduced_in_lanes_by_all_cores(
    columns: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written out, so that ranges of them run in parallel; the last one is not full."""
    monkeypatch.setenv("FXLA_TARGET", target)
    x = np.random.default_rng(0).standard_normal((100_001, columns))
    (launch,) = launches(lambda x: (x * x).sum(1), x)
    assert launch.count == 100_001
    assert 0 < launch.grain < 100_001
    np.testing.assert_allclose(fxla.jit(lambda x: (x * x).sum(1))(x), (x * x).sum(1), rtol=1e-13)


@pytest.mark.parametrize("target", ["native", "numba"])
def test_searches_for_what_is_computed_run_in_lanes(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in resampling: where a search looks depends on no index, whatever it looks for."""
    monkeypatch.setenv("FXLA_TARGET", target)
    c = np.cumsum(np.random.default_rng(0).random(3000))

    def f(c: Any) -> Any:
        return fnp.searchsorted(c, (fnp.arange(3000) + 0.5) / 3000 * c[-1])

    np.testing.assert_array_equal(
        fxla.jit(f)(c), np.searchsorted(c, (np.arange(3000) + 0.5) / 3000 * c[-1])
    )
    text = fxla.jit(f).inspect(c).loops
    assert "[vector]" in text[text.index("kernel searchsorted") :]
