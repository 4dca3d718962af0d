"""Loops and branches as one kernel: values, and what may become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program
from fxla.compile.program import Copy, Launch, Loop, Program, WhileLoop, walk_instructions
from fxla.loops.ir import For, walk_stmts
from fxla.loops.passes.collapse import size_of_extent

RNG = np.random.default_rng(0)


def program_of(f: Any, *args: Any) -> Program:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr)


def is_one_kernel(program: Program, name: str) -> bool:
    """Whether nothing loops or branches but one kernel of that name."""
    kinds = {type(i) for i in walk_instructions(program.body)}
    names = [i.kernel.name for i in program.body if isinstance(i, Launch)]
    return kinds <= {Launch, Copy} and names.count(name) == 1


def matrices(a: Any, xs: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        m, v = c
        m = fnp.tanh(a @ m) + x
        v = m @ v
        return (m, v), (v, m[0, 1])

    return lax.scan(step, (fnp.eye(3), fnp.ones(3)), xs)


def matrices_of_numpy(a: Any, xs: Any) -> Any:
    m, v, ys, zs = np.eye(3), np.ones(3), [], []
    for x in xs:
        m = np.tanh(a @ m) + x
        v = m @ v
        ys.append(v)
        zs.append(m[0, 1])
    return (m, v), (np.array(ys), np.array(zs))


A, XS = RNG.standard_normal((3, 3)) / 3, RNG.standard_normal(20) / 3


def test_small_matrices_are_carried_in_locals() -> None:
    program = program_of(matrices, A, XS)
    assert is_one_kernel(program, "scan")
    assert "alloc" not in str(program.kernels())
    got, expected = fxla.jit(matrices)(A, XS), matrices_of_numpy(A, XS)
    for g, e in zip(fxla.tree.leaves(got), fxla.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [5, 9, 64])
def test_vectors_and_stacked_results(n: int, reverse: bool) -> None:
    w, xs = RNG.standard_normal((n, n)) / n, RNG.standard_normal((7, n))

    def f(w: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = fnp.tanh(w @ h + x)
            return h, (h * 2, x)

        return lax.scan(step, fnp.zeros(n), xs, reverse=reverse)

    assert is_one_kernel(program_of(f, w, xs), "scan")
    last, (doubled, same) = fxla.jit(f)(w, xs)
    h, ys = np.zeros(n), np.empty_like(xs)
    for i in range(7)[:: -1 if reverse else 1]:
        h = np.tanh(w @ h + xs[i])
        ys[i] = h * 2
    np.testing.assert_allclose(last, h, rtol=1e-12)
    np.testing.assert_allclose(doubled, ys, rtol=1e-12)
    np.testing.assert_array_equal(same, xs)


def test_loops_and_branches_inside_each_other() -> None:
    def f(x: Any) -> Any:
        def collatz(n: Any) -> Any:
            def step(c: Any) -> Any:
                n, k = c
                return lax.cond(n % 2 == 0, lambda: n // 2, lambda: 3 * n + 1), k + 1

            return lax.while_loop(lambda c: c[0] > 1, step, (n, 0))[1]

        return lax.scan(lambda longest, n: (fnp.maximum(longest, collatz(n)), collatz(n)), 0, x)

    def steps(n: int) -> int:
        k = 0
        while n > 1:
            n, k = n // 2 if n % 2 == 0 else 3 * n + 1, k + 1
        return k

    x = np.arange(1, 30)
    assert is_one_kernel(program_of(f, x), "scan")
    longest, each = fxla.jit(f)(x)
    assert each.tolist() == [steps(int(n)) for n in x]
    assert longest == max(each)


def test_a_loop_of_no_iterations_gives_what_it_started_with() -> None:
    c, ys = fxla.jit(matrices)(A, XS[:0])
    np.testing.assert_array_equal(c[0], np.eye(3))
    assert ys[0].shape == (0, 3)


def test_carries_that_change_places() -> None:
    def fibonacci(n: int) -> Any:
        return lax.fori_loop(0, n, lambda i, c: (c[1], c[0] + c[1]), (0, 1))[0]

    assert [int(fxla.jit(fibonacci, static_argnums=0)(n)) for n in range(8)] == [
        0, 1, 1, 2, 3, 5, 8, 13,
    ]  # fmt: skip


def test_library_calls_and_shared_work_stay_apart() -> None:
    x = np.zeros(4)
    sorting = program_of(lambda x: lax.fori_loop(0, 3, lambda i, x: fnp.sort(x), x), x)
    assert any(isinstance(i, Loop) for i in walk_instructions(sorting.body))
    large = np.zeros(1_000_000)
    mapping = program_of(lambda x: lax.while_loop(lambda x: x[0] < 3, fnp.exp, x), large)
    assert any(isinstance(i, WhileLoop) for i in walk_instructions(mapping.body))


def test_sizes_above_the_smallest_compile_nothing_new() -> None:
    def f(w: Any, xs: Any) -> Any:
        return lax.scan(lambda h, x: (fnp.tanh(w @ h + x), h), fnp.zeros(len(w)), xs)

    texts: set[str] = set()
    for n, length in ((20, 11), (33, 70)):
        program = program_of(f, np.zeros((n, n)), np.zeros((length, n)))
        texts.update(str(k) for k in program.kernels() if k.name == "scan")
    assert len(texts) == 1


def test_random_numbers_are_those_of_single_calls() -> None:
    keys = fxla.random.split(fxla.random.key(3), 5)

    def step(c: Any, k: Any) -> Any:
        c = c + fxla.random.normal(k, (3,))
        return c, c

    _, got = fxla.jit(lambda keys: lax.scan(step, fnp.zeros(3), keys))(keys)
    drawn = np.array([fxla.random.normal(k, (3,)) for k in keys])
    np.testing.assert_allclose(got, np.cumsum(drawn, 0), rtol=1e-13)


def inner_loops(program: Program) -> list[For]:
    """The loops inside of the loop that a kernel is."""
    (kernel,) = [k for k in program.kernels() if k.name.startswith("scan")]
    return [s for s in walk_stmts(kernel.body) if isinstance(s, For)]


@pytest.mark.parametrize("k", [3, 4, 6, 8])
def test_short_rows_of_a_long_array_are_lanes(k: int) -> None:
    """A history of 20 rows of k is rolled, and reduced along its columns."""

    def f(history: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            top = fnp.log(fnp.sum(fnp.exp(h * 0.1 + x), axis=0))
            return fnp.concatenate([top[None], h[:-1]]), top

        return lax.scan(step, history, xs)

    history, xs = RNG.standard_normal((20, k)), RNG.standard_normal((9, k))
    program = program_of(f, history, xs)
    assert is_one_kernel(program, "scan")
    lanes = [s for s in inner_loops(program) if s.kind == "vector"]
    assert any(size_of_extent(s.extent) == k for s in lanes) == (k >= 4)
    got, h, tops = fxla.jit(f)(history, xs), history, []
    for x in xs:
        tops.append(np.log(np.exp(h * 0.1 + x).sum(0)))
        h = np.concatenate([tops[-1][None], h[:-1]])
    for g, e in zip(got, (h, np.array(tops)), strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_dear_functions_of_small_matrices_have_lanes(axis: int) -> None:
    """A forward pass of a Markov chain; sums without such functions stay in registers."""

    def f(a: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            c = fnp.log(fnp.sum(fnp.exp(fnp.expand_dims(c, 1 - axis) + a), axis)) + x
            return c, c

        return lax.scan(step, xs[0], xs[1:])[1]

    a, xs = RNG.standard_normal((6, 6)), RNG.standard_normal((9, 6))
    lanes = [s for s in inner_loops(program_of(f, a, xs)) if s.kind == "vector"]
    assert [size_of_extent(s.extent) for s in lanes] == [6]
    c, expected = xs[0], []
    for x in xs[1:]:
        c = np.log(np.exp(np.expand_dims(c, 1 - axis) + a).sum(axis)) + x
        expected.append(c)
    np.testing.assert_allclose(fxla.jit(f)(a, xs), expected, rtol=1e-12)
    cheap = lambda a, xs: lax.scan(lambda c, x: ((c + a).max(0) + x, c), xs[0], xs)[1]  # noqa: E731
    assert not any(s.kind == "vector" for s in inner_loops(program_of(cheap, a, xs)))
