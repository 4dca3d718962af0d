"""Kernels of complex numbers, split into parts and printed as vectors, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.loops.ir import BOOL, Alloc, Assign, Buffer, Const, For, Kernel, Let, Load, Local, Store
from fxla.loops.native.isa import Isa
from fxla.loops.native.printer import print_native
from fxla.loops.passes.split_complex import split_complex
from fxla.loops.view import const, int_const, op, select
from tests.loops.native.test_printer import SIZES, I, J, N, at, buffer, call, isa, mapped, run_map

__all__ = ["isa"]

C8, C16, F8 = (np.dtype(t) for t in ("c8", "c16", "f8"))


def numbers(n: int, dtype: np.dtype, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(dtype)


@pytest.mark.parametrize("dtype", [C8, C16], ids=str)
@pytest.mark.parametrize("n", SIZES)
def test_arithmetic_of_parts(isa: Isa, dtype: np.dtype, n: int) -> None:
    x, y = numbers(n, dtype), numbers(n, dtype, 1)
    got = run_map(
        isa,
        lambda a, b: op("add", dtype, op("mul", dtype, a, b), op("conj", dtype, a)),
        dtype,
        x,
        y,
    )
    np.testing.assert_allclose(got, x * y + np.conj(x), rtol=20 * np.finfo(dtype).eps)


def test_a_number_times_its_conjugate_is_real(isa: Isa) -> None:
    x = numbers(257, C8)
    got = run_map(isa, lambda a: op("mul", C8, a, op("conj", C8, a)), C8, x)
    assert not got.imag.any()


def test_a_buffer_that_is_changed_in_place(isa: Isa) -> None:
    """The imaginary part of a product needs the real part that it had before."""
    x = buffer("x", C8, N)
    out = buffer("out", C8, N)
    body = (
        Store(out, (I,), at(x, I)),
        Store(out, (I,), op("mul", C8, at(out, I), at(out, I))),
    )
    kernel = Kernel("square", (x,), (out,), (N,), (For(I, N, body, "parallel"),))
    for n in SIZES:
        values, got = numbers(n, C8), np.zeros(n, C8)
        call(kernel, isa, [values, got], n)
        np.testing.assert_allclose(got, values * values, rtol=1e-5)


@pytest.mark.parametrize("name", ["add", "mul"])
def test_a_reduction(isa: Isa, name: str) -> None:
    total = Local(C16, "total")
    x, out = buffer("x", C16, N), buffer("out", C16)
    start = const(0 if name == "add" else 1, C16)
    loop = For(I, N, (Assign(total, op(name, C16, total, at(x, I))),), "vector")
    kernel = Kernel(
        "reduce", (x,), (out,), (N,), (Let(total, start, True), loop, Store(out, (), total))
    )
    values, got = numbers(100, C16), np.zeros((), C16)
    call(kernel, isa, [values, got], 100)
    want = values.sum() if name == "add" else values.prod()
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_choice_of_numbers_and_a_conversion(isa: Isa) -> None:
    x, w = numbers(50, C8), np.arange(50) % 3 == 0
    got = run_map(
        isa,
        lambda a, c: select(c, a, const(2 - 1j, C8)),
        C8, x, w,
    )  # fmt: skip
    np.testing.assert_array_equal(got, np.where(w, x, np.complex64(2 - 1j)))


def test_scratch_of_complex_numbers(isa: Isa) -> None:
    x, out = buffer("x", C8, N), buffer("out", C8, N)
    scratch = Buffer("scratch", C8, (int_const(4),))
    fill = For(J, int_const(4), (Store(scratch, (J,), at(x, I)),))
    body = (Alloc(scratch), fill, Store(out, (I,), at(scratch, int_const(3))))
    kernel = Kernel("copy", (x,), (out,), (N,), (For(I, N, body, "parallel"),))
    values, got = numbers(9, C8), np.zeros(9, C8)
    call(kernel, isa, [values, got], 9)
    np.testing.assert_array_equal(got, values)


def test_nothing_complex_is_left_and_real_kernels_stay() -> None:
    split = split_complex(mapped([C8], C8, lambda a: op("exp", C8, a)))
    assert [b.dtype for b in (*split.inputs, *split.outputs)] == [np.float32] * 2
    assert split.inputs[0].shape[-1] == Const(np.dtype(np.int64), 2)
    real = mapped([np.float32], np.float32, lambda a: a)
    assert split_complex(real) is real
    assert isinstance(real.body[0], For) and isinstance(at(real.inputs[0], I), Load)


def test_a_part_that_a_select_returns_costs_no_masked_arm(isa: Isa) -> None:
    """The place of a part lies in its buffer, so that both arms are computed, and shared."""

    def one_sine(a):
        x, sine = op("real", F8, a), op("sin", F8, op("imag", F8, a))
        re = select(op("eq", BOOL, x, const(0, F8)), x, op("mul", F8, x, sine))
        return op("complex", C16, re, op("add", F8, x, sine))

    def no_select(a):
        x, sine = op("real", F8, a), op("sin", F8, op("imag", F8, a))
        return op("complex", C16, op("mul", F8, x, sine), op("add", F8, x, sine))

    counts = [
        print_native(split_complex(mapped([C16], C16, f)), isa).count("@sin(")
        for f in (one_sine, no_select)
    ]
    assert counts[0] == counts[1]
