"""The native printer against NumPy: statements, addresses, masks and dtypes, on every ISA."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import compile_native
from fxla.loops.ir import (
    BOOL,
    INDEX,
    Alloc,
    Assign,
    Buffer,
    Cast,
    Expr,
    Extent,
    For,
    If,
    Index,
    Kernel,
    Let,
    Load,
    Local,
    Op,
    Stmt,
    Store,
    While,
)
from fxla.loops.native.builder import Builder
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa
from fxla.loops.native.printer import print_native
from fxla.loops.scalar import PREDICATES, SCALAR_OPS
from fxla.loops.view import binary, compare, const, int_const, op, select

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
SIZES = (0, 1, 3, 15, 16, 17, 63, 64, 65, 257)
_ORDER = {"baseline": 0, "avx2": 1, "avx512": 2}
ISAS = [BASELINE] + [x for x in (AVX2, AVX512) if _ORDER[x.name] <= _ORDER[host_isa().name]]

I, J, K = Index(INDEX, "i"), Index(INDEX, "j"), Index(INDEX, "k")  # noqa: E741
N, M = Extent(INDEX, 8, "n"), Extent(INDEX, 8, "m")


@pytest.fixture(params=ISAS, ids=lambda isa: isa.name)
def isa(request: pytest.FixtureRequest) -> Isa:
    """Each instruction set this machine has."""
    isa: Isa = request.param
    return isa


def call(kernel: Kernel, isa: Isa, arrays: Sequence[np.ndarray], *sizes: int) -> None:
    """Compile and run on inputs, then outputs; a parallel loop runs over the first size."""
    address = compile_native(kernel, isa).address
    slots = np.array([a.ctypes.data for a in arrays] + list(sizes), np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    function(slots.ctypes.data, 0, sizes[0] if sizes else 0)


def buffer(name: str, dtype: Any, *shape: Expr) -> Buffer:
    return Buffer(name, np.dtype(dtype), shape)


def at(b: Buffer, *index: Expr) -> Load:
    return Load(b.dtype, b, index)


def mapped(dtypes: Sequence[Any], result: Any, element: Callable[..., Expr]) -> Kernel:
    """``out[i] = element(x0[i], x1[i], ...)``."""
    inputs = tuple(buffer(f"x{k}", d, N) for k, d in enumerate(dtypes))
    out = buffer("out", result, N)
    body = Store(out, (I,), element(*[at(x, I) for x in inputs]))
    return Kernel("mapped", inputs, (out,), (N,), (For(I, N, (body,), "parallel"),))


def run_map(isa: Isa, element: Callable[..., Expr], result: Any, *xs: np.ndarray) -> np.ndarray:
    kernel = mapped([x.dtype for x in xs], result, element)
    out = np.zeros(len(xs[0]), result)
    call(kernel, isa, [*xs, out], len(out))
    return out


def numbers(dtype: Any, n: int, seed: int = 0) -> np.ndarray:
    """Values of a dtype, its extremes and, where there are, NaN and infinities among them."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.random(n) < 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        bits = rng.integers(0, 256, n * dtype.itemsize, dtype=np.uint8).view(dtype)
        small = rng.integers(0 if dtype.kind == "u" else -9, 9, n).astype(dtype)
        x = np.where(rng.random(n) < 0.5, bits, small)
        extremes: list[float] = [info.min, info.max, 0, 1]
    else:
        x = (rng.standard_normal(n) * 3).astype(dtype)
        extremes = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]
    where = rng.permutation(n)[: len(extremes)]
    x[where] = np.array(extremes, dtype)[: len(where)]
    return x


# ----------------------------------------------------------------------- maps


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_many_elementary_functions_are_called(isa: Isa, dtype: np.dtype[Any]) -> None:
    """Each is defined once; large arguments take its branch in some lanes only."""

    def element(x: Expr) -> Expr:
        for k in range(20):
            x = op("sin", dtype, op("add", dtype, x, const(k, dtype)))
        return x

    x = np.append(numbers(dtype, 40), dtype.type(1e9))
    want = x.astype(np.longdouble)
    for k in range(20):
        with np.errstate(invalid="ignore"):
            want = np.sin(want + k)
    got = run_map(isa, element, dtype, x)
    small = np.abs(x) < 1e6  # the rounding of the first sum is all of a large argument's sine
    np.testing.assert_allclose(
        got[small], want[small].astype(dtype), rtol=200 * np.finfo(dtype).eps
    )
    assert np.array_equal(np.isnan(got), np.isnan(want.astype(dtype)))
    text = print_native(mapped([dtype], dtype, element), isa)
    definitions = [line for line in text.splitlines() if line.startswith("define internal")]
    assert len(definitions) == len(set(definitions)) > 0


