"""What is asked of SciPy's functions: eager, compiled and batched forms give SciPy's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fxla

__all__ = ["compare", "slopes_agree"]


def close(got: Any, expected: Any, rtol: float, atol: float, label: str) -> None:
    gots = got if isinstance(got, tuple) else (got,)
    wants = expected if isinstance(expected, tuple) else (expected,)
    assert len(gots) == len(wants), label
    for g, e in zip(gots, wants, strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert g.shape == e.shape, (label, g.shape, e.shape)
        np.testing.assert_allclose(g, e, rtol=rtol, atol=atol, err_msg=label)


def compare(
    f: Callable[..., Any],
    oracle: Callable[..., Any],
    *args: Any,
    rtol: float = 1e-11,
    atol: float = 1e-300,
    dtypes: bool = True,
) -> None:
    """`f` eagerly, under jit, and under jit of vmap over the last axis of arrays is `oracle`.

    Args:
        f: ours.
        oracle: SciPy's.
        args: numbers and 1-d arrays of one length.
        rtol: relative tolerance.
        atol: absolute tolerance.
        dtypes: whether dtypes are compared too.
    """
    with np.errstate(all="ignore"):
        expected = oracle(*args)
    for label, g in (("eager", f), ("jit", fxla.jit(f))):
        got = g(*args)
        close(got, expected, rtol, atol, label)
        if dtypes and not isinstance(expected, tuple):
            assert np.asarray(got).dtype == np.asarray(expected).dtype, label
    arrays = [isinstance(a, np.ndarray) and a.ndim == 1 for a in args]
    if any(arrays):
        axes = tuple(0 if a else None for a in arrays)
        close(fxla.jit(fxla.vmap(f, axes))(*args), expected, rtol, atol, "vmap")


def slopes_agree(
    f: Callable[..., Any],
    *args: Any,
    by: tuple[int, ...] | None = None,
    step: float = 1e-6,
    rtol: float = 1e-6,
) -> None:
    """Forward and reverse derivatives of an elementwise function are central differences."""
    args = tuple(np.broadcast_arrays(*[np.asarray(a, float) for a in args]))
    for k in range(len(args)) if by is None else by:

        def along(x: Any, k: int = k) -> Any:
            return f(*args[:k], x, *args[k + 1 :])

        h = step * np.maximum(1.0, np.abs(args[k]))
        expected = (np.asarray(along(args[k] + h)) - np.asarray(along(args[k] - h))) / (2 * h)
        _, forward = fxla.jvp(along, (args[k],), (np.ones_like(args[k]),))
        reverse = fxla.jit(fxla.grad(lambda x, along=along: along(x).sum()))(args[k])
        size = np.max(np.abs(expected))
        for label, got in (("forward", forward), ("reverse", reverse)):
            np.testing.assert_allclose(
                got, expected, rtol=rtol, atol=rtol * size, err_msg=f"{label} by operand {k}"
            )
