"""Products of narrow numbers: what they are summed in, and that floats are rounded once."""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile.backend import compiled
from fxla.compile.backend.llvm import host_isa
from fxla.compile.backend.native import Batch
from fxla.compile.build import build_program
from fxla.compile.executable import compile_jaxpr, executable_from
from fxla.compile.passes.widened import widened_products
from fxla.compile.program import Gemm, Launch, walk_instructions
from fxla.loops.native.isa import AVX2, AVX512, BASELINE, Isa

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
ISAS = [x for x in (BASELINE, AVX2, AVX512) if x.vector_bytes <= host_isa().vector_bytes]


def normal(dtype: Any, *shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def program(f: Any, *args: Any, tiles: bool = True) -> Any:
    return build_program(fxla.make_jaxpr(f)(*args).jaxpr, tiles=tiles)


def widened(f: Any, *args: Any, tiles: bool = True) -> list[str]:
    """Dtypes in which the contractions of a function are computed."""
    jaxpr = widened_products(fxla.make_jaxpr(f)(*args).jaxpr, tiles)
    products = ("dot_general", "conv_general_dilated")
    return [e.inputs[0].aval.dtype.name for e in jaxpr.eqns if e.primitive.name in products]


def outputs(step: Any) -> list[Any]:
    """The buffers that a launch writes."""
    return [p.buffer for p in step.args[-step.n_outputs :]] if isinstance(step, Launch) else []


def wide(x: Any) -> Any:
    return np.asarray(x).astype(np.float64)


def assert_rounded_once(got: Any, want: Any, dtype: Any) -> None:
    """Within half an ulp of the exact result, and what float32 sums may add to that."""
    assert got.dtype == dtype
    error = np.abs(wide(got) - want)
    half_ulp = 2.0 ** (-11 if dtype == np.float16 else -8 if dtype != np.float32 else -24)
    assert np.all(error <= half_ulp * np.abs(want) + 1e-5 * np.abs(want).max())


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("tiles", [True, False], ids=["native", "numba"])
def test_large_products_are_float32_products(dtype: Any, tiles: bool) -> None:
    x, w = normal(dtype, 40, 300), normal(dtype, 300, 50)
    made = program(lambda x, w: x @ w, x, w, tiles=tiles)
    steps = list(walk_instructions(made.body))
    if tiles:
        (product,) = (i for i in steps if isinstance(i, Launch) and "dot" in i.kernel.name)
        assert "[tile]" in str(product.kernel)
        assert [b.dtype.name for b in product.kernel.inputs] == ["float32", "float32"]
        assert product.kernel.outputs[0].dtype == dtype  # rounded where it is stored
    else:
        assert [i.dtype.name for i in steps if isinstance(i, Gemm)] == ["float32"]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_few_rows_small_products_and_integers_stay_as_they_are(dtype: Any) -> None:
    def f(x: Any, w: Any) -> Any:
        return x @ w

    x, w = normal(dtype, 40, 300), normal(dtype, 300, 50)
    assert widened(f, x, w) == ["float32"]
    assert widened(f, x[:8], w) == [dtype.name]
    assert widened(f, x, w[:, 0]) == [dtype.name]
    assert widened(f, x[:, :2], w[:2]) == [dtype.name]
    assert widened(f, x.astype("i4"), w.astype("i4")) == ["int32"]
    assert widened(f, wide(x), wide(w)) == ["float64"]


@pytest.mark.parametrize("tiles, name", [(True, "float32"), (False, "bfloat16")])
def test_convolutions_where_there_are_tiles(tiles: bool, name: str) -> None:
    x, w = normal(HALVES[1], 2, 9, 9, 8), normal(HALVES[1], 3, 3, 8, 16)
    numbers = ("NHWC", "HWIO", "NHWC")

    def f(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=numbers)

    assert widened(f, x, w, tiles=tiles) == [name]
    run = executable_from(program(f, x, w, tiles=tiles))
    windows = np.lib.stride_tricks.sliding_window_view(wide(x), (3, 3), (1, 2))
    want = np.einsum("nijchw,hwco->nijo", windows, wide(w))
    assert_rounded_once(np.asarray(run(x, w)[0]), want, HALVES[1])


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("preferred", [None, "float32", "float64"])
def test_a_result_is_rounded_once(dtype: Any, preferred: str | None) -> None:
    x, w = normal(dtype, 33, 300), normal(dtype, 300, 41)
    f = fxla.jit(lambda x, w: lax.dot(x, w, preferred_element_type=preferred))
    out = np.dtype(preferred) if preferred else dtype
    got = np.asarray(f(x, w))
    if out == np.float64:
        np.testing.assert_allclose(got, wide(x) @ wide(w), rtol=1e-12, atol=1e-12)
    else:
        assert_rounded_once(got, wide(x) @ wide(w), out)


def test_sums_of_whole_numbers_are_exact_beyond_the_operands_digits() -> None:
    """300 ones make 300, which neither rounds up in steps of bfloat16 nor stops at 256."""
    for dtype in HALVES:
        ones = np.ones((20, 300), dtype)
        got = fxla.jit(lambda x: lax.dot(x, x.T, preferred_element_type="float32"))(ones)
        np.testing.assert_array_equal(np.asarray(got), np.full((20, 20), 300, np.float32))
        got = fxla.jit(lambda x: x @ x.T)(ones)
        np.testing.assert_array_equal(wide(got), np.full((20, 20), 300.0))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_infinities_and_nans(dtype: Any) -> None:
    x, w = normal(dtype, 16, 32), normal(dtype, 32, 16)
    x[0, 0], x[1, 1], w[5, 2] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore", over="ignore"):
        want = x.astype("f4") @ w.astype("f4")
        got = np.asarray(fxla.jit(lambda x, w: x @ w)(x, w)).astype("f4")
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_batched_transposed_and_einsum(dtype: Any) -> None:
    q, k = normal(dtype, 2, 3, 20, 16), normal(dtype, 2, 24, 3, 16)

    def scores(q: Any, k: Any) -> Any:
        return fnp.einsum("bhqd,bkhd->bhqk", q, k)

    assert widened(scores, q, k) == ["float32"]
    want = np.einsum("bhqd,bkhd->bhqk", wide(q), wide(k))
    assert_rounded_once(np.asarray(fxla.jit(scores)(q, k)), want, dtype)
    got = fxla.jit(lambda k: k[0, :, 0].T @ k[0, :, 0])(k)
    assert_rounded_once(np.asarray(got), wide(k[0, :, 0]).T @ wide(k[0, :, 0]), dtype)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_gradients_are_products_of_rounded_operands(dtype: Any) -> None:
    x, w = normal(dtype, 32, 40), normal(dtype, 40, 24)
    grad = fxla.jit(fxla.grad(lambda w, x: fnp.sum((x @ w).astype("float32") * 2), 0))
    got = np.asarray(grad(w, x))
    want = wide(x).T @ np.full((32, 24), 2.0)
    assert_rounded_once(got, want, dtype)


def test_an_update_joins_the_product_that_is_the_gradient() -> None:
    """The cotangent's transposed product is one with exchanged operands, as of float32."""
    x, w = normal(HALVES[1], 32, 40), normal(HALVES[1], 40, 24)

    def step(w: Any, x: Any) -> Any:
        return w - fxla.grad(lambda w: fnp.sum((x @ w).astype("float32") ** 2))(w)

    made = program(step, w, x)
    (last,) = (i for i in walk_instructions(made.body) if made.outputs[0] in outputs(i))
    assert isinstance(last, Launch) and "[tile]" in str(last.kernel)
    y = (wide(x) @ wide(w)).astype(HALVES[1])
    gradient = (wide(x).T @ wide(2 * y)).astype(HALVES[1])
    got = wide(executable_from(made)(w, x)[0])
    np.testing.assert_allclose(got, wide(w) - wide(gradient), rtol=0.02, atol=0.05)


def test_an_operand_of_several_products_is_widened_once() -> None:
    x, w = normal(HALVES[1], 32, 40), normal(HALVES[1], 40, 40)
    jaxpr = fxla.make_jaxpr(lambda x, w: (x @ w, x @ w.T))(x, w).jaxpr
    names = [e.primitive.name for e in widened_products(jaxpr, True).eqns]
    assert names.count("convert_element_type") == 4  # two operands, two results


@pytest.mark.parametrize("isa", ISAS, ids=lambda isa: isa.name)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_level_of_processors(dtype: Any, isa: Isa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(compiled, "Batch", functools.partial(Batch, isa))
    x, w = normal(dtype, 33, 70), normal(dtype, 70, 29)
    run = compile_jaxpr(fxla.make_jaxpr(lambda x, w: x @ w)(x, w).jaxpr)
    assert_rounded_once(np.asarray(run(x, w)[0]), wide(x) @ wide(w), dtype)


# ------------------------------------------------------------------- integers


def numbers(dtype: Any, *shape: int) -> Any:
    """Over the whole range of a dtype, so that sums wrap around; few of the booleans hold."""
    rng = np.random.default_rng(sum(shape))
    if np.dtype(dtype) == np.bool_:
        return rng.integers(0, 12, shape) == 0
    ends = np.iinfo(dtype)
    return rng.integers(ends.min, ends.max, shape, dtype, endpoint=True)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((40, 301), (301, 50)),
        ((3, 20, 33), (3, 33, 17)),
        ((1, 300), (300, 70)),
        ((9, 20), (20,)),
        ((5, 6), (6, 7)),
        ((5, 0), (0, 7)),
    ],
)
def test_products_of_integers_are_numpys(name: str, left: Any, right: Any) -> None:
    """Compiled, as it is and with either operand transposed, against NumPy: exactly."""
    a, b = numbers(name, *left), numbers(name, *right)
    want = a @ b

    def turned(x: Any) -> Any:
        return np.ascontiguousarray(np.swapaxes(x, -1, -2)) if x.ndim > 1 else x

    def back(x: Any) -> Any:
        return fnp.swapaxes(x, -1, -2) if x.ndim > 1 else x

    for x, y, f in (
        (a, b, lambda x, y: x @ y),
        (turned(a), b, lambda x, y: back(x) @ y),
        (a, turned(b), lambda x, y: x @ back(y)),
    ):
        got = fxla.jit(f)(x, y)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("given", "preferred", "work", "total"),
    [
        ("int8", None, "int8", "int32"),
        ("uint8", "int32", "uint8", "int32"),
        ("int16", "uint32", "int16", "uint32"),
        ("uint16", None, "int16", "int32"),
        ("uint16", "int32", "int32", "int32"),
        ("int8", "int16", "int8", "int32"),
        ("int8", "int64", "int64", "int64"),
        ("int32", "int64", "int64", "int64"),
        ("uint32", None, "uint32", "uint32"),
        ("int8", "float32", "float32", "float32"),
        ("bool", None, "uint8", "int32"),
    ],
)
def test_integers_are_summed_where_their_tiles_are(
    given: str, preferred: str | None, work: str, total: str
) -> None:
    """The dtypes of what is computed, and NumPy's sums of widened operands."""
    a, b = numbers(given, 30, 65), numbers(given, 65, 40)
    into = None if preferred is None else np.dtype(preferred)

    def f(x: Any, y: Any) -> Any:
        dims = (((1,), (0,)), ((), ()))
        return lax.dot_general(x, y, dims, preferred_element_type=into)

    jaxpr = widened_products(fxla.make_jaxpr(f)(a, b).jaxpr, True)
    (product,) = (e for e in jaxpr.eqns if e.primitive.name == "dot_general")
    assert product.inputs[0].aval.dtype.name == work
    assert product.outputs[0].aval.dtype.name == total
    dtype = np.dtype(given) if into is None else into
    want = a.astype(dtype) @ b.astype(dtype)
    got = fxla.jit(f)(a, b)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)
    (kernel,) = (
        i.kernel
        for i in walk_instructions(program(f, a, b).body)
        if isinstance(i, Launch) and "dot" in i.kernel.name
    )
    assert "[tile]" in str(kernel)


