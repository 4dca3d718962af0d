"""Whole programs: their values are NumPy's, their gradients agree with differences, jit with eager.

The value of a program is compared with the same program in NumPy and Python loops; its gradient
with central differences of that one, along random directions, extrapolated to fourth order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from tests.programs import networks, science
from tests.programs.program import PROGRAMS, Program

assert networks, science  # they fill PROGRAMS
EVERY = pytest.mark.parametrize("name", PROGRAMS)


def tree_map(f: Any, *trees: Any) -> Any:
    return fxla.tree.map(f, *trees)


def arguments(p: Program, dtype: str = "float64") -> tuple[Any, ...]:
    """The program's example, floating leaves in `dtype`."""

    def cast(x: Any) -> Any:
        return np.asarray(x, dtype) if x.dtype.kind == "f" else x

    found: tuple[Any, ...] = tree_map(cast, p.make(np.random.default_rng(7)))
    return found


def inner(a: Any, b: Any) -> float:
    return float(sum(fxla.tree.leaves(tree_map(lambda x, y: np.sum(x * y), a, b))))


def slope(p: Program, params: Any, data: Any, direction: Any) -> float:
    """The derivative of the NumPy program along a direction, by differences."""

    def at(h: float) -> float:
        moved = tree_map(lambda x, d: x + h * d, params, direction)
        return float(p.meaning(moved, *data))

    h = 1e-6 if p.kinks else 2e-4
    near, far = (at(h) - at(-h)) / (2 * h), (at(2 * h) - at(-2 * h)) / (4 * h)
    return (4 * near - far) / 3


@EVERY
def test_the_value_is_numpys(name: str) -> None:
    p = PROGRAMS[name]
    args = arguments(p)
    meant = float(p.meaning(*args))
    np.testing.assert_allclose(float(p.f(*args)), meant, rtol=1e-11)
    np.testing.assert_allclose(float(fxla.jit(p.f)(*args)), meant, rtol=1e-11)


@EVERY
def test_the_gradient_agrees_with_differences(name: str) -> None:
    p = PROGRAMS[name]
    params, *data = arguments(p)
    error = 1e-6 if p.kinks else 2e-7
    value, gradient = fxla.jit(fxla.value_and_grad(p.f))(params, *data)
    np.testing.assert_allclose(float(value), float(p.meaning(params, *data)), rtol=1e-11)
    rng = np.random.default_rng(11)
    for _ in range(2):
        direction = tree_map(lambda x: rng.standard_normal(x.shape), params)
        found, meant = inner(gradient, direction), slope(p, params, data, direction)
        assert found == pytest.approx(meant, rel=error, abs=error / 10)
    eager = fxla.grad(p.f)(params, *data)
    tree_map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), gradient, eager)


@EVERY
def test_float32(name: str) -> None:
    """The same in single precision: dtypes are kept, values and gradients are close."""
    p = PROGRAMS[name]
    wide = fxla.grad(p.f)(*arguments(p))
    args = arguments(p, "float32")
    value, gradient = fxla.jit(fxla.value_and_grad(p.f))(*args)
    assert value.dtype == np.float32
    np.testing.assert_allclose(float(value), float(p.meaning(*arguments(p))), rtol=p.single)
    scale = max(float(np.max(np.abs(g))) for g in fxla.tree.leaves(wide))
    for single, double in zip(fxla.tree.leaves(gradient), fxla.tree.leaves(wide), strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=10 * p.single, atol=p.single * scale)


@pytest.mark.parametrize("name", ["mlp", "layer_norm_gelu_mlp", "attention", "rnn", "lorenz"])
def test_forward_over_reverse(name: str) -> None:
    """A product of the Hessian with a direction is the difference of two gradients."""
    p = PROGRAMS[name]
    params, *data = arguments(p)
    rng = np.random.default_rng(5)
    direction = tree_map(lambda x: rng.standard_normal(x.shape), params)
    slopes = fxla.grad(lambda params: p.f(params, *data))
    product = fxla.jit(lambda v: fxla.jvp(slopes, (params,), (v,))[1])(direction)
    compiled = fxla.jit(slopes)

    def difference(h: float) -> Any:
        up = compiled(tree_map(lambda x, d: x + h * d, params, direction))
        down = compiled(tree_map(lambda x, d: x - h * d, params, direction))
        return tree_map(lambda a, b: (a - b) / (2 * h), up, down)

    near, far = difference(1e-3), difference(2e-3)
    tree_map(
        lambda a, n, f: np.testing.assert_allclose(a, (4 * n - f) / 3, rtol=1e-5, atol=1e-7),
        product,
        near,
        far,
    )


