"""Contractions in chunks and tiles: NumPy's sums, for every size of block, layout and machine."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np
import pytest

from fxla.compile.backend.native import compile_native, host_isa
from fxla.compile.build import int_value
from fxla.errors import InternalError
from fxla.loops.check import check_kernel
from fxla.loops.contraction import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    block_contraction,
    chunk_shape,
    contraction_of,
)
from fxla.loops.extents import canonical, parametrise
from fxla.loops.ir import (
    INDEX,
    Assign,
    Buffer,
    Const,
    Expr,
    For,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    walk_stmts,
)
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.native.tiles import TILE_BYTES, tile_shape
from fxla.loops.tile_kinds import tile_kind
from fxla.loops.view import binary, extent, int_const

RNG = np.random.default_rng(0)
Y, X, K, L, G = (Index(INDEX, n) for n in "ijklg")


def array(name: str, dtype: Any, *shape: int) -> Buffer:
    return Buffer(name, np.dtype(dtype), tuple(extent(n) for n in shape))


def nest(
    loops: list[tuple[Index, int]],
    levels: list[tuple[Index, int]],
    left: Load,
    right: Load,
    out: Buffer,
    extra: tuple[Buffer, ...] = (),
    after: Any = None,
) -> Kernel:
    """Plain loops around a sum of products; `after` makes of the sum what is stored."""
    dtype = left.dtype
    total = Local(dtype, "sum")
    inner: tuple[Stmt, ...] = (
        Assign(total, Op(dtype, "add", (total, Op(dtype, "mul", (left, right))))),
    )
    for index, n in reversed(levels):
        inner = (For(index, extent(n), inner),)
    stored: Expr = total if after is None else after(total)
    where = tuple(index for index, _ in loops)
    body: tuple[Stmt, ...] = (
        Let(total, Const(dtype, dtype.type(0)), True),
        *inner,
        Store(out, where, stored),
    )
    for index, n in reversed(loops):
        body = (For(index, extent(n), body),)
    return Kernel("product", (left.buffer, right.buffer, *extra), (out,), (), body)


def machines() -> list[Any]:
    """This machine, and the lesser ones that it can run."""
    host = host_isa()
    found = [host]
    if host.vector_bytes >= 64:
        found.append(AVX512)
    if host.vector_bytes >= 32:
        found.append(AVX2)
    found.append(BASELINE)
    return [pytest.param(isa, id=f"{k}-{isa.name}") for k, isa in enumerate(found)]


def run(plain: Kernel, isa: Isa, out: Any, *inputs: Any, ranges: int = 1) -> Any:
    blocked = block_contraction(plain)
    assert blocked is not None
    (chunks,) = blocked.body
    assert isinstance(chunks, For)
    count = int_value(chunks.extent)
    kernel, sizes = parametrise(canonical(blocked))
    check_kernel(kernel)
    address = compile_native(kernel, isa).address
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    args = np.array([*(a.ctypes.data for a in (*inputs, out)), *sizes], np.int64)
    edges = [count * k // ranges for k in range(ranges + 1)]
    for begin, end in itertools.pairwise(edges):
        function(args.ctypes.data, begin, end)
    return out


def product(m: int, n: int, k: int, dtype: Any, turned: bool = False, **options: Any) -> Kernel:
    a = array("a", dtype, *((k, m) if turned else (m, k)))
    b, out = array("b", dtype, k, n), array("out", dtype, m, n)
    left = Load(a.dtype, a, (K, Y) if turned else (Y, K))
    right = Load(a.dtype, b, (K, X))
    return nest([(Y, m), (X, n)], [(K, k)], left, right, out, **options)


def whole(*shape: int, dtype: Any = "f8") -> Any:
    """Integers, whose products are summed exactly, or wrap around as NumPy's do."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return RNG.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    return RNG.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("isa", machines())
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u8"])
def test_products_of_every_remainder(isa: Isa, dtype: str) -> None:
    """Rows and columns one around every tile, and what is left of them."""
    kind = tile_kind(np.dtype(dtype), np.dtype(dtype))
    assert kind is not None
    shape = tile_shape(isa, kind)
    rows = [1, 2, 3, shape.rows - 1, shape.rows, shape.rows + 1, 2 * shape.rows + 3]
    lanes = shape.lanes
    columns = [1, lanes - 1, lanes, lanes + 1, 2 * lanes + 1, 100]
    for m in rows:
        for n in columns:
            k = int(RNG.integers(1, 40))
            a, b = whole(m, k, dtype=dtype), whole(k, n, dtype=dtype)
            got = run(product(m, n, k, dtype), isa, np.full((m, n), 77, dtype), a, b)
            np.testing.assert_array_equal(got, a @ b)


