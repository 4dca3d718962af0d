"""Branches: which one runs, closures of both, derivatives, and batches with and without choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

BOTH = pytest.mark.parametrize("wrap", [lambda f: f, fxla.jit], ids=["eager", "jit"])


@BOTH
def test_takes_one_branch(wrap: Any) -> None:
    f = wrap(lambda p, x: lax.cond(p, lambda x: x + 1.0, lambda x: -x, x))
    assert (float(f(True, 2.0)), float(f(False, 2.0))) == (3.0, -2.0)
    g = wrap(lambda n, x: lax.cond(n, fnp.sin, fnp.cos, x))  # a number is true if it is not zero
    np.testing.assert_allclose([g(3, 0.5), g(0, 0.5)], [np.sin(0.5), np.cos(0.5)], rtol=1e-15)


def test_only_the_chosen_branch_runs() -> None:
    """The other one is an endless loop."""
    endless = lambda x: lax.while_loop(lambda c: c > 0, lambda c: c + 0.0, x)  # noqa: E731
    f = fxla.jit(lambda p, x: lax.cond(p, endless, lambda x: x * 2, x))
    assert float(f(False, 1.0)) == 2.0


@BOTH
def test_switch_is_clamped(wrap: Any) -> None:
    branches = [lambda x: x, lambda x: x + 1.0, lambda x: x * 10.0]
    f = wrap(lambda i: lax.switch(i, branches, 3.0))
    assert [float(f(i)) for i in (-7, 0, 1, 2, 3, 100)] == [3.0, 3.0, 4.0, 30.0, 30.0, 30.0]
    np.testing.assert_array_equal(
        fxla.vmap(f)(np.array([-7, 0, 1, 2, 3])), [3.0, 3.0, 4.0, 30.0, 30.0]
    )
    assert float(wrap(lambda i: lax.switch(i, branches[:1], 3.0))(5)) == 3.0
    with pytest.raises(TypeError, match="integer scalar"):
        f(1.0)
    with pytest.raises(ValueError, match="at least one"):
        lax.switch(0, [])


@BOTH
def test_each_branch_closes_over_its_own_tracers(wrap: Any) -> None:
    def f(p: Any, a: Any, b: Any, c: Any) -> Any:
        return lax.cond(p, lambda x: a * x + c, lambda x: b - x * c, a + b)

    for p in (True, False):
        want = 2.0 * 5.0 + 7.0 if p else 3.0 - 5.0 * 7.0
        assert float(wrap(f)(p, 2.0, 3.0, 7.0)) == want
        got = wrap(fxla.grad(f, (1, 2, 3)))(p, 2.0, 3.0, 7.0)
        slopes = (2 * 2.0 + 3.0, 2.0, 1.0) if p else (-7.0, 1 - 7.0, -5.0)
        np.testing.assert_allclose(got, slopes)


def test_a_derivative_that_is_zero_in_one_branch() -> None:
    def f(p: Any, x: Any) -> Any:
        return lax.cond(p, lambda x: (x * x, 3.0), lambda x: (1.0, x * 2.0), x)

    for wrap in (lambda f: f, fxla.jit):
        for p, want in ((True, (4.0, 0.0)), (False, (0.0, 2.0))):
            got = wrap(fxla.jacrev(lambda x, p=p: f(p, x)))(2.0)
            assert tuple(map(float, got)) == want
            got = wrap(lambda x, p=p: fxla.jvp(lambda x: f(p, x), (x,), (1.0,)))(2.0)[1]
            assert tuple(map(float, got)) == want


@BOTH
def test_second_derivatives_with_residuals_of_different_types(wrap: Any) -> None:
    """What the backward branches need differs in shape and number."""

    def f(p: Any, x: Any) -> Any:
        return lax.cond(
            p, lambda x: fnp.sin(x) * fnp.exp(x), lambda x: fnp.outer(x, x * x).sum(0), x
        ).sum()

    x = np.array([0.3, 0.7, -0.2])
    for p in (True, False):

        def plain(x: Any, p: bool = p) -> Any:
            return (fnp.sin(x) * fnp.exp(x)).sum() if p else fnp.outer(x, x * x).sum()

        np.testing.assert_allclose(wrap(fxla.grad(f, 1))(p, x), fxla.grad(plain)(x), rtol=1e-12)
        got = wrap(fxla.hessian(f, 1))(p, x)
        np.testing.assert_allclose(got, fxla.hessian(plain)(x), rtol=1e-11, atol=1e-13)


def test_batches() -> None:
    ps, xs = np.array([True, False, True]), np.arange(3.0)

    def f(p: Any, x: Any) -> Any:
        return lax.cond(p, lambda x: (x + 1.0, 5), lambda x: (-x, 7), x)

    for wrap in (lambda f: f, fxla.jit):
        a, b = wrap(fxla.vmap(f))(ps, xs)
        np.testing.assert_array_equal(a, np.where(ps, xs + 1, -xs))
        np.testing.assert_array_equal(b, np.where(ps, 5, 7))
        a, b = wrap(fxla.vmap(f, (None, 0)))(False, xs)
        np.testing.assert_array_equal(a, -xs)
        np.testing.assert_array_equal(b, [7, 7, 7])
        a, b = wrap(fxla.vmap(f, (0, None)))(ps, 2.0)
        np.testing.assert_array_equal(a, [3.0, -2.0, 3.0])
    kept = str(fxla.make_jaxpr(fxla.vmap(f, (None, 0)))(True, xs))
    assert "cond[" in kept  # one predicate for all: one branch runs


def test_gradient_of_a_batched_choice_has_no_nan() -> None:
    """The branch not taken divides by zero; its example's cotangent is zero there."""

    def f(x: Any) -> Any:
        return lax.cond(x > 0, lambda x: x * 2.0, lambda x: -x, x)

    np.testing.assert_array_equal(fxla.vmap(fxla.grad(f))(np.array([-1.0, 0.0, 2.0])), [-1, -1, 2])
    np.testing.assert_array_equal(
        fxla.grad(lambda x: fxla.vmap(f)(x).sum())(np.array([-1.0, 0.0, 2.0])), [-1, -1, 2]
    )


