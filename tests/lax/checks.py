"""What is asked of every public function: eager, compiled, batched and traced forms agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fxla
from fxla.core.pytree import tree_flatten, tree_map

__all__ = ["agree", "forms_agree", "gradients_agree"]


def close(got: Any, expected: Any, rtol: float, label: str) -> None:
    """Equal trees, shapes, dtypes; values within `rtol` of the largest."""
    gots, wants = tree_flatten(got)[0], tree_flatten(expected)[0]
    assert len(gots) == len(wants), label
    for g, e in zip(gots, wants, strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert (g.shape, g.dtype) == (e.shape, e.dtype), (label, g.dtype, e.dtype, g.shape, e.shape)
        if e.dtype.kind in "biu":
            np.testing.assert_array_equal(g, e, err_msg=label)
        else:
            size = float(np.max(np.abs(e[np.isfinite(e)]), initial=0.0))
            np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol * size, err_msg=label)


def agree(
    f: Callable[..., Any], oracle: Callable[..., Any], *args: Any, rtol: float = 1e-12
) -> None:
    """`f` gives what `oracle` gives, and all its forms agree."""
    with np.errstate(all="ignore"):
        close(f(*args), oracle(*args), rtol, "oracle")
    forms_agree(f, *args, rtol=rtol)


def forms_agree(f: Callable[..., Any], *args: Any, rtol: float = 1e-12) -> None:
    """jit, vmap and jit of vmap give what the eager function gives."""
    expected = f(*args)
    close(fxla.jit(f)(*args), expected, rtol, "jit")
    rows = [tree_map(lambda x: np.stack([np.asarray(x), np.asarray(x)[...]]), a) for a in args]
    for label, g in (("vmap", fxla.vmap(f)), ("jit of vmap", fxla.jit(fxla.vmap(f)))):
        both = g(*rows)
        for k in range(2):
            close([np.asarray(x)[k] for x in tree_flatten(both)[0]], expected, rtol, label)


def gradients_agree(
    f: Callable[..., Any], *args: Any, rtol: float = 1e-6, step: float = 1e-6, reverse: bool = True
) -> None:
    """Derivatives in float64: reverse, forward, compiled and batched, against differences."""
    rng = np.random.default_rng(7)
    leaves = [np.asarray(x) for x in tree_flatten(f(*args))[0]]
    weights = [rng.standard_normal(x.shape) for x in leaves]

    def loss(*xs: Any) -> Any:
        found = tree_flatten(f(*xs))[0]
        total: Any = 0.0
        for v, w, leaf in zip(found, weights, leaves, strict=True):
            if leaf.dtype.kind == "f":
                total = total + (v * w).sum()
        return total

    for k, arg in enumerate(args):
        x = np.asarray(arg, np.float64)
        if np.asarray(arg).dtype.kind != "f":
            continue
        expected = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            values = []
            for sign in (1, -1):
                moved = x.copy()
                moved[i] += sign * step
                values.append(float(loss(*args[:k], moved, *args[k + 1 :])))
            expected[i] = (values[0] - values[1]) / (2 * step)
        size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
        direction = rng.standard_normal(x.shape)

        def along(y: Any, k: int = k) -> Any:
            return loss(*args[:k], y, *args[k + 1 :])

        _, tangent = fxla.jvp(along, (x,), (direction,))
        np.testing.assert_allclose(
            tangent, np.sum(expected * direction), rtol=10 * rtol, atol=10 * rtol * size
        )
        if not reverse:
            continue
        for label, g in (("grad", fxla.grad(along)), ("jit", fxla.jit(fxla.grad(along)))):
            np.testing.assert_allclose(
                g(x), expected, rtol=rtol, atol=rtol * size, err_msg=f"{label} of argument {k}"
            )
        pair = np.stack([x, x * 1.01])
        both = fxla.vmap(fxla.grad(along))(pair)
        for row, y in zip(both, pair, strict=True):
            np.testing.assert_allclose(row, fxla.grad(along)(y), rtol=1e-8, atol=1e-8 * size)