@pytest.mark.parametrize("isa", machines())
@pytest.mark.parametrize(
    ("m", "n", "k"),
    [
        (70, 70, 1100),  # terms in blocks, the last of them short
        (60, 1100, 600),  # columns packed, rows laid apart on some machines
        (61, 33, 1024),  # rows at the distance of a power of two
        (300, 20, 50),  # several chunks of rows
        (533, 70, 300),  # columns far apart, turned for two blocks of rows where they fit
    ],
)
@pytest.mark.parametrize("turned", ["f8", "f8 turned", "f4 turned", "i4", "i8 turned"])
def test_products_whose_operands_are_moved(isa: Isa, m: int, n: int, k: int, turned: str) -> None:
    dtype = turned[:2]
    a, b = whole(m, k, dtype=dtype), whole(k, n, dtype=dtype)
    stored = np.ascontiguousarray(a.T) if "turned" in turned else a
    kernel = product(m, n, k, dtype, "turned" in turned)
    got = run(kernel, isa, np.full((m, n), 77, dtype), stored, b, ranges=3)
    np.testing.assert_array_equal(got, a @ b)


@pytest.mark.parametrize("isa", machines())
def test_the_epilogue_reads_what_it_likes(isa: Isa) -> None:
    m, n, k = 37, 75, 12
    bias, weight = array("bias", "f4", n), array("weight", "f4", m, n)

    def after(total: Expr) -> Expr:
        f4 = np.dtype("f4")
        shifted = Op(f4, "add", (total, Load(f4, bias, (X,))))
        return Op(f4, "sub", (Load(f4, weight, (Y, X)), Op(f4, "maximum", (shifted, shifted))))

    kernel = product(m, n, k, "f4", extra=(bias, weight), after=after)
    a, b, c, w = (whole(*s, dtype="f4") for s in ((m, k), (k, n), (n,), (m, n)))
    got = run(kernel, isa, np.full((m, n), np.nan, "f4"), a, b, c, w)
    np.testing.assert_array_equal(got, w - (a @ b + c))


def test_a_shifted_view_is_a_left_operand() -> None:
    """A convolution: out[g, i, j] = sum over k, l of x[g, i + k, l] * w[k, l, j]."""
    x, w, out = (
        array("x", "f8", 3, 30, 5),
        array("w", "f8", 4, 5, 21),
        array("out", "f8", 3, 27, 21),
    )
    left = Load(x.dtype, x, (G, binary("add", Y, K), L))
    right = Load(x.dtype, w, (K, L, X))
    kernel = nest([(G, 3), (Y, 27), (X, 21)], [(K, 4), (L, 5)], left, right, out)
    xs, ws = whole(3, 30, 5), whole(4, 5, 21)
    want = sum(xs[:, k : k + 27] @ ws[k] for k in range(4))
    got = run(kernel, host_isa(), np.full((3, 27, 21), np.nan), xs, ws)
    np.testing.assert_array_equal(got, want)


def test_three_levels_and_a_step() -> None:
    """out[i, j] = sum over g, k, l of x[g, k, 2 i, l] * w[g, l, k, j]: no two levels are one."""
    x, w = array("x", "f8", 3, 4, 20, 6), array("w", "f8", 3, 6, 4, 9)
    out = array("out", "f8", 10, 9)
    left = Load(x.dtype, x, (G, K, binary("mul", Y, int_const(2)), L))
    right = Load(x.dtype, w, (G, L, K, X))
    kernel = nest([(Y, 10), (X, 9)], [(G, 3), (K, 4), (L, 6)], left, right, out)
    xs, ws = whole(3, 4, 20, 6), whole(3, 6, 4, 9)
    got = run(kernel, host_isa(), np.full((10, 9), np.nan), xs, ws)
    np.testing.assert_array_equal(got, np.einsum("gkil,glkj->ij", xs[:, :, ::2], ws))


