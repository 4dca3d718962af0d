"""Optimisers on given gradients, beside the same written in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fxla
from fxla import optim

RNG = np.random.default_rng(5)
START = RNG.standard_normal((2, 3))
GRADS = [RNG.standard_normal((2, 3)) * 10.0**k for k in (0, -1, 1, 0, -2, 0)]


def walk(tx: Any, dtype: Any = float, compiled: bool = False, **extra: Any) -> list[Any]:
    """The parameters after each update: a leaf, and the same leaf in a dict."""
    params = {"a": START.astype(dtype), "b": [START.astype(dtype)]}
    state = tx.init(params)
    update = fxla.jit(tx.update) if compiled else tx.update
    places = []
    for g in GRADS:
        grads = {"a": g.astype(dtype), "b": [g.astype(dtype)]}
        updates, state = update(grads, state, params, **extra)
        params = optim.apply_updates(params, updates)
        assert params["a"].dtype == params["b"][0].dtype == dtype
        np.testing.assert_array_equal(params["a"], params["b"][0])
        places.append(params["a"])
    return places


def agrees(tx: Any, step: Callable[[int, np.ndarray[Any, Any], np.ndarray[Any, Any]], Any]) -> None:
    """`step` takes the number of updates made, parameters and gradient, and gives the update."""
    places, p = [], START
    for t, g in enumerate(GRADS):
        p = p + step(t, p, g)
        places.append(p)
    np.testing.assert_allclose(walk(tx), places, rtol=1e-12)
    np.testing.assert_allclose(walk(tx, compiled=True), places, rtol=1e-12)
    np.testing.assert_allclose(walk(tx, np.float32), places, rtol=3e-5, atol=1e-6)
    np.testing.assert_allclose(walk(tx, np.float32, compiled=True), places, rtol=3e-5, atol=1e-6)
