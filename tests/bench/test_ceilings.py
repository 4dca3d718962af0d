from __future__ import annotations

import ctypes

import numpy
import pytest

from bench.ceilings import ACCUMULATORS, UNROLLED, Ceilings, aligned, fma_text, lanes, stream_text
from bench.workloads.workload import Traffic
from fxla.compile.backend.native import compile_text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_multiply_adds_are_done(dtype: str) -> None:
    entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    kernel = entry(compile_text(fma_text(dtype), ["fma"])["fma"])
    n = lanes(dtype)
    operands, out = numpy.repeat([0.5, 2.0], n).astype(dtype), numpy.zeros(n, dtype)
    kernel(out.ctypes.data, operands.ctypes.data, 3)
    s = 2.0
    for _ in range(3):
        s = 0.5 * s + 2.0
    numpy.testing.assert_array_equal(out, ACCUMULATORS * s)


@pytest.mark.parametrize("past_cache", [False, True])
def test_a_copy_copies_and_a_write_writes(past_cache: bool) -> None:
    words = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    entry = ctypes.CFUNCTYPE(None, *words)
    count = 2 * UNROLLED
    size = count * lanes("float32")
    source, target = aligned(4 * size), aligned(4 * size)
    source[:] = numpy.arange(size)
    kernel = entry(compile_text(stream_text("copy", past_cache), ["stream"])["stream"])
    kernel(target.ctypes.data, source.ctypes.data, count, 1)
    numpy.testing.assert_array_equal(target, numpy.arange(size))
    kernel = entry(compile_text(stream_text("write", past_cache), ["stream"])["stream"])
    kernel(target.ctypes.data, source.ctypes.data, count, 2)
    assert not target.any()


def test_a_read_reads_every_byte() -> None:
    words = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    kernel = ctypes.CFUNCTYPE(None, *words)(
        compile_text(stream_text("read", False), ["stream"])["stream"]
    )
    count = 4 * UNROLLED
    source, out = aligned(4 * count * lanes("float32")), aligned(4 * lanes("float32"))
    source[:] = 1.0
    kernel(out.ctypes.data, source.ctypes.data, count, 1)
    numpy.testing.assert_array_equal(out, 4.0)  # the last accumulator's own sum


class Fixed(Ceilings):
    """Ceilings of a machine with round numbers."""

    def _flops(self, dtype: str, threads: int) -> float:
        return 100.0 * threads

    def _rate(self, kind: str, size: int, threads: int) -> float:
        return {"read": 10.0, "write": 20.0, "copy": 40.0}[kind]


def test_the_floor_is_the_longer_of_arithmetic_and_memory() -> None:
    machine = Fixed()
    assert machine.least_seconds(None, None, "float32", 2) is None
    assert machine.least_seconds(1000.0, None, "float32", 2) == 5.0
    assert machine.least_seconds(1000.0, Traffic(1000.0, 0.0), "float32", 2) == 100.0
    # 400 of the bytes are half of a copy of 800, 600 are only read.
    assert machine.least_seconds(None, Traffic(1000.0, 400.0), "float32", 2) == 20.0 + 60.0
    assert machine.least_seconds(None, Traffic(0.0, 200.0), "float32", 2) == 10.0


def test_rates_are_measured_once() -> None:
    machine = Ceilings(seconds=0.01)
    first = machine.rate("copy", 1 << 14, 1)
    assert 1e8 < first < 1e13
    assert machine.rate("copy", 1 << 14, 1) == first
    assert 1e8 < machine.flops("float32", 2) < 1e13