def test_an_elementary_function_of_the_same_operand_is_printed_once(isa: Isa) -> None:
    """Also by two statements, and though it has a branch."""
    x, y, z = buffer("x", F32, N), buffer("y", F32, N), buffer("z", F32, N)
    sine = op("sin", F32, at(x, I))
    stores = (Store(y, (I,), sine), Store(z, (I,), op("add", F32, sine, const(1, F32))))
    once = Kernel("once", (x,), (y,), (N,), (For(I, N, stores[:1], "parallel"),))
    both = Kernel("both", (x,), (y, z), (N,), (For(I, N, stores, "parallel"),))
    calls = print_native(once, isa).count("@sinf(")
    assert calls > 1
    assert print_native(both, isa).count("@sinf(") == calls


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_map_of_every_size(isa: Isa, dtype: np.dtype[Any], n: int) -> None:
    x, y = numbers(dtype, n), numbers(dtype, n, 1)
    out = run_map(isa, lambda a, b: op("sub", dtype, a, op("div", dtype, b, a)), dtype, x, y)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, x - y / x)


def test_part_of_a_parallel_range(isa: Isa) -> None:
    kernel = mapped([F32], F32, lambda a: op("neg", F32, a))
    address = compile_native(kernel, isa).address
    x, out = numbers(F32, 100), np.zeros(100, F32)
    slots = np.array([x.ctypes.data, out.ctypes.data, 100], np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    function(slots.ctypes.data, 13, 71)
    np.testing.assert_array_equal(out[13:71], -x[13:71])
    assert not out[:13].any() and not out[71:].any()


def test_mixed_dtypes_in_one_loop(isa: Isa) -> None:
    n = 75
    x, y, z = numbers(np.int8, n), numbers(F32, n, 1), numbers(F64, n, 2)

    def element(a: Expr, b: Expr, c: Expr) -> Expr:
        return op("add", F64, op("mul", F64, Cast(F64, a), Cast(F64, b)), c)

    with np.errstate(all="ignore"):
        np.testing.assert_allclose(
            run_map(isa, element, F64, x, y, z), x.astype(F64) * y.astype(F64) + z, rtol=1e-15
        )


def two_dimensional(element: Expr, inputs: tuple[Buffer, ...], kind: Any = "vector") -> Kernel:
    out = buffer("out", element.dtype, N, M)
    inner = For(J, M, (Store(out, (I, J), element),), kind)
    return Kernel("plane", inputs, (out,), (N, M), (For(I, N, (inner,), "parallel"),))


@pytest.mark.parametrize(("n", "m"), [(3, 5), (17, 33), (64, 16), (1, 100), (5, 0)])
def test_broadcast_transposed_reversed_and_gathered_reads(isa: Isa, n: int, m: int) -> None:
    row, column, turned = buffer("r", F32, M), buffer("c", F32, N), buffer("t", F32, M, N)
    flipped, table, where = buffer("f", F32, M), buffer("g", F32, M), buffer("w", np.int32, N, M)
    back = binary("sub", binary("sub", M, int_const(1)), J)
    terms = [at(row, J), at(column, I), at(turned, J, I), at(flipped, back)]
    terms.append(at(table, Cast(INDEX, at(where, I, J))))
    total: Expr = terms[0]
    for t in terms[1:]:
        total = op("add", F32, total, t)
    kernel = two_dimensional(total, (row, column, turned, flipped, table, where))
    rng = np.random.default_rng(0)
    r, f, g = (rng.integers(-9, 9, m).astype(F32) for _ in range(3))
    c, t2 = rng.integers(-9, 9, n).astype(F32), rng.integers(-9, 9, (m, n)).astype(F32)
    w = rng.integers(0, max(m, 1), (n, m)).astype(np.int32)
    out = np.zeros((n, m), F32)
    call(kernel, isa, [r, c, t2, f, g, w, out], n, m)
    np.testing.assert_array_equal(out, r + c[:, None] + t2.T + f[::-1] + g[w])


@pytest.mark.parametrize("n", [1, 16, 70])
@pytest.mark.parametrize("m", [1, 3, 16, 40])
def test_flat_position_unravelled(isa: Isa, n: int, m: int) -> None:
    x, out = buffer("x", F32, N, M), buffer("out", F32, op("mul", INDEX, N, M))
    i, j = op("floordiv", INDEX, K, M), op("mod", INDEX, K, M)
    body = For(K, op("mul", INDEX, N, M), (Store(out, (K,), at(x, i, j)),), "vector")
    a, o = numbers(F32, n * m).reshape(n, m), np.zeros(n * m, F32)
    call(Kernel("flat", (x,), (out,), (N, M), (body,)), isa, [a, o], n, m)
    np.testing.assert_array_equal(o, a.reshape(-1))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_select_does_not_read_out_of_range(isa: Isa, kind: Any, n: int) -> None:
    x, y, out = buffer("x", F32, N), buffer("y", F32), buffer("out", F32, N)
    before = binary("sub", I, int_const(3))
    inside = compare("ge", before, int_const(0))
    value = select(inside, at(x, before), const(7, F32))
    shared = select(compare("eq", I, int_const(-1)), at(y), value)
    kernel = Kernel("pad", (x, y), (out,), (N,), (For(I, N, (Store(out, (I,), shared),), kind),))
    page = np.zeros(n + 1024, F32)  # what lies before x would be seen in the result
    a, o = page[1024:], np.zeros(n, F32)
    page[:1024], a[:] = np.nan, np.arange(n)
    address = np.zeros(0, F32)
    call(kernel, isa, [a, address, o], n)
    np.testing.assert_array_equal(o, np.r_[np.full(3, 7), a][:n])


def test_nested_selects_with_loads_in_arms(isa: Isa) -> None:
    n = 50
    x, y = numbers(F32, n), numbers(F32, n, 1)

    def element(a: Expr, b: Expr) -> Expr:
        inner = select(compare("lt", b, const(0, F32)), a, op("mul", F32, a, b))
        return select(compare("gt", a, const(0, F32)), inner, op("sub", F32, b, a))

    with np.errstate(all="ignore"):
        expected = np.where(x > 0, np.where(y < 0, x, x * y), y - x)
    np.testing.assert_array_equal(run_map(isa, element, F32, x, y), expected)


# ----------------------------------------------------------------- reductions


def ufunc(name: str) -> np.ufunc:
    reference = SCALAR_OPS[name].reference
    assert isinstance(reference, np.ufunc)
    return reference


def reduction(name: str, dtype: Any, initial: Any, kind: Any) -> Kernel:
    dtype = np.dtype(dtype)
    x, out, acc = buffer("x", dtype, N), buffer("out", dtype), Local(dtype, "acc")
    loop = For(I, N, (Assign(acc, op(name, dtype, acc, at(x, I))),), kind)
    body = (Let(acc, const(initial, dtype), True), loop, Store(out, (), acc))
    return Kernel("reduced", (x,), (out,), (N,), body)


@pytest.mark.parametrize("kind", ["vector", "serial"])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", [F32, F64, np.int32, np.uint8, np.int64, bool], ids=str)
@pytest.mark.parametrize("name", ["add", "mul", "maximum", "minimum"])
def test_full_reduction(isa: Isa, name: str, dtype: Any, n: int, kind: Any) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(0, 5, n).astype(dtype)
    if name == "mul":
        x = np.where(rng.random(n) < 0.9, 1, x).astype(dtype)
    initial = {"add": 0, "mul": 1, "maximum": 0, "minimum": 1}[name]
    out = np.zeros((), dtype)
    call(reduction(name, dtype, initial, kind), isa, [x, out], n)
    expected = ufunc(name).reduce(x, initial=initial, dtype=dtype)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("n", [1, 20, 130])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_keep_nan_and_infinities(isa: Isa, name: str, n: int) -> None:
    for special in (np.nan, np.inf, -np.inf):
        for where in {0, n // 2, n - 1}:
            x = np.linspace(-1, 1, n).astype(F32)
            x[where] = special
            out = np.zeros((), F32)
            initial = -np.inf if name == "maximum" else np.inf
            call(reduction(name, F32, initial, "vector"), isa, [x, out], n)
            np.testing.assert_array_equal(out, ufunc(name).reduce(x))


def test_sum_of_negative_zeros_is_negative(isa: Isa) -> None:
    x, out = np.full(37, -0.0, F32), np.ones((), F32)
    call(reduction("add", F32, -0.0, "vector"), isa, [x, out], 37)
    assert out == 0 and np.signbit(out)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (4, 10), (7, 100), (3, 129), (3, 0)])
