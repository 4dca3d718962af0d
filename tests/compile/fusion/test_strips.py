"""Kernels over the rows of one matrix, in strips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.program import Launch

RNG = np.random.default_rng(5)


def names(f: Callable[..., Any], *args: Any) -> list[str]:
    """The kernels of a program."""
    program = build_program(fxla.make_jaxpr(f)(*args).jaxpr, tiles=True)
    return [i.kernel.name for i in program.body if isinstance(i, Launch)]


def has_strips(f: Callable[..., Any], *args: Any) -> bool:
    return any(name.endswith("_in_strips") for name in names(f, *args))


def logistic(np: Any) -> Callable[..., Any]:
    def slopes(x: Any, w: Any, y: Any) -> Any:
        r = 1 / (1 + np.exp(-(x @ w))) - y
        return x.T @ r

    return slopes


def problem(rows: int, columns: int, dtype: Any = np.float64) -> tuple[Any, Any, Any]:
    x = RNG.standard_normal((rows, columns)).astype(dtype)
    return x, RNG.standard_normal(columns).astype(dtype), (x[:, 0] > 0).astype(dtype)


@pytest.mark.parametrize("rows", [9000, 9001, 9003, 12345])
@pytest.mark.parametrize("columns", [33, 100, 1500])
def test_values(rows: int, columns: int) -> None:
    """The last strip is short, and so may be the last rows that are taken together."""
    args = problem(rows, columns)
    assert has_strips(logistic(fnp), *args)
    expected = logistic(np)(*args)
    np.testing.assert_allclose(fxla.jit(logistic(fnp))(*args), expected, rtol=1e-9, atol=1e-9)


def test_other_sizes_by_the_same_program() -> None:
    slopes = fxla.jit(logistic(fnp))
    for rows in (9000, 9002, 20000, 7777, 50, 3):
        args = problem(rows, 40)
        np.testing.assert_allclose(
            slopes(*args), logistic(np)(*args), rtol=1e-9, atol=1e-9, err_msg=str(rows)
        )


def test_what_is_computed_on_the_way_is_a_result_too() -> None:
    def f(np: Any) -> Callable[..., Any]:
        def rows_and_columns(x: Any, w: Any, y: Any) -> Any:
            s = x @ w
            r = np.tanh(s) - y
            return s, r, (x * r[:, None]).sum(0), np.max(x, axis=1)

        return rows_and_columns

    args = problem(9001, 77)
    assert has_strips(f(fnp), *args)
    for got, expected in zip(fxla.jit(f(fnp))(*args), f(np)(*args), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_a_normalisation() -> None:
    """The sums of rows of many passes, scratch memory included."""

    def norm(x: Any, g: Any, b: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return centred / fnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * g + b

    x, ct = (RNG.standard_normal((3001, 200)) for _ in range(2))
    g, b = (RNG.standard_normal(200) for _ in range(2))
    gradient = fxla.grad(lambda x, g, b: fnp.sum(norm(x, g, b) * ct), (0, 1, 2))
    assert has_strips(gradient, x, g, b)
    dx, dg, db = fxla.jit(gradient)(x, g, b)
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(db, ct.sum(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dg, (ct * z).sum(0), rtol=1e-9, atol=1e-9)
    t = ct * g
    wanted = t - t.mean(-1, keepdims=True) - z * (t * z).mean(-1, keepdims=True)
    wanted /= np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(dx, wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "between",
    [
        lambda np, r: r[::-1],  # another row
        lambda np, r: np.roll(r, 1),
        lambda np, r: r - np.mean(r),  # all rows
        lambda np, r: np.cumsum(r),
    ],
)
def test_what_needs_other_rows_comes_in_between(between: Any) -> None:
    def f(np: Any) -> Callable[..., Any]:
        def sums(x: Any, w: Any, y: Any) -> Any:
            return x.T @ between(np, np.tanh(x @ w))

        return sums

    args = problem(9001, 60)
    np.testing.assert_allclose(fxla.jit(f(fnp))(*args), f(np)(*args), rtol=1e-8, atol=1e-8)


def test_which_programs() -> None:
    assert not has_strips(logistic(fnp), *problem(900, 60))  # in the second cache anyway
    assert not has_strips(lambda x, w, y: (x @ w, y.sum()), *problem(9000, 100))
    assert not has_strips(lambda x, w, y: x.T @ y, *problem(9000, 100))  # reads it once


def test_square_matrices_have_rows_and_columns() -> None:
    """Rows of one kernel are columns of the other: what one writes the other reads elsewhere."""

    def f(np: Any) -> Callable[..., Any]:
        return lambda x, w, y: x.T @ np.tanh(x.T @ w)

    x, w, _ = problem(1200, 1200)
    np.testing.assert_allclose(fxla.jit(f(fnp))(x, w, w), f(np)(x, w, w), rtol=1e-8, atol=1e-8)


def test_bits_do_not_depend_on_threads() -> None:
    args = problem(9001, 100, np.float32)
    found = []
    for n in (1, 2, 3):
        with fxla.threads(n):
            found.append(np.asarray(fxla.jit(lambda *a: logistic(fnp)(*a))(*args)))
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_a_donated_matrix_is_not_written_over_too_soon() -> None:
    def f(np: Any) -> Callable[..., Any]:
        def both(x: Any, w: Any, y: Any) -> Any:
            r = np.tanh(x @ w) - y
            return x * r[:, None], (x * r[:, None]).sum(0)

        return both

    args = problem(9001, 64)
    expected = f(np)(*args)
    given = fnp.array(args[0])
    for got, want in zip(
        fxla.jit(f(fnp), donate_argnums=0)(given, *args[1:]), expected, strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
