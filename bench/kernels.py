"""Kernels beside plain numba: ``python -m bench.kernels``.

Both run in one process, in turn, on one thread. A figure is the least of many runs; the time of
compilation is that of the first call, with an empty cache (``FXLA_CACHE=0``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

import fxla

ROUNDS = 30


def prefix_sum(x: Any) -> Any:
    y = np.empty_like(x)
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i]
        y[i] = total
    return y


def edit_distance(a: Any, b: Any) -> Any:
    n, m = len(a), len(b)
    d = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        d[i, 0] = i
    for j in range(1, m + 1):
        d[0, j] = j
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0.0 if a[i - 1] == b[j - 1] else 1.0
            d[i, j] = min(d[i - 1, j] + 1.0, d[i, j - 1] + 1.0, d[i - 1, j - 1] + cost)
    return d[n, m]


def floyd_warshall(weights: Any) -> Any:
    d = weights.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = d[i, k] + d[k, j]
                if through < d[i, j]:
                    d[i, j] = through
    return d


def cholesky(a: Any) -> Any:
    n = a.shape[0]
    c = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= c[i, k] * c[j, k]
            c[i, j] = math.sqrt(s) if i == j else s / c[j, j]
    return c


def mandelbrot(re: Any, im: Any) -> Any:
    out = np.empty((im.size, re.size))
    for i in range(im.size):
        for j in range(re.size):
            x, y, n = 0.0, 0.0, 0
            while n < 100 and x * x + y * y <= 4.0:
                x, y = x * x - y * y + re[j], 2 * x * y + im[i]
                n += 1
            out[i, j] = n
    return out


def heat(u: Any) -> Any:
    now = u.copy()
    new = u.copy()
    for _ in range(100):
        for i in range(1, now.size - 1):
            new[i] = now[i] + 0.2 * (now[i + 1] - 2 * now[i] + now[i - 1])
        for i in range(now.size):
            now[i] = new[i]
    return now


def n_body(p: Any, mass: Any) -> Any:
    n = p.shape[0]
    f = np.zeros_like(p)
    for i in range(n):
        for j in range(n):
            d2 = 0.01
            for k in range(3):
                d2 += (p[j, k] - p[i, k]) ** 2
            w = mass[j] / (d2 * math.sqrt(d2))
            for k in range(3):
                f[i, k] += w * (p[j, k] - p[i, k])
    return f


def workloads() -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Functions and arguments."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((120, 120))
    return [
        (prefix_sum, (rng.random(1_000_000),)),
        (edit_distance, (rng.integers(0, 4, 600), rng.integers(0, 4, 600))),
        (floyd_warshall, (rng.random((120, 120)),)),
        (cholesky, (a @ a.T + 120 * np.eye(120),)),
        (mandelbrot, (np.linspace(-2, 1, 120), np.linspace(-1, 1, 100))),
        (heat, (rng.random(4000),)),
        (n_body, (rng.random((150, 3)), rng.random(150))),
    ]


def first_call(f: Callable[..., Any], args: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    f(*args)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    numba.njit(lambda x: x + 1.0)(1.0)  # what numba does once in a process
    print(
        f"{'':16}{'numba ms':>10}{'jit/numba':>11}{'grad/numba':>12}{'compile s':>11}{'numba s':>9}"
    )
    for f, args in workloads():
        plain = numba.njit(f)
        kernel = fxla.kernel(f)
        compiled = fxla.jit(kernel)
        floats = tuple(k for k, x in enumerate(args) if x.dtype.kind == "f")
        slope = None
        if floats:
            slope = fxla.jit(fxla.grad(lambda *xs: kernel(*xs).sum(), floats))  # noqa: B023
        numba_first, first = first_call(plain, args), first_call(compiled, args)
        found: dict[str, float] = {}
        runs = {"numba": plain, "jit": compiled} | ({"grad": slope} if slope is not None else {})
        for run in runs.values():
            run(*args)
        for _ in range(ROUNDS):
            for name, run in runs.items():
                found[name] = min(found.get(name, math.inf), first_call(run, args))
        own = found["numba"]
        grad = f"{found['grad'] / own:12.2f}" if slope is not None else f"{'-':>12}"
        print(f"{f.__name__:16}{own * 1e3:10.3f}{found['jit'] / own:11.2f}{grad}"
              f"{first:11.2f}{numba_first:9.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