def test_reduction_of_rows_with_epilogue(isa: Isa, n: int, m: int) -> None:
    x, out, acc = buffer("x", F32, N, M), buffer("out", F32, N, M), Local(F32, "s")
    top = Local(F32, "top")
    largest = For(J, M, (Assign(top, op("maximum", F32, top, at(x, I, J))),), "vector")
    e = op("exp", F32, op("sub", F32, at(x, I, J), top))
    total = For(J, M, (Assign(acc, op("add", F32, e, acc)),), "vector")
    store = For(J, M, (Store(out, (I, J), op("div", F32, e, acc)),), "vector")
    body = (
        Let(top, const(-np.inf, F32), True),
        largest,
        Let(acc, const(0, F32), True),
        total,
        store,
    )
    kernel = Kernel("softmax", (x,), (out,), (N, M), (For(I, N, body, "parallel"),))
    a = np.random.default_rng(0).standard_normal((n, m)).astype(F32)
    o = np.zeros_like(a)
    call(kernel, isa, [a, o], n, m)
    e64 = np.exp(a.astype(F64))
    np.testing.assert_allclose(o, e64 / e64.sum(1, keepdims=True), rtol=2e-6)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (9, 10), (100, 64), (30, 129), (0, 20)])
def test_reduction_over_the_outer_axis(isa: Isa, n: int, m: int) -> None:
    x, out, acc = buffer("x", F32, N, M), buffer("out", F32, M), Local(F32, "s")
    inner = For(I, N, (Assign(acc, op("add", F32, acc, at(x, I, J))),))
    body = (Let(acc, const(0, F32), True), inner, Store(out, (J,), acc))
    kernel = Kernel("columns", (x,), (out,), (N, M), (For(J, M, body, "vector"),))
    a = np.random.default_rng(0).integers(-50, 50, (n, m)).astype(F32)
    o = np.zeros(m, F32)
    call(kernel, isa, [a, o], n, m)
    np.testing.assert_array_equal(o, a.sum(0))


