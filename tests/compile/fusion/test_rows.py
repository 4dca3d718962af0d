"""Values kept for a row: where they wait, and that the results are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.fusion.rows import ROW_BYTES
from fxla.loops.ir import Alloc, Kernel, walk_stmts

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 300))


def softmax(x: Any) -> Any:
    e = fnp.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def expected_softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def kernels_of(f: Any, *args: Any) -> list[Kernel]:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr).kernels()


def scratch(kernel: Kernel) -> list[Any]:
    return [s.buffer.shape for s in walk_stmts(kernel.body) if isinstance(s, Alloc)]


def test_exponentials_wait_where_the_result_will_stand() -> None:
    (kernel,) = kernels_of(softmax, X)
    assert len(kernel.outputs) == 1
    assert str(kernel).count("exp(") == 1
    assert not scratch(kernel)
    np.testing.assert_allclose(fxla.jit(softmax)(X), expected_softmax(X), rtol=1e-14)


def test_what_no_result_has_room_for_waits_in_scratch_memory() -> None:
    def f(x: Any) -> Any:
        e = fnp.exp(x)
        return (e / e.sum(-1, keepdims=True)).astype(np.float32)

    (kernel,) = kernels_of(f, X)
    assert str(kernel).count("exp(") == 1
    ((n,),) = scratch(kernel)
    assert n.value == ROW_BYTES // 8
    e = np.exp(X)
    np.testing.assert_allclose(fxla.jit(f)(X), e / e.sum(-1, keepdims=True), rtol=1e-6)


def test_rows_up_to_a_size_share_a_kernel() -> None:
    def f(x: Any) -> Any:
        e = fnp.exp(x)
        return (e / e.sum(-1, keepdims=True)).max(-1)

    short, long = (kernels_of(f, RNG.standard_normal((5, n))) for n in (200, 900))
    assert [str(k) for k in short] == [str(k) for k in long]


def test_long_rows_are_computed_right() -> None:
    def f(x: Any) -> Any:
        e = fnp.exp(x - x.max(-1, keepdims=True))
        return (e / e.sum(-1, keepdims=True)).astype(np.float32)

    x = RNG.standard_normal((3, ROW_BYTES))
    np.testing.assert_allclose(fxla.jit(f)(x), expected_softmax(x), rtol=2e-6)


def test_a_row_read_backwards_does_not_share_the_place_of_the_result() -> None:
    def f(x: Any) -> Any:
        e = fnp.exp(x)
        return e[:, ::-1] * e.sum(-1, keepdims=True) + e

    e = np.exp(X)
    np.testing.assert_allclose(
        fxla.jit(f)(X), e[:, ::-1] * e.sum(-1, keepdims=True) + e, rtol=1e-13
    )


def test_two_results_and_a_later_reader() -> None:
    """The place of the first result is not taken while the second still reads the row."""

    def f(np: Any, x: Any) -> Any:
        e = np.exp(x)
        s = e.sum(-1, keepdims=True)
        first = np.sin(e / s)
        second = np.cos(e - s / 1000)
        third = first.sum(-1, keepdims=True) * e
        return first, second, third

    for a, b in zip(fxla.jit(lambda x: f(fnp, x))(X), f(np, X), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("shape", [(4, 10, 30), (2, 3, 4, 5), (1, 7, 9), (3, 1, 8), (6, 5, 1)])
def test_rows_of_two_axes(shape: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape)

    def f(np: Any, x: Any) -> Any:
        e = np.exp(x - x.max((-2, -1), keepdims=True))
        return e / e.sum((-2, -1), keepdims=True)

    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-13)


def test_gradients_of_rows() -> None:
    w = RNG.standard_normal(X.shape)
    got = fxla.jit(fxla.grad(lambda x: fnp.sum(softmax(x) * w)))(X)
    p = expected_softmax(X)
    np.testing.assert_allclose(got, p * (w - (p * w).sum(-1, keepdims=True)), atol=1e-15)
