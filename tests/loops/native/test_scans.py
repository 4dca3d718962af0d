"""Running results in lanes, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.loops.ir import Assign, For, Kernel, Let, Local, Stmt, Store
from fxla.loops.native.isa import AVX512, Isa
from fxla.loops.native.printer import print_native
from fxla.loops.view import binary, const, int_const, op
from tests.loops.native.test_printer import SIZES, I, N, at, buffer, call, isa

__all__ = ["isa"]

UFUNCS = {"add": np.add, "mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum}


def scan(dtype: str, name: str, start: float, reverse: bool = False) -> Kernel:
    """``out[i] = start op x[0] op ... op x[i]``, and the last of them in `final`."""
    x, out, final = buffer("x", dtype, N), buffer("out", dtype, N), buffer("final", dtype)
    total = Local(x.dtype, "total")
    place = binary("sub", binary("sub", N, int_const(1)), I) if reverse else I
    step: tuple[Stmt, ...] = (
        Assign(total, op(name, x.dtype, total, at(x, place))),
        Store(out, (place,), total),
    )
    body = (
        Let(total, const(start, x.dtype), mutable=True),
        For(I, N, step, "vector"),
        Store(final, (), total),
    )
    return Kernel("scan", (x,), (out, final), (N,), body)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u1"])
@pytest.mark.parametrize("name", UFUNCS)
@pytest.mark.parametrize("reverse", [False, True])
def test_running_results(isa: Isa, dtype: str, name: str, reverse: bool) -> None:
    kernel = scan(dtype, name, 1, reverse)
    for n in SIZES:
        x = np.random.default_rng(n).uniform(0.8, 1.2 if dtype[0] == "f" else 3, n).astype(dtype)
        out, final = np.zeros(n, dtype), np.zeros((), dtype)
        call(kernel, isa, [x, out, final], n)
        given = np.concatenate([np.ones(1, dtype), x[::-1] if reverse else x])
        want = UFUNCS[name].accumulate(given, dtype=dtype)
        got = out[::-1] if reverse else out
        np.testing.assert_allclose(got, want[1:], rtol=1e-4 if dtype == "f4" else 1e-12)
        np.testing.assert_allclose(final, want[-1], rtol=1e-4 if dtype == "f4" else 1e-12)


def test_not_a_number_stays_where_it_comes(isa: Isa) -> None:
    x = np.arange(40, dtype="f4")
    x[13], x[30] = np.nan, np.inf
    for name in ("add", "maximum"):
        out, final = np.zeros(40, "f4"), np.zeros((), "f4")
        call(scan("f4", name, 0), isa, [x, out, final], 40)
        np.testing.assert_array_equal(out, UFUNCS[name].accumulate(x))


def test_the_lanes_of_a_scan_depend_on_each_other_by_shuffles_only() -> None:
    text = print_native(scan("f4", "add", 0), AVX512)
    assert "fadd contract <16 x float>" in text
    assert text.count("masked.gather") == 0


def test_a_local_read_before_it_is_rebound_is_no_scan(isa: Isa) -> None:
    x, out = buffer("x", "f8", N), buffer("out", "f8", N)
    total = Local(x.dtype, "total")
    step = (Store(out, (I,), total), Assign(total, op("add", x.dtype, total, at(x, I))))
    body = (Let(total, const(0, x.dtype), mutable=True), For(I, N, step, "vector"))
    values, got = np.arange(30.0), np.zeros(30)
    call(Kernel("before", (x,), (out,), (N,), body), isa, [values, got], 30)
    np.testing.assert_array_equal(got, np.cumsum(values) - values)