def test_two_reductions_in_one_loop_under_a_condition(isa: Isa) -> None:
    x, out = buffer("x", F32, N), buffer("out", F32, int_const(2))
    s, t = Local(F32, "s"), Local(F32, "t")
    e = at(x, I)
    body: tuple[Stmt, ...] = (
        If(
            compare("gt", e, const(0, F32)),
            (Assign(s, op("add", F32, s, e)),),
            (Assign(t, op("minimum", F32, t, e)),),
        ),
    )
    kernel = Kernel(
        "both",
        (x,),
        (out,),
        (N,),
        (
            Let(s, const(0, F32), True),
            Let(t, const(np.inf, F32), True),
            For(I, N, body, "vector"),
            Store(out, (int_const(0),), s),
            Store(out, (int_const(1),), t),
        ),
    )
    a = np.random.default_rng(0).integers(-9, 9, 77).astype(F32)
    o = np.zeros(2, F32)
    call(kernel, isa, [a, o], 77)
    np.testing.assert_array_equal(o, [a[a > 0].sum(), a[a <= 0].min()])


# ----------------------------------------------------------------- statements


def test_carried_value_makes_a_vector_loop_run_in_order(isa: Isa) -> None:
    x, out, acc = buffer("x", F32, N), buffer("out", F32, N), Local(F32, "s")
    body = (Assign(acc, op("add", F32, acc, at(x, I))), Store(out, (I,), acc))
    kernel = Kernel(
        "cumsum", (x,), (out,), (N,), (Let(acc, const(0, F32), True), For(I, N, body, "vector"))
    )
    a = np.arange(40).astype(F32)
    o = np.zeros_like(a)
    call(kernel, isa, [a, o], 40)
    np.testing.assert_array_equal(o, a.cumsum())


def test_scatter_adds_in_order(isa: Isa) -> None:
    where, out = buffer("w", np.int64, N), buffer("out", np.int64, M)
    zero = For(J, M, (Store(out, (J,), const(0, INDEX)),), "vector")
    place = at(where, I)
    add = For(I, N, (Store(out, (place,), op("add", INDEX, at(out, place), I)),))
    a = np.random.default_rng(0).integers(0, 7, 50)
    o = np.full(7, -1)
    call(Kernel("scatter", (where,), (out,), (N, M), (zero, add)), isa, [a, o], 50, 7)
    expected = np.zeros(7, np.int64)
    np.add.at(expected, a, np.arange(50))
    np.testing.assert_array_equal(o, expected)


def test_vector_scatter_of_distinct_places(isa: Isa) -> None:
    x, where, out = buffer("x", F32, N), buffer("w", np.int64, N), buffer("out", F32, N)
    body = Store(out, (at(where, I),), at(x, I))
    a, w, o = numbers(F32, 70), np.random.default_rng(0).permutation(70), np.zeros(70, F32)
    kernel = Kernel("permute", (x, where), (out,), (N,), (For(I, N, (body,), "vector"),))
    call(kernel, isa, [a, w, o], 70)
    np.testing.assert_array_equal(o[w], a)


def test_rows_below_a_condition_stay_vectors(isa: Isa) -> None:
    """Not rows side by side in lanes, each of whose elements is written by itself."""
    x, where, out = buffer("x", F32, N, M), buffer("w", np.int64, N), buffer("out", F32, N, M)
    row = at(where, I)
    body = For(J, M, (Store(out, (row, J), at(x, I, J)),), "vector")
    inside = compare("ge", row, const(0, INDEX))
    kernel = Kernel(
        "rows", (x, where), (out,), (N, M), (For(I, N, (If(inside, (body,)),), "parallel"),)
    )
    a, w, o = numbers(F32, 210).reshape(70, 3), np.arange(70)[::-1].copy(), np.zeros((70, 3), F32)
    w[5] = -1
    call(kernel, isa, [a, w, o], 70, 3)
    expected = np.zeros_like(o)
    expected[w[w >= 0]] = a[w >= 0]
    np.testing.assert_array_equal(o, expected)
    text = print_native(kernel, isa)
    assert "extractelement" not in text and "scatter" not in text


