from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from bench.timeline import Stage, stages, stages_page, stages_table
from bench.workloads import TUNED
from fxla import lax
from fxla.compile.backend.compiled import target

pytestmark = pytest.mark.skipif(target() != "native", reason="numba's kernels are called directly")

X = np.random.default_rng(0).standard_normal((1000, 300)).astype("f4")


def test_kernels_in_order_and_how_they_are_shared() -> None:
    program = fxla.jit(lambda x: fnp.tanh(fnp.cumsum(fnp.sin(x), axis=1)) @ x.T)
    with fxla.threads(2):
        found, span = stages(program, (X,), calls=3)
    assert [s.runs for s in found] == [3] * len(found)
    lines = program.inspect(X).threads.splitlines()
    assert [s.name for s in found] == [line.partition(":")[0] for line in lines]
    assert all(f": {s.chunks} chunks" in line for s, line in zip(found, lines, strict=True))
    assert all(1 <= len(s.busy) <= 2 and 0 <= s.idle(2) < 1 for s in found)
    assert 0 < span < 10


def test_one_thread_leaves_another_idle() -> None:
    stage = Stage("sort", 1, 4, seconds=2.0, busy={7: 2.0})
    assert (stage.idle(1), stage.idle(2)) == (0.0, 0.5)
    assert Stage("shared", 8, 1, seconds=1.0, busy={7: 1.0, 8: 0.5}).idle(2) == 0.25


def test_every_step_of_a_loop_is_a_run() -> None:
    def f(x: object) -> object:
        return lax.scan(lambda c, r: (fnp.tanh(c @ c) + r, None), fnp.eye(64, dtype="f4"), x)[0]

    found, _ = stages(fxla.jit(f), (np.ones((9, 64), "f4"),), calls=2)
    assert 18 in [s.runs for s in found]


def test_a_program_runs_as_before_afterwards() -> None:
    program = fxla.jit(lambda x: fnp.sort(x * 2, axis=None))
    before = program(X)
    stages(program, (X,), calls=1)
    np.testing.assert_array_equal(program(X), before)
    np.testing.assert_array_equal(before, np.sort(X * 2, axis=None))


def test_calls_of_python_are_stages() -> None:
    a = np.random.default_rng(0).standard_normal((20, 20))
    found, _ = stages(fxla.jit(lambda a: fnp.linalg.eigvals(a) * 2.0), (a,), calls=1)
    assert "host call" in [s.name for s in found]


def test_a_page_says_what_is_lost() -> None:
    text = stages_table(fxla.jit(lambda x: fnp.exp(x).sum()), (X,), 1, calls=2)
    assert text.startswith("| stage | runs | chunks | time | of the call | threads idle | lost |")
    assert "with no thread idle, they would take" in text
    name = "softmax 10000x100"
    page = stages_page({name: TUNED[name].tiny(), "x": TUNED["eager tanh MLP, forward"]}, 1, 1)
    assert f"## {name}\n\n| stage |" in page
    assert "## x" not in page
