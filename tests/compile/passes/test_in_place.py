"""Updates in place: what is copied is counted in bytes, and no value changes that is still read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.passes.in_place import kept_carries
from fxla.compile.program import Copy, Launch, Loop, Program, WhileLoop, walk_instructions
from fxla.loops.ir import For, Kernel, Stmt

N = 5000


def program_of(f: Any, *args: Any) -> Program:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr)


def depth_of_copies(program: Program) -> int:
    """How many loops are around the innermost one over all elements (at least `N`) of an array."""

    def of_block(body: tuple[Stmt, ...], depth: int, kernel: Kernel, sizes: dict[str, int]) -> int:
        found = 0
        for s in body:
            if isinstance(s, For):
                extent = s.extent
                name = getattr(extent, "name", None)
                n = sizes.get(name, 0) if name else int(getattr(extent, "value", 0))
                found = max(found, depth + 1 if n >= N else 0)
                found = max(found, of_block(s.body, depth + 1, kernel, sizes))
            elif hasattr(s, "body"):
                found = max(found, of_block(s.body, depth + 1, kernel, sizes))
        return found

    deepest = 0
    for i in walk_instructions(program.body):
        if isinstance(i, Launch):
            sizes = dict(zip([str(e.name) for e in i.kernel.extents], i.sizes, strict=True))
            deepest = max(deepest, of_block(i.kernel.body, 0, i.kernel, sizes))
    return deepest


def repeated(body: Any, times: int = 11) -> Any:
    return lambda x, *rest: lax.fori_loop(0, times, lambda i, a: body(i, a, *rest), x)


UPDATES: dict[str, tuple[Any, Any]] = {
    "set": (lambda i, a: a.at[i * 3].set(a[i] + 1), lambda i, a: a.__setitem__(i * 3, a[i] + 1)),
    "add": (lambda i, a: a.at[i // 2].add(2.0), lambda i, a: a.__setitem__(i // 2, a[i // 2] + 2)),
    "slice": (
        lambda i, a: lax.dynamic_update_slice(a, lax.dynamic_slice(a, (i,), (4,)) * 2, (i + 1,)),
        lambda i, a: a.__setitem__(slice(i + 1, i + 5), a[i : i + 4] * 2),
    ),
    "several": (
        lambda i, a: a.at[fnp.array([1, 2, 3])].set(a[fnp.array([0, 1, 2])]),
        lambda i, a: a.__setitem__([1, 2, 3], a[[0, 1, 2]]),
    ),
    "reader after": (
        lambda i, a: (lambda s: a.at[i].set(s).at[i + 1].add(s))(a[i] * 2 + a[i + 1]),
        lambda i, a: (lambda s: (a.__setitem__(i, s), a.__setitem__(i + 1, a[i + 1] + s)))(
            a[i] * 2 + a[i + 1]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_in_a_loop_touches_what_it_writes(name: str) -> None:
    step, numpy_step = UPDATES[name]
    x = np.arange(float(N))
    f = repeated(step)
    got = fxla.jit(f)(x)
    expected = np.arange(float(N))
    for i in range(11):
        numpy_step(i, expected)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(x, np.arange(float(N)))  # an argument is never written
    program = program_of(f, x)
    assert depth_of_copies(program) <= 1
    for loop in walk_instructions(program.body):
        if isinstance(loop, (Loop, WhileLoop)):
            assert not any(isinstance(c, Copy) and c.nbytes >= 8 * N for c in loop.body)
            assert all(a.nbytes < 8 * N for a, _ in loop.swapped)


def test_the_old_value_survives_if_it_is_read_later() -> None:
    def f(x: Any) -> Any:
        def step(i: Any, c: Any) -> Any:
            a, total = c
            b = a.at[i].set(7.0)
            return b, total + a[i] + b[i]

        return lax.fori_loop(0, 5, step, (x, 0.0))

    a, total = fxla.jit(f)(np.arange(float(N)))
    assert a[:6].tolist() == [7.0] * 5 + [5.0]
    assert total == sum(range(5)) + 35


def test_both_versions_can_be_results() -> None:
    f = fxla.jit(lambda x: ((y := x * 1.5).at[2].set(9.0), y, y.at[0].add(1.0)))
    a, b, c = f(np.ones(4))
    assert (a.tolist(), b.tolist(), c.tolist()) == (
        [1.5, 1.5, 9.0, 1.5], [1.5] * 4, [2.5, 1.5, 1.5, 1.5],
    )  # fmt: skip


def test_a_chain_of_updates_copies_once() -> None:
    def f(x: Any) -> Any:
        for k in range(4):
            x = x.at[fnp.array([k, k + 1])].add(1.0)
        return x

    np.testing.assert_array_equal(fxla.jit(f)(np.zeros(6)), [1, 2, 2, 2, 1, 0])
    assert program_of(f, np.zeros(6)).arena == 0


@pytest.mark.parametrize("swap", [False, True])
def test_two_arrays_that_trade_places(swap: bool) -> None:
    def step(i: Any, c: Any) -> Any:
        a, b = c
        a = a.at[i].set(b[i] + 1)
        return (b, a) if swap else (a, b)

    a, b = fxla.jit(repeated(step, 4))((np.zeros(N), np.ones(N)))
    x, y = np.zeros(N), np.ones(N)
    for i in range(4):
        x[i] = y[i] + 1
        if swap:
            x, y = y, x
    np.testing.assert_array_equal(a, x)
    np.testing.assert_array_equal(b, y)


def test_a_table_filled_by_two_loops() -> None:
    def f(a: Any, b: Any) -> Any:
        def row(i: Any, table: Any) -> Any:
            def column(j: Any, t: Any) -> Any:
                same = t[i, j] + 1
                return t.at[i + 1, j + 1].set(
                    fnp.where(a[i] == b[j], same, fnp.maximum(t[i, j + 1], t[i + 1, j]))
                )

            return lax.fori_loop(0, len(b), column, table)

        return lax.fori_loop(0, len(a), row, fnp.zeros((len(a) + 1, len(b) + 1), int))

    a, b = np.arange(80) % 7, np.arange(90) % 5
    t = np.zeros((81, 91), int)
    for i in range(80):
        for j in range(90):
            t[i + 1, j + 1] = t[i, j] + 1 if a[i] == b[j] else max(t[i, j + 1], t[i + 1, j])
    np.testing.assert_array_equal(fxla.jit(f)(a, b), t)
    assert depth_of_copies(program_of(f, a, b)) <= 1


def test_the_gradient_of_reading_one_element_a_step_adds_one_element_a_step() -> None:
    indices = np.random.default_rng(0).integers(0, 50, 40)

    def f(x: Any) -> Any:
        return lax.scan(lambda c, i: (fnp.tanh(c + x[i]), None), 0.0, indices)[0]

    x = np.linspace(0.0, 1.0, N)
    assert depth_of_copies(program_of(fxla.grad(f), x)) <= 1
    got = fxla.jit(fxla.grad(f))(x)
    c, cs = 0.0, []
    for i in indices:
        c = np.tanh(c + x[i])
        cs.append(c)
    expected, ct = np.zeros(N), 1.0
    for i, c in zip(indices[::-1], cs[::-1], strict=True):
        ct = ct * (1 - c * c)
        expected[i] += ct
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-300)


def test_branches_pass_an_array_on() -> None:
    def step(i: Any, a: Any) -> Any:
        return lax.cond(i % 2 == 0, lambda: a.at[i].set(1.0), lambda: a)

    x = np.zeros(N)
    assert depth_of_copies(program_of(repeated(step), x)) <= 1
    got = fxla.jit(repeated(step))(x)
    assert np.flatnonzero(got).tolist() == [0, 2, 4, 6, 8, 10]


def test_which_carries_stay() -> None:
    def body(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a.at[0].set(1.0), c, b, d

    x = np.zeros(3)
    jaxpr = fxla.make_jaxpr(body)(x, x, x, x).jaxpr
    assert kept_carries(jaxpr, 0, 4) == [0, 3]


def test_an_update_of_what_would_have_been_recomputed() -> None:
    """Both updates are views of zeros if they are not in place: the first must be in memory."""

    def f(i: Any) -> Any:
        first = lax.dynamic_update_slice(fnp.zeros(6), fnp.ones(2), (i,))
        return lax.dynamic_update_slice(first, fnp.full(2, 3.0), (i + 1,)) * 2

    np.testing.assert_array_equal(fxla.jit(f)(1), [0, 2, 6, 6, 0, 0])


def test_the_gradient_of_two_reads_in_a_step() -> None:
    n = 30
    x = np.linspace(0.5, 1.5, n)

    def f(np: Any, x: Any, loop: Any) -> Any:
        def step(c: Any, i: Any) -> Any:
            c = np.tanh(c + x[i])
            return c, c * x[n - 1 - i]

        return loop(step)

    def scan(step: Any) -> Any:
        return fnp.sum(lax.scan(step, 0.0, fnp.arange(n))[1])

    def python_loop(step: Any) -> Any:
        c, total = 0.0, 0.0
        for i in range(n):
            c, y = step(c, i)
            total += y
        return total

    got = fxla.jit(fxla.grad(lambda x: f(fnp, x, scan)))(x)
    for k in (0, 11, n - 1):
        e = np.zeros(n)
        e[k] = 1e-6
        slope = (f(np, x + e, python_loop) - f(np, x - e, python_loop)) / 2e-6
        np.testing.assert_allclose(got[k], slope, rtol=1e-7)
