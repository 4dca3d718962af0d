"""Transforms by our own jobs: values against extended precision, and which job serves what."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import mpmath
import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.compile.backend.llvm import host_isa
from fxla.compile.program import Buffer, Fourier, HostCall, Pointer
from fxla.compile.routines import fourier
from fxla.compile.routines.fourier import fourier_plan, pass_radices, roots_of_unity
from fxla.loops.native.isa import AVX2, BASELINE, Isa
from tests.compile.routines.transforms import KINDS, check

SHAPES = [
    ((8,), (0,)), ((1,), (0,)), ((2, 1), (1,)), ((0, 8), (1,)), ((17, 6), (1,)), ((5, 96), (1,)),
    ((20, 210), (1,)), ((3, 4320), (1,)), ((1, 65536), (1,)), ((3, 5, 4), (0,)),
    ((3, 40, 7), (1,)), ((20, 30, 36), (0, 1, 2)), ((4, 6, 10), (2, 0)), ((10000, 3), (0,)),
]  # fmt: skip


@pytest.mark.parametrize("precision", ["f4", "f8"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_values(kind: str, shape: Any, axes: Any, precision: str) -> None:
    assert HostCall not in check(kind, shape, axes, precision)


@pytest.mark.parametrize("isa", [AVX2, BASELINE], ids=lambda isa: isa.name)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 96), (1,)), ((1, 4320), (1,)), ((6, 7, 8), (0, 2))]
)
def test_other_instruction_sets(
    kind: str, shape: Any, axes: Any, isa: Isa, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isa is AVX2 and host_isa().vector_bytes < AVX2.vector_bytes:
        pytest.skip("this machine has no AVX2")
    monkeypatch.setattr(fourier, "host_isa", lambda: isa)
    monkeypatch.setattr(fourier, "_tables", {})
    for precision in ("f4", "f8"):
        assert HostCall not in check(kind, shape, axes, precision)


def plan_of(outer: int, n: int, inner: int = 1, kind: str = "FFT") -> Any:
    place = Pointer(Buffer((outer, n, inner), np.dtype("c8")))
    return fourier_plan(Fourier(kind, np.dtype("f4"), n, place, place, outer, inner))


def test_plans_go_by_sizes() -> None:
    assert plan_of(1000, 64).job == "rows"
    assert plan_of(1, 65536).job == "split"
    assert plan_of(3, 64, 50).job == "columns"
    assert plan_of(1000, 22) is None
    assert plan_of(10, 9, kind="RFFT") is None
    long = plan_of(2, 1 << 20)
    assert long.a * long.b == long.length == 1 << 20
    large = plan_of(1, 1 << 14, 1000)
    assert large.chunks * large.chunk <= 1 << 25
    assert all(p.chunks <= 16 for p in (plan_of(1000, 64), plan_of(5000, 1024), plan_of(9, 8, 999)))


@pytest.mark.parametrize("n", [1, 2, 16, 48, 128, 210, 1024, 6000])
def test_radices_multiply_to_the_length(n: int) -> None:
    radices = pass_radices(n)
    assert radices is not None
    assert np.prod([1, *radices]) == n


def test_roots_are_exact_to_the_last_bit_or_two() -> None:
    for n in (7, 12, 360, 65536):
        k = np.unique(np.linspace(0, n - 1, 50).astype(int))
        found = roots_of_unity(k, n)
        for power, root in zip(k, found, strict=True):
            with mpmath.workdps(40):
                wanted = mpmath.expjpi(mpmath.mpf(-2 * int(power)) / n)
                assert abs(wanted.real - root.real) <= 1.2e-16
                assert abs(wanted.imag - root.imag) <= 1.2e-16


def test_gradients_by_differences() -> None:
    x = np.random.default_rng(0).standard_normal(24)

    def f(x: Any) -> Any:
        y = fnp.fft.rfft(x)
        return fnp.sum(fnp.fft.irfft(y * y, n=24) ** 2) + fnp.sum(fnp.abs(fnp.fft.fft(x)[3:7]))

    gradient = fxla.jit(fxla.grad(f))(x)
    for k in range(0, 24, 5):
        step = np.zeros(24)
        step[k] = 1e-6
        assert gradient[k] == pytest.approx((f(x + step) - f(x - step)) / 2e-6, rel=1e-6)


def test_scipy_is_not_imported() -> None:
    code = (
        "import sys, numpy as np, fxla, fxla.numpy as fnp\n"
        "fxla.jit(lambda x: fnp.fft.irfft(fnp.fft.rfft(x)))(np.ones((3, 64)))\n"
        "sys.exit('scipy.fft' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
