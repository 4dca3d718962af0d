"""What users of systems like this one ask for most often: small loops, long scans, no NaN.

Each test is a situation that people report to the authors of such systems, in our own words.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

# -------------------------------------------------------------------- loops with small bodies


def test_a_spring_simulated_step_by_step() -> None:
    """A symplectic integrator of one oscillator: a carry of two numbers, ten thousand steps."""

    def swing(stiffness: Any, steps: int = 10_000, dt: float = 1e-3) -> Any:
        def step(state: Any, _: Any) -> Any:
            x, v = state
            v = v - dt * stiffness * x
            return (x + dt * v, v), None

        return lax.scan(step, (1.0 + 0 * stiffness, 0 * stiffness), None, length=steps)[0][0]

    def in_python(stiffness: float) -> float:
        x, v = 1.0, 0.0
        for _ in range(10_000):
            v = v - 1e-3 * stiffness * x
            x = x + 1e-3 * v
        return x

    value, slope = fxla.jit(fxla.value_and_grad(swing))(2.0)
    assert float(value) == pytest.approx(in_python(2.0), rel=1e-10)
    h = 1e-4
    meant = (in_python(2 + h) - in_python(2 - h)) / (2 * h)
    assert float(slope) == pytest.approx(meant, rel=1e-6)


def test_a_while_loop_that_counts() -> None:
    """Collatz: integers, a data-dependent number of steps, one number in the carry."""

    def length(n: Any) -> Any:
        def step(state: Any) -> Any:
            n, count = state
            return fnp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

        return lax.while_loop(lambda s: s[0] != 1, step, (n, 0))[1]

    def in_python(n: int) -> int:
        count = 0
        while n != 1:
            n, count = n // 2 if n % 2 == 0 else 3 * n + 1, count + 1
        return count

    numbers = np.array([1, 2, 6, 7, 27, 97])
    meant = [in_python(int(n)) for n in numbers]
    assert fxla.jit(fxla.vmap(length))(numbers).tolist() == meant
    assert [int(fxla.jit(length)(n)) for n in numbers] == meant


def test_a_recurrence_through_a_product_of_small_matrices() -> None:
    """The gradient of a chain of 3x3 products with respect to every factor."""
    factors = np.random.default_rng(0).standard_normal((50, 3, 3)) * 0.3 + np.eye(3) * 0.8

    def trace(factors: Any) -> Any:
        end, _ = lax.scan(lambda m, f: (m @ f, None), fnp.eye(3), factors)
        return fnp.trace(end)

    def meant(factors: Any) -> Any:
        """d tr(A1 ... An) / dAk = (A(k+1) ... An A1 ... A(k-1))^T."""
        left = [np.eye(3)]
        for f in factors:
            left.append(left[-1] @ f)
        right = [np.eye(3)]
        for f in factors[::-1]:
            right.append(f @ right[-1])
        right = right[::-1]
        return np.stack([(right[k + 1] @ left[k]).T for k in range(len(factors))])

    found = fxla.jit(fxla.grad(trace))(factors)
    np.testing.assert_allclose(found, meant(factors), rtol=1e-9, atol=1e-12)


def test_nested_loops_with_a_branch() -> None:
    """Pairs closer than a cutoff, counted smoothly: two loops and a condition."""
    points = np.random.default_rng(1).uniform(-1, 1, (9, 2))

    def close(points: Any) -> Any:
        n = len(points)

        def outer(i: Any, total: Any) -> Any:
            def inner(j: Any, total: Any) -> Any:
                apart = fnp.sum((points[i] - points[j]) ** 2)
                return lax.cond(apart < 0.5, lambda t: t + (0.5 - apart) ** 2, lambda t: t, total)

            return lax.fori_loop(0, n, inner, total)

        return lax.fori_loop(0, n, outer, 0.0)

    def at_once(points: Any) -> Any:
        apart = fnp.sum((points[:, None] - points[None]) ** 2, axis=-1)
        return fnp.sum(fnp.where(apart < 0.5, (0.5 - apart) ** 2, 0.0))

    value, slope = fxla.jit(fxla.value_and_grad(close))(points)
    meant, meant_slope = fxla.value_and_grad(at_once)(points)
    np.testing.assert_allclose(value, meant, rtol=1e-12)
    np.testing.assert_allclose(slope, meant_slope, rtol=1e-10, atol=1e-12)


# -------------------------------------------------------------------------------- long scans


@pytest.mark.parametrize("n", [1, 1000, 10_000])
def test_the_gradient_of_a_long_running_sum(n: int) -> None:
    """Reading a large array by the loop's index: the cotangents of all steps are summed."""
    x = np.linspace(0.0, 1.0, n)

    def total(x: Any) -> Any:
        return lax.fori_loop(0, n, lambda i, t: t + x[i] ** 2, 0.0)

    value, slope = fxla.jit(fxla.value_and_grad(total))(x)
    np.testing.assert_allclose(value, np.sum(x**2), rtol=1e-10)
    np.testing.assert_allclose(slope, 2 * x, rtol=1e-12)


