"""How instructions are shared among threads, as people read it."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp


def threads(function: Any, *xs: Any) -> list[str]:
    lines: list[str] = fxla.jit(function).inspect(*xs).threads.splitlines()
    return lines


def test_what_is_cut_and_what_is_not() -> None:
    (large,) = threads(lambda x: fnp.exp(x) + 3, np.zeros(10**6, np.float32))
    assert large.startswith("add: ")
    assert " chunks (1000000 iterations, " in large
    (small,) = threads(lambda x: fnp.exp(x) + 3, np.zeros(50, np.float32))
    assert small == "add: one thread (one chunk is enough for 50 iterations)"
    (serial,) = threads(fnp.cumsum, np.zeros(50))
    assert serial == "cumsum: one thread (its iterations depend on each other)"


def test_libraries() -> None:
    (product,) = threads(fnp.matmul, np.zeros((9, 500), np.complex64), np.zeros((500, 900), "c8"))
    assert product.startswith("product of matrices: ")
    (transform,) = threads(lambda x: fnp.fft.fft(x), np.zeros((64, 512), np.complex64))
    assert transform.startswith("Fourier transform: ")
    assert "eigh: one thread (Python)" in threads(fnp.linalg.eigh, np.zeros((9, 9)))


def test_loops_and_branches() -> None:
    def step(carry: Any, x: Any) -> Any:
        return fnp.tanh(carry @ carry) + x, None

    loop = threads(lambda c, xs: fxla.lax.scan(step, c, xs)[0], np.zeros((90, 90)), np.zeros(7))
    (at,) = [k for k, line in enumerate(loop) if line == "loop, 7 times:"]
    assert loop[at + 1].startswith("  dot_general_add: ")
    big = np.zeros((300, 300))
    both = threads(lambda p, x: fxla.lax.cond(p, lambda: x @ x, lambda: x * 2.0), True, big)
    assert [line for line in both if line.startswith("branch ")] == ["branch 0:", "branch 1:"]
