"""Programs for CUDA that have every kind of instruction, with arguments in the host's memory.

The meaning of a program is what it computes in NumPy, or, where the program is a derivative or
draws random numbers, what the CPU's compiled program gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fxla
import fxla.numpy as fnp
from fxla import lax, random

__all__ = ["PROGRAMS", "CudaProgram"]

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class CudaProgram:
    """A program and its arguments.

    Attributes:
        f: with fxla.
        meaning: its result without CUDA.
        args: arrays of the host.
    """

    f: Callable[..., Any]
    meaning: Callable[..., Any]
    args: tuple[Any, ...]


PROGRAMS: dict[str, CudaProgram] = {}


def program(
    *args: Any, meaning: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function of fxla by its name, with its arguments and its meaning."""

    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[f.__name__] = CudaProgram(f, meaning or fxla.jit(f), args)
        return f

    return add


def normal(*shape: int, dtype: Any = "f8") -> Any:
    return np.asarray(RNG.standard_normal(shape)).astype(dtype)


A, B = normal(5, 12), normal(12, 11)


@program(A, normal(12, dtype="f4"), meaning=lambda x, y: (np.tanh(x) * y + 1.0, x > y))
def elementwise(x, y):
    return fnp.tanh(x) * y + 1.0, x > y


@program(A.astype("f2"), meaning=lambda x: x * np.float16(2) + x)
def half_floats(x):
    return x * 2 + x


@program(A + 1j * A, meaning=lambda z: z * z.conj() + 2j)
def complex_numbers(z):
    return z * z.conj() + 2j


