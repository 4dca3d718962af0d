"""Attention without the matrix of scores: the same values, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn
from fxla.compile.build import build_program
from fxla.compile.passes.simplify import simplify
from fxla.compile.stretches.in_blocks import in_blocks
from fxla.core.jaxpr import Jaxpr, sub_jaxprs

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "f4") -> Any:
    return RNG.standard_normal(shape).astype(dtype)


def attention(q: Any, k: Any, v: Any, bias: Any = None, causal: bool = False) -> Any:
    """Heads in front: q [..., t, d], k and v [..., s, d]."""
    scores = q @ fnp.swapaxes(k, -1, -2) * q.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    if causal:
        t, s = scores.shape[-2:]
        scores = fnp.where(fnp.arange(t)[:, None] >= fnp.arange(s), scores, -1e30)
    return nn.softmax(scores, axis=-1) @ v


def by_numpy(q: Any, k: Any, v: Any, bias: Any = None, causal: bool = False) -> list[Any]:
    """The result, and the gradient of its sum of squares by q, k, v and the bias."""
    q, k, v = (x.astype("f8") for x in (q, k, v))
    scale = q.shape[-1] ** -0.5
    scores = q @ np.swapaxes(k, -1, -2) * scale
    if bias is not None:
        scores = scores + bias
    if causal:
        t, s = scores.shape[-2:]
        scores = np.where(np.arange(t)[:, None] >= np.arange(s), scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    out = p @ v
    dp = 2 * out @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    turned = np.swapaxes(ds, -1, -2)
    return [out, ds @ k * scale, turned @ q * scale, np.swapaxes(p, -1, -2) @ (2 * out), ds]


def cut(f: Any, *args: Any) -> Jaxpr:
    return in_blocks(simplify(fxla.make_jaxpr(f)(*args).jaxpr))


def gradient(f: Any, n: int = 3) -> Any:
    return fxla.grad(lambda *args: (f(*args) ** 2).sum(), argnums=tuple(range(n)))


def loops(jaxpr: Jaxpr) -> Iterator[Any]:
    """All loops over blocks, outer ones first."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "blocks":
            yield eqn
        for _, inner in sub_jaxprs(eqn.params):
            yield from loops(inner)


def lengths(jaxpr: Jaxpr) -> list[int]:
    return [e.params["length"] for e in loops(jaxpr)]


def close(found: Any, expected: Any, bound: float) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("t", "s", "dtype", "bound"),
    [(1024, 1024, "f4", 3e-6), (1021, 1100, "f4", 3e-6), (1030, 601, "f8", 1e-13)],
)
def test_the_result_and_its_gradient(
    t: int, s: int, dtype: str, bound: float, causal: bool
) -> None:
    q, k, v = (normal(1, 2, n, 16, dtype=dtype) for n in (t, s, s))
    f = lambda q, k, v: attention(q, k, v, causal=causal)  # noqa: E731
    count = 4 if s > 1000 else 5
    heads, *rows = lengths(cut(f, q, k, v))
    assert (heads, sum(rows), len(rows)) == (2, count, 4 if causal else 1)
    out, *gradients = by_numpy(q, k, v, causal=causal)
    close(fxla.jit(f)(q, k, v), out, bound)
    for found, expected in zip(fxla.jit(gradient(f))(q, k, v), gradients, strict=False):
        assert found.dtype == dtype
        close(found, expected, bound)


def test_a_bias_that_is_summed_over_examples() -> None:
    q, k, v = (normal(4, 1, 1024, 8) for _ in range(3))
    bias = normal(1, 1, 1, 1024)
    f = gradient(lambda q, k, v, b: attention(q, k, v, b), 4)
    assert len(lengths(cut(f, q, k, v, bias))) == 4
    *_, ds = by_numpy(q, k, v, bias)
    close(fxla.jit(f)(q, k, v, bias)[3], ds.sum((0, 2), keepdims=True), 1e-5)


def test_heads_behind_positions_and_a_mask() -> None:
    q, k, v = (normal(2, 1024, 2, 8) for _ in range(3))
    mask = RNG.random((2, 1, 1024, 1024)) < 0.7
    f = lambda q, k, v: nn.dot_product_attention(q, k, v, mask=mask)  # noqa: E731
    assert lengths(cut(f, q, k, v)) == [2, 2, 4]
    found = fxla.jit(gradient(f))(q, k, v)
    turned = (np.swapaxes(x, 1, 2) for x in (q, k, v))
    _, *gradients = by_numpy(*turned, bias=np.where(mask, 0, -np.inf))
    for x, expected in zip(found, gradients, strict=False):
        close(x, np.swapaxes(expected, 1, 2), 3e-6)


