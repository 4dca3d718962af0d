"""The laws every primitive's rules obey, as checks on samples.

All differences are taken of the primitive's own `impl`, so a rule is compared with what the
primitive computes and not with another rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxla.core.dtypes import is_complex, is_inexact
from fxla.core.primitive import Linear, Primitive, Zero, is_zero
from fxla.core.trace import AxisFrame, typeof

__all__ = [
    "check_batch",
    "check_jvp",
    "check_shapes",
    "check_transpose",
    "directions",
    "normal",
]


def normal(rng: np.random.Generator, shape: Sequence[int], dtype: Any) -> Any:
    """Standard normal numbers of a dtype; small integers for an integer dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return rng.integers(0, 5, shape).astype(dtype)
    x = rng.standard_normal(shape)
    if is_complex(dtype):
        x = x + 1j * rng.standard_normal(shape)
    return np.asarray(x).astype(dtype)


def directions(rng: np.random.Generator, args: Sequence[Any], wrt: Sequence[int]) -> list[Any]:
    return [
        normal(rng, np.shape(x), np.asarray(x).dtype) if i in wrt else Zero(typeof(x).tangent())
        for i, x in enumerate(args)
    ]


def check_shapes(primitive: Primitive, *args: Any, **params: Any) -> None:
    """`abstract_eval` states what `impl` gives."""
    stated = primitive.abstract_eval(*[typeof(x) for x in args], **params)
    got = primitive.impl(*args, **params)
    assert len(stated) == len(got)
    for aval, x in zip(stated, got, strict=True):
        assert aval.shape == np.shape(x)
        assert aval.dtype == np.asarray(x).dtype


def check_jvp(
    primitive: Primitive,
    *args: Any,
    wrt: Sequence[int] | None = None,
    eps: float = 1e-6,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    **params: Any,
) -> None:
    """The tangents are the central differences, one operand at a time and all together."""
    rng = np.random.default_rng(7)
    if wrt is None:
        wrt = [i for i, x in enumerate(args) if is_inexact(np.asarray(x).dtype)]
    for subset in [[i] for i in wrt] + ([list(wrt)] if len(wrt) > 1 else []):
        ts = directions(rng, args, subset)

        def shifted(h: float, ts: Sequence[Any] = ts) -> tuple[Any, ...]:
            moved = [x if is_zero(t) else x + h * t for x, t in zip(args, ts, strict=True)]
            return primitive.impl(*moved, **params)

        outs, out_ts = primitive.jvp(tuple(args), tuple(ts), **params)
        expected = primitive.impl(*args, **params)
        for out, want in zip(outs, expected, strict=True):
            np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-12)
        for t, high, low, out in zip(out_ts, shifted(eps), shifted(-eps), outs, strict=True):
            if not is_inexact(np.asarray(out).dtype):
                assert is_zero(t)
                continue
            slope = (high - low) / (2 * eps)
            assert not is_zero(t)
            assert np.shape(t) == np.shape(out)
            assert np.asarray(t).dtype == np.asarray(out).dtype
            np.testing.assert_allclose(t, slope, rtol=rtol, atol=atol)


def check_transpose(
    primitive: Primitive,
    *args: Any,
    linear: Sequence[int] = (0,),
    rtol: float = 1e-10,
    **params: Any,
) -> None:
    """``Re <ct, f(x)> = Re <f^T(ct), x>`` for each operand the primitive is linear in."""
    rng = np.random.default_rng(8)
    for k in linear:
        out = primitive.impl(*args, **params)[0]
        ct = normal(rng, np.shape(out), np.asarray(out).dtype)
        operands = [Linear(typeof(x)) if i == k else x for i, x in enumerate(args)]
        found = primitive.transpose((ct,), *operands, **params)
        assert len(found) == len(args)
        assert all(found[i] is None for i in range(len(args)) if i != k)
        assert np.shape(found[k]) == np.shape(args[k])
        assert np.asarray(found[k]).dtype == np.asarray(args[k]).dtype
        left = np.sum(ct * out).real
        right = np.sum(found[k] * args[k]).real
        scale = np.sum(np.abs(ct * out))
        np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol * scale)


def check_batch(
    primitive: Primitive, *args: Any, rtol: float = 1e-10, size: int = 3, **params: Any
) -> None:
    """Batching over every axis of every non-empty subset of operands is a loop."""
    rng = np.random.default_rng(9)
    n = len(args)
    for mask in range(1, 2**n):
        # A rotation through the positions, so that each operand's axis is at each place once.
        for shift in range(max(np.ndim(x) for x in args) + 1):
            axes = [
                (shift + i) % (np.ndim(x) + 1) if mask >> i & 1 else None
                for i, x in enumerate(args)
            ]
            stacked = []
            for x, a in zip(args, axes, strict=True):
                if a is None:
                    stacked.append(x)
                    continue
                examples = [x, *(_shuffled(rng, x) for _ in range(size - 1))]
                stacked.append(np.stack(examples, a))
            outs, at = primitive.batch(AxisFrame(None, size), tuple(stacked), tuple(axes), **params)
            loops = [
                primitive.impl(
                    *[
                        x if a is None else np.take(x, b, a)
                        for x, a in zip(stacked, axes, strict=True)
                    ],
                    **params,
                )
                for b in range(size)
            ]
            for k, (out, a) in enumerate(zip(outs, at, strict=True)):
                for b in range(size):
                    got = out if a is None else np.take(out, b, a)
                    np.testing.assert_allclose(got, loops[b][k], rtol=rtol, atol=rtol)


def _shuffled(rng: np.random.Generator, x: Any) -> Any:
    """Another example with the same properties (positive definite, triangular, ...)."""
    x = np.asarray(x)
    if not is_inexact(x.dtype):
        return rng.permutation(x.ravel()).reshape(x.shape)
    return (x * rng.uniform(0.5, 1.5)).astype(x.dtype)
