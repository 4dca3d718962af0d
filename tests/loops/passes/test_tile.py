"""Transposed operands are walked in tiles: same values, no element outside a buffer is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.loops.check import check_kernel
from fxla.loops.extents import canonical
from fxla.loops.ir import For, Load, Select, walk_stmts
from fxla.loops.passes.tile import SHORT, TILE, blocks, tile_transposed, within
from fxla.loops.view import binary, compare, const, extent, int_const, op, select
from tests.loops.passes.test_collapse import F8, buffer, map_kernel
from tests.loops.running import run_kernel
from tests.ops.interpret import Interpreter


def loops(kernel: Any) -> int:
    return sum(isinstance(s, For) for s in walk_stmts(kernel.body))


@pytest.mark.parametrize("shape", [(16, 64), (17, 65), (5, 200), (40, 3), (1, 1), (33, 130)])
def test_a_transpose_is_tiled(shape: tuple[int, int]) -> None:
    n, m = shape
    x, y, out = buffer("x", m, n), buffer("y", n, m), buffer("out", n, m)
    kernel = map_kernel(
        lambda i: op("add", F8, Load(F8, x, (i[1], i[0])), Load(F8, y, i)), [x, y], out, shape
    )
    tiled = tile_transposed(kernel)
    check_kernel(tiled, "tiling")
    assert loops(tiled) == (4 if n > SHORT else 2)
    a, b = np.arange(float(n * m)).reshape(m, n), np.ones(shape)
    np.testing.assert_array_equal(run_kernel(tiled, a, b)[0], a.T + b)


def test_text(accepted: Any) -> None:
    x, out = buffer("x", 2, 100, 50), buffer("out", 2, 50, 100)
    kernel = map_kernel(lambda i: Load(F8, x, (i[0], i[2], i[1])), [x], out, (2, 50, 100))
    accepted.check("tile_transposed", str(canonical(tile_transposed(kernel))))


def test_an_operand_used_twice() -> None:
    x, out = buffer("x", 20, 30), buffer("out", 30, 20)
    kernel = map_kernel(
        lambda i: op("mul", F8, Load(F8, x, (i[1], i[0])), Load(F8, x, (i[1], i[0]))),
        [x], out, (30, 20),
    )  # fmt: skip
    tiled = tile_transposed(kernel)
    a = np.arange(600.0).reshape(20, 30)
    np.testing.assert_array_equal(run_kernel(tiled, a)[0], (a * a).T)


def test_what_is_not_transposed_stays() -> None:
    x, out = buffer("x", 20, 30), buffer("out", 20, 30)
    kernel = map_kernel(lambda i: Load(F8, x, i), [x], out, (20, 30))
    assert tile_transposed(kernel) is kernel


def test_a_short_axis_is_written_out() -> None:
    """Every lane reads a record of three: as whole vectors, if the axis is the last."""
    x, out = buffer("x", 40, 3), buffer("out", 3, 40)
    kernel = tile_transposed(map_kernel(lambda i: Load(F8, x, (i[1], i[0])), [x], out, (3, 40)))
    (outer,) = kernel.body
    assert isinstance(outer, For) and isinstance(outer.body[0], For)
    assert outer.body[0].kind == "unroll"
    a = np.arange(120.0).reshape(40, 3)
    np.testing.assert_array_equal(run_kernel(kernel, a)[0], a.T)


def test_a_guarded_load_is_not_copied_whole() -> None:
    """``pad(x).transpose``: axis 0 is read at i - 1, which is inside only where the guard holds."""
    x, out = buffer("x", 2, 20, 30), buffer("out", 4, 30, 20)

    def element(i: Any) -> Select:
        at = binary("sub", i[0], int_const(1))
        inside = op("and", np.dtype(bool), compare("ge", at, int_const(0)),
                    compare("lt", at, int_const(2)))  # fmt: skip
        loaded = select(inside, Load(F8, x, (at, i[2], i[1])), const(0.0, F8))
        assert isinstance(loaded, Select)
        return loaded

    kernel = tile_transposed(map_kernel(element, [x], out, (4, 30, 20)))
    a = np.arange(1200.0).reshape(2, 20, 30)
    want = np.pad(a, ((1, 1), (0, 0), (0, 0))).transpose(0, 2, 1)
    np.testing.assert_array_equal(run_kernel(kernel, a)[0], want)  # strict about places


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 32, 100])
def test_blocks_cover_exactly(n: int) -> None:
    machine = Interpreter()
    count = int(machine.value(blocks(extent(n), TILE)))
    sizes = [int(machine.value(within(extent(n), int_const(b), TILE))) for b in range(count)]
    assert sum(sizes) == n
    assert all(0 < s <= TILE for s in sizes)
