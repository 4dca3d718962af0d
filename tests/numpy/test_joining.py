"""Putting arrays together: as NumPy does, eager and traced."""

# ruff: noqa: B023 - every lambda is called in the iteration that makes it
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import joining as J
from tests.numpy.agreement import agree, check_gradient, same_error

X = np.arange(12.0).reshape(3, 4)
Y = X[:2] + 100


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(J, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


def listed(name: str, *arrays: Any, **options: Any) -> None:
    """Functions whose argument is a sequence of arrays."""
    agree(
        lambda *a: getattr(J, name)(a, **options),
        lambda *a: getattr(np, name)(a, **options),
        *arrays,
    )


def test_concatenate() -> None:
    listed("concatenate", X, Y)
    listed("concat", X, X, axis=1)
    listed("concatenate", X, X, axis=-1)
    listed("concatenate", X, Y, axis=None)
    listed("concatenate", X, Y.astype("float32"), dtype="float32")
    listed("concatenate", X.astype("int8"), Y.astype("float32"))
    both("concatenate", np.ones((2, 3, 4)), axis=1)
    for arrays, axis in (((X, Y), 1), ((X, Y[0]), 0), ((X,), 2), ((), 0), ((1.0, 2.0), 0)):
        same_error(
            lambda *a: J.concatenate(a, axis=axis), lambda *a: np.concatenate(a, axis=axis), *arrays
        )
    same_error(
        lambda *a: J.concatenate(a, dtype="int32"), lambda *a: np.concatenate(a, dtype="int32"), X
    )


def test_stacks() -> None:
    for axis in (0, 1, -1):
        listed("stack", X, X + 1, axis=axis)
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        listed(name, X, X)
        listed(name, X[0], X[1])
    listed("hstack", X[0], Y[0, :2])
    listed("vstack", X, Y)
    listed("vstack", np.float64(1.0), np.float64(2.0))
    listed("column_stack", X[:, 0], X)
    same_error(lambda *a: J.stack(a), lambda *a: np.stack(a), X, Y)
    same_error(lambda *a: J.stack(a), lambda *a: np.stack(a))


def test_block() -> None:
    agree(lambda a, b: J.block([[a, a], [b, b]]), lambda a, b: np.block([[a, a], [b, b]]), X, Y)
    agree(lambda a, b: J.block([a, b]), lambda a, b: np.block([a, b]), X[0], Y[0])
    agree(lambda a, b: J.block([[a[0]], [b[0]]]), lambda a, b: np.block([[a[0]], [b[0]]]), X, Y)
    agree(lambda a: J.block(a), lambda a: np.block(a), X)
    agree(lambda a: J.block([[a[None]], [a[None]]]), lambda a: np.block([[a[None]], [a[None]]]), X)
    same_error(lambda a: J.block([[a], a]), lambda a: np.block([[a], a]), X)


def test_append() -> None:
    both("append", X, Y)
    both("append", X, Y, axis=0)
    both("append", X, 3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: J.concatenate([x, 2 * x, x[:1]]),
        lambda x: J.stack([x, x * x], 1),
        lambda x: J.block([[x, x], [2 * x, x]]),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X / 7)