def test_integers_stay_as_they_are_where_nothing_multiplies_them() -> None:
    a = numbers("int8", 40, 40)
    assert widened(lambda x: x @ x, a, tiles=False) == ["int8"]
    assert widened(lambda x: x @ x, a > 0, tiles=False) == ["float32"]  # which BLAS multiplies


def test_a_sum_of_many_that_hold_holds() -> None:
    """65536 is 0 in 16 bits, and 2**24 + 1 is no float32."""
    a = np.ones((5, 1 << 16), bool)
    assert np.all(fxla.jit(lambda x, y: x @ y)(a, a.T))


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
@pytest.mark.parametrize("order", ["NHC", "NCH"])
def test_convolutions_of_integers(name: str, order: str) -> None:
    """Against sums of products of windows, which wrap around."""
    x, kernel = numbers(name, 2, 40, 16), numbers(name, 3, 16, 24)
    windows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=1)  # [n, i, c, k]
    want = np.einsum("nick,kco->nio", windows, kernel)
    if order == "NCH":
        x, kernel = np.moveaxis(x, 1, 2).copy(), np.moveaxis(kernel, (0, 1), (2, 1)).copy()
        want = np.moveaxis(want, 1, 2)
    names = (order, {"NHC": "HIO", "NCH": "OIH"}[order], order)

    def f(x: Any, kernel: Any) -> Any:
        return lax.conv_general_dilated(x, kernel, (1,), "VALID", dimension_numbers=names)

    got = fxla.jit(f)(x, kernel)
    assert got.dtype == want.dtype == np.dtype(name)
    np.testing.assert_array_equal(got, want)
    assert "computed by tiles" in fxla.jit(f).inspect(x, kernel).plan


