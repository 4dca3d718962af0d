"""Every scalar op, as the printer writes it, against its reference: in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.compile.backend.numba_cpu import load_python
from fxla.loops.extents import parametrise
from fxla.loops.ir import Buffer, Cast, Const, For, Kernel, Load, Store
from fxla.loops.python.functions import plain_functions
from fxla.loops.python.ops import Text, spell_cast, spell_const, storage_dtype
from fxla.loops.python.source import python_source
from fxla.loops.view import extent, fresh_index
from tests.loops.scalar_cases import BFLOAT16, DTYPES, all_ops_kernel, expected, mismatches, samples


def run_plain(kernel, arrays, sizes=(), begin=0, end=0):
    function = load_python(python_source(kernel), plain_functions())
    buffers = (*kernel.inputs, *kernel.outputs)
    flat = [a.reshape(-1).view(storage_dtype(b.dtype)) for a, b in zip(arrays, buffers)]
    with np.errstate(all="ignore"):
        function(*flat, *sizes, begin, end)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.name)
def test_every_op_is_its_reference_in_plain_python(dtype):
    operands = samples(dtype, 150)
    n = len(operands[0])
    kernel, rows = all_ops_kernel(dtype, n)
    kernel, sizes = parametrise(kernel)
    outputs = [np.zeros(n, b.dtype) for b in kernel.outputs]
    run_plain(kernel, [*operands, *outputs], sizes, 0, n)
    wrong = []
    for row, got in zip(rows, outputs, strict=True):
        wrong += mismatches(row, operands, got, expected(row, operands))
    assert wrong == []


def test_constants_are_typed_where_a_plain_number_would_not_be():
    f4, f8, i8 = (np.dtype(t) for t in ("float32", "float64", "int64"))
    assert str(spell_const(Const(f8, 0.5))) == "0.5"
    assert str(spell_const(Const(f4, 0.1))) == "np.float32(0.1)"
    assert str(spell_const(Const(f8, np.inf))) == "math.inf"
    assert str(spell_const(Const(f4, -np.inf))) == "np.float32(-math.inf)"
    assert str(spell_const(Const(f8, -0.0))) == "-0.0"
    assert str(spell_const(Const(i8, 7))) == "7"
    assert str(spell_const(Const(i8, -(2**63)))) == "np.int64(-9223372036854775808)"
    assert str(spell_const(Const(np.dtype(bool), True))) == "True"
    c8 = np.dtype("complex64")
    assert str(spell_const(Const(c8, 1j))) == "np.complex64(complex(0.0, 1.0))"
    assert str(spell_const(Const(BFLOAT16, 1.0))) == "np.uint16(16256)"


def test_a_float_is_narrowed_to_small_integers_by_way_of_int32():
    x = Const(np.dtype("float32"), 0.0)
    assert str(spell_cast(Cast(np.dtype("int8"), x), Text("x"))) == "np.int8(np.int32(x))"
    assert str(spell_cast(Cast(np.dtype("int32"), x), Text("x"))) == "np.int32(x)"


@pytest.mark.parametrize("target", DTYPES, ids=lambda t: t.name)
def test_casts_are_astype_in_plain_python(target):
    for source in DTYPES:
        x = cast_samples(source, target)
        kernel, sizes = parametrise(cast_kernel(source, target, len(x)))
        got = np.zeros(len(x), target)
        run_plain(kernel, [x, got], sizes, 0, len(x))
        want = astype(x, target)
        if target == BFLOAT16:  # whose NaN NumPy's comparison does not know
            got, want = got.astype(np.float32), want.astype(np.float32)
        np.testing.assert_array_equal(got, want, err_msg=f"from {source}")


def cast_kernel(source, target, n):
    x, out = Buffer("x", source, (extent(n),)), Buffer("out", target, (extent(n),))
    i = fresh_index()
    body = (Store(out, (i,), Cast(target, Load(source, x, (i,)))),)
    return Kernel("cast", (x,), (out,), (), (For(i, extent(n), body, "parallel"),))


def cast_samples(source, target):
    """Values of one dtype that the other can hold, but for integers, which wrap."""
    x = samples(source)[0]
    x = x[: len(x) : max(1, len(x) // 60)]
    if target.kind in "iu" and source.kind not in "iub":
        keep = np.abs(x.astype(np.complex128)) < 100
        if target.kind == "u":
            keep &= x.astype(np.complex128).real >= 0
        return x[keep]
    return x


def astype(x, target):
    with np.errstate(all="ignore"):
        if x.dtype.kind == "c" and target.kind not in "cb":
            x = x.real
        if x.dtype.kind in "iu" and target.kind not in "iubc" and target.itemsize == 2:
            x = x.astype(np.float32)
        return x.astype(target)