def collatz() -> tuple[Stmt, ...]:
    """out[i] = number of steps from x[i] to 1."""
    x, out = buffer("x", np.int64, N), buffer("out", np.int64, N)
    v, count, go = Local(INDEX, "v"), Local(INDEX, "count"), Local(BOOL, "go")
    one = const(1, INDEX)
    odd = compare("ne", op("and", INDEX, v, one), const(0, INDEX))
    step = select(
        odd,
        op("add", INDEX, op("mul", INDEX, v, const(3, INDEX)), one),
        op("shr", INDEX, v, one),
    )
    loop = While(
        go,
        (
            Assign(v, step),
            Assign(count, op("add", INDEX, count, one)),
            Assign(go, compare("ne", v, one)),
        ),
    )
    return (
        Let(v, at(x, I), True),
        Let(count, const(0, INDEX), True),
        Let(go, compare("ne", v, one), True),
        loop,
        Store(out, (I,), count),
    )


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_while_loop_ends_for_each_lane_by_itself(isa: Isa, kind: Any) -> None:
    x, out = buffer("x", np.int64, N), buffer("out", np.int64, N)
    kernel = Kernel("collatz", (x,), (out,), (N,), (For(I, N, collatz(), kind),))
    a = np.arange(1, 60)
    o = np.zeros_like(a)
    call(kernel, isa, [a, o], len(a))

    def steps(v: int) -> int:
        return 0 if v == 1 else 1 + steps(3 * v + 1 if v % 2 else v // 2)

    np.testing.assert_array_equal(o, [steps(int(v)) for v in a])


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_triangular_loop(isa: Isa, kind: Any) -> None:
    x, out, acc = buffer("x", F32, N), buffer("out", F32, N), Local(F32, "s")
    inner = For(J, op("add", INDEX, I, int_const(1)), (Assign(acc, op("add", F32, acc, at(x, J))),))
    body = (Let(acc, const(0, F32), True), inner, Store(out, (I,), acc))
    a = np.arange(45).astype(F32)
    o = np.zeros_like(a)
    call(Kernel("prefix", (x,), (out,), (N,), (For(I, N, body, kind),)), isa, [a, o], 45)
    np.testing.assert_array_equal(o, a.cumsum())


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_branches_and_stores_under_a_mask(isa: Isa, kind: Any) -> None:
    x, out, v = buffer("x", F32, N), buffer("out", F32, N), Local(F32, "v")
    positive = compare("gt", at(x, I), const(0, F32))
    inner = If(
        compare("lt", v, const(5, F32)),
        (Assign(v, op("add", F32, v, const(100, F32))), Store(out, (I,), v)),
    )
    body = (
        Let(v, const(1, F32), True),
        If(positive, (Assign(v, at(x, I)), inner), (Store(out, (I,), op("neg", F32, v)),)),
    )
    a = np.random.default_rng(0).integers(-9, 9, 53).astype(F32)
    o = np.full(53, 0, F32)
    call(Kernel("masks", (x,), (out,), (N,), (For(I, N, body, kind),)), isa, [a, o], 53)
    np.testing.assert_array_equal(o, np.where(a > 0, np.where(a < 5, a + 100, 0), -1))


def test_scratch_array_unrolled_loop_and_reload_of_output(isa: Isa) -> None:
    four = int_const(4)
    x, out, tmp = buffer("x", F32, N, four), buffer("out", F32, N), buffer("tmp", F32, four)
    back = binary("sub", int_const(3), K)
    body = (
        Alloc(tmp),
        For(K, four, (Store(tmp, (K,), at(x, I, back)),), "unroll"),
        Store(out, (I,), at(tmp, int_const(0))),
        For(
            K,
            four,
            (Store(out, (I,), op("add", F32, op("mul", F32, at(out, I), at(tmp, K)), at(tmp, K))),),
        ),
    )
    a = np.arange(20).reshape(5, 4).astype(F32)
    o = np.zeros(5, F32)
    call(Kernel("scratch", (x,), (out,), (N,), (For(I, N, body),)), isa, [a, o], 5)
    expected = a[:, 3]
    for k in range(4):
        expected = expected * a[:, 3 - k] + a[:, 3 - k]
    np.testing.assert_array_equal(o, expected)


def test_long_chain_of_operations_needs_no_recursion() -> None:
    def element(a: Expr) -> Expr:
        for _ in range(3000):
            a = op("add", F32, a, const(1, F32))
        return a

    np.testing.assert_array_equal(
        run_map(host_isa(), element, F32, np.zeros(3, F32)), np.full(3, 3000, F32)
    )


# ----------------------------------------------------------- every op and cast

_INTEGERS = [np.dtype(f"{k}{8 * s}") for k in ("int", "uint") for s in (1, 2, 4, 8)]
_DIVISIONS = {"truncdiv", "floordiv", "mod", "fmod"}
_INEXACT = {"bitcast", "complex", "fma", "div"}
_EXACT = [
    (row.name, d)
    for row in SCALAR_OPS.values()
    for d in [np.dtype(bool), *_INTEGERS, F32, F64]
    if d.kind in row.kinds
    and ((row.cost < 4 and row.name not in _INEXACT) or row.name in _DIVISIONS)
]


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize(("name", "dtype"), _EXACT, ids=lambda p: str(p))
def test_exact_ops(isa: Isa, name: str, dtype: np.dtype[Any], n: int) -> None:
    row = SCALAR_OPS[name]
    xs = [numbers(dtype, n, seed) for seed in range(row.arity)]
    if name in ("shl", "shr", "shr_logical"):
        xs[1] = (np.arange(n) % 80).astype(dtype)
    result = BOOL if name in PREDICATES else dtype
    out = run_map(isa, lambda *args: Op(result, name, args), result, *xs)
    with np.errstate(all="ignore"):
        expected = row.reference(*xs).astype(result)
    np.testing.assert_array_equal(out, expected)
    if dtype.kind == "f" and name not in ("maximum", "minimum") and result == dtype:
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(out)[known], np.signbit(expected)[known])