def test_residuals_of_a_long_scan_grow_with_its_length_only() -> None:
    """Memory of the gradient when the scanned array is also closed over: O(n), not O(n^2)."""
    n = 4000
    x = np.linspace(0.5, 1.5, n)

    def total(x: Any) -> Any:
        def step(carry: Any, i: Any) -> Any:
            carry = fnp.tanh(carry + x[i])
            return carry, carry * x[n - 1 - i]

        return fnp.sum(lax.scan(step, 0.0, fnp.arange(n))[1])

    slopes = fxla.jit(fxla.grad(total))
    found = slopes(x)
    tracemalloc.start()
    slopes(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * x.nbytes  # a square array would be 4000 times as large as x

    def in_numpy(x: Any) -> float:
        carry, total = 0.0, 0.0
        for i in range(n):
            carry = np.tanh(carry + x[i])
            total += carry * x[n - 1 - i]
        return total

    for k in (0, 17, n - 1):
        h = np.zeros(n)
        h[k] = 1e-5
        meant = (in_numpy(x + h) - in_numpy(x - h)) / 2e-5
        assert float(found[k]) == pytest.approx(meant, rel=1e-6)


def test_checkpointed_blocks_of_a_long_scan_have_the_same_gradient() -> None:
    xs = np.random.default_rng(2).standard_normal((20, 25)) * 0.3

    def step(c: Any, x: Any) -> Any:
        return fnp.sin(c) + x * c, None

    def plain(c: Any, xs: Any) -> Any:
        return lax.scan(step, c, xs.reshape(-1))[0]

    def in_blocks(c: Any, xs: Any) -> Any:
        block = fxla.checkpoint(lambda c, x: lax.scan(step, c, x))
        return lax.scan(block, c, xs)[0]

    for argnum in (0, 1):
        a = fxla.jit(fxla.grad(plain, argnum))(0.7, xs)
        b = fxla.jit(fxla.grad(in_blocks, argnum))(0.7, xs)
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-15)


# ---------------------------------------------------- no NaN at where, sqrt, norm and their kin

