"""Blocks of rows without the columns that masks decide: values of all columns, from some."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla import nn
from fxla.compile.passes.simplify import simplify
from fxla.compile.stretches.in_blocks import in_blocks

RNG = np.random.default_rng(0)

# Each takes a module like numpy, the rows and the columns: true where a row sees a column.
MASKS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "causal": lambda m, r, c: r >= c,
    "anticausal": lambda m, r, c: c - r >= 0,
    "window": lambda m, r, c: (r - c >= 0) & (r - c < 100),
    "around": lambda m, r, c: ~((c > r + 70) | (c < r - 130)),
    "offset": lambda m, r, c: m.minimum(r, 900) - 120 > c,  # the first rows see nothing
}


def normal(*shape: int, dtype: str = "f4") -> Any:
    return RNG.standard_normal(shape).astype(dtype)


def attention(mask: Any, low: float, q: Any, k: Any, v: Any) -> Any:
    scores = q @ fnp.swapaxes(k, -1, -2)
    t, s = scores.shape[-2:]
    seen = mask(fnp, fnp.arange(t)[:, None], fnp.arange(s))
    return nn.softmax(fnp.where(seen, scores, low)) @ v


def by_numpy(mask: Any, low: float, q: Any, k: Any, v: Any) -> list[Any]:
    """The result, and the gradient of its sum of squares by q, k and v, in float64."""
    q, k, v = (x.astype("f8") for x in (q, k, v))
    seen = mask(np, np.arange(q.shape[-2])[:, None], np.arange(k.shape[-2]))
    scores = np.where(seen, q @ np.swapaxes(k, -1, -2), low)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    out = p @ v
    dp = 2 * out @ np.swapaxes(v, -1, -2)
    ds = np.where(seen, p * (dp - (p * dp).sum(-1, keepdims=True)), 0)
    return [out, ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ (2 * out)]


def gradient(f: Any) -> Any:
    return fxla.grad(lambda q, k, v: (f(q, k, v) ** 2).sum(), argnums=(0, 1, 2))


def shares(f: Any, *args: Any) -> list[int]:
    """How much of the columns each stretch computes, in percent, where masks decide some."""
    notes: list[str] = []
    in_blocks(simplify(fxla.make_jaxpr(f)(*args).jaxpr), notes)
    parts = [n.split("% of it")[0].split()[-1] for n in notes if "masks decide" in n]
    return [int(p) for p in parts]


def close(found: Any, expected: Any, bound: float) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("name", MASKS)
def test_masks(name: str) -> None:
    q, k, v = normal(1300, 8), normal(1111, 8), normal(1111, 8)
    f = lambda *args: attention(MASKS[name], -1e30, *args)  # noqa: E731
    found = shares(gradient(f), q, k, v)
    assert len(found) == 2
    assert max(found) < 80
    expected = by_numpy(MASKS[name], -1e30, q, k, v)
    close(fxla.jit(f)(q, k, v), expected[0], 3e-6)
    for x, y in zip(fxla.jit(gradient(f))(q, k, v), expected[1:], strict=True):
        close(x, y, 1e-5)


def test_rows_that_see_nothing() -> None:
    """With -inf they are NaN; with a number they take the mean of all values, left out or not."""
    q, k, v = normal(1100, 8, dtype="f8"), normal(1100, 8, dtype="f8"), normal(1100, 8, dtype="f8")
    mask = MASKS["offset"]
    found = fxla.jit(lambda *args: attention(mask, -np.inf, *args))(q, k, v)
    assert np.isnan(found[:121]).all()
    assert np.isfinite(found[121:]).all()
    found = fxla.jit(lambda *args: attention(mask, -1e30, *args))(q, k, v)
    close(found[:121], np.broadcast_to(v.mean(0), (121, 8)), 1e-13)


def test_an_infinite_value_that_no_row_sees_makes_nan() -> None:
    """0 times infinity, as it would be in NumPy."""
    q, k, v = (normal(1024, 8) for _ in range(3))
    v[1000, 3] = np.inf
    found = fxla.jit(lambda *args: attention(MASKS["causal"], -np.inf, *args))(q, k, v)
    assert np.isnan(found[:1000, 3]).all()
    assert np.isfinite(found[:, :3]).all()


def test_windows_of_one_program_are_not_mistaken_for_each_other() -> None:
    """Sizes are run-time values of a program; a mask's numbers are not."""
    for width in (400, 300, 250, 200, 150, 130):
        n = 1000 + width
        q, k, v = (normal(n, 8) for _ in range(3))
        mask = lambda m, r, c, w=width: (r >= c) & (r - c < w)  # noqa: E731
        found = fxla.jit(lambda *args, mask=mask: attention(mask, -1e30, *args))(q, k, v)
        close(found, by_numpy(mask, -1e30, q, k, v)[0], 3e-6)


