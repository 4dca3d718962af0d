from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from fxla.compile.backend.numba_cpu import compile_numba
from fxla.loops.check import check_kernel
from fxla.loops.ir import Buffer, Cast, For, Kernel, Load, Op, Select, Store, walk_exprs
from fxla.loops.passes import expand as expand_module
from fxla.loops.passes.expand import HALVES, expand_definitions, widen_halves
from fxla.loops.python.functions import plain_functions
from fxla.loops.rewrite import stmt_exprs
from fxla.loops.scalar import ScalarOp
from fxla.loops.view import const, extent, fresh_index, op, select
from tests.loops.python.test_ops import run_plain
from tests.loops.scalar_cases import BFLOAT16, DTYPES, FLOAT16, all_ops_kernel

F4, F8, U2 = np.dtype("float32"), np.dtype("float64"), np.dtype("uint16")


def map_kernel(source, target, make):
    """``out[i] = make(x[i])``; sizes are small enough to stay constants."""
    n = 8
    x, out = Buffer("x", source, (extent(n),)), Buffer("out", target, (extent(n),))
    i = fresh_index()
    body = (Store(out, (i,), make(Load(source, x, (i,)))),)
    return Kernel("k", (x,), (out,), (), (For(i, extent(n), body, "parallel"),))


def value_of(kernel):
    return kernel.body[0].body[0].value


def test_an_op_becomes_its_definition_and_so_do_the_ops_in_it(monkeypatch):
    def double(x):
        return op("add", x.dtype, x, x)

    def quadruple(x):
        return op("double", x.dtype, op("double", x.dtype, x))

    rows = {
        **expand_module.SCALAR_OPS,
        "double": ScalarOp("double", 1, "f", lambda x: 2 * x, definition=double),
        "quadruple": ScalarOp("quadruple", 1, "f", lambda x: 4 * x, definition=quadruple),
    }
    monkeypatch.setattr(expand_module, "SCALAR_OPS", rows)
    kernel = map_kernel(F8, F8, lambda x: op("quadruple", F8, op("sin", F8, x)))
    new = expand_definitions(kernel)
    check_kernel(new)
    assert {e.name for e in walk_exprs(value_of(new)) if isinstance(e, Op)} == {"add", "sin"}
    x, got = np.arange(8.0), np.zeros(8)
    run_plain(new, [x, got], (), 0, 8)
    np.testing.assert_array_equal(got, 4 * np.sin(x))


@pytest.mark.parametrize("half", [FLOAT16, BFLOAT16], ids=["f16", "bf16"])
def test_arithmetic_is_in_float32_and_rounded_where_it_is_stored(half):
    kernel = map_kernel(half, half, lambda x: op("mul", half, op("add", half, x, x), x))
    new = widen_halves(kernel)
    check_kernel(new)
    value = value_of(new)
    assert isinstance(value, Cast) and value.dtype == half and value.arg.dtype == F4
    assert all(e.dtype == F4 for e in walk_exprs(value) if isinstance(e, Op))


@pytest.mark.parametrize("half", [FLOAT16, BFLOAT16], ids=["f16", "bf16"])
def test_a_copy_moves_bits(half):
    new = widen_halves(map_kernel(half, half, lambda x: x))
    assert isinstance(value_of(new), Load)


@pytest.mark.parametrize("half", [FLOAT16, BFLOAT16], ids=["f16", "bf16"])
def test_a_cast_in_the_middle_rounds(half):
    def make(x):
        return op("sub", F4, Cast(F4, Cast(half, x)), x)

    x = np.linspace(1, 2, 8, dtype=F4)
    got = np.zeros(8, F4)
    compile_numba(map_kernel(F4, F4, make))([x, got], (), 0, 8)
    np.testing.assert_array_equal(got, x.astype(half).astype(F4) - x)
    assert np.any(got != 0)


@pytest.mark.parametrize("half", [FLOAT16, BFLOAT16], ids=["f16", "bf16"])
def test_a_bitcast_of_arithmetic_sees_the_rounded_value(half):
    kernel = map_kernel(half, U2, lambda x: op("bitcast", U2, op("add", half, x, x)))
    check_kernel(widen_halves(kernel))
    x = np.linspace(-2, 3, 8).astype(half)
    got = np.zeros(8, U2)
    compile_numba(kernel)([x, got], (), 0, 8)
    np.testing.assert_array_equal(got, (x + x).view(U2))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.name)
def test_halves_are_left_only_where_every_target_can_print_them(dtype):
    kernel, _ = all_ops_kernel(dtype, 8)
    new = widen_halves(kernel)
    check_kernel(new)
    for s in new.body[0].body:
        for e in itertools.chain(*map(walk_exprs, stmt_exprs(s))):
            if e.dtype in HALVES:
                assert isinstance(e, (Load, Cast, Select)) or e.name == "bitcast"
                assert not isinstance(e, Cast) or e.arg.dtype in (F4, F8)


def test_selects_and_constants_widen():
    def make(x):
        return select(op("isnan", np.dtype(bool), x), const(0.1, FLOAT16), x)

    x = np.array([np.nan, 1, 2, np.inf, -0.0, 5, 6, np.nan], FLOAT16)
    got = np.zeros(8, FLOAT16)
    compile_numba(map_kernel(FLOAT16, FLOAT16, make))([x, got], (), 0, 8)
    np.testing.assert_array_equal(got, np.where(np.isnan(x), FLOAT16.type(0.1), x))


FUNCTIONS = plain_functions()


def test_every_float16_decodes_and_encodes():
    bits = np.arange(1 << 16, dtype=np.uint16)
    with np.errstate(all="ignore"):
        decoded = np.array([FUNCTIONS["float16_to_float32"](n) for n in bits], F4)
        back = np.array([FUNCTIONS["float64_to_float16"](v) for v in decoded], np.uint16)
    np.testing.assert_array_equal(decoded, bits.view(FLOAT16).astype(F4))
    finite = ~np.isnan(decoded)
    np.testing.assert_array_equal(back[finite], bits[finite])


def test_rounding_to_float16_is_numpys():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000) * 2.0 ** rng.integers(-28, 18, 4000)
    ties = (np.arange(2048, 3072) + 0.5) * 2.0 ** rng.integers(-30, 4, 1024)
    x = np.concatenate([x, ties, np.nextafter(ties, 0), [65519.99, 65520, 2.0**-25, 2.0**-24]])
    with np.errstate(all="ignore"):
        got = np.array([FUNCTIONS["float64_to_float16"](v) for v in x], np.uint16)
        np.testing.assert_array_equal(got, x.astype(FLOAT16).view(np.uint16))


def test_rounding_to_bfloat16_is_ml_dtypes():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 1 << 32, 5000, dtype=np.uint32)
    x[:1000] = (x[:1000] & 0xFFFF0000) | 0x8000  # ties
    x = x.view(F4)
    with np.errstate(all="ignore"):
        got = np.array([FUNCTIONS["float32_to_bfloat16"](v) for v in x], np.uint16)
        want = x.astype(ml_dtypes.bfloat16).view(np.uint16)
    known = ~np.isnan(x)
    np.testing.assert_array_equal(got[known], want[known])
    assert np.isnan(got[~known].view(ml_dtypes.bfloat16).astype(F4)).all()