SAFE = {
    "where guards a square root": (lambda x: fnp.where(x > 0, fnp.sqrt(x), 0.0), 0.0, 0.0),
    "where guards a logarithm": (lambda x: fnp.where(x > 0, fnp.log(x), 0.0), 0.0, 0.0),
    "where guards a division": (lambda x: fnp.where(x == 0, 1.0, fnp.sin(x) / x), 0.0, 0.0),
    "where guards an arc sine": (lambda x: fnp.where(x < 1, fnp.arcsin(x), 2.0), 1.0, 0.0),
    "where guards a power": (lambda x: fnp.where(x > 0, x**0.3, 0.0), 0.0, 0.0),
    "where guards an exponential": (lambda x: fnp.where(x < 50, fnp.exp(x), x), 1e4, 1.0),
    "square root of a square": (lambda x: fnp.sqrt(x * x), 0.0, 0.0),
    "absolute value": (lambda x: fnp.abs(x), 0.0, 0.0),
    "power zero": (lambda x: x**0.0, 0.0, 0.0),
    "power one": (lambda x: x**1.0, 0.0, 1.0),
    "power two": (lambda x: x**2.0, 0.0, 0.0),
    "power of a negative": (lambda x: x**2.0, -3.0, -6.0),
    "x log x": (lambda x: fnp.where(x > 0, x * fnp.log(x), 0.0), 0.0, 0.0),
    "logaddexp": (lambda x: fnp.logaddexp(x, -fnp.inf), 1.0, 1.0),
    "hypot": (lambda x: fnp.hypot(x, x), 0.0, 0.0),
    "arctan2 on an axis": (lambda x: fnp.arctan2(x, 1.0), 0.0, 1.0),
    "sinc": (lambda x: fnp.sinc(x), 0.0, 0.0),
    "clip": (lambda x: fnp.clip(x, 0.0, 1.0), 2.0, 0.0),
}


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero|overflow:RuntimeWarning")
@pytest.mark.parametrize("what", SAFE)
def test_derivatives_of_numbers_where_a_branch_is_singular(what: str) -> None:
    f, x, meant = SAFE[what]
    slope = fxla.grad(f)
    assert float(slope(x)) == meant
    assert float(fxla.jit(slope)(x)) == meant
    np.testing.assert_array_equal(fxla.jit(fxla.vmap(slope))(np.full(5, x)), np.full(5, meant))
    assert float(fxla.jvp(f, (x,), (1.0,))[1]) == meant


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
def test_a_norm_at_zero_has_the_subgradient_zero(jitted: bool) -> None:
    def gradient(f: Any, x: Any) -> Any:
        found = fxla.grad(f)
        return (fxla.jit(found) if jitted else found)(x)

    zeros = np.zeros(4)
    for f in (fnp.linalg.norm, lambda x: fnp.sqrt(fnp.sum(x**2)), lambda x: fnp.sum(fnp.abs(x))):
        assert gradient(f, zeros).tolist() == [0.0] * 4
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    found = gradient(lambda m: fnp.sum(fnp.linalg.norm(m, axis=1)), rows)
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-15)


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
def test_forces_between_points_that_coincide() -> None:
    """Pairwise distances have a zero diagonal, whose square root must not spoil the sum."""
    points = np.random.default_rng(3).standard_normal((5, 3))

    def energy(p: Any) -> Any:
        return fnp.sum(fnp.linalg.norm(p[:, None] - p[None], axis=-1))

    apart = points[:, None] - points[None]
    lengths = np.linalg.norm(apart, axis=-1) + np.eye(5)
    meant = 2 * np.sum(apart / lengths[..., None], axis=1)
    for f in (fxla.grad(energy), fxla.jit(fxla.grad(energy))):
        np.testing.assert_allclose(f(points), meant, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
def test_second_derivatives_where_a_branch_is_singular() -> None:
    def f(x: Any) -> Any:
        return fnp.where(x > 0, x * fnp.sqrt(x), x**2)

    second = fxla.grad(fxla.grad(f))
    for g in (second, fxla.jit(second), fxla.vmap(second), fxla.jit(fxla.vmap(second))):
        x = np.array([-1.0, 0.0, 4.0])
        found = [float(g(v)) for v in x] if g in (second,) or not _is_mapped(g, x) else g(x)
        np.testing.assert_allclose(found, [2.0, 2.0, 0.375], rtol=1e-14)


def _is_mapped(g: Any, x: Any) -> bool:
    try:
        return bool(np.shape(g(x)) == x.shape)
    except TypeError:
        return False


def test_a_masked_mean_of_nothing() -> None:
    """The mean of the chosen elements, where nothing is chosen: zero, with gradient zero."""

    def mean(x: Any, chosen: Any) -> Any:
        count = fnp.sum(chosen)
        total = fnp.sum(fnp.where(chosen, x, 0.0))
        return fnp.where(count > 0, total / fnp.maximum(count, 1), 0.0)

    x = np.array([1.0, np.nan, 3.0])
    slope = fxla.jit(fxla.grad(mean))
    assert slope(x, np.array([True, False, True])).tolist() == [0.5, 0.0, 0.5]
    assert slope(x, np.array([False, False, False])).tolist() == [0.0, 0.0, 0.0]


def test_softmax_and_its_kin_at_extremes() -> None:
    x = np.array([1e4, 0.0, -1e4])

    def entropy(x: Any) -> Any:
        p = fnp.exp(x - fnp.max(x))
        p = p / fnp.sum(p)
        return -fnp.sum(fnp.where(p > 0, p * fnp.log(p), 0.0))

    with np.errstate(divide="ignore", invalid="ignore"):
        for slope in (fxla.grad(entropy), fxla.jit(fxla.grad(entropy))):
            found = slope(x)
            assert np.isfinite(found).all() and np.abs(found).max() < 1e-300 + 1e-12