def test_a_python_number_takes_the_other_branchs_dtype() -> None:
    x = np.float32(2.0)
    out = fxla.jit(lambda p: lax.cond(p, lambda: 1, lambda: x))(True)
    assert (out.dtype, float(out)) == (np.float32, 1.0)


def test_results_must_agree() -> None:
    with pytest.raises(TypeError, match="structures"):
        lax.cond(True, lambda: 1, lambda: (1, 2))
    with pytest.raises(ValueError, match=r"f64\[2\].*f64\[3\]"):
        lax.cond(True, lambda: np.ones(3), lambda: np.ones(2))
    with pytest.raises(TypeError, match=r"f64\[2\].*i32\[2\]|i32\[2\].*f64\[2\]"):
        lax.cond(True, lambda: np.ones(2), lambda: np.ones(2, np.int32))
    with pytest.raises(TypeError, match="predicate must be a scalar"):
        lax.cond(np.array([True, False]), lambda: 1, lambda: 2)


def test_operand_as_in_older_code() -> None:
    assert float(lax.cond(True, lambda x: x + 1.0, lambda x: x, operand=1.0)) == 2.0


def test_in_a_loop() -> None:
    def f(x: Any) -> Any:
        def step(c: Any, k: Any) -> Any:
            c = lax.cond(k % 2 == 0, lambda c: c * x, lambda c: c + fnp.sin(x), c)
            return c, c

        return lax.scan(step, 1.0, np.arange(5))[0]

    def python(x: Any) -> Any:
        c = 1.0
        for k in range(5):
            c = c * x if k % 2 == 0 else c + fnp.sin(x)
        return c

    for wrap in (lambda f: f, fxla.jit):
        np.testing.assert_allclose(wrap(f)(1.3), python(1.3), rtol=1e-14)
        np.testing.assert_allclose(wrap(fxla.grad(f))(1.3), fxla.grad(python)(1.3), rtol=1e-13)
        got = wrap(fxla.grad(fxla.grad(f)))(1.3)
        np.testing.assert_allclose(got, fxla.grad(fxla.grad(python))(1.3), rtol=1e-12)
    xs = np.linspace(0, 1, 4)
    np.testing.assert_allclose(fxla.vmap(f)(xs), [python(x) for x in xs], rtol=1e-14)
