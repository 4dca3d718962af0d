"""Products taken out of loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import lax

T, B, D, H, N = 9, 6, 12, 40, 30
RNG = np.random.default_rng(0)
W, U, V = (RNG.standard_normal(s).astype("f4") * 0.2 for s in ((D, H), (H, H), (H, N)))
X = RNG.standard_normal((T, B, D)).astype("f4")


def network(w: Any, u: Any, v: Any, x: Any, reverse: bool = False) -> Any:
    def step(h: Any, xt: Any) -> Any:
        h = fnp.tanh(xt @ w + h @ u)
        return h, h @ v

    return lax.scan(step, fnp.zeros((B, H), x.dtype), x, reverse=reverse)


def by_numpy(w: Any, u: Any, v: Any, x: Any, reverse: bool) -> Any:
    h, ys = np.zeros((B, H), w.dtype), np.zeros((T, B, N), w.dtype)
    for t in reversed(range(T)) if reverse else range(T):
        h = np.tanh(x[t] @ w + h @ u)
        ys[t] = h @ v
    return h, ys


def stages(f: Any, *args: Any) -> tuple[list[str], list[str], list[str]]:
    """What runs before, in and after the one loop of a program."""
    lines = fxla.jit(f).inspect(*args).threads.splitlines()
    (at,) = (k for k, line in enumerate(lines) if line.startswith("loop"))
    inside = [line for line in lines[at + 1 :] if line.startswith("  ")]
    return lines[:at], inside, lines[at + 1 + len(inside) :]


def products(lines: list[str]) -> int:
    return sum("dot_general" in line or "product of" in line for line in lines)


@pytest.mark.parametrize("reverse", [False, True])
def test_products_before_and_after(reverse: bool) -> None:
    got = fxla.jit(lambda *args: network(*args, reverse=reverse))(W, U, V, X)
    for a, b in zip(got, by_numpy(W, U, V, X, reverse), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert [products(part) for part in stages(network, W, U, V, X)] == [1, 1, 1]


def test_gradients_of_inputs_are_one_product() -> None:
    wide = [a.astype(float) for a in (W, U, V, X)]
    loss = lambda *args: fnp.sum(network(*args)[1] ** 2)  # noqa: E731
    direction = [RNG.standard_normal(a.shape) for a in wide]
    found = fxla.jit(fxla.grad(loss, (0, 1, 2, 3)))(*wide)
    step = 1e-6
    ahead, behind = (
        np.sum(by_numpy(*(a + s * d for a, d in zip(wide, direction, strict=True)), False)[1] ** 2)
        for s in (step, -step)
    )
    slope = sum(np.sum(g * d) for g, d in zip(found, direction, strict=True))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-6)


def test_a_matrix_on_the_left_of_vectors() -> None:
    def f(w: Any, x: Any) -> Any:
        return lax.scan(lambda h, xt: (h + w @ xt, h.sum()), fnp.zeros(H), x)

    w, x = W.T.astype(float), RNG.standard_normal((60, D))
    h, sums = np.zeros(H), []
    for t in range(60):
        sums.append(h.sum())
        h = h + w @ x[t]
    big_w, big_x = np.ones((200, 100)), np.ones((5, 100))
    got = fxla.jit(f)(w, x)
    np.testing.assert_allclose(got[0], h, rtol=1e-12)
    np.testing.assert_allclose(got[1], sums, rtol=1e-12, atol=1e-12)
    many = fxla.jit(lambda w, x: lax.scan(lambda h, xt: (h + w @ xt, h), fnp.zeros(200), x))
    np.testing.assert_array_equal(many(big_w, big_x)[0], np.full(200, 500.0))


def test_what_would_take_much_memory_stays_in_the_loop() -> None:
    w, x = np.ones((8, 4096), "f4"), np.ones((400, 2, 8), "f4")

    def f(w: Any, x: Any) -> Any:
        return lax.scan(lambda c, xt: (c + (xt @ w), None), fnp.zeros((2, 4096), x.dtype), x)[0]

    assert [products(part) for part in stages(f, w, x)] == [0, 1, 0]
    np.testing.assert_array_equal(fxla.jit(f)(w, x), np.full((2, 4096), 8 * 400.0))


def test_what_a_carry_needs_stays_in_the_loop() -> None:
    def f(u: Any, h: Any) -> Any:
        return lax.scan(lambda h, _: (fnp.tanh(h @ u), h @ u), h, None, length=6)

    h0 = RNG.standard_normal((B, H))
    h, ys = h0, []
    for _ in range(6):
        ys.append(h @ U)
        h = np.tanh(h @ U)
    got = fxla.jit(f)(U.astype(float), h0)
    np.testing.assert_allclose(got[0], h, rtol=1e-6)
    np.testing.assert_allclose(got[1], np.stack(ys), rtol=1e-6, atol=1e-9)


def test_no_iterations() -> None:
    got = fxla.jit(network)(W, U, V, X[:0])
    assert got[1].shape == (0, B, N)
    np.testing.assert_array_equal(got[0], np.zeros((B, H)))


@pytest.mark.parametrize("length", [3, 4, 5, 17, 18, 19, 20])
def test_loops_of_every_length(length: int) -> None:
    x = RNG.standard_normal((length, B, D)).astype("f4")
    h = np.zeros((B, H), "f4")
    for t in range(length):
        h = np.tanh(x[t] @ W + h @ U)
    np.testing.assert_allclose(fxla.jit(network)(W, U, V, x)[0], h, rtol=1e-4, atol=1e-5)
