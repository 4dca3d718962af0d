"""Random programs of many sizes: NumPy = eager = native = numba, and compiled gradients = eager."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from tests.random_programs.named_axes import NamedProgram, named_programs, run, step

TOLERANCE = {"float64": 1e-6, "float32": 2e-2}
"""Of the largest element. What is looked for are wrong elements; some programs are ill conditioned,
as a sine of sums of products, and how exact an operation is stands in the laws."""
few = hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def agree(actual: Any, expected: Any, dtype: str) -> None:
    for a, e in zip(actual, expected, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape
        bound = TOLERANCE[dtype] * max(1.0, float(np.abs(e).max(initial=0.0)))
        np.testing.assert_allclose(a, e, rtol=0, atol=bound)


def loss_of(program: NamedProgram) -> Any:
    """A sum of all results with fixed weights, which are not the same for any two elements."""

    def loss(*xs: Any) -> Any:
        return sum((r * weights(r)).sum() for r in run(fnp, program, xs))

    def weights(r: Any) -> Any:
        return np.cos(np.arange(r.size) + 1.0).reshape(r.shape).astype(r.dtype)

    return loss


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@few
@hypothesis.given(program=named_programs())
def test_compiled_is_eager_is_numpy(dtype: str, program: NamedProgram) -> None:
    inputs = program.values(dtype)
    expected = run(np, program, program.values(dtype))
    agree(run(fnp, program, inputs), expected, dtype)
    found = fxla.jit(lambda *xs: run(fnp, program, xs))(*inputs)
    assert [f.dtype for f in found] == [dtype] * len(found)
    agree(found, expected, dtype)


@hypothesis.settings(few, max_examples=10)
@hypothesis.given(program=named_programs())
def test_numba_is_numpy(program: NamedProgram) -> None:
    inputs = program.values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FXLA_TARGET", "numba")
        found = fxla.jit(lambda *xs: run(fnp, program, xs))(*inputs)
    agree(found, run(np, program, inputs), "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@few
@hypothesis.given(program=named_programs())
def test_gradients(dtype: str, program: NamedProgram) -> None:
    """Compiled in either dtype as eager in float64."""
    argnums = tuple(range(len(program.operands)))
    loss = loss_of(program)
    eager = fxla.grad(loss, argnums)(*program.values())
    compiled = fxla.jit(fxla.grad(loss, argnums))(*program.values(dtype))
    agree(compiled, eager, dtype)


@few
@hypothesis.given(program=named_programs())
def test_a_batch_is_a_loop(program: NamedProgram) -> None:
    examples = [program.values(seed=s) for s in range(3)]
    stacked = [np.stack(xs) for xs in zip(*examples, strict=True)]
    found = fxla.jit(fxla.vmap(lambda *xs: run(fnp, program, xs)))(*stacked)
    expected = zip(*[run(np, program, xs) for xs in examples], strict=True)
    agree(found, [np.stack(e) for e in expected], "float64")


@few
@hypothesis.given(program=named_programs())
def test_second_derivatives(program: NamedProgram) -> None:
    """The derivative of the gradient along a direction, compiled as eager."""
    inputs, direction = program.values(), program.values(seed=1)
    gradient = fxla.grad(loss_of(program), tuple(range(len(inputs))))

    def along(*xs: Any) -> Any:
        return fxla.jvp(gradient, xs, direction)[1]

    agree(fxla.jit(along)(*inputs), along(*inputs), "float64")


@few
@hypothesis.given(program=named_programs())
def test_a_scan_is_a_loop(program: NamedProgram) -> None:
    """Results and gradients of a program that is the step of a scan."""

    def scanned(state: Any, *rest: Any) -> Any:
        return fxla.lax.scan(lambda s, _: step(fnp, program, (s, *rest)), state, length=3)

    def looped(state: Any, *rest: Any) -> Any:
        rows = []
        for _ in range(3):
            state, row = step(fnp, program, (state, *rest))
            rows.append(row)
        return state, fnp.stack(rows)

    def loss(f: Any, *xs: Any) -> Any:
        state, rows = f(*xs)
        return (state * state).sum() + fnp.sin(rows).sum()

    inputs = program.values()
    argnums = tuple(range(1, len(inputs) + 1))
    agree(fxla.jit(scanned)(*inputs), looped(*inputs), "float64")
    compiled = fxla.jit(fxla.grad(loss, argnums), static_argnums=0)(scanned, *inputs)
    agree(compiled, fxla.grad(loss, argnums)(looped, *inputs), "float64")
