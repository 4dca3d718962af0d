"""Rearrangements in registers, and the accesses that use them, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from fxla.loops.ir import Buffer, Extent, For, Kernel, Store
from fxla.loops.native.instructions import Instructions, Value
from fxla.loops.native.isa import Isa
from fxla.loops.native.shuffles import deinterleave, interleave, shuffle, transpose
from fxla.loops.view import binary, int_const, op, select
from tests.loops.native.test_printer import INDEX, SIZES, I, N, at, buffer, call, isa

__all__ = ["isa"]

F4 = np.dtype(np.float32)


class Simulated(Instructions):
    """Runs shuffles on lists of lanes, by reading the text that would be printed."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes_of: dict[str, list[object]] = {}

    def vector(self, lanes: list[object]) -> Value:
        v = Value(self, self.fresh(), "f32", len(lanes))
        self.lanes_of[v.name] = lanes
        return v

    def emit(self, text: str, kind: str, width: int, *operands: Value) -> Value:
        both = [x for v in operands for x in self.lanes_of[v.name]]
        items = text.rpartition("<")[2].rstrip(">").split(", ")
        return self.vector([None if "poison" in k else both[int(k.split()[1])] for k in items])

    def read(self, v: Value) -> list[object]:
        return self.lanes_of[v.name]


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_transpose_gives_columns(n: int) -> None:
    b = Simulated()
    rows = [b.vector([(i, j) for j in range(n)]) for i in range(n)]
    columns = transpose(b, rows)
    assert [b.read(c) for c in columns] == [[(i, j) for i in range(n)] for j in range(n)]


@pytest.mark.parametrize("n", range(1, 9))
def test_interleaving_and_back(n: int) -> None:
    b, width = Simulated(), 4
    fields = [b.vector([(k, lane) for lane in range(width)]) for k in range(n)]
    whole = interleave(b, fields)
    flat = [x for v in whole for x in b.read(v)]
    assert flat == [(k, lane) for lane in range(width) for k in range(n)]
    for k in range(n):
        found = deinterleave(b, whole, [lane * n + k for lane in range(width)])
        assert b.read(found) == b.read(fields[k])


def test_shuffle_of_one_vector() -> None:
    b = Simulated()
    assert b.read(shuffle(b, b.vector([10, 11]), None, [1, 1, 0])) == [11, 11, 10]


@pytest.mark.parametrize("m", [2, 3, 5, 8])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1"])
def test_records_are_read_and_written(isa: Isa, m: int, dtype: str) -> None:
    """``out[i, m - 1 - j] = x[i, j]`` with lanes over i and j written out."""
    x, out = buffer("x", dtype, N, int_const(m)), buffer("out", dtype, N, int_const(m))
    stores = tuple(Store(out, (I, int_const(m - 1 - j)), at(x, I, int_const(j))) for j in range(m))
    kernel = Kernel("turned", (x,), (out,), (N,), (For(I, N, stores, "parallel"),))
    for n in SIZES:
        values = np.arange(n * m).reshape(n, m).astype(dtype)
        got = np.zeros_like(values)
        call(kernel, isa, [values, got], n)
        np.testing.assert_array_equal(got, values[:, ::-1])


def test_a_record_of_which_one_field_is_missing_keeps_it(isa: Isa) -> None:
    x, out = buffer("x", F4, N), buffer("out", F4, N, int_const(3))
    stores = tuple(Store(out, (I, int_const(j)), at(x, I)) for j in (0, 2))
    kernel = Kernel("partial", (x,), (out,), (N,), (For(I, N, stores, "parallel"),))
    for n in SIZES:
        values, got = np.arange(n, dtype=F4), np.full((n, 3), -1, F4)
        call(kernel, isa, [values, got], n)
        np.testing.assert_array_equal(got[:, [0, 2]], np.stack([values, values], 1))
        assert (got[:, 1] == -1).all()


def test_a_record_read_back_after_it_was_written(isa: Isa) -> None:
    x, out = buffer("x", F4, N), buffer("out", F4, N, int_const(2))
    first = Store(out, (I, int_const(0)), at(x, I))
    second = Store(out, (I, int_const(1)), op("neg", F4, at(out, I, int_const(0))))
    kernel = Kernel("back", (x,), (out,), (N,), (For(I, N, (first, second), "parallel"),))
    values, got = np.arange(40, dtype=F4), np.zeros((40, 2), F4)
    call(kernel, isa, [values, got], 40)
    np.testing.assert_array_equal(got, np.stack([values, -values], 1))


@pytest.mark.parametrize("step", [2, 3, 7, 8, 9])
def test_every_few_elements(isa: Isa, step: int) -> None:
    """Lanes some elements apart; beyond eight they are gathered."""
    size = Extent(INDEX, 0, "size")
    x, out = Buffer("x", F4, (size,)), buffer("out", F4, N)
    value = at(x, binary("mul", I, int_const(step)))
    kernel = Kernel(
        "strided", (x,), (out,), (N, size), (For(I, N, (Store(out, (I,), value),), "parallel"),)
    )
    for n in SIZES:
        values = np.arange(n * step, dtype=F4)
        got = np.zeros(n, F4)
        call(kernel, isa, [values, got], n, n * step)
        np.testing.assert_array_equal(got, values[::step])


def test_backwards(isa: Isa) -> None:
    x, out = buffer("x", F4, N), buffer("out", F4, N)
    last = binary("sub", N, int_const(1))
    store = Store(out, (binary("sub", last, I),), at(x, I))
    kernel = Kernel("reversed", (x,), (out,), (N,), (For(I, N, (store,), "parallel"),))
    for n in SIZES:
        values, got = np.arange(n, dtype=F4), np.zeros(n, F4)
        call(kernel, isa, [values, got], n)
        np.testing.assert_array_equal(got, values[::-1])


def test_records_where_a_condition_holds(isa: Isa) -> None:
    """A field that may not be read everywhere is read under the mask of its lanes."""
    x, c = buffer("x", F4, N, int_const(2)), buffer("c", np.bool_, N)
    out = buffer("out", F4, N)
    shifted = binary("add", I, int_const(0))
    value = select(at(c, I), at(x, shifted, int_const(1)), at(x, I, int_const(0)))
    kernel = Kernel(
        "chosen", (x, c), (out,), (N,), (For(I, N, (Store(out, (I,), value),), "parallel"),)
    )
    for n in SIZES:
        values = np.arange(2 * n, dtype=F4).reshape(n, 2)
        where = np.arange(n) % 3 == 0
        got = np.zeros(n, F4)
        call(kernel, isa, [values, where, got], n)
        np.testing.assert_array_equal(got, np.where(where, values[:, 1], values[:, 0]))
