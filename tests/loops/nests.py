"""Kernels built by hand, each with what it should compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxla.loops.ir import (
    BOOL,
    Alloc,
    Assign,
    Buffer,
    Cast,
    For,
    If,
    Kernel,
    Let,
    Load,
    Store,
    While,
)
from fxla.loops.view import (
    binary,
    compare,
    const,
    extent,
    fresh_index,
    fresh_local,
    int_const,
    op,
    select,
)
from tests.loops.scalar_cases import BFLOAT16, FLOAT16

F4, F8, I4, I8 = (np.dtype(t) for t in ("float32", "float64", "int32", "int64"))
C8 = np.dtype("complex64")


@dataclass(frozen=True)
class Nest:
    """A kernel with literal extents, its arguments, and what it should give."""

    kernel: Kernel
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def _buffer(name, array):
    return Buffer(name, array.dtype, tuple(extent(n) for n in array.shape))


def _kernel(name, inputs, outputs, body):
    return Kernel(name, tuple(inputs), tuple(outputs), (), tuple(body))


def _draw(shape, dtype=F4, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return (x + 1j * x[..., ::-1]).astype(dtype) if dtype.kind == "c" else x.astype(dtype)


def row_map(n, m, dtype=F4):
    """``x * y + sin(x)`` over rows, with `y` broadcast."""
    x, y = _draw((n, m), dtype), _draw((m,), dtype, 1)
    bx, by = _buffer("x", x), _buffer("y", y)
    wide = np.float32 if dtype in (BFLOAT16, FLOAT16) else dtype
    want = (x.astype(wide) * y.astype(wide) + np.sin(x.astype(wide))).astype(dtype)
    out = _buffer("out", want)
    i, j = fresh_index(), fresh_index()
    a = Load(dtype, bx, (i, j))
    e = op("add", dtype, op("mul", dtype, a, Load(dtype, by, (j,))), op("sin", dtype, a))
    inner = For(j, extent(m), (Store(out, (i, j), e),), "vector")
    loop = For(i, extent(n), (inner,), "parallel")
    return Nest(_kernel("row_map", [bx, by], [out], [loop]), (x, y), (want,))


def logical(n):
    """``(x < 0) ^ flag`` on booleans in memory."""
    x, flag = _draw((n,)), np.arange(n) % 3 == 0
    bx, bf = _buffer("x", x), _buffer("flag", flag)
    want = (x < 0) ^ flag
    out = _buffer("out", want)
    i = fresh_index()
    e = op("xor", BOOL, compare("lt", Load(F4, bx, (i,)), const(0, F4)), Load(BOOL, bf, (i,)))
    loop = For(i, extent(n), (Store(out, (i,), e),), "parallel")
    return Nest(_kernel("logical", [bx, bf], [out], [loop]), (x, flag), (want,))


def transpose(n, m):
    """Axes swapped."""
    x = _draw((n, m))
    bx, out = _buffer("x", x), Buffer("out", F4, (extent(m), extent(n)))
    i, j = fresh_index(), fresh_index()
    inner = For(j, extent(n), (Store(out, (i, j), Load(F4, bx, (j, i))),))
    loop = For(i, extent(m), (inner,), "parallel")
    return Nest(_kernel("transpose", [bx], [out], [loop]), (x,), (x.T.copy(),))


def total(n, kind="vector", dtype=F8):
    """A full reduction: no outer parallel loop."""
    x = _draw((n,), dtype)
    bx, out = _buffer("x", x), Buffer("out", dtype, ())
    i, t = fresh_index(), fresh_local(dtype)
    loop = For(i, extent(n), (Assign(t, op("add", dtype, t, Load(dtype, bx, (i,)))),), kind)
    body = [Let(t, const(0, dtype), True), loop, Store(out, (), t)]
    return Nest(_kernel("total", [bx], [out], body), (x,), (np.sum(x, dtype=dtype).reshape(()),))


def row_softmax(n, m):
    """Two reductions and a map for each row."""
    x = _draw((n, m))
    e = np.exp(x - x.max(1, keepdims=True, initial=-np.inf))
    want = (e / e.sum(1, keepdims=True)).astype(F4)
    bx, out = _buffer("x", x), _buffer("out", want)
    i, j, k, last = (fresh_index() for _ in range(4))
    top, s = fresh_local(F4), fresh_local(F4)

    def shifted(j):
        return op("exp", F4, op("sub", F4, Load(F4, bx, (i, j)), top))

    body = (
        Let(top, const(-np.inf, F4), True),
        For(j, extent(m), (Assign(top, op("maximum", F4, top, Load(F4, bx, (i, j)))),), "vector"),
        Let(s, const(0, F4), True),
        For(k, extent(m), (Assign(s, op("add", F4, s, shifted(k))),), "vector"),
        For(last, extent(m), (Store(out, (i, last), op("div", F4, shifted(last), s)),), "vector"),
    )
    loop = For(i, extent(n), body, "parallel")
    return Nest(_kernel("row_softmax", [bx], [out], [loop]), (x,), (want,))


def column_sums(n, m):
    """A reduction over axis 0, by columns."""
    x = _draw((n, m))
    bx, out = _buffer("x", x), Buffer("out", F4, (extent(m),))
    i, j, t = fresh_index(), fresh_index(), fresh_local(F4)
    body = (
        Let(t, const(0, F4), True),
        For(i, extent(n), (Assign(t, op("add", F4, t, Load(F4, bx, (i, j)))),), "serial"),
        Store(out, (j,), t),
    )
    loop = For(j, extent(m), body, "parallel")
    want = x.sum(0, dtype=np.float64).astype(F4)
    return Nest(_kernel("column_sums", [bx], [out], [loop]), (x,), (want,))


def shifted(n):
    """Zero-padded neighbours: loads that must not happen outside the buffer."""
    x = _draw((n,))
    bx, out = _buffer("x", x), Buffer("out", F4, (extent(n),))
    i = fresh_index()
    before = Load(F4, bx, (binary("sub", i, int_const(1)),))
    inside = compare("ge", i, int_const(1))
    squared = op("mul", F4, op("exp", F4, before), op("exp", F4, before))
    e = op("add", F4, select(inside, squared, const(0, F4)), Load(F4, bx, (i,)))
    loop = For(i, extent(n), (Store(out, (i,), e),), "parallel")
    want = x.copy()
    want[1:] += np.exp(x[:-1]) ** 2
    return Nest(_kernel("shifted", [bx], [out], [loop]), (x,), (want,))


def scatter_add(n, size):
    """Fill, then add by index, those out of bounds dropped: two serial loops after each other."""
    rng = np.random.default_rng(3)
    where, x = rng.integers(-2, size + 2, n), _draw((n,), F8)
    bi, bx = _buffer("where", where), _buffer("x", x)
    out = Buffer("out", F8, (extent(size),))
    i, j, k = fresh_index(), fresh_index(), fresh_local(I8)
    inside = op("and", BOOL, compare("ge", k, int_const(0)), compare("lt", k, extent(size)))
    add = Store(out, (k,), op("add", F8, Load(F8, out, (k,)), Load(F8, bx, (j,))))
    body = [
        For(i, extent(size), (Store(out, (i,), const(0, F8)),), "serial"),
        For(j, extent(n), (Let(k, Load(I8, bi, (j,))), If(inside, (add,))), "serial"),
    ]
    want = np.zeros(size)
    keep = (where >= 0) & (where < size)
    np.add.at(want, where[keep], x[keep])
    return Nest(_kernel("scatter_add", [bi, bx], [out], body), (where, x), (want,))


def collatz(n):
    """A while loop whose length depends on the data."""
    x = np.arange(1, n + 1, dtype=I8)
    bx, out = _buffer("x", x), Buffer("out", I4, (extent(n),))
    i = fresh_index()
    value, steps, going = fresh_local(I8), fresh_local(I4), fresh_local(BOOL)
    one, two, three = int_const(1), int_const(2), int_const(3)
    even = compare("eq", op("and", I8, value, one), int_const(0))
    half = op("floordiv", I8, value, two)
    step = select(even, half, op("add", I8, op("mul", I8, value, three), one))
    loop = While(
        going,
        (
            Assign(value, step),
            Assign(steps, op("add", I4, steps, const(1, I4))),
            Assign(going, compare("ne", value, one)),
        ),
    )
    body = (
        Let(value, Load(I8, bx, (i,)), True),
        Let(steps, const(0, I4), True),
        Let(going, compare("ne", value, one), True),
        loop,
        Store(out, (i,), steps),
    )
    want = np.array([_collatz(int(v)) for v in x], dtype=I4)
    kernel = _kernel("collatz", [bx], [out], [For(i, extent(n), body, "parallel")])
    return Nest(kernel, (x,), (want,))


def _collatz(v):
    steps = 0
    while v != 1:
        v = v // 2 if v % 2 == 0 else 3 * v + 1
        steps += 1
    return steps


def scratch_rows(n):
    """A scratch array for each row of six, booleans and numbers."""
    x = _draw((n, 6))
    bx, out = _buffer("x", x), Buffer("out", F4, (extent(n),))
    squares = Buffer("squares", F4, (int_const(6),))
    signs = Buffer("signs", BOOL, (int_const(6),))
    i, j, k, t = fresh_index(), fresh_index(), fresh_index(), fresh_local(F4)
    a = Load(F4, bx, (i, j))
    chosen = select(Load(BOOL, signs, (k,)), Load(F4, squares, (k,)), const(0, F4))
    body = (
        Alloc(squares),
        Alloc(signs),
        For(
            j,
            int_const(6),
            (
                Store(squares, (j,), op("mul", F4, a, a)),
                Store(signs, (j,), compare("gt", a, const(0, F4))),
            ),
        ),
        Let(t, const(0, F4), True),
        For(k, int_const(6), (Assign(t, op("add", F4, t, chosen)),), "unroll"),
        Store(out, (i,), t),
    )
    want = np.where(x > 0, x * x, 0).sum(1).astype(F4)
    loop = For(i, extent(n), body, "parallel")
    return Nest(_kernel("scratch_rows", [bx], [out], [loop]), (x,), (want,))


def two_parallel(n, m):
    """Directly nested parallel loops."""
    x = _draw((n, m), C8)
    bx = _buffer("x", x)
    want = np.abs(x.real).astype(F4) + np.arange(m, dtype=F4)
    out = _buffer("out", want)
    i, j = fresh_index(), fresh_index()
    real = op("abs", F4, op("real", F4, Load(C8, bx, (i, j))))
    store = Store(out, (i, j), op("add", F4, real, Cast(F4, j)))
    loop = For(i, extent(n), (For(j, extent(m), (store,), "parallel"),), "parallel")
    return Nest(_kernel("two_parallel", [bx], [out], [loop]), (x,), (want,))


def overwritten(n):
    """Reads an output before and after it is written: a load is not shared across a store."""
    x = _draw((n,), F8)
    bx, out = _buffer("x", x), Buffer("out", F8, (extent(n),))
    i, t, u = fresh_index(), fresh_local(F8), fresh_local(F8)
    there = Load(F8, out, (i,))
    body = (
        Store(out, (i,), Load(F8, bx, (i,))),
        Let(t, op("mul", F8, there, there)),
        Store(out, (i,), t),
        Let(u, op("mul", F8, there, there)),
        Store(out, (i,), op("add", F8, u, there)),
    )
    loop = For(i, extent(n), body, "parallel")
    return Nest(_kernel("overwritten", [bx], [out], [loop]), (x,), (x**4 + x**2,))


MAKERS: dict[str, Callable[[], Nest]] = {
    "map": lambda: row_map(13, 17),
    "map_f64": lambda: row_map(3, 33, F8),
    "map_complex": lambda: row_map(5, 9, C8),
    "map_bf16": lambda: row_map(5, 9, BFLOAT16),
    "map_f16": lambda: row_map(5, 9, FLOAT16),
    "map_empty": lambda: row_map(0, 9),
    "map_no_columns": lambda: row_map(9, 0),
    "map_single": lambda: row_map(1, 1),
    "logical": lambda: logical(21),
    "transpose": lambda: transpose(9, 14),
    "total": lambda: total(101),
    "total_serial": lambda: total(19, "serial", C8),
    "total_empty": lambda: total(0),
    "row_softmax": lambda: row_softmax(11, 23),
    "row_softmax_single": lambda: row_softmax(1, 1),
    "column_sums": lambda: column_sums(37, 10),
    "shifted": lambda: shifted(12),
    "scatter_add": lambda: scatter_add(50, 9),
    "collatz": lambda: collatz(30),
    "scratch_rows": lambda: scratch_rows(10),
    "two_parallel": lambda: two_parallel(7, 12),
    "overwritten": lambda: overwritten(10),
}
"""Kernels by name, over kinds of loops and sizes."""


def parallel_range(nest):
    """The range of the outermost parallel loop, if the body is one."""
    body = nest.kernel.body
    whole = len(body) == 1 and isinstance(body[0], For) and body[0].kind == "parallel"
    return (0, int(body[0].extent.value)) if whole else (0, 0)


def assert_gives(nest, outputs):
    """The outputs are what they should be, to a few units in the last place."""
    for got, want in zip(outputs, nest.outputs, strict=True):
        if got.dtype.kind in "iub":
            np.testing.assert_array_equal(got, want)
            continue
        tolerance = {2: 2e-2, 4: 2e-6, 8: 1e-14}
        size = got.real.dtype.itemsize
        wide = np.complex128 if got.dtype.kind == "c" else np.float64
        np.testing.assert_allclose(
            got.astype(wide), want.astype(wide), rtol=tolerance[size], atol=tolerance[size]
        )
