"""Examples that go their own way through loops and branches, beside Python's own loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.program import Copy, Launch, walk_instructions

RNG = np.random.default_rng(0)
STARTS = RNG.integers(1, 1000, 150)


def steps(n: Any) -> Any:
    def step(c: Any) -> Any:
        return fnp.where(c[0] % 2 == 0, c[0] // 2, 3 * c[0] + 1), c[1] + 1

    return lax.while_loop(lambda c: c[0] > 1, step, (n, 0))[1]


def python_steps(n: int) -> int:
    k = 0
    while n > 1:
        n, k = n // 2 if n % 2 == 0 else 3 * n + 1, k + 1
    return k


EXPECTED = [python_steps(int(n)) for n in STARTS]


def root(a: Any) -> Any:
    """A square root by Newton's method on a vector of two, by its Jacobian's inverse."""

    def step(c: Any) -> Any:
        x, _, k = c
        f = fnp.stack([x[0] * x[0] - a, x[0] - x[1]])
        d = fnp.stack([f[0] / (2 * x[0]), f[0] / (2 * x[0]) - f[1]])
        return x - d, fnp.sum(d * d), k + 1

    start = fnp.stack([a + 1.0, a + 2.0])
    x, _, k = lax.while_loop(lambda c: (c[1] > 1e-20) & (c[2] < 60), step, (start, 1.0, 0))
    return x, k


@pytest.mark.parametrize("size", [1, 3, 64, 65, 150])
def test_each_example_takes_its_own_number_of_steps(size: int) -> None:
    f = fxla.jit(fxla.vmap(steps))
    assert f(STARTS[:size]).tolist() == EXPECTED[:size]


def test_it_is_one_kernel() -> None:
    program = build_program(fxla.make_jaxpr(fxla.vmap(steps))(STARTS).jaxpr)
    kinds = {type(i) for i in walk_instructions(program.body)}
    assert kinds <= {Launch, Copy}
    assert [i.kernel.name for i in program.body if isinstance(i, Launch)].count("lanes") == 1


def test_eager_and_compiled_agree() -> None:
    assert fxla.vmap(steps)(STARTS).tolist() == EXPECTED


def test_small_vectors_in_lanes() -> None:
    a = RNG.uniform(0.1, 50.0, 100)
    x, _ = fxla.jit(fxla.vmap(root))(a)
    np.testing.assert_allclose(x, np.sqrt(a)[:, None] * np.ones(2), rtol=1e-12)


def test_two_mapped_axes() -> None:
    n = STARTS[:60].reshape(4, 15)
    for in_axes in (0, 1):
        f = fxla.jit(fxla.vmap(fxla.vmap(steps, in_axes=in_axes and 0), in_axes=in_axes))
        expected = np.reshape(EXPECTED[:60], (4, 15))
        np.testing.assert_array_equal(f(n), expected.T if in_axes else expected)


def test_forward_derivative_through_each_loop() -> None:
    a = RNG.uniform(1.0, 5.0, 20)
    f = fxla.vmap(lambda a: root(a)[0][0])
    _, t = fxla.jvp(f, (a,), (np.ones(20),))
    np.testing.assert_allclose(t, 0.5 / np.sqrt(a), rtol=1e-6)


def test_a_known_loop_inside_a_gradient() -> None:
    def loss(w: Any) -> Any:
        counts = fxla.vmap(steps)(STARTS[:10])
        return fnp.sum(counts * w**2)

    got = fxla.grad(loss)(3.0)
    np.testing.assert_allclose(got, 6.0 * sum(EXPECTED[:10]))


def test_reverse_mode_says_why_not() -> None:
    with pytest.raises(fxla.errors.NotDifferentiableError, match="while_loop"):
        fxla.grad(lambda a: fxla.vmap(lambda a: root(a)[0][0])(a).sum())(np.ones(3))


def branch(i: Any, x: Any, w: Any) -> Any:
    def long(x: Any) -> Any:
        return lax.fori_loop(0, 6, lambda k, y: fnp.sin(y * w), x)

    return lax.cond(i > 0, long, lambda x: x * w, x)


@pytest.mark.parametrize("transformed", ["vmap of grad", "grad of vmap"])
def test_gradient_of_branches_with_loops(transformed: str) -> None:
    i, x, w = np.array([0, 1, 1, 0]), RNG.uniform(0.5, 1.0, 4), 0.8
    if transformed == "vmap of grad":
        gx, gw = fxla.jit(fxla.vmap(fxla.grad(branch, argnums=(1, 2)), in_axes=(0, 0, None)))(
            i, x, w
        )
        gw = gw.sum()
    else:
        total = lambda x, w: fxla.vmap(branch, in_axes=(0, 0, None))(i, x, w).sum()  # noqa: E731
        gx, gw = fxla.jit(fxla.grad(total, argnums=(0, 1)))(x, w)

    def value(i: int, x: float, w: float) -> float:
        if not i:
            return x * w
        for _ in range(6):
            x = np.sin(x * w)
        return x

    h = 1e-6
    for k in range(4):
        slope = (value(i[k], x[k] + h, w) - value(i[k], x[k] - h, w)) / (2 * h)
        np.testing.assert_allclose(gx[k], slope, rtol=1e-7)
    slope = sum(value(a, b, w + h) - value(a, b, w - h) for a, b in zip(i, x, strict=True))
    np.testing.assert_allclose(gw, slope / (2 * h), rtol=1e-7)


def test_random_numbers_in_each_loop() -> None:
    """The number of coin tosses up to the first head is that of each key alone."""

    def tosses(key: Any) -> Any:
        def toss(c: Any) -> Any:
            key, sub = fxla.random.split(c[0])
            return key, fxla.random.uniform(sub) < 0.3, c[2] + 1

        return lax.while_loop(lambda c: ~c[1], toss, (key, False, 0))[2]

    keys = fxla.random.split(fxla.random.key(1), 70)
    got = fxla.jit(fxla.vmap(tosses))(keys)
    assert got.tolist() == [int(tosses(k)) for k in keys]
    assert 2 < got.mean() < 5


def test_what_calls_a_library_runs_on_the_whole_batch() -> None:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda x: x[0] > 0.5, lambda x: fnp.sort(x * 0.5), x)

    x = RNG.uniform(0.0, 9.0, (6, 4))
    got = fxla.jit(fxla.vmap(f))(x)
    for row, out in zip(x, got, strict=True):
        while row[0] > 0.5:
            row = np.sort(row * 0.5)
        np.testing.assert_array_equal(out, row)


def test_examples_that_speak_to_each_other() -> None:
    def f(x: Any) -> Any:
        return lax.while_loop(lambda x: x < 10.0, lambda x: x + lax.psum(x, "i") * 0 + 3.0, x)

    np.testing.assert_array_equal(fxla.vmap(f, axis_name="i")(np.array([0.0, 9.0])), [12.0, 12.0])
