"""What becomes one kernel: siblings, rows, epilogues of reductions, column sums, unit axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.fusion.schedule import ALIKE
from fxla.compile.program import Launch, Program
from fxla.control.programs import executable_of
from fxla.loops.extents import canonical
from fxla.loops.ir import For, Op, walk_stmts
from fxla.loops.python.source import python_source
from fxla.loops.rewrite import all_exprs

RNG = np.random.default_rng(0)


def program_of(f: Any, *args: Any) -> Program:
    """The program; its results are those of NumPy's functions."""
    closed = fxla.make_jaxpr(f)(*args)
    run = executable_of(closed.jaxpr)
    got = run(*closed.consts, *fxla.tree.leaves(args))
    for a, b in zip(got, fxla.tree.leaves(f(*args)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    return run.program


def n_kernels(f: Any, *args: Any) -> int:
    return len(program_of(f, *args).kernels())


def text(program: Program) -> str:
    return "\n\n".join(str(canonical(k)) for k in program.kernels())


X = RNG.standard_normal((40, 300))
LARGE = RNG.standard_normal((100, 300))


def softmax(x: Any) -> Any:
    e = fnp.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x: Any, g: Any, b: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / fnp.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) * g + b


def test_elementwise_chains_are_one_kernel(accepted: Any) -> None:
    program = program_of(lambda x: fnp.exp(-(x**2)) * 2 + fnp.sin(x), X)
    assert len(program.kernels()) == 1
    accepted.check("schedule_map", text(program))


def test_siblings_share_a_kernel_and_their_work() -> None:
    f = lambda x: (fnp.exp(x) + 1, fnp.exp(x) * 2, x - 1)  # noqa: E731
    program = program_of(f, LARGE)
    (kernel,) = program.kernels()
    assert len(kernel.outputs) == 3
    assert python_source(kernel).source.count("math.exp(") == 1  # printers share what is equal


def test_small_strangers_share_a_kernel_and_large_ones_do_not() -> None:
    f = lambda a, b: (fnp.sin(a), fnp.cos(b))  # noqa: E731
    assert n_kernels(f, np.ones(50), np.ones(50)) == 1
    assert n_kernels(f, np.ones(5000), np.ones(5000)) == 2


def launches(program: Program) -> int:
    return sum(isinstance(i, Launch) for i in program.body)


def test_many_values_alike_are_calls_of_one_kernel() -> None:
    """A tree of equal leaves: a kernel for some of them, called again for the others."""
    leaves = [RNG.standard_normal(10) for _ in range(4 * ALIKE)]
    program = program_of(lambda *xs: [x + 1 for x in xs], *leaves)
    (kernel,) = program.kernels()
    assert (len(kernel.outputs), launches(program)) == (ALIKE, 4)

    def update(*xs: Any) -> Any:
        half = len(xs) // 2
        moved = [0.9 * m + g for m, g in zip(xs[:half], xs[half:], strict=True)]
        return moved, [g - 0.1 * m for m, g in zip(moved, xs[half:], strict=True)]

    assert len(program_of(update, *leaves).kernels()) == 1


def test_many_values_alike_that_share_an_operand_or_are_numbers_are_one_call() -> None:
    n = 2 * ALIKE
    program = program_of(lambda x: [x + k for k in range(n)], X[0])
    assert (len(program.kernels()), launches(program)) == (1, 1)
    program = program_of(lambda *xs: [x + 1 for x in xs], *X[0, :n])
    assert (len(program.kernels()), launches(program)) == (1, 1)


def test_what_values_of_a_kernel_share_is_one_expression() -> None:
    (kernel,) = program_of(lambda x: [(x * x + 1) * k for k in (2.0, 3.0, 4.0)], X).kernels()
    names = [e.name for e in all_exprs(kernel.body) if isinstance(e, Op) and e.dtype == X.dtype]
    assert sorted(names) == ["add", "mul", "mul", "mul", "mul"]


def test_softmax_is_one_kernel_over_rows(accepted: Any) -> None:
    program = program_of(softmax, X)
    assert len(program.kernels()) == 1
    accepted.check("schedule_softmax", text(program))


def test_rows_of_several_axes_are_parallel() -> None:
    (kernel,) = program_of(softmax, X.reshape(4, 10, 300)).kernels()
    first = kernel.body[0]
    assert isinstance(first, For)
    assert first.kind == "parallel"
    assert sum(isinstance(s, For) for s in walk_stmts(kernel.body)) == 4  # rows, and three in each


def test_layer_norm_is_one_kernel(accepted: Any) -> None:
    program = program_of(layer_norm, X, np.ones(300), np.zeros(300))
    assert len(program.kernels()) == 1
    accepted.check("schedule_layer_norm", text(program))


def test_what_follows_a_reduction_is_computed_with_it() -> None:
    assert n_kernels(lambda x: fnp.sqrt((x * x).sum(1)) + 1, X) == 1
    assert n_kernels(lambda x: (x.sum(1), x.max(1), (x * x).sum(1) * 2), X) == 1


def test_what_follows_many_short_rows_has_lanes_of_its_own() -> None:
    def log_sum(x: Any) -> Any:
        return fnp.log(fnp.sum(fnp.exp(x), 1))

    def of_rows(n: int, width: int) -> Any:
        return RNG.standard_normal((n, width))

    assert n_kernels(log_sum, of_rows(128, 60)) == 2
    assert n_kernels(log_sum, of_rows(20, 60)) == 1
    assert n_kernels(log_sum, of_rows(128, 1000)) == 1  # no shorter than what follows
    assert n_kernels(lambda x: 2 * fnp.sum(x, 1), of_rows(4096, 60)) == 1  # little follows
    assert n_kernels(softmax, of_rows(128, 60)) == 1  # the rows read it
    both = lambda x: (log_sum(x), x - log_sum(x)[:, None])  # noqa: E731
    assert n_kernels(both, of_rows(128, 60)) == 1


def test_what_follows_a_row_has_lanes_whatever_its_unit_axes() -> None:
    def found(x: Any, knots: Any) -> Any:
        where = fnp.sum(x[..., None] >= knots, -1)[..., None]
        return fnp.sqrt(where * 2.0 + fnp.sin(where * 0.5) ** 2)

    assert n_kernels(found, RNG.standard_normal((50, 5)), np.linspace(-1, 1, 11)) == 2


def test_column_sums_keep_rows_in_cache(accepted: Any) -> None:
    program = program_of(lambda x: (x * x).sum(0), LARGE)
    assert len(program.kernels()) == 1
    accepted.check("schedule_columns", text(program))


def test_sums_down_and_along_a_large_array_do_not_share_a_kernel() -> None:
    square = RNG.standard_normal((300, 300))
    for f in (lambda x: x.sum(0) + x.sum(1), lambda x: x.sum(1) - x.sum(0)):
        found = text(program_of(f, square))
        assert "alloc column0" in found  # rows of it stay whole
    pairs = RNG.standard_normal((170, 170, 3))
    found = text(program_of(lambda x: (x * 2).sum(0) - (x * 3).sum(1), pairs))
    assert "alloc column0" in found


@pytest.mark.parametrize("shape", [(300, 300, 3), (900, 30, 2, 5)])
def test_columns_are_those_of_all_axes_that_stay(shape: tuple[int, ...]) -> None:
    assert "alloc column0" in text(program_of(lambda x: x.sum(0), RNG.standard_normal(shape)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("axis", [0, 1])
def test_sums_of_small_floats_do_not_stall(dtype: str, axis: int) -> None:
    """4096 + 1 is 4096 in float16: the accumulator is a float32 along either axis."""
    x = fnp.ones((4096, 9), dtype) if axis == 0 else fnp.ones((9, 4096), dtype)
    total = fxla.jit(lambda x: lax.reduce_sum(x, (axis,)))(x)
    assert total.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(total, np.float32), np.full(9, 4096.0))


def test_unit_axes_need_no_loop() -> None:
    program = program_of(lambda x: (x - x.mean(1, keepdims=True)) * 2, X)
    assert len(program.kernels()) == 1
    inner = program_of(lambda x: fnp.sin(x), X.reshape(40, 1, 300, 1))
    (kernel,) = inner.kernels()
    assert sum(isinstance(s, For) for s in walk_stmts(kernel.body)) == 1


def test_a_value_read_at_another_place_ends_the_group() -> None:
    """A cumulative shift needs neighbours: stored first, read by another kernel or recomputed."""

    def f(x: Any) -> Any:
        y = fnp.exp(fnp.sin(x) * fnp.cos(x))
        return y, y[::-1] + y

    program_of(f, LARGE)  # the values are checked
    program_of(lambda x: (x.sum(1), x.sum(1)[::-1] + 1), X)
    program_of(lambda x: softmax(x)[:, ::-1] + softmax(softmax(x)), X)
    program_of(lambda x: softmax(x).T @ softmax(x.T), X[:, :40])


def test_empty_arrays() -> None:
    program_of(lambda x: (x + 1, x.sum(0), x.sum(1), fnp.prod(x, 0)), np.ones((0, 3)))
    program_of(lambda x: (x * 2, x.sum(0), x.sum(1)), np.ones((3, 0)))


@pytest.mark.parametrize("seed", range(12))
def test_random_mixtures(seed: int) -> None:
    """Maps, reductions along either axis, broadcasts, flips and products of what came before."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((9, 11))

    def f(x: Any) -> Any:
        pick = np.random.default_rng(seed)
        pool = [x]
        for _ in range(9):
            a, b = (pool[pick.integers(len(pool))] for _ in range(2))
            match pick.integers(8):
                case 0:
                    pool.append(fnp.sin(a) + b)
                case 1:
                    pool.append(a - a.max(1, keepdims=True))
                case 2:
                    pool.append(b * a.mean(0))
                case 3:
                    pool.append(a[::-1] - b)
                case 4:
                    pool.append(fnp.tanh(a @ b.T) @ a * 0.1)
                case 5:
                    pool.append(fnp.roll(a, 2, 1) + fnp.exp(-(b**2)))
                case 6:
                    pool.append(fnp.where(a > 0, b, a.sum()))
                case 7:
                    pool.append(a / (1 + fnp.sqrt((b * b).sum(1, keepdims=True))))
        return pool[1:]

    program_of(f, x)