def _nearly_whole(dtype: np.dtype[Any], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Dividends at and beside multiples of their divisors, up to the largest quotients."""
    rng = np.random.default_rng(5)
    if dtype.kind == "f":
        y = (rng.standard_normal(n) * 2.0 ** rng.integers(-20, 20, n)).astype(dtype)
        quotient = np.rint(2.0 ** rng.uniform(0, 21 if dtype == F32 else 50, n))
        x = (y * quotient).astype(dtype)
        return np.nextafter(x, x * rng.integers(-1, 3, n).astype(dtype)), y
    bits = 8 * dtype.itemsize - (dtype.kind == "i")
    large = (1 << rng.integers(1, min(bits, 51), n)).astype(np.int64)
    y = np.maximum(rng.integers(1, large), 1)
    quotient = np.maximum(((1 << min(bits, 51)) - 3) // y - rng.integers(0, 3, n), 0)
    x = np.maximum(y * quotient + rng.integers(-1, 2, n), 0)
    if dtype.kind == "i":
        x, y = x * rng.choice([-1, 1], n), y * rng.choice([-1, 1], n)
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name, dtype in _EXACT if name in _DIVISIONS],
    ids=lambda p: str(p),
)
def test_divisions_beside_whole_multiples(isa: Isa, name: str, dtype: np.dtype[Any]) -> None:
    row = SCALAR_OPS[name]
    x, y = _nearly_whole(dtype, 4001)
    out = run_map(isa, lambda *args: Op(dtype, name, args), dtype, x, y)
    np.testing.assert_array_equal(out, row.reference(x, y).astype(dtype))


@pytest.mark.parametrize("dtype", _INTEGERS, ids=str)
@pytest.mark.parametrize("name", sorted(_DIVISIONS))
def test_divisions_by_known_numbers(isa: Isa, name: str, dtype: np.dtype[Any]) -> None:
    x = numbers(dtype, 200)
    for divisor in (1, 3, 7, 8, 100, np.iinfo(dtype).max, *((-1, -7) if dtype.kind == "i" else ())):
        y = dtype.type(divisor)
        out = run_map(isa, lambda a, y=y: Op(dtype, name, (a, const(y, dtype))), dtype, x)
        with np.errstate(all="ignore"):
            expected = SCALAR_OPS[name].reference(x, y).astype(dtype)
        np.testing.assert_array_equal(out, expected, err_msg=str(divisor))


@pytest.mark.parametrize("dtype", _INTEGERS, ids=str)
def test_integer_power(isa: Isa, dtype: np.dtype[Any]) -> None:
    x = numbers(dtype, 100)
    y = np.abs(numbers(dtype, 100, 1)).astype(dtype) & dtype.type(63)
    out = run_map(isa, lambda a, b: op("pow", dtype, a, b), dtype, x, y)
    np.testing.assert_array_equal(out, x**y)


_REAL = [np.dtype(bool), *_INTEGERS, np.dtype(np.float16), F32, F64]


@pytest.mark.parametrize("target", _REAL, ids=str)
@pytest.mark.parametrize("source", _REAL, ids=str)
def test_casts(isa: Isa, source: np.dtype[Any], target: np.dtype[Any]) -> None:
    x = numbers(source, 100)
    if source.kind == "f" and target.kind in "iu":  # elsewhere C leaves the result open
        info = np.iinfo(target)
        x = np.nan_to_num(x * 40, nan=3, posinf=9, neginf=1)
        x = np.clip(x, max(info.min, -1e4), min(info.max, 1e4)).astype(source)
    out = run_map(isa, lambda a: Cast(target, a), target, x)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, x.astype(target))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("source", [F32, F64], ids=str)
def test_halves_round_to_nearest_even(isa: Isa, source: np.dtype[Any], dtype: Any) -> None:
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        bits = rng.integers(0, 2**16, 3000, dtype=np.uint16).view(dtype).astype(source)
    bits = bits[np.isfinite(bits)]
    ulp = np.abs(bits) * 2.0**-9
    x = (bits + ulp * rng.choice([0, 0.25, 0.5, -0.5, 0.125], len(bits))).astype(source)
    x[:4] = np.nan, np.inf, -np.inf, 1e30
    with np.errstate(all="ignore"):
        expected = x.astype(dtype)
    out = run_map(isa, lambda a: Cast(dtype, a), dtype, x)
    np.testing.assert_array_equal(out.astype(F32), expected.astype(F32))
    doubled = run_map(isa, lambda a: op("add", dtype, a, a), dtype, expected)
    with np.errstate(all="ignore"):
        twice = (expected + expected).astype(F32)
    np.testing.assert_array_equal(doubled.astype(F32), twice)


def test_bitcast(isa: Isa) -> None:
    x = numbers(F32, 33)
    bits = run_map(isa, lambda a: op("bitcast", np.dtype(np.uint32), a), np.uint32, x)
    np.testing.assert_array_equal(bits, x.view(np.uint32))


# ---------------------------------------------------------------- the text


def test_what_does_not_vary_leaves_the_loop() -> None:
    x, y, out = buffer("x", F32, N, M), buffer("y", F32, N), buffer("out", F32, N, M)
    scale = op("exp", F32, at(y, I))
    body = For(J, M, (Store(out, (I, J), op("mul", F32, at(x, I, J), scale)),), "vector")
    kernel = Kernel("scaled", (x, y), (out,), (N, M), (For(I, N, (body,), "parallel"),))
    text = print_native(kernel, BASELINE)
    assert "<4 x float> @llvm.roundeven" not in text
    assert text.count("@llvm.roundeven.f32(float") == 2  # declared and called once


def test_known_integers_are_folded_while_they_are_printed() -> None:
    b = Builder()
    byte, seven = b.constant(200, "i8"), b.constant(7, "i8")  # 200 is -56 in eight bits
    assert [(byte & seven).known, (byte | seven).known, (byte ^ seven).known] == [0, 207, 207]
    assert byte.cmp("slt", seven).known == 1
    assert byte.cmp("eq", b.constant(-56, "i8")).known == 1
    assert byte.cmp("ult", seven).known == 0
    assert b.constant(-56, "i8").cmp("uge", byte).known == 1
    assert b.constant(2.0, "f32").cmp("oeq", b.constant(2.0, "f32")).known is None
    assert not any("and" in line or "icmp slt" in line for line in b.entry.lines)


@pytest.mark.parametrize("kind", ["vector", "serial"])
@pytest.mark.parametrize("n", [1, 9, 63, 64, 65, 300])
def test_index_divided_by_a_number_of_blocks(isa: Isa, kind: Any, n: int) -> None:
    """The place of a chunk: its number divided by how many blocks cover an axis."""
    count = binary("floordiv", binary("add", N, int_const(8 - 1)), int_const(8))
    rows, columns = buffer("rows", INDEX, M), buffer("columns", INDEX, M)
    body = (
        Store(rows, (I,), binary("floordiv", I, count)),
        Store(columns, (I,), binary("mod", I, count)),
    )
    loop = For(I, binary("mul", count, count), body, kind)
    k = -(-n // 8)
    found = [np.full(k * k, -1) for _ in range(2)]
    call(Kernel("blocks", (), (rows, columns), (N, M), (loop,)), isa, found, n, k * k)
    np.testing.assert_array_equal(found, np.indices((k, k)).reshape(2, -1))


def test_common_subexpressions_are_printed_once() -> None:
    kernel = mapped(
        [F32], F32, lambda a: op("add", F32, op("sqrt", F32, a), op("sqrt", F32, at(kernel_x, I)))
    )
    text = print_native(kernel, AVX512)
    assert text.count("call <16 x float> @llvm.sqrt") == 2  # whole vectors, and the remainder


kernel_x = buffer("x0", F32, N)


@pytest.mark.parametrize("kind", ["vector", "serial"])
@pytest.mark.parametrize("uniform", [True, False])
def test_arm_that_no_lane_takes_reads_nothing(isa: Isa, kind: Any, uniform: bool) -> None:
    far = Extent(INDEX, 8, "far")  # terabytes from the buffer: reading there is a crash
    x, y, out = buffer("x", F32, N), buffer("y", F32, N), buffer("out", F32, N)
    place = far if uniform else binary("add", I, far)
    value = select(compare("gt", at(y, I), const(0, F32)), at(x, place), at(y, I))
    kernel = Kernel("far", (x, y), (out,), (N, far), (For(I, N, (Store(out, (I,), value),), kind),))
    a, o = -np.arange(37, dtype=F32), np.ones(37, F32)
    call(kernel, isa, [a, a, o], 37, 1 << 42)
    np.testing.assert_array_equal(o, a)


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_load_after_each_store_sees_it(isa: Isa, kind: Any) -> None:
    x, out, copy = buffer("x", F32, N), buffer("out", F32, N), buffer("copy", F32, N)
    first, second = Local(F32, "first"), Local(F32, "second")
    read = at(out, I)
    body: tuple[Stmt, ...] = (
        Store(out, (I,), at(x, I)),
        Let(first, read),
        Store(out, (I,), op("add", F32, first, const(1, F32))),
        Let(second, read),
        Store(copy, (I,), op("mul", F32, first, second)),
    )
    kernel = Kernel("twice", (x,), (out, copy), (N,), (For(I, N, body, kind),))
    a = np.arange(37, dtype=F32)
    o, c = np.zeros_like(a), np.zeros_like(a)
    call(kernel, isa, [a, o, c], 37)
    np.testing.assert_array_equal(o, a + 1)
    np.testing.assert_array_equal(c, a * (a + 1))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8"])
def test_short_rows_of_known_length_are_added_to_rows(isa: Isa, width: int, dtype: str) -> None:
    x, out = buffer("x", dtype, N, int_const(width)), buffer("out", dtype, M, int_const(width))
    where = buffer("where", "i8", N)
    row = Load(INDEX, where, (I,))
    total = op("add", x.dtype, Load(x.dtype, out, (row, J)), Load(x.dtype, x, (I, J)))
    inner = For(J, int_const(width), (Store(out, (row, J), total),), "vector")
    kernel = Kernel("rows", (x, where), (out,), (N, M), (For(I, N, (inner,), "serial"),))
    a = np.arange(60 * width).reshape(60, width).astype(dtype)
    at = np.random.default_rng(0).integers(0, 5, 60)
    got, want = np.zeros((5, width), dtype), np.zeros((5, width), dtype)
    np.add.at(want, at, a)
    call(kernel, isa, [a, at, got], 60, 5)
    np.testing.assert_array_equal(got, want)
    if isa is AVX512 and dtype == "f4":
        assert (f"<{width} x float>" in print_native(kernel, isa)) == (width in (4, 8))


@pytest.mark.parametrize("n", [3, 8, 40])
def test_a_select_that_all_lanes_agree_on_is_no_vector(isa: Isa, n: int) -> None:
    """An index that counts from the end is that of a whole row, which is read without a gather."""
    x, out = buffer("x", "f4", M, N), buffer("out", "f4", M, N)
    where = buffer("where", "i8", M)
    raw = Load(INDEX, where, (binary("sub", binary("add", I, int_const(1)), int_const(1)),))
    row = select(compare("lt", raw, int_const(0)), binary("add", raw, M), raw)
    inner = For(J, N, (Store(out, (I, J), Load(F32, x, (row, J))),), "vector")
    kernel = Kernel("rows", (x, where), (out,), (N, M), (For(I, M, (inner,), "serial"),))
    a, at = numbers("f4", 20 * n).reshape(20, n), np.array([*range(-10, 0), *range(10)])
    got = np.zeros_like(a)
    call(kernel, isa, [a, at, got], n, 20)
    np.testing.assert_array_equal(got, a[at])
    assert "gather" not in print_native(kernel, isa)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "c8"])
@pytest.mark.parametrize(("m", "n", "k"), [(2, 2, 2), (3, 3, 3), (4, 4, 4), (7, 1, 5), (3, 8, 7)])
def test_products_of_small_matrices(isa: Isa, m: int, n: int, k: int, dtype: str) -> None:
    """Sums of a few terms are written out: no vector of theirs would be full."""
    a, b, out = (
        buffer(name, dtype, N, int_const(rows), int_const(columns))
        for name, rows, columns in (("a", m, k), ("b", k, n), ("out", m, n))
    )
    total, i2 = Local(a.dtype, "total"), Index(INDEX, "i2")
    term = op("mul", a.dtype, Load(a.dtype, a, (I, J, i2)), Load(a.dtype, b, (I, i2, K)))
    body: tuple[Stmt, ...] = (
        Let(total, const(0, a.dtype), mutable=True),
        For(i2, int_const(k), (Assign(total, op("add", a.dtype, total, term)),), "vector"),
        Store(out, (I, J, K), total),
    )
    body = (For(J, int_const(m), (For(K, int_const(n), body, "serial"),), "serial"),)
    kernel = Kernel("products", (a, b), (out,), (N,), (For(I, N, body, "parallel"),))
    x, y = (np.arange(6 * p * q).reshape(6, p, q) % 11 for p, q in ((m, k), (k, n)))
    got = np.zeros((6, m, n), dtype)
    call(kernel, isa, [x.astype(dtype), y.astype(dtype), got], 6)
    np.testing.assert_array_equal(got, (x @ y).astype(dtype))
    assert "masked" not in print_native(kernel, isa)
