"""einops and opt_einsum on traced arrays."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.numpy import backends

X = np.random.default_rng(0).normal(size=(4, 6, 3))

PATTERNS = {
    "rearrange": lambda e, x: e.rearrange(x, "(a b) c d -> a (b c) d", a=2),
    "transposed": lambda e, x: e.rearrange(x, "a b c -> c b a"),
    "list": lambda e, x: e.rearrange([x, x], "l a b c -> a l b c"),
    "mean": lambda e, x: e.reduce(x, "a (b c) d -> a c d", "mean", c=2),
    "max": lambda e, x: e.reduce(x, "a b c -> b", "max"),
    "repeat": lambda e, x: e.repeat(x, "a b c -> (a r) b k c", r=2, k=3),
    "einsum": lambda e, x: e.einsum(x, x, "a b c, a d c -> a b d"),
    "pack": lambda e, x: e.pack([x, x[:, 0]], "a * c")[0],
    "parse": lambda e, x: x * e.parse_shape(x, "a b c")["b"],
}


@pytest.mark.parametrize("name", PATTERNS)
def test_einops(name):
    einops = pytest.importorskip("einops")
    f = PATTERNS[name]
    want = f(einops, X)
    np.testing.assert_array_equal(f(einops, fnp.asarray(X)), want)
    np.testing.assert_allclose(fxla.jit(lambda x: f(einops, x))(X), want, rtol=1e-12)
    batched = fxla.vmap(lambda x: f(einops, x))(np.stack([X, X]))
    np.testing.assert_allclose(batched, np.stack([want, want]), rtol=1e-12)
    weights = np.random.default_rng(1).normal(size=want.shape)
    slope = fxla.grad(lambda x: fnp.sum(f(einops, x) * weights))(X)
    step = np.zeros(X.shape)
    step[1, 2, 1] = h = 1e-5
    near = np.sum((f(einops, X + step) - f(einops, X - step)) * weights) / (2 * h)
    np.testing.assert_allclose(slope[1, 2, 1], near, rtol=1e-6)


def test_opt_einsum():
    opt_einsum = pytest.importorskip("opt_einsum")

    def f(x):
        return opt_einsum.contract("abc,dbc,ae->de", x, x, x[:, :, 0])

    want = f(X)
    np.testing.assert_allclose(f(fnp.asarray(X)), want, rtol=1e-12)
    np.testing.assert_allclose(fxla.jit(f)(X), want, rtol=1e-12)
    slope = fxla.grad(lambda x: f(x).sum())(X)
    step = np.zeros(X.shape)
    step[1, 2, 1] = 1e-5
    near = (f(X + step).sum() - f(X - step).sum()) / 2e-5
    np.testing.assert_allclose(slope[1, 2, 1], near, rtol=1e-6)


def test_a_library_that_keeps_no_table_there_is_left_alone(monkeypatch):
    asked = []

    def tell(module):
        asked.append(module)
        module.table.add("fxla")

    monkeypatch.setitem(sys.modules, "a_library", types.ModuleType("a_library"))
    monkeypatch.setitem(backends._waiting, "a_library", tell)
    for _ in range(2):
        backends.register_backends()
    assert len(asked) == 1
