"""Scan, fori_loop, while_loop, map and associative_scan against Python's own loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

XS = np.random.default_rng(0).standard_normal((6, 2))


@pytest.mark.parametrize("unroll", [1, 2, 4, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_unrolling_changes_nothing(unroll: Any, reverse: bool) -> None:
    def step(c: Any, x: Any) -> Any:
        c = fnp.tanh(c + x)
        return c, c * 2

    c, ys = lax.scan(step, np.zeros(2), XS, reverse=reverse, unroll=unroll)
    h, expected = np.zeros(2), np.empty_like(XS)
    for i in range(6)[:: -1 if reverse else 1]:
        h = np.tanh(h + XS[i])
        expected[i] = h * 2
    np.testing.assert_allclose(c, h, rtol=1e-14)
    np.testing.assert_allclose(ys, expected, rtol=1e-14)


def test_trees_and_python_numbers_in_a_carry() -> None:
    def step(c: Any, x: Any) -> Any:
        return {"n": c["n"] + 1, "s": c["s"] + x["v"].sum()}, None

    c, nothing = lax.scan(step, {"n": 0, "s": 0.0}, {"v": XS})
    assert nothing is None
    assert int(c["n"]) == 6
    np.testing.assert_allclose(c["s"], XS.sum(), rtol=1e-14)


def test_gradient_of_what_a_loop_closes_over() -> None:
    def loss(w: Any) -> Any:
        c, _ = lax.scan(lambda c, x: (fnp.tanh(w * c + x), None), np.zeros(2), XS)
        return c.sum()

    def numpy_loss(w: float) -> float:
        c = np.zeros(2)
        for x in XS:
            c = np.tanh(w * c + x)
        return float(c.sum())

    h = 1e-5
    slope = (numpy_loss(0.7 + h) - numpy_loss(0.7 - h)) / (2 * h)
    np.testing.assert_allclose(fxla.jit(fxla.grad(loss))(0.7), slope, rtol=1e-8)


@pytest.mark.parametrize("bounds", [(0, 0), (0, 5), (3, 2), (-2, 3)])
def test_fori_bounds_are_those_of_range(bounds: tuple[int, int]) -> None:
    expected = sum(i * i for i in range(*bounds))
    assert int(lax.fori_loop(*bounds, lambda i, s: s + i * i, 0)) == expected
    traced = fxla.jit(lambda a, b: lax.fori_loop(a, b, lambda i, s: s + i * i, 0))
    assert int(traced(*bounds)) == expected


def test_while_under_vmap_stops_each_example_by_itself() -> None:
    def collatz(n: Any) -> Any:
        def step(c: Any) -> Any:
            n, k = c
            return fnp.where(n % 2 == 0, n // 2, 3 * n + 1), k + 1

        return lax.while_loop(lambda c: c[0] != 1, step, (n, 0))[1]

    def by_hand(n: int) -> int:
        k = 0
        while n != 1:
            n, k = (n // 2 if n % 2 == 0 else 3 * n + 1), k + 1
        return k

    numbers = np.array([1, 2, 3, 7, 9, 27])
    expected = [by_hand(int(n)) for n in numbers]
    assert fxla.vmap(collatz)(numbers).tolist() == expected
    assert fxla.jit(fxla.vmap(collatz))(numbers).tolist() == expected


def test_while_in_forward_mode() -> None:
    def root(x: Any) -> Any:
        better = lambda y: 0.5 * (y + x / y)  # noqa: E731
        return lax.while_loop(lambda y: fnp.abs(y * y - x) > 1e-14 * x, better, x)

    value, slope = fxla.jvp(root, (2.0,), (1.0,))
    np.testing.assert_allclose([value, slope], [np.sqrt(2), 0.5 / np.sqrt(2)], rtol=1e-7)


@pytest.mark.parametrize("batch_size", [None, 2, 4])
def test_map(batch_size: int | None) -> None:
    got = lax.map(lambda x: fnp.sin(x).sum(), XS, batch_size=batch_size)
    np.testing.assert_allclose(got, np.sin(XS).sum(1), rtol=1e-14)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_associative_scan(n: int, reverse: bool) -> None:
    x = np.random.default_rng(n).standard_normal((n, 2, 2))
    got = lax.associative_scan(fnp.matmul, x, reverse=reverse)
    rows, total = [], None
    for m in x[::-1] if reverse else x:
        total = m if total is None else total @ m
        rows.append(total)
    np.testing.assert_allclose(got, np.stack(rows[::-1] if reverse else rows), rtol=1e-12)


def test_cond_runs_one_branch_and_switch_clamps() -> None:
    f = fxla.jit(lambda p, x: lax.cond(p, lambda v: v + 1, lambda v: v * 0, x))
    assert (float(f(True, 3.0)), float(f(False, 3.0))) == (4.0, 0.0)
    g = fxla.jit(lambda i, x: lax.switch(i, [lambda v: v, lambda v: 2 * v, lambda v: 3 * v], x))
    assert [float(g(i, 1.0)) for i in (-5, 0, 1, 2, 9)] == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_an_untaken_branch_does_not_spoil_the_gradient() -> None:
    def f(x: Any) -> Any:
        return lax.cond(x > 0, fnp.log, lambda v: v * 2.0, x)

    assert float(fxla.grad(f)(0.0)) == 2.0
    assert float(fxla.jit(fxla.grad(f))(0.0)) == 2.0
