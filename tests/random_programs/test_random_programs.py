"""Random programs: NumPy = eager = native = numba, and gradients = differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.laws.differences import difference
from tests.laws.sample import assert_close
from tests.random_programs.strategy import RandomProgram, programs, run
from tests.temporaries import reused_temporaries

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
few = hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
fewer = hypothesis.settings(few, max_examples=10)


@pytest.fixture(autouse=True, scope="module")
def temporaries() -> Iterator[None]:
    with reused_temporaries():
        yield


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def agree(actual: Any, expected: Any, dtype: str) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert np.asarray(a).dtype == np.asarray(e).dtype
        assert_close(a, e, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@few
@hypothesis.given(program=programs())
def test_compiled_is_eager_is_numpy(dtype: str, program: RandomProgram) -> None:
    inputs = program.inputs(dtype)
    expected = run(np, program, inputs)
    agree(run(fnp, program, inputs), expected, dtype)
    agree(fxla.jit(lambda *xs: run(fnp, program, xs))(*inputs), expected, dtype)


@fewer
@hypothesis.given(program=programs())
def test_numba_is_numpy(program: RandomProgram) -> None:
    inputs = program.inputs()
    expected = run(np, program, inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FXLA_TARGET", "numba")
        agree(fxla.jit(lambda *xs: run(fnp, program, xs))(*inputs), expected, "float64")


@few
@hypothesis.given(program=programs())
def test_gradients_are_differences(program: RandomProgram) -> None:
    inputs = program.inputs()

    def loss(*xs: Any) -> Any:
        return run(fnp, program, xs)[1]

    argnums = tuple(range(len(inputs)))
    eager = fxla.grad(loss, argnums)(*inputs)
    compiled = fxla.jit(fxla.grad(loss, argnums))(*inputs)
    rng = np.random.default_rng(program.seed)
    tangents = [rng.uniform(-1.0, 1.0, np.shape(x)) for x in inputs]
    expected = difference(
        lambda *xs: (run(np, program, xs)[1],), inputs, argnums, tangents, step=2e-3
    )[0]
    along = sum(np.sum(g * t) for g, t in zip(eager, tangents, strict=True))
    assert_close(along, expected, 1e-7)
    for a, e in zip(compiled, eager, strict=True):
        assert_close(a, e, 1e-11)
    _, pushed = fxla.jvp(loss, inputs, tuple(tangents))
    assert_close(pushed, along, 1e-11)


@few
@hypothesis.given(program=programs())
def test_a_batch_is_a_loop(program: RandomProgram) -> None:
    examples = [program.inputs(), RandomProgram(program.shapes, program.steps, 1).inputs()]
    stacked = [np.stack(xs) for xs in zip(*examples, strict=True)]
    actual = fxla.vmap(lambda *xs: run(fnp, program, xs))(*stacked)
    expected = [run(np, program, xs) for xs in examples]
    for a, e in zip(actual, zip(*expected, strict=True), strict=True):
        assert_close(a, np.stack(e), 1e-12)