@pytest.mark.parametrize(
    ("left", "right", "total", "read"),
    [
        ("int8", "int8", "int32", "int8"),
        ("uint8", "int8", "int32", "int16"),  # what both fit
        ("uint8", "uint8", "uint32", "uint8"),
        ("int16", "int8", "int32", "int16"),
        ("uint16", "int8", "int32", "int32"),  # which int16 does not hold
        ("int8", "int8", "int64", "int64"),
        ("int32", "int8", "int32", "int32"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_what_was_widened_for_a_product_is_read_as_it_was(
    left: str, right: str, total: str, read: str, turned: bool
) -> None:
    a, b = numbers(left, 40, 65), numbers(right, 65, 30)
    want = a.astype(total) @ b.astype(total)
    given = np.ascontiguousarray(a.T) if turned else a

    def f(x: Any, y: Any) -> Any:
        wide = x.astype(total)
        return (wide.T if turned else wide) @ y.astype(total)

    assert widened(f, given, b) == [read]
    assert widened(f, given, b, tiles=False) == [total]
    got = fxla.jit(f)(given, b)
    assert got.dtype == np.dtype(total)
    np.testing.assert_array_equal(got, want)


def test_one_widened_operand_is_not_enough() -> None:
    a, b = numbers("int8", 40, 40), numbers("int32", 40, 40)
    assert widened(lambda x, y: x.astype("int32") @ y, a, b) == ["int32"]
    x = numbers("int8", 3, 40)  # a few rows are loops, which read narrow numbers, too
    got = fxla.jit(lambda x, y: x.astype("int32") @ y.astype("int32"))(x, a)
    np.testing.assert_array_equal(got, x.astype("int32") @ a.astype("int32"))