@program(RNG.integers(-9, 9, (3, 10)), meaning=lambda n: (n // 4, n % 4, n << 2, (n > 0).all()))
def integers(n):
    return n // 4, n % 4, n << 2, (n > 0).all()


@program(A, meaning=lambda x: (x.sum(), x.sum(0), x.sum(1), x.max(1), x.prod(), x.argmin(0)))
def reductions(x):
    return x.sum(), x.sum(0), x.sum(1), x.max(1), x.prod(), x.argmin(0)


@program(A, meaning=lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True))
def softmax(x):
    e = fnp.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@program(normal(0, 9), meaning=lambda x: (x + 1, x.sum(0), x.sum()))
def nothing_at_all(x):
    return x + 1, x.sum(0), x.sum()


@program(normal(20, 30), meaning=lambda x: x.T + x[:, :20].T.sum())
def transposed(x):
    return x.T + x[:, :20].T.sum()


@program(A, B, normal(3, 5, 12), meaning=lambda a, b, c: (a @ b, c @ b, a[0] @ b, a.T @ a))
def matmul(a, b, c):
    return a @ b, c @ b, a[0] @ b, a.T @ a


def numpy_conv(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w)


@program(normal(2, 3, 6, 5), normal(4, 3, 3, 2), meaning=numpy_conv)
def conv(x, w):
    return lax.conv(x, w, (1, 1), "VALID")


@program(A, B, normal(2, 3, 6, 5), normal(4, 3, 3, 2))
def gradients_of_products(a, b, x, w):
    def loss(a, b, x, w):
        return fnp.sum(fnp.sin(a @ b)) + fnp.sum(lax.conv(x, w, (1, 1), "VALID") ** 2)

    return fxla.grad(loss, argnums=(0, 1, 2, 3))(a, b, x, w)


def numpy_scan(c, xs):
    ys = []
    for x in xs:
        c = np.tanh(c * x + 1)
        ys.append(c.sum())
    return c, np.array(ys)


@program(A[0], A, meaning=numpy_scan)
def scan_an_odd_number_of_times(c, xs):
    return lax.scan(lambda c, x: ((d := fnp.tanh(c * x + 1)), d.sum()), c, xs)


@program(A[0], A[:4], meaning=lambda c, xs: numpy_scan(c, xs[::-1])[0])
def scan_backwards(c, xs):
    return lax.scan(lambda c, x: (fnp.tanh(c * x + 1), None), c, xs, reverse=True)[0]


@program(A[0], A[:0], meaning=lambda c, xs: (c, xs))
def scan_of_nothing(c, xs):
    return lax.scan(lambda c, x: (c + x, x), c, xs)


def numpy_nested(x):
    total = np.zeros(3)
    for k, row in enumerate(x):
        for v in row:
            total = total * 0.5 + v
        while total.sum() < 4:
            total = total * 1.5 + 1
        total = total - 2 if k % 2 else np.sort(-total)
    return total


@program(normal(3, 5, 3), meaning=numpy_nested)
def loops_in_loops(x):
    def step(carry, row):
        total, k = carry
        total, _ = lax.scan(lambda t, v: (t * 0.5 + v, None), total, row)
        total = lax.while_loop(lambda t: t.sum() < 4, lambda t: t * 1.5 + 1, total)
        total = lax.cond(k % 2 == 1, lambda t: t - 2, lambda t: fnp.sort(-t), total)
        return (total, k + 1), None

    return lax.scan(step, (fnp.zeros(3), 0), x)[0][0]


@program(np.array([7, 3]), meaning=lambda n: (np.array(3 * 5 * 7), np.array(4)))
def while_swapping(n):
    def step(carry):
        a, b, k = carry
        return b + 2, a * b, k + 1

    a, b, k = lax.while_loop(lambda c: c[2] < 4, step, (n[1], n[1] * 0 + 5, 0))
    del a, b
    return n[0] * n[1] * 5, k


@program(A, np.int32(-3), np.int32(1), np.int32(9), meaning=lambda x, i, j, k: (x, x + 1, x + 2))
def switches(x, i, j, k):
    branches = [lambda x: x, lambda x: x + 1, lambda x: x + 2]
    return tuple(lax.switch(n, branches, x) for n in (i, j, k))


def numpy_scatter(x, i, u):
    added, written = x.copy(), x.copy()
    np.add.at(added, i, u)
    written[3] = 0
    return x[i], added, written


@program(A.T.copy(), np.array([1, 3, 1, 0]), normal(4, 5), meaning=numpy_scatter)
def gather_and_scatter(x, i, u):
    return x[i], x.at[i].add(u), x.at[3].set(0)


@program(A, meaning=lambda x: (np.sort(x, 0), np.argsort(-x, 1) + 1, np.cumsum(x, 1)))
def sort_and_cumsum(x):
    return fnp.sort(x, 0), fnp.argsort(-x, 1) + 1, fnp.cumsum(x, 1)


@program(A @ A.T, meaning=lambda a: (np.linalg.inv(a) @ a[0], np.fft.fft(a[0]).real))
def linear_algebra_and_fft(a):
    return fnp.linalg.inv(a) @ a[0], fnp.fft.fft(a[0]).real


@program(np.array([3, 4], "u4"))
def random_numbers(seed):
    key = random.fold_in(random.key(0), seed[0])
    left, right = random.split(key)
    return random.bits(left, (7,)), random.uniform(right, (3, 4)), random.normal(left, (5,))


@program(
    [normal(9, 8, dtype="f4"), normal(8, dtype="f4"), normal(8, 3, dtype="f4")],
    normal(6, 9, dtype="f4"),
    np.array([0, 2, 1, 1, 0, 2]),
)
def mlp_gradient(weights, x, labels):
    def loss(weights):
        w, b, v = weights
        logits = fnp.maximum(x @ w + b, 0) @ v
        logits = logits - logits.max(1, keepdims=True)
        picked = fnp.take_along_axis(logits, labels[:, None], 1)[:, 0]
        return fnp.mean(fnp.log(fnp.exp(logits).sum(1)) - picked)

    value, found = fxla.value_and_grad(loss)(weights)
    return value, [w - 0.1 * g for w, g in zip(weights, found, strict=True)]


@program(A, B)
def vmapped_gradients(a, b):
    return fxla.vmap(fxla.grad(lambda row, b: fnp.tanh(row @ b).sum()), (0, None))(a, b)


@program(A, A, meaning=lambda x, y: (x, y, x))
def arguments_as_results(x, y):
    return x, y, x


CLOSED = normal(12)


@program(A, meaning=lambda x: (x * CLOSED, CLOSED))
def closed_over(x):
    return x * CLOSED, fnp.asarray(CLOSED)
