"""Derivatives that are checked: ``jax.test_util``."""

from __future__ import annotations

from typing import Any

import numpy as np

import fxla
from fxla.core.pytree import tree_flatten, tree_map

__all__ = ["check_grads"]


def check_grads(
    f: Any,
    args: Any,
    order: int,
    modes: Any = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """``jax.test_util.check_grads``: derivatives along a direction beside central differences.

    Raises:
        AssertionError: if they differ.
    """
    args, step = tuple(args), eps or 1e-2
    tolerance = (rtol or 2e-2, atol or 2e-2)
    rng = np.random.default_rng(0)

    def direction(x: Any) -> Any:
        return rng.standard_normal(np.shape(x)).astype(np.asarray(x).dtype)

    tangents = tree_map(direction, args)

    def at(h: float) -> Any:
        moved = tree_map(lambda x, t: x + np.asarray(h, t.dtype) * t, args, tangents)
        return tree_map(lambda y: np.asarray(y, np.float64), f(*moved))

    slope = tree_map(lambda a, b: (a - b) / (2 * step), at(step), at(-step))
    if "fwd" in modes:
        ours = fxla.jvp(f, args, tangents)[1]
        tree_map(lambda t, s: np.testing.assert_allclose(t, s, *tolerance), ours, slope)
    if "rev" in modes:
        out, pull = fxla.vjp(f, *args)
        weights = tree_map(direction, out)
        ours, theirs = _dot(pull(weights), tangents), _dot(weights, slope)
        np.testing.assert_allclose(ours, theirs, *tolerance)
    if order > 1:
        gradient = fxla.grad(lambda *xs: _total(f(*xs)), tuple(range(len(args))))
        check_grads(gradient, args, order - 1, modes, atol, rtol, eps)


def _dot(a: Any, b: Any) -> Any:
    pairs = zip(tree_flatten(a)[0], tree_flatten(b)[0], strict=True)
    return np.sum([np.vdot(x, y) for x, y in pairs])


def _total(tree: Any) -> Any:
    return fxla.numpy.sum(fxla.numpy.stack([fxla.numpy.sum(y) for y in tree_flatten(tree)[0]]))