def test_another_pattern() -> None:
    """A sum of Gaussians: no softmax, no masks, other names."""
    x, centres, w = normal(1100, 8), normal(1000, 8), normal(1000, 3)

    def f(x: Any, centres: Any, w: Any) -> Any:
        distance = (x**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * x @ centres.T
        return fnp.exp(-distance / 8) @ w

    assert lengths(cut(gradient(f), x, centres, w)) == [5, 5]
    difference = x[:, None].astype("f8") - centres
    weights = np.exp(-(difference**2).sum(-1) / 8)
    out = weights @ w
    close(fxla.jit(f)(x, centres, w), out, 1e-5)
    inner = 2 * out @ w.T.astype("f8") * weights * (-2 / 8)
    expected = (inner[:, :, None] * difference).sum(1)
    close(fxla.jit(gradient(f))(x, centres, w)[0], expected, 1e-4)


def test_many_sizes_of_one_function() -> None:
    f = fxla.jit(gradient(lambda q, k, v: attention(q, k, v, causal=True)))
    for n in (1024, 1100, 1201, 1300, 1536, 1030):
        q, k, v = (normal(1, n, 8) for _ in range(3))
        _, *gradients = by_numpy(q, k, v, causal=True)
        for found, expected in zip(f(q, k, v), gradients, strict=False):
            close(found, expected, 5e-6)


def test_memory_is_that_of_a_block() -> None:
    q, k, v = (normal(8, 2048, 32) for _ in range(3))
    scores = 8 * 2048 * 2048 * 4
    for f in (attention, gradient(attention)):
        jaxpr = fxla.make_jaxpr(f)(q, k, v).jaxpr
        assert build_program(jaxpr, tiles=True).arena < scores // 8


def test_the_plan_says_what_it_saves() -> None:
    q, k, v = (normal(2, 1024, 16) for _ in range(3))
    plan = fxla.jit(gradient(attention)).inspect(q, k, v).plan
    whole, block = 4 * 2 * 1024 * 1024, 4 * 1024 * 1024
    line = f"dot_general f32[2,1024,1024]: computed in 2 blocks of 1, {block} bytes instead of"
    assert f"{line} {whole}\n" in plan
    assert f"{line} {whole}, for 16 multiplications more for each element\n" in plan


def test_what_is_kept_whole() -> None:
    q, k, v = (normal(1024, 16) for _ in range(3))

    def with_weights(q: Any, k: Any, v: Any) -> Any:
        weights = nn.softmax(q @ k.T)
        return weights @ v, weights

    assert not lengths(cut(with_weights, q, k, v))
    plan = fxla.jit(with_weights).inspect(q, k, v).plan
    assert "kept whole, for f32[1024,1024] is read by what computes no slices" in plan
    assert not lengths(cut(lambda q, k: fnp.cumsum(fnp.exp(q @ k.T), 0).max(0), q, k))
    assert not lengths(cut(lambda q, k: nn.softmax(nn.softmax(q @ k.T, 0), 1).sum(0), q, k))
    small = (normal(500, 16) for _ in range(3))
    assert not lengths(cut(attention, *small))
    deep = (normal(1100, 200) for _ in range(3))
    assert not lengths(cut(attention, *deep))


def test_sums_in_half_precision_are_not_taken_in_parts() -> None:
    q, k, v = (fnp.asarray(normal(2, 2048, 16), "bfloat16") for _ in range(3))
    assert lengths(cut(attention, q, k, v)) == [2, 8]
    assert lengths(cut(gradient(attention), q, k, v)) == [2, 8, 2]


def test_in_a_loop_and_the_other_target(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (normal(1024, 8) for _ in range(3))

    def f(q: Any, k: Any, v: Any) -> Any:
        return fxla.lax.fori_loop(0, 2, lambda _, q: attention(q, k, v, causal=True), q)

    once = by_numpy(q, k, v, causal=True)[0]
    expected = by_numpy(once, k, v, causal=True)[0]
    close(fxla.jit(f)(q, k, v), expected, 3e-6)
    monkeypatch.setenv("FXLA_TARGET", "numba")
    close(fxla.jit(lambda *args: attention(*args, causal=True))(q, k, v), once, 3e-6)
