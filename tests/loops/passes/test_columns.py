"""Sums over leading axes: whole, in blocks of rows, in pieces of columns, and what follows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.build import build_program
from fxla.compile.executable import executable_from
from fxla.compile.program import Program
from fxla.loops.ir import For, Kernel, Let, walk_stmts
from fxla.loops.passes import columns
from fxla.loops.passes.columns import BLOCKS, COLUMNS, MIN_BLOCK, PIECES, UNROLL, sum_columns

RNG = np.random.default_rng(0)


def kernels_of(f: Any, *args: Any) -> list[Kernel]:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr).kernels()


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9, 9), 0),
        ((700, 60), 0),
        ((2000, 10), 0),
        ((5003, 17), 0),
        ((40, 5000), 0),
        ((300, 1100), 0),
        ((33, 20, 30), 0),
        ((30, 2001, 11), 1),
        ((2, 3000, 12), 1),
        ((50, 30, 20), (0, 1)),
        ((20, 30, 4, 25), (0, 1)),
        ((64, 3, 40, 9), (0, 2)),
        ((MIN_BLOCK * BLOCKS + 1, 33), 0),
        ((10, COLUMNS * PIECES + 3), 0),
    ],
)
def test_sums(shape: tuple[int, ...], axes: Any) -> None:
    x = RNG.standard_normal(shape)
    both = lambda np, x: (np.sum(x * 2, axes), np.max(x, axes), np.exp(-np.mean(x, axes)))  # noqa: E731
    for a, b in zip(fxla.jit(lambda x: both(fnp, x))(x), both(np, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_rows_of_few_columns_are_cut_into_blocks() -> None:
    blocks, rest = kernels_of(lambda x: fnp.sum(x, 0), np.ones((5000, 20)))
    first = blocks.body[0]
    assert isinstance(first, For)
    assert first.kind == "parallel"
    assert len(rest.inputs) == 1


@pytest.mark.parametrize(("width", "at_once"), [(30, 8), (60, 4), (100, 2), (200, 1), (1000, 1)])
def test_an_array_from_memory_is_read_in_one_stream(
    width: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = RNG.standard_normal((3500, width)).astype(np.float32)
    jaxpr = fxla.make_jaxpr(lambda x: fnp.sum(x, 0))(x).jaxpr

    def rows_at_once(program: Program) -> int:
        """The most that a loop adds to its accumulator."""
        loops = [s for s in walk_stmts(program.kernels()[0].body) if isinstance(s, For)]
        return max(sum(isinstance(s, Let) for s in lp.body) for lp in loops)

    usual = build_program(jaxpr)
    monkeypatch.setattr(columns, "CACHED", x.nbytes - 1)
    streamed = build_program(jaxpr)
    assert (rows_at_once(usual), rows_at_once(streamed)) == (UNROLL, at_once)
    (expected,), (found,) = executable_from(usual)(x), executable_from(streamed)(x)
    assert found.tobytes() == expected.tobytes()
    np.testing.assert_allclose(found, x.sum(0, np.float64), rtol=1e-4, atol=1e-4)


def test_blocks_follow_from_the_shape_alone() -> None:
    """Numbers whose sum depends on the order: equal bits for any number of threads."""
    x = (RNG.standard_normal((4000, 30)) * 10.0 ** RNG.integers(-8, 8, (4000, 30))).astype(
        np.float32
    )
    once = fxla.jit(lambda x: fnp.sum(x, 0))(x)
    for _ in range(5):
        np.testing.assert_array_equal(fxla.jit(lambda x: fnp.sum(x, 0))(x), once)


def test_a_normalisation_along_columns() -> None:
    x = RNG.standard_normal((3000, 40))

    def f(np: Any, x: Any) -> Any:
        return (x - np.mean(x, 0)) / np.sqrt(np.var(x, 0) + 1e-5)

    np.testing.assert_allclose(fxla.jit(lambda x: f(fnp, x))(x), f(np, x), rtol=1e-9, atol=1e-12)


def test_weighted_sums_of_rows_walk_along_rows() -> None:
    """A weight for each row is contiguous along the rows, but does not make lanes of them."""
    x, w = RNG.standard_normal((5000, 50)), RNG.standard_normal(5000)
    f = lambda x, w: fnp.sum(x * w[:, None], 0)  # noqa: E731
    blocks, _ = kernels_of(f, x, w)
    assert "partial0" in str(blocks)
    np.testing.assert_allclose(fxla.jit(f)(x, w), w @ x, rtol=1e-9)


def test_special_values() -> None:
    x = RNG.standard_normal((2000, 12)).astype(np.float32)
    x[5, 0], x[7, 1], x[9, 2], x[11, 2] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            fxla.jit(lambda x: fnp.sum(x, 0))(x), x.astype(np.float64).sum(0), rtol=1e-4, atol=1e-4
        )
    np.testing.assert_array_equal(fxla.jit(lambda x: fnp.max(x, 0))(x), x.max(0))


def test_other_kernels_stay_as_they_are() -> None:
    (kernel,) = kernels_of(lambda x: fnp.sin(x), np.ones((30, 40)))
    assert sum_columns(kernel) is None
    assert sum_columns(Kernel("none", (), (), (), ())) is None
