"""What tests of public functions compare: NumPy, the eager form, the traced form, differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fxla.numpy as fnp
from fxla.core.dtypes import bfloat16
from fxla.core.pytree import tree_flatten, tree_unflatten
from fxla.core.staging import eval_jaxpr, trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.transforms.autodiff import grad, vjp
from fxla.transforms.jvp import jvp
from fxla.transforms.vmap import vmap

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "complex64": 2e-6}


def traced(f: Callable[..., Any], *args: Any) -> Any:
    """`f` of arrays by way of a jaxpr: nothing in it may look at a value."""
    flat, tree = tree_flatten(args)
    out_tree: list[Any] = []

    def flat_f(*xs: Any) -> list[Any]:
        leaves, structure = tree_flatten(f(*tree_unflatten(tree, xs)))
        out_tree.append(structure)
        return leaves

    closed = trace_to_jaxpr(flat_f, [typeof(np.asarray(x)) for x in flat])
    outs = eval_jaxpr(closed.jaxpr, *closed.consts, *[np.asarray(x) for x in flat])
    for out, aval in zip(outs, closed.out_avals, strict=True):
        assert typeof(out).shape == aval.shape and typeof(out).dtype == aval.dtype, (out, aval)
    return tree_unflatten(out_tree[0], outs)


def assert_same(got: Any, expected: Any, label: str = "", tolerance: float | None = None) -> None:
    """Same tree, shapes and dtypes; values within the dtype's tolerance."""
    if isinstance(expected, (tuple, list)):
        assert len(got) == len(expected), label
        for g, e in zip(got, expected, strict=True):
            assert_same(g, e, label, tolerance)
        return
    g, e = np.asarray(got), np.asarray(expected)
    assert g.shape == e.shape, f"{label}: shape {g.shape}, expected {e.shape}"
    assert g.dtype == e.dtype, f"{label}: dtype {g.dtype}, expected {e.dtype}"
    if e.dtype.kind in "biu":
        np.testing.assert_array_equal(g, e, err_msg=label)
        return
    rtol = tolerance or TOLERANCE.get(e.dtype.name, 1e-11)
    if e.dtype == bfloat16:
        g, e = g.astype(np.float32), e.astype(np.float32)
    scale = np.max(np.abs(e[np.isfinite(e)]), initial=0.0)
    np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol * float(scale), err_msg=label)


def agree(
    ours: Callable[..., Any],
    numpys: Callable[..., Any],
    *args: Any,
    tolerance: float | None = None,
) -> None:
    """Eager and traced forms give what NumPy gives."""
    with np.errstate(all="ignore"):
        expected = numpys(*args)
    with np.errstate(all="ignore"):
        eager = ours(*args)
    assert_same(eager, expected, "eager", tolerance)
    assert_same(traced(ours, *args), expected, "traced", tolerance)


def both(name: str, *args: Any, **options: Any) -> None:
    """The function of that name agrees with NumPy's, eager and traced."""
    agree(
        lambda *xs: getattr(fnp, name)(*xs, **options),
        lambda *xs: getattr(np, name)(*xs, **options),
        *args,
    )


def same_error(ours: Callable[..., Any], numpys: Callable[..., Any], *args: Any) -> None:
    """The traced form raises the kind of exception NumPy raises."""
    try:
        numpys(*args)
    except Exception as error:
        kind = type(error)
    else:
        raise AssertionError("NumPy raised nothing")
    for run in (ours, lambda *xs: traced(ours, *xs)):
        try:
            run(*args)
        except Exception as error:
            assert isinstance(error, kind), f"{type(error)} is not a {kind}: {error}"
        else:
            raise AssertionError(f"expected {kind.__name__}")


def differences(f: Callable[..., Any], args: Sequence[Any], k: int, step: float = 1e-6) -> Any:
    """Gradient of a scalar `f` with respect to argument k by central differences."""
    x = np.array(args[k], dtype=np.float64)
    out = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        values = []
        for sign in (1, -1):
            moved = x.copy()
            moved[i] += sign * step
            values.append(float(f(*args[:k], moved, *args[k + 1 :])))
        out[i] = (values[0] - values[1]) / (2 * step)
    return out


def check_gradient(
    f: Callable[..., Any],
    *args: Any,
    seed: int = 0,
    tolerance: float = 2e-6,
    batched: bool = True,
) -> None:
    """Reverse, forward and batched derivatives of `f` against differences, in float64.

    The result of `f`, a tree of arrays, is weighted with random numbers to give a scalar.
    """
    rng = np.random.default_rng(seed)
    leaves = tree_flatten(f(*args))[0]
    floats = [k for k, x in enumerate(leaves) if np.asarray(x).dtype.kind in "fc"]
    weights = [rng.standard_normal(np.shape(leaves[k])) for k in floats]

    def loss(*xs: Any) -> Any:
        found = tree_flatten(f(*xs))[0]
        total: Any = 0.0
        for k, w in zip(floats, weights, strict=True):
            v = found[k]
            if typeof(v).dtype.kind == "c":
                v = v.real + 0.5 * v.imag
            total = total + (v * w).sum()
        return total

    for k in range(len(args)):
        expected = differences(loss, args, k)
        got = grad(loss, k)(*args)
        scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)
        direction = rng.standard_normal(np.shape(args[k]))

        def along(x: Any, k: int = k) -> Any:
            return loss(*args[:k], x, *args[k + 1 :])

        _, tangent = jvp(along, (args[k],), (direction,))
        np.testing.assert_allclose(
            tangent, (expected * direction).sum(), rtol=tolerance * 10, atol=tolerance * scale * 10
        )
        if batched:
            pair = np.stack([args[k], np.asarray(args[k]) * 1.01])
            both = vmap(grad(along))(pair)
            for row, x in zip(both, pair, strict=True):
                np.testing.assert_allclose(
                    row, grad(along)(x), rtol=1e-9, atol=1e-9 * max(1.0, scale)
                )


__all__ = [
    "agree",
    "assert_same",
    "check_gradient",
    "differences",
    "grad",
    "jvp",
    "same_error",
    "traced",
    "vjp",
    "vmap",
]