@pytest.mark.parametrize("window", [None, (90, 0)])
def test_the_layer(window: tuple[int, int] | None) -> None:
    q, k, v = (normal(2, 1024, 1, 8) for _ in range(3))
    lengths = np.array([1024, 700])
    f = lambda q, k, v: nn.dot_product_attention(  # noqa: E731
        q, k, v, is_causal=True, local_window_size=window, key_value_seq_lengths=lengths
    )
    assert shares(f, q, k, v)
    found = fxla.jit(f)(q, k, v)
    back = 2000 if window is None else window[0]
    for b, n in enumerate(lengths):
        mask = lambda m, r, c, n=n: (r >= c) & (r - c <= back) & (c < n)  # noqa: E731
        parts = (q[b, :, 0] * 8**-0.5, k[b, :, 0], v[b, :, 0])
        rows = slice(0, n)  # later ones may see nothing: there the mean is of all, as above
        close(found[b, rows, 0], by_numpy(mask, -1e30, *parts)[0][rows], 3e-6)


def test_what_no_mask_of_indices_decides_is_computed() -> None:
    q, k, v = (normal(1024, 8) for _ in range(3))
    seen = RNG.random((1024, 1024)) < 0.5

    def f(q: Any, k: Any, v: Any) -> Any:
        return nn.softmax(fnp.where(seen, q @ k.T, -1e30)) @ v

    def bias(q: Any, k: Any, v: Any) -> Any:
        ahead = fnp.arange(1024) - fnp.arange(1024)[:, None]
        return nn.softmax(q @ k.T - 0.1 * fnp.abs(ahead).astype("f4")) @ v

    assert not shares(f, q, k, v)
    assert not shares(bias, q, k, v)


def test_the_other_target(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (normal(1040, 8) for _ in range(3))
    monkeypatch.setenv("FXLA_TARGET", "numba")
    found = fxla.jit(lambda *args: attention(MASKS["around"], -1e30, *args))(q, k, v)
    close(found, by_numpy(MASKS["around"], -1e30, q, k, v)[0], 3e-6)


GRADIENT = """
import hashlib
import numpy as np
import fxla, fxla.numpy as fnp
from fxla import nn

def loss(q, k, v):
    n = fnp.arange(len(q))
    return ((nn.softmax(fnp.where(n[:, None] >= n, q @ k.T, -1e30)) @ v) ** 2).sum()

x = [np.random.default_rng(k).standard_normal((1100, 16)).astype("f4") for k in range(3)]
found = fxla.jit(fxla.grad(loss, argnums=(0, 1, 2)))(*x)
print(hashlib.sha256(b"".join(g.tobytes() for g in found)).hexdigest())
"""


def test_bits_do_not_depend_on_the_threads() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", GRADIENT],
            env={**os.environ, "FXLA_NUM_THREADS": str(threads)},
            capture_output=True, check=True, text=True,
        ).stdout
        for threads in (1, 2, 3, 7)
    }  # fmt: skip
    assert len(digests) == 1
    assert digests != {""}
