"""Taking arrays apart: as NumPy does, eager and traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.numpy import splitting as J
from tests.numpy.agreement import agree, check_gradient, same_error

X = np.arange(12.0).reshape(3, 4)


def both(name: str, *args: Any, **options: Any) -> None:
    agree(
        lambda *a: getattr(J, name)(*a, **options),
        lambda *a: getattr(np, name)(*a, **options),
        *args,
    )


@pytest.mark.parametrize("cuts", [1, 2, 3, [1], [1, 2], [2, 1], [-1], [5]])
def test_array_split(cuts: Any) -> None:
    both("array_split", X, indices_or_sections=cuts)
    both("array_split", X, indices_or_sections=cuts, axis=1)


def test_unstack() -> None:
    both("unstack", X)
    both("unstack", X, axis=1)


def test_split() -> None:
    z = np.arange(48.0).reshape(2, 6, 4)
    for name in ("split", "vsplit", "hsplit", "dsplit"):
        both(name, z, indices_or_sections=2)
        both(name, z, indices_or_sections=[1])
    both("hsplit", z[0, :, 0], indices_or_sections=3)
    same_error(lambda x: J.split(x, 5), lambda x: np.split(x, 5), z)
    same_error(lambda x: J.dsplit(x, 2), lambda x: np.dsplit(x, 2), X)
    same_error(lambda x: J.array_split(x, 0), lambda x: np.array_split(x, 0), X)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: J.split(x, [1, 2], 1),
        lambda x: J.unstack(x, axis=1),
    ],
)
def test_gradients(f: Any) -> None:
    check_gradient(f, X / 7)
