"""One compilation for many sizes: after the first calls a new size compiles nothing.

Sizes up to 8, also of parts, are constants of a kernel, and one that equals another size shares
its argument; the sizes here are neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax
from fxla.compile import image
from fxla.compile.backend import compiled as compiled_kernels
from fxla.compile.backend.native import Batch, Printed
from fxla.loops.ir import Kernel
from fxla.loops.native.printer import Unsupported

SIZES = (37, 100, 640, 64, 128, 16, 17, 200, 256, 500, 90, 1000, 77, 48, 23, 300, 150, 63, 14, 21)
RNG = np.random.default_rng(0)


def train_step() -> tuple[Any, Callable[[int], Any]]:
    def loss(p: Any, x: Any, y: Any) -> Any:
        h = fnp.tanh(x @ p[0] + p[1])
        return ((h @ p[2] + p[3] - y) ** 2).mean()

    @fxla.jit
    def step(p: Any, x: Any, y: Any) -> Any:
        value, grads = fxla.value_and_grad(loss)(p, x, y)
        return value, [a - 0.1 * g for a, g in zip(p, grads, strict=True)]

    p = [RNG.standard_normal((30, 50)), np.zeros(50), RNG.standard_normal((50, 13)), np.zeros(13)]
    return step, lambda n: (p, RNG.standard_normal((n, 30)), RNG.standard_normal((n, 13)))


def statistics(dtype: str) -> Any:
    def make() -> tuple[Any, Callable[[int], Any]]:
        @fxla.jit
        def f(x: Any) -> Any:
            e = fnp.exp(x - x.max(1, keepdims=True))
            return x.mean(0), x.var(), e / e.sum(1, keepdims=True), x / x.shape[0]

        return f, lambda n: (RNG.standard_normal((n, 33)).astype(dtype),)

    return make


def indexing() -> tuple[Any, Callable[[int], Any]]:
    """Indices from the end, wrapped around, searched for: integers that follow from the size."""

    @fxla.jit
    def f(t: Any, i: Any) -> Any:
        return t[i].sum(), t.argmax(1), (i + 1) % t.shape[0], t[-1], t[i].at[i - 1].add(1.0)

    return f, lambda n: (RNG.standard_normal((n, 30)), RNG.integers(-14, 14, 40))


def moving() -> tuple[Any, Callable[[int], Any]]:
    @fxla.jit
    def f(x: Any) -> Any:
        return (
            fnp.concatenate([x, 2 * x]), fnp.pad(x, ((2, 3), (0, 0))), x[::-1].reshape(-1),
            fnp.roll(x, 3, 0), x[:-1] - x[1:], fnp.cumsum(x, 0), fnp.arange(x.shape[0])[::-1] * 2,
        )  # fmt: skip

    return f, lambda n: (RNG.standard_normal((n, 401)),)


def looping() -> tuple[Any, Callable[[int], Any]]:
    @fxla.jit
    def f(x: Any, w: Any) -> Any:
        def loss(w: Any) -> Any:
            step = lambda c, x: (fnp.tanh(c @ w + x), c.sum())  # noqa: E731
            return lax.scan(step, fnp.zeros(x.shape[1:]), x)[1].mean()

        return fxla.grad(loss)(w)

    return f, lambda n: (RNG.standard_normal((n, 33)), RNG.standard_normal((33, 33)))


PROGRAMS = {
    "train_step": train_step,
    "float64": statistics("float64"),
    "float32": statistics("float32"),
    "float16": statistics("float16"),
    "indexing": indexing,
    "moving": moving,
    "looping": looping,
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_a_new_size_compiles_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    text = image.compile_text
    monkeypatch.setattr(compiled_kernels, "_compiled", {})
    monkeypatch.setenv("FXLA_CACHE", "0")
    seen: set[str] = set()

    class CountingBatch(Batch):
        def add(self, kernel: Kernel) -> Printed | Unsupported:
            compiled.append(kernel.name)
            return super().add(kernel)

    def count_text(source: str, *args: Any, **kwargs: Any) -> Any:
        if source not in seen:
            compiled.append("driver")
            seen.add(source)
        return text(source, *args, **kwargs)

    monkeypatch.setattr(compiled_kernels, "Batch", CountingBatch)
    monkeypatch.setattr(image, "compile_text", count_text)
    f, arguments = PROGRAMS[name]()
    for n in SIZES[:3]:  # small results share kernels, larger ones have their own
        f(*arguments(n))
    assert "driver" in compiled
    compiled.clear()
    for n in SIZES[3:]:
        f(*arguments(n))
    assert compiled == []
