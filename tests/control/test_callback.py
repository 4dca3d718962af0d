"""Callbacks: when they run, with what, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.errors import NotDifferentiableError

X = np.arange(3.0)


def recorder():
    seen: list[list[float]] = []
    return seen, lambda *xs: seen.append([float(x) for x in xs])


def test_an_effect_happens_once_for_each_run() -> None:
    seen, note = recorder()

    @fxla.jit
    def f(x):
        fxla.debug.callback(note, x * 2)
        return x

    assert (float(f(1.0)), float(f(2.0)), seen) == (1.0, 2.0, [[2.0], [4.0]])


def test_effects_come_in_the_programs_order_in_loops_and_derivatives() -> None:
    seen, note = recorder()

    def step(total, x):
        fxla.debug.callback(note, total, x)
        return total + x, None

    fxla.jit(fxla.grad(lambda x: lax.scan(step, 0.0, x)[0]))(X)
    assert seen == [[0.0, 0.0], [0.0, 1.0], [1.0, 2.0]]


def test_a_branch_that_is_not_taken_is_silent() -> None:
    seen, note = recorder()

    def loud(x):
        fxla.debug.callback(note, x)
        return x

    f = fxla.jit(lambda x: lax.cond(x > 0, loud, lambda x: -x, x))
    f(-1.0), f(2.0)
    assert seen == [[2.0]]


def test_a_batch_calls_for_each_example() -> None:
    seen, note = recorder()
    fxla.jit(fxla.vmap(lambda x: fxla.debug.callback(note, x)))(X)
    assert seen == [[0.0], [1.0], [2.0]]


def test_print_checks_its_text_while_tracing(capsys) -> None:
    fxla.jit(lambda x: fxla.debug.print("{x:.1f} of {}", x.size, x=x.sum()))(X)
    assert capsys.readouterr().out == "3.0 of 3\n"
    with pytest.raises(ValueError, match=r"does not use the arguments \['y'\]"):
        fxla.debug.print("{x}", x=1, y=2)
    with pytest.raises(KeyError):
        fxla.debug.print("{x}")


@pytest.mark.parametrize("method", ["sequential", "expand_dims", "broadcast_all"])
def test_values_of_a_batch(method: str) -> None:
    shapes = []

    def host(a, b):
        shapes.append((a.shape, b.shape))
        return a * b

    def f(a, b):
        return fnp.sin(fxla.pure_callback(host, a, a, b, vmap_method=method))

    got = fxla.jit(fxla.vmap(f, in_axes=(0, None)))(X, 2.0)
    np.testing.assert_allclose(got, np.sin(2 * X), rtol=1e-15)
    wanted = {"sequential": ((), ()), "expand_dims": ((3,), (1,)), "broadcast_all": ((3,), (3,))}
    assert set(shapes) == {wanted[method]}


def test_trees_and_keywords() -> None:
    def host(x, *, scale):
        return {"twice": 2 * x["a"], "scaled": x["a"] * scale}

    shape = fxla.ShapeDtypeStruct((3,), np.float64)
    announced = {"twice": shape, "scaled": shape}
    got = fxla.jit(lambda a: fxla.pure_callback(host, announced, {"a": a}, scale=3.0))(X)
    np.testing.assert_array_equal(got["twice"], 2 * X)
    np.testing.assert_array_equal(got["scaled"], 3 * X)


def test_what_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"gave \(f64\[\]\), and \(f64\[3\]\) was announced"):
        fxla.pure_callback(np.sum, X, X)
    with pytest.raises(NotDifferentiableError, match="sin has no derivative"):
        fxla.grad(lambda x: fxla.pure_callback(np.sin, x, x))(1.0)
    with pytest.raises(NotImplementedError, match="vmap of sin needs vmap_method="):
        fxla.vmap(lambda x: fxla.pure_callback(np.sin, x, x))(X)
    with pytest.raises(ValueError, match="vmap_method must be one of"):
        fxla.pure_callback(np.sin, X, X, vmap_method="parallel")


def test_an_error_of_the_function_is_the_programs() -> None:
    def broken(x):
        raise KeyError("no such thing")

    with pytest.raises(KeyError, match="no such thing"):
        fxla.jit(lambda x: fxla.pure_callback(broken, x, x))(X)
