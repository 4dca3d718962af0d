# ruff: noqa: B023 - every lambda is called in the iteration that makes it
"""pad: every mode, width and keyword as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fxla.core.staging import trace_to_jaxpr
from fxla.core.trace import typeof
from fxla.numpy.padding import pad
from tests.numpy.agreement import agree, check_gradient, same_error

X = np.random.default_rng(0).standard_normal((3, 4))
COPYING = ["edge", "reflect", "symmetric", "wrap"]
MODES = ["constant", "linear_ramp", "maximum", "mean", "median", "minimum", *COPYING]


def both(x: Any, width: Any, mode: str = "constant", **options: Any) -> None:
    agree(lambda a: pad(a, width, mode, **options), lambda a: np.pad(a, width, mode, **options), x)


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: str) -> None:
    for x in (X, (X * 10).astype("int32"), X.astype("float32")):
        for width in (1, (2, 1), ((0, 2), (3, 0)), ((2,), (1,)), 0):
            both(x, width, mode)


@pytest.mark.parametrize("mode", COPYING)
def test_borders_wider_than_the_array(mode: str) -> None:
    both(X, ((5, 9), (8, 13)), mode)
    both(X[:1], ((2, 3), (0, 0)), mode)
    both(X[0, :1], 4, mode)


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_odd_reflections(mode: str) -> None:
    for width in (1, (2, 3), ((5, 9), (8, 13))):
        both(X, width, mode, reflect_type="odd")


def test_keywords() -> None:
    both(X, ((1, 2), (3, 4)), constant_values=7)
    both(X, ((1, 2), (3, 4)), constant_values=(1, 2))
    both(X, ((1, 2), (3, 4)), constant_values=((1, 2), (3, 4)))
    both(X, 2, "linear_ramp", end_values=5)
    both(X, 2, "linear_ramp", end_values=((1, 2), (3, 4)))
    both((X * 100).astype("int16"), 3, "linear_ramp", end_values=(-4, 9))
    for mode in ("maximum", "mean", "median", "minimum"):
        both(X, 2, mode, stat_length=2)
        both(X, 2, mode, stat_length=((1, 2), (3, 50)))
    both(X, {0: 1, -1: (2, 3)}, "edge")
    agree(
        lambda a, v: pad(a, 1, constant_values=v),
        lambda a, v: np.pad(a, 1, constant_values=v),
        X,
        3.0,
    )


def test_errors() -> None:
    for width, mode, options in (
        (-1, "constant", {}),
        (1, "unknown", {}),
        (1, "edge", {"constant_values": 1}),
        (1.5, "edge", {}),
        (((1, 1),) * 3, "edge", {}),
    ):
        same_error(
            lambda a: pad(a, width, mode, **options), lambda a: np.pad(a, width, mode, **options), X
        )
    same_error(lambda a: pad(a, 1, "edge"), lambda a: np.pad(a, 1, "edge"), X[:0])


@pytest.mark.parametrize("mode", MODES)
def test_gradients(mode: str) -> None:
    check_gradient(lambda a: pad(a, ((1, 2), (3, 0)), mode), X)
    if mode in COPYING:
        check_gradient(lambda a: pad(a, 7, mode), X)
    if mode in ("reflect", "symmetric"):
        check_gradient(lambda a: pad(a, 7, mode, reflect_type="odd"), X)


def test_gradient_of_the_constant() -> None:
    check_gradient(lambda a, v: pad(a, 2, constant_values=v), X, np.float64(2.0), batched=False)


def test_one_reflection_needs_no_gather() -> None:
    closed = trace_to_jaxpr(lambda a: [pad(a, 2, "reflect")], [typeof(X)])
    assert "gather" not in [e.primitive.name for e in closed.eqns]
