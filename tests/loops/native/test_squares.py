"""Operands transposed in registers, on every instruction set, with all remainders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fxla.loops.extents import parametrise
from fxla.loops.ir import BOOL, Buffer, Expr, Index, Kernel, Load
from fxla.loops.native.isa import AVX512, Isa
from fxla.loops.native.printer import print_native
from fxla.loops.passes.tile import tile_transposed
from fxla.loops.view import binary, cast, compare, const, extent, int_const, op, select
from tests.loops.native.test_printer import call, isa
from tests.loops.passes.test_collapse import map_kernel

__all__ = ["isa"]

SHAPES = [(9, 9), (16, 16), (17, 70), (64, 130), (33, 15), (100, 9), (15, 200)]


def run(kernel: Kernel, isa: Isa, *arrays: np.ndarray) -> None:
    """Run all of a kernel; its first size is not that of the outermost loop."""
    tiled, sizes = parametrise(tile_transposed(kernel))
    (loop,) = tiled.body
    call(replace(tiled, body=(replace(loop, kind="serial"),)), isa, list(arrays), *sizes)


def array_buffer(name: str, x: np.ndarray) -> Buffer:
    return Buffer(name, x.dtype, tuple(map(extent, x.shape)))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u8", "i2", "u1", "?", "f2"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_copy(isa: Isa, dtype: str, shape: tuple[int, int]) -> None:
    n, m = shape
    x = (np.arange(n * m) % 251).reshape(m, n).astype(dtype)
    out = np.zeros(shape, dtype)
    b = array_buffer("x", x)
    kernel = map_kernel(
        lambda i: Load(x.dtype, b, (i[1], i[0])), [b], array_buffer("out", out), shape
    )
    run(kernel, isa, x, out)
    np.testing.assert_array_equal(out, x.T)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_map_of_operands_in_both_orders(isa: Isa, shape: tuple[int, int]) -> None:
    """Also one that is transposed and narrower, and one chosen by a condition."""
    n, m = shape
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((m, n)), rng.standard_normal(shape).astype("f4")
    w = rng.standard_normal((m, n)) > 0
    out = np.zeros(shape)
    bx, by, bw = array_buffer("x", x), array_buffer("y", y), array_buffer("w", w)

    def element(i):
        f8 = x.dtype
        chosen = select(Load(BOOL, bw, (i[1], i[0])), Load(f8, bx, (i[1], i[0])), const(0, f8))
        return op(
            "add",
            f8,
            op("mul", f8, Load(f8, bx, (i[1], i[0])), cast(Load(y.dtype, by, i), f8)),
            chosen,
        )

    kernel = map_kernel(element, [bx, by, bw], array_buffer("out", out), shape)
    run(kernel, isa, x, y, w, out)
    np.testing.assert_allclose(out, x.T * y + np.where(w.T, x.T, 0), rtol=1e-14, atol=1e-15)


def test_a_batch_of_them(isa: Isa) -> None:
    x, out = np.arange(3 * 20 * 30.0).reshape(3, 20, 30), np.zeros((3, 30, 20))
    b = array_buffer("x", x)
    kernel = map_kernel(
        lambda i: Load(x.dtype, b, (i[0], i[2], i[1])), [b], array_buffer("out", out), out.shape
    )
    run(kernel, isa, x, out)
    np.testing.assert_array_equal(out, x.transpose(0, 2, 1))


def test_a_load_that_only_some_rows_do(isa: Isa) -> None:
    """What a branch reads is not known in the rows after it."""
    x, out = np.arange(40 * 50.0).reshape(40, 50), np.zeros((50, 40))
    b = array_buffer("x", x)

    def element(i):
        early = compare("lt", i[0], int_const(20))
        far = binary("add", i[1], int_const(0))
        return select(early, Load(x.dtype, b, (far, i[0])), const(-1, x.dtype))

    kernel = map_kernel(element, [b], array_buffer("out", out), out.shape)
    sizes = parametrise(kernel)
    (loop,) = sizes[0].body
    call(replace(sizes[0], body=(replace(loop, kind="serial"),)), isa, [x, out], *sizes[1])
    np.testing.assert_array_equal(out, np.where(np.arange(50)[:, None] < 20, x.T, -1))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_body_of_two_transposed_operands(
    isa: Isa, dtype: str, shape: tuple[int, int]
) -> None:
    n, m = shape
    x, y = (np.arange(n * m).reshape(m, n) % k for k in (17, 23))
    z = np.arange(n * m).reshape(shape) % 5
    x, y, z = (a.astype(dtype) for a in (x, y, z))
    out = np.zeros(shape, dtype)
    buffers = [array_buffer(name, a) for name, a in (("x", x), ("y", y), ("z", z))]

    def element(i: tuple[Index, ...]) -> Expr:
        a, b = (Load(x.dtype, buffer, (i[1], i[0])) for buffer in buffers[:2])
        c: Expr = Load(x.dtype, buffers[2], i)
        for _ in range(12):
            c = op("sub", x.dtype, op("mul", x.dtype, op("sub", x.dtype, a, b), b), c)
        return op("add", x.dtype, c, a)

    kernel = map_kernel(element, buffers, array_buffer("out", out), shape)
    run(kernel, isa, x, y, z, out)
    np.testing.assert_array_equal(out, z + x.T)
    text = print_native(parametrise(tile_transposed(kernel))[0], isa)
    assert text.count('call void @"fxla.tiles.square') == 2
    assert len(text.splitlines()) < 400


def test_squares_need_no_gather() -> None:
    b, out = (Buffer(n, np.dtype("f4"), (extent(100), extent(100))) for n in ("x", "out"))
    kernel = map_kernel(lambda i: Load(b.dtype, b, (i[1], i[0])), [b], out, (100, 100))
    text = print_native(parametrise(tile_transposed(kernel))[0], AVX512)
    assert "fxla.tiles.square.f32" in text
