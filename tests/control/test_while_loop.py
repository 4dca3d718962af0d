"""Conditional loops: values, forward derivatives, and batches whose examples stop apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.errors import NotDifferentiableError


def collatz(n: Any) -> Any:
    def step(c: Any) -> Any:
        n, steps = c
        return fnp.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1

    return lax.while_loop(lambda c: c[0] != 1, step, (n, 0))[1]


def python_collatz(n: int) -> int:
    steps = 0
    while n != 1:
        n, steps = (n // 2 if n % 2 == 0 else 3 * n + 1), steps + 1
    return steps


@pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])
def test_is_a_loop(wrap: Any) -> None:
    for n in (1, 2, 7, 27):
        assert int(wrap(collatz)(np.int64(n))) == python_collatz(n)


def test_examples_stop_at_different_times() -> None:
    """The odd one out must keep its carry, also if the body would make it NaN."""
    n = np.arange(1, 20)
    want = [python_collatz(int(k)) for k in n]
    np.testing.assert_array_equal(fxla.vmap(collatz)(n), want)
    np.testing.assert_array_equal(fxla.jit(fxla.vmap(collatz))(n), want)
    got = fxla.vmap(lambda x: lax.while_loop(lambda c: c > 1, lambda c: fnp.log(c), x))(
        np.array([0.5, 3.0, 100.0, 1.0])
    )
    want = [0.5, np.log(3.0), np.log(np.log(100.0)), 1.0]
    want[1] = np.log(3.0) if np.log(3.0) <= 1 else np.log(np.log(3.0))
    x = np.log(100.0)
    while x > 1:
        x = np.log(x)
    want[2] = x
    np.testing.assert_allclose(got, want)


def test_a_bound_that_is_batched_batches_the_carry() -> None:
    got = fxla.vmap(lambda n: lax.while_loop(lambda c: c < n, lambda c: c + 2, 0))(np.arange(5))
    np.testing.assert_array_equal(got, [0, 2, 2, 4, 4])
    assert got.dtype == np.int64


def test_an_unbatched_condition_keeps_the_loop() -> None:
    f = fxla.vmap(
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))[1]
    )
    np.testing.assert_array_equal(f(np.arange(4.0)), np.arange(4.0) ** 3)
    inner = str(fxla.make_jaxpr(f)(np.arange(4.0)))
    assert "reduce_or" not in inner  # all examples stop together


def test_closed_over_values_are_traced() -> None:
    def f(a: Any, b: Any) -> Any:
        return lax.while_loop(lambda c: c < a, lambda c: c * b, 1.0)

    for wrap in (lambda f: f, fxla.jit):
        assert float(wrap(f)(50.0, 2.0)) == 64.0
    np.testing.assert_array_equal(fxla.vmap(f, (0, None))(np.array([3.0, 50.0]), 2.0), [4.0, 64.0])
    np.testing.assert_array_equal(
        fxla.vmap(fxla.vmap(f, (0, None)), (None, 0))(np.array([3.0, 50.0]), np.array([2.0, 3.0])),
        [[4.0, 64.0], [3.0, 81.0]],
    )


def test_forward_derivatives() -> None:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda c: c[0] < 4, lambda c: (c[0] + 1, fnp.sin(c[1]) * x), (0, x))[
            1
        ]

    def python(x: Any) -> Any:
        y = x
        for _ in range(4):
            y = fnp.sin(y) * x
        return y

    for wrap in (lambda f: f, fxla.jit):
        got = fxla.jvp(wrap(f), (0.7,), (1.0,))
        want = fxla.jvp(python, (0.7,), (1.0,))
        np.testing.assert_allclose(got, want, rtol=1e-14)
    second = fxla.jacfwd(fxla.jacfwd(f))(0.7)
    np.testing.assert_allclose(second, fxla.grad(fxla.grad(python))(0.7), rtol=1e-12)


def test_reverse_mode_is_refused_with_a_remedy() -> None:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda c: c < 10.0, lambda c: c * x, x)

    with pytest.raises(NotDifferentiableError, match=r"otherwise lax\.scan"):
        fxla.grad(f)(2.0)


def test_reverse_mode_beside_a_loop_that_is_known() -> None:
    """A loop over values that do not depend on the input is computed, not differentiated."""

    def f(x: Any) -> Any:
        n = lax.while_loop(lambda c: c < 10, lambda c: c * 2, 1)
        known, used = lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1]), (0, x))
        return x * n + lax.stop_gradient(used) * known

    assert float(fxla.grad(f)(2.0)) == 16.0
    assert float(fxla.jit(fxla.grad(f))(2.0)) == 16.0


def test_types_are_checked() -> None:
    with pytest.raises(TypeError, match="boolean scalar"):
        lax.while_loop(lambda c: c, lambda c: c, 1)
    with pytest.raises(TypeError, match="boolean scalar"):
        lax.while_loop(lambda c: c < 1, lambda c: c, np.ones(3))
    with pytest.raises(TypeError, match=r"i32\[\] became i64\[\]"):
        lax.while_loop(lambda c: c < 1, lambda c: c + np.int64(1), np.int32(0))
    with pytest.raises(TypeError, match="structure"):
        lax.while_loop(lambda c: c < 1, lambda c: (c, c), 0)


def test_a_loop_in_a_loop() -> None:
    @fxla.jit
    def triangle(n: Any) -> Any:
        def outer(c: Any) -> Any:
            i, total = c
            inner = lax.while_loop(lambda d: d[0] < i, lambda d: (d[0] + 1, d[1] + d[0]), (0, 0))
            return i + 1, total + inner[1]

        return lax.while_loop(lambda c: c[0] < n, outer, (0, 0))[1]

    assert int(triangle(6)) == sum(sum(range(i)) for i in range(6))
    got = fxla.vmap(triangle)(np.arange(7))
    np.testing.assert_array_equal(got, [sum(sum(range(i)) for i in range(n)) for n in range(7)])
