"""From jaxprs to instructions: copies, loops, branches, library calls, shared kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.build import build_program, int_value, with_array_outputs
from fxla.compile.program import (
    Branch,
    Copy,
    Gemm,
    HostCall,
    Launch,
    Loop,
    Program,
    WhileLoop,
    walk_instructions,
)  # fmt: skip
from fxla.errors import InternalError
from fxla.loops.view import binary, extent, fresh_index, int_const

X = np.arange(12.0).reshape(3, 4)


def program_of(f: Any, *args: Any, **options: Any) -> Program:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr, **options)


def kinds(program: Program) -> list[type]:
    return [type(i) for i in walk_instructions(program.body)]


def test_every_kernel_is_told_once_and_no_other() -> None:
    """Also those of loops, whose trial as one kernel may be given up; equal ones are one."""

    def f(x: Any, w: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            return fnp.tanh(h @ w + row), (h * 2).sum()

        h, sums = lax.scan(step, fnp.zeros(300), x @ w)
        small = lax.fori_loop(0, 5, lambda _, y: fnp.sin(y), x[0, :3])
        return h, sums, small, fnp.tanh(x), fnp.tanh(x + 1), fnp.tanh(x[:7])

    told: dict[str, Any] = {}
    program = program_of(
        f, np.ones((20, 300)), np.ones((300, 300)), made=lambda k, key: told.update({key: k})
    )
    assert [id(k) for k in told.values()] == [id(k) for k in program.kernels()]
    assert [program.keys[id(k)] for k in program.kernels()] == list(told)
    assert len(told) > 4


def test_arguments_that_are_results_are_copied() -> None:
    program = program_of(lambda x, y: (y, x, x), X, X)
    assert kinds(program) == [Copy] * 3
    assert program.arena == 0


def test_results_are_written_in_place() -> None:
    program = program_of(lambda x: (fnp.sin(x), x.sum()), X)
    assert Copy not in kinds(program)
    assert program.arena == 0
    assert {p.buffer for i in program.body for p in i.args[-i.n_outputs :]} == set(program.outputs)  # type: ignore[attr-defined]


def test_constant_results() -> None:
    f = fxla.jit(lambda x: (1, 2.5, True, x, 1j, np.float32(0.1)))
    out = f(X)
    assert [o.dtype.name for o in out] == [
        "int64", "float64", "bool", "float64", "complex128", "float32",
    ]  # fmt: skip
    assert [complex(o) for o in (*out[:3], *out[4:])] == [1, 2.5, True, 1j, np.float32(0.1)]
    jaxpr = fxla.make_jaxpr(lambda x: x)(1.0).jaxpr
    assert with_array_outputs(jaxpr) is jaxpr


def test_control_flow_is_instructions() -> None:
    def f(x: Any) -> Any:
        a = lax.scan(lambda c, y: (fnp.sort(c + y), c), x[0], x)[0]
        b = lax.while_loop(lambda c: c.sum() < 99, lambda c: fnp.sort(c * 2 + 1), a)
        return lax.cond(b.sum() > 0, fnp.sort, fnp.cos, b)

    program = program_of(f, X)
    assert [k for k in kinds(program) if k in (Loop, WhileLoop, Branch)] == [
        Loop,
        WhileLoop,
        Branch,
    ]
    (loop,) = [i for i in program.body if isinstance(i, Loop)]
    assert (loop.length, loop.reverse) == (3, False)
    (branch,) = [i for i in program.body if isinstance(i, Branch)]
    assert len(branch.branches) == 2


def test_library_calls() -> None:
    square = np.ones((64, 64))
    assert kinds(program_of(lambda a: a @ a, square)) == [Gemm]
    assert kinds(program_of(lambda a: a @ a, square, use_library=False)) == [Launch]
    calls = [i for i in program_of(fnp.linalg.inv, square).body if isinstance(i, HostCall)]
    assert calls
    assert all(c.name for c in calls)


@pytest.mark.parametrize("n", [4, 12])
def test_a_loop_around_products_of_matrices_is_a_kernel_only_if_they_are_small(n: int) -> None:
    """Tiles compute what they serve faster than the loops of a merged kernel."""
    w = np.ones((n, n))
    step = lambda c, _: (fnp.tanh(c @ w), None)  # noqa: E731
    program = program_of(lambda c: lax.scan(step, c, None, length=9)[0], w, tiles=True)
    assert (Loop in kinds(program)) == (n == 12)


def test_a_constant_of_a_loop_is_transposed_before_it() -> None:
    w = np.ones((12, 20))
    c = np.ones((4, 12))

    def run(c: Any, w: Any) -> Any:
        return lax.scan(lambda c, _: (c + fnp.tanh(c @ w) @ w.T, None), c, None, length=9)[0]

    program = program_of(run, c, w, tiles=True)
    (at,) = [k for k, i in enumerate(program.body) if isinstance(i, Loop)]
    before = [i.kernel.name for i in program.body[:at] if isinstance(i, Launch)]
    loop = program.body[at]
    assert isinstance(loop, Loop)
    inside = [i.kernel.name for i in walk_instructions(loop.body) if isinstance(i, Launch)]
    assert any("transpose" in name for name in before)
    assert not any("transpose" in name for name in inside)


def test_equal_loop_nests_are_one_kernel() -> None:
    """Whatever the sizes are."""
    f = lambda a, b, c: (fnp.sort(fnp.sin(a)), fnp.sort(fnp.sin(b)), fnp.sort(fnp.sin(c)))  # noqa: E731
    program = program_of(f, np.ones(7500), np.ones(7000), np.ones(8000))
    launches = [i for i in program.body if isinstance(i, Launch)]
    assert len(launches) == 6
    assert [k.name for k in program.kernels()] == ["sin", "sort"]


def test_operands_of_loops_that_are_numbers() -> None:
    """A literal, and a number that is loaded, as consts, carries and predicates."""
    f = lambda x: lax.scan(lambda c, y: (c * 0.3 + y, c), 0.7, x)  # noqa: E731
    got = fxla.jit(f)(np.arange(3.0))
    c, ys = 0.7, []
    for y in range(3):
        ys.append(c)
        c = c * 0.3 + y
    np.testing.assert_allclose(got[0], c)
    np.testing.assert_allclose(got[1], ys)
    g = fxla.jit(lambda: lax.while_loop(lambda c: c < 100.5, lambda c: c * 1.7, 0.1))
    np.testing.assert_allclose(g(), 0.1 * 1.7 ** np.ceil(np.log(1005) / np.log(1.7)))
    h = fxla.jit(lambda: lax.cond(True, lambda x, y: x + y, lambda x, y: x - y, 0.1, 1000))
    np.testing.assert_allclose(h(), 1000.1)


def test_extents_of_parallel_loops() -> None:
    n = binary(
        "floordiv", binary("add", binary("mul", extent(10), int_const(3)), extent(7)), int_const(4)
    )
    assert int_value(n) == 9
    with pytest.raises(InternalError, match="arithmetic on sizes"):
        int_value(fresh_index())