def test_hessian_of_rosenbrock() -> None:
    x = np.random.default_rng(3).standard_normal(6)
    meant = np.zeros((6, 6))
    for i in range(5):
        meant[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        meant[i, i + 1] -= 400 * x[i]
        meant[i + 1, i] -= 400 * x[i]
        meant[i + 1, i + 1] += 200
    f = PROGRAMS["rosenbrock"].f
    for found in (
        fxla.hessian(f)(x),
        fxla.jit(fxla.hessian(f))(x),
        fxla.jit(fxla.jacfwd(fxla.jacfwd(f)))(x),
        fxla.jit(fxla.jacrev(fxla.jacrev(f)))(x),
    ):
        np.testing.assert_allclose(found, meant, rtol=1e-11, atol=1e-9)


def test_newtons_method_finds_the_minimum_of_rosenbrock() -> None:
    f = PROGRAMS["rosenbrock"].f

    @fxla.jit
    def step(x: Any) -> Any:
        return x - fnp.linalg.solve(fxla.hessian(f)(x), fxla.grad(f)(x))

    x = np.full(4, 1.2)
    for _ in range(12):
        x = step(x)
    np.testing.assert_allclose(x, np.ones(4), rtol=1e-9)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_gradient_for_each_example(name: str) -> None:
    """`vmap(grad)` gives what a loop over the examples gives; its mean is the batch's gradient."""
    p = PROGRAMS[name]
    params, x, labels = arguments(p)

    def one(params: Any, x: Any, label: Any) -> Any:
        return p.f(params, x[None], label[None])

    each = fxla.jit(fxla.vmap(fxla.grad(one), (None, 0, 0)))(params, x, labels)
    compiled = fxla.jit(fxla.grad(one))
    looped = [compiled(params, x[i], labels[i]) for i in range(len(x))]
    whole = fxla.grad(p.f)(params, x, labels)
    tree_map(
        lambda a, w, *ls: (
            np.testing.assert_allclose(a, np.stack(ls), rtol=1e-10, atol=1e-12),
            np.testing.assert_allclose(np.mean(a, 0), w, rtol=1e-10, atol=1e-12),
        ),
        each,
        whole,
        *looped,
    )


def test_each_lane_of_a_while_loop_stops_by_itself() -> None:
    """Newton's square root until it is exact: the lanes need different numbers of steps."""

    def root(a: Any) -> Any:
        def wrong(state: Any) -> Any:
            x, _ = state
            return fnp.abs(x * x - a) > 1e-12 * a

        return lax.while_loop(
            wrong, lambda s: ((s[0] + a / s[0]) / 2, s[1] + 1), (fnp.maximum(a, 1.0), 0)
        )

    def in_python(a: float) -> tuple[float, int]:
        x, steps = max(a, 1.0), 0
        while abs(x * x - a) > 1e-12 * a:
            x, steps = (x + a / x) / 2, steps + 1
        return x, steps

    values = np.array([1.0, 2.0, 9.0, 1e-3, 1e6, 7.0])
    roots, steps = fxla.jit(fxla.vmap(root))(values)
    meant = [in_python(a) for a in values]
    np.testing.assert_allclose(roots, [x for x, _ in meant], rtol=1e-14)
    assert steps.tolist() == [n for _, n in meant]
    assert len(set(steps.tolist())) > 3
    slopes = fxla.jit(fxla.vmap(lambda a: fxla.jvp(lambda a: root(a)[0], (a,), (1.0,))[1]))(values)
    np.testing.assert_allclose(slopes[1:], 0.5 / np.sqrt(values[1:]), rtol=1e-6)


def test_training_decreases_the_loss_of_every_network() -> None:
    for name in ("mlp", "cnn", "attention", "lstm", "residual_block"):
        p = PROGRAMS[name]
        params, *data = arguments(p)
        step = fxla.jit(fxla.value_and_grad(p.f))
        first, _ = step(params, *data)
        for _ in range(20):
            last, slopes = step(params, *data)
            params = tree_map(lambda x, g: x - 0.05 * g, params, slopes)
        assert float(last) < 0.9 * float(first), name
