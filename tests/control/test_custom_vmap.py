"""Batching rules of the user's."""

from __future__ import annotations

import numpy as np
import pytest

import fxla
import fxla.numpy as fnp
from fxla.custom_batching import custom_vmap, sequential_vmap

X = np.arange(6.0).reshape(3, 2)


def made():
    calls = []

    @custom_vmap
    def f(a, x):
        return {"out": a * fnp.sin(x), "a": a}

    @f.def_vmap
    def rule(axis_size, in_batched, a, x):
        calls.append((axis_size, in_batched))
        return {"out": a * fnp.sin(x) + 100.0, "a": a}, {"out": True, "a": False}

    return f, calls


@pytest.mark.parametrize("jit", [False, True])
def test_the_rule_is_used_for_a_batch_only(jit: bool) -> None:
    f, calls = made()
    np.testing.assert_allclose((fxla.jit(f) if jit else f)(2.0, X)["out"], 2 * np.sin(X))
    assert calls == []
    batch = fxla.vmap(f, in_axes=(None, 0), out_axes={"out": 0, "a": None})
    got = (fxla.jit(batch) if jit else batch)(2.0, X)
    np.testing.assert_allclose(got["out"], 2 * np.sin(X) + 100)
    assert float(got["a"]) == 2.0
    assert calls[0] == (3, [False, True])


def test_derivatives_are_those_of_the_function() -> None:
    f, _ = made()
    got = fxla.grad(lambda x: f(2.0, x)["out"].sum())(X)
    np.testing.assert_allclose(got, 2 * np.cos(X), rtol=1e-14)


def test_one_example_after_the_other() -> None:
    f = sequential_vmap(lambda a, x: a @ x)
    m = np.eye(2) * 3
    np.testing.assert_allclose(fxla.vmap(f, in_axes=(None, 0))(m, X), 3 * X)


def test_mistakes_in_a_rule_are_explained() -> None:
    f = custom_vmap(lambda x: x)
    with pytest.raises(AttributeError, match="has no batching rule yet"):
        f(1.0)
    f.def_vmap(lambda n, batched, x: x)
    with pytest.raises(TypeError, match="must return a pair"):
        fxla.vmap(f)(X)
    f.def_vmap(lambda n, batched, x: ((x, x), True))
    with pytest.raises(TypeError, match="structure"):
        fxla.vmap(f)(X)
    f.def_vmap(lambda n, batched, x: (x, (True, True)))
    with pytest.raises(TypeError, match="out_batched must have the structure"):
        fxla.vmap(f)(X)