@pytest.mark.parametrize("levels", [3, 4])
def test_the_last_two_of_many_levels_are_one(levels: int) -> None:
    """out[i, j] = sum over h, g, k, l of x[h, g, i + k, l] * w[h, g, k, l, j]."""
    counts = [(Index(INDEX, "h"), 2), (G, 3), (K, 4), (L, 6)][-levels:]
    around = [n for _, n in counts[:-2]]
    x, w = array("x", "f8", *around, 33, 6), array("w", "f8", *around, 4, 6, 37)
    outer = tuple(index for index, _ in counts[:-2])
    left = Load(x.dtype, x, (*outer, binary("add", Y, K), L))
    right = Load(x.dtype, w, (*outer, K, L, X))
    kernel = nest([(Y, 30), (X, 37)], counts, left, right, array("out", "f8", 30, 37))
    xs, ws = whole(*around, 33, 6), whole(*around, 4, 6, 37)
    windows = np.lib.stride_tricks.sliding_window_view(xs, 4, axis=-2)  # [.., i, l, k]
    want = np.einsum("gilk,gklj->ij", windows.reshape(-1, 30, 6, 4), ws.reshape(-1, 4, 6, 37))
    got = run(kernel, host_isa(), np.full((30, 37), np.nan), xs, ws)
    np.testing.assert_array_equal(got, want)


def test_what_is_no_contraction() -> None:
    m = n = k = 20
    turned = array("b", "f8", n, k)
    a, out = array("a", "f8", m, k), array("out", "f8", m, n)
    far = nest(
        [(Y, m), (X, n)], [(K, k)], Load(a.dtype, a, (Y, K)), Load(a.dtype, turned, (X, K)), out
    )
    assert block_contraction(far) is None  # lanes would not lie side by side
    divided = binary("floordiv", Y, int_const(2))
    b = array("b", "f8", k, n)
    odd = nest(
        [(Y, m), (X, n)], [(K, k)], Load(a.dtype, a, (divided, K)), Load(a.dtype, b, (K, X)), out
    )
    assert block_contraction(odd) is None  # rows at no fixed distance
    blocked = block_contraction(product(m, n, k, "f8"))
    assert blocked is not None
    tiles = [s for s in walk_stmts(blocked.body) if isinstance(s, For) and s.kind == "tile"]
    assert contraction_of(tiles[0]) is not None
    assert contraction_of(tiles[1]) is None


def test_the_checker_knows_what_tiles_are() -> None:
    out = array("out", "f8", 20)
    loop = For(Y, extent(20), (Store(out, (Y,), Const(out.dtype, 1.0)),), "tile")
    with pytest.raises(InternalError, match="no part of a contraction"):
        check_kernel(Kernel("fill", (), (out,), (), (loop,)))


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (5000, 3, 900), (17, 4000, 30), (256, 256, 256), (8, 8, 100000)]
)
@pytest.mark.parametrize("count", [1, 50])
def test_chunks_fit_their_memory(sizes: tuple[int, int, int], count: int) -> None:
    m, n, k = sizes
    rows, columns = chunk_shape(m, n, k, count, 4)
    assert 1 <= rows <= min(m, CHUNK_ROWS)
    assert 1 <= columns <= min(n, CHUNK_BYTES // 4)
    assert columns == n or columns % 32 == 0
    assert CHUNK_BYTES <= TILE_BYTES


@pytest.mark.parametrize(
    ("images", "side", "innermost"), [(48, 16, 16), (6, 16, 16), (48, 4, 48), (5, 4, 5)]
)
def test_a_kernel_s_derivative_is_summed_along_places(
    images: int, side: int, innermost: int
) -> None:
    """Not along images, whose elements lie far apart, unless places are few."""
    x = array("x", "f4", images, side + 2, side + 2, 7)
    dz = array("dz", "f4", images, side, side, 24)
    at = Load(x.dtype, x, (G, binary("add", Index(INDEX, "p"), K), L, Y))
    product = nest(
        [(Index(INDEX, "p"), 3), (Y, 7), (X, 24)], [(K, side), (L, side), (G, images)],
        at, Load(dz.dtype, dz, (G, K, L, X)), array("out", "f4", 3, 7, 24),
    )  # fmt: skip
    blocked = block_contraction(product)
    assert blocked is not None
    *_, last = (s for s in walk_stmts(blocked.body) if isinstance(s, For) and s.kind == "serial")
    assert int_value(last.extent) == innermost


SHARED = [(20, 640, 160), (24, 4608, 64), (16, 1536, 128), (24, 784, 96), (16, 16, 200_000)]


@pytest.mark.parametrize("sizes", SHARED)
def test_two_threads_have_about_as_much_to_do(sizes: tuple[int, int, int]) -> None:
    m, n, depth = sizes
    rows, columns = chunk_shape(m, n, depth, 1, 4)
    chunks = [min(columns, n - at) for at in range(0, n, columns)] * -(-m // rows)
    busy = [0, 0]
    for work in chunks:
        busy[busy.index(min(busy))] += work
    assert max(busy) <= 1.1 * sum(busy) / 2
